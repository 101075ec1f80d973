"""The controls that write what the reader wants into the URL and show what stands there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from dashboards.gateway import FILTERS, Gateway, Period
from dashboards.view import (
    ALL_TIME,
    COMPARISONS,
    DEFAULT_PERIOD,
    PERIODS,
    PREVIOUS,
    YEAR_TO_DATE,
    View,
    company_date,
    last_months,
    period_of,
)
from loupan.formats import Formats
from loupan.i18n import LANGUAGES, Translator, translator
from loupan.i18n.codes import dimension_title, value_label
from loupan.ui import plain
from loupan.ui.drawing import shortened

_KEPT = ("lang", "period", "compare", "tables", *FILTERS)
_MEMORY = "lp_address"
_LONGEST_SEARCH = 100
_NAMED_AT_MOST = 5


def keep_address() -> None:
    """Bring the reader's choices back after a change of page: following a link of the menu empties the URL.

    Must come first in a run, before anything reads the URL.
    """
    memory = st.session_state.get(_MEMORY, {})
    page = urlsplit(st.context.url or "").path
    has_moved = memory.get("page") not in (None, page)
    if has_moved and not any(name in st.query_params for name in _KEPT):
        st.query_params.update(memory["kept"])
    kept = {name: st.query_params.get_all(name) for name in _KEPT if name in st.query_params}
    st.session_state[_MEMORY] = {"page": page, "kept": kept}


def asked_language() -> str | None:
    """Return the language in the URL, None where there is none."""
    asked = st.query_params.get("lang")
    return asked if asked in LANGUAGES else None


def browser_language() -> str:
    """Return the browser's language, else English."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def language_switch(current: str) -> None:
    """Offer the languages."""
    t = translator(current)
    _one("lang", list(LANGUAGES), current, write=LANGUAGES.__getitem__, label=t("Language"))


def tables_switch(t: Translator) -> bool:
    """Offer tables in place of every chart; return whether they are wanted."""
    st.session_state["lp_tables"] = st.query_params.get("tables") == "1"

    def write() -> None:
        _set("tables", ["1"] if st.session_state["lp_tables"] else [])

    return st.toggle(
        t("Tables instead of charts"),
        key="lp_tables",
        on_change=write,
        help=t("For screen readers and for copying numbers; each chart also has a switch of its own."),
    )


def choice(name: str, options: Sequence[str], default: str, label: str, write: Callable[[str], str]) -> str:
    """Offer one of a few options of a page, kept in the URL, and return the one in force.

    Args:
        name: the URL parameter.
        options: codes.
        default: the code in force when the URL has none or an unknown one; it is left out of the URL.
        label: what is chosen.
        write: writes a code for the reader.
    """
    asked = st.query_params.get(name, default)
    current = asked if asked in options else default
    _one(name, options, current, write=write, label=label, default=default)
    return current


def selection(
    name: str, options: Sequence[str], default: str, label: str, write: Callable[[str], str], width: int = 320
) -> str:
    """Offer one of many options of a page in a list, kept in the URL, and return the one in force.

    Args:
        name: the URL parameter.
        options: codes.
        default: the code in force when the URL has none or an unknown one; it is left out of the URL.
        label: what is chosen.
        write: writes a code for the reader.
        width: in pixels.
    """
    asked = st.query_params.get(name, default)
    key = f"lp_choose_{name}"
    st.session_state[key] = asked if asked in options else default

    def changed() -> None:
        chosen = st.session_state[key]
        _set(name, [chosen] if chosen != default else [])

    st.selectbox(label, options, key=key, format_func=write, on_change=changed, width=width)
    return str(st.session_state[key])


def search(name: str, label: str, placeholder: str) -> str:
    """Offer a field to search by, kept in the URL, and return what stands in it.

    Args:
        name: the URL parameter.
        label: what is searched.
        placeholder: what can be typed.
    """
    key = f"lp_search_{name}"
    st.session_state[key] = st.query_params.get(name, "")[:_LONGEST_SEARCH]

    def changed() -> None:
        text = st.session_state[key].strip()
        _set(name, [text] if text else [])

    st.text_input(
        label, key=key, placeholder=placeholder, max_chars=_LONGEST_SEARCH, on_change=changed, icon=":material/search:"
    )
    return str(st.session_state[key])


def bar(gateway: Gateway, language: str, theme: str, beside: Callable[[], None] = lambda: None) -> View:
    """Show the filters in a row and return the view they and the URL describe.

    Args:
        gateway: the snapshot's metrics.
        language: a key of `loupan.i18n.LANGUAGES`.
        theme: ``light`` or ``dark``.
        beside: draws what else stands in the row.
    """
    t, formats = translator(language), Formats(language, gateway.currency)
    last, first = _data_span(gateway)
    code = st.query_params.get("period", DEFAULT_PERIOD)
    period = period_of(code, last, first)
    if period is None:
        code, period = DEFAULT_PERIOD, last_months(PERIODS[DEFAULT_PERIOD], last)
    where = []
    gone: list[tuple[str, str]] = []
    with st.container(horizontal=True, key="lp_filters", gap="xsmall"):
        label = f"{_period_name(t, formats, code, period)}"
        with st.popover(plain(label), icon=":material/calendar_month:", key="lp_filter_period"):
            _period_controls(t, formats, code, period, first=first, last=last)
            st.caption(t("Compared with"))
            compare = choice("compare", list(COMPARISONS), PREVIOUS, t("Compared with"), lambda c: t(COMPARISONS[c]))
        for name in FILTERS:
            options = gateway.values(name)
            if not set(options) - {"unattributed"}:
                continue
            asked = st.query_params.get_all(name)
            chosen = tuple(v for v in asked if v in options)
            gone += [(name, v) for v in asked if v not in options]
            if chosen:
                where.append((name, chosen))
            _many(t, name, options, chosen)
        if where or code != DEFAULT_PERIOD or compare != PREVIOUS:
            st.button(
                t("Reset"), key="lp_reset", type="tertiary", icon=":material/close:", on_click=_reset, width="content"
            )
        beside()
    view = View(gateway, language, theme, period, tuple(where), compare)
    if gone:
        names = t(", ").join(
            f"{dimension_title(t, name)} “{shortened(value)}”" for name, value in gone[:_NAMED_AT_MOST]
        )
        st.caption(t("Not, or no longer, in the data, and left out of the filters: {names}.", names=plain(names)))
    if last < company_date(gateway):
        st.caption(
            t("Nothing has been recorded after {day}; periods are counted back from there.", day=formats.day(last))
        )
    return view


def toggle(name: str, value: str) -> None:
    """Add a value to a filter, or take it out again; for callbacks."""
    chosen = st.query_params.get_all(name)
    _set(name, [v for v in chosen if v != value] if value in chosen else [*chosen, value])


def unfiltered(gateway: Gateway, language: str, theme: str) -> View:
    """Return a view of all time, for pages without filters."""
    last, first = _data_span(gateway)
    return View(gateway, language, theme, Period(min(first, last), last))


def _period_controls(t: Translator, formats: Formats, code: str, period: Period, *, first: date, last: date) -> None:
    options = [*PERIODS, YEAR_TO_DATE, ALL_TIME]
    _one(
        "period",
        options,
        code if code in options else None,
        write=lambda c: _preset_name(t, c),
        label=t("Period"),
        default=DEFAULT_PERIOD,
        widget=st.pills,
    )
    months = [str(m) for m in pd.period_range(min(first, period.start), max(last, period.end), freq="M")]
    start, end = f"{period.start:%Y-%m}", f"{period.end:%Y-%m}"
    st.session_state["lp_from"], st.session_state["lp_to"] = start, end

    def write() -> None:
        chosen_from, chosen_to = sorted((st.session_state["lp_from"], st.session_state["lp_to"]))
        _set("period", [f"{chosen_from}..{chosen_to}"])

    left, right = st.columns(2)
    left.selectbox(t("From"), months, key="lp_from", format_func=formats.period_label, on_change=write)
    right.selectbox(t("To"), months, key="lp_to", format_func=formats.period_label, on_change=write)


def _period_name(t: Translator, formats: Formats, code: str, period: Period) -> str:
    if code in PERIODS or code in (YEAR_TO_DATE, ALL_TIME):
        return _preset_name(t, code)
    return f"{formats.month(period.start)} – {formats.month(period.end)}"


def _preset_name(t: Translator, code: str) -> str:
    if code == YEAR_TO_DATE:
        return t("This year")
    if code == ALL_TIME:
        return t("All time")
    return t("Last {number} months", number=PERIODS[code])


def _many(t: Translator, name: str, options: Sequence[str], chosen: Sequence[str]) -> None:
    title = dimension_title(t, name)
    if not chosen:
        label = t("{title}: all", title=title)
    else:
        label = f"{title}: {value_label(t, name, chosen[0])}" + (f" +{len(chosen) - 1}" if len(chosen) > 1 else "")
    key = f"lp_choose_{name}"
    st.session_state[key] = list(chosen)

    def write() -> None:
        _set(name, st.session_state[key])

    with st.popover(plain(label), key=f"lp_filter_{name}"):
        st.multiselect(
            title,
            options,
            key=key,
            format_func=lambda value: value_label(t, name, value),
            on_change=write,
            placeholder=t("All"),
            # Its words are English in every language.
            select_all=False,
        )


def _one(
    name: str,
    options: Sequence[str],
    current: str | None,
    *,
    write: Callable[[str], str],
    label: str,
    default: str | None = None,
    widget: Callable[..., object] = st.segmented_control,
) -> None:
    key = f"lp_choose_{name}"
    st.session_state[key] = current

    def changed() -> None:
        chosen = st.session_state[key]
        _set(name, [chosen] if chosen != default else [])

    widget(
        label,
        options,
        key=key,
        format_func=write,
        on_change=changed,
        label_visibility="collapsed",
        required=True,
    )


def _set(name: str, values: Sequence[str]) -> None:
    if values:
        st.query_params[name] = list(values)
    else:
        st.query_params.pop(name, None)


def _reset() -> None:
    for name in ("period", "compare", *FILTERS):
        st.query_params.pop(name, None)


def _data_span(gateway: Gateway) -> tuple[date, date]:
    """Return the last day periods are counted back from, and the first day with data.

    The as-of is that last day, unless nothing was recorded in the year before it: an import of old data would open on
    empty charts.
    """
    as_of = company_date(gateway)
    first, last = gateway.span()
    if first is None or last is None:
        return as_of, as_of
    is_stale = (as_of - last).days > 366
    return (last if is_stale else as_of), first
