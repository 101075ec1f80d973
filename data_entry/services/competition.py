"""What was observed of competing estates and, in the same way, of our own; compared feature by feature.

An observation is one value of one feature on one day, by one author. Its source is a web address, or the author's own
eyes where there is none. Observations are added, not overwritten: the newest counts, the older ones are its history.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.competition import CompetitorObservation, CompetitorProject
from data_entry.schema.customer import Feature
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.estate import Building, Project, Unit
from data_entry.schema.organisation import Employee
from data_entry.services import features as custom
from data_entry.services import records, validation
from data_entry.services.errors import Invalid, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

# The entity whose features competing estates are compared by.
ENTITY = "competitor_project"
# A value older than this is shown as possibly out of date: a quarter, in which prices and offers are set anew.
STALE_DAYS = 90
_LONGEST_ADDRESS = 500


def apply(
    work: Work, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Check an estate or an observation that is to be written; see `data_entry.services.rules`."""
    if after is None or table == "competitor_project":
        return {}
    problems: list[Problem] = []
    follows: dict[str, Any] = {}
    feature = work.session.get(Feature, after["feature_id"]) if after["feature_id"] else None
    if feature is None or feature.entity != ENTITY:
        problems.append(Problem("feature_id", marked("This is no feature of competing estates.")))
    elif before is None or (before["value"], before["feature_id"]) != (after["value"], after["feature_id"]):
        try:
            follows["value"] = kept_value(feature, after["value"])
        except validation.Wrong as wrong:
            problems.append(Problem("value", wrong.message, wrong.values))
    if after["observed_on"] is not None and after["observed_on"] > work.today:
        problems.append(Problem("observed_on", marked("This day is still to come.")))
    if after["source_url"] is not None and (before is None or before["source_url"] != after["source_url"]):
        try:
            follows["source_url"] = kept_address(after["source_url"])
        except validation.Wrong as wrong:
            problems.append(Problem("source_url", wrong.message, wrong.values))
    if before is None and after["employee_id"] is None:
        follows["employee_id"] = work.actor.employee_id
    if problems:
        raise Invalid(problems)
    return follows


def kept_value(feature: Feature, value: Any) -> str:
    """Return a value of a feature as it is kept: as text, in one way of writing.

    Raises:
        Wrong: if it does not fit the feature's type, or there is none.
    """
    if validation.is_empty(value):
        raise validation.Wrong(marked("A value is needed here."))
    match feature.data_type:
        case "number":
            text = f"{validation.read_number(value):f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case "boolean":
            return "true" if validation.read_flag(value) else "false"
        case "date":
            return validation.read_day(value).isoformat()
        case "choice":
            text = validation.tidy(str(value)) or ""
            if text not in custom.options(feature):
                raise validation.Wrong(marked("This is not one of the choices."))
        case _:
            text = validation.tidy(str(value)) or ""
    if len(text) > 500:
        message = marked("At most {count} characters; these are {actual}.")
        raise validation.Wrong(message, count=500, actual=len(text))
    return text


def kept_address(text: str) -> str:
    """Return the web address of a source.

    Raises:
        Wrong: if it is no address that begins with http:// or https://, or it holds a password.
    """
    address = text.strip()
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        _ = parts.port
    except ValueError:
        is_good = False
    if not is_good or len(address) > _LONGEST_ADDRESS or any(c.isspace() or not c.isprintable() for c in address):
        raise validation.Wrong(marked("Write the web address where it was seen, beginning with http:// or https://."))
    return address


def features(work: Work) -> list[Feature]:
    """Return the features that competing estates are compared by, in the order of the form."""
    work.require("read", "feature")
    return custom.features_for(work, ENTITY)


def projects(work: Work) -> list[tuple[int, str, int]]:
    """Return key and name of the own estates the actor may read, and how many competing estates each has."""
    rivals = (
        sa.select(CompetitorProject.own_project_id, sa.func.count().label("number"))
        .where(CompetitorProject.deleted_at.is_(None), ~CompetitorProject.is_own)
        .group_by(CompetitorProject.own_project_id)
        .subquery()
    )
    query: Any = (
        sa.select(Project.id, Project.name, sa.func.coalesce(rivals.c.number, 0))
        .outerjoin(rivals, rivals.c.own_project_id == Project.id)
        .where(Project.deleted_at.is_(None), reach(work.actor, "read", "project"))
        .order_by(Project.name)
    )
    found: Sequence[Any] = work.session.execute(query).all()
    return [(row[0], row[1], row[2]) for row in found]


def estates(work: Work, project_id: int) -> list[CompetitorProject]:
    """Return what is compared for an own estate: itself first (once it was observed), then its competitors."""
    work.require("read", "competitor_project")
    query = (
        sa.select(CompetitorProject)
        .where(
            CompetitorProject.own_project_id == project_id, CompetitorProject.deleted_at.is_(None),
            reach(work.actor, "read", "competitor_project"),
        )
        .order_by(CompetitorProject.is_own.desc(), CompetitorProject.level.nulls_last(), CompetitorProject.name,
                  CompetitorProject.id)
    )  # fmt: skip
    return list(work.session.scalars(query))


def own_estate(work: Work, project_id: int) -> CompetitorProject:
    """Return what our own estate is observed as, made when it is not there yet.

    Raises:
        Forbidden, NotFound: if it is to be made and the actor may not, or may not see the estate.
    """
    project = work.get(Project, project_id, lock=True)  # two people at once make one
    query = sa.select(CompetitorProject).where(
        CompetitorProject.own_project_id == project_id, CompetitorProject.is_own,
        CompetitorProject.deleted_at.is_(None),
    )  # fmt: skip
    found = work.session.scalar(query.order_by(CompetitorProject.id).limit(1))
    if found is None:
        found = work.add(
            CompetitorProject(name=project.name, district=project.district, own_project_id=project.id, is_own=True)
        )
    return found


def record(
    work: Work, estate_id: int, values: Mapping[int, Any], observed_on: dt.date, source_url: str | None = None
) -> list[int]:
    """Record what was seen of an estate on one day, all of it or nothing, and return the observations' keys.

    Args:
        work: the transaction.
        estate_id: key of the competing estate (or what our own is observed as).
        values: by the features' keys; empty ones were not looked at.
        observed_on: day it was seen.
        source_url: web address, None for the author's own eyes.

    Raises:
        Invalid: if something does not fit; the problems name ``feature:<key>``.
        Refused: if there is no value at all.
    """
    work.get(CompetitorProject, estate_id)
    problems: list[Problem] = []
    keys: list[int] = []
    for feature_id, value in values.items():
        if validation.is_empty(value):
            continue
        row = {
            "competitor_project_id": estate_id, "feature_id": feature_id, "value": str(value),
            "observed_on": observed_on, "source_url": source_url,
        }  # fmt: skip
        try:
            keys.append(records.create(work, "competitor_observation", row))
        except Invalid as error:
            for problem in error.problems:
                name = custom.name_of(feature_id) if problem.column in ("value", "feature_id") else problem.column
                renamed = Problem(name, problem.message, problem.values)
                if renamed not in problems:
                    problems.append(renamed)
    if problems:
        raise Invalid(problems)
    if not keys:
        raise Refused(marked("Enter at least one value."))
    return keys


@dataclass(frozen=True)
class Seen:
    """An observation, with all that a citation needs.

    Attributes:
        number: the value of a numeric feature, 1 or 0 for yes and no; None where it cannot be read.
        source_url: None where the author saw it.
        author: None where nobody is named.
        age: days since.
        is_stale: older than `STALE_DAYS`.
        before: the newest older observation with another value, None where there is none.
    """

    id: int
    estate_id: int
    estate: str
    is_own: bool
    feature_id: int
    feature: str
    data_type: str
    value: str
    number: Decimal | None
    observed_on: dt.date
    source_url: str | None
    author: str | None
    age: int
    is_stale: bool
    before: Seen | None = None


@dataclass(frozen=True)
class Comparison:
    """An own estate beside its competitors.

    Attributes:
        estates: the own one first, once observed.
        newest: by (estate, feature).
        series: all observations by (estate, feature), the oldest first.
    """

    project_id: int
    project: str
    features: list[Feature]
    estates: list[CompetitorProject]
    newest: dict[tuple[int, int], Seen] = field(default_factory=dict)
    series: dict[tuple[int, int], list[Seen]] = field(default_factory=dict)

    @property
    def own(self) -> CompetitorProject | None:
        """What our own estate is observed as."""
        return next((estate for estate in self.estates if estate.is_own), None)

    @property
    def rivals(self) -> list[CompetitorProject]:
        """The competing estates."""
        return [estate for estate in self.estates if not estate.is_own]

    def of_own(self, feature_id: int) -> Seen | None:
        """Return the newest value of our own."""
        return self.newest.get((self.own.id, feature_id)) if self.own else None

    def of_rivals(self, feature_id: int) -> list[Seen]:
        """Return the newest values of the competitors that were observed."""
        found = (self.newest.get((estate.id, feature_id)) for estate in self.rivals)
        return [seen for seen in found if seen is not None]

    def middle(self, feature_id: int) -> Decimal | None:
        """Return the median of the competitors' newest numbers, None without any."""
        numbers = [seen.number for seen in self.of_rivals(feature_id) if seen.number is not None]
        return statistics.median(numbers) if numbers else None


def compare(work: Work, project_id: int) -> Comparison:
    """Compare an own estate with its competitors by all that was observed.

    Raises:
        NotFound: if the actor may not see the estate.
        Forbidden: if the actor may not read observations.
    """
    work.require("read", "competitor_observation")
    project = work.get(Project, project_id)
    comparison = Comparison(project.id, project.name, features(work), estates(work, project_id))
    names = {estate.id: estate for estate in comparison.estates}
    asked = {feature.id: feature for feature in comparison.features}
    rows = work.session.execute(
        sa.select(CompetitorObservation, Employee.name)
        .outerjoin(Employee, Employee.id == CompetitorObservation.employee_id)
        .where(
            CompetitorObservation.competitor_project_id.in_(names), CompetitorObservation.feature_id.in_(asked),
            CompetitorObservation.value.is_not(None), CompetitorObservation.deleted_at.is_(None),
            CompetitorObservation.observed_on <= work.today, reach(work.actor, "read", "competitor_observation"),
        )
        .order_by(CompetitorObservation.observed_on, CompetitorObservation.id)
    ).all()  # fmt: skip
    for row, author in rows:
        estate, feature = names[row.competitor_project_id], asked[row.feature_id]
        series = comparison.series.setdefault((estate.id, feature.id), [])
        age, value = (work.today - row.observed_on).days, row.value or ""
        seen = Seen(
            id=row.id, estate_id=estate.id, estate=estate.name, is_own=estate.is_own, feature_id=feature.id,
            feature=feature.name, data_type=feature.data_type, value=value,
            number=number_of(feature.data_type, value), observed_on=row.observed_on, source_url=row.source_url,
            author=author, age=age, is_stale=age > STALE_DAYS, before=_other(series, value, feature.data_type),
        )  # fmt: skip
        series.append(seen)
        comparison.newest[estate.id, feature.id] = seen
    return comparison


def _other(series: Sequence[Seen], value: str, data_type: str) -> Seen | None:
    number = number_of(data_type, value)
    for seen in reversed(series):
        if (seen.number, seen.value if number is None else "") != (number, value if number is None else ""):
            return seen
    return None


def number_of(data_type: str, value: str) -> Decimal | None:
    """Return the number in a value, 1 or 0 for yes or no, None where there is none."""
    try:
        if data_type == "number":
            return validation.read_number(value)
        if data_type == "boolean":
            return Decimal(int(validation.read_flag(value)))
    except validation.Wrong:
        return None
    return None


@dataclass(frozen=True)
class OwnFigures:
    """What the CRM itself knows of an own estate, to enter as its values; None where it knows nothing.

    Attributes:
        price_per_sqm: mean list price per m² of the units still for sale.
        typical_area: median floor area of all units, in m².
        contracts: signed in the last 30 days.
    """

    price_per_sqm: Decimal | None
    typical_area: Decimal | None
    contracts: int | None


def own_figures(work: Work, project_id: int) -> OwnFigures:
    """Return what the CRM knows of an own estate itself."""
    work.get(Project, project_id)
    price = areas = contracts = None
    if work.actor.may("read", "unit"):
        rows = work.session.execute(
            sa.select(Unit.status, Unit.list_price, Unit.area_sqm)
            .join(Building, Building.id == Unit.building_id)
            .where(Building.project_id == project_id, Unit.deleted_at.is_(None), Building.deleted_at.is_(None))
        ).all()
        known = [area for _, _, area in rows if area]
        areas = statistics.median(known) if known else None
        for_sale = [(p, a) for status, p, a in rows if status in ("available", "reserved") and p and a]
        if for_sale:
            price = (sum((p for p, _ in for_sale), Decimal(0)) / sum((a for _, a in for_sale), Decimal(0))).quantize(
                Decimal(1)
            )
    if work.actor.may("read", "deal_event"):
        since = work.now - dt.timedelta(days=30)
        contracts = work.session.scalar(
            sa.select(sa.func.count())
            .select_from(DealEvent)
            .join(Deal, Deal.id == DealEvent.deal_id)
            .where(
                Deal.project_id == project_id, Deal.deleted_at.is_(None), DealEvent.deleted_at.is_(None),
                DealEvent.kind == "contract", DealEvent.occurred_at > since, DealEvent.occurred_at <= work.now,
                reach(work.actor, "read", "deal_event"),
            )
        )  # fmt: skip
    return OwnFigures(price, areas, contracts)
