"""The pages' way to the metrics gateway: the snapshot in force, remembered answers, filters where they apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from dashboards.memory import forget, remembered
from loupan.formats import is_missing
from loupan.i18n.codes import is_unknown
from loupan.metrics import EVERYTHING, Dimension, Metric, Metrics, Scope, open_current, open_snapshot
from loupan.metrics.gateway import Records
from loupan.settings import get_settings
from loupan.snapshot import Snapshot, find, list_snapshots

# Wanted values per dimension, in a form that can be remembered.
Restrictions = tuple[tuple[str, tuple[str, ...]], ...]
NO_VALUE = ""
"""Stands among wanted values, and in addresses, for rows of which the value is not known."""
FILTERS = ("project", "source", "department")
_IN_FORCE = {"version": ""}
_ACTIVITY = ("leads", "demands", "contracts_gross", "marketing_expense")


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, both included."""

    start: date
    end: date

    @property
    def months(self) -> int:
        """How many calendar months the period touches."""
        return (self.end.year - self.start.year) * 12 + self.end.month - self.start.month + 1

    def previous(self) -> Period:
        """Return the period of as many months just before, cut at the same day of the month."""
        return self._before(self.months)

    def year_before(self) -> Period:
        """Return the same period of the year before."""
        return self._before(12)

    def _before(self, months: int) -> Period:
        shift = pd.DateOffset(months=months)
        start, end = pd.Timestamp(self.start) - shift, pd.Timestamp(self.end) - shift
        if pd.Timestamp(self.end).is_month_end:
            end += pd.offsets.MonthEnd(0)
        return Period(start.date(), end.date())


@dataclass(frozen=True)
class Question:
    """What is asked of the gateway, in a form that can be remembered."""

    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: Restrictions = ()
    period: Period | None = None


@dataclass(frozen=True)
class Gateway:
    """One snapshot's metrics within a reader's scope.

    Equal for equal versions and scopes, so that drawings can be remembered by it.
    """

    version: str
    as_of: datetime
    time_zone: str
    currency: str
    metrics: Metrics

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Gateway) and (self.version, self.scope) == (other.version, other.scope)

    def __hash__(self) -> int:
        return hash((self.version, self.scope))

    @property
    def scope(self) -> Scope:
        """Which rows count."""
        return self.metrics.scope

    @property
    def is_outdated(self) -> bool:
        """Whether another version of this program published the snapshot, which may lack what pages ask for."""
        return not self.metrics.snapshot.is_of_this_program(get_settings())

    def metric(self, name: str) -> Metric | None:
        """Return a metric's definition, or None where this snapshot has no such metric, or not for this reader."""
        return _catalogue(self).get(name)

    def definitions(self) -> Mapping[str, Metric]:
        """Return the definitions of this reader's metrics by name, helpers included."""
        return _catalogue(self)

    def has(self, *names: str) -> bool:
        """Say whether all the metrics are defined, and can be limited to the reader's scope."""
        return all(name in _catalogue(self) for name in names)

    def withholds(self, *names: str) -> bool:
        """Say whether one of the metrics is defined, but cannot be limited to the reader's scope."""
        return not self.scope.is_everything and any(name in _withheld(self) for name in names)

    def dimensions(self, *names: str) -> frozenset[str]:
        """Return the dimensions that all the metrics can be cut by; empty when one is unknown."""
        if not self.has(*names):
            return frozenset()
        return frozenset.intersection(*(_dimensions(self, name) for name in names)) if names else frozenset()

    def filterable(self, *names: str) -> frozenset[str]:
        """Return the dimensions that all the metrics can be filtered by.

        They can be cut by more: a share of a target or budget, filtered by what none is set for, would set a part of
        the result against the whole of the target.
        """
        found = self.dimensions(*names)
        for definition in filter(None, map(self.metric, names)):
            against = self.metric(definition.denominator or "")
            if against is not None and against.is_set:
                found &= self.dimensions(against.name)
        return found

    def dimension(self, name: str) -> Dimension | None:
        """Return a dimension's definition, or None where this snapshot has no such dimension."""
        return next((known for known in self.metrics.dimensions() if known.name == name), None)

    def values(self, dimension: str) -> tuple[str, ...]:
        """Return a dimension's values, unknown ones left out; empty where no metric knows the dimension."""
        return _values(self, dimension)

    def choices(self, dimension: str) -> tuple[str, ...]:
        """Return what can be asked for of a dimension: its values, and `NO_VALUE` where some rows have none."""
        return _choices(self, dimension)

    def ask(
        self,
        metrics: Sequence[str],
        by: Sequence[str] = (),
        where: Mapping[str, Sequence[str]] | None = None,
        period: Period | None = None,
    ) -> pd.DataFrame:
        """Query the gateway, or recall the answer.

        Args:
            metrics: names; those that are undefined or never recorded are left out.
            by: dimensions, in the order of sorting.
            where: values wanted per dimension; `NO_VALUE` wants the rows without one.
            period: days; None for all time.

        Returns:
            The gateway's data frame, with a column for each metric that has data; empty when none has. It is shared:
            callers must not change it.
        """
        recorded = tuple(name for name in metrics if self.is_recorded(name))
        if not recorded:
            return pd.DataFrame(columns=[*by, *metrics])
        chosen = tuple(sorted((name, tuple(values)) for name, values in (where or {}).items() if values))
        return _answer(self, Question(recorded, tuple(by), chosen, period))

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the metrics whose rows make up a metric; none where it is not known."""
        return tuple(self.metrics.parts(name)) if self.has(name) else ()

    def record_of(self, part: str) -> str | None:
        """Return the CRM's table of the records that a part rests on."""
        return self.metrics.record_of(part)

    def rows(self, part: str, question: Question) -> Records:
        """Return the rows that a part is made of; they are not remembered here, being many."""
        return self.metrics.rows(part, question.by, _accepted(self, question.where), *_bounds(question.period))

    def is_recorded(self, name: str) -> bool:
        """Say whether there is anything at all a metric could count, in any period.

        A company that keeps no complaints has no complaint rate of 0: it has none. Proportions need a denominator;
        rates over a foreign exposure, costs per something and the loss rate need a numerator as well.
        """
        return self.has(name) and _is_recorded(self, name)

    def span(self) -> tuple[date | None, date | None]:
        """Return the first and the last day of the months with any lead, demand, contract or expense."""
        return _span(self)


def open_gateway(scope: Scope) -> Gateway:
    """Return the gateway to the snapshot in force, for who may see the rows of a scope.

    Raises:
        NoSnapshot: when none is published yet.
        SnapshotError: when the one in force is damaged.
    """
    metrics = open_current()
    _forget_others(metrics.snapshot.version)
    return _gateway(metrics, scope)


def earlier_versions(gateway: Gateway) -> Mapping[str, Snapshot]:
    """Return the kept snapshots that are older than the gateway's by their versions, newest first."""
    kept = list_snapshots(get_settings())
    return {snapshot.version: snapshot for snapshot in kept if snapshot.version < gateway.version}


def open_earlier(gateway: Gateway, version: str) -> Gateway:
    """Return the gateway to an earlier snapshot for the same reader.

    Raises:
        UnknownSnapshot: when it is not kept any more.
        SnapshotError: when it is damaged.
    """
    return _gateway(open_snapshot(find(get_settings(), version)), gateway.scope)


def _gateway(metrics: Metrics, scope: Scope) -> Gateway:
    report, settings = metrics.snapshot.report, get_settings()
    as_of = datetime.fromisoformat(str(report["as_of"]))
    return Gateway(
        metrics.snapshot.version,
        as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC),
        report.get("time_zone", settings.time_zone),
        report.get("currency", settings.currency),
        metrics.within(scope),
    )


def _forget_others(version: str) -> None:
    if _IN_FORCE["version"] != version:
        forget()
        _IN_FORCE["version"] = version


@remembered(64)
def _catalogue(gateway: Gateway) -> dict[str, Metric]:
    return {metric.name: metric for metric in gateway.metrics.list(hidden=True)}


@remembered(64)
def _withheld(gateway: Gateway) -> frozenset[str]:
    everything = gateway.metrics.within(EVERYTHING).list(hidden=True)
    return frozenset(metric.name for metric in everything) - _catalogue(gateway).keys()


@remembered(512)
def _dimensions(gateway: Gateway, metric: str) -> frozenset[str]:
    return frozenset(dimension.name for dimension in gateway.metrics.dimensions(metric))


@remembered(64)
def _all_values(gateway: Gateway, dimension: str) -> tuple[Any, ...]:
    return () if gateway.dimension(dimension) is None else tuple(gateway.metrics.dimension_values(dimension))


@remembered(64)
def _values(gateway: Gateway, dimension: str) -> tuple[str, ...]:
    return tuple(str(value) for value in _all_values(gateway, dimension) if value is not None)


@remembered(64)
def _choices(gateway: Gateway, dimension: str) -> tuple[str, ...]:
    if gateway.dimension(dimension) is None:
        return ()
    values = _all_values(gateway, dimension)
    known = tuple(str(value) for value in values if not is_unknown(value))
    # A value's table has no row for those without one; the rows that are counted tell.
    lacks = len(known) < len(values) or gateway.metrics.has_rows_without(dimension)
    return (*known, NO_VALUE) if lacks else known


def _accepted(gateway: Gateway, where: Restrictions) -> dict[str, list[Any]]:
    """Return what the semantic layer is to accept: each way in which rows say that a value is not known is one."""
    accepted: dict[str, list[Any]] = {}
    for name, wanted in where:
        accepted[name] = [value for value in wanted if value != NO_VALUE]
        if NO_VALUE in wanted:
            spelt = [value for value in _all_values(gateway, name) if value is not None and is_unknown(value)]
            accepted[name] += [None, *spelt]
    return accepted


@remembered(512)
def _is_recorded(gateway: Gateway, name: str) -> bool:
    definition = _catalogue(gateway)[name]
    frame = _answer(gateway, Question((name,)))
    if frame.empty:
        return False

    def has_any(column: str) -> bool:
        return not is_missing(frame[column].iloc[0]) and float(frame[column].iloc[0]) != 0

    if not definition.is_ratio:
        return has_any(name)
    return has_any(f"{name}__denominator") and (not definition.needs_numerator or has_any(f"{name}__numerator"))


@remembered(64)
def _span(gateway: Gateway) -> tuple[date | None, date | None]:
    months: list[str] = []
    for metric in _ACTIVITY:
        if gateway.is_recorded(metric):
            months += _answer(gateway, Question((metric,), ("month",)))["month"].dropna().astype(str).tolist()
    if not months:
        return None, None
    first = date.fromisoformat(f"{min(months)}-01")
    return first, (pd.Timestamp(f"{max(months)}-01") + pd.offsets.MonthEnd(0)).date()


@remembered(2048)
def _answer(gateway: Gateway, question: Question) -> pd.DataFrame:
    start, end = _bounds(question.period)
    return gateway.metrics.query(
        question.metrics,
        by=question.by,
        where=_accepted(gateway, question.where),
        start=start,
        end=end,
    )


def _bounds(period: Period | None) -> tuple[date | None, date | None]:
    return (period.start, period.end) if period else (None, None)
