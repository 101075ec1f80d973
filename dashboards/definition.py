"""What a number means, one click away: its definition, certainty and days, and the ways to its rows and its origin."""

from __future__ import annotations

import html

import pandas as pd
import streamlit as st

from dashboards import drill
from dashboards.charts.comparison import ratio_frame, ratio_interval
from dashboards.memory import remembered
from dashboards.view import View
from data_entry.pages import links
from loupan import ui
from loupan.i18n.codes import date_basis, dimension_title, owner_words
from loupan.metrics import Metric


def definition_button(view: View, metric: str) -> None:
    """Draw a metric's name as a button that opens its definition, with what else is to be known of the number.

    Args:
        view: the reader's view.
        metric: its name.
    """
    button = st.popover(
        ui.plain(view.label(metric)),
        type="tertiary",
        icon=":material/info:",
        key=f"lp_def_{metric}",
        on_change="rerun",
    )
    # Closed, it costs nothing: what stands in the popovers would be a fifth of what a page sends.
    if not button.open:
        return
    with button:
        st.html(told(view, metric))
        drill.button(view, (metric,), metric)
        if links.is_open("dictionary"):
            links.link("dictionary", view.t("In the dictionary"), ":material/dictionary:", metric=metric)


@remembered(512)
def told(view: View, metric: str) -> str:
    """Return the definition as HTML."""
    definition = view.gateway.metric(metric)
    if definition is None:
        return ""
    t, formats, before = view.t, view.formats, view.comparison
    rows = [(t("Definition"), t(definition.description))]
    if definition.numerator and definition.denominator:
        rows += [
            (t("Numerator"), view.label(definition.numerator)),
            (t("Denominator"), view.label(definition.denominator)),
        ]
    rows += certainty(view, definition, view.ask(metric))
    rows.append((t("Date basis"), date_basis(t, definition.date_basis)))
    if not view.is_state(metric):
        rows.append((t("Period"), f"{formats.day(view.period.start)} – {formats.day(view.period.end)}"))
        if before is not None:
            rows.append((t("Compared with"), f"{formats.day(before.start)} – {formats.day(before.end)}"))
    rows += [
        (t("Data as of"), formats.moment(view.gateway.as_of, view.gateway.time_zone)),
        (t("Answered for by"), owner_words(t, definition.owner)),
        (t("Name"), metric),
    ]
    ignored = view.ignored(metric)
    if ignored:
        rows.append((t("Filters without effect"), t(", ").join(dimension_title(t, name) for name in ignored)))
    body = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in rows)
    return f"<dl class='lp-definition'>{body}</dl>"


def certainty(view: View, definition: Metric, answer: pd.DataFrame) -> list[tuple[str, str]]:
    """Return how many cases a ratio rests on, and its 95 % interval where it has one, as the reader is told."""
    name = definition.name
    terms = ratio_frame(answer.assign(all=""), "all", name)
    if terms.empty:
        return []
    n = float(terms["denominator"].iloc[0])
    rows = [("n", view.write(n, str(definition.denominator)))]
    if view.is_estimate(name):
        low, high = ratio_interval(definition.unit, terms["numerator"], terms["denominator"], definition.scale)
        rows.append((view.t("95% interval"), view.formats.interval(low[0], high[0], definition.unit)))
    return rows
