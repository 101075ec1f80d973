"""Marketing plans, their activities and expenses, and what people said about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data import names
from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.estate import Estates
from sample_data.organisation import PLANNER
from sample_data.rows import NO_MOMENT, Array, pick_text, text_where, where_known

PLANS_OF_A_HALF_YEAR = 2
ACTIVITIES_OF_A_PLAN = 4
# Yuan spent per lead of an estate, before noise: sets budgets and expenses.
SPENT_PER_LEAD = 5_200
EXPENSE_STATES = ("paid", "approved", "submitted", "draft", "rejected")


@dataclass
class Activities:
    """The activities of a city company: keys, estate, plan, source (index into the sources) and days."""

    ids: Array
    plan_ids: Array
    estate: Array
    source: Array
    first: Array
    last: Array
    class_index: Array


def make_marketing(company: Company) -> Activities:
    """Make plans, activities and expenses; expenses in all states, some for a plan or an estate as a whole."""
    rng = company.random("marketing")
    world, size, estates, master = company.world, company.size, company.estates, company.master
    clock, words, batch = world.clock, world.words, world.batch
    plan_estate, plan_first, plan_last, plan_class = _plans(rng, clock.today, estates)
    titles = words.all(v.PLAN_CLASSES)
    plan_names = [
        words.join(estates.names[e], str(day)[:7], titles[c])
        for e, day, c in zip(plan_estate, plan_first, plan_class, strict=True)
    ]
    budget_of_a_plan = SPENT_PER_LEAD * size.leads / max(1, len(plan_estate))
    budgets = np.round(budget_of_a_plan * rng.lognormal(0, 0.4, len(plan_estate)) / 1000).astype(np.int64) * 100_000
    plan_entered = np.minimum((plan_first - 20).astype("datetime64[s]"), clock.now - np.timedelta64(3600, "s"))
    plan_ids = batch.add(
        "plan",
        plan_entered,
        plan_class_id=master.plan_class_ids[plan_class],
        project_id=estates.ids[plan_estate],
        name=plan_names,
        start_on=plan_first,
        end_on=plan_last,
        budget=budgets,
    )
    plans = _Plans(plan_ids, plan_estate, plan_first, plan_last, plan_names)
    activities = _add_activities(company, rng, plans)
    _add_features(company, rng)
    _add_expenses(company, rng, activities, dict(zip(plan_ids.tolist(), budgets.tolist(), strict=True)))
    return activities


def _plans(rng: np.random.Generator, today: np.datetime64, estates: Estates) -> tuple[Array, Array, Array, Array]:
    """Return estate, first day, last day and class of each plan; the last plans may still be running."""
    rows = []
    for estate, opened in enumerate(estates.opened_on):
        day = opened - 40
        launch = True
        while day < today:
            for number in range(PLANS_OF_A_HALF_YEAR):
                first = day + int(rng.integers(0, 60)) * (number > 0)
                plan_class = 0 if launch and number == 0 else 1 + int(rng.integers(0, 3))
                rows.append((estate, first, first + int(rng.integers(80, 150)), plan_class))
            day, launch = day + 182, False
    estate_index, first_day, last_day, class_index = zip(*rows, strict=True)
    return np.array(estate_index), np.array(first_day), np.array(last_day), np.array(class_index)


@dataclass
class _Plans:
    ids: Array
    estate: Array
    first: Array
    last: Array
    names: list[str]


def _add_activities(company: Company, rng: np.random.Generator, plans: _Plans) -> Activities:
    world, sources = company.world, company.master.sources
    words, clock = world.words, world.clock
    plan = np.repeat(np.arange(len(plans.ids)), ACTIVITIES_OF_A_PLAN)
    count = len(plan)
    promoted = np.flatnonzero(~np.isin(sources.market, ("direct", "other")))
    weight = sources.share[promoted] / sources.share[promoted].sum()
    source = rng.choice(promoted, count, p=weight)
    length = (plans.last - plans.first).astype(int)[plan]
    offset = (rng.random(count) * length * 0.5).astype(int)
    first = plans.first[plan] + offset
    last = np.minimum(first + rng.integers(10, 80, count), plans.last[plan])
    by_market = {"event": 2, "channel": 3, "referral": 4}
    class_index = np.array(
        [by_market.get(m, int(n)) for m, n in zip(sources.market[source], rng.integers(0, 2, count), strict=True)]
    )
    activity_names = [
        words.join(plans.names[p], sources.names[s], str(n % ACTIVITIES_OF_A_PLAN + 1))
        for n, (p, s) in enumerate(zip(plan, source, strict=True))
    ]
    ids = world.batch.add(
        "activity",
        np.minimum((first - 10).astype("datetime64[s]"), clock.now - np.timedelta64(1800, "s")),
        plan_id=plans.ids[plan],
        activity_class_id=company.master.activity_class_ids[class_index],
        source_id=sources.ids[source],
        name=activity_names,
        start_on=first,
        end_on=last,
    )
    return Activities(ids, plans.ids[plan], plans.estate[plan], source, first, last, class_index)


def _add_features(company: Company, rng: np.random.Generator) -> None:
    """Describe most plans and activities, when they are entered."""
    world, master = company.world, company.master
    for table, features in (("plan", v.PLAN_FEATURES), ("activity", v.ACTIVITY_FEATURES)):
        rows = world.batch.rows(table)
        for name, answers in features:
            known = np.flatnonzero(rng.random(len(rows["id"])) < 0.7)
            world.batch.add(
                "feature_value",
                rows["created_at"][known],
                feature_id=[master.feature_ids[name]] * len(known),
                entity_id=rows["id"][known],
                value=world.words.all(answers)[rng.integers(0, len(answers), len(known))],
            )


def _add_expenses(
    company: Company, rng: np.random.Generator, activities: Activities, budget_of: dict[int, int]
) -> None:
    world, estates = company.world, company.estates
    clock = world.clock
    activity = np.repeat(np.arange(len(activities.ids)), rng.integers(2, 6, len(activities.ids)))
    count = len(activity)
    budget = np.array([budget_of[key] for key in activities.plan_ids.tolist()])[activity]
    amount = np.round(budget / (ACTIVITIES_OF_A_PLAN * 3.5) * rng.lognormal(-0.15, 0.6, count)).astype(np.int64)
    day = activities.first[activity] + (rng.random(count) * 45).astype(int)
    kind = rng.random(count)
    of_activity, of_plan = kind < 0.90, kind < 0.97
    past = day < clock.today
    state = np.array(EXPENSE_STATES, object)[rng.choice(5, count, p=(0.72, 0.13, 0.06, 0.04, 0.05))]
    # What is older than a quarter is settled.
    state = np.where((day < clock.today - 90) & np.isin(state, ("submitted", "draft")), "paid", state)
    entered = clock.entered(rng, day.astype("datetime64[s]") + 10 * 3600, late_share=0.20)
    changed = np.minimum(
        entered + (rng.exponential(8, count) * 86_400).astype("timedelta64[s]"), clock.now - np.timedelta64(1, "s")
    )
    categories = company.master.expense_category_ids
    columns = {
        "plan_id": where_known(of_plan, activities.plan_ids[activity]),
        "activity_id": where_known(of_activity, activities.ids[activity]),
        "expense_category_id": where_known(
            rng.random(count) > 0.03, categories[rng.integers(0, len(categories), count)]
        ),
        "project_id": estates.ids[activities.estate[activity]],
        "incurred_on": day,
        "amount": amount,
        "status": state,
        **_people_of_expenses(company, day, state, changed),
    }
    world.batch.add(
        "expense",
        entered[past],
        updated_at=np.where(np.isin(state, ("draft", "submitted")), entered, changed)[past],
        **{name: values[past] for name, values in columns.items()},
    )


def _people_of_expenses(company: Company, day: Array, state: Array, changed: Array) -> dict[str, Array]:
    """Return who entered each expense, and who decided about it and when."""
    rng, staff = company.random("expense people"), company.staff
    planners = staff.of(PLANNER)
    decided = np.isin(state, ("approved", "paid", "rejected"))
    return {
        "employee_id": staff.pick_ids(rng, planners, np.minimum(day, company.world.clock.today - 1)),
        # The marketing director, who came first.
        "decided_by_id": where_known(decided, staff.ids[[planners[0].employee] * len(day)]),
        "decided_at": np.where(decided, changed, NO_MOMENT),
    }


def add_feedback(company: Company) -> None:
    """Make feedback on activities, a third of it from people who are no customers."""
    rng = company.random("feedback")
    world, activities, customers = company.world, company.activities, company.customers
    clock, words = world.clock, world.words
    begun = np.flatnonzero(activities.first < clock.today)
    activity = np.repeat(begun, rng.poisson(4, len(begun)))
    count = len(activity)
    last = np.minimum(activities.last[activity] + 1, clock.today)
    received = clock.spread(rng, activities.first[activity].astype("datetime64[s]"), last.astype("datetime64[s]") - 1)
    customer = rng.integers(0, len(customers.ids), count)
    is_customer = rng.random(count) < 0.65
    stranger = names.people(rng, words, rng.random(count) < 0.5)
    rating = rng.choice(np.arange(1, 6), count, p=(0.03, 0.07, 0.22, 0.41, 0.27))
    text = pick_text(rng, rating >= 4, words.all(v.GOOD_FEEDBACKS), words.all(v.POOR_FEEDBACKS))
    world.batch.add(
        "feedback",
        clock.entered(rng, received),
        respondent_name=np.where(is_customer, customers.names[customer], text_where(rng.random(count) < 0.6, stranger)),
        customer_id=where_known(is_customer, customers.ids[customer]),
        activity_id=activities.ids[activity],
        project_id=company.estates.ids[activities.estate[activity]],
        received_at=received,
        rating=where_known(rng.random(count) > 0.05, rating),
        text=text_where(rng.random(count) < 0.7, text),
    )
