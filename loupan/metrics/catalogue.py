"""What the semantic manifest says about metrics and dimensions, read without MetricFlow, whose import takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loupan.metrics.errors import UnknownDimension, UnknownMetric, UnusableManifest, nearest

RECORD = "record"
"""The name by which the key of the CRM's record that a row rests on is asked for."""
RECORD_ENTITY = "record_"
"""How the entities begin that hold such a key; the rest of the name is the CRM's table."""
# Aggregations whose value over no rows is 0; of any other (median, average …) it is unknown.
_ADDITIVE = frozenset({"sum", "count", "count_distinct", "sum_boolean"})


@dataclass(frozen=True)
class Metric:
    """One metric as it was published.

    Attributes:
        name: the name by which everything asks for it.
        label, label_zh: what people read, in English and Chinese.
        description: its definition.
        unit: count, currency, percent (a fraction of 1), per_100, days, hours, minutes, sqm or ratio.
        date_basis: the date that puts a row into a period.
        better: higher, lower or neutral.
        owner: the area that answers for it.
        kind: simple (aggregates a table), derived (calculates with other metrics) or ratio.
        numerator, denominator: metrics that a ratio divides; else None.
        scale: what the quotient of a ratio is multiplied by.
        hidden: a helper that lists leave out; it can be asked for all the same.
        default_where: values of a dimension that hold unless the question names that dimension.
        variants: dimension → metric that stands in when the question names that dimension.
        model: semantic model of a simple metric; else None.
        grain: the finest period that the rows of a simple metric are dated by, ``day`` or coarser.
        is_as_of: whether it is the state at the snapshot's as-of, known for periods that hold that day alone.
        is_set: whether people set it, such as a target: without a row it is unknown; says ``no_rows: unknown``.
        is_additive: whether no rows mean 0 (counts and sums of what happened) rather than unknown.
        needs_numerator: whether a ratio of 0 means that nobody ever recorded what it counts: so it is of rates over a
            foreign exposure and of costs per something, and of what says ``needs_numerator: true``.
        counts_once: whether it counts distinct things, so that a thing with several rows counts once.
        expression: formula of a derived metric over the names of ``inputs``; else empty.
        inputs: name in the formula → metric.
        record: table of the CRM with the records that the rows of a simple metric rest on; None where none is declared.
        resolve_dimensions: finds the dimensions of a metric by its name.
    """

    name: str
    label: str
    label_zh: str
    description: str
    unit: str
    date_basis: str
    better: str
    owner: str
    kind: str
    numerator: str | None
    denominator: str | None
    scale: float
    hidden: bool
    default_where: Mapping[str, tuple[str | None, ...]]
    variants: Mapping[str, str]
    model: str | None
    grain: str
    is_as_of: bool
    is_set: bool
    is_additive: bool
    needs_numerator: bool
    counts_once: bool
    expression: str
    inputs: Mapping[str, str]
    record: str | None
    resolve_dimensions: Callable[[str], tuple[str, ...]] = field(repr=False, compare=False)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Short names of what it can be cut and filtered by, periods first (the first call starts MetricFlow)."""
        return self.resolve_dimensions(self.name)

    @property
    def is_ratio(self) -> bool:
        """Whether the value is a quotient, shown with its numerator and denominator."""
        return self.kind == "ratio"


@dataclass(frozen=True)
class Dimension:
    """Something that metrics are cut and filtered by.

    Attributes:
        name: the short name asked for.
        label, label_zh: what people read, in English and Chinese.
        description: what its values mean.
        is_time: whether it is a period of the metric's own date.
        is_unlisted: whether lists leave it out: the key of a record, which bounds the rows that a reader may see; or
            what only a calculation needs, such as how many days a lead took.
    """

    name: str
    label: str
    label_zh: str
    description: str
    is_time: bool
    is_unlisted: bool = False


TIME_DIMENSIONS = {
    name: Dimension(name, name.capitalize(), label_zh, f"{name.capitalize()} of the metric's own date.", is_time=True)
    for name, label_zh in {"day": "日", "week": "周", "month": "月", "quarter": "季度", "year": "年"}.items()
}


@dataclass(frozen=True)
class _Measure:
    model: str
    aggregation: str
    grain: str
    record: str | None


class Catalogue:
    """The metrics and dimensions of one semantic manifest.

    Attributes:
        metrics: name → metric.
        dimensions: name → dimension.
        views: dimensions that some metric has a default value of, or that are declared as a view. Each of their values
            shows all the rows once more, in another way (the attribution model, a feature of customers), so several of
            them together would count every row several times.
    """

    def __init__(self, manifest: dict[str, Any], resolve_dimensions: Callable[[str], frozenset[str]]) -> None:
        """Read a manifest as dbt writes it.

        Args:
            manifest: the semantic manifest.
            resolve_dimensions: finds the dimensions of a metric by its name; called when they are first asked for.

        Raises:
            UnusableManifest: if a ratio or derived metric filters or shifts its inputs, or refers to none.
        """
        measures = {
            measure["name"]: _measure(model, measure)
            for model in manifest["semantic_models"]
            for measure in model["measures"]
        }

        def in_order(name: str) -> tuple[str, ...]:
            found = resolve_dimensions(name)
            return tuple(name for name, known in self.dimensions.items() if name in found and not known.is_unlisted)

        self.metrics = {declared["name"]: _metric(declared, measures, in_order) for declared in manifest["metrics"]}
        self.views = frozenset(name for metric in self.metrics.values() for name in metric.default_where) | {
            dimension["name"]
            for model in manifest["semantic_models"]
            for dimension in model["dimensions"]
            if _meta(dimension).get("view")
        }
        self.dimensions = dict(TIME_DIMENSIONS)
        for model in manifest["semantic_models"]:
            for declared in model["dimensions"]:
                if declared["type"] == "categorical" and not _meta(declared).get("hidden"):
                    self._add_dimension(declared)
        for metric in self.metrics.values():
            self._check_references(metric)

    def metric(self, name: str) -> Metric:
        """Return the metric of that name.

        Raises:
            UnknownMetric: with the names most alike.
        """
        if name not in self.metrics:
            raise UnknownMetric(f"There is no metric {name!r}.{nearest(name, self.metrics)} See `loupan metrics list`.")
        return self.metrics[name]

    def dimension(self, name: str) -> Dimension:
        """Return the dimension of that name.

        Raises:
            UnknownDimension: with the names most alike.
        """
        if name not in self.dimensions:
            raise UnknownDimension(f"There is no dimension {name!r}.{nearest(name, self.dimensions)}")
        return self.dimensions[name]

    def _add_dimension(self, declared: dict[str, Any]) -> None:
        name = declared["name"]
        known = self.dimensions.get(name)
        # A dimension may be declared by several facts; the one with a label describes it.
        if known is None or (declared.get("label") and known.label_zh == known.name):
            self.dimensions[name] = Dimension(
                name=name,
                label=declared.get("label") or name.replace("_", " ").capitalize(),
                label_zh=_meta(declared).get("label_zh") or declared.get("label") or name,
                description=(declared.get("description") or "").strip(),
                is_time=False,
                is_unlisted=bool(_meta(declared).get("is_key") or _meta(declared).get("unlisted")),
            )

    def _check_references(self, metric: Metric) -> None:
        referred = {metric.numerator, metric.denominator, *metric.inputs.values(), *metric.variants.values()} - {None}
        for name in referred:
            if name not in self.metrics:
                raise UnusableManifest(f"Metric {metric.name} refers to {name}, which is no metric.")


def _measure(model: dict[str, Any], measure: dict[str, Any]) -> _Measure:
    date = measure.get("agg_time_dimension") or model["defaults"]["agg_time_dimension"]
    (grain,) = (
        dimension["type_params"]["time_granularity"] for dimension in model["dimensions"] if dimension["name"] == date
    )
    if grain not in TIME_DIMENSIONS:
        raise UnusableManifest(f"Measure {measure['name']} is dated by {grain}; the gateway knows day and coarser.")
    records = [e["name"].removeprefix(RECORD_ENTITY) for e in model["entities"] if e["name"].startswith(RECORD_ENTITY)]
    if len(records) > 1:
        raise UnusableManifest(f"Rows of {model['name']} rest on one record each; {', '.join(records)} are declared.")
    return _Measure(model["name"], measure["agg"], grain, records[0] if records else None)


def _metric(
    declared: dict[str, Any],
    measures: Mapping[str, _Measure],
    resolve_dimensions: Callable[[str], tuple[str, ...]],
) -> Metric:
    name, kind, meta, parameters = declared["name"], declared["type"], _meta(declared), declared["type_params"]
    measure, expression, inputs = None, "", {}
    numerator, denominator = meta.get("numerator"), meta.get("denominator")
    if kind == "simple":
        measure = measures[parameters["measure"]["name"]]
    elif kind in ("derived", "ratio"):
        operands = [parameters["numerator"], parameters["denominator"]] if kind == "ratio" else parameters["metrics"]
        _refuse_conditions(declared, operands)
        if kind == "ratio":
            numerator, denominator = (operand["name"] for operand in operands)
        else:
            expression = parameters["expr"]
            inputs = {operand["alias"] or operand["name"]: operand["name"] for operand in operands}
    else:
        raise UnusableManifest(f"Metric {name} is of type {kind}; the gateway knows simple, derived and ratio.")
    label = declared.get("label") or name.replace("_", " ").capitalize()
    is_set = meta.get("no_rows") == "unknown"
    return Metric(
        name=name,
        label=label,
        label_zh=meta.get("label_zh") or label,
        description=(declared.get("description") or "").strip(),
        unit=meta.get("unit", "count"),
        date_basis=meta.get("date_basis", ""),
        better=meta.get("better", "neutral"),
        owner=meta.get("owner", ""),
        kind="ratio" if numerator and denominator else kind,
        numerator=numerator,
        denominator=denominator,
        scale=meta.get("scale", 1),
        hidden=bool(meta.get("hidden")),
        default_where={
            dimension: tuple(value) if isinstance(value, list) else (value,)
            for dimension, value in meta.get("default_where", {}).items()
        },
        variants=meta.get("variants", {}),
        model=measure.model if measure else None,
        grain=measure.grain if measure else "day",
        is_as_of=meta.get("date_basis") == "as_of",
        is_set=is_set,
        is_additive=measure is not None and measure.aggregation in _ADDITIVE and not is_set,
        needs_numerator=bool(meta.get("needs_numerator", meta.get("unit") != "percent")),
        counts_once=measure is not None and measure.aggregation == "count_distinct",
        expression=expression,
        inputs=inputs,
        record=measure.record if measure else None,
        resolve_dimensions=resolve_dimensions,
    )


def _refuse_conditions(declared: dict[str, Any], operands: list[dict[str, Any]]) -> None:
    """The gateway calculates with whole metrics; a condition on an operand would be lost without a word."""
    conditions = ("filter", "offset_window", "offset_to_grain")
    if declared.get("filter") or any(operand.get(condition) for operand in operands for condition in conditions):
        raise UnusableManifest(
            f"Metric {declared['name']} filters or shifts its operands. Declare a metric for each filtered operand."
        )


def _meta(declared: dict[str, Any]) -> dict[str, Any]:
    return (declared.get("config") or {}).get("meta") or {}
