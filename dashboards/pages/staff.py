"""Staff: people against the limits of chance; nobody is ranked."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboards import filters, layout
from dashboards.charts.comparison import funnel_plot
from dashboards.memory import remembered
from dashboards.names import employee_names
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import NOTHING, Column, Drawing

# Rates to compare people by, and whose each case is.
COMPARED = {
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


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    metrics = [m for m in COMPARED if "employee" in view.gateway.dimensions(m)]
    if not metrics:
        layout.no_data(view)
        return
    metric = filters.choice("metric", metrics, metrics[0], t("Compared by"), view.label)
    layout.card(
        view,
        t("{metric} of each person", metric=view.label(metric)),
        people,
        metric,
        key="people",
        measures=(metric,),
        caption=t(COMPARED[metric]),
        tables=tables,
    )
    layout.card(
        view,
        t("Each person's work"),
        work,
        key="work",
        caption=t("By name. Rates on fewer than 30 cases are in brackets: they say little about the person."),
        tables=True,
        is_switchable=False,
    )


@remembered()
def people(view: View, metric: str) -> Drawing:
    """One rate of every employee against the size of its denominator, with the limits of chance."""
    frame = view.ask(metric, by=("employee",))
    if frame.empty:
        return NOTHING
    assigned = frame[frame["employee"].notna()]
    return funnel_plot(view, assigned, "employee", metric)


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
