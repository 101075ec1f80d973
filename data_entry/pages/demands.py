"""Demands: the work list by deadline, who has what, the categories, and one demand with all that is done with it."""

from __future__ import annotations

import datetime as dt
import html
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import category_tree, links, parts
from data_entry.pages.demand_words import KINDS, PHASES, STAGES, STEPS, TONES, word
from data_entry.pages.desk import Desk
from data_entry.schema.demand import Demand
from data_entry.schema.estate import Building, Unit
from data_entry.services import categories, demand_list, demands, promises, records
from data_entry.services.demand_list import Colleague, Filters, Line
from loupan import ui
from loupan.i18n import marked

_SIZE = 20
_VIEWS = {
    "open": marked("Open"),
    "overdue": marked("Overdue"),
    "today": marked("Due today"),
    "later": marked("Due later"),
    "undated": marked("No deadline"),
    "resolved": marked("Resolved"),
    "closed": marked("Withdrawn or repeated"),
    "all": marked("All"),
}
_WHOSE = {
    "all": marked("Everybody's"),
    "mine": marked("Mine"),
    "department": marked("My department's"),
    "unassigned": marked("Nobody's yet"),
    "given": marked("Given away by me"),
}
_AREAS = {"service": marked("Customer service"), "sales": marked("Sales"), "property": marked("Property")}


def draw(desk: Desk) -> None:
    """Draw the list, or the demand that the address names."""
    parts.record_or_list(desk, _draw_demand, _draw_lists)


# Lists


def _draw_lists(desk: Desk) -> None:
    t = desk.t
    tabs = {"list": t("Work list"), "people": t("Who has what")}
    if desk.actor.may("update", "demand_category"):
        tabs["categories"] = t("Categories")
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        tab = parts.views(t("What to show"), tabs, "demands_tab")
        if desk.actor.may("create", "demand") and st.button(
            t("New demand"), icon=":material/add:", type="primary", key="demand_new", shortcut="Alt+N"
        ):
            enter(desk)
    if tab == "categories":
        category_tree.draw(desk, categories.DEMANDS)
        return
    filters = _filters(desk)
    with forms.showing_errors(desk):
        if tab == "people":
            _draw_people(desk, filters)
        else:
            _draw_list(desk, filters)


def _filters(desk: Desk) -> Filters:
    t = desk.t
    with desk.reading() as work:
        projects = {option.id: option.caption for option in records.options(work, "project", limit=200)}

    def changed() -> None:
        parts.first_page("demands")

    with st.container(key="lp_filters"):
        first = ui.columns(2, 1, 1)
        text = first[0].text_input(
            t("Search"), key="demands_text", icon=":material/search:", on_change=changed,
            placeholder=t("Words, customer, telephone or number"),
        )  # fmt: skip
        whose = first[1].selectbox(
            t("Whose"), list(_WHOSE), format_func=lambda w: t(_WHOSE[w]), key="demands_whose", on_change=changed
        )
        project_id = first[2].selectbox(
            t("Estate"), [None, *projects], format_func=lambda p: projects.get(p, t("All estates")),
            key="demands_project", on_change=changed,
        )  # fmt: skip
        with st.expander(t("More filters")):
            second = ui.columns(1, 1, 1)
            kind = second[0].selectbox(
                t("Kind"), [None, *KINDS], format_func=lambda k: t(KINDS[k]) if k else t("All kinds"),
                key="demands_kind", on_change=changed,
            )  # fmt: skip
            phase = second[1].selectbox(
                t("Phase"), [None, *PHASES], format_func=lambda p: t(PHASES[p]) if p else t("Both phases"),
                key="demands_phase", on_change=changed,
            )  # fmt: skip
            severity = second[2].selectbox(
                t("Severity"), [None, *demands.SEVERITIES], format_func=lambda s: word(desk, s) if s else t("Any"),
                key="demands_severity", on_change=changed,
            )  # fmt: skip
            category_id = forms.pick(desk, "demand_category", t("Category"), key="demands_category")
    return Filters(
        whose=whose, project_id=project_id, kind=kind, phase=phase, severity=severity, category_id=category_id,
        text=text or "",
    )  # fmt: skip


def _draw_list(desk: Desk, filters: Filters) -> None:
    t = desk.t
    with desk.reading() as work:
        counts = demand_list.counts_of(work, filters)

    def name(view: str) -> str:
        return f"{t(_VIEWS[view])} · {counts[view]:,}" if view in counts else t(_VIEWS[view])

    view = st.segmented_control(
        t("State"), list(_VIEWS), default="open", format_func=name, key="demands_view", required=True,
        label_visibility="collapsed", on_change=parts.first_page, args=("demands",),
    )  # fmt: skip
    filters = Filters(**{**vars(filters), "view": view or "open"})
    with desk.reading() as work:
        total = counts[filters.view] if filters.view in counts else demand_list.count_of(work, filters)
        lines = demand_list.page_of(work, filters, parts.offset("demands") // _SIZE, _SIZE)
    if not lines:
        parts.nothing(t("There is no demand here."))
        return
    _table(desk, lines, "demands_list")
    parts.pager(desk, "demands", total)


def _table(desk: Desk, lines: list[Line], key: str) -> None:
    t = desk.t
    columns = [
        Column("", t("Demand")), Column("", t("Customer")), Column("", t("Category")), Column("", t("Estate and unit")),
        Column("", t("Severity")), Column("", t("State")), Column("", t("With")), Column("", t("Due")),
    ]  # fmt: skip
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    rows = {}
    for line in lines:
        is_open = line.stage not in ("resolved", "withdrawn", "duplicate")
        is_late = is_open and line.next_due_at is not None and line.next_due_at < now
        is_soon = (
            is_open and line.next_due_at is not None and not is_late and _day(desk, line.next_due_at) <= desk.today
        )
        due = parts.moment(desk, line.next_due_at) if is_open else ""
        rows[line.id] = (
            Cell(f"#{line.id} {line.title or ''}".strip()),
            Cell(line.customer or ("–" if line.title else "•••")),
            Cell(line.category),
            Cell(" · ".join(part for part in (line.project, line.unit) if part)),
            Cell(word(desk, line.severity), "warn" if line.severity == "urgent" else ""),
            Cell(t(STAGES[line.stage]), TONES.get(line.stage, "")),
            Cell(line.handler or t("Nobody"), "" if line.handler else "quiet"),
            Cell(due or "–", "bad" if is_late else "warn" if is_soon else "quiet"),
        )
    event = table(desk, columns, rows, title=t("Demands"), key=key)
    if event.open is not None:
        parts.open_record(event.open)


def _day(desk: Desk, at: dt.datetime) -> dt.date:
    return at.replace(tzinfo=dt.UTC).astimezone(desk.zone).date()


def _draw_people(desk: Desk, filters: Filters) -> None:
    t = desk.t
    ui.message(t("Open demands by who has them now; what was given is seen here until it is settled."))
    with desk.reading() as work:
        loads = demand_list.loads(work, filters)
    if not loads:
        parts.nothing(t("There is no demand here."))
        return
    columns = [
        Column("", t("Who")), Column("", t("Open"), is_number=True), Column("", t("Overdue"), is_number=True),
        Column("", t("Due today"), is_number=True),
    ]  # fmt: skip
    rows = {
        load.employee_id or 0: (
            Cell(load.name or t("Nobody yet")), Cell(f"{load.open:,}"),
            Cell(f"{load.overdue:,}", "bad" if load.overdue else "quiet"), Cell(f"{load.today:,}"),
        )
        for load in loads
    }  # fmt: skip
    event = table(desk, columns, rows, title=t("Who has what"), key="demands_people")
    if event.open is not None:
        st.session_state["demands_person"] = event.open
    person = st.session_state.get("demands_person")
    load = next((load for load in loads if (load.employee_id or 0) == person), None)
    if load is None:
        return
    ui.section(load.name or t("Nobody yet"))
    theirs = {**vars(filters), "handler_id": load.employee_id}
    if load.employee_id is None:
        theirs["whose"] = "unassigned"
    with desk.reading() as work:
        lines = demand_list.page_of(work, Filters(**theirs), parts.offset("demands_person_page") // _SIZE, _SIZE)
    _table(desk, lines, "demands_of_person")
    parts.pager(desk, "demands_person_page", load.open)


# Entry


def enter(
    desk: Desk, customer_id: int | None = None, unit_id: int | None = None, project_id: int | None = None
) -> None:
    """Open the dialog that records a new demand."""
    t, key = desk.t, f"demand_{secrets.token_hex(4)}"
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)

    @st.dialog(t("New demand"), width="large")
    def dialog() -> None:
        values: dict[str, Any] = {}
        left, right = ui.columns(1, 1)
        with left:
            values["customer_id"] = forms.pick(desk, "customer", t("Customer"), customer_id, key=f"{key}_customer")
        with right:
            values["project_id"] = forms.pick(desk, "project", t("Estate"), project_id, key=f"{key}_project")
        left, right = ui.columns(1, 1)
        with left:
            values["demand_category_id"] = forms.pick(
                desk, "demand_category", t("Category"), key=f"{key}_category",
                help=t("As far down as you can tell; it can hang at any level."),
            )  # fmt: skip
        with right:
            values["unit_id"] = _pick_unit(desk, values["project_id"], unit_id, key)
            values["responsible_employee_id"] = forms.pick(
                desk, "employee", t("Whose conduct or promise it concerns"), key=f"{key}_responsible"
            )
        left, right = ui.columns(1, 1)
        with left:
            values["severity"] = _pick_word(desk, "severity", demands.SEVERITIES, "normal", key)
        with right:
            values["channel"] = _pick_word(desk, "channel", demands.CHANNELS, None, key)
        values |= forms.fields(
            desk,
            "demand",
            columns=["phase", "received_at", "title", "description"],
            defaults={"received_at": now, "phase": _own_phase(desk)},
            key=key,
        )
        if st.button(t("Record the demand"), type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):
            with forms.showing_errors(desk, "demand", key) as outcome, desk.writing() as work:
                row = demands.enter(work, **values)
                number, due_at = row.id, row.due_at
            if outcome.ok:
                due = parts.moment(desk, due_at)
                st.query_params["id"] = str(number)
                parts.say(
                    t("Recorded as number {number}. Answer by {due}.", number=number, due=due)
                    if due
                    else t("Recorded as number {number}.", number=number)
                )

    dialog()


def _pick_word(desk: Desk, column: str, usual: tuple[str, ...], first: str | None, key: str) -> str | None:
    """Offer the agreed words for a column, else the usual ones; another may be written."""
    with desk.reading() as work:
        agreed = demand_list.agreed_words(work, f"demand.{column}")
    offered = agreed or list(usual)
    chosen: str | None = st.selectbox(
        forms.label(desk, "demand", column), offered, index=offered.index(first) if first in offered else None,
        format_func=lambda value: word(desk, value), key=f"{key}_{column}", accept_new_options=True,
        placeholder=desk.t("Choose or write"),
    )  # fmt: skip
    return chosen


def _own_phase(desk: Desk) -> str:
    return "sales" if {"sales", "sales_manager"} & set(desk.actor.roles) else "property"


def _pick_unit(desk: Desk, project_id: int | None, unit_id: int | None, key: str) -> int | None:
    if project_id is None:
        st.selectbox(
            desk.t("Unit"), [], key=f"{key}_no_unit", disabled=True, placeholder=desk.t("Choose the estate first")
        )
        return None
    buildings = sa.select(Building.id).where(Building.project_id == project_id).correlate(None)
    return forms.pick(
        desk, "unit", desk.t("Unit"), unit_id, key=f"{key}_unit_{project_id}", where=Unit.building_id.in_(buildings)
    )


# One demand


def _draw_demand(desk: Desk, demand_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        demand = demands.check_readable(work, demand_id)
        [line] = demand_list.lines(work, [demand_id])
        story = demand_list.timeline(work, demand_id)
        others = demand_list.related(work, demand_id)
        promised = promises.about(work, customer_id=demand.customer_id, unit_id=demand.unit_id)
        category = records.caption(work, "demand_category", demand.demand_category_id)
        may = {action: work.may_with(action, demand) for action in ("update", "assign", "personal")}
    ui.section(f"#{line.id} {line.title or ''}".strip())
    ui.facts(_facts(desk, demand, line, category, story))
    if demand.duplicate_of_id is not None:
        st.info(t("This demand repeats demand {number}.", number=demand.duplicate_of_id))
        if st.button(t("Open the first one"), key="demand_master"):
            parts.open_record(demand.duplicate_of_id)
    if demand.description and may["personal"]:
        parts.quoted(demand.description)
    _draw_actions(desk, demand, line, may)
    left, right = ui.columns(3, 2)
    with left:
        ui.section(t("What has happened"))
        _draw_story(desk, demand, story)
        parts.attached(desk, "demand", demand_id, may_add=True)
    with right:
        ui.section(t("What was promised"))
        _draw_promises(desk, demand, promised)
        ui.section(t("Other demands of the customer and the unit"))
        _draw_others(desk, others)


def _facts(
    desk: Desk, demand: Demand, line: Line, category: str, story: list[demand_list.Moment]
) -> list[tuple[str, str]]:
    t = desk.t
    verdict = {None: t("Not judged yet"), True: t("Founded"), False: t("Unfounded")}[demand.is_founded]
    replied = next((m.at for m in story if m.kind == "reply"), None)
    facts = [
        (t("State"), t(STAGES[line.stage])),
        (t("With"), line.handler or t("Nobody")),
        (t("Answer by"), parts.moment(desk, demand.due_at) or "–"),
        (t("Settle by"), parts.moment(desk, demand.resolve_due_at) or "–"),
        (t("First answered"), parts.moment(desk, replied) or "–"),
        (t("Arrived"), parts.moment(desk, demand.received_at)),
        (t("Customer"), line.customer or "•••"),
        (t("Estate and unit"), " · ".join(p for p in (line.project, line.unit) if p)),
        (t("Category"), category),
        (t("Severity"), word(desk, demand.severity)),
        (t("Channel"), word(desk, demand.channel)),
        (t("Phase"), t(PHASES[demand.phase])),
        (t("Concerns"), line.responsible or "–"),
        (t("Judged"), verdict),
    ]
    return [fact for fact in facts if fact[1] != "–" or fact[0] in (t("Answer by"), t("First answered"))]


def _draw_actions(desk: Desk, demand: Demand, line: Line, may: Mapping[str, bool]) -> None:
    t, is_live = desk.t, line.stage not in ("withdrawn", "duplicate")
    is_open = is_live and line.stage != "resolved"
    with st.container(horizontal=True, key="lp_demand_actions"):
        if is_open and may["update"]:
            if st.button(t("Reply"), icon=":material/reply:", type="primary", key="demand_reply", shortcut="Alt+A"):
                _with_note(
                    desk,
                    demand.id,
                    t("Reply"),
                    t("What the customer was answered"),
                    demands.reply,
                    t("The reply is recorded."),
                )
            if st.button(t("Resolve"), icon=":material/check:", key="demand_resolve"):
                _with_note(
                    desk, demand.id, t("Resolve"), t("What was done"), demands.resolve, t("The demand is resolved.")
                )
            if st.button(t("Forward"), icon=":material/forward:", key="demand_forward"):
                _give(desk, demand.id, demands.forward)
        if is_open and may["assign"] and st.button(t("Assign"), icon=":material/person_add:", key="demand_assign"):
            _give(desk, demand.id, demands.assign)
        if (
            line.stage == "resolved"
            and may["update"]
            and st.button(t("Reopen"), icon=":material/undo:", key="demand_reopen")
        ):
            _with_note(
                desk, demand.id, t("Reopen"), t("Why it is not settled"), demands.reopen, t("The demand is open again.")
            )
        if (
            is_live
            and desk.actor.may("create", "follow_up")
            and st.button(t("Follow up"), icon=":material/call:", key="demand_follow_up")
        ):
            _follow_up(desk, demand.id)
        customer_page = links.is_open("customer")
        if customer_page and st.button(t("The customer"), icon=":material/person:", key="demand_customer"):
            links.go("customer", id=demand.customer_id)
        if may["update"]:
            with st.popover(t("More"), icon=":material/more_horiz:"):
                _draw_more(desk, demand, is_live)


def _draw_more(desk: Desk, demand: Demand, is_live: bool) -> None:
    t = desk.t
    if st.button(t("Correct the entry"), icon=":material/edit:", key="demand_correct"):
        forms.open_record(
            desk, "demand", demand.id, columns=list(demands.CORRECTABLE), save=_corrected(desk, demand.id),
            may_delete=False,
        )  # fmt: skip
    if not is_live:
        if st.button(t("Undo: it counts after all"), icon=":material/undo:", key="demand_reinstate"):
            _do(desk, lambda work: demands.reinstate(work, demand.id), t("The demand counts again."))
        return
    for verdict, words in ((True, t("Judge founded")), (False, t("Judge unfounded")), (None, t("Leave it unjudged"))):
        if demand.is_founded is not verdict and st.button(words, key=f"demand_judge_{verdict}"):
            _do(desk, partial(demands.judge, demand_id=demand.id, is_founded=verdict), t("The judgement is recorded."))
    if st.button(t("The customer withdraws it"), key="demand_withdraw"):
        _do(desk, lambda work: demands.withdraw(work, demand.id), t("The demand is withdrawn."))
    with desk.reading() as work:
        others = [line for line in demand_list.related(work, demand.id) if line.id < demand.id]
    if others:
        names = {line.id: f"#{line.id} {line.title or line.category}" for line in others}
        master = parts.choice(desk, t("It repeats"), names, key="demand_master_of", empty=t("None"))
        if master is not None and st.button(t("Mark as repeated"), key="demand_duplicate"):
            _do(desk, lambda work: demands.mark_duplicate(work, demand.id, master), t("Marked as repeated."))


def _corrected(desk: Desk, demand_id: int) -> Callable[[dict[str, Any]], int | None]:
    def save(values: dict[str, Any]) -> int | None:
        version = values.pop("row_version")
        with desk.writing() as work:
            demands.correct(work, demand_id, version, values)
        return None

    return save


def _do(desk: Desk, step: Callable[[Any], Any], said: str) -> None:
    with forms.showing_errors(desk, "demand") as outcome, desk.writing() as work:
        step(work)
    if outcome.ok:
        parts.say(said)


def _when(desk: Desk, key: str) -> dt.datetime | None:
    """Ask for the moment of something that was not just now; None is now."""
    if not st.checkbox(desk.t("It was earlier"), key=f"{key}_earlier"):
        return None
    local = dt.datetime.now(desk.zone).replace(tzinfo=None, second=0, microsecond=0)
    chosen = st.datetime_input(desk.t("When"), local, key=f"{key}_when", format="YYYY-MM-DD", step=60)
    return chosen.replace(tzinfo=desk.zone) if chosen is not None else None


def _with_note(desk: Desk, demand_id: int, title: str, words: str, step: Callable[..., Any], said: str) -> None:
    key = f"demand_note_{secrets.token_hex(4)}"

    @st.dialog(title)
    def dialog() -> None:
        note = st.text_area(words, key=key, height=140)
        moment = _when(desk, key)
        if st.button(desk.t("Save"), type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):
            _do(desk, lambda work: step(work, demand_id, note, occurred_at=moment), said)

    dialog()


def _give(desk: Desk, demand_id: int, step: Callable[..., Any]) -> None:
    t, key = desk.t, f"demand_give_{secrets.token_hex(4)}"
    is_forward = step is demands.forward

    @st.dialog(t("Forward to another department") if is_forward else t("Assign to somebody"))
    def dialog() -> None:
        with desk.reading() as work:
            people = demand_list.colleagues(work)
        employee_id = _pick_colleague(desk, people, key)
        note = st.text_area(t("What they should know"), key=f"{key}_note", height=100)
        words = t("Forward") if is_forward else t("Assign")
        if st.button(words, type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):
            name = next((p.name for p in people if p.id == employee_id), "")
            _do(
                desk, lambda work: step(work, demand_id, employee_id, note=note),
                t("The demand is with {name} now.", name=name),
            )  # fmt: skip

    dialog()


def _pick_colleague(desk: Desk, people: list[Colleague], key: str) -> int | None:
    """Choose an area or department first, then the person."""
    t = desk.t
    areas = {area: t(words) for area, words in _AREAS.items() if any(area in p.areas for p in people)}
    departments = {f"d:{p.department}": p.department for p in people if p.department}
    places = {**areas, **departments}
    place = st.selectbox(
        t("Department"), [None, *places], format_func=lambda p: places.get(p, t("All departments")), key=f"{key}_place"
    )
    some = [p for p in people if place is None or place in p.areas or place == f"d:{p.department}"]
    names = {p.id: " · ".join(x for x in (p.name, p.department) if x) for p in some}
    return st.selectbox(
        t("Who"), list(names), index=None, format_func=names.__getitem__, key=f"{key}_who_{place}",
        placeholder=t("Choose"),
    )  # fmt: skip


def _follow_up(desk: Desk, demand_id: int) -> None:
    t, key = desk.t, f"demand_follow_{secrets.token_hex(4)}"

    @st.dialog(t("Follow up"))
    def dialog() -> None:
        was_reached = st.radio(
            t("Was the customer reached?"), [True, False], format_func=lambda r: t("Yes") if r else t("No"),
            key=f"{key}_reached", horizontal=True,
        )  # fmt: skip
        satisfaction = None
        if was_reached:
            ui.message(t("How content: 1 star is worst, 5 are best; none if the customer gave no rating."))
            stars = st.feedback("stars", key=f"{key}_stars")
            satisfaction = stars + 1 if stars is not None else None
        comment = st.text_area(t("What the customer said"), key=f"{key}_comment", height=100)
        moment = _when(desk, key)
        if st.button(t("Save"), type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):
            _do(
                desk,
                lambda work: demands.follow_up(
                    work, demand_id, was_reached=was_reached, satisfaction=satisfaction, comment=comment,
                    occurred_at=moment,
                ),
                t("The follow-up is recorded."),
            )  # fmt: skip

    dialog()


def _draw_story(desk: Desk, demand: Demand, story: list[demand_list.Moment]) -> None:
    t = desk.t
    ui.message(f"{parts.moment(desk, demand.received_at)} · {t('The demand arrived.')}")
    for moment in story:
        who = moment.who or t("Somebody")
        words = t(STEPS[moment.kind], who=who, to=moment.to or t("somebody"))
        if moment.kind == "follow_up":
            if moment.was_reached is False:
                words += " " + t("Not reached.")
            elif moment.satisfaction is not None:
                words += " " + "★" * moment.satisfaction + "☆" * (5 - moment.satisfaction)
        ui.message(f"{parts.moment(desk, moment.at)} · {words}")
        if moment.note:
            parts.quoted(moment.note)


def _draw_promises(desk: Desk, demand: Demand, promised: list[promises.Kept]) -> None:
    t = desk.t
    if not promised:
        ui.message(t("No promise is on record."))
    may_mark = desk.actor.may("update", "promise")
    for promise in promised:
        with st.container(border=True, key=f"lp_card_promise_{promise.id}"):
            state = {None: t("Open"), True: t("Kept"), False: t("Broken")}[promise.is_kept]
            colour = {None: "blue", True: "green", False: "red"}[promise.is_kept]
            st.html(f"<p class='lp-quoted'>{html.escape(promise.text or '•••')}</p>")
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge(state, color=colour)  # type: ignore[arg-type]
                who = t(
                    "{name}, {moment}", name=promise.who or t("Somebody"), moment=parts.moment(desk, promise.made_at)
                )
                ui.message(who)
            if promise.due_on is not None:
                ui.message(t("To be kept by {day}", day=parts.day(desk, promise.due_on)))
            if promise.demand_id == demand.id:
                ui.message(t("This demand followed from it."))
            if may_mark:
                with st.container(horizontal=True):
                    _draw_marks(desk, demand, promise)
    if desk.actor.may("create", "promise") and st.button(
        t("Record a promise"), icon=":material/handshake:", key="promise_new"
    ):
        record_promise(desk, demand.customer_id, demand.unit_id)


def _draw_marks(desk: Desk, demand: Demand, promise: promises.Kept) -> None:
    t = desk.t
    for kept, words in ((True, t("It was kept")), (False, t("It was broken"))):
        if promise.is_kept is not kept and st.button(words, key=f"promise_{promise.id}_{kept}", type="tertiary"):
            _do(desk, partial(promises.mark, promise_id=promise.id, is_kept=kept), t("The promise is marked."))
    if promise.demand_id != demand.id and st.button(
        t("This demand follows from it"), key=f"promise_{promise.id}_link", type="tertiary"
    ):
        _do(desk, lambda work: promises.link(work, promise.id, demand.id), t("The promise is linked."))


def record_promise(desk: Desk, customer_id: int, unit_id: int | None = None) -> None:
    """Open the dialog that records what was promised to a customer."""
    t, key = desk.t, f"promise_{secrets.token_hex(4)}"

    @st.dialog(t("Record a promise"))
    def dialog() -> None:
        text = st.text_area(t("What was promised"), key=f"{key}_text", height=110)
        employee_id = forms.pick(desk, "employee", t("Who promised"), desk.actor.employee_id, key=f"{key}_who")
        moment = _when(desk, key)
        due_on = st.date_input(t("To be kept by"), None, key=f"{key}_due", format="YYYY-MM-DD")
        if st.button(t("Save"), type="primary", key=f"{key}_save", shortcut="Ctrl+Enter"):
            _do(
                desk,
                lambda work: promises.record(
                    work,
                    customer_id=customer_id,
                    text=text,
                    unit_id=unit_id,
                    employee_id=employee_id,
                    made_at=moment,
                    due_on=due_on,
                ),
                t("The promise is recorded."),
            )

    dialog()


def _draw_others(desk: Desk, others: list[Line]) -> None:
    t = desk.t
    if not others:
        ui.message(t("None."))
    for line in others:
        details = (
            t(PHASES[line.phase]), line.category, parts.moment(desk, line.received_at), line.unit or "",
        )  # fmt: skip
        title = f"#{line.id} {line.title or line.category}"
        if parts.entry(f"other_{line.id}", title, details, mark=t(STAGES[line.stage])):
            parts.open_record(line.id)
