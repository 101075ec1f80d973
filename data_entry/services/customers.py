"""Customers: entered once, found again, looked after by somebody, and merged when they turn out to be the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from rapidfuzz import fuzz

from data_entry.access import reach, reach_by_keys
from data_entry.schema.customer import Customer, CustomerClass, CustomerOwner
from data_entry.schema.deal import Deal
from data_entry.schema.demand import Demand
from data_entry.schema.estate import Building, Project, Unit, UnitOwner
from data_entry.schema.lead import Lead
from data_entry.services import phones
from data_entry.services.entries import invalid, require_colleague
from data_entry.services.errors import Invalid, Problem, Refused
from data_entry.services.identity import (
    group_ids,
    normal_phone,
    owner_names,
    owner_names_of,
    present_owners,
    survivor_id,
    survivors,
)
from data_entry.services.leads import CONVERTED, LOST, OPEN, Journey, journeys
from data_entry.services.ways import ways_of
from data_entry.services.work import Work
from loupan.i18n import marked

# After so many days without a word the alarm of an open lead rings.
SILENT_DAYS = 14
VIEWS = ("todo", "silent", "open", "all")
# What a person enters about a customer.
ENTERED = (
    "kind", "name", "gender", "birth_on", "phone", "email", "address", "education", "occupation", "income_band",
    "personality", "customer_class_id", "consent_at", "note",
)  # fmt: skip
# From here on two names count as similar (0 to 100).
_SIMILAR = 80
_MOST_CANDIDATES, _MOST_COMPARED = 6, 2000


@dataclass(frozen=True)
class Candidate:
    """A customer who may be the one that is being entered, as far as the actor may know.

    Attributes:
        customer_id, name: None for somebody else's customer, of whom only the owners are told.
        owners: names of the employees who look after the customer.
        why: ``phone``, ``email``, ``birthday`` or ``name``: what is the same, besides a similar name.
        score: similarity of the names, 0 to 100.
    """

    customer_id: int | None
    name: str | None
    owners: tuple[str, ...]
    why: str
    score: float

    @property
    def is_certain(self) -> bool:
        """Whether it is hardly anybody else."""
        return self.why in ("phone", "email")


class Duplicate(Refused):
    """The customer seems to be known already; the candidates say who it may be."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        super().__init__(marked("This customer seems to be known already."))
        self.candidates = tuple(candidates)


def _plain_phone(column: Any) -> Any:
    """A stored telephone number without blanks, hyphens and the country's code, as imports may have left it."""
    plain = column
    for removed in (" ", "-", "(", ")", "+86"):
        plain = sa.func.replace(plain, removed, "")
    return plain


def find_duplicates(  # noqa: PLR0912 - a row of plain rules
    work: Work,
    *,
    name: str | None = None,
    phone: str | None = None,
    email: str | None = None,
    birth_on: dt.date | None = None,
    besides: int | None = None,
) -> list[Candidate]:
    """Return the customers, whoever looks after them, who may be the same as one with these particulars.

    A similar name alone is no sign (many people share one): the telephone number, nearly the same number, the e-mail
    address or the birthday must agree as well, or the whole name.

    Args:
        work: the open work.
        name, phone, email, birth_on: what is known.
        besides: key of the customer itself, if it is entered already.

    Returns:
        the likeliest first, at most six.
    """
    work.require("read", "customer")
    number, words = normal_phone(phone), (name or "").strip()
    customer = Customer.__table__
    signs: list[sa.ColumnElement[bool]] = []
    if number:
        signs.append(customer.c.phone.in_([number, phone or number, f"86{number}"]))
        signs.append(_plain_phone(customer.c.phone) == number)
        if len(number) >= 8:
            # A slip of the pen: the first or the last digits agree, and the names are alike.
            signs += [customer.c.phone.like(f"%{number[-6:]}"), customer.c.phone.like(f"{number[:-2]}%")]
    if email and email.strip():
        signs.append(sa.func.lower(customer.c.email) == email.strip().lower())
    if words:
        signs.append(customer.c.name == words)
        if birth_on is not None:
            signs.append(customer.c.birth_on == birth_on)
    if not signs:
        return []
    rows = work.session.execute(
        sa.select(
            customer.c.id, customer.c.name, customer.c.phone, customer.c.email, customer.c.birth_on,
            reach(work.actor, "read", "customer").label("is_seen"),
            reach(work.actor, "personal", "customer").label("is_known"),
        )
        .where(sa.or_(*signs), customer.c.deleted_at.is_(None))
        .limit(_MOST_COMPARED)
    )  # fmt: skip
    found: dict[int, tuple[float, Candidate]] = {}
    own_group = set(group_ids(work.session, besides)) if besides is not None else set()
    for row in rows:
        score = fuzz.ratio(words, row.name or "") if words and row.name else 0.0
        same_phone = bool(number) and normal_phone(row.phone) == number
        same_email = bool(email and row.email and email.strip().lower() == row.email.strip().lower())
        if same_phone or same_email:
            why = "phone" if same_phone else "email"
        elif score >= _SIMILAR and birth_on is not None and row.birth_on == birth_on:
            why = "birthday"
        elif score >= _SIMILAR and number and row.phone and fuzz.ratio(normal_phone(row.phone), number) >= _SIMILAR:
            why = "number"
        elif score == 100 and not (number and row.phone):
            why = "name"
        else:
            continue
        top = survivor_id(work.session, row.id)
        if top in own_group:
            continue
        is_known = row.is_seen and row.is_known
        weight = {"phone": 400, "email": 300, "birthday": 200, "number": 100, "name": 0}[why] + score
        if top in found and found[top][0] >= weight:
            continue
        group = group_ids(work.session, top)
        found[top] = (
            weight,
            Candidate(
                top if is_known else None, row.name if is_known else None,
                tuple(owner_names(work.session, group)), why, score,
            ),
        )  # fmt: skip
    return [pair[1] for pair in sorted(found.values(), key=lambda pair: -pair[0])[:_MOST_CANDIDATES]]


def _checked(work: Work, values: Mapping[str, Any]) -> dict[str, Any]:  # noqa: PLR0912 - one rule per entry
    """Return what is to be kept of a customer's particulars."""
    problems: list[Problem] = []
    kept: dict[str, Any] = {}
    for name, given in values.items():
        value = given
        if name not in ENTERED:
            problems.append(Problem(name, marked("There is no such entry.")))
            continue
        if isinstance(value, str):
            value = value.strip() or None
        column = Customer.__table__.c[name]
        if value is None:
            continue
        if isinstance(column.type, sa.Enum):
            if value not in column.type.enums:
                problems.append(Problem(name, marked("There is no such entry.")))
        elif isinstance(column.type, (sa.String, sa.Text)):
            if not isinstance(value, str) or "\x00" in value:
                problems.append(Problem(name, marked("Enter a text.")))
            elif column.type.length and len(value) > column.type.length:
                problems.append(
                    Problem(name, marked("Say it in at most {length} characters."), {"length": column.type.length})
                )
        kept[name] = value
    if not kept.get("name"):
        problems.append(Problem("name", marked("Enter the name.")))
    if "phone" in kept and isinstance(kept["phone"], str):
        number = normal_phone(kept["phone"])
        if not number:
            problems.append(Problem("phone", marked("Enter a telephone number.")))
        kept["phone"] = number
    if (email := kept.get("email")) and "@" not in str(email):
        problems.append(Problem("email", marked("Enter an e-mail address.")))
    if (birth_on := kept.get("birth_on")) is not None and not (
        isinstance(birth_on, dt.date) and dt.date(1900, 1, 1) <= birth_on <= work.today
    ):
        problems.append(Problem("birth_on", marked("Enter a day that has passed.")))
    if (key := kept.get("customer_class_id")) is not None:
        found = work.session.get(CustomerClass, key)
        if found is None or found.deleted_at is not None:
            problems.append(Problem("customer_class_id", marked("There is no such entry.")))
    if problems:
        raise Invalid(problems)
    return kept


def enter(
    work: Work,
    values: Mapping[str, Any],
    *,
    project_id: int | None = None,
    employee_id: int | None = None,
    despite_duplicates: bool = False,
) -> Customer:
    """Enter a customer, who is looked after by whoever enters it.

    Args:
        work: the open work.
        values: particulars by column of `ENTERED`.
        project_id: the estate the owner looks after the customer in; None for all.
        employee_id: who looks after the customer; None for the actor.
        despite_duplicates: enter it though it seems to be known.

    Raises:
        Invalid: if particulars do not fit.
        Duplicate: if the customer seems to be known.
    """
    work.require("create", "customer")
    kept = _checked(work, values)
    if kept.get("phone") and work.session.get_bind().dialect.name == "postgresql":
        # Two people who enter one customer at the same second: the second one is told of the first.
        work.session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("customer " + kept["phone"]))))
    candidates = find_duplicates(work, **{name: kept.get(name) for name in ("name", "phone", "email", "birth_on")})
    if candidates and not despite_duplicates:
        raise Duplicate(candidates)
    who = employee_id or work.actor.employee_id
    if who is not None and who != work.actor.employee_id:
        require_colleague(work, who, work.actor.scopes("assign", "customer"))
    if project_id is not None:
        work.get(Project, project_id)
    customer = Customer(**kept)
    work.session.add(customer)
    work.session.flush()
    if who is not None and work.actor.may("create", "customer_owner"):
        work.session.add(
            CustomerOwner(customer_id=customer.id, project_id=project_id, employee_id=who, from_at=work.now)
        )
        work.session.flush()
    work.require_with("create", customer)
    if candidates:
        work.log("duplicate", "customer", customer.id, candidates=len(candidates))
    return customer


def merge(work: Work, duplicate_id: int, survivor: int, keep: Mapping[str, Any] | None = None) -> Customer:
    """Merge a customer into the one it turned out to be, and return the survivor.

    The survivor gets what it lacks of the duplicate's particulars, and is looked after by the duplicate's owners in the
    estates where nobody looks after it. The duplicate's leads, deals and demands stay with its own row: statistics
    and pages follow `merged_into_id`.

    Args:
        work: the open work.
        duplicate_id: key of the customer that ends.
        survivor: key of the customer that counts from now on.
        keep: particulars that were chosen, by column of `ENTERED`.

    Raises:
        Refused: if the two are one already, or the duplicate was merged before.
    """
    for key in sorted({duplicate_id, survivor}):
        work.get(Customer, key, "merge", lock=True)
    duplicate, top = work.get(Customer, duplicate_id, "merge"), work.get(Customer, survivor, "merge")
    if duplicate.merged_into_id is not None:
        raise Refused(marked("This customer was merged before."))
    if survivor_id(work.session, top.id) == duplicate.id:
        raise Refused(marked("The two are the same customer already."))
    if top.merged_into_id is not None:
        raise Refused(marked("The customer to keep was itself merged into another one. Choose that one."))
    unknown = set(keep or {}) - set(ENTERED)
    if unknown:
        raise invalid(sorted(unknown)[0], marked("There is no such entry."))
    chosen = {name: getattr(top, name) for name in ENTERED}
    for name in ENTERED:
        if chosen[name] in (None, ""):
            chosen[name] = getattr(duplicate, name)
    chosen |= dict(keep or {})
    for name, value in _checked(work, {**chosen, "name": chosen["name"] or "–"}).items():
        if value != getattr(top, name) and not (name == "name" and value == "–"):
            setattr(top, name, value)
    duplicate.merged_into_id = top.id
    for owner in present_owners(work.session, [duplicate.id]):
        held = present_owners(work.session, [top.id], owner.project_id)
        if not held:
            work.session.add(
                CustomerOwner(
                    customer_id=top.id, project_id=owner.project_id, employee_id=owner.employee_id, from_at=work.now
                )
            )
            work.session.flush()
    work.session.flush()
    return top


def assign(work: Work, customer_id: int, employee_id: int, reason: str, project_id: int | None = None) -> CustomerOwner:
    """Hand a customer over to another employee from now on; what was before stays on record.

    Args:
        work: the open work.
        customer_id: key of the customer.
        employee_id: who looks after the customer from now on.
        reason: why, in words.
        project_id: only in this estate; None for all.

    Raises:
        Refused: if that employee looks after the customer already.
        Invalid: if there is no reason, or the employee has left.
    """
    customer = work.get(Customer, customer_id, "assign", lock=True)
    words = (reason or "").strip()
    if not words:
        raise invalid("reason", marked("Say why the customer is handed over."))
    if len(words) > 200:
        raise invalid("reason", marked("Say it in at most {length} characters."), length=200)
    require_colleague(work, employee_id, work.actor.scopes("assign", "customer"))
    if project_id is not None:
        work.get(Project, project_id)
    present = present_owners(work.session, [customer.id], project_id)
    if (
        present
        and {owner.employee_id for owner in present} == {employee_id}
        and (project_id is not None or any(owner.project_id is None for owner in present))
    ):
        raise Refused(marked("This employee looks after the customer already."))
    for owner in present:
        owner.to_at, owner.reason = max(work.now, owner.from_at), words
        if project_id is not None and owner.project_id is None:
            # Whoever looked after the customer everywhere goes on doing so in the other estates.
            for other in _other_projects(work, customer.id, project_id):
                work.session.add(
                    CustomerOwner(
                        customer_id=customer.id, project_id=other, employee_id=owner.employee_id, from_at=work.now
                    )
                )
    row = CustomerOwner(
        customer_id=customer.id, project_id=project_id, employee_id=employee_id, from_at=work.now, reason=words
    )
    work.session.add(row)
    work.session.flush()
    return row


def _other_projects(work: Work, customer_id: int, project_id: int) -> list[int]:
    found: set[int] = set()
    for model in (Lead, Deal):
        found |= set(
            work.session.scalars(
                sa.select(model.project_id).where(model.customer_id == customer_id, model.deleted_at.is_(None))
            )
        )
    owned = {owner.project_id for owner in present_owners(work.session, [customer_id]) if owner.project_id}
    return sorted(found - {project_id} - owned)


@dataclass
class Row:
    """A customer in a list.

    Attributes:
        customer: the row; its personal particulars may be shown only where `is_known`.
        ways: one per estate.
        owners: names of who looks after the customer.
        last_at: when anything happened, None without a lead, deal or demand.
        silent_days: days since a word was heard about the open lead that has waited longest, else since `last_at`.
    """

    customer: Customer
    is_known: bool
    ways: list[Journey] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    last_at: dt.datetime | None = None
    silent_days: int | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the alarm rings: an open lead, and not a word for `SILENT_DAYS`."""
        return (self.silent_days or 0) >= SILENT_DAYS and any(way.state == OPEN for way in self.ways)

    @property
    def next_step(self) -> tuple[str, dt.date | None] | None:
        """The earliest next step of its leads that are not lost."""
        steps = [way.next_step_lead for way in self.ways if way.state != LOST and way.next_step_lead.next_step]
        first = min(steps, key=lambda lead: lead.next_step_on or dt.date.max, default=None)
        return (first.next_step or "", first.next_step_on) if first else None


def _matching(work: Work, text: str) -> sa.CompoundSelect[Any]:
    """The keys of customers that are what somebody looks for: by name, telephone, number of the record, or unit."""
    customer = Customer.__table__
    words = text.strip()
    digits = phones.digits(words)
    like = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    by_person: list[sa.ColumnElement[bool]] = [customer.c.name.ilike(f"%{like}%", escape="\\")]
    if len(digits) >= 4:
        by_person.append(_plain_phone(customer.c.phone).like(f"%{digits}%"))
    if "@" in words:
        by_person.append(sa.func.lower(customer.c.email) == words.lower())
    # Names and numbers are found only by those who may read them: a search would tell them piece by piece.
    known = reach_by_keys(work.actor, "personal", "customer")
    found = [sa.select(customer.c.id.label("customer_id")).where(known, sa.or_(*by_person))]
    if words.isdecimal() and len(words) <= 15:
        found.append(sa.select(customer.c.id).where(customer.c.id == int(words)))
    tight = "".join(words.replace("-", "").split()).lower()
    unit_name = sa.func.lower(sa.func.replace(sa.func.replace(Building.name + Unit.number, " ", ""), "-", ""))
    units = (
        sa.select(Unit.id)
        .join(Building, Building.id == Unit.building_id)
        .where(sa.or_(Unit.number == words, unit_name == tight), Unit.deleted_at.is_(None))
        .cte("unit_looked_for")
    )
    for model in (Deal, UnitOwner):
        found.append(
            sa.select(model.customer_id).where(model.unit_id.in_(sa.select(units.c.id)), model.deleted_at.is_(None))
        )
    return sa.union(*found)


def silent_since(work: Work) -> dt.datetime:
    """Return the moment since which something must have happened for the alarm to be quiet."""
    day = work.today - dt.timedelta(days=SILENT_DAYS - 1)
    return work.utc(dt.datetime.combine(day, dt.time()))


def listing(
    work: Work,
    *,
    view: str = "all",
    text: str = "",
    project_id: int | None = None,
    employee_id: int | None = None,
    page: int = 0,
    size: int = 20,
) -> tuple[list[Row], int]:
    """Return a page of the customers that the actor may read, and how many there are in all.

    Those with something to do come by the earliest next step of their leads, then, as all others, the newest first.
    What is asked of a customer is asked of all records that were merged into it.

    Args:
        work: the open work.
        view: ``todo`` (a next step of an open lead is due, or the alarm rings), ``silent`` (the alarm rings), ``open``
            or ``all``.
        text: name, telephone number, e-mail address, number of the record, or unit.
        project_id: only those known in this estate; the leads that a view asks for are those in it.
        employee_id: only those this employee looks after.
        page, size: which page, from 0, of how many rows.
    """
    work.require("read", "customer")
    customer, merged = Customer.__table__, survivors()
    live = [customer.c.deleted_at.is_(None), customer.c.merged_into_id.is_(None)]
    if view in ("todo", "silent", "open"):
        # Whoever asked to be forgotten is not to be called.
        live.append(customer.c.erased_at.is_(None))
    narrowing: list[sa.ColumnElement[bool]] = []
    reached = reach_by_keys(work.actor, "read", "customer")
    if not isinstance(reached, sa.sql.elements.True_):
        narrowing.append(reached)
    if text.strip():
        narrowing.append(_is_one_of(merged, _matching(work, text)))
    if project_id is not None:
        narrowing.append(_is_one_of(merged, _known_in(project_id)))
    if employee_id is not None:
        narrowing.append(_is_one_of(merged, _looked_after_by(employee_id)))
    if view in ("todo", "silent", "open"):
        query = _with_open_way(work, merged, live, narrowing, view, project_id)
    else:
        query = sa.select(customer.c.id).where(*live, *narrowing).order_by(customer.c.id.desc())
    # How many there are is asked with the rows: what takes long is to find them.
    query = query.add_columns(sa.func.count().over().label("total"))
    rows = work.session.execute(query.limit(size).offset(max(page, 0) * size)).all()
    if not rows and page > 0:
        first = work.session.execute(query.limit(1)).first()
        return [], first.total if first else 0
    return rows_of(work, [row.id for row in rows]), rows[0].total if rows else 0


def _is_one_of(merged: sa.CTE, keys: sa.CompoundSelect[Any] | sa.Select[Any]) -> sa.ColumnElement[bool]:
    """The condition that a customer, or one that was merged into it, is among those with some keys."""
    rows = keys.subquery()
    key = rows.c.customer_id
    query = sa.select(sa.func.coalesce(merged.c.survivor_id, key)).outerjoin_from(rows, merged, merged.c.id == key)
    return Customer.__table__.c.id.in_(query)


def _known_in(project_id: int) -> sa.CompoundSelect[Any]:
    """The keys of the customers with a lead or a deal in an estate, and of those who were ever looked after there."""
    return sa.union(
        *(
            sa.select(model.customer_id).where(model.project_id == project_id, model.deleted_at.is_(None))
            for model in (Lead, Deal, CustomerOwner)
        )
    )


def _looked_after_by(employee_id: int) -> sa.Select[Any]:
    return sa.select(CustomerOwner.customer_id).where(
        CustomerOwner.employee_id == employee_id, CustomerOwner.to_at.is_(None), CustomerOwner.deleted_at.is_(None)
    )


def _with_open_way(
    work: Work,
    merged: sa.CTE,
    live: Sequence[sa.ColumnElement[bool]],
    narrowing: Sequence[sa.ColumnElement[bool]],
    view: str,
    project_id: int | None,
) -> sa.Select[Any]:
    """The customers of a view who have an open way, in the view's order; see `listing`."""
    customer, members, since = Customer.__table__, None, silent_since(work)
    if narrowing:
        # Of few customers the leads are found by their keys; of all, it is quicker to go through all leads first.
        wanted = sa.select(customer.c.id).where(*live, *narrowing).cte("wanted_customer")
        members = sa.union_all(
            sa.select(wanted.c.id),
            sa.select(merged.c.id).where(merged.c.survivor_id.in_(sa.select(wanted.c.id))),
        ).cte("wanted_member")
    ways = ways_of(merged, since, work.today, members)
    # A demand is a word about all ways of a customer.
    asks = sa.and_(Demand.received_at >= since, Demand.deleted_at.is_(None))
    of_duplicates = sa.select(merged.c.survivor_id).join(Demand, Demand.customer_id == merged.c.id).where(asks)
    has_asked = sa.or_(
        sa.exists().where(Demand.customer_id == ways.c.person_id, asks), ways.c.person_id.in_(of_duplicates)
    )
    rings = sa.and_(ways.c.is_quiet == 1, ~has_asked)
    asked_for = [ways.c.is_open == 1]
    if project_id is not None:
        asked_for.append(ways.c.project_id == project_id)
    if view != "open":
        asked_for.append(rings if view == "silent" else sa.or_(ways.c.is_due == 1, rings))
    people = (
        sa.select(ways.c.person_id.label("id"), sa.func.min(ways.c.next_step_on).label("due_on"))
        .group_by(ways.c.person_id)
        .having(sa.func.max(sa.case((sa.and_(*asked_for), 1), else_=0)) == 1)
        .subquery()
    )
    query = sa.select(people.c.id)
    if not narrowing:
        query = query.join(customer, customer.c.id == people.c.id).where(*live)
    if view != "open":
        query = query.order_by(people.c.due_on.is_(None), people.c.due_on)
    return query.order_by(people.c.id.desc())


def rows_of(work: Work, customer_ids: Sequence[int]) -> list[Row]:
    """Return customers, which the actor was found to reach, as rows of a list in the order given."""
    session = work.session
    known: set[int] = set(customer_ids)
    # Who may read personal data as far as anything else was found to reach it already.
    if not work.actor.scopes("personal", "customer") >= work.actor.scopes("read", "customer"):
        customer = Customer.__table__
        is_known = sa.and_(customer.c.id.in_(customer_ids), reach(work.actor, "personal", "customer"))
        known = set(session.scalars(sa.select(customer.c.id).where(is_known)))
    found = {c.id: c for c in session.scalars(sa.select(Customer).where(Customer.id.in_(customer_ids)))}
    survivor: dict[int, int] = {key: key for key in found}
    fresh = list(found)
    while fresh:
        pairs = session.execute(
            sa.select(Customer.id, Customer.merged_into_id).where(Customer.merged_into_id.in_(fresh))
        ).all()
        fresh = [key for key, _ in pairs if key not in survivor]
        survivor |= {key: survivor[into] for key, into in pairs if into is not None and key not in survivor}
    ways = journeys(session, survivor)
    rows = {key: Row(found[key], key in known) for key in customer_ids if key in found}
    for (key, _), way in ways.items():
        rows[key].ways.append(way)
        if way.last_contact_at is not None:
            rows[key].last_at = max(rows[key].last_at or way.last_contact_at, way.last_contact_at)
    asked: dict[int, dt.datetime] = {}
    for key, at in session.execute(
        sa.select(Demand.customer_id, sa.func.max(Demand.received_at))
        .where(Demand.customer_id.in_(list(survivor)), Demand.deleted_at.is_(None))
        .group_by(Demand.customer_id)
    ):
        asked[survivor[key]] = max(asked.get(survivor[key], at), at)
    owners = owner_names_of(session, survivor)
    for key, row in rows.items():
        row.owners = owners.get(key, [])
        spoken = [way.last_contact_at for way in row.ways if way.state == OPEN and way.last_contact_at is not None]
        if key in asked:
            row.last_at = max(row.last_at or asked[key], asked[key])
        # Of several open leads, the one that has waited longest rings the alarm; a demand is a word about all of them.
        quiet = max(min(spoken), asked.get(key, min(spoken))) if spoken else row.last_at
        if quiet is not None:
            row.silent_days = max((work.today - work.local(quiet).date()).days, 0)
    return list(rows.values())


def is_buyer(row: Row) -> bool:
    """Say whether a customer has a live contract."""
    return any(way.state == CONVERTED for way in row.ways)
