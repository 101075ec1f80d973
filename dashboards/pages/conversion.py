"""Conversion: cohort rates over time and across sources, projects and people, with how sure they are."""

from __future__ import annotations

from functools import partial

from dashboards import filters, layout
from dashboards.charts.comparison import ranked, rated
from dashboards.charts.series import lines_by_month, rate_by_month
from dashboards.memory import remembered
from dashboards.pages import overview
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import marked
from loupan.i18n.codes import dimension_title
from loupan.ui.drawing import Drawing

_TILES = ("leads", "conversion_rate", "conversion_rate_90d", "gross_conversion_rate", "loss_rate", "days_to_contract")
_WINDOWS = {
    "to-date": ("conversion_rate", marked("To date")),
    "30d": ("conversion_rate_30d", marked("30 days")),
    "90d": ("conversion_rate_90d", marked("90 days")),
    "180d": ("conversion_rate_180d", marked("180 days")),
}
_CUTS = ("source", "project", "market_type", "department", "employee", "customer_class", "age_band", "income_band")
_STAGE_RATES = ("visit_rate", "small_booking_rate", "booking_rate", "gross_conversion_rate")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, _TILES)
    ui.section(t("Conversion by cohort"))
    window = filters.choice("window", list(_WINDOWS), "to-date", t("Window"), lambda code: t(_WINDOWS[code][1]))
    metric = _WINDOWS[window][0]
    layout.card(
        view,
        t("{metric} by month of entry", metric=view.label(metric)),
        by_month,
        metric,
        key="by_month",
        measures=(metric,),
        caption=_basis(view, window),
        tables=tables,
    )
    cuts = [cut for cut in _CUTS if cut in view.gateway.dimensions(metric)]
    cut = filters.choice("cut", cuts, "source", t("Cut by"), partial(dimension_title, t)) if cuts else "source"
    left, right = ui.columns(1.3, 1)
    with left:
        layout.card(
            view,
            t("{metric} compared", metric=view.label(metric)),
            by_cut,
            metric,
            cut,
            key="by_cut",
            measures=(metric,),
            caption=t("Points with 95% Wilson intervals."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Sales funnel"),
            overview.funnel,
            key="funnel",
            measures=("leads", *_STAGE_RATES),
            caption=t("Leads that came in during the period, and how far they have got."),
            tables=tables,
        )
        layout.card(
            view,
            t("Lost leads by reason"),
            loss_reasons,
            key="reasons",
            measures=("lost_leads",),
            tables=tables,
        )
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            t("Stages reached, by month of entry"),
            stage_rates,
            key="stages",
            measures=_STAGE_RATES,
            caption=t("Recent months have had less time to get there."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Loss rate by month of entry"),
            loss_rate,
            key="loss",
            measures=("loss_rate",),
            caption=t("Leads lost by now; undecided ones are not lost."),
            tables=tables,
        )
    layout.card(
        view,
        t("Days from lead to contract"),
        days_to_contract,
        key="days",
        measures=("days_to_contract",),
        caption=t(
            "Median among those who signed. Recent cohorts look fast, because their slow buyers have not signed yet."
        ),
        tables=tables,
    )


def _basis(view: View, window: str) -> str:
    if window == "to-date":
        return view.t("Share of each month's leads with a live deal by now.")
    return view.t("Share of leads with a first contract within the window; only leads whose window is over count.")


@remembered()
def by_month(view: View, metric: str) -> Drawing:
    """The cohort rate by month of entry, with Wilson intervals."""
    return rate_by_month(view, view.ask(metric, by=("month",)), metric)


@remembered()
def by_cut(view: View, metric: str, cut: str) -> Drawing:
    """The cohort rate by the values of a dimension; people by name and unranked."""
    return rated(view, metric, cut, most=24)


@remembered()
def loss_reasons(view: View) -> Drawing:
    """Leads of the period that were lost, by the reason given."""
    return ranked(view, "lost_leads", "reason", most=8, share=True)


@remembered()
def stage_rates(view: View) -> Drawing:
    """The share of each month's leads that reached each stage."""
    return lines_by_month(view, view.ask(*_STAGE_RATES, by=("month",)), _STAGE_RATES)


@remembered()
def loss_rate(view: View) -> Drawing:
    """The share of each month's leads that is lost by now."""
    return rate_by_month(view, view.ask("loss_rate", by=("month",)), "loss_rate")


@remembered()
def days_to_contract(view: View) -> Drawing:
    """The median time from lead to contract, by month of entry."""
    return lines_by_month(view, view.ask("days_to_contract", by=("month",)), ("days_to_contract",), height=260)
