"""The parts that all pages are built of: style sheet, head, headings, tables, facts, escaped text."""

from __future__ import annotations

import html
import re
from collections.abc import Container, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from loupan.ui.palette import COLOURS


def _read(name: str) -> str:
    return Path(__file__).with_name(f"{name}.css").read_text(encoding="utf-8")


_STYLE = _read("style")
# What only holds while something is on the page has a sheet of its own. To ask for it with :has() in the style sheet
# of every page makes the browser compute the page's styles anew with everything that a chart draws.
_SHEETS = {name: _read(name) for name in ("bare", "full", "large", "paper", "rows")}
_CODE = re.compile(r"(?<!`)(`[^`\n]+`)(?!`)")


def style(theme: str) -> None:
    """Put the style sheet on the page."""
    colours = COLOURS[theme]
    given = {"surface": colours.surface, "on-primary": colours.on_primary, "main": colours.main}
    variables = " ".join(f"--lp-{name}: {value};" for name, value in given.items())
    st.html(f"<style>:root {{ {variables} }}\n{_STYLE}</style>")


def sheets(*names: str) -> None:
    """Put further style sheets on the page, for as long as this is drawn.

    Args:
        names: ``bare`` hides menu and controls, ``full`` is for full screen, ``paper`` for a page to be printed,
            ``large`` for a dialog as large as the window, ``rows`` for the dialog of rows.
    """
    st.html(f"<style>{''.join(_SHEETS[name] for name in names)}</style>")


def only_card(key: str) -> None:
    """Leave one card of the page, for as long as this is drawn: for paper.

    Args:
        key: the card's; one that the page has, as it goes into the style sheet.
    """
    card = f".st-key-lp_card_{key}"
    others = (
        f'[class*="st-key-lp_card_"]:not({card})',
        f'[data-testid="stColumn"]:not(:has({card}))',
        ".st-key-lp_tiles",
        ".lp-section:not(.lp-printed .lp-section)",
    )
    st.html(f"<style>:is({', '.join(others)}) {{ display: none; }}</style>")


def head(title: str, lead: str, as_of: str = "") -> None:
    """Write a page's title, its purpose in one line, and the moment its data is of."""
    moment = f"<p class='lp-asof'>{html.escape(as_of)}</p>" if as_of else ""
    st.html(
        f"<header class='lp-head'><div><h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p></div>{moment}</header>"
    )


def section(title: str) -> None:
    """Write a heading between groups of cards."""
    st.html(f"<h2 class='lp-section'>{html.escape(title)}</h2>")


def columns(*weights: float) -> Sequence[st.delta_generator.DeltaGenerator]:
    """Return columns that stand one under another on a telephone."""
    return st.columns(list(weights), gap="small")


def card_title(title: str, caption: str = "") -> None:
    """Write the title of a card that is not a chart, and a sentence under it."""
    st.html(f"<h3 class='lp-title'>{html.escape(title)}</h3>")
    if caption:
        st.html(f"<p class='lp-caption'>{html.escape(caption)}</p>")


def documents(addressed: Sequence[tuple[str, str]]) -> None:
    """Lead to documents that open beside the page: addresses on this server, and what stands there."""
    anchors = " ".join(
        f"<a class='lp-link' href='{html.escape(address)}' target='_blank' rel='noopener'>{html.escape(words)}</a>"
        for address, words in addressed
    )
    st.html(f"<nav>{anchors}</nav>")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Show a few facts side by side."""
    cells = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in pairs)
    st.html(f"<dl class='lp-facts'>{cells}</dl>")


def pairs(named: Sequence[tuple[str, str]]) -> None:
    """Write values with what they are called, one under another; unlike facts, as often as needed."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in named)
    st.html(f"<dl class='lp-pairs'>{rows}</dl>")


def message(text: str) -> None:
    """Write a sentence in small print."""
    st.html(f"<p class='lp-note'>{html.escape(text)}</p>")


def table(frame: pd.DataFrame, title: str, *, is_words: bool = False, words: Container[str] = ()) -> None:
    """Show text as a table that screen readers can walk through; the first column heads the rows.

    Args:
        frame: what every cell shows.
        title: names the table.
        is_words: the cells are words and stand to the left, not numbers to the right.
        words: the columns whose cells do, where not all do.
    """
    marks = [" class='lp-word'" if str(column) in words else "" for column in frame.columns]
    head_cells = "".join(
        f"<th scope='col'{mark}>{html.escape(str(c))}</th>" for c, mark in zip(frame.columns, marks, strict=True)
    )
    rows = "".join(
        "<tr>"
        + f"<th scope='row'>{html.escape(str(row[0]))}</th>"
        + "".join(f"<td{mark}>{html.escape(str(cell))}</td>" for cell, mark in zip(row[1:], marks[1:], strict=True))
        + "</tr>"
        for row in frame.itertuples(index=False)
    )
    kind = "" if not is_words else " lp-words" if len(frame.columns) > 1 else " lp-words lp-sentence"
    st.html(
        f"<div class='lp-table{kind}' tabindex='0' role='region' "
        f"aria-label='{html.escape(title, quote=True)}'>"
        f"<table><caption>{html.escape(title)}</caption><thead><tr>{head_cells}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def plain(text: str) -> str:
    """Escape text for places where Streamlit reads Markdown."""
    for character in "\\`*_{}[]()#+!|~:$<>&":
        text = text.replace(character, f"\\{character}")
    return text


def sentence(text: str) -> str:
    """Escape a message for places where Streamlit reads Markdown; a command between backticks stays code in it.

    A message may quote what anybody typed. Markdown interprets nothing between two backticks of one line, so what is
    typed there can be shown as code, and no more.
    """
    parts = _CODE.split(text)
    return "".join(part if place % 2 else plain(part) for place, part in enumerate(parts))
