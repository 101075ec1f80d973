"""Conversion: cohort rates over time and across sources, projects and people, with how sure they are."""

from __future__ import annotations

from functools import partial

from dashboards import filters, layout
from dashboards.charts import cohorts as by_entry
from dashboards.charts.comparison import ranked, rated
from dashboards.charts.incidence import BY_DAY, curves
from dashboards.charts.series import lines_by_month, rate_by_month
from dashboards.courses import LEADS, course, courses, earlier_course
from dashboards.memory import remembered
from dashboards.pages import overview
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import marked
from loupan.i18n.codes import dimension_title
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import NOTHING, Drawing

TILES = ("leads", "conversion_rate", "conversion_rate_90d", "gross_conversion_rate", "loss_rate", "days_to_contract")
_WINDOWS = {
    "to-date": ("conversion_rate", marked("To date")),
    "30d": ("conversion_rate_30d", marked("30 days")),
    "90d": ("conversion_rate_90d", marked("90 days")),
    "180d": ("conversion_rate_180d", marked("180 days")),
}
_CUTS = ("source", "project", "market_type", "department", "employee", "customer_class", "age_band", "income_band")
_GRAINS = ("month", "quarter")
_COUNTED = ("leads", "gross_conversion_rate")
_STAGE_RATES = ("visit_rate", "small_booking_rate", "booking_rate", "gross_conversion_rate")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, TILES)
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
    _signing(view, cut, tables)
    ui.section(t("On the way"))
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
            "Median among those who signed. Recent cohorts look fast, because their slow buyers have not signed yet; "
            "the line of those who will sign counts them as well."
        ),
        tables=tables,
    )


def _signing(view: View, cut: str, tables: bool) -> None:
    """Draw how many sign by which day, leads that are too young to tell counted for the days they were followed."""
    t = view.t
    ui.section(t("How many sign, and how soon"))
    layout.card(
        view,
        t("How many sign, by days since entry and {dimension}", dimension=view.within(view.title(cut))),
        by_days,
        cut,
        key="by_days",
        measures=_COUNTED,
        caption=t(
            "First contracts, cancelled later or not; a lost lead signs no more (Aalen–Johansen). Each lead counts for "
            "the days it was followed, so young and old leads can be compared."
        ),
        tables=tables,
    )
    horizons = [str(day) for day in LEADS.horizons]
    day = filters.choice("by_day", horizons, "180", t("Signed by day"), lambda code: t(BY_DAY, day=code))
    # Months with few leads tell little.
    usual = "month" if (view.value("leads") or 0) >= ENOUGH * len(view.months()) else "quarter"
    grain = filters.choice("grain", _GRAINS, usual, t("Period of entry"), partial(dimension_title, t))
    period = view.within(view.title(grain))
    left, right = ui.columns(1.3, 1)
    with left:
        layout.card(
            view,
            t("Signed by day {day}, by {period} of entry", day=day, period=period),
            cohorts,
            grain,
            int(day),
            key="cohorts",
            measures=_COUNTED,
            caption=t("What has signed to date, and what will have by that day, with 95% bands."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Where the leads stand, by {period} of entry", period=period),
            standing,
            grain,
            key="standing",
            measures=_COUNTED,
            caption=t("The more are undecided, the less the rate to date says."),
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
    """The median time from lead to contract, by month of entry: of those who have signed, and of those who will."""
    frame = view.ask("days_to_contract", by=("month",))
    return by_entry.half_times(view, frame, courses(view, LEADS, "month"), earlier_course(view))


@remembered()
def by_days(view: View, cut: str) -> Drawing:
    """The share that has signed by each day since entry, by the values of a dimension."""
    if cut not in view.gateway.dimensions("leads"):
        return NOTHING
    others = (cut,)
    chosen = dict(view.where).get(cut, ())
    return curves(view, LEADS, courses(view, LEADS, cut, others), course(view, LEADS, others), cut, chosen)


@remembered()
def cohorts(view: View, grain: str, day: int) -> Drawing:
    """What of each month or quarter has signed to date, and what will have signed by a day."""
    return by_entry.cohorts(view, grain, courses(view, LEADS, grain), earlier_course(view), day)


@remembered()
def standing(view: View, grain: str) -> Drawing:
    """Which shares of each month's or quarter's leads are signed, lost and undecided."""
    return by_entry.standing(view, grain, courses(view, LEADS, grain))
