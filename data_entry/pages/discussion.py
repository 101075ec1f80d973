"""Discussion: threads for all or for a department."""

from __future__ import annotations

import streamlit as st

from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.services import discussion
from loupan import ui


def draw(desk: Desk) -> None:
    """Draw the list, or the thread that the address names."""
    parts.record_or_list(desk, _draw_thread, _draw_list)


def _draw_list(desk: Desk) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            t("Search in threads"), key="talk_words", icon=":material/search:", on_change=parts.first_page,
            args=("talk",),
        )  # fmt: skip
        if desk.actor.may("create", "thread") and st.button(
            t("New thread"), icon=":material/add:", type="primary", key="talk_new"
        ):
            _begin(desk)
    with desk.reading() as work:
        items, total = discussion.listing(work, words, offset=parts.offset("talk"), limit=discussion.PAGE)
    if not items:
        parts.nothing(t("There is no thread here."))
    for item in items:
        details = (
            t("{number} posts", number=item.posts),
            " · ".join(p for p in (item.last_by, parts.moment(desk, item.last_at)) if p),
            item.excerpt,
        )
        mark = item.department or t("For all")
        if parts.entry(f"thread_{item.thread.id}", item.thread.title, details, mark=mark):
            parts.open_record(item.thread.id)
    parts.pager(desk, "talk", total)


def _begin(desk: Desk) -> None:
    t = desk.t

    @st.dialog(t("New thread"))
    def dialog() -> None:
        with desk.reading() as work:
            departments = discussion.open_departments(work)
        title = st.text_input(t("Title"), max_chars=300, key="tn_title")
        department = parts.choice(desk, t("For whom"), departments, key="tn_department", empty=t("For all"))
        body = st.text_area(t("Your post"), key="tn_body", height=160)
        if st.button(t("Begin the thread"), type="primary", key="tn_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                key = discussion.begin(work, title=title, body=body, department_id=department).id
            if outcome.ok:
                st.query_params["id"] = str(key)
                parts.say(t("The thread has begun."))

    dialog()


def _draw_thread(desk: Desk, thread_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        thread, department, posts = discussion.one(work, thread_id)
    ui.section(thread.title)
    ui.message(department or t("For all"))
    for post, author in posts:
        is_mine = post.employee_id == desk.actor.employee_id
        with st.container(border=True, key=f"lp_card_post_{post.id}"):
            ui.message(f"{author} · {parts.moment(desk, post.posted_at)}")
            parts.written(post.body)
            if is_mine:
                with st.container(horizontal=True):
                    if st.button(t("Change"), type="tertiary", icon=":material/edit:", key=f"post_edit_{post.id}"):
                        _edit(desk, post.id, post.body, post.row_version)
                    if st.button(t("Take back"), type="tertiary", icon=":material/delete:", key=f"post_off_{post.id}"):
                        with parts.showing_errors(desk) as outcome, desk.writing() as work:
                            discussion.take_back(work, post.id)
                        if outcome.ok:
                            parts.say(t("Your post has been taken back."))
    with st.form("post_new", clear_on_submit=True, border=False):
        body = st.text_area(t("Your post"), height=120)
        sent = st.form_submit_button(t("Post"), type="primary", icon=":material/send:")
    if sent:
        with parts.showing_errors(desk) as outcome, desk.writing() as work:
            discussion.post(work, thread_id, body)
        if outcome.ok:
            parts.say(t("Your post has been added."))


def _edit(desk: Desk, post_id: int, body: str, row_version: int) -> None:
    t = desk.t

    @st.dialog(t("Change your post"))
    def dialog() -> None:
        text = st.text_area(t("Your post"), body, key=f"pe_{post_id}", height=200)
        if st.button(t("Save"), type="primary", key="pe_save"):
            with parts.showing_errors(desk) as outcome, desk.writing() as work:
                discussion.edit(work, post_id, text, row_version)
            if outcome.ok:
                parts.say(t("Your post has been changed."))

    dialog()
