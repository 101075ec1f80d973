"""Staff: people, projects and sources like for like, against the limits of chance; nobody is ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboards import filters, layout
from dashboards.charts.fair import calibration_plot, fair_rates
from dashboards.charts.funnel import fair_funnel, funnel_plot
from dashboards.comparison_inputs import EMPLOYEE, MEASURES, SALES, UNITS, measures_of
from dashboards.fair_comparison import FairComparison, checked, compared, is_too_large
from dashboards.memory import remembered
from dashboards.names import employee_names
from dashboards.simpson_notice import misleading
from dashboards.view import View
from loupan import ui
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import NOTHING, Column, Drawing

# Measures to compare people by, and whose each case is.
COMPARED = {
    SALES: marked("Who signed the contract, by shares where several did."),
    "conversion_rate": marked("Owner of the lead at entry, whoever owns it now."),
    "complaints_per_100_served": marked("The person whose conduct or promise the complaint concerns."),
    "reply_timeliness_rate": marked("The person who had to reply."),
    "follow_up_satisfaction": marked("The person whose answer was rated."),
    "customer_satisfaction": marked("The person whom the survey asked about."),
}
_COLUMNS = (
    "leads",
    "conversion_rate",
    "contracts",
    "contract_amount",
    "complaints_per_100_served",
    "reply_timeliness_rate",
    "follow_up_satisfaction",
    "customer_satisfaction",
)
_MOST_SAID = 3


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    units = [unit for unit in UNITS if measures_of(view, unit)]
    if not units:
        layout.no_data(view)
        return
    with st.container(horizontal=True, key="lp_compared", gap="medium"):
        unit = filters.choice("unit", units, units[0], t("Who is compared"), lambda code: t(UNITS[code]))
        metrics = measures_of(view, unit)
        metric = filters.choice("metric", metrics, metrics[0], t("Compared by"), view.label)
    label, whose = view.label(metric), t(COMPARED[metric]) if unit == EMPLOYEE else ""
    _alarm(view, metric, unit)
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            t("{metric} like for like", metric=label),
            like_for_like,
            metric,
            unit,
            key="fair",
            measures=(metric,),
            caption=" ".join(
                [whose, t("What happened against what these very cases would lead one to expect.")]
            ).strip(),
            tables=tables,
        )
    with right:
        if metric == SALES:
            _how_numbers_are_compared(view)
        else:
            layout.card(
                view,
                t("{metric} as counted", metric=label),
                people,
                metric,
                unit,
                key="people",
                measures=(metric,),
                caption=whose,
                tables=tables,
            )
    layout.card(
        view,
        t("{metric}: as counted and like for like", metric=label),
        rates,
        metric,
        unit,
        key="rates",
        measures=(metric,),
        caption=t("By name, not ranked."),
        tables=tables,
    )
    if metric != SALES:
        left, right = ui.columns(1.2, 1)
        with left:
            _how_it_is_made_fair(view, metric, unit)
        with right:
            layout.card(
                view,
                t("Can the expectation be trusted?"),
                trusted,
                metric,
                unit,
                key="trusted",
                measures=(metric,),
                caption=t(
                    "Cases in groups from the lowest expectation to the highest; each was left out when it was formed."
                ),
                tables=tables,
            )
    if unit != EMPLOYEE:
        return
    layout.card(
        view,
        t("Each person's work"),
        work,
        key="work",
        caption=t("By name. Rates on fewer than 30 cases are in brackets: they say little about the person."),
        tables=True,
        is_switchable=False,
    )


def _alarm(view: View, metric: str, unit: str) -> None:
    """Say where the crude order of two misleads."""
    with layout.guarded(view):
        found = compared(view, metric, unit)
        said = misleading(view, found) if found else ()
        if not said:
            return
        with st.container(border=True, key="lp_card_alarm"):
            ui.card_title(view.t("Where the order as counted misleads"))
            for sentence in said[:_MOST_SAID]:
                ui.message(sentence)
            if len(said) > _MOST_SAID:
                ui.message(view.t("And {number} more.", number=len(said) - _MOST_SAID))


def _how_it_is_made_fair(view: View, metric: str, unit: str) -> None:
    """Show what is taken out and why."""
    t = view.t
    with st.container(border=True, key="lp_card_inputs", height="stretch"), layout.guarded(view):
        ui.card_title(
            t("How the comparison is made fair"),
            t("Taken out is what those compared do not decide on. What is not known counts as a group of its own."),
        )
        found = compared(view, metric, unit)
        if found is None:
            if said := _why_not_compared(view, metric, unit):
                ui.message(said)
            else:
                layout.no_data(view, (metric,))
            return
        ui.table(inputs_taken_out(view, found), t("How the comparison is made fair"), is_words=True)
        if MEASURES[metric].left_in:
            ui.message(t(MEASURES[metric].left_in))


def _how_numbers_are_compared(view: View) -> None:
    """Say what contracts are compared with."""
    t = view.t
    with st.container(border=True, key="lp_card_inputs", height="stretch"):
        ui.card_title(t("How the comparison is made fair"))
        for sentence in (
            t(
                "Expected is an equal part of what was signed in a project and month, among all who had a lead or "
                "signed a contract there then. So neither a good project nor a good month makes anybody look good."
            ),
            t("How many leads each was handed is not taken out: what was made of them is told by the conversion rate."),
            t("Months in which a person was alone in a project say nothing about that person and are left out."),
            t("Who was there for a few days only is expected to sign as much as the others of that month."),
            t("Amounts are not compared: a few dear units decide them, and no limits of chance hold for money."),
        ):
            ui.message(sentence)


def inputs_taken_out(view: View, found: FairComparison) -> pd.DataFrame:
    """Return what is taken out, why, and how far apart it alone would put the units with enough cases."""
    t, units = view.t, found.adjusted
    reasons = {i.dimension: t(i.reason) for i in MEASURES[found.metric].applicable(view, found.unit)}
    reach = np.exp(np.ptp(units.mix[units.has_enough], axis=0)) if units.has_enough.any() else []
    return pd.DataFrame(
        {
            t("Taken out"): [view.title(name) for name in units.inputs],
            t("Why"): [reasons[name] for name in units.inputs],
            t("Best mix against worst"): [f"×{value:.2f}" for value in reach],
        }
    )


@remembered()
def like_for_like(view: View, metric: str, unit: str) -> Drawing:
    """Observed ÷ expected of every unit, with the limits of chance."""
    found = compared(view, metric, unit)
    return fair_funnel(view, found) if found else _not_compared(view, metric, unit)


@remembered()
def rates(view: View, metric: str, unit: str) -> Drawing:
    """Rates as counted, adjusted for mix, and pulled together, by name."""
    found = compared(view, metric, unit)
    return fair_rates(view, found) if found else _not_compared(view, metric, unit)


@remembered()
def trusted(view: View, metric: str, unit: str) -> Drawing:
    """What was expected against what happened."""
    found = checked(view, metric, unit)
    return calibration_plot(view, metric, found) if found else _not_compared(view, metric, unit)


def _not_compared(view: View, metric: str, unit: str) -> Drawing:
    """Say why nothing is compared, where there is anything at all."""
    said = _why_not_compared(view, metric, unit)
    return Drawing(None, table=pd.DataFrame({view.title(unit): [said]})) if said else NOTHING


def _why_not_compared(view: View, metric: str, unit: str) -> str:
    """Return whether there is too little to compare, or too much; empty if there is nothing at all."""
    frame = view.ask(metric, by=(unit,))
    if frame.empty or metric not in frame or not frame[metric].notna().any():
        return ""
    if is_too_large(view, metric, unit):
        return view.t("Too many cases to compare like for like at once; choose an estate, or a shorter period.")
    return view.t("Too few cases in this period to compare like for like; choose a longer one.")


@remembered()
def people(view: View, metric: str, unit: str = EMPLOYEE) -> Drawing:
    """One rate of every person, project or source against the size of its denominator, with the limits of chance."""
    frame = view.ask(metric, by=(unit,))
    if frame.empty:
        return NOTHING
    assigned = frame[frame[unit].notna()]
    return funnel_plot(view, assigned, unit, metric)


@remembered()
def work(view: View) -> Drawing:
    """Volumes and rates of every employee with any work in the period, by name."""
    values: dict[str, dict[Any, Any]] = {}
    sizes: dict[str, dict[Any, Any]] = {}
    for metric in _COLUMNS:
        if "employee" not in view.gateway.dimensions(metric):
            continue
        frame = view.ask(metric, by=("employee",))
        if frame.empty or metric not in frame:
            continue
        by_number = frame[frame["employee"].notna()].set_index("employee")
        values[metric] = by_number[metric].to_dict()
        if f"{metric}__denominator" in by_number:
            sizes[metric] = by_number[f"{metric}__denominator"].to_dict()
    if not values:
        return NOTHING
    names = employee_names(view)
    numbers = sorted({number for column in values.values() for number in column}, key=names.__getitem__)
    heads = Column(view.t("Employee"), [names[number] for number in numbers])
    columns, texts = [heads], {heads.title: heads.values}
    for metric, column in values.items():
        label, size = view.label(metric), sizes.get(metric, {})
        columns.append(Column(label, [column.get(n) for n in numbers], view.unit(metric), metric))
        texts[label] = [_written(view, metric, column.get(n), size.get(n, ENOUGH)) for n in numbers]
        if size:
            columns.append(Column(f"{label}, n", [size.get(n) for n in numbers], "count"))
    return Drawing(None, table=pd.DataFrame(texts), columns=columns)


def _written(view: View, metric: str, value: float | None, size: float) -> str:
    text = view.write(value, metric)
    is_few = is_missing(size) or size < ENOUGH
    return f"({text})" if is_few and not is_missing(value) else text
