"""The dictionary: what every metric and every dimension means, where it is shown, and what it is made of."""

from __future__ import annotations

import html

import streamlit as st

from dashboards import crm_words, filters, layout
from dashboards.documentation import model_address
from dashboards.memory import remembered
from dashboards.usage import pages_showing
from dashboards.view import View
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import links
from loupan import ui
from loupan.i18n import marked
from loupan.i18n.codes import date_basis, owner_words, value_label
from loupan.lineage import read_lineage
from loupan.metrics import Dimension, Metric
from loupan.settings import get_settings

_UNITS = {
    "count": marked("Number"),
    "currency": marked("Amount of money"),
    "percent": marked("Share, in percent"),
    "per_100": marked("Per 100"),
    "days": marked("Days"),
    "hours": marked("Hours"),
    "minutes": marked("Minutes"),
    "sqm": marked("Square metres"),
    "ratio": marked("Ratio"),
}
_BETTER = {"higher": marked("Higher"), "lower": marked("Lower"), "neutral": marked("Neither")}


def draw(view: View, tables: bool) -> None:
    """Draw the entry asked for, the search, and what it finds."""
    t = view.t
    asked = st.query_params.get("metric", "")
    entry = view.gateway.metric(asked) if asked else None
    if asked and entry is None:
        st.info(t("There is no metric called {name}.", name=ui.plain(asked)), icon=":material/info:")
    if entry is not None:
        with layout.guarded(view):
            _entry(view, entry)
    text = filters.search("q", t("Search the dictionary"), t("A name, or a word of the definition"))
    metrics = [metric for metric in view.gateway.metrics.list() if _is_found(text, _metric_texts(view, metric))]
    dimensions = [d for d in view.gateway.metrics.dimensions() if _is_found(text, _dimension_texts(d))]
    if not metrics and not dimensions:
        ui.message(t("Nothing in the dictionary holds these words."))
    if metrics:
        _metrics(view, metrics)
    if dimensions:
        _dimensions(view, dimensions)


def _is_found(text: str, texts: list[str]) -> bool:
    held = " ".join(texts).casefold()
    return all(word in held for word in text.casefold().split())


def _metric_texts(view: View, metric: Metric) -> list[str]:
    """Return what a search for a metric looks at, in every language whatever the reader's."""
    return [metric.name, metric.label, metric.label_zh, metric.description, view.t(metric.description)]


def _dimension_texts(dimension: Dimension) -> list[str]:
    return [dimension.name, dimension.label, dimension.label_zh, dimension.description]


def _metrics(view: View, metrics: list[Metric]) -> None:
    t = view.t
    ui.section(t("Metrics ({number})", number=len(metrics)))
    heads = [t("Metric"), t("Definition"), t("Unit of measure"), t("Better"), t("Answered for by")]
    rows = {
        place: [
            Cell(view.label(metric.name)),
            Cell(t(metric.description)),
            Cell(t(_UNITS.get(metric.unit, metric.unit))),
            Cell(t(_BETTER.get(metric.better, metric.better))),
            Cell(owner_words(t, metric.owner)),
        ]
        for place, metric in enumerate(metrics)
    }
    opened = table(view, [Column("", head) for head in heads], rows, title=t("Metrics"), key="lp_dictionary").open
    if opened is not None:
        st.query_params["metric"] = metrics[opened].name
        st.rerun()


def _dimensions(view: View, dimensions: list[Dimension]) -> None:
    t, uses = view.t, _uses(view)
    ui.section(t("Dimensions ({number})", number=len(dimensions)))
    heads = [t("Dimension"), t("Name"), t("Metrics it cuts")]
    rows = {
        place: [
            Cell(dimension_words(view, dimension)),
            Cell(dimension.name),
            Cell(f"{uses.get(dimension.name, 0):,}"),
        ]
        for place, dimension in enumerate(dimensions)
    }
    columns = [Column("", heads[0]), Column("", heads[1]), Column("", heads[2], is_number=True)]
    table(view, columns, rows, title=t("Dimensions"), key="lp_dictionary_dimensions", can_open=False)


@remembered(1)
def _uses(view: View) -> dict[str, int]:
    """Return how many metrics each dimension cuts."""
    counts: dict[str, int] = {}
    for metric in view.gateway.metrics.list():
        for name in metric.dimensions:
            counts[name] = counts.get(name, 0) + 1
    return counts


def dimension_words(view: View, dimension: Dimension) -> str:
    """Return what a dimension is called in the reader's language."""
    return (dimension.label_zh if view.language == "zh" else dimension.label) or dimension.name


def _entry(view: View, metric: Metric) -> None:
    t = view.t
    with st.container(border=True, key="lp_card_entry"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            ui.card_title(view.label(metric.name))
            if st.button(t("Close"), key="lp_switch_entry", type="tertiary", icon=":material/close:"):
                st.query_params.pop("metric", None)
                st.rerun()
        st.html(f"<p>{html.escape(t(metric.description))}</p>")
        ui.pairs(_facts(view, metric))
        _made_of(view, metric)
        pages = pages_showing(metric.name, [known.name for known in view.gateway.metrics.list(hidden=True)])
        if pages:
            ui.message(t("Used on"))
            with st.container(horizontal=True):
                for page in pages:
                    links.link(page.path, t(page.title), page.icon)
        _origin(view, metric)


def _facts(view: View, metric: Metric) -> list[tuple[str, str]]:
    t = view.t
    facts = [
        (t("Name"), metric.name),
        (t("Unit of measure"), t(_UNITS.get(metric.unit, metric.unit))),
        (t("Date basis"), date_basis(t, metric.date_basis)),
        (t("Better"), t(_BETTER.get(metric.better, metric.better))),
        (t("Answered for by"), owner_words(t, metric.owner)),
    ]
    known = view.gateway.metrics.dimensions(metric.name)
    facts.append((t("Can be cut by"), t(", ").join(dimension_words(view, dimension) for dimension in known)))
    for dimension, values in metric.default_where.items():
        words = t(", ").join(value_label(t, dimension, value) for value in values)
        facts.append((t("Shown by default"), words))
    return [(name, value) for name, value in facts if value]


def _made_of(view: View, metric: Metric) -> None:
    """Lead to the metrics that a metric calculates with."""
    t = view.t
    parts = [(t("Numerator"), metric.numerator), (t("Denominator"), metric.denominator)]
    parts += [(t("Calculated with"), name) for name in metric.inputs.values() if not metric.is_ratio]
    with st.container(horizontal=True):
        for title, name in parts:
            if name is None:
                continue
            label = f"{title}: {view.label(name)}"
            if st.button(ui.plain(label), key=f"lp_part_{title}_{name}", icon=":material/functions:"):
                st.query_params["metric"] = name
                st.rerun()


def _origin(view: View, metric: Metric) -> None:
    """Name the tables of the CRM that a metric comes from, lead to the whole way, and to the models it is asked of."""
    t, lineage = view.t, read_lineage(get_settings())
    if lineage is None:
        return
    tables = sorted({crm_words.table_words(t, c.table_name) for c in lineage.crm_columns_of(metric.name)})
    if tables:
        ui.message(t("From the CRM's tables: {names}", names=t(", ").join(tables)))
        links.link("lineage", t("The way of the data"), ":material/account_tree:", metric=metric.name)
    models = sorted({column.table_name for column in lineage.columns_of(metric.name)})
    if models and links.is_open("data-status"):
        ui.message(t("Models in dbt"))
        ui.documents([(model_address(model), model) for model in models])
