"""Customers: entered once, found again, looked after by somebody, and merged when they turn out to be the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from rapidfuzz import fuzz

from data_entry.access import reach
from data_entry.schema.customer import Customer, CustomerClass, CustomerOwner
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.demand import Demand
from data_entry.schema.estate import Building, Project, Unit, UnitOwner
from data_entry.schema.lead import Lead, LeadEvent
from data_entry.services import phones
from data_entry.services.entries import invalid, require_colleague
from data_entry.services.errors import Invalid, Problem, Refused
from data_entry.services.identity import group_ids, normal_phone, owner_names, present_owners, survivor_id
from data_entry.services.leads import CONVERTED, LOST, OPEN, Journey, journeys
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


def _matches(work: Work, text: str, customer: Any) -> sa.ColumnElement[bool]:
    """The condition that a customer is what somebody looks for: by name, telephone, number of the record, or unit."""
    words = text.strip()
    digits = phones.digits(words)
    like = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    by_person: list[sa.ColumnElement[bool]] = [customer.c.name.ilike(f"%{like}%", escape="\\")]
    if len(digits) >= 4:
        by_person.append(_plain_phone(customer.c.phone).like(f"%{digits}%"))
    if "@" in words:
        by_person.append(sa.func.lower(customer.c.email) == words.lower())
    # Names and numbers are found only by those who may read them: a search would tell them piece by piece.
    known = reach(work.actor, "personal", "customer")
    if not isinstance(known, sa.sql.elements.True_):
        keys = sa.select(Customer.__table__.c.id).where(known).correlate(None)
        known = customer.c.id.in_(keys)
    found: list[sa.ColumnElement[bool]] = [sa.and_(known, sa.or_(*by_person))]
    if words.isdecimal() and len(words) <= 15:
        found.append(customer.c.id == int(words))
    tight = "".join(words.replace("-", "").split()).lower()
    unit_name = sa.func.lower(sa.func.replace(sa.func.replace(Building.name + Unit.number, " ", ""), "-", ""))
    units = (
        sa.select(Unit.id)
        .join(Building, Building.id == Unit.building_id)
        .where(sa.or_(Unit.number == words, unit_name == tight), Unit.deleted_at.is_(None))
    )
    for model in (Deal, UnitOwner):
        found.append(
            customer.c.id.in_(sa.select(model.customer_id).where(model.unit_id.in_(units), model.deleted_at.is_(None)))
        )
    return sa.or_(*found)


def _same_person(column: Any, customer: Any) -> sa.ColumnElement[bool]:
    """The condition that a key of a customer is that of `customer`, or of one that was merged into it."""
    merged = Customer.__table__.alias()
    below = sa.select(merged.c.id).where(merged.c.merged_into_id == customer.c.id).correlate_except(merged)
    return sa.or_(column == customer.c.id, column.in_(below))


def _lead_event(customer: Any, lead: Any, *conditions: Any, event: Any) -> sa.ColumnElement[bool]:
    """Whether the leads that count as one with `lead` have an event."""
    other = Lead.__table__.alias()
    same = sa.and_(
        _same_person(other.c.customer_id, customer),
        other.c.project_id == lead.c.project_id,
        other.c.deleted_at.is_(None),
    )
    return (
        sa.exists()
        .where(event.c.lead_id == other.c.id, same, event.c.deleted_at.is_(None), *conditions)
        .correlate_except(event, other)
    )


def _deal_event(customer: Any, lead: Any, *conditions: Any, event: Any) -> sa.ColumnElement[bool]:
    """Whether the deals of the customer in the estate of `lead` have an event."""
    deal = Deal.__table__.alias()
    same = sa.and_(
        _same_person(deal.c.customer_id, customer),
        deal.c.project_id == lead.c.project_id,
        deal.c.deleted_at.is_(None),
    )
    return (
        sa.exists()
        .where(event.c.deal_id == deal.c.id, same, event.c.deleted_at.is_(None), *conditions)
        .correlate_except(event, deal)
    )


def _is_open(customer: Any, lead: Any) -> sa.ColumnElement[bool]:
    """The condition that a lead is neither lost nor has a live contract, as the metric dictionary says."""
    lost, again = LeadEvent.__table__.alias(), LeadEvent.__table__.alias()
    cancelled, signed, ended = (DealEvent.__table__.alias() for _ in range(3))
    reopened_after_loss = _lead_event(customer, lead, again.c.kind == "reopened", _follows(again, lost), event=again)
    reopened_after_cancel = _lead_event(
        customer, lead, again.c.kind == "reopened", again.c.occurred_at >= cancelled.c.occurred_at, event=again
    )
    is_lost = sa.or_(
        _lead_event(customer, lead, lost.c.kind == "lost", ~reopened_after_loss, event=lost),
        _deal_event(customer, lead, cancelled.c.kind == "cancel", ~reopened_after_cancel, event=cancelled),
    )
    has_ended = (
        sa.exists()
        .where(
            ended.c.deal_id == signed.c.deal_id, ended.c.kind.in_(("cancel", "swap")), ended.c.deleted_at.is_(None),
            _follows(ended, signed),
        )
        .correlate_except(ended)
    )  # fmt: skip
    is_live = _deal_event(customer, lead, signed.c.kind == "contract", ~has_ended, event=signed)
    return sa.and_(~is_lost, ~is_live)


def _follows(later: Any, earlier: Any) -> sa.ColumnElement[bool]:
    """Whether an event comes after another one, in the order of moment and key."""
    return sa.or_(
        later.c.occurred_at > earlier.c.occurred_at,
        sa.and_(later.c.occurred_at == earlier.c.occurred_at, later.c.id > earlier.c.id),
    )


def _is_silent(customer: Any, lead: Any, since: dt.datetime) -> sa.ColumnElement[bool]:
    """The condition that nothing happened between the company and a customer in an estate since a moment."""
    spoken, dealt, demand = LeadEvent.__table__.alias(), DealEvent.__table__.alias(), Demand.__table__.alias()
    asked = (
        sa.exists()
        .where(
            _same_person(demand.c.customer_id, customer),
            demand.c.received_at >= since,
            demand.c.deleted_at.is_(None),
        )
        .correlate_except(demand)
    )
    return sa.and_(
        lead.c.opened_at < since,
        ~_lead_event(customer, lead, spoken.c.occurred_at >= since, event=spoken),
        ~_deal_event(customer, lead, dealt.c.occurred_at >= since, event=dealt),
        ~asked,
    )


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

    Args:
        work: the open work.
        view: ``todo`` (a next step is due, or the alarm rings), ``silent``, ``open`` or ``all``.
        text: name, telephone number, e-mail address, number of the record, or unit.
        project_id: only those known in this estate.
        employee_id: only those this employee looks after.
        page, size: which page, from 0, of how many rows.
    """
    work.require("read", "customer")
    customer, lead = Customer.__table__, Lead.__table__
    where = [
        customer.c.deleted_at.is_(None), customer.c.merged_into_id.is_(None), reach(work.actor, "read", "customer"),
    ]  # fmt: skip
    if text.strip():
        merged = customer.alias()
        where.append(
            sa.or_(
                _matches(work, text, customer),
                customer.c.id.in_(
                    sa.select(merged.c.merged_into_id).where(
                        merged.c.merged_into_id.is_not(None), _matches(work, text, merged)
                    )
                ),
            )
        )
    of_customer = sa.and_(
        _same_person(lead.c.customer_id, customer),
        lead.c.deleted_at.is_(None),
        lead.c.project_id == project_id if project_id is not None else sa.true(),
    )
    wanted = {
        "todo": sa.or_(lead.c.next_step_on <= work.today, _is_silent(customer, lead, silent_since(work))),
        "silent": _is_silent(customer, lead, silent_since(work)),
        "open": sa.true(),
    }
    if view in wanted:
        where.append(sa.exists().where(of_customer, wanted[view], _is_open(customer, lead)))
    elif project_id is not None:
        owner, deal = CustomerOwner.__table__, Deal.__table__
        where.append(
            sa.or_(
                sa.exists().where(of_customer),
                sa.exists().where(
                    owner.c.customer_id == customer.c.id, owner.c.project_id == project_id, owner.c.deleted_at.is_(None)
                ),
                sa.exists().where(
                    deal.c.customer_id == customer.c.id, deal.c.project_id == project_id, deal.c.deleted_at.is_(None)
                ),
            )
        )
    if employee_id is not None:
        owner = CustomerOwner.__table__.alias()
        where.append(
            sa.exists().where(
                owner.c.customer_id == customer.c.id, owner.c.employee_id == employee_id, owner.c.to_at.is_(None),
                owner.c.deleted_at.is_(None),
            )
        )  # fmt: skip
    total = work.session.scalar(sa.select(sa.func.count()).select_from(customer).where(*where)) or 0
    order: list[Any] = [customer.c.id.desc()]
    if view in ("todo", "silent"):
        due = (
            sa.select(sa.func.min(sa.func.coalesce(lead.c.next_step_on, dt.date(9999, 1, 1))))
            .where(lead.c.customer_id == customer.c.id, lead.c.deleted_at.is_(None))
            .scalar_subquery()
        )
        order.insert(0, due)
    keys: list[int] = list(
        work.session.scalars(
            sa.select(customer.c.id).where(*where).order_by(*order).limit(size).offset(max(page, 0) * size)
        )
    )
    return rows_of(work, keys), total


def rows_of(work: Work, customer_ids: Sequence[int]) -> list[Row]:
    """Return customers, which the actor was found to reach, as rows of a list in the order given."""
    session = work.session
    known: set[int] = set(
        session.scalars(
            sa.select(Customer.__table__.c.id).where(
                Customer.__table__.c.id.in_(customer_ids), reach(work.actor, "personal", "customer")
            )
        )
    )
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
    group: dict[int, list[int]] = {}
    for key, top in survivor.items():
        group.setdefault(top, []).append(key)
    for key, row in rows.items():
        row.owners = owner_names(session, group[key])
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
