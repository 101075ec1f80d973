"""What happened and why, and what needs a decision: sentences of the overview, computed."""

from __future__ import annotations

import streamlit as st

from dashboards import filters, layout
from dashboards.change import change_of, largest
from dashboards.charts.change import parts_of_change
from dashboards.findings import findings
from dashboards.gateway import Period
from dashboards.memory import remembered
from dashboards.view import View
from data_entry.pages import links
from loupan import ui
from loupan.i18n.codes import dimension_title, value_label
from loupan.ui.drawing import Drawing

METRICS = ("contract_amount", "contracts", "leads", "conversion_rate_90d", "complaint_rate", "marketing_expense")
DIMENSIONS = ("project", "source", "department", "plan", "customer_class", "district")
_MOST = 6
_WIDTH = 230


def draw(view: View, tables: bool) -> None:
    """Draw what happened on the left, what needs a decision on the right."""
    left, right = ui.columns(1.25, 1)
    with left:
        _why(view, tables)
    with right:
        _decide(view)


def _why(view: View, tables: bool) -> None:
    t = view.t
    known = [metric for metric in METRICS if view.gateway.has(metric)]
    if not known:
        return
    with st.container(key="lp_why", horizontal=True, vertical_alignment="bottom"):
        metric = filters.selection("why", known, known[0], t("What changed"), view.label, _WIDTH)
        by = [name for name in DIMENSIONS if name in view.gateway.dimensions(metric)]
        if not by:
            return
        dimension = filters.selection(
            "why_by", by, by[0], t("Taken apart by"), lambda name: dimension_title(t, name), _WIDTH
        )
    layout.card(
        view,
        t("Why {metric} changed", metric=view.within(view.label(metric))),
        contributors,
        metric,
        dimension,
        key="why",
        measures=(metric,),
        caption=headline(view, metric),
        tables=tables,
    )


def earlier(view: View) -> Period:
    """Return the days a change is told against: those the reader compares with, else the period before."""
    return view.comparison or view.period.previous()


@remembered()
def contributors(view: View, metric: str, dimension: str) -> Drawing:
    """What each group adds to a metric's change against earlier days."""
    return parts_of_change(view, change_of(view, metric, dimension, earlier(view)))


@remembered()
def headline(view: View, metric: str) -> str:
    """Say how a metric changed against earlier days, and which group added most to it."""
    before = earlier(view)
    period = view.t("Against {start} – {end}.", start=view.formats.day(before.start), end=view.formats.day(before.end))
    return f"{period} {largest_part(view, metric)}".strip()


@remembered()
def largest_part(view: View, metric: str) -> str:
    """Say which group added most to a metric's change against earlier days; empty where none stands out."""
    found = largest(view, metric, DIMENSIONS, earlier(view))
    if found is None:
        return ""
    change, group = found
    return view.t(
        "Largest part: {dimension} {name} with {amount}.",
        dimension=view.within(dimension_title(view.t, change.dimension)),
        name=value_label(view.t, change.dimension, group),
        amount=view.formats.difference(float(change.parts[group]), view.unit(metric)),
    )


def _decide(view: View) -> None:
    t = view.t
    with st.container(border=True, key="lp_card_decide", height="stretch"):
        ui.card_title(t("What needs a decision"), t("Beyond what chance explains, or plainly due."))
        with layout.guarded(view):
            found = [f for f in findings(view) if not f.is_personal or links.is_open(f.page)]
            if not found:
                ui.message(t("Nothing stands out in this period."))
            for number, finding in enumerate(found[:_MOST]):
                if not links.is_open(finding.page):
                    ui.message(finding.text)
                elif st.button(ui.plain(finding.text), key=f"lp_finding_{number}", type="tertiary"):
                    links.go(finding.page, **_address(finding.filters))
            if len(found) > _MOST:
                ui.message(t("And {number} more.", number=len(found) - _MOST))


def _address(chosen: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """Return what goes into the address: the reader's choices, and over them those of the finding."""
    kept: dict[str, object] = {name: st.query_params.get_all(name) for name in ("period",) if name in st.query_params}
    return kept | {name: [value] for name, value in chosen}
