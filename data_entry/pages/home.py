"""Today: what is due, and what waits for the person, each kind of work with its most urgent lines."""

from __future__ import annotations

import streamlit as st

from data_entry.pages import links, parts
from data_entry.pages.desk import Desk
from data_entry.services.agenda import Row, Section, agenda
from loupan import ui
from loupan.i18n import marked

_TITLES = {
    "tasks": marked("My tasks"),
    "to_check": marked("Done, waiting for your check"),
    "reports": marked("Reports waiting for your decision"),
    "demands": marked("Demands without a reply"),
    "next_steps": marked("Next steps with customers"),
    "care": marked("Greetings due this week"),
    "expenses": marked("Expenses to approve"),
    "instalments": marked("Instalments overdue"),
    "arrears": marked("Fees in arrears"),
}


def draw(desk: Desk) -> None:
    """Draw the page."""
    parts.hear()
    t = desk.t
    with desk.reading() as work:
        sections = agenda(work)
    waiting = [section for section in sections if section.count]
    ui.message(t("{name}, today is {day}.", name=desk.actor.name, day=desk.formats.day(desk.today)))
    if not waiting:
        parts.nothing(t("Nothing is due today, and nothing waits for you."))
    ui.facts([(t(_TITLES[section.key]), _number(desk, section)) for section in waiting])
    for start in range(0, len(waiting), 2):
        for place, section in zip(ui.columns(1, 1), waiting[start : start + 2], strict=False):
            with place, st.container(border=True, key=f"lp_card_home_{section.key}"):
                _draw_section(desk, section)


def _number(desk: Desk, section: Section) -> str:
    t = desk.t
    text = desk.formats.value(section.count, "count")
    if section.total is not None:
        return f"{text} · {desk.formats.value(float(section.total), 'currency')}"
    return t("{count}, {late} late", count=text, late=section.late) if section.late else text


def _draw_section(desk: Desk, section: Section) -> None:
    t = desk.t
    ui.card_title(t(_TITLES[section.key]))
    for number, row in enumerate(section.rows):
        with st.container(key=f"lp_line_{section.key}_{number}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                label = ui.plain(row.text) or t("Without a name")
                if st.button(label, type="tertiary", key=f"home_row_{section.key}_{number}"):
                    page = row.page if links.is_open(row.page) else section.page
                    links.go(page, id=row.record_id if page == row.page else None)
                if row.is_late:
                    st.badge(t("late"), color="red")
            ui.message(_details(desk, row))
    if section.count > len(section.rows) and st.button(
        t("All {number}", number=section.count), icon=":material/arrow_forward:", key=f"home_all_{section.key}"
    ):
        links.go(section.page)


def _details(desk: Desk, row: Row) -> str:
    t = desk.t
    when = parts.moment(desk, row.due_at) or parts.day(desk, row.due_on)
    amount = desk.formats.value(float(row.amount), "currency") if row.amount is not None else ""
    return " · ".join(text for text in (row.detail, when, amount) if text) or t("No date")
