"""Customer care: rules that say when customers are due for a greeting, the due list, and the tasks made of it.

`generate_due` may run as often as one likes, by hand or by a schedule: what it made before, it leaves alone. A merged
customer is greeted once, as the surviving one.

Days: a festival of the lunar calendar falls in the regular month, never in the leap month after it, and day 30 of a
month that has 29 is its last day; 29 February is the 28th in other years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from lunardate import LunarDate

from data_entry.access import reach
from data_entry.schema.customer import Customer, CustomerClass, CustomerOwner
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.lead import Lead
from data_entry.schema.office import Task
from data_entry.schema.organisation import Employee
from data_entry.schema.service import CareOccasion, CareRule
from data_entry.services import staff, tasks, wording
from data_entry.services.errors import Invalid, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import Translator, marked

CALENDARS = ("gregorian", "lunar", "birthday", "anniversary")
LEAD_DAYS = 7
"""Days ahead that a task is made where a rule does not say."""
TASK_KIND = "care"
TASK_HOUR = dt.time(18)
LONGEST_AHEAD = 366
PAGE = 20
_BATCH = 500


@dataclass(frozen=True)
class ReadyMade:
    """A rule that can be added with one press."""

    key: str
    name: str
    calendar: str
    month: int | None = None
    day: int | None = None
    lead_days: int = LEAD_DAYS


READY_MADE = (
    ReadyMade("new_year", marked("New Year’s Day"), "gregorian", 1, 1),
    ReadyMade("new_years_eve", marked("Lunar New Year’s Eve"), "lunar", 12, 30),
    ReadyMade("spring_festival", marked("Spring Festival"), "lunar", 1, 1),
    ReadyMade("lantern_festival", marked("Lantern Festival"), "lunar", 1, 15),
    ReadyMade("womens_day", marked("Women’s Day"), "gregorian", 3, 8),
    ReadyMade("labour_day", marked("Labour Day"), "gregorian", 5, 1),
    ReadyMade("dragon_boat_festival", marked("Dragon Boat Festival"), "lunar", 5, 5),
    ReadyMade("mid_autumn_festival", marked("Mid-Autumn Festival"), "lunar", 8, 15),
    ReadyMade("national_day", marked("National Day"), "gregorian", 10, 1),
    ReadyMade("double_ninth_festival", marked("Double Ninth Festival"), "lunar", 9, 9),
    ReadyMade("birthday", marked("Birthday"), "birthday", lead_days=3),
    ReadyMade("anniversary", marked("Anniversary of the first contract"), "anniversary"),
)


@dataclass(frozen=True)
class Item:
    """A greeting in the due list.

    Attributes:
        customer: the name; empty without the right to personal data.
        task: the task made for it, None as long as there is none.
        task_state: as in `data_entry.services.tasks`, empty without a task.
        owner_id, owner: who looks after the customer, None where nobody does.
    """

    occasion: CareOccasion
    rule: CareRule
    customer: str
    phone: str
    task: Task | None
    task_state: str
    assignee: str
    owner_id: int | None
    owner: str


@dataclass(frozen=True)
class Generated:
    """What `generate_due` made."""

    occasions: int
    tasks: int


def in_year(month: int, day: int, year: int) -> dt.date:
    """Return a day of every year in one year; 29 February is the 28th in years without it.

    Raises:
        ValueError: for a day that no year has.
    """
    try:
        return dt.date(year, month, day)
    except ValueError:
        if (month, day) == (2, 29):
            return dt.date(year, 2, 28)
        raise


def lunar_day(year: int, month: int, day: int) -> dt.date:
    """Return the date of a day of the Chinese calendar, in the regular month of that number.

    Args:
        year: the lunar year, which begins at the Spring Festival of that year; 1900 to 2099.
        month, day: of the lunar calendar; day 30 of a month of 29 days is its last day.

    Raises:
        ValueError: outside those years.
    """
    try:
        return LunarDate(year, month, day).to_solar_date()
    except ValueError:
        if day != 30:
            raise
        return LunarDate(year, month, 29).to_solar_date()


def festivals(rule: CareRule | ReadyMade, since: dt.date, until: dt.date) -> Iterator[dt.date]:
    """Yield the days from `since` to `until`, both included, on which the festival of a rule falls."""
    if rule.month is None or rule.day is None:
        return
    # A lunar year reaches into the next one of ours.
    for year in range(since.year - 1, until.year + 1):
        try:
            found = (in_year if rule.calendar == "gregorian" else _lunar_in)(rule.month, rule.day, year)
        except ValueError:
            continue  # outside the table of the lunar calendar, or no such day
        if since <= found <= until:
            yield found


def _lunar_in(month: int, day: int, year: int) -> dt.date:
    return lunar_day(year, month, day)


def returns(first: dt.date, since: dt.date, until: dt.date) -> Iterator[dt.date]:
    """Yield the days from `since` to `until`, both included, on which the day `first` returns in a later year."""
    for year in range(max(since.year, first.year + 1), until.year + 1):
        found = in_year(first.month, first.day, year)
        if since <= found <= until:
            yield found


def save_rule(
    work: Work,
    *,
    name: str,
    calendar: str,
    month: int | None = None,
    day: int | None = None,
    lead_days: int | None = LEAD_DAYS,
    customer_class_id: int | None = None,
    greeting: str | None = None,
    is_active: bool = True,
    rule_id: int | None = None,
    row_version: int | None = None,
) -> CareRule:
    """Make a rule, or change one.

    Args:
        work: the transaction.
        name: what is greeted for.
        calendar: ``gregorian``, ``lunar``, ``birthday`` or ``anniversary`` (of the first contract).
        month, day: of the festival, for the first two; of the lunar calendar for the second.
        lead_days: days ahead that the task is made, 0 to 90.
        customer_class_id: class of customers, those below it included; None for all.
        greeting: words to greet with.
        is_active: whether it makes occasions.
        rule_id: key of the rule to change; None for a new one.
        row_version: of the state it was read in.
    """
    if calendar not in CALENDARS:
        raise Invalid([Problem("calendar", marked("Choose one of the values offered."))])
    if calendar in ("birthday", "anniversary"):
        month = day = None
    else:
        _require_day(calendar, month, day)
    if lead_days is not None and not 0 <= lead_days <= 90:
        raise Invalid([Problem("lead_days", marked("This must be between {low} and {high}."), {"low": 0, "high": 90})])
    if customer_class_id is not None and work.session.get(CustomerClass, customer_class_id) is None:
        raise Invalid([Problem("customer_class_id", marked("Choose one of the values offered."))])
    values = {
        "name": wording.line("name", name, 200), "calendar": calendar, "month": month, "day": day,
        "lead_days": lead_days, "customer_class_id": customer_class_id,
        "greeting": wording.optional("greeting", greeting, 500), "is_active": is_active,
    }  # fmt: skip
    if rule_id is None:
        return work.add(CareRule(**values))
    rule = work.get(CareRule, rule_id, "update", lock=True)
    wording.require_version(rule, row_version, **values)
    for column, value in values.items():
        setattr(rule, column, value)
    work.session.flush()
    return rule


def add_ready_made(work: Work, key: str, t: Translator) -> CareRule:
    """Add a ready-made rule, named in the reader's language.

    Raises:
        Refused: if a rule for that day is there already.
    """
    ready_made = next((entry for entry in READY_MADE if entry.key == key), None)
    if ready_made is None:
        raise Invalid([Problem("key", marked("Choose one of the values offered."))])
    if key not in [entry.key for entry, _ in offered(work, work.today)]:
        raise Refused(marked("There is a rule for this day already."))
    return save_rule(
        work, name=t(ready_made.name), calendar=ready_made.calendar, month=ready_made.month, day=ready_made.day,
        lead_days=ready_made.lead_days,
    )  # fmt: skip


def offered(work: Work, since: dt.date) -> list[tuple[ReadyMade, dt.date | None]]:
    """Return the ready-made rules for days that no rule is for yet, each with its next day, the nearest first."""
    present = {
        (rule.calendar, rule.month, rule.day)
        for rule in work.session.scalars(sa.select(CareRule).where(CareRule.deleted_at.is_(None)))
    }
    found = [
        (entry, next(iter(sorted(festivals(entry, since, since + dt.timedelta(days=400)))), None))
        for entry in READY_MADE
        if (entry.calendar, entry.month, entry.day) not in present
    ]
    return sorted(found, key=lambda pair: (pair[1] is None, pair[1] or since))


def rules(work: Work) -> list[tuple[CareRule, dt.date | None]]:
    """Return the rules with the next day of each festival."""
    work.require("read", "care_rule")
    rows = work.session.scalars(
        sa.select(CareRule)
        .where(CareRule.deleted_at.is_(None), reach(work.actor, "read", "care_rule"))
        .order_by(CareRule.calendar, CareRule.month, CareRule.day, CareRule.id)
    )
    until = work.today + dt.timedelta(days=400)
    return [(rule, next(iter(sorted(festivals(rule, work.today, until))), None)) for rule in rows]


def generate_due(work: Work, until: dt.date) -> Generated:
    """Write down who is due from today on, and make the tasks whose time has come.

    An occasion is made once per rule, customer and day, for the customers in the actor's reach; a dismissed one is not
    made again. The task goes to who looks after the customer, as many days ahead as the rule says; where nobody does,
    the occasion waits in the list for somebody to be chosen.

    Args:
        work: the transaction; `SYSTEM` for a schedule.
        until: last day, at most a year ahead.
    """
    work.require("run", "care_occasion")
    if not work.today <= until <= work.today + dt.timedelta(days=LONGEST_AHEAD):
        raise Invalid([Problem("until", marked("Choose a day from today on, within a year."))])
    active = list(
        work.session.scalars(
            sa.select(CareRule)
            .where(CareRule.is_active, CareRule.deleted_at.is_(None))
            .order_by(CareRule.id)
            .with_for_update()  # a second run at the same moment waits, and then finds what this one made
        )
    )
    if not active:
        return Generated(0, 0)
    survivors = _survivors(work)
    made = 0
    for rule in active:
        known = {
            (survivors.get(customer, customer), day)
            for customer, day in work.session.execute(
                sa.select(CareOccasion.customer_id, CareOccasion.occurs_on).where(
                    CareOccasion.care_rule_id == rule.id, CareOccasion.occurs_on.between(work.today, until)
                )
            )
        }
        due = [pair for pair in _due(work, rule, work.today, until, survivors) if pair not in known]
        made += len(due)
        if due:
            # A festival is due to everybody: rows at once, and one line in the trail for all of them.
            work.session.execute(
                sa.insert(CareOccasion),
                [
                    {
                        "care_rule_id": rule.id, "customer_id": customer, "occurs_on": day,
                        "created_by": work.actor.account_id, "updated_by": work.actor.account_id,
                    }
                    for customer, day in due
                ],
            )  # fmt: skip
            work.log("generate", "care_rule", rule.id, occasions=len(due), until=until)
    return Generated(made, _make_tasks(work, {rule.id: rule for rule in active}, until))


def make_task(work: Work, occasion_id: int, assignee_id: int | None = None) -> Task:
    """Make the task of one occasion, whatever its lead time.

    Args:
        work: the transaction.
        occasion_id: the occasion.
        assignee_id: who is to greet; None for who looks after the customer.
    """
    occasion = work.get(CareOccasion, occasion_id, "run", lock=True)
    if occasion.task_id is not None:
        raise Refused(marked("There is a task for this greeting already."))
    to = assignee_id if assignee_id is not None else owners(work, [occasion.customer_id]).get(occasion.customer_id)
    if to is None:
        raise Refused(marked("Nobody looks after this customer. Choose who is to greet."))
    (task,) = tasks.assign_many(work, [_task(work, occasion, work.get(CareRule, occasion.care_rule_id), to)])
    occasion.task_id = task.id
    work.session.flush()
    return task


def dismiss(work: Work, occasion_id: int) -> None:
    """Leave one customer out this time; a task made for it and still open is withdrawn."""
    occasion = work.get(CareOccasion, occasion_id, "delete", lock=True)
    if occasion.task_id is not None:
        task = work.session.get(Task, occasion.task_id, with_for_update=True)
        if task is not None and task.done_at is not None:
            raise Refused(marked("The customer has been greeted already."))
        if task is not None and task.deleted_at is None:
            task.deleted_at = work.now
    occasion.deleted_at = work.now
    work.session.flush()


def due_list(
    work: Work, until: dt.date, *, rule_id: int | None = None, offset: int = 0, limit: int = PAGE
) -> tuple[list[Item], int]:
    """Return a piece of the list of greetings due from today to a day, and how many there are."""
    where = [
        CareOccasion.deleted_at.is_(None), CareOccasion.occurs_on.between(work.today, until),
        Customer.deleted_at.is_(None), CareRule.deleted_at.is_(None),
        reach(work.actor, "read", "care_occasion"),
    ]  # fmt: skip
    if rule_id is not None:
        where.append(CareOccasion.care_rule_id == rule_id)
    query = (
        sa.select(CareOccasion, CareRule, Customer, Task)
        .join(CareRule, CareRule.id == CareOccasion.care_rule_id)
        .join(Customer, Customer.id == CareOccasion.customer_id)
        .outerjoin(Task, sa.and_(Task.id == CareOccasion.task_id, Task.deleted_at.is_(None)))
        .where(*where)
    )
    total = work.session.scalar(query.with_only_columns(sa.func.count())) or 0
    rows = work.session.execute(
        query.order_by(CareOccasion.occurs_on, CareRule.id, CareOccasion.id).offset(offset).limit(limit)
    ).all()
    keys = [customer.id for _, _, customer, _ in rows]
    readable = set(
        work.session.scalars(
            sa.select(Customer.id).where(Customer.id.in_(keys), reach(work.actor, "personal", "customer"))
        )
    )
    looked_after = owners(work, keys)
    states = {item.task.id: item for item in tasks.items(work, [task for *_, task in rows if task is not None])}
    people = staff.names(work, looked_after.values())
    items = []
    for occasion, rule, customer, task in rows:
        shown = states.get(task.id) if task is not None else None
        owner = looked_after.get(customer.id)
        may_read = customer.id in readable
        items.append(
            Item(
                occasion, rule, (customer.name or "") if may_read else "", (customer.phone or "") if may_read else "",
                task, shown.state if shown else "", shown.assignee if shown else "", owner, people.get(owner, ""),
            )
        )  # fmt: skip
    return items, total


def owners(work: Work, customer_ids: Iterable[int]) -> dict[int, int]:
    """Return who looks after customers today: the newest present owner, else the newest lead's; nobody who has left."""
    found: dict[int, int] = {}
    keys = list(dict.fromkeys(customer_ids))
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        at_entry = (
            sa.select(Lead.customer_id, Lead.employee_id)
            .join(Employee, Employee.id == Lead.employee_id)
            .where(Lead.customer_id.in_(some), Lead.deleted_at.is_(None), staff.is_employed(work.today))
            .order_by(Lead.opened_at, Lead.id)
        )
        present = (
            sa.select(CustomerOwner.customer_id, CustomerOwner.employee_id)
            .join(Employee, Employee.id == CustomerOwner.employee_id)
            .where(
                CustomerOwner.customer_id.in_(some), CustomerOwner.to_at.is_(None), CustomerOwner.deleted_at.is_(None),
                staff.is_employed(work.today),
            )
            .order_by(CustomerOwner.from_at, CustomerOwner.id)
        )  # fmt: skip
        # The later of two takes the place of the earlier, and the present owner that of whoever entered the lead.
        for query in (at_entry, present):
            found |= {customer: employee for customer, employee in work.session.execute(query) if employee is not None}
    return found


def _require_day(calendar: str, month: int | None, day: int | None) -> None:
    if month is None or not 1 <= month <= 12:
        raise Invalid([Problem("month", marked("This must be between {low} and {high}."), {"low": 1, "high": 12})])
    last = 30 if calendar == "lunar" else (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    if day is None or not 1 <= day <= last:
        raise Invalid([Problem("day", marked("This must be between {low} and {high}."), {"low": 1, "high": last})])


def _survivors(work: Work) -> dict[int, int]:
    """The surviving customer of every merged one."""
    query = sa.select(Customer.id, Customer.merged_into_id).where(Customer.merged_into_id.is_not(None))
    into: dict[int, int] = dict(work.session.execute(query).all())  # type: ignore[arg-type]
    found = {}
    for customer, survivor in into.items():
        seen, end = {customer}, survivor
        while end in into and end not in seen:
            seen.add(end)
            end = into[end]
        found[customer] = end
    return found


def _classes_below(work: Work, class_id: int) -> list[int]:
    below = sa.select(CustomerClass.id).where(CustomerClass.id == class_id).cte("below", recursive=True)
    below = below.union(sa.select(CustomerClass.id).where(CustomerClass.parent_id == below.c.id))
    return list(work.session.scalars(sa.select(below.c.id)))


def _due(
    work: Work, rule: CareRule, since: dt.date, until: dt.date, survivors: Mapping[int, int]
) -> list[tuple[int, dt.date]]:
    where = [
        Customer.deleted_at.is_(None), Customer.merged_into_id.is_(None), Customer.erased_at.is_(None),
        reach(work.actor, "read", "customer"),
    ]  # fmt: skip
    if rule.customer_class_id is not None:
        where.append(Customer.customer_class_id.in_(_classes_below(work, rule.customer_class_id)))
    customers = dict(work.session.execute(sa.select(Customer.id, Customer.birth_on).where(*where)).all())
    match rule.calendar:
        case "birthday":
            days = {customer: born for customer, born in customers.items() if born is not None}
            return [(c, day) for c, born in days.items() for day in returns(born, since, until)]
        case "anniversary":
            first = _first_contracts(work, survivors)
            return [
                (customer, day)
                for customer in customers
                if customer in first
                for day in returns(first[customer], since, until)
            ]
        case _:
            return [(customer, day) for day in festivals(rule, since, until) for customer in customers]


def _first_contracts(work: Work, survivors: Mapping[int, int]) -> dict[int, dt.date]:
    """The company day of the first contract, of those not cancelled, by surviving customer."""
    cancel = sa.orm.aliased(DealEvent)
    cancelled = sa.exists().where(cancel.deal_id == Deal.id, cancel.kind == "cancel", cancel.deleted_at.is_(None))
    rows = work.session.execute(
        sa.select(Deal.customer_id, sa.func.min(DealEvent.occurred_at))
        .join(DealEvent, DealEvent.deal_id == Deal.id)
        .where(DealEvent.kind == "contract", DealEvent.deleted_at.is_(None), Deal.deleted_at.is_(None), ~cancelled)
        .group_by(Deal.customer_id)
    )
    first: dict[int, dt.date] = {}
    for customer, moment in rows:
        key, day = survivors.get(customer, customer), work.local(moment).date()
        first[key] = min(day, first.get(key, day))
    return first


def _make_tasks(work: Work, active: Mapping[int, CareRule], until: dt.date) -> int:
    waiting = list(
        work.session.scalars(
            sa.select(CareOccasion)
            .where(
                CareOccasion.task_id.is_(None), CareOccasion.deleted_at.is_(None),
                CareOccasion.occurs_on.between(work.today, until), CareOccasion.care_rule_id.in_(active),
                reach(work.actor, "run", "care_occasion"),
            )
            .order_by(CareOccasion.id)
        )
    )  # fmt: skip
    begun = [
        occasion
        for occasion in waiting
        if occasion.occurs_on - dt.timedelta(days=_lead_days(active[occasion.care_rule_id])) <= work.today
    ]
    looked_after = owners(work, [occasion.customer_id for occasion in begun])
    greeted = [occasion for occasion in begun if occasion.customer_id in looked_after]
    for start in range(0, len(greeted), _BATCH):
        some = greeted[start : start + _BATCH]
        made = tasks.assign_many(
            work, [_task(work, o, active[o.care_rule_id], looked_after[o.customer_id]) for o in some]
        )
        for occasion, task in zip(some, made, strict=True):
            occasion.task_id = task.id
        work.session.flush()
    return len(greeted)


def _lead_days(rule: CareRule) -> int:
    return LEAD_DAYS if rule.lead_days is None else rule.lead_days


def _task(work: Work, occasion: CareOccasion, rule: CareRule, assignee_id: int) -> Task:
    due_at = work.utc(dt.datetime.combine(occasion.occurs_on, TASK_HOUR))
    return Task(
        title=rule.name, kind=TASK_KIND, assignee_id=assignee_id, due_at=max(due_at, work.now),
        description=rule.greeting, customer_id=occasion.customer_id, care_occasion_id=occasion.id,
    )  # fmt: skip
