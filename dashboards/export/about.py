"""The context printed on everything that leaves the product: as-of, period, filters, definitions."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.export.exhibit import Exhibit
from dashboards.gateway import FILTERS
from dashboards.names import names_of
from dashboards.view import View
from loupan.i18n import marked
from loupan.i18n.codes import date_basis, dimension_title

_UNITS = {
    "count": marked("a number"),
    "percent": marked("a share, as a fraction of 1"),
    "per_100": marked("per 100"),
    "days": marked("in days"),
    "hours": marked("in hours"),
    "minutes": marked("in minutes"),
    "sqm": marked("in square metres"),
    "ratio": marked("a ratio"),
}


def moment(view: View) -> tuple[str, str]:
    """Return the line that says of what moment the data is."""
    return view.t("Data as of"), view.formats.moment(view.gateway.as_of, view.gateway.time_zone)


def period(view: View) -> tuple[str, str]:
    """Return the line that says which days are shown."""
    return view.t("Period"), f"{view.formats.day(view.period.start)} – {view.formats.day(view.period.end)}"


def filters(view: View, metrics: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return a line per filter in force, and one naming those that do not apply to the metrics.

    Args:
        view: the reader's view.
        metrics: what is shown; with none, every filter counts as applied.
    """
    t = view.t
    ignored = view.ignored(*metrics) if metrics else ()
    lines = [_filter(view, name) for name, _ in view.where if name in FILTERS and name not in ignored]
    lines += added(view, metrics)
    if not lines:
        lines.append((t("Filters"), t("none")))
    if ignored:
        lines.append((t("Filters without effect"), t(", ").join(dimension_title(t, name) for name in ignored)))
    return lines


def added(view: View, metrics: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return a line per filter that the page adds to those of every page, as far as it is one of the metrics'."""
    own = [name for name, _ in view.where if name not in FILTERS]
    return [_filter(view, name) for name in own if not metrics or any(name in view.applicable(m) for m in metrics)]


def context(exhibit: Exhibit) -> list[tuple[str, str]]:
    """Return what decides an exhibit's numbers, line by line: what is said, and the words."""
    view, t = exhibit.view, exhibit.view.t
    metrics = exhibit.metrics
    lines = [moment(view)]
    if metrics and all(view.is_state(metric) for metric in metrics):
        lines.append((t("Period"), date_basis(t, "as_of")))
    else:
        lines.append(period(view))
    lines += filters(view, exhibit.measures)
    if grade := exhibit.confidence:
        lines.append((grade.title, grade.reasons))
    drawing = exhibit.drawing
    cautions = " ".join(text for text in (exhibit.caption, *drawing.signals, drawing.note) if text)
    return [*lines, (t("Remarks"), cautions)] if cautions else lines


def definitions(view: View, metrics: Sequence[str]) -> list[tuple[str, str]]:
    """Return what metrics mean, one line each: its label, and definition, fraction, date, unit and name."""
    t = view.t
    lines = []
    for name in dict.fromkeys(metrics):
        metric = view.gateway.metric(name)
        if metric is None:
            continue
        parts = [t(metric.description)]
        if metric.numerator and metric.denominator:
            parts.append(f"{view.label(metric.numerator)} ÷ {view.label(metric.denominator)}")
        facts = (
            (t("Date basis"), date_basis(t, metric.date_basis)),
            (t("Measured as"), _unit(view, metric.unit)),
            (t("Name"), name),
        )
        parts += [t(": ").join(fact) for fact in facts]
        lines.append((view.label(name), " · ".join(parts)))
    return lines


def origin(view: View) -> tuple[str, str]:
    """Return the line that says from which published snapshot the numbers come."""
    return view.t("Snapshot"), view.gateway.version


def _filter(view: View, name: str) -> tuple[str, str]:
    return view.title(name), view.t(", ").join(map(names_of(view, name), dict(view.where)[name]))


def _unit(view: View, unit: str) -> str:
    return view.gateway.currency if unit == "currency" else view.t(_UNITS.get(unit, unit))
