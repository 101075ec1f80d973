"""What is asked on the page Explore, and how it stands in the address: as codes, the same in every language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboards.explore.shape import Shape, kinds
from dashboards.gateway import FILTERS, NO_VALUE, Gateway
from dashboards.names import names_of
from dashboards.view import View
from loupan.i18n import Translator, marked
from loupan.i18n.codes import is_unknown
from loupan.metrics import Metric
from loupan.metrics.catalogue import TIME_DIMENSIONS

MOST_METRICS = 3
MOST_DIMENSIONS = 2
HIGH, LOW, NAME = "high", "low", "name"
SORTS = (HIGH, LOW, NAME)
TOPS = (5, 10, 20, 50)
DEFAULT_TOP = 10
MOST_GROUPS = 10_000
"""Largest possible number of groups of a question that is answered."""
_FILTER = "w."
_OWN = frozenset({"m", "by", "chart", "sort", "top"})
# Another name of what `employee` cuts by: two people of one name must not become one.
_NOT_OFFERED = frozenset({"employee_name"})


@dataclass(frozen=True)
class Question:
    """What is asked; nothing of it is checked.

    Attributes:
        metrics: names.
        by: dimensions.
        where: values wanted per further dimension, `NO_VALUE` for none, beside the filters of every page.
        chart: a kind of chart; empty for the suggested one.
        sort: one of `SORTS`.
        top: how many values of a dimension the chart shows.
    """

    metrics: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    chart: str = ""
    sort: str = HIGH
    top: int = DEFAULT_TOP


@dataclass(frozen=True)
class Notice:
    """Why something in the address was left out: a message for the catalogue, and the values of its placeholders."""

    message: str
    values: tuple[tuple[str, str], ...] = ()

    def text(self, t: Translator) -> str:
        """Return it in the reader's language."""
        return t(self.message, **dict(self.values))


def is_own(parameter: str) -> bool:
    """Say whether a parameter of the address belongs to the question."""
    return parameter in _OWN or parameter.startswith(_FILTER)


def read(address: Mapping[str, Sequence[str]]) -> Question:
    """Return what an address asks, whatever stands in it; names and values are taken as they are."""

    def last(parameter: str) -> str:
        return next(reversed(address.get(parameter, ())), "")

    where = {
        parameter.removeprefix(_FILTER): tuple(dict.fromkeys(NO_VALUE if is_unknown(v) else v for v in values))
        for parameter, values in address.items()
        if parameter.startswith(_FILTER) and len(parameter) > len(_FILTER) and values
    }
    sort, top = last("sort"), last("top")
    return Question(
        tuple(dict.fromkeys(address.get("m", ()))),
        tuple(dict.fromkeys(address.get("by", ()))),
        tuple(sorted(where.items())),
        last("chart"),
        sort if sort in SORTS else HIGH,
        next((number for number in TOPS if str(number) == top), DEFAULT_TOP),
    )


def codes(question: Question) -> dict[str, list[str]]:
    """Return the parameters of the address that ask a question; defaults are left out."""
    written = {
        "m": list(question.metrics),
        "by": list(question.by),
        **{f"{_FILTER}{dimension}": list(values) for dimension, values in question.where},
        "chart": [question.chart] if question.chart else [],
        "sort": [question.sort] if question.sort != HIGH else [],
        "top": [str(question.top)] if question.top != DEFAULT_TOP else [],
    }
    return {parameter: values for parameter, values in written.items() if values}


def offered(gateway: Gateway) -> tuple[Metric, ...]:
    """Return the metrics to choose from, by area and name."""
    return tuple(sorted(gateway.metrics.list(), key=lambda metric: (metric.owner, metric.name)))


def dimensions(gateway: Gateway, metrics: Sequence[str]) -> tuple[str, ...]:
    """Return what all the metrics can be cut by, periods first.

    A state as of the data's date has no course over periods: all of them but one would be empty.
    """
    shared = gateway.dimensions(*metrics) - _NOT_OFFERED
    if any(_is_state(gateway, name) for name in metrics):
        shared -= TIME_DIMENSIONS.keys()
    return tuple(known.name for known in gateway.metrics.dimensions() if known.name in shared)


def filterable(gateway: Gateway, metrics: Sequence[str]) -> tuple[str, ...]:
    """Return what all the metrics can be filtered by beside the filters of every page."""
    fitting = gateway.filterable(*metrics) - {*TIME_DIMENSIONS, *FILTERS}
    return tuple(name for name in dimensions(gateway, metrics) if name in fitting)


def fitted(question: Question, view: View) -> tuple[Question, tuple[Notice, ...]]:
    """Return the question without what cannot be asked, and a notice for each thing left out."""
    gateway, notices = view.gateway, list[Notice]()
    question = replace(question, metrics=_metrics(question.metrics, gateway, notices))
    if not question.metrics:
        return Question(), tuple(notices)
    question = replace(question, by=_by(question, view, notices))
    question = replace(question, where=_where(question, view, notices))
    if question.chart not in kinds(shape(question, view)):
        question = replace(question, chart="")
    return question, tuple(notices)


def shape(question: Question, view: View) -> Shape:
    """Return what decides how the answer can be drawn."""
    periods = sum(name in TIME_DIMENSIONS for name in question.by)
    return Shape(
        metrics=len(question.metrics),
        periods=periods,
        categories=len(question.by) - periods,
        are_rates=all(view.is_estimate(metric, *question.by) for metric in question.metrics),
    )


def most_groups(question: Question, view: View) -> int:
    """Return how many groups the answer can have at most."""
    where, number = {**dict(view.where), **dict(question.where)}, 1
    for name in question.by:
        if name in TIME_DIMENSIONS:
            number *= len(view.periods(name))
        else:
            # One more: rows without a value.
            number *= len(where[name]) if name in where else len(view.gateway.values(name)) + 1
    return number


def is_summable(view: View, metric: str, *by: str) -> bool:
    """Say whether a metric's values in the groups of dimensions add up to that of all of them.

    They do not where a value holds others (a category those below it), or shows all rows again (an attribution model).
    """
    found = view.gateway.metric(metric)
    if found is None or not found.is_additive:
        return False
    return not any(name in found.variants or name in _views(view.gateway) for name in by)


def _is_state(gateway: Gateway, name: str) -> bool:
    found = gateway.metric(name)
    return found is not None and found.date_basis == "as_of"


def _views(gateway: Gateway) -> frozenset[str]:
    """Return the dimensions each value of which shows all the rows once more, such as the attribution model."""
    return frozenset(name for metric in gateway.metrics.list(hidden=True) for name in metric.default_where)


def _metrics(asked: Sequence[str], gateway: Gateway, notices: list[Notice]) -> tuple[str, ...]:
    known = {metric.name for metric in gateway.metrics.list()}
    notices += [
        Notice(marked("There is no metric called “{name}”."), (("name", name),)) for name in asked if name not in known
    ]
    found = tuple(name for name in asked if name in known)
    if len(found) > MOST_METRICS:
        notices.append(Notice(marked("At most three metrics are shown together; the first three are.")))
    return found[:MOST_METRICS]


def _by(question: Question, view: View, notices: list[Notice]) -> tuple[str, ...]:
    fitting = dimensions(view.gateway, question.metrics)
    kept: list[str] = []
    for name in question.by:
        if name not in fitting:
            notices.append(_unfit(name, question, view))
        elif name in TIME_DIMENSIONS and any(other in TIME_DIMENSIONS for other in kept):
            notices.append(Notice(marked("An answer is cut by one kind of period at a time.")))
        elif len(kept) == MOST_DIMENSIONS:
            notices.append(Notice(marked("An answer is cut by at most two dimensions.")))
        else:
            kept.append(name)
    return tuple(kept)


def _where(question: Question, view: View, notices: list[Notice]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    fitting, kept = filterable(view.gateway, question.metrics), []
    for name, asked in question.where:
        if name not in fitting:
            notices.append(_unfit(name, question, view))
            continue
        known = set(view.gateway.choices(name))
        notices += [
            Notice(
                marked("“{value}” is not, or no longer, among the values of {dimension}."),
                (("value", names_of(view, name)(value)), ("dimension", view.title(name))),
            )
            for value in asked
            if value not in known
        ]
        values = tuple(value for value in asked if value in known)
        if len(values) > 1 and name not in question.by and not _can_join(name, question, view.gateway):
            notices.append(
                Notice(
                    marked("Several values of {dimension} cannot be taken together here; the first is shown."),
                    (("dimension", view.title(name)),),
                )
            )
            values = values[:1]
        if values:
            kept.append((name, values))
    return tuple(kept)


def _can_join(dimension: str, question: Question, gateway: Gateway) -> bool:
    """Say whether rows with any of several values of a dimension can be asked for as one."""
    if dimension in _views(gateway):
        return False
    # A median cannot count a row once that stands under several categories of a tree.
    found = [metric for metric in map(gateway.metric, question.metrics) if metric is not None]
    return not any(dimension in metric.variants and not (metric.is_additive or metric.is_ratio) for metric in found)


def _unfit(name: str, question: Question, view: View) -> Notice:
    if name not in {known.name for known in view.gateway.metrics.dimensions()}:
        return Notice(marked("There is no dimension called “{name}”."), (("name", name),))
    labels = view.t(", ").join(view.label(metric) for metric in question.metrics)
    return Notice(
        marked("{dimension} does not fit {metrics} and is left out."),
        (("dimension", view.title(name)), ("metrics", labels)),
    )
