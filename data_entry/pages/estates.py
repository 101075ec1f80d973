"""Own and competing estates, side by side."""

from __future__ import annotations

import html

import streamlit as st

from data_entry import forms
from data_entry.pages import sales_parts as parts
from data_entry.pages.desk import Desk
from data_entry.schema.customer import Feature
from data_entry.services import estates
from data_entry.services.estates import Comparison, Seen
from loupan import ui
from loupan.formats import NO_DATA

# Words in a feature's name that say that a figure of our own estate stands for the same.
_OURS = {
    "price": ("均价", "price per", "average price"),
    "pace": ("月成交", "sold per month"),
    "area": ("户型面积", "floor area"),
}


def draw(desk: Desk) -> None:
    """Draw the page."""
    t = desk.t
    project_id = parts.choose_estate(desk, t("Own estate"), "estates_project")
    if project_id is None:
        return
    with desk.reading() as work:
        found = estates.comparison(work, project_id)
    own = found.own
    ui.facts(
        [
            (t("Available units"), f"{own.available:,} / {own.units:,}"),
            (t("Price per m²"), parts.money(desk, own.price_per_sqm)),
            (t("Floor areas"), _areas(found)),
            (t("Sold in the last 30 days"), f"{own.sold_last_30_days:,}"),
        ]
    )
    if own.project.description:
        ui.message(own.project.description)
    ui.section(t("Beside the competition"))
    if not found.rivals:
        ui.message(t("No competing estate is recorded for this one."))
        return
    rivals = {rival.estate.id: rival.estate.name for rival in found.rivals}
    chosen = st.multiselect(
        t("Competing estates"), list(rivals), default=list(rivals)[:3], format_func=lambda key: rivals[key],
        key=f"estates_rivals_{project_id}", placeholder=t("Choose"),
    )  # fmt: skip
    _table(desk, found, chosen)


def _areas(found: Comparison) -> str:
    own = found.own
    if own.smallest is None or own.largest is None:
        return NO_DATA
    return f"{own.smallest:,.0f}–{own.largest:,.0f} m²"


def _table(desk: Desk, found: Comparison, chosen: list[int]) -> None:
    t = desk.t
    own = found.own
    rivals = [rival for rival in found.rivals if rival.estate.id in chosen]
    rows: list[tuple[str, list[str]]] = [
        (t("Company"), [t("Our own"), *(html.escape(rival.company or NO_DATA) for rival in rivals)]),
        (t("District"), [html.escape(own.project.district or NO_DATA)] + [
            html.escape(rival.estate.district or NO_DATA) for rival in rivals
        ]),
        (t("Level of competition"), [NO_DATA, *(html.escape(rival.estate.level or NO_DATA) for rival in rivals)]),
    ]  # fmt: skip
    ours = {"price": parts.money(desk, own.price_per_sqm), "pace": f"{own.sold_last_30_days:,}", "area": _areas(found)}
    for feature in found.features:
        same = next((kind for kind, words in _OURS.items() if any(w in feature.name.lower() for w in words)), "")
        # What the CRM itself knows of our estate is newer than any observation of it.
        own_cell = html.escape(ours[same]) if same else _cell(desk, feature, found.seen.get(feature.id))
        rows.append((feature.name, [own_cell, *(_cell(desk, feature, rival.seen.get(feature.id)) for rival in rivals)]))
    head = "".join(
        f"<th scope='col'>{html.escape(name)}</th>"
        for name in ("", own.project.name, *(rival.estate.name for rival in rivals))
    )
    body = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, cells in rows
    )
    title = html.escape(t("{estate} beside its competition", estate=own.project.name), quote=True)
    st.html(
        f"<div class='lp-table lp-words lp-whole' tabindex='0' role='region' aria-label='{title}'>"
        f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(desk: Desk, feature: Feature, seen: Seen | None) -> str:
    """Write an observation with its day, its source and who made it."""
    if seen is None:
        return NO_DATA
    notes = [parts.day(desk, seen.observed_on)]
    if seen.observer:
        notes.append(html.escape(seen.observer))
    if seen.source_url and seen.source_url.startswith(("http://", "https://")):
        address = html.escape(seen.source_url, quote=True)
        notes.append(
            f"<a href='{address}' target='_blank' rel='noopener noreferrer'>{html.escape(desk.t('source'))}</a>"
        )
    value = forms.shown_feature(desk, feature, [seen.value])
    return f"{html.escape(value)}<br><small style='opacity:0.75'>{' · '.join(notes)}</small>"
