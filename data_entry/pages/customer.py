"""One customer: who it is, where every lead and deal stands, what was promised, and all that happened."""

from __future__ import annotations

import html
from collections.abc import Callable

import sqlalchemy as sa
import streamlit as st

from data_entry import forms
from data_entry.pages import estate_board, links, personal_data
from data_entry.pages import sales_parts as parts
from data_entry.pages.customers import badges_of, title_of
from data_entry.pages.desk import Desk
from data_entry.schema.customer import Customer
from data_entry.schema.lead import Lead
from data_entry.services import customers, leads, promises
from data_entry.services.leads import Journey
from data_entry.services.profile import Profile, profile
from data_entry.services.work import Work
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

_MOST_MOMENTS = 60
_FACTS = (
    "phone", "email", "gender", "birth_on", "education", "occupation", "income_band", "personality", "address", "note",
)  # fmt: skip
_PERSONAL = {"phone", "email", "birth_on", "address", "note"}
_KEPT = {None: marked("Open"), True: marked("Kept"), False: marked("Broken")}


def draw(desk: Desk) -> None:
    """Draw the page."""
    t = desk.t
    parts.style()
    key = links.chosen("id")
    if key is None:
        ui.message(t("Choose a customer from the list."))
        if links.is_open("customers") and st.button(t("Customers"), icon=":material/person:"):
            links.go("customers")
        return
    with desk.reading() as work:
        found = profile(work, key)
        customer = found.customer
        rights = {action: desk.actor.may(action, "customer") and work.may_with(action, customer) for action in
                  ("update", "assign", "merge", "export", "erase")}  # fmt: skip
        rights["personal"] = found.row.is_known
        mine = {way.lead.id for way in found.row.ways if work.may_with("update", way.lead)}
        class_name = forms_class(work, customer)
        reachable = {lead.id for lead in found.leads}
    if customer.erased_at is not None:
        st.info(
            t("The person's data was erased on {moment}.", moment=parts.moment(desk, customer.erased_at)),
            icon=":material/person_off:",
        )
    if customer.id != key:
        st.info(t("This customer was merged into {customer}.", customer=ui.plain(title_of(desk, found.row))))
    _person(desk, found, rights, class_name)
    ways = [way for way in found.row.ways if way.lead.id in reachable]
    for way in sorted(ways, key=lambda way: way.lead.id):
        _way(desk, found, way, may_act=way.lead.id in mine)
    if desk.actor.may("create", "lead") and rights["update"]:
        rest = {
            k: name for k, name in found.projects.items() if k not in {way.lead.project_id for way in found.row.ways}
        }
        if rest and st.button(t("Interested in another estate"), icon=":material/add:", key="lead_new"):
            parts.dialog(t("New lead"), lambda: _new_lead(desk, customer.id, rest))
    _sales(desk, found)
    left, right = ui.columns(1, 1)
    with left:
        _promises(desk, found, may_add=rights["update"])
    with right:
        _demands(desk, found)
    _time_line(desk, found)


def forms_class(work: Work, customer: Customer) -> str | None:
    """Return the name of a customer's class."""
    from data_entry.schema.customer import CustomerClass

    return work.session.scalar(sa.select(CustomerClass.name).where(CustomerClass.id == customer.customer_class_id))


def _person(desk: Desk, found: Profile, rights: dict[str, bool], class_name: str | None) -> None:
    t, row, customer = desk.t, found.row, found.customer
    with st.container(border=True, key="lp_card_person"):
        st.html(
            f"<h2 class='lp-section'>{html.escape(title_of(desk, row))}</h2>" + badges_of(desk, row, found.projects)
        )
        owners = t(", ").join(row.owners) or t("nobody")
        last = parts.moment(desk, row.last_at)
        ui.message(t("Looked after by {owners}. Last contact: {moment}.", owners=owners, moment=last))
        pairs = [
            (forms.label(desk, "customer", name), forms.shown(desk, "customer", name, getattr(customer, name)))
            for name in _FACTS
            if getattr(customer, name) is not None and (row.is_known or name not in _PERSONAL)
        ]
        if class_name:
            pairs.append((forms.label(desk, "customer", "customer_class_id"), class_name))
        pairs += [(feature.name, forms.shown_feature(desk, feature, values)) for feature, values in found.features]
        if found.units:
            pairs.append((t("Owns"), t(", ").join(found.units)))
        if found.merged:
            pairs.append((t("Also entered as"), t(", ").join(f"#{other.id}" for other in found.merged)))
        ui.facts(pairs)
        with st.container(horizontal=True):
            if rights["update"] and st.button(t("Change particulars"), icon=":material/edit:", key="person_edit"):
                forms.open_record(desk, "customer", customer.id, columns=customers.ENTERED, may_delete=False)
            if rights["assign"] and st.button(t("Hand over"), icon=":material/swap_horiz:", key="person_assign"):
                parts.dialog(t("Hand the customer over"), lambda: _assign(desk, found))
            if rights["merge"] and st.button(t("Merge a duplicate"), icon=":material/merge:", key="person_merge"):
                parts.dialog(t("Merge a duplicate into this customer"), lambda: _merge(desk, found), is_wide=True)
            personal_data.buttons(desk, customer.id, rights)


def _assign(desk: Desk, found: Profile) -> None:
    t = desk.t
    with desk.reading() as work:
        team = parts.colleagues(work)
    employee_id = parts.choose(desk, t("Looked after by"), team, "assign_employee")
    own = {way.lead.project_id: found.projects.get(way.lead.project_id, "") for way in found.row.ways}
    project_id = parts.choose(desk, t("Estate (empty: all)"), own, "assign_project")
    reason = st.text_input(t("Why"), key="assign_reason", max_chars=200)
    parts.submit(
        desk, t("Hand over"),
        lambda work: customers.assign(work, found.customer.id, employee_id or 0, reason, project_id), key="assign_save",
    )  # fmt: skip


def _merge(desk: Desk, found: Profile) -> None:
    t, customer = desk.t, found.customer
    ui.message(
        t("The duplicate's leads, deals and demands count for this customer from then on. This cannot be undone here.")
    )
    text = st.text_input(t("Find the duplicate"), key="merge_text", placeholder=t("Name, telephone, number, or unit"))
    with desk.reading() as work:
        if text.strip():
            rows, _ = customers.listing(work, text=text, size=10)
        else:
            likely = customers.find_duplicates(
                work, name=customer.name, phone=customer.phone, email=customer.email, birth_on=customer.birth_on,
                besides=customer.id,
            )  # fmt: skip
            rows = customers.rows_of(work, [each.customer_id for each in likely if each.customer_id is not None])
    offered = {
        row.customer.id: " · ".join(
            filter(None, [title_of(desk, row), row.customer.phone if row.is_known else None, *row.owners])
        )
        for row in rows
        if row.customer.id != customer.id
    }
    if not offered:
        ui.message(t("No duplicate in sight. Search for it."))
        return
    duplicate = st.radio(
        t("Duplicate"), list(offered), format_func=lambda each: ui.plain(f"{offered[each]} #{each}"), key="merge_choice"
    )
    parts.submit(desk, t("Merge"), lambda work: customers.merge(work, duplicate, customer.id), key="merge_save")


def _way(desk: Desk, found: Profile, way: Journey, *, may_act: bool) -> None:
    """Draw where the customer stands in an estate, and what can be done there."""
    t, lead = desk.t, way.lead
    state = parts.word(desk, way.stage) if way.stage and way.state == "open" else t(parts.STATES[way.state])
    with st.container(border=True, key=f"lp_card_way_{lead.id}"):
        ui.card_title(f"{found.projects.get(lead.project_id, '')} · {state}")
        wishes = [
            forms.shown(desk, "lead", name, getattr(lead, name)) + (" m²" if name.endswith("_sqm") else "")
            for name in leads.WISHES
            if getattr(lead, name) is not None
        ]
        told = [
            t("since {day}", day=parts.day(desk, lead.opened_at.date())),
            found.sources.get(lead.source_id or 0), t("{count} visits", count=way.visits), *wishes,
        ]  # fmt: skip
        ui.message(" · ".join(filter(None, told)))
        with_step = way.next_step_lead
        if with_step.next_step and found.row.is_known and way.state != leads.LOST:
            due = with_step.next_step_on is not None and with_step.next_step_on <= desk.today
            st.html(
                parts.badges((parts.day(desk, with_step.next_step_on), "warn" if due else "plain"))
                + html.escape(with_step.next_step)
            )
        if not may_act:
            return
        key = lead.id
        with st.container(horizontal=True):
            if way.state == "lost":
                _action(
                    desk, "reopened", t("Reopen"), ":material/restart_alt:", key, lambda: _record(desk, key, "reopened")
                )
                return
            _action(desk, "call", t("Call"), ":material/call:", key, lambda: _record(desk, key, "call"))
            _action(desk, "visit", t("Visit"), ":material/directions_walk:", key, lambda: _record(desk, key, "visit"))
            _action(desk, "step", t("Next step"), ":material/event:", key, lambda: _step(desk, with_step.id))
            if not way.is_qualified and way.state == "open":
                _action(
                    desk, "qualified", t("Qualified"), ":material/verified:", key,
                    lambda: _record(desk, key, "qualified"),
                )  # fmt: skip
            if desk.actor.may("create", "deal"):
                _action(
                    desk, "deal", t("Booking or contract"), ":material/contract:", key,
                    lambda: estate_board.begin(desk, lead.project_id, None, key),
                )  # fmt: skip
            if way.state == "open" and way.stage is None:
                _action(desk, "lost", t("Lost"), ":material/person_off:", key, lambda: _record(desk, key, "lost"))


def _action(desk: Desk, name: str, label: str, icon: str, key: int, draw_dialog: Callable[[], None]) -> None:
    if st.button(label, icon=icon, key=f"way_{name}_{key}"):
        parts.dialog(label, draw_dialog)


def _record(desk: Desk, lead_id: int, kind: str) -> None:
    """Draw the form of something that happened to a lead."""
    t = desk.t
    reason_id, is_effective, step, on = None, None, "", None
    if kind == "lost":
        with desk.reading() as work:
            offered = parts.reasons(work, "loss")
        reason_id = parts.choose(desk, t("Why the customer was lost"), offered, "record_reason")
    if kind in ("call", "visit"):
        is_effective = st.checkbox(
            t("Effective: the customer took part seriously"), value=True, key=f"record_effective_{kind}"
        )
    note = st.text_area(t("Note"), key="record_note", height=90)
    at = parts.when(desk, "record_when")
    if kind in ("call", "visit", "reopened", "qualified"):
        step = st.text_input(t("Next step"), key="record_step", max_chars=300)
        on = st.date_input(
            t("Next step due on"), value=None, key="record_step_on", min_value=desk.today, format="YYYY-MM-DD"
        )

    def act(work: Work) -> None:
        leads.record(
            work, lead_id, kind, occurred_at=at, is_effective=is_effective, reason_id=reason_id, note=note,
        )  # fmt: skip
        if step.strip() or on is not None:
            leads.plan_next_step(work, lead_id, step, on)

    parts.submit(desk, t("Record"), act, key="record_save")


def _step(desk: Desk, lead_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        lead = work.get(Lead, lead_id)
    step = st.text_input(t("Next step"), value=lead.next_step or "", key="step_text", max_chars=300)
    on = st.date_input(t("Next step due on"), value=lead.next_step_on, key="step_on", format="YYYY-MM-DD")
    parts.submit(desk, t("Save"), lambda work: leads.plan_next_step(work, lead_id, step, on), key="step_save")
    if lead.next_step:
        parts.submit(desk, t("Done"), lambda work: leads.plan_next_step(work, lead_id, None, None), key="step_done")


def _new_lead(desk: Desk, customer_id: int, projects: dict[int, str]) -> None:
    t = desk.t
    project_id = parts.choose(desk, t("Estate"), projects, "lead_project", is_needed=True)
    with desk.reading() as work:
        origins = parts.sources(work)
    source_id = parts.choose(desk, t("Where the customer comes from"), origins, "lead_source")
    wishes = forms.fields(desk, "lead", columns=leads.WISHES, key="lead_wishes", features=False)

    def act(work: Work) -> None:
        wishes.check()
        leads.open_lead(
            work, customer_id, project_id or 0, source_id=source_id,
            wishes={name: value for name, value in wishes.items() if value is not None},
        )  # fmt: skip

    parts.submit(desk, t("Save"), act, key="lead_save")


def _sales(desk: Desk, found: Profile) -> None:
    t = desk.t
    if not found.sales:
        return
    ui.section(t("Deals"))
    for sale in found.sales:
        deal, state, owed = sale.deal, sale.state, sale.money
        with st.container(border=True, key=f"lp_card_sale_{deal.id}"):
            what, figures = ui.columns(2, 3)
            with what:
                label = f"{found.projects.get(deal.project_id, '')} {sale.unit or t('no unit yet')}"
                if links.is_open("deals"):
                    if st.button(ui.plain(label), key=f"sale_{deal.id}", type="tertiary", icon=":material/contract:"):
                        links.go("deals", id=deal.id)
                else:
                    ui.message(label)
                st.html(parts.badges(state_badge(desk, state)))
            with figures:
                amount = state.price if state.price is not None else state.deposit
                told = [
                    f"{parts.money(desk, amount)}",
                    t("paid {amount}", amount=parts.money(desk, owed.paid)),
                    t("overdue {amount}", amount=parts.money(desk, owed.overdue)) if owed.overdue > 0 else None,
                ]
                ui.message(" · ".join(filter(None, told)))


def state_badge(desk: Desk, state: leads.DealState) -> tuple[str, str]:
    """Return where a deal stands as a badge."""
    if state.is_cancelled:
        return desk.t("Cancelled"), "bad"
    if state.is_swapped:
        return desk.t("Given up for another unit"), "plain"
    return parts.word(desk, state.stage), "good" if state.is_live else "warn"


def _promises(desk: Desk, found: Profile, *, may_add: bool) -> None:
    t = desk.t
    if not desk.actor.may("read", "promise"):
        return
    ui.section(t("Promises"))
    if not found.promises:
        ui.message(t("Nothing was promised."))
    for promise in found.promises:
        with st.container(horizontal=True, vertical_alignment="center", key=f"lp_promise_{promise.id}"):
            text = promise.text if found.row.is_known else None
            when = parts.moment(desk, promise.made_at)
            if promise.due_on is not None:
                when = t("{made}, to be kept by {day}", made=when, day=parts.day(desk, promise.due_on))
            st.html(
                f"<p>{html.escape(text or NO_DATA)}<br><small>{html.escape(when)}</small></p>",
                width="stretch",
            )
            if desk.actor.may("update", "promise"):
                st.selectbox(
                    t("Kept?"), list(_KEPT), index=list(_KEPT).index(promise.is_kept), width=130,
                    format_func=lambda each: t(_KEPT[each]), key=f"promise_{promise.id}",
                    on_change=_mark, args=(desk, promise.id),
                )  # fmt: skip
            else:
                st.html(parts.badges((t(_KEPT[promise.is_kept]), "plain")), width="content")
    may_add = may_add and desk.actor.may("create", "promise")
    if may_add and st.button(t("Record a promise"), icon=":material/handshake:", key="promise_new"):
        parts.dialog(t("Record a promise"), lambda: _promise(desk, found))


def _mark(desk: Desk, promise_id: int) -> None:
    with forms.showing_errors(desk), desk.writing() as work:
        promises.mark(work, promise_id, st.session_state[f"promise_{promise_id}"])


def _promise(desk: Desk, found: Profile) -> None:
    t = desk.t
    text = st.text_area(t("What was promised"), key="promise_text")
    own = {
        sale.deal.id: sale.unit or f"#{sale.deal.id}"
        for sale in found.sales
        if sale.deal.customer_id == found.customer.id
    }
    deal_id = parts.choose(desk, t("Deal it belongs to"), own, "promise_deal") if own else None
    due_on = st.date_input(t("To be kept by"), value=None, key="promise_due", format="YYYY-MM-DD")
    parts.submit(
        desk, t("Save"),
        lambda work: promises.record(work, customer_id=found.customer.id, text=text, deal_id=deal_id, due_on=due_on),
        key="promise_save",
    )  # fmt: skip


def _demands(desk: Desk, found: Profile) -> None:
    t = desk.t
    if not desk.actor.may("read", "demand"):
        return
    ui.section(t("Demands"))
    if not found.demands:
        ui.message(t("No demands yet."))
    for demand, category in found.demands[:10]:
        title = demand.title if found.row.is_known and demand.title else category
        label = f"{parts.day(desk, demand.received_at.date())} · {title}"
        if links.is_open("demands"):
            if st.button(ui.plain(label), key=f"demand_{demand.id}", type="tertiary"):
                links.go("demands", id=demand.id)
        else:
            ui.message(label)
    may_add = desk.actor.may("create", "demand") and links.is_open("demands")
    if may_add and st.button(t("New demand"), icon=":material/add_comment:", key="demand_new"):
        links.go("demands", customer=found.customer.id)


def _time_line(desk: Desk, found: Profile) -> None:
    t = desk.t
    ui.section(t("What happened"))
    items = []
    for moment in found.moments[:_MOST_MOMENTS]:
        words = parts.happened(desk, moment.kind)
        if moment.is_effective is False and moment.kind == "visit":
            words = f"{words} ({t('not effective')})"
        told = [
            parts.money(desk, moment.amount) if moment.amount else None, moment.detail, moment.project, moment.employee,
        ]  # fmt: skip
        rest = html.escape(" · ".join(filter(None, told)))
        items.append(
            f"<li><time datetime='{moment.at.isoformat()}Z'>{html.escape(parts.moment(desk, moment.at))}</time>"
            f"<p><b>{html.escape(words)}</b> {rest}</p></li>"
        )
    st.html(f"<ol class='lp-time'>{''.join(items)}</ol>")
    if len(found.moments) > _MOST_MOMENTS:
        ui.message(t("{count} earlier entries are not shown.", count=len(found.moments) - _MOST_MOMENTS))
