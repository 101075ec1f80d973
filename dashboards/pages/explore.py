"""Explore: any metrics by any dimensions, filtered by anything, drawn as suits; the question stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import streamlit as st

from dashboards import layout
from dashboards.explore import drawings, question, shape
from dashboards.explore.question import Notice, Question
from dashboards.names import names_of
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import Translator, marked
from loupan.i18n.codes import date_basis, dimension_title
from loupan.metrics.catalogue import TIME_DIMENSIONS

Option = TypeVar("Option", str, int)

_KEY = "lp_explore"
_AREAS = {
    "sales": marked("Sales"),
    "marketing": marked("Marketing"),
    "service": marked("Customer service"),
    "property": marked("Property"),
}
_SORTS = {
    question.HIGH: marked("Highest first"),
    question.LOW: marked("Lowest first"),
    question.NAME: marked("By name"),
}
_EXAMPLES = (
    Question(("contracts",), ("month",)),
    Question(("conversion_rate",), ("source",)),
    Question(("complaint_rate",), ("project", "quarter")),
    Question(("leads", "conversion_rate"), ("market_type",)),
    Question(("marketing_expense",), ("month", "expense_category")),
    Question(("fee_arrears",), ("fee_type",)),
)


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    asked = question.read({name: st.query_params.get_all(name) for name in st.query_params})
    asked, notices = question.fitted(asked, view)
    with st.container(border=True, key=_KEY):
        _metrics(view, asked)
        if asked.metrics:
            _cuts(view, asked)
            _filters(view, asked)
    _say(view.t, notices)
    if not asked.metrics:
        _examples(view)
        return
    # What cannot be put on all the metrics is put on none: tiles, charts and table speak of the same rows.
    applicable = view.applicable(*asked.metrics)
    ignored = [dimension_title(view.t, name) for name in view.ignored(*asked.metrics)]
    view = replace(view, where=tuple((name, values) for name, values in view.where if name in applicable))
    view = view.narrowed(asked.where)
    if ignored:
        ui.message(view.t("Not filtered by: {names}.", names=view.t(", ").join(ignored)))
    tiles(view, asked.metrics)
    groups = question.most_groups(asked, view)
    if groups > question.MOST_GROUPS:
        st.warning(
            view.t(
                "This asks for up to {number} groups, too many to show. Cut by less, choose longer periods, or filter.",
                number=f"{groups:,}",
            ),
            icon=":material/warning:",
        )
    elif asked.by:
        _answer(view, asked, tables)


def _answer(view: View, asked: Question, tables: bool) -> None:
    t = view.t
    kind = asked.chart or shape.kinds(question.shape(asked, view))[0]
    groups = () if tables else drawings.groups_of_metrics(view, asked, kind)
    for place, metrics in enumerate(groups):
        layout.card(
            view,
            _title(view, metrics, asked.by),
            drawings.chart,
            asked,
            kind,
            metrics,
            key=f"explore_{place}",
            measures=metrics,
            caption=_caption(view, metrics, asked.by),
        )
    layout.card(
        view,
        t("The whole answer"),
        drawings.table,
        asked,
        key="explore_table",
        measures=asked.metrics,
        caption=_caption(view, asked.metrics, asked.by) if tables else "",
        tables=True,
        is_switchable=False,
    )


def _title(view: View, metrics: Sequence[str], by: Sequence[str]) -> str:
    return view.heading(view.t(", ").join(view.label(metric) for metric in metrics), *by)


def _caption(view: View, metrics: Sequence[str], by: Sequence[str]) -> str:
    t = view.t
    found = [metric for metric in map(view.gateway.metric, metrics) if metric is not None]
    bases = dict.fromkeys(date_basis(t, metric.date_basis) for metric in found)
    words = t("Dated by: {basis}.", basis=t("; ").join(bases))
    if "employee" in by:
        words += " " + t("By name, not ranked: what people sell depends on what they are given.")
    return words


def _metrics(view: View, asked: Question) -> None:
    t = view.t
    areas = {metric.name: _AREAS.get(metric.owner, "") for metric in question.offered(view.gateway)}
    _many(
        t("Metrics"),
        list(areas),
        asked.metrics,
        lambda name: f"{t(areas[name])} · {view.label(name)}" if areas[name] else view.label(name),
        lambda chosen: _ask(view, replace(asked, metrics=chosen)),
        key="metrics",
        most=question.MOST_METRICS,
        placeholder=t("Choose up to three metrics; type to search"),
    )


def _cuts(view: View, asked: Question) -> None:
    t = view.t
    has_period = any(name in TIME_DIMENSIONS for name in asked.by)
    options = [
        name
        for name in question.dimensions(view.gateway, asked.metrics)
        if name in asked.by or not (has_period and name in TIME_DIMENSIONS)
    ]
    kinds = shape.kinds(question.shape(asked, view))
    is_ranking = bool(asked.by) and not has_period and "employee" not in asked.by
    left, middle, right = ui.columns(1.5, 1, 1)
    with left:
        _many(
            t("Cut by"),
            options,
            asked.by,
            view.title,
            lambda chosen: _ask(view, replace(asked, by=chosen)),
            key="by",
            most=question.MOST_DIMENSIONS,
            placeholder=t("Nothing, or up to two dimensions"),
        )
    with middle:
        if len(kinds) > 1:
            _one(
                t("Chart"),
                kinds,
                asked.chart or kinds[0],
                lambda kind: t(shape.KIND_NAMES[kind]),
                lambda kind: _ask(view, replace(asked, chart="" if kind == kinds[0] else kind)),
                key="chart",
            )
    with right:
        if is_ranking:
            with st.container(horizontal=True, gap="small"):
                _one(
                    t("Order"),
                    question.SORTS,
                    asked.sort,
                    lambda sort: t(_SORTS[sort]),
                    lambda sort: _ask(view, replace(asked, sort=sort)),
                    key="sort",
                )
                _one(
                    t("In the chart"),
                    question.TOPS,
                    asked.top,
                    lambda top: t("{number} at most", number=top),
                    lambda top: _ask(view, replace(asked, top=top)),
                    key="top",
                )


def _filters(view: View, asked: Question) -> None:
    """Offer further filters: one control for each that is set, and one to add another."""
    t, where = view.t, dict(asked.where)
    free = [name for name in question.filterable(view.gateway, asked.metrics) if name not in where]
    with st.container(horizontal=True, gap="xsmall", key=f"{_KEY}_filters"):
        for name, chosen in where.items():
            label = f"{view.title(name)}{t(': ')}{names_of(view, name)(chosen[0])}"
            with st.popover(
                ui.plain(label + (f" +{len(chosen) - 1}" if len(chosen) > 1 else "")), key=f"{_KEY}_w_{name}"
            ):
                _values(view, asked, name)
        if free:
            with st.popover(t("Add a filter"), icon=":material/add:", type="tertiary", key=f"{_KEY}_add"):
                name = st.selectbox(t("Filter by"), free, format_func=view.title, key=f"{_KEY}_dimension")
                if name in free:
                    _values(view, asked, name)


def _values(view: View, asked: Question, name: str) -> None:
    where = dict(asked.where)

    def write(chosen: tuple[str, ...]) -> None:
        changed = {**where, name: chosen}
        _ask(view, replace(asked, where=tuple(sorted((n, v) for n, v in changed.items() if v))))

    _many(
        view.title(name),
        view.gateway.choices(name),
        where.get(name, ()),
        names_of(view, name),
        write,
        key=f"values_{name}",
        placeholder=view.t("All"),
    )


def _many(
    label: str,
    options: Sequence[str],
    chosen: Sequence[str],
    write: Callable[[str], str],
    changed: Callable[[tuple[str, ...]], None],
    *,
    key: str,
    placeholder: str,
    most: int | None = None,
) -> None:
    at = f"{_KEY}_{key}"
    st.session_state[at] = list(chosen)
    st.multiselect(
        label,
        options,
        key=at,
        format_func=write,
        on_change=lambda: changed(tuple(st.session_state[at])),
        max_selections=most,
        placeholder=placeholder,
        # Its words are English in every language.
        select_all=False,
    )


def _one(
    label: str,
    options: Sequence[Option],
    chosen: Option,
    write: Callable[[Option], str],
    changed: Callable[[Option], None],
    *,
    key: str,
) -> None:
    at = f"{_KEY}_{key}"
    st.session_state[at] = chosen
    st.selectbox(label, options, key=at, format_func=write, on_change=lambda: changed(st.session_state[at]))


def _ask(view: View, asked: Question) -> None:
    """Write a question into the address; what a change has made unfit is dropped without a word."""
    for parameter in [name for name in st.query_params if question.is_own(name)]:
        del st.query_params[parameter]
    st.query_params.update(question.codes(question.fitted(asked, view)[0]))


def _say(t: Translator, notices: Sequence[Notice]) -> None:
    if notices:
        lines = dict.fromkeys(notice.text(t) for notice in notices)
        st.warning("\n".join(f"- {ui.sentence(line)}" for line in lines), icon=":material/warning:")


def _examples(view: View) -> None:
    ui.section(view.t("For example"))
    with st.container(horizontal=True, gap="small", key=f"{_KEY}_examples"):
        for place, example in enumerate(_EXAMPLES):
            fitted, notices = question.fitted(example, view)
            if notices or not all(map(view.gateway.is_recorded, example.metrics)):
                continue
            st.button(
                _title(view, fitted.metrics, fitted.by),
                key=f"{_KEY}_example_{place}",
                on_click=_ask,
                args=(view, fitted),
            )
