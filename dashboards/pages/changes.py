"""What changed since an earlier snapshot: totals then and now, what is new, and months whose numbers became others."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import date

import pandas as pd
import streamlit as st

from dashboards import filters, layout
from dashboards.gateway import Gateway, earlier_versions, open_earlier
from dashboards.memory import remembered
from dashboards.view import View, company_date
from loupan import ui
from loupan.errors import LoupanError
from loupan.metrics import MetricChange, compare
from loupan.snapshot import Snapshot
from loupan.ui.drawing import NOTHING, Drawing

METRICS = (
    "leads", "visits", "conversion_rate_90d", "contracts", "contract_amount", "contract_amount_restated",
    "contracts_cancelled", "collected_amount", "complaints", "valid_complaints", "complaint_rate",
    "reply_timeliness_rate", "follow_up_satisfaction", "marketing_expense", "return_on_expense", "fee_billed",
    "fee_collected",
)  # fmt: skip
_MOST_MONTHS = 200
_WIDTH = 460


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    versions = earlier_versions(view.gateway)
    if not versions:
        ui.message(t("Only one snapshot is kept so far; there is nothing to compare with."))
        return
    chosen = filters.selection(
        "since", list(versions), next(iter(versions)), t("Since"), lambda v: _moment(view, versions[v]), _WIDTH
    )
    try:
        before = open_earlier(view.gateway, chosen)
    except LoupanError as error:
        st.error(ui.sentence(str(error)), icon=":material/error:")
        return
    st.html(f"<p class='lp-caption'>{html.escape(span(view, before))}</p>")
    _card(
        view, before, totals, t("Totals then and now"),
        t("Of all time, so that what was entered late or taken back shows as well."),
    )  # fmt: skip
    _card(
        view, before, restated_months, t("Months that became others"),
        t("Months that were over when the earlier snapshot was made, and whose numbers differ now."),
    )  # fmt: skip


def _card(
    view: View, before: Gateway, draw_table: Callable[[View, Gateway], Drawing], title: str, caption: str
) -> None:
    with layout.guarded(view):
        if draw_table(view, before).is_empty:
            with st.container(border=True, key=f"lp_card_{draw_table.__name__}"):
                ui.card_title(title, caption)
                ui.message(view.t("Nothing differs."))
            return
    layout.card(
        view, title, draw_table, before, key=draw_table.__name__, caption=caption, tables=True, is_switchable=False
    )


def _moment(view: View, snapshot: Snapshot) -> str:
    as_of, published = (
        view.formats.moment(moment, view.gateway.time_zone)
        for moment in (pd.Timestamp(str(snapshot.report["as_of"])).to_pydatetime(), snapshot.published_at)
    )
    return view.t("{as_of} (published {published})", as_of=as_of, published=published)


def span(view: View, before: Gateway) -> str:
    """Say which two moments of the data are compared."""
    now, then = (view.formats.moment(g.as_of, view.gateway.time_zone) for g in (view.gateway, before))
    return view.t("Data as of {then}, compared with data as of {now}.", then=then, now=now)


@remembered()
def _changes(view: View, before: Gateway) -> tuple[MetricChange, ...]:
    known = [m for m in METRICS if view.gateway.is_recorded(m) or before.is_recorded(m)]
    return tuple(compare(before.metrics, view.gateway.metrics, known))


@remembered()
def totals(view: View, before: Gateway) -> Drawing:
    """Every key metric of all time then and now, those that differ."""
    found = [change for change in _changes(view, before) if change.month is None]
    return _table(view, sorted(found, key=lambda change: METRICS.index(change.metric)), with_month=False)


@remembered()
def restated_months(view: View, before: Gateway) -> Drawing:
    """The months over at the earlier data's date whose numbers differ."""
    last = company_date(before)
    over = [c for c in _changes(view, before) if c.month is not None and _end(c.month) <= last]
    ordered = sorted(over, key=lambda change: (METRICS.index(change.metric), change.month or ""))
    drawing = _table(view, ordered[:_MOST_MONTHS], with_month=True)
    if len(ordered) <= _MOST_MONTHS:
        return drawing
    note = view.t("The first {number} of {all}.", number=_MOST_MONTHS, all=len(ordered))
    return Drawing(drawing.figure, drawing.alt, drawing.table, note)


def _end(month: str) -> date:
    return (pd.Timestamp(f"{month}-01") + pd.offsets.MonthEnd(0)).date()


def _table(view: View, changes: list[MetricChange], *, with_month: bool) -> Drawing:
    if not changes:
        return NOTHING
    t = view.t
    columns: dict[str, list[str]] = {t("Metric"): [view.label(change.metric) for change in changes]}
    if with_month:
        columns[t("Month")] = [view.formats.period_label(str(change.month)) for change in changes]
    columns |= {
        t("Then"): [view.write(_number(change.before), change.metric) for change in changes],
        t("Now"): [view.write(_number(change.after), change.metric) for change in changes],
        t("Difference"): [_difference(view, change) for change in changes],
    }
    return Drawing(None, "", pd.DataFrame(columns))


def _difference(view: View, change: MetricChange) -> str:
    amount = _number(change.absolute)
    return "–" if amount is None else view.formats.difference(amount, view.unit(change.metric))


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
