"""What customers, and people who are none, said about activities."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from data_entry import forms
from data_entry.pages import charts
from data_entry.pages.desk import Desk
from data_entry.services import feedback
from data_entry.services.feedback import RATINGS, Filter, Tally
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked
from loupan.ui.drawing import HOVER, Drawing, figure, hover, value_axis
from loupan.ui.palette import COLOURS

_WHO: dict[str, tuple[str, bool | None]] = {
    "everybody": (marked("Everybody"), None),
    "customers": (marked("Customers"), True),
    "others": (marked("Non-customers"), False),
}
_MOST = 12


def draw(desk: Desk) -> None:
    """Draw the statistics, and the list."""
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom", key="feedback_top"):
        who = st.segmented_control(
            t("Said by"), list(_WHO), default="everybody", format_func=lambda w: t(_WHO[w][0]), key="feedback_who",
            required=True,
        )  # fmt: skip
        if desk.actor.may("create", "feedback") and st.button(
            t("New feedback"), icon=":material/add:", type="primary", key="feedback_new"
        ):
            forms.open_record(desk, "feedback", defaults={"received_at": _now(desk)})
    with st.expander(t("Filter"), icon=":material/filter_list:", key="feedback_filter"):
        left, right = ui.columns(1, 1)
        with left:
            period = st.date_input(t("Received between"), [], key="feedback_days", format="YYYY-MM-DD")
            project = forms.pick(desk, "project", t("Estate"), key="feedback_project")
        with right:
            activity = forms.pick(desk, "activity", t("Activity"), key="feedback_activity")
    days = list(period) if isinstance(period, (tuple, list)) else [period]
    wanted = Filter(
        since=days[0] if days else None, until=days[1] if len(days) > 1 else None, project_id=project,
        activity_id=activity, is_customer=_WHO[str(who)][1],
    )  # fmt: skip
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = feedback.statistics(work, wanted)
        condition = feedback.where(work, wanted)
    if not outcome.ok:
        return
    ui.facts(
        [
            (t("Contributions"), f"{found.everybody.count:,}"),
            (t("Mean rating"), _mean(found.everybody)),
            (t("Rated 4 or 5"), desk.formats.value(found.everybody.good, "percent")),
            (t("Customers"), f"{found.customers.count:,} · {_mean(found.customers)}"),
            (t("Non-customers"), f"{found.others.count:,} · {_mean(found.others)}"),
        ]
    )
    left, right = ui.columns(1, 1)
    with left:
        charts.card(desk, t("Ratings given"), _ratings(desk, found.customers, found.others), "feedback_ratings")
    with right:
        charts.card(
            desk, t("Activities most spoken about"), _activities(desk, found.by_activity[:_MOST]),
            "feedback_activities", t("Mean rating before the name; the bar is the number of contributions."),
        )  # fmt: skip
    ui.section(t("Feedback received"))
    forms.record_list(
        desk, "feedback", columns=("received_at", "rating", "text", "respondent_name", "customer_id", "activity_id"),
        where=condition, key="feedback_list", sort="received_at", descending=True,
        on_open=lambda key: forms.open_record(desk, "feedback", key),
    )  # fmt: skip


def _now(desk: Desk) -> Any:
    with desk.reading() as work:
        return work.now.replace(second=0, microsecond=0)


def _mean(tally: Tally) -> str:
    return f"{tally.mean:.2f}" if tally.mean is not None else NO_DATA


def _ratings(desk: Desk, customers: Tally, others: Tally) -> Drawing:
    if not customers.rated + others.rated:
        return Drawing(None)
    t, look = desk.t, charts.theme()
    colours = COLOURS[look]
    groups = [(t("Customers"), customers, colours.series[0]), (t("Non-customers"), others, colours.series[1])]
    traces = [
        {
            "type": "bar", "name": name, "x": [str(r) for r in RATINGS], "y": [tally.ratings[r] for r in RATINGS],
            "marker": {"color": colour}, "hovertemplate": HOVER,
            "customdata": [hover([name, f"{r}: {tally.ratings[r]:,}"]) for r in RATINGS],
        }
        for name, tally, colour in groups
    ]  # fmt: skip
    most = max(tally.ratings[r] for _, tally, _ in groups for r in RATINGS)
    drawn = figure(
        look, traces, 260, barmode="group", xaxis={"type": "category"},
        yaxis=value_axis(desk.formats, "count", 0, most, look),
    )  # fmt: skip
    table = pd.DataFrame({t("Rating"): [str(r) for r in RATINGS]})
    for name, tally, _ in groups:
        table[name] = [f"{tally.ratings[r]:,}" for r in RATINGS]
    alt = "; ".join(f"{name}: {_mean(tally)}" for name, tally, _ in groups)
    return Drawing(drawn, alt, table)


def _activities(desk: Desk, tallies: list[Tally]) -> Drawing:
    names = [tally.name or desk.t("Not assigned") for tally in tallies]
    notes = [desk.t("Rating: {rating} of 5", rating=_mean(tally)) for tally in tallies]
    labels = [f"{_mean(tally)} · {name}" for name, tally in zip(names, tallies, strict=True)]
    heads = (desk.t("Activity"), desk.t("Contributions"))
    return charts.bars(desk, labels, [float(tally.count) for tally in tallies], "count", heads, notes)
