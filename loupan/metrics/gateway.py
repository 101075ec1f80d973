"""The one way to a number: metrics × dimensions × filters, answered from a published snapshot."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loupan.metrics.aggregates import Aggregates
from loupan.metrics.catalogue import RECORD, Catalogue, Dimension, Metric
from loupan.metrics.errors import InvalidFilter, InvalidPeriod, QueryError, UnknownDimension, nearest
from loupan.metrics.scope import EVERYTHING, Scope
from loupan.settings import Settings, get_settings
from loupan.snapshot import DamagedSnapshot, Snapshot, current

if TYPE_CHECKING:
    import pandas as pd

    from loupan.metrics.plan import Dimensions, Statement
    from loupan.metrics.semantic_layer import SemanticLayer

_OPEN_SNAPSHOTS = 3
_MANIFESTS = 4
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# How a period is written, and how that is said.
_PERIODS = {
    "day": (_DAY, "a day is written as 2026-01-31"),
    "week": (_DAY, "a week is written as its Monday, as 2026-01-26"),
    "month": (re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII), "a month is written as 2026-01"),
    "quarter": (re.compile(r"\d{4}-Q[1-4]", re.ASCII), "a quarter is written as 2026-Q1"),
    "year": (re.compile(r"\d{4}", re.ASCII), "a year is written as 2026"),
}
_VALUES_NAMED = 5
_INT64 = 2**63
Value = str | int | float | bool | None
Where = Mapping[str, Value | Iterable[Value]]
# Names for what a class with a method called ``list`` cannot spell.
Records = list[dict[str, Any]]
Answer = tuple[list[str], list[tuple[Any, ...]]]


class Metrics:
    """The metrics of one snapshot, for who may see the rows of `scope`; safe to share between threads.

    Groups that have no row in any table asked do not appear. Where a group has rows for one metric and none for
    another, counts and sums are 0 and everything else is None. A ratio over a zero denominator is None.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Open a snapshot.

        Raises:
            DamagedSnapshot: if its files cannot be read.
            UnusableManifest: if a metric is declared in a way that the gateway would answer wrongly.
        """
        self.snapshot = snapshot
        try:
            self._manifest_json = snapshot.semantic_manifest_path.read_text(encoding="utf-8")
            self._catalogue = _catalogue(self._manifest_json)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedSnapshot(
                f"Cannot read {snapshot.semantic_manifest_path}: {error!r}. Run `loupan snapshots rollback`."
            ) from error
        self._aggregates = _aggregates(snapshot)
        self.scope = EVERYTHING
        self._connection = snapshot.connect()
        # Read while it is there: these metrics go on answering when their folder has been pruned.
        _ = snapshot.report

    def within(self, scope: Scope) -> Metrics:
        """Return the same snapshot's metrics for a reader who may see the rows of a scope, and no others.

        Raises:
            UnknownDimension: if the scope names no dimension, or a period.
        """
        for name in scope.dimensions:
            if self._catalogue.dimension(name).is_time:
                raise UnknownDimension(f"{name!r} is a period; it cannot say which rows a reader may see.")
        bounded = copy.copy(self)
        bounded.scope = scope
        return bounded

    def from_facts(self) -> Metrics:
        """Return the same metrics, answered from the facts alone: what answers from aggregates are compared with."""
        alone = copy.copy(self)
        alone._aggregates = None
        return alone

    def list(self, hidden: bool = False) -> Sequence[Metric]:
        """Return the metrics by name that can be limited to the scope; the helpers too if ``hidden``."""
        return [
            metric
            for name, metric in sorted(self._catalogue.metrics.items())
            if (hidden or not metric.hidden) and not self.is_withheld(name)
        ]

    def is_withheld(self, name: str) -> bool:
        """Say whether a metric cannot be limited to the scope, so that it is not answered.

        Raises:
            UnknownMetric: if there is none of that name.
        """
        self.describe(name)
        if self.scope.is_everything:
            return False
        return self.scope.dimensions.isdisjoint(self._resolved_dimensions.of_every_part(name))

    def describe(self, name: str) -> Metric:
        """Return one metric.

        Raises:
            UnknownMetric: if there is none of that name.
        """
        return self._catalogue.metric(name)

    def dimensions(self, *metrics: str) -> Sequence[Dimension]:
        """Return the dimensions that all these metrics can be cut and filtered by (of any metric, if none is named).

        Raises:
            UnknownMetric: if there is none of that name.
        """
        known = self._catalogue.dimensions
        if not metrics:
            return [dimension for dimension in known.values() if not dimension.is_unlisted]
        shared = frozenset.intersection(*(frozenset(self.describe(name).dimensions) for name in metrics))
        return [known[name] for name in known if name in shared]

    def dimension_values(self, dimension: str) -> Sequence[Value]:
        """Return the distinct values of a dimension, sorted, None (no value recorded) last.

        Who may see some rows only learns the values of those.

        Raises:
            UnknownDimension: if there is none of that name, or if it is a period.
        """
        if self._catalogue.dimension(dimension).is_time:
            raise UnknownDimension(f"{dimension!r} is a period; ask for it with start and end.")
        if not self.scope.is_everything:
            return self._values_within(dimension)
        return [value for (value,) in self._fetch(self._layer.compile_values(dimension), {})[1]]

    def unknown_values(self, where: Where) -> Sequence[str]:
        """Return a sentence for each value of a filter that no row has; misspelt, it would silently answer nothing.

        Raises:
            UnknownDimension: if the filter names no dimension.
        """
        sentences = []
        for name, values in where.items():
            asked = [text for text in _accepted(name, values) if text is not None]
            if self._catalogue.dimension(name).is_time:
                how = _PERIODS[name][1]
                sentences += [f"{text!r} is no {name}: {how}." for text in asked if not _is_period(name, text)]
            elif asked:
                known = [text for text in _accepted(name, self.dimension_values(name)) if text is not None]
                named = ", ".join(known[:_VALUES_NAMED]) + (" …" if len(known) > _VALUES_NAMED else "")
                listed = f" Its values are {named}." if known else ""
                sentences += [
                    f"No {name} is called {text!r}.{nearest(text, known) or listed}"
                    for text in asked
                    if text not in known
                ]
        return sentences

    def query(
        self,
        metrics: Iterable[str],
        by: Iterable[str] = (),
        where: Where | None = None,
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> pd.DataFrame:
        """Return one row per group, sorted by ``by``, for charts and calculations.

        Args:
            metrics: names of metrics.
            by: short names of dimensions; periods are labelled ``2026-01-31``, ``2026-01`` or ``2026-Q1``, ``2026``; a
                week by its Monday.
            where: dimension → accepted value or values; None accepts rows without a value.
            start: first day that counts, of each metric's own date; a date or ``YYYY-MM-DD``.
            end: last day that counts.

        Returns:
            A data frame with the columns ``by`` (objects, None without a value) and the metrics (whole numbers as int64
            where there are no gaps, else float64 with NaN for None), each ratio ``M`` with ``M__numerator`` and
            ``M__denominator``.

        Raises:
            QueryError: for names, combinations, values and dates that cannot be answered.
        """
        import pandas as pd

        dimensions = self._dimensions(by)
        names, rows = self._answer(metrics, dimensions, where, start, end)
        columns = zip(*rows, strict=True) if rows else ((),) * len(names)
        return pd.DataFrame(
            {
                name: pd.Series(list(column), dtype=object if name in dimensions else _dtype(column))
                for name, column in zip(names, columns, strict=True)
            }
        )

    def records(
        self,
        metrics: Iterable[str],
        by: Iterable[str] = (),
        where: Where | None = None,
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Records:
        """Return what ``query`` returns as one dictionary per row, with exact numbers: sums of money as ``Decimal``."""
        names, rows = self._answer(metrics, self._dimensions(by), where, start, end)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def parts(self, name: str) -> Sequence[str]:
        """Return the names of the metrics whose rows make up a metric.

        That is the metric itself where its rows rest on one kind of record. A ratio has those of its numerator and of
        its denominator; parts that rest on no record are left out.

        Raises:
            UnknownMetric: if there is none of that name.
        """
        metric = self.describe(name)
        if metric.is_ratio:
            found = [*self.parts(str(metric.numerator)), *self.parts(str(metric.denominator))]
        elif metric.kind == "simple":
            found = [name] if metric.record else []
        else:
            below = [part for operand in metric.inputs.values() for part in self.parts(operand)]
            found = [name] if self.record_of(name) else below
        return list(dict.fromkeys(found))

    def record_of(self, name: str) -> str | None:
        """Return the CRM's table of the records that the rows of a metric rest on; None where there are several."""
        metric = self.describe(name)
        if metric.kind == "simple":
            return metric.record
        tables = {self.record_of(operand) for operand in metric.inputs.values()}
        return tables.pop() if len(tables) == 1 else None

    def rows(
        self,
        metric: str,
        by: Iterable[str] = (),
        where: Where | None = None,
        start: date | str | None = None,
        end: date | str | None = None,
    ) -> Records:
        """Return the rows that a metric is made of: what each record of the CRM and each group of ``by`` adds to it.

        Args:
            metric: one of `parts`.
            by: further columns, such as ``day`` and ``project``.
            where, start, end: as in ``query``.

        Returns:
            A dictionary per row: ``record`` (the key in the table `record_of`), ``by`` and the metric. Those that add
            nothing are left out, so the rows of a sum add up to it.

        Raises:
            QueryError: as ``query``, and where the metric rests on no record of one kind.
        """
        if self.record_of(metric) is None:
            raise QueryError(f"Metric {metric} does not rest on records of one kind; ask for one of its parts.")
        names, rows = self._answer([metric], (RECORD, *_names(by)), where, start, end)
        return [dict(zip(names, row, strict=True)) for row in rows if row[-1]]

    def _answer(
        self,
        metrics: Iterable[str],
        by: tuple[str, ...],
        where: Where | None,
        start: date | str | None,
        end: date | str | None,
    ) -> Answer:
        statement = self._statement(metrics, by, where, start, end)
        return self._fetch(statement.sql, statement.parameters)

    def _statement(
        self,
        metrics: Iterable[str],
        by: tuple[str, ...],
        where: Where | None,
        start: date | str | None,
        end: date | str | None,
    ) -> Statement:
        from loupan.metrics.plan import Plan, Question

        asked = _names(metrics)
        if not asked:
            raise QueryError("Name at least one metric. See `loupan metrics list`.")
        first, last = _day(start, "start"), _day(end, "end")
        if first and last and last < first:
            raise InvalidPeriod(f"The period ends ({last}) before it starts ({first}).")
        filters = tuple(sorted((name, _accepted(name, values)) for name, values in (where or {}).items()))
        for name, _ in filters:
            self._catalogue.dimension(name)
        plan = Plan(self._catalogue, self._layer, self._resolved_dimensions, self._aggregates)
        return plan.statement(asked, Question(by, filters), first, last, self.scope)

    def _dimensions(self, by: Iterable[str]) -> tuple[str, ...]:
        names = _names(by)
        for name in names:
            self._catalogue.dimension(name)
        return names

    def has_rows_without(self, dimension: str) -> bool:
        """Say whether some rows in the scope have no value of a dimension.

        Raises:
            UnknownDimension: if there is none of that name, or if it is a period.
        """
        if self._catalogue.dimension(dimension).is_time:
            raise UnknownDimension(f"{dimension!r} is a period; ask for it with start and end.")
        return None in self._values_of_rows(dimension)

    def _values_within(self, dimension: str) -> Sequence[Value]:
        values = self._values_of_rows(dimension)
        known = [value for value in values if value is not None]
        return [*sorted(known, key=str), *([None] if None in values else [])]

    def _values_of_rows(self, dimension: str) -> set[Value]:
        # One metric of each table is enough: its groups are the values of all the rows.
        by_table = {
            metric.model: metric.name
            for metric in self.list(hidden=True)
            if metric.kind == "simple" and not metric.default_where and dimension in metric.dimensions
        }
        return {row[0] for name in by_table.values() for row in self._answer([name], (dimension,), None, None, None)[1]}

    def _fetch(self, sql: str, parameters: dict[str, object]) -> Answer:
        import duckdb

        unreadable = (
            duckdb.IOException,
            duckdb.SerializationException,
            duckdb.InternalException,
            duckdb.FatalException,
        )
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                names = [column[0] for column in cursor.description or ()]
                return names, [tuple(map(_finite, row)) for row in cursor.fetchall()]
        except unreadable as error:
            raise DamagedSnapshot(
                f"Cannot read {self.snapshot.marts_path}: {error}. Run `loupan snapshots rollback`."
            ) from error

    @property
    def _layer(self) -> SemanticLayer:
        return _semantic_layer(self._manifest_json)

    @property
    def _resolved_dimensions(self) -> Dimensions:
        return _dimensions(self._manifest_json)


def open_current(settings: Settings | None = None) -> Metrics:
    """Return the metrics of the current snapshot; cheap to call again and again.

    Raises:
        NoSnapshot: if nothing has been published.
        DamagedSnapshot: if the current snapshot cannot be read.
    """
    settings = settings or get_settings()
    while True:
        snapshot = current(settings)
        try:
            return _open(snapshot)
        except DamagedSnapshot:
            # Between reading CURRENT and opening the files, later publications may have pruned them.
            if current(settings) == snapshot:
                raise


def open_snapshot(snapshot: Snapshot) -> Metrics:
    """Return the metrics of any kept snapshot; the last few stay open.

    Raises:
        DamagedSnapshot: if it cannot be read.
    """
    return _open(snapshot)


def check_manifest(manifest_json: str) -> None:
    """Check that the gateway can answer every metric of a semantic manifest.

    Raises:
        UnusableManifest: naming the metric that it would answer wrongly or not at all.
    """
    for metric in _catalogue(manifest_json).metrics.values():
        _dimensions(manifest_json).of(metric.name)


@lru_cache(maxsize=_OPEN_SNAPSHOTS)
def _open(snapshot: Snapshot) -> Metrics:
    return Metrics(snapshot)


# Shared by all snapshots with the same manifest, so that publishing new data does not forget the compiled statements.
@lru_cache(maxsize=_MANIFESTS)
def _catalogue(manifest_json: str) -> Catalogue:
    return Catalogue(json.loads(manifest_json), lambda name: _dimensions(manifest_json).of(name))


@lru_cache(maxsize=_MANIFESTS)
def _semantic_layer(manifest_json: str) -> SemanticLayer:
    from loupan.metrics.semantic_layer import SemanticLayer

    return SemanticLayer(manifest_json)


@lru_cache(maxsize=_MANIFESTS)
def _dimensions(manifest_json: str) -> Dimensions:
    from loupan.metrics.plan import Dimensions

    return Dimensions(_catalogue(manifest_json), _semantic_layer(manifest_json))


def _aggregates(snapshot: Snapshot) -> Aggregates | None:
    """The aggregate tables of a snapshot; None where an earlier version published it, or the project declares none."""
    if not snapshot.aggregates_path.exists():
        return None
    try:
        return Aggregates(json.loads(snapshot.aggregates_path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedSnapshot(
            f"Cannot read {snapshot.aggregates_path}: {error!r}. Run `loupan snapshots rollback`."
        ) from error


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order given, each once; one text is one name, not its letters."""
    return tuple(dict.fromkeys([names] if isinstance(names, str) else names))


def _accepted(dimension: str, values: Value | Iterable[Value]) -> tuple[str | None, ...]:
    """The texts that a filter accepts, as DuckDB writes the values of the column."""
    listed = [values] if values is None or isinstance(values, str | int | float) else list(values)
    texts = []
    for value in listed:
        text = str(value).lower() if isinstance(value, bool) else None if value is None else str(value)
        try:
            (text or "").encode()
        except UnicodeEncodeError as error:
            raise InvalidFilter(f"The filter on {dimension} holds a broken character: {value!r}.") from error
        texts.append(text)
    return tuple(texts)


def _day(value: date | str | None, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        if not _DAY.fullmatch(value):
            raise ValueError
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise InvalidPeriod(f"The {name} {value!r} is no date; write it as 2026-01-31.") from error


def _is_period(name: str, text: str) -> bool:
    if not _PERIODS[name][0].fullmatch(text):
        return False
    if name not in ("day", "week"):
        return True
    try:
        first = date.fromisoformat(text)
    except ValueError:
        return False
    return name == "day" or first.weekday() == 0


def _finite(value: Any) -> Any:
    """A value of an answer; an infinite median says that most cases have not finished, so there is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _dtype(column: Iterable[Any]) -> str:
    return "int64" if all(type(value) is int and abs(value) < _INT64 for value in column) else "float64"
