"""The way of the data: from the CRM's columns to a metric and the pages that show it, and back."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter

import pandas as pd
import streamlit as st

from dashboards import crm_words, filters, layout
from dashboards.charts.flow import Flow, Place, flows
from dashboards.usage import pages_showing
from dashboards.view import View
from data_entry.forms.table import Cell, table
from data_entry.forms.table import Column as Head
from loupan import ui
from loupan.lineage import CRM, ROWS, Column, Lineage, Step, read_lineage
from loupan.settings import get_settings
from loupan.ui.drawing import NOTHING, Drawing

_FROM_METRIC, _FROM_COLUMN = "metric", "column"
_LINES = 12


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t, lineage = view.t, read_lineage(get_settings())
    if lineage is None:
        st.info(t("The way of the data is not written down yet; the next refresh does."), icon=":material/info:")
        return
    words = {_FROM_METRIC: t("Where a metric comes from"), _FROM_COLUMN: t("What depends on a column of the CRM")}
    # An address that names a column alone asks for the way forward.
    default = _FROM_COLUMN if "column" in st.query_params and "metric" not in st.query_params else _FROM_METRIC
    side = filters.choice("way", list(words), default, t("Direction"), words.__getitem__)
    if side == _FROM_METRIC:
        _metric(view, lineage, tables)
    else:
        _column(view, lineage)


def _metric(view: View, lineage: Lineage, tables: bool) -> None:
    t = view.t
    names = sorted((m.name for m in view.gateway.metrics.list() if m.name in lineage.metrics), key=view.label)
    if not names:
        layout.no_data(view)
        return
    metric = filters.selection("metric", names, names[0], t("Metric"), view.label)
    layout.card(
        view,
        t("The way to: {metric}", metric=view.label(metric)),
        picture,
        lineage,
        metric,
        key="lineage",
        caption=t("Blue: the values come from there. Grey: it decides which rows count."),
        tables=tables,
    )
    with st.container(border=True, key="lp_card_columns"):
        ui.card_title(
            t("Columns of the CRM"), t("What staff enter there moves the metric; a mistake there shows in it.")
        )
        ui.table(_crm_columns(view, lineage, metric), t("Columns of the CRM"), is_words=True)


def picture(view: View, lineage: Lineage, metric: str) -> Drawing:
    """The tables on the way from the CRM to a metric, and the pages that show it."""
    read = lineage.columns_of(metric)
    steps = lineage.upstream(read)
    if not steps:
        return NOTHING
    joined: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        joined.setdefault((step.source.table, step.target.table), []).append(step)
    layers = _layers(joined)
    joined = {pair: found for pair, found in joined.items() if pair[0] in layers}
    last = max(layers.values())
    places = [
        Place(table, _table_words(view, table), layer)
        for table, layer in sorted(layers.items(), key=lambda item: (item[1], item[0]))
    ]
    # Marts have long names, and those of pages stand to the left of their marks.
    places.append(Place("metric", view.label(metric), last + 1.5))
    end = last + 3.2
    streams = [_flow(view, *pair, found) for pair, found in sorted(joined.items())]
    for mart in sorted({column.table for column in read}):
        columns = sorted(column.column for column in read if column.table == mart and column.column != ROWS)
        streams.append(Flow(mart, "metric", max(len(columns), 1), (view.label(metric), *columns)))
    known = list(lineage.metrics)
    for page in pages_showing(metric, known):
        places.append(Place(page.path, view.t(page.title), end))
        streams.append(Flow("metric", page.path, 1, (view.t(page.title),)))
    named = pd.DataFrame(
        {
            view.t("From"): [_table_words(view, source) for source, _ in sorted(joined)],
            view.t("To"): [target.rpartition("/")[2] for _, target in sorted(joined)],
            view.t("Columns"): [view.t(", ").join(_names(found)) for _, found in sorted(joined.items())],
        }
    )
    sources = sorted({crm_words.table_words(view.t, c.table_name) for c in lineage.crm_columns_of(metric)})
    alt = view.t(
        "{metric} is made from {names} over {number} tables.",
        metric=view.label(metric),
        names=view.t(", ").join(sources),
        number=len(layers),
    )
    return flows(view, places, streams, named, alt)


def _flow(view: View, source: str, target: str, steps: list[Step]) -> Flow:
    names = _names(steps)
    shown = names[:_LINES] + ([view.t("and {number} more", number=len(names) - _LINES)] if names[_LINES:] else [])
    title = f"{source.rpartition('/')[2]} → {target.rpartition('/')[2]}"
    return Flow(source, target, len(names) or 1, (title, *shown), any(step.is_value for step in steps))


def _names(steps: list[Step]) -> list[str]:
    return sorted({step.source.column for step in steps} - {ROWS})


def _table_words(view: View, table: str) -> str:
    layer, _, name = table.rpartition("/")
    return crm_words.table_words(view.t, name) if layer == CRM else name


def _layers(pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Place every table that anything entered leads to one layer behind the last it reads."""
    read: dict[str, set[str]] = {}
    for source, target in pairs:
        read.setdefault(target, set()).add(source)
    layers: dict[str, int] = {}
    for name in TopologicalSorter(read).static_order():
        behind = [layers[source] + 1 for source in read.get(name, ()) if source in layers]
        if behind or Column(name, "").is_entered:
            layers[name] = max(behind, default=0)
    return layers


def _crm_columns(view: View, lineage: Lineage, metric: str) -> pd.DataFrame:
    t = view.t
    steps = lineage.upstream(lineage.columns_of(metric))
    valued = _valued(lineage.columns_of(metric), steps)
    columns = sorted(lineage.crm_columns_of(metric), key=lambda c: (c not in valued, c))
    return pd.DataFrame(
        {
            t("Record type"): [crm_words.table_words(t, c.table_name) for c in columns],
            t("Field"): [crm_words.column_words(t, c.table_name, c.column) for c in columns],
            t("Column"): [f"{c.table_name}.{c.column}" for c in columns],
            t("What for"): [t("the value") if c in valued else t("which rows count") for c in columns],
        }
    )


def _valued(read: frozenset[Column], steps: frozenset[Step]) -> set[Column]:
    """Return the columns that a value reaches the read columns from."""
    by_target: dict[Column, list[Column]] = {}
    for step in steps:
        if step.is_value:
            by_target.setdefault(step.target, []).append(step.source)
    found, waiting = set(read), list(read)
    while waiting:
        for source in by_target.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def _column(view: View, lineage: Lineage) -> None:
    t = view.t
    names = [f"{table}.{column}" for table, columns in lineage.crm_tables.items() for column in columns]
    if not names:
        layout.no_data(view)
        return

    def words(name: str) -> str:
        table, _, column = name.partition(".")
        return f"{crm_words.table_words(t, table)} · {crm_words.column_words(t, table, column)} ({name})"

    first = "lead.opened_at" if "lead.opened_at" in names else names[0]
    chosen = filters.selection("column", names, first, t("Column of the CRM"), words)
    table_name, _, column_name = chosen.partition(".")
    column = Column(f"{CRM}/{table_name}", column_name)
    known = list(lineage.metrics)
    visible = {metric.name: metric for metric in view.gateway.metrics.list()}
    metrics = sorted((n for n in lineage.metrics_on(column) if n in visible), key=view.label)
    dimensions = [d for d in view.gateway.metrics.dimensions() if d.name in lineage.dimensions_on(column)]
    tables = sorted({c.table_name for c in lineage.downstream(column) if c.layer == "marts"})
    ui.facts(
        [
            (t("Metrics"), f"{len(metrics):,}"),
            (t("Dimensions"), f"{len(dimensions):,}"),
            (t("Marts"), f"{len(tables):,}"),
        ]
    )
    if metrics:
        rows = {
            place: [
                Cell(view.label(name)),
                Cell(t(", ").join(t(page.title) for page in pages_showing(name, known)) or "–"),
            ]
            for place, name in enumerate(metrics)
        }
        heads = [Head("", t("Metric")), Head("", t("Used on"))]
        opened = table(view, heads, rows, title=t("Metrics that depend on it"), key="lp_depending").open
        if opened is not None:
            st.query_params.from_dict({**_language(), "way": _FROM_METRIC, "metric": metrics[opened]})
            st.rerun()
    else:
        ui.message(t("No metric depends on this column."))
    if dimensions:
        listed = [(d.label_zh if view.language == "zh" else d.label) for d in dimensions]
        ui.message(t("Dimensions made from it: {names}", names=t(", ").join(listed)))
    if tables:
        ui.message(t("Marts that depend on it: {names}", names=t(", ").join(tables)))


def _language() -> dict[str, str]:
    return {"lang": st.query_params["lang"]} if "lang" in st.query_params else {}
