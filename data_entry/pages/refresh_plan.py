"""When refreshes run by themselves: the plan, what Dagster makes of it, and the switches."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import parts
from data_entry.pages.desk import Desk
from data_entry.services import refreshes
from loupan import ui
from loupan.dagster_client import Automation, Dagster, DagsterError, Orchestration
from loupan.formats import NO_DATA
from loupan.i18n import marked
from loupan.refresh_words import cron_in_words, loads
from loupan.schedules import RefreshSchedule, is_working_day
from loupan.settings import get_settings

_PREFIX = "refresh_"
_ON_CHANGE = "refresh_on_change"
_DAILY, _HOURLY, _MINUTES, _CRON = "daily", "hourly", "minutes", "cron"
_KINDS = {
    _DAILY: marked("Daily"),
    _HOURLY: marked("Hourly"),
    _MINUTES: marked("Every few minutes"),
    _CRON: marked("In cron notation"),
}


def draw(desk: Desk) -> None:
    """Draw the plan."""
    t, settings = desk.t, get_settings()
    ui.section(t("When refreshes run by themselves"))
    here: Orchestration | None = None
    try:
        here = Dagster(settings).orchestration()
    except DagsterError as error:
        st.warning(
            t("Nothing runs by itself at the moment. {reason}", reason=ui.sentence(t(str(error)))),
            icon=":material/warning:",
        )
    if here is not None and here.sleeping:
        st.warning(
            t("Parts of Dagster do not answer: {parts}.", parts=", ".join(here.sleeping)), icon=":material/warning:"
        )
    with forms.showing_errors(desk) as outcome:
        rules = refreshes.plan(settings).refreshes
    if not outcome.ok:
        return
    automations = {a.name: a for a in here.automations} if here is not None else {}
    may_run = desk.actor.may("run", refreshes.RESOURCE)
    rows = {number: _cells(desk, rule, automations) for number, rule in enumerate(rules)}
    sensor = automations.get(_ON_CHANGE)
    if sensor is not None:
        rows[len(rules)] = [
            Cell(t("On change")), Cell(t("when the CRM was written to")), Cell(loads(t, full=False)), Cell(NO_DATA),
            _state(desk, sensor),
        ]  # fmt: skip
    columns = [Column("", title) for title in (t("Schedule"), t("When"), t("Loads"), t("Next run"), t("State"))]
    event = table(desk, columns, rows, title=t("Schedules"), key="refresh_plan", can_open=may_run)
    ui.message(
        t("Times are those of {zone}; working days those of {country}.", zone=desk.zone.key,
          country=settings.working_calendar)
    )  # fmt: skip
    if not may_run:
        return
    if st.button(t("Add a schedule"), icon=":material/add:", key="lp_schedule_new"):
        _edit(desk, None, None, here)
    if event.open is not None and event.open in rows:
        if event.open == len(rules):
            _switch_dialog(desk, sensor, here)
        else:
            rule = rules[event.open]
            _edit(desk, rule, automations.get(_PREFIX + rule.name), here)


def _cells(desk: Desk, rule: RefreshSchedule, automations: dict[str, Automation]) -> list[Cell]:
    t = desk.t
    automation = automations.get(_PREFIX + rule.name)
    when = cron_in_words(t, rule.cron)
    if rule.working_days:
        when = t("{when}, on working days", when=when)
    coming = _coming(desk, rule, automation)
    return [
        Cell(rule.name),
        Cell(when),
        Cell(loads(t, full=rule.full)),
        Cell(desk.formats.moment(coming, desk.zone.key) if coming else NO_DATA),
        _state(desk, automation),
    ]


def _coming(desk: Desk, rule: RefreshSchedule, automation: Automation | None) -> dt.datetime | None:
    """Return when a rule runs next, None if it does not."""
    if automation is None or not automation.is_on:
        return None
    country = get_settings().working_calendar
    for moment in automation.next:
        if not rule.working_days or is_working_day(country, moment.astimezone(desk.zone).date()):
            return moment
    return None


def _state(desk: Desk, automation: Automation | None) -> Cell:
    if automation is None:
        return Cell(desk.t("not running"), "quiet")
    return Cell(desk.t("on"), "good") if automation.is_on else Cell(desk.t("off"), "quiet")


def _switch(desk: Desk, automation: Automation | None, here: Orchestration | None) -> None:
    """Draw the switch of a schedule or of the sensor."""
    t = desk.t
    if automation is None or here is None:
        ui.message(t("It can be turned on and off while Dagster runs."))
        return
    if automation.said:
        ui.message(t("The last time it did nothing: {reason}", reason=automation.said))
    words = t("Turn off") if automation.is_on else t("Turn on")
    if st.button(words, icon=":material/power_settings_new:", key=f"lp_switch_{automation.name}"):
        with forms.showing_errors(desk) as outcome, desk.writing() as work:
            refreshes.switch(work, get_settings(), here, automation, is_on=not automation.is_on)
        if outcome.ok:
            parts.say(t("It was turned off.") if automation.is_on else t("It was turned on."))


def _switch_dialog(desk: Desk, automation: Automation | None, here: Orchestration | None) -> None:
    t = desk.t

    @st.dialog(t("On change"), on_dismiss="rerun")
    def show() -> None:
        st.markdown(
            t("Loads the changed rows about a minute after the last entry, or after 15 minutes if nobody pauses.")
        )
        _switch(desk, automation, here)

    show()


def _edit(desk: Desk, rule: RefreshSchedule | None, automation: Automation | None, here: Orchestration | None) -> None:
    t = desk.t

    @st.dialog(t("Schedule {name}", name=rule.name) if rule else t("New schedule"), on_dismiss="rerun")
    def show() -> None:
        name = rule.name if rule else st.text_input(
            t("Name"), key="lp_schedule_name", max_chars=31, help=t("Small letters, digits and underscores.")
        )  # fmt: skip
        cron = _when(desk, rule.cron if rule else "0 6 * * *")
        full = st.radio(
            t("Loads"), [False, True], index=int(rule.full) if rule else 0, key="lp_schedule_full", horizontal=True,
            format_func=lambda is_full: loads(t, full=is_full),
        )  # fmt: skip
        working_days = st.toggle(
            t("Only on working days"), rule.working_days if rule else False, key="lp_schedule_working"
        )
        with st.container(horizontal=True):
            is_saved = st.button(t("Save"), type="primary", key="lp_schedule_save")
            is_removed = rule is not None and st.button(t("Remove"), icon=":material/delete:", key="lp_schedule_remove")
        if is_saved:
            with forms.showing_errors(desk) as outcome, desk.writing() as work:
                refreshes.save_schedule(
                    work, get_settings(), name, cron,
                    full=bool(full), working_days=working_days, replaces=rule,
                )  # fmt: skip
            if outcome.ok:
                _follow(desk, here)
        if is_removed and rule is not None:
            with forms.showing_errors(desk) as outcome, desk.writing() as work:
                refreshes.remove_schedule(work, get_settings(), rule)
            if outcome.ok:
                _follow(desk, here)
        if rule is not None:
            st.divider()
            _switch(desk, automation, here)

    show()


def _follow(desk: Desk, here: Orchestration | None) -> None:
    """Let Dagster read the plan anew, and say how that went."""
    t = desk.t
    if here is None:
        parts.say(t("Saved. It holds as soon as Dagster runs."))
        return
    try:
        with st.spinner(t("Dagster reads the plan …")):
            Dagster(get_settings()).reload(here)
    except DagsterError as error:
        st.error(
            t("Saved, but Dagster could not read it: {reason}", reason=ui.sentence(t(str(error)))),
            icon=":material/error:",
        )
        return
    parts.say(t("Saved, and Dagster follows it."))


def _when(desk: Desk, cron: str) -> str:
    """Ask when; return it in cron notation, which is checked when it is saved."""
    t = desk.t
    kind = _kind(cron)
    chosen = st.selectbox(
        t("How often"), list(_KINDS), index=list(_KINDS).index(kind), format_func=lambda k: t(_KINDS[k]),
        key="lp_schedule_kind",
    )  # fmt: skip
    minute, hours, *_ = cron.split()
    if chosen == _CRON:
        return st.text_input(t("Minute, hour, day, month, weekday"), cron, key="lp_schedule_cron", max_chars=100)
    if chosen == _DAILY:
        first = f"{int(hours):02}:{int(minute):02}" if kind == _DAILY else "06:00"
        time = st.time_input(t("At"), first, step=300, key="lp_schedule_time")
        return f"{time.minute} {time.hour} * * *"
    begin, end = (int(part) for part in hours.split("-")) if kind in (_HOURLY, _MINUTES) else (9, 18)
    low, high = st.slider(t("Hours of the day"), 0, 23, (begin, end), key="lp_schedule_hours")
    if chosen == _HOURLY:
        return f"{int(minute) if kind == _HOURLY else 0} {low}-{high} * * *"
    every = int(minute.removeprefix("*/")) if kind == _MINUTES else 15
    options = sorted({5, 10, 15, 20, 30, every})
    minutes = st.selectbox(t("Minutes between"), options, index=options.index(every), key="lp_schedule_minutes")
    return f"*/{minutes} {low}-{high} * * *"


def _kind(cron: str) -> str:
    """Say which of the forms on offer a cron text has."""
    parts_ = cron.split()
    if len(parts_) == 5 and parts_[2:] == ["*", "*", "*"]:
        minute, hours = parts_[:2]
        is_range = all(part.isdigit() for part in hours.split("-")) and hours.count("-") == 1
        if minute.isdigit() and hours.isdigit():
            return _DAILY
        if minute.isdigit() and is_range:
            return _HOURLY
        if minute.startswith("*/") and minute[2:].isdigit() and is_range:
            return _MINUTES
    return _CRON
