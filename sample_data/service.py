"""Surveys and their answers, and greetings that fell due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sample_data import vocabulary as v
from sample_data.clock import spring_festival
from sample_data.company import Company
from sample_data.organisation import SERVICE
from sample_data.rows import NO_MOMENT, NONE, ONE_DAY, Array, text_where, where_known
from sample_data.world import World

RESPONSE_SHARE, PUBLIC_SHARE = 0.48, 0.08
SATISFACTION_SHARES = (0.03, 0.07, 0.20, 0.42, 0.28)
# Greetings to birthdays and anniversaries are planned this far ahead and kept this far back.
CARE_DAYS_AHEAD, CARE_DAYS_BACK = 14, 120


def make_surveys(company: Company) -> None:
    """Make a survey per estate and year, send it to owners and visitors, and record the answers."""
    rng = company.random("survey")
    world, estates = company.world, company.estates
    clock, words = world.clock, world.words
    for estate, name in enumerate(estates.names):
        for opens in range(180, len(clock.days), 360):
            opens_on = clock.days[opens]
            if opens_on < estates.opened_on[estate] + 60:
                continue
            entered = opens_on.astype("datetime64[s]") - np.timedelta64(3, "D")
            survey = int(
                world.batch.add(
                    "survey",
                    entered,
                    name=[words(v.SURVEY).format(project=name, year=str(opens_on)[:4])],
                    project_id=estates.ids[[estate]],
                    opens_on=opens_on,
                    closes_on=opens_on + 45,
                )[0]
            )
            questions = world.batch.add(
                "survey_question",
                entered,
                survey_id=[survey] * len(v.SURVEY_QUESTIONS),
                sequence=np.arange(1, len(v.SURVEY_QUESTIONS) + 1),
                kind=[kind for kind, _ in v.SURVEY_QUESTIONS],
                text=words.all([text for _, text in v.SURVEY_QUESTIONS]),
                options=text_where(
                    np.array([kind == "choice" for kind, _ in v.SURVEY_QUESTIONS]),
                    np.full(len(v.SURVEY_QUESTIONS), "\n".join(words.all(v.IMPROVEMENTS)), dtype=object),
                ),
            )
            asked, employee = _asked(company, rng, estate, opens_on)
            new = _Survey(survey, questions, int(estates.ids[estate]), opens_on, asked, employee)
            _add_responses(world, rng, new)


@dataclass
class _Survey:
    """A survey, with the keys of the customers asked and of the employees they know."""

    id: int
    questions: Array
    project: int
    opens_on: np.datetime64
    asked: Array
    employee: Array


def _asked(company: Company, rng: np.random.Generator, estate: int, opens_on: np.datetime64) -> tuple[Array, Array]:
    """Return the keys of the customers to be asked, buyers and visitors, and of the employee each of them knows."""
    leads, deals = company.leads, company.deals
    moment = opens_on.astype("datetime64[s]")
    buyers = np.flatnonzero((deals.estate == estate) & deals.is_signed & (deals.contract_at < moment))
    recent = (
        (leads.estate == estate) & (leads.opened_at < moment) & (leads.opened_at > moment - np.timedelta64(150, "D"))
    )
    visitors = np.flatnonzero(recent & leads.is_head)
    visitors = visitors[rng.random(len(visitors)) < 0.15]
    customer = np.concatenate([deals.customer[buyers], leads.customer[visitors]])
    employee = np.concatenate([deals.owner[buyers], leads.owner[visitors, 0]])
    _, first = np.unique(customer, return_index=True)
    return company.customers.ids[customer[first]], company.staff.ids[employee[first]]


def _add_responses(world: World, rng: np.random.Generator, survey: _Survey) -> None:
    clock, words, asked = world.clock, world.words, survey.asked
    sent_at = survey.opens_on.astype("datetime64[s]") + 10 * 3600
    invitations = world.batch.add(
        "survey_invitation", sent_at, survey_id=[survey.id] * len(asked), customer_id=asked, sent_at=sent_at
    )
    submitted = clock.later(rng, np.full(len(asked), sent_at), rng.exponential(6, len(asked)))
    answering = (rng.random(len(asked)) < RESPONSE_SHARE) & clock.past(submitted)
    # A few answers come in by the public link, from nobody in particular.
    public = clock.later(rng, np.full(len(asked), sent_at), rng.exponential(9, len(asked)))
    public = public[(rng.random(len(asked)) < PUBLIC_SHARE) & clock.past(public)]
    chosen = np.flatnonzero(answering)
    nobody = np.full(len(public), NONE)
    at = np.concatenate([submitted[chosen], public])
    count = len(at)
    responses = world.batch.add(
        "survey_response",
        at,
        survey_id=[survey.id] * count,
        survey_invitation_id=np.concatenate([invitations[chosen], nobody]),
        customer_id=np.concatenate([asked[chosen], nobody]),
        project_id=[survey.project] * count,
        employee_id=np.concatenate([survey.employee[chosen], nobody]),
        submitted_at=at,
    )
    improvements, comments = words.all(v.IMPROVEMENTS), words.all(v.SURVEY_COMMENTS)
    for (kind, _), question in zip(v.SURVEY_QUESTIONS, survey.questions.tolist(), strict=True):
        answered = rng.random(count) < (0.25 if kind == "text" else 0.97)
        number = rng.choice(np.arange(1, 6), count, p=SATISFACTION_SHARES)
        texts = improvements if kind == "choice" else comments
        world.batch.add(
            "survey_answer",
            at[answered],
            survey_response_id=responses[answered],
            survey_question_id=[question] * int(answered.sum()),
            value_number=where_known(np.full(count, kind in ("satisfaction", "rating")), number)[answered],
            value_text=text_where(
                np.full(count, kind in ("choice", "text")), texts[rng.integers(0, len(texts), count)]
            )[answered],
        )


def make_care(company: Company) -> None:
    """Make the greetings of recent months to owners, each with the task made for it."""
    rng = company.random("care")
    clock, deals = company.world.clock, company.deals
    live = np.flatnonzero(deals.is_live)
    owner, first = np.unique(deals.customer[live], return_index=True)
    bought_on = deals.contract_at[live[first]].astype("datetime64[D]")
    rows = company.batch.rows("customer")
    born_on = rows["birth_on"][owner]
    year = int(str(clock.today)[:4])
    festival = np.datetime64(spring_festival(year), "D")
    national_day = np.datetime64(f"{year}-10-01", "D")
    rules = {word.en: key for (word, *_), key in zip(v.CARE_RULES, company.master.care_rule_ids.tolist(), strict=True)}
    lead_days = {word.en: days for word, _, _, _, days, _ in v.CARE_RULES}
    fixed = {"Spring Festival greeting": festival, "National Day greeting": national_day}
    occasions: dict[str, Array] = {
        name: np.full(len(owner), day if day <= clock.today + CARE_DAYS_AHEAD else _year_before(name, day))
        for name, day in fixed.items()
    }
    occasions["Birthday greeting"] = _next_return(clock.today, born_on)
    occasions["Purchase anniversary"] = _next_return(clock.today, bought_on)
    for name, day in occasions.items():
        # What fell before the purchase was nobody's occasion.
        due = (day <= clock.today + CARE_DAYS_AHEAD) & (day > bought_on)
        if name not in fixed:
            due &= day > clock.today - CARE_DAYS_BACK
        some = np.flatnonzero(due)
        made_at = np.minimum((day[some] - lead_days[name]).astype("datetime64[s]") + 8 * 3600, clock.now - 1)
        word = next(word for word, *_ in v.CARE_RULES if word.en == name)
        occasions_of_rule = {
            "care_rule_id": np.full(len(some), rules[name]), "customer_id": company.customers.ids[owner[some]],
            "occurs_on": day[some],
        }  # fmt: skip
        _add_occasions(company, rng, word, occasions_of_rule, made_at)


def _year_before(name: str, day: np.datetime64) -> np.datetime64:
    year = int(str(day)[:4]) - 1
    if name == "Spring Festival greeting":
        return np.datetime64(spring_festival(year), "D")
    return np.datetime64(f"{year}{str(day)[4:]}", "D")


def _next_return(today: np.datetime64, days: Array) -> Array:
    """Return the anniversary of each day that lies nearest before ``today`` + CARE_DAYS_AHEAD; ``NaT`` stays."""
    month = days.astype("datetime64[M]")
    # 29 February is greeted on the 28th.
    offset = np.minimum((days - month.astype("datetime64[D]")).astype(int), 27 + 31 * ((month.astype(int) % 12) != 1))
    target = today + CARE_DAYS_AHEAD
    year = int(target.astype("datetime64[Y]").astype(int))
    this_year = ((year * 12 + month.astype(int) % 12).astype("datetime64[M]")).astype("datetime64[D]") + offset
    last_year = (((year - 1) * 12 + month.astype(int) % 12).astype("datetime64[M]")).astype("datetime64[D]") + offset
    result = np.where(this_year <= target, this_year, last_year)
    return np.where(np.isnat(days), np.datetime64("NaT", "D"), result)


def _add_occasions(
    company: Company, rng: np.random.Generator, rule: v.Word, occasions: dict[str, Array], made_at: Array
) -> None:
    world, staff, count = company.world, company.staff, len(made_at)
    clock, words = world.clock, world.words
    task_ids, occasion_ids = world.batch.reserve("task", count), world.batch.reserve("care_occasion", count)
    world.batch.add("care_occasion", made_at, id=occasion_ids, task_id=task_ids, **occasions)
    manager = staff.of(SERVICE)[0].employee
    assignee = staff.pick_ids(rng, staff.of(SERVICE), made_at.astype("datetime64[D]"))
    due_at = occasions["occurs_on"].astype("datetime64[s]") + 18 * 3600
    done_at = np.maximum(made_at + 3600, due_at - (rng.exponential(0.8, count) * ONE_DAY).astype("timedelta64[s]"))
    done_at = np.where((rng.random(count) < 0.9) & clock.past(done_at), done_at, NO_MOMENT)
    tasks = {
        "id": task_ids, "assigner_id": staff.ids[[manager] * count], "assignee_id": assignee, "done_at": done_at,
    }  # fmt: skip
    world.batch.add(
        "task", made_at, updated_at=done_at, kind="care", title=words(v.CARE_TASK).format(words(rule)),
        care_occasion_id=occasion_ids, customer_id=occasions["customer_id"], due_at=due_at, **tasks,
    )  # fmt: skip
    add_task_events(world, made_at, **tasks)


def add_task_events(
    world: World, made_at: Array, *, id: Array, assigner_id: Array, assignee_id: Array, done_at: Array
) -> None:
    """Make the events of tasks: assigned, and done where they are."""
    world.batch.add(
        "task_event", made_at, task_id=id, kind="assign", occurred_at=made_at, employee_id=assigner_id,
        to_employee_id=assignee_id,
    )  # fmt: skip
    done = ~np.isnat(done_at)
    world.batch.add(
        "task_event", done_at[done], task_id=id[done], kind="done", occurred_at=done_at[done],
        employee_id=assignee_id[done],
    )  # fmt: skip
