"""The key figures of a page as a table: the period's, and those of the days they are compared with."""

from __future__ import annotations

from dashboards.memory import remembered
from dashboards.view import View
from loupan.ui.drawing import NOTHING, Column, Drawing, written


@remembered()
def key_figures(view: View, metrics: tuple[str, ...]) -> Drawing:
    """Return metrics as a table, a column each: a row of the period, and one of the days compared with, if any.

    Args:
        view: the reader's view.
        metrics: names; unknown ones are left out.
    """
    known = [metric for metric in metrics if view.gateway.has(metric)]
    if not known:
        return NOTHING
    formats = view.formats
    periods = [view.period] if view.comparison is None else [view.period, view.comparison]
    spans = [f"{formats.day(period.start)} – {formats.day(period.end)}" for period in periods]
    columns = [Column(view.t("Period"), spans)]
    for metric in known:
        # A state is as of the data's date, in whatever period it stands: it has no earlier value.
        asked = periods[:1] if view.is_state(metric) else periods
        values: list[float | None] = [view.value(metric, period=period) for period in asked]
        values += [None] * (len(periods) - len(values))
        columns.append(Column(view.label(metric), values, view.unit(metric), metric))
    return Drawing(None, table=written(formats, columns), columns=columns)
