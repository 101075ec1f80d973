"""Property fees: what was billed, what came in, and what is owed."""

from __future__ import annotations

from functools import partial

from dashboards import filters, layout
from dashboards.charts.comparison import ranked
from dashboards.charts.series import lines_by_month
from dashboards.memory import remembered
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n.codes import dimension_title
from loupan.ui.drawing import Drawing

_FLOWS = ("fee_billed", "fee_collected")
_ARREARS = "fee_arrears"
_TILES = (*_FLOWS, _ARREARS, "customer_satisfaction", "complaint_rate")
_CUTS = ("fee_type", "project", "customer_class", "customer_kind", "district")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, _TILES)
    layout.card(
        view,
        t("Billed and collected by month"),
        flows,
        key="flows",
        measures=_FLOWS,
        caption=t("Bills by the month they are for, payments by the day they were received."),
        tables=tables,
    )
    cuts = [cut for cut in _CUTS if cut in view.gateway.dimensions(*_FLOWS)] or ["project"]
    cut = filters.choice("by", cuts, cuts[0], t("Cut by"), partial(dimension_title, t))
    for column, metric in zip(ui.columns(1, 1), ("fee_collected", _ARREARS), strict=True):
        with column:
            layout.card(
                view,
                view.heading(view.label(metric), cut),
                by_cut,
                metric,
                cut,
                key=metric,
                measures=(metric,),
                caption=t("All that is due and unpaid as of the data's date.") if metric == _ARREARS else "",
                tables=tables,
            )


@remembered()
def flows(view: View) -> Drawing:
    """Fees billed and collected by month."""
    return lines_by_month(view, view.ask(*_FLOWS, by=("month",)), _FLOWS)


@remembered()
def by_cut(view: View, metric: str, cut: str) -> Drawing:
    """Fees by the values of a dimension."""
    return ranked(view, metric, cut, share=True)
