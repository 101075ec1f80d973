"""Departments, positions, and employees who are hired, move, and leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sample_data import names
from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.rows import NO_DAY, Array
from sample_data.world import World

FOREVER = np.datetime64("2999-12-31", "D")
# The share of the staff in each function; sales and property staff are spread over the estates.
SALES_SHARE, PROPERTY_SHARE, SERVICE_SHARE, PLANNING_SHARE = 0.56, 0.15, 0.11, 0.08
# Spread of the true effects between employees.
STAFF_EFFECT_SD, COMPLAINT_EFFECT_SD, REPLY_EFFECT_SD, SATISFACTION_EFFECT_SD = 0.25, 0.40, 0.35, 0.30
# The pair whose crude ranking is reversed by their mix of leads: effect on conversion of the better and the worse.
PAIR_EFFECT = 0.22
PAIR_WORKLOAD = 2.6
CONSULTANT, MANAGER, SERVICE, PROPERTY, PLANNER, OFFICE = (
    "consultant",
    "manager",
    "service",
    "property",
    "planner",
    "office",
)
ANYWHERE = -1


@dataclass
class Stint:
    """An employee in one position, from one day to another (inclusive)."""

    employee: int
    position_id: int
    role: str
    estate: int
    first: np.datetime64
    last: np.datetime64 = FOREVER


@dataclass
class Staff:
    """The employees of a city company; ``employee`` in a stint is an index into these arrays."""

    ids: Array
    sales_effect: Array
    complaint_effect: Array
    reply_effect: Array
    satisfaction_effect: Array
    workload: Array
    hired_on: Array
    left_on: Array
    stints: list[Stint]
    department_ids: Array
    pair: tuple[int, int] | None

    def of(self, role: str, estate: int | None = None) -> list[Stint]:
        """Return the stints in ``role``, of one estate if given."""
        return [s for s in self.stints if s.role == role and (estate is None or s.estate == estate)]

    def pick(
        self, rng: np.random.Generator, stints: list[Stint], days: Array, preference: Array | None = None
    ) -> Array:
        """Return, for each day, the index into ``stints`` of somebody who was in that position then.

        ``preference`` (days × stints) multiplies the workloads. Where nobody was, the first stint is taken.
        """
        firsts, lasts = np.array([s.first for s in stints]), np.array([s.last for s in stints])
        weight = self.workload[[s.employee for s in stints]]
        chance = ((days[:, None] >= firsts) & (days[:, None] <= lasts)) * weight
        if preference is not None:
            chance = chance * preference
        cumulative = np.cumsum(chance, axis=1)
        drawn = rng.random(len(days)) * cumulative[:, -1]
        return np.minimum((cumulative <= drawn[:, None]).sum(axis=1), len(stints) - 1) * (cumulative[:, -1] > 0)

    def pick_ids(self, rng: np.random.Generator, stints: list[Stint], days: Array) -> Array:
        """Return, for each day, the key of an employee who was in one of ``stints`` then."""
        chosen = self.pick(rng, stints, days)
        return self.ids[np.array([s.employee for s in stints])[chosen]]


@dataclass
class Group:
    """The top of the company, shared by all city companies.

    Attributes:
        department_id: key of the department above all.
        position_ids: keys of the positions at headquarters that approve reports.
        approvers: who holds them: the heads of the first city company, besides their positions there; by
            position the key of each employee and the last day, in order. Empty until that company has its staff.
    """

    department_id: int
    position_ids: dict[v.Word, int]
    approvers: dict[v.Word, list[tuple[int, np.datetime64]]] = field(default_factory=dict)

    def approver_ids(self, position: v.Word, moments: Array) -> Array:
        """Return, for each moment, the key of the employee who held an approving position then."""
        keys, lasts = zip(*self.approvers[position], strict=True)
        return np.array(keys)[np.searchsorted(np.array(lasts), moments.astype("datetime64[D]"))]


@dataclass
class _Draft:
    """Collects employees before their rows are made."""

    rng: np.random.Generator
    start: np.datetime64
    today: np.datetime64
    hired_on: list[np.datetime64] = field(default_factory=list)
    left_on: list[np.datetime64] = field(default_factory=list)
    stints: list[Stint] = field(default_factory=list)

    def hire(self, position_id: int, role: str, estate: int, first: np.datetime64) -> Stint:
        employee = len(self.hired_on)
        early = int(self.rng.integers(30, 1500)) if first <= self.start else 0
        self.hired_on.append(first - early)
        self.left_on.append(NO_DAY)
        stint = Stint(employee, position_id, role, estate, first - early)
        self.stints.append(stint)
        return stint


def make_group(world: World) -> Group:
    """Make the group's own departments and positions, and return them."""
    words, batch = world.words, world.batch
    founded = world.clock.start.astype("datetime64[s]") - np.timedelta64(400, "D")
    top = int(batch.add("department", founded, name=words.all([v.GROUP]))[0])
    headquarters = int(batch.add("department", founded, parent_id=[top], name=words.all([v.HEADQUARTERS]))[0])
    approving = [v.GENERAL_MANAGER, v.MARKETING_DIRECTOR, v.SERVICE_MANAGER]
    keys = batch.add("position", founded, department_id=[headquarters] * len(approving), name=words.all(approving))
    return Group(top, dict(zip(approving, keys.tolist(), strict=True)))


def make_staff(company: Company, estates: list[str], opened_on: Array) -> Staff:
    """Make the departments, positions and employees of one city company.

    Args:
        company: the city company.
        estates: names of its estates.
        opened_on: day on which each estate opened for sale.
    """
    rng = company.random("organisation")
    world, size, group = company.world, company.size, company.group
    clock, words, batch = world.clock, world.words, world.batch
    founded = clock.start.astype("datetime64[s]") - np.timedelta64(400, "D")
    departments: list[int] = []

    def department(name: str, parent: int) -> int:
        departments.append(int(batch.add("department", founded, parent_id=[parent], name=[name])[0]))
        return departments[-1]

    def position(department_id: int, word: v.Word) -> int:
        return int(batch.add("position", founded, department_id=[department_id], name=[words(word)])[0])

    prefix = (words.join(words(v.CITY_COMPANY), str(size.index + 1)),) if size.index else ()

    def named(word: v.Word) -> str:
        return words.join(*prefix, words(word))

    top = department(prefix[0] if prefix else words(v.CITY_COMPANY), group.department_id)
    draft = _Draft(rng, clock.start, clock.today)
    headed: dict[int, v.Word] = {}

    def head(department_id: int, word: v.Word, role: str) -> None:
        key = position(department_id, word)
        headed[key] = word
        draft.hire(key, role, ANYWHERE, clock.start)

    management = department(named(v.MANAGEMENT), top)
    head(management, v.GENERAL_MANAGER, OFFICE)
    marketing = department(named(v.MARKETING_CENTRE), top)
    head(marketing, v.MARKETING_DIRECTOR, PLANNER)
    sales = department(named(v.SALES_DEPARTMENT), marketing)
    planning = department(named(v.PLANNING_DEPARTMENT), marketing)
    service = department(named(v.SERVICE_CENTRE), top)
    head(service, v.SERVICE_MANAGER, SERVICE)
    property_company = department(named(v.PROPERTY_COMPANY), top)

    staff_count = size.employees
    planner, agent = position(planning, v.PLANNER), position(service, v.SERVICE_AGENT)
    for _ in range(max(1, round(PLANNING_SHARE * staff_count) - 1)):
        draft.hire(planner, PLANNER, ANYWHERE, clock.start)
    for _ in range(max(2, round(SERVICE_SHARE * staff_count * 0.85) - 1)):
        draft.hire(agent, SERVICE, ANYWHERE, clock.start)

    seats = max(3 * size.estates, round(SALES_SHARE * staff_count * 0.80))
    consultants: dict[int, int] = {}
    seniors: dict[int, int] = {}
    for estate, name in enumerate(estates):
        team = department(words.join(name, words(v.SALES_TEAM)), sales)
        consultants[estate], seniors[estate] = position(team, v.CONSULTANT), position(team, v.SENIOR_CONSULTANT)
        first = max(clock.start, opened_on[estate] - 75)
        draft.hire(position(team, v.SALES_MANAGER), MANAGER, estate, first)
        for _ in range(max(2, seats * (estate + 1) // size.estates - seats * estate // size.estates - 1)):
            draft.hire(consultants[estate], CONSULTANT, estate, first)
        centre = department(words.join(name, words(v.PROPERTY_CENTRE)), property_company)
        draft.hire(position(centre, v.PROPERTY_MANAGER), PROPERTY, estate, first)
        steward = position(centre, v.PROPERTY_STEWARD)
        for _ in range(max(0, round(PROPERTY_SHARE * staff_count / size.estates) - 1)):
            draft.hire(steward, PROPERTY, estate, first)

    # The planted pair stays in one team for the whole time.
    pair = None
    if size.index == 0:
        first, second = [s.employee for s in draft.stints if s.role == CONSULTANT and s.estate == 0][:2]
        pair = (first, second)
    for word, title in (
        (v.FINANCE_DEPARTMENT, v.ACCOUNTANT), (v.DATA_DEPARTMENT, v.DATA_ANALYST),
        (v.PERSONNEL_DEPARTMENT, v.ADMINISTRATOR),
    ):  # fmt: skip
        draft.hire(position(department(named(word), top), title), OFFICE, ANYWHERE, clock.start)
    _change_positions(draft, staff_count, set(pair or ()), consultants, seniors)
    return _add_employees(company, draft, departments, pair, headed if size.index == 0 else {})


def add_employee_projects(company: Company) -> None:
    """Let everybody in a team of an estate work for that estate, for as long as they are in the team."""
    staff, clock = company.staff, company.world.clock
    stints = [s for s in staff.stints if s.estate != ANYWHERE]
    first = np.array([s.first for s in stints])
    left = staff.left_on[[s.employee for s in stints]]
    last = np.fmin(np.array([s.last for s in stints]), left)
    company.batch.add(
        "employee_project",
        np.minimum(np.maximum(first, clock.start - 400), clock.today - 1).astype("datetime64[s]"),
        updated_at=np.where(last < clock.today, last, NO_DAY).astype("datetime64[s]"),
        employee_id=staff.ids[[s.employee for s in stints]],
        project_id=company.estates.ids[[s.estate for s in stints]],
        from_on=first,
        to_on=np.where(last == FOREVER, NO_DAY, last),
    )


def _change_positions(
    draft: _Draft, staff_count: int, stable: set[int], consultants: dict[int, int], seniors: dict[int, int]
) -> None:
    """Let some consultants and service staff be promoted, move to another estate, or leave and be replaced."""
    rng = draft.rng
    movable = [s for s in draft.stints if s.role in (CONSULTANT, SERVICE) and s.employee not in stable]
    order = rng.permutation(len(movable))
    successors = max(1, staff_count - len(draft.hired_on))
    for rank, chosen in enumerate(order):
        stint = movable[chosen]
        earliest, latest = max(stint.first, draft.start) + 150, draft.today - 40
        if earliest >= latest:
            continue
        change = earliest + int(rng.integers(0, int((latest - earliest).astype(int)) + 1))
        if rank < successors:
            stint.last = change
            if stint.role == CONSULTANT and len(consultants) > 1 and rank % 3 == 0:
                other = int(rng.choice([e for e in consultants if e != stint.estate]))
                draft.stints.append(Stint(stint.employee, consultants[other], CONSULTANT, other, change + 1))
            else:
                draft.left_on[stint.employee] = change
            draft.hire(stint.position_id, stint.role, stint.estate, change + int(rng.integers(-10, 2)))
        elif stint.role == CONSULTANT and rng.random() < 0.25:
            stint.last = change
            draft.stints.append(Stint(stint.employee, seniors[stint.estate], CONSULTANT, stint.estate, change + 1))


def _add_employees(
    company: Company,
    draft: _Draft,
    departments: list[int],
    pair: tuple[int, int] | None,
    approving: Mapping[int, v.Word],
) -> Staff:
    """Add the employees and their positions; who is in one of ``approving`` holds that of the group as well."""
    world, group = company.world, company.group
    rng, batch, clock = draft.rng, world.batch, world.clock
    count = len(draft.hired_on)
    ids = batch.reserve("employee", count)
    numbers = np.array([f"E{key:05d}" for key in ids], dtype=object)
    hired_on, left_on = np.array(draft.hired_on, "datetime64[D]"), np.array(draft.left_on, "datetime64[D]")
    entered = np.minimum(np.maximum(hired_on, clock.start - 400), clock.today - 1).astype("datetime64[s]")
    batch.add(
        "employee",
        entered,
        updated_at=left_on.astype("datetime64[s]"),
        id=ids,
        number=numbers,
        name=names.people(rng, world.words, rng.random(count) < 0.55),
        hired_on=hired_on,
        left_on=left_on,
    )
    stints = draft.stints
    for position, word in approving.items():
        holding = sorted((s for s in stints if s.position_id == position), key=lambda s: s.last)
        group.approvers[word] = [(int(ids[s.employee]), s.last) for s in holding]
    besides = [
        replace(s, position_id=group.position_ids[approving[s.position_id]])
        for s in stints
        if s.position_id in approving
    ]
    # Of positions taken up on the same day, the one entered last says which department an employee works in.
    held = besides + stints
    last = np.array([s.last for s in held])
    left = left_on[[s.employee for s in held]]
    last = np.where(np.isnat(left), last, np.minimum(last, np.where(np.isnat(left), last, left)))
    first = np.array([s.first for s in held])
    batch.add(
        "employee_position",
        np.minimum(np.maximum(first, clock.start - 400), clock.today - 1).astype("datetime64[s]"),
        updated_at=np.where(last < clock.today, last, NO_DAY).astype("datetime64[s]"),
        employee_id=ids[[s.employee for s in held]],
        position_id=[s.position_id for s in held],
        from_on=first,
        to_on=np.where(last == FOREVER, NO_DAY, last),
    )
    workload = np.exp(0.45 * rng.standard_normal(count))
    managers = [s.employee for s in stints if s.role == MANAGER]
    workload[managers] = 0.15
    sales_effect = STAFF_EFFECT_SD * rng.standard_normal(count)
    if pair:
        workload[list(pair)] = PAIR_WORKLOAD
        sales_effect[list(pair)] = PAIR_EFFECT, -PAIR_EFFECT
        world.truths.parameters["simpson_pair"] = {
            "better_but_ranked_lower": str(numbers[pair[0]]),
            "worse_but_ranked_higher": str(numbers[pair[1]]),
            "adjust_for": "source",
        }
    staff = Staff(
        ids=ids,
        sales_effect=sales_effect,
        complaint_effect=COMPLAINT_EFFECT_SD * rng.standard_normal(count),
        reply_effect=REPLY_EFFECT_SD * rng.standard_normal(count),
        satisfaction_effect=SATISFACTION_EFFECT_SD * rng.standard_normal(count),
        workload=workload,
        hired_on=hired_on,
        left_on=left_on,
        stints=stints,
        department_ids=np.array(departments),
        pair=pair,
    )
    selling = sorted({s.employee for s in stints if s.role in (CONSULTANT, MANAGER)})
    handling = sorted({s.employee for s in stints if s.role in (SERVICE, PROPERTY)})
    world.truths.add_effects("staff", numbers[selling], staff.sales_effect[selling])
    world.truths.add_effects("staff_complaint", numbers[selling], staff.complaint_effect[selling])
    world.truths.add_effects("staff_reply", numbers[handling], staff.reply_effect[handling])
    world.truths.add_effects("staff_satisfaction", numbers[handling], staff.satisfaction_effect[handling])
    return staff
