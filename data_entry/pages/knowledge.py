"""The knowledge base: find, read, write, compare versions."""

from __future__ import annotations

import html

import streamlit as st

from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.services import knowledge
from loupan import ui

_MARKS = {"+": "ins", "-": "del", "": "span"}


def draw(desk: Desk) -> None:
    """Draw the list, the article that the address names, or the editor."""
    may_write = desk.actor.may("create", "article")
    parts.record_or_list(desk, _draw_article, _draw_list, _draw_editor if may_write else None)


def _draw_list(desk: Desk) -> None:
    t = desk.t
    with desk.reading() as work:
        categories = knowledge.categories(work)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            t("Search in titles and texts"), key="kb_words", icon=":material/search:", on_change=parts.first_page,
            args=("knowledge",),
        )  # fmt: skip
        category = st.selectbox(
            t("Category"), [None, *categories], format_func=lambda c: t("All categories") if c is None else c,
            key="kb_category", on_change=parts.first_page, args=("knowledge",),
        )  # fmt: skip
    archived = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if desk.actor.may("create", "article") and st.button(
            t("New article"), icon=":material/add:", type="primary", key="kb_new"
        ):
            st.query_params["write"] = "new"
            st.rerun()
        if desk.actor.may("delete", "article"):
            archived = st.toggle(t("Archived ones"), key="kb_archived")
    with desk.reading() as work:
        found, total = knowledge.search(
            work, words, category=category, archived=archived, offset=parts.offset("knowledge"), limit=knowledge.PAGE
        )
    if not found:
        parts.nothing(t("No article is found."))
    for item in found:
        article, newest = item.article, item.newest
        details = (
            t("version {number}, {moment}", number=newest.version, moment=parts.moment(desk, newest.created_at)),
            item.excerpt,
        )
        if parts.entry(f"article_{article.id}", article.title, details, mark=article.category):
            parts.open_record(article.id)
    parts.pager(desk, "knowledge", total)


def _draw_article(desk: Desk, article_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        article, newest = knowledge.one(work, article_id)
        versions = knowledge.versions(work, article_id)
    if st.query_params.get("write") == str(article_id) and desk.actor.may("update", "article"):
        _draw_editor(desk, article_id)
        return
    ui.section(article.title)
    if article.deleted_at is not None:
        st.warning(t("This article is archived: it no longer holds."), icon=":material/archive:")
    numbers = [version.version for version, _ in versions]
    writers = {version.version: (version, name) for version, name in versions}
    shown = newest.version
    if len(numbers) > 1:
        shown = st.selectbox(
            t("Version"), numbers, key=f"kb_version_{article_id}",
            format_func=lambda n: " · ".join(
                p for p in (str(n), parts.moment(desk, writers[n][0].created_at), writers[n][1]) if p
            ),
        )  # fmt: skip
    version, name = writers[shown]
    ui.message(" · ".join(p for p in (article.category, parts.moment(desk, version.created_at), name) if p))
    if version.generated_from:
        ui.message(t("Written by Loupan from the observations on record."))
    with st.container(border=True, key="lp_card_article"):
        parts.written(version.body)
    with st.container(horizontal=True):
        may_revise = desk.actor.may("update", "article") and article.deleted_at is None
        if may_revise and st.button(t("Write a new version"), icon=":material/edit:", key="kb_revise"):
            # What was newest when the person began to write: the run that saves may read a later one.
            st.session_state[f"kb_began_{article_id}"] = newest.version
            st.query_params["write"] = str(article_id)
            st.rerun()
        if desk.actor.may("delete", "article"):
            label = t("Archive") if article.deleted_at is None else t("Bring back")
            if st.button(label, icon=":material/archive:", key="kb_archive"):
                with parts.showing_errors(desk) as outcome, desk.writing() as work:
                    if article.deleted_at is None:
                        knowledge.archive(work, article_id)
                    else:
                        knowledge.bring_back(work, article_id)
                if outcome.ok:
                    parts.say(
                        t("The article has been archived.") if article.deleted_at is None else t("The article is back.")
                    )
    if len(numbers) > 1:
        _draw_difference(desk, article_id, numbers, writers[shown][0].version)
    parts.attached(desk, "article", article_id, may_add=desk.actor.may("update", "article"))


def _draw_difference(desk: Desk, article_id: int, numbers: list[int], shown: int) -> None:
    t = desk.t
    others = [number for number in numbers if number != shown]
    earlier = [number for number in others if number < shown]
    with st.expander(t("Compare with another version"), icon=":material/difference:"):
        other = st.selectbox(
            t("Compared with version"), others, index=others.index(earlier[0]) if earlier else 0,
            key=f"kb_other_{article_id}_{shown}",
        )  # fmt: skip
        with desk.reading() as work:
            bodies = {n: knowledge.one(work, article_id, n)[1].body for n in (shown, other)}
        low, high = sorted((shown, other))
        lines = knowledge.difference(bodies[low], bodies[high])
        ui.message(t("From version {low} to version {high}", low=low, high=high))
        text = "".join(f"<{_MARKS[line.change]}>{html.escape(line.text)}</{_MARKS[line.change]}>" for line in lines)
        st.html(f"<div class='lp-difference'>{text}</div>")


def _draw_editor(desk: Desk, article_id: int | None = None) -> None:
    t = desk.t
    with desk.reading() as work:
        categories = knowledge.categories(work)
        article, newest = knowledge.one(work, article_id) if article_id is not None else (None, None)
    present = article.category if article else None
    if article_id is not None and newest is not None:
        st.session_state.setdefault(f"kb_began_{article_id}", newest.version)
    with st.form(f"kb_editor_{article_id or 'new'}"):
        title = st.text_input(t("Title"), article.title if article else "", max_chars=300)
        category = st.selectbox(
            t("Category"), categories, index=categories.index(present) if present in categories else None,
            accept_new_options=True, placeholder=t("Choose"),
        )  # fmt: skip
        body = st.text_area(t("Text (Markdown)"), newest.body if newest else "", height=420)
        saved = st.form_submit_button(t("Save as a new version") if article else t("Save"), type="primary")
    if not saved:
        return
    key = article_id
    with parts.showing_errors(desk) as outcome, desk.writing() as work:
        if article_id is None:
            key = knowledge.write(work, category=category or "", title=title, body=body).id
        else:
            knowledge.revise(
                work, article_id, based_on=st.session_state[f"kb_began_{article_id}"], body=body, title=title,
                category=category or "",
            )  # fmt: skip
    if outcome.ok:
        st.query_params.pop("write", None)
        st.session_state.pop(f"kb_began_{article_id}", None)
        st.session_state.pop(f"kb_version_{article_id}", None)
        st.query_params["id"] = str(key)
        parts.say(t("The article has been saved."))
