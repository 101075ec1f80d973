"""Our estate beside its competitors, feature by feature, and the guidance for sales that follows."""

from __future__ import annotations

import html
import json
from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.pages import charts, links, parts
from data_entry.pages.competition_parts import choose_own_estate, own_estates
from data_entry.pages.desk import Desk
from data_entry.schema.customer import Feature
from data_entry.services import competition, guidance
from data_entry.services.competition import STALE_DAYS, Comparison, Seen
from data_entry.services.guidance import Choices
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import LANGUAGES, marked

_WAYS = {1: marked("More is better"), -1: marked("Less is better"), 0: marked("Neither")}


def draw(desk: Desk) -> None:
    """Draw the comparison of one estate, and its guidance."""
    t = desk.t
    parts.hear()
    names = own_estates(desk)
    if not names:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="analysis_head"):
        project = choose_own_estate(desk, names, "analysis_project", width=320)
        if links.is_open("competition-entry") and st.button(
            t("Enter an observation"), icon=":material/add:", key="analysis_enter"
        ):
            links.go("competition-entry", project=project)
    with forms.showing_errors(desk) as outcome, desk.reading() as work:
        found = competition.compare(work, project)
        chosen = guidance.choices(work, found)
    if not outcome.ok:
        return
    comparison, document = st.tabs([t("Comparison"), t("Guidance for sales")])
    with comparison:
        _comparison(desk, found)
    with document:
        _guidance(desk, found, chosen)


def _comparison(desk: Desk, found: Comparison) -> None:
    t = desk.t
    if not found.newest:
        ui.message(t("Nothing has been observed yet."))
        return
    if found.own is None:
        st.info(t("Our own estate was not observed yet: enter its values as well, to compare with them."))
    _matrix(desk, found)
    numeric = [f for f in found.features if any(s.number is not None for s in _newest(found, f))]
    numeric = [f for f in numeric if f.data_type == "number"]
    if not numeric:
        return
    feature = st.selectbox(
        t("Feature"), numeric, format_func=lambda f: f.name, key=f"analysis_feature_{found.project_id}"
    )
    left, right = ui.columns(1, 1)
    with left:
        charts.card(
            desk, t("Newest values"), _bars(desk, found, feature), "analysis_bars",
            t("The median of the competing estates is {value}.", value=_number(desk, found, feature)),
        )  # fmt: skip
    with right:
        charts.card(
            desk, t("Over time"), _history(desk, found, feature), "analysis_history",
            t("A value holds until another is seen."),
        )  # fmt: skip


def _newest(found: Comparison, feature: Feature) -> list[Seen]:
    seen = (found.newest.get((estate.id, feature.id)) for estate in found.estates)
    return [one for one in seen if one is not None]


def _number(desk: Desk, found: Comparison, feature: Feature) -> str:
    middle = found.middle(feature.id)
    return NO_DATA if middle is None else f"{middle:,.6g}" if middle < 1000 else f"{middle:,.0f}"


def _matrix(desk: Desk, found: Comparison) -> None:
    """Draw the newest value of every feature and estate, with its age and its source."""
    t = desk.t
    head = "".join(
        f"<th scope='col'>{html.escape(estate.name)}"
        + (f" <small>({html.escape(t('our own'))})</small>" if estate.is_own else "")
        + (f"<br><small>{html.escape(estate.level)}</small>" if estate.level else "")
        + "</th>"
        for estate in found.estates
    )
    rows = ""
    for feature in found.features:
        cells = "".join(
            f"<td>{_cell(desk, found.newest.get((estate.id, feature.id)))}</td>" for estate in found.estates
        )
        rows += f"<tr><th scope='row'>{html.escape(feature.name)}</th>{cells}</tr>"
    title = html.escape(t("Newest observations"), quote=True)
    with st.container(border=True, key="lp_card_matrix"):
        ui.card_title(t("Newest observations"), t("⚠ marks what was seen more than {days} days ago.", days=STALE_DAYS))
        st.html(
            f"<div class='lp-table lp-words lp-whole' tabindex='0' role='region' aria-label='{title}'><table>"
            f"<caption>{title}</caption><thead><tr><th scope='col'>{html.escape(t('Feature'))}</th>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )


def _cell(desk: Desk, seen: Seen | None) -> str:
    if seen is None:
        return NO_DATA
    t = desk.t
    value = _plain(desk, seen)
    change = ""
    if (
        seen.before is not None
        and seen.number is not None
        and seen.before.number is not None
        and seen.data_type == "number"
    ):
        change = " ↑" if seen.number > seen.before.number else " ↓"
    mark = " ⚠" if seen.is_stale else ""
    told = [html.escape(t("{number} days ago", number=f"{seen.age:,}") if seen.age else t("Today"))]
    if seen.source_url:
        address = html.escape(seen.source_url, quote=True)
        told.append(f"<a href='{address}' rel='noopener noreferrer'>{html.escape(t('source'))}</a>")
    if seen.author:
        told.append(html.escape(seen.author))
    return f"<b>{html.escape(value)}</b>{change}{mark}<br><small>{' · '.join(told)}</small>"


def _plain(desk: Desk, seen: Seen) -> str:
    if seen.data_type == "boolean" and seen.number is not None:
        return desk.t("Yes") if seen.number else desk.t("No")
    if seen.data_type == "number" and seen.number is not None:
        return f"{seen.number:,f}"
    return seen.value


def _bars(desk: Desk, found: Comparison, feature: Feature) -> Any:
    seen = sorted((s for s in _newest(found, feature) if s.number is not None), key=lambda s: -(s.number or 0))
    own = next((i for i, s in enumerate(seen) if s.is_own), None)
    return charts.bars(
        desk, [s.estate for s in seen], [float(s.number or 0) for s in seen], charts.NUMBER,
        (desk.t("Estate"), feature.name),
        [desk.formats.day(s.observed_on) for s in seen], own,
    )  # fmt: skip


def _history(desk: Desk, found: Comparison, feature: Feature) -> Any:
    series = []
    for estate in found.estates:
        seen = found.series.get((estate.id, feature.id), [])
        points = [(s.observed_on, float(s.number)) for s in seen if s.number is not None]
        series.append((estate.name, points, estate.is_own))
    return charts.histories(desk, series, (desk.t("Date"), desk.t("Estate")))


def _guidance(desk: Desk, found: Comparison, chosen: Choices) -> None:
    t = desk.t
    may_publish = desk.actor.may("create", "article") and desk.actor.may("create", "article_version")
    with st.expander(t("What counts as better"), icon=":material/tune:", key="guidance_choices"):
        chosen = _choices(desk, found, chosen)
    with desk.reading() as work:
        made = guidance.make(work, found.project_id, chosen)
        known = guidance.articles(work, found.project_id)
    if known:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.message(t("In the knowledge base:"))
            for article in known:
                label = t("{language}, version {number}", language=LANGUAGES[article.language], number=article.version)
                if st.button(label, key=f"guidance_article_{article.language}", type="tertiary"):
                    links.go("knowledge", id=article.article_id)
    if not made.statements:
        ui.message(t("Nothing has been observed yet, so there is nothing to say."))
        return
    language = st.segmented_control(
        t("Language of the preview"), list(LANGUAGES), default=desk.language, format_func=LANGUAGES.__getitem__,
        key="guidance_language", required=True,
    )  # fmt: skip
    if may_publish and st.button(
        t("Publish in both languages"), type="primary", icon=":material/publish:", key="guidance_publish"
    ):
        with forms.showing_errors(desk) as outcome, desk.writing() as work:
            published = guidance.publish(work, found.project_id, chosen)
        if outcome.ok:
            is_new = any(article.is_new for article in published)
            version = max(article.version for article in published)
            parts.say(
                t("Published as version {number}", number=version)
                if is_new
                else t("Nothing has changed since version {number}: no new version was made", number=version)
            )
    with st.container(border=True, key="lp_card_guidance"):
        parts.written(guidance.render(made, str(language)))
    with st.expander(t("Evidence as data"), icon=":material/fact_check:"):
        with desk.reading() as work:
            evidence = guidance.provenance(work, made, str(language))
        st.code(json.dumps(evidence, ensure_ascii=False, indent=1), language="json", height=300)


def _choices(desk: Desk, found: Comparison, chosen: Choices) -> Choices:
    t = desk.t
    judged = [f for f in found.features if f.data_type in ("number", "boolean")]
    numeric = [f.id for f in judged if f.data_type == "number"]
    names = {f.id: f.name for f in judged}
    key = f"guidance_{found.project_id}"
    price = st.selectbox(
        t("Feature that is the price"), numeric, format_func=names.__getitem__, key=f"{key}_price",
        index=numeric.index(chosen.price) if chosen.price in numeric else None, placeholder=t("None"),
    )  # fmt: skip
    better: dict[int, int] = {}
    cells: list[Any] = []
    for feature in judged:
        if not cells:
            cells = list(ui.columns(1, 1))
        with cells.pop(0):
            way = st.selectbox(
                ui.plain(feature.name), list(_WAYS), index=list(_WAYS).index(chosen.better.get(feature.id, 0)),
                format_func=lambda w: t(_WAYS[w]), key=f"{key}_{feature.id}",
            )  # fmt: skip
        if way:
            better[feature.id] = way
    return Choices(price, better)
