"""Overview: the company's figures of the period, the course of sales, prospects, projects and complaints."""

from __future__ import annotations

from dashboards import layout
from dashboards.charts.comparison import ranked, stages
from dashboards.charts.series import Bars, columns_and_line, rate_by_month
from dashboards.memory import remembered
from dashboards.pages import headlines
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.ui.drawing import NOTHING, Drawing

TILES = (
    "contract_amount",
    "contracts",
    "leads",
    "conversion_rate",
    "complaint_rate",
    "return_on_expense",
)
_FUNNEL = ("leads", "visit_rate", "small_booking_rate", "booking_rate", "gross_conversion_rate")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, TILES)
    headlines.draw(view, tables)
    left, right = ui.columns(1.55, 1)
    with left:
        layout.card(
            view,
            t("Contract amount by month"),
            monthly_amount,
            key="amount",
            measures=("contract_amount",),
            caption=t("Gross, cancelled and net, in the month it happened."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Sales funnel"),
            funnel,
            key="funnel",
            measures=_FUNNEL,
            caption=t("Leads that came in during the period, and how far they have got."),
            tables=tables,
        )
    left, middle, right = ui.columns(1, 1, 1)
    with left:
        layout.card(
            view,
            t("Where leads come from"),
            source_structure,
            key="sources",
            measures=("leads",),
            caption=t("Leads by source, with their share."),
            tables=tables,
        )
    with middle:
        layout.card(
            view,
            t("Contract amount by project"),
            projects,
            key="projects",
            measures=("contract_amount",),
            caption=t("Net; the project filter highlights."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Complaint rate by month"),
            complaints,
            key="complaints",
            measures=("complaint_rate",),
            caption=t("Valid complaints per 100 customer-months."),
            tables=tables,
        )


@remembered()
def monthly_amount(view: View) -> Drawing:
    """Gross, cancelled (downwards) and net contract amount by month."""
    names = ("contract_amount_gross", "contract_amount_cancelled", "contract_amount")
    frame = view.ask(*names, by=("month",))
    if frame.empty or "contract_amount" not in frame:
        return NOTHING
    by_month = frame.set_index("month")
    gross, net = by_month["contract_amount_gross"], by_month["contract_amount"]
    cancelled = -by_month["contract_amount_cancelled"] if "contract_amount_cancelled" in by_month else gross * 0
    return columns_and_line(
        view,
        [Bars("contract_amount_gross", gross, "main"), Bars("contract_amount_cancelled", cancelled, "bad")],
        Bars("contract_amount", net, "accent"),
    )


@remembered()
def funnel(view: View) -> Drawing:
    """How many of the period's leads reached each stage or a later one."""
    frame = view.ask(*_FUNNEL)
    if frame.empty or "leads" not in frame:
        return NOTHING
    row = frame.iloc[0]
    reached = {
        "visit_rate": view.t("Visit"),
        "small_booking_rate": view.t("Small booking"),
        "booking_rate": view.t("Booking"),
        "gross_conversion_rate": view.t("Contract"),
    }
    counts = {view.t("Lead"): float(row["leads"])}
    for metric, name in reached.items():
        if f"{metric}__numerator" in frame:
            counts[name] = float(row[f"{metric}__numerator"])
    return stages(view, list(counts), list(counts.values()))


@remembered()
def source_structure(view: View) -> Drawing:
    """Leads by source."""
    return ranked(view, "leads", "source", most=9, share=True)


@remembered()
def projects(view: View) -> Drawing:
    """Net contract amount by project, the chosen ones in colour."""
    return ranked(view, "contract_amount", "project", most=9)


@remembered()
def complaints(view: View) -> Drawing:
    """Complaints per 100 customer-months by month, within the limits of its ordinary variation."""
    return rate_by_month(view, view.ask("complaint_rate", by=("month",)), "complaint_rate", height=290)
