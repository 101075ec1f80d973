"""My customers: what is due next, who has gone quiet; find any customer, enter a new one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from data_entry import forms
from data_entry.pages import links
from data_entry.pages import sales_parts as parts
from data_entry.pages.desk import Desk
from data_entry.services import customers, features, leads
from data_entry.services.customers import Candidate, Duplicate, Row
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked

_SIZE = 20
_VIEWS = {
    "todo": marked("To do"),
    "silent": marked("Gone quiet"),
    "open": marked("Open leads"),
    "all": marked("All customers"),
}
_PARTICULARS = (
    "name", "phone", "kind", "gender", "birth_on", "email", "education", "occupation", "income_band", "personality",
    "customer_class_id", "note",
)  # fmt: skip
_CONTACTS = {"visit": marked("Visit"), "call": marked("Call"), "online": marked("Online message")}
_WHY = {
    "phone": marked("same telephone number"),
    "email": marked("same e-mail address"),
    "birthday": marked("similar name, same birthday"),
    "number": marked("similar name, similar telephone number"),
    "name": marked("same name"),
}


def draw(desk: Desk) -> None:
    """Draw the page."""
    t = desk.t
    parts.style()
    with desk.reading() as work:
        projects, team = parts.projects(work), parts.colleagues(work)
        is_seller = desk.actor.employee_id is not None and desk.actor.may("create", "lead")
    with st.container(key="lp_sales_filters"):
        search, new = ui.columns(4, 1)
        text = search.text_input(
            t("Find a customer"), key="customers_text", placeholder=t("Name, telephone, number, or unit"),
            on_change=_first_page,
        )  # fmt: skip
        if desk.actor.may("create", "customer"):
            with new, st.container(vertical_alignment="bottom", height="stretch"):
                if st.button(t("New customer"), type="primary", icon=":material/person_add:", key="customers_new"):
                    parts.dialog(t("New customer"), lambda: _new(desk), is_wide=True)
        views = list(_VIEWS) if desk.actor.may("read", "lead") else ["all"]
        view = st.segmented_control(
            t("Show"), views, format_func=lambda each: t(_VIEWS[each]), default=views[0] if is_seller else "all",
            key="customers_view", on_change=_first_page, required=True,
        )  # fmt: skip
        project_id, employee_id = None, None
        one, two = ui.columns(1, 1)
        with one:
            if len(projects) > 1:
                project_id = parts.choose(desk, t("Estate"), projects, "customers_project", is_filter=True)
        with two:
            if len(team) > 1:
                employee_id = parts.choose(desk, t("Looked after by"), team, "customers_employee", is_filter=True)
    # Whoever searches looks among all, whatever is due.
    view = "all" if text.strip() else (view or "all")
    page = int(st.session_state.get("customers_page", 0))
    with desk.reading() as work:
        rows, total = customers.listing(
            work, view=view, text=text, project_id=project_id, employee_id=employee_id, page=page, size=_SIZE
        )
    if not rows:
        empty = t("Nobody is due, and nobody has gone quiet.") if view == "todo" else t("No customer found.")
        st.html(f"<p class='lp-empty'>{empty}</p>")
    for row in rows:
        _card(desk, row, projects)
    parts.pager(desk, "customers_page", total, _SIZE)


def _first_page() -> None:
    st.session_state["customers_page"] = 0


def title_of(desk: Desk, row: Row) -> str:
    """Return how a customer is called: by number where the name may not be known."""
    name = row.customer.name if row.is_known else None
    return name or desk.t("Customer {number}", number=row.customer.id)


def badges_of(desk: Desk, row: Row, projects: dict[int, str]) -> str:
    """Return where a customer stands, as HTML."""
    t = desk.t
    found: list[tuple[str, str]] = []
    for way in row.ways:
        state = parts.word(desk, way.stage) if way.stage and way.state == "open" else t(parts.STATES[way.state])
        estate = projects.get(way.lead.project_id, "")
        tone = {"converted": "good", "lost": "plain"}.get(way.state, "warn" if way.stage else "plain")
        found.append((f"{estate}: {state}" if estate else state, tone))
    if row.is_silent:
        found.append((t("Silent for {days} days", days=row.silent_days or 0), "bad"))
    return parts.badges(*found)


def _card(desk: Desk, row: Row, projects: dict[int, str]) -> None:
    t = desk.t
    key = row.customer.id
    with st.container(border=True, key=f"lp_card_customer_{key}"):
        who, step, state = ui.columns(2, 3, 3)
        with who, st.container(gap=None):
            if st.button(ui.plain(title_of(desk, row)), key=f"open_{key}", type="tertiary", icon=":material/person:"):
                links.go("customer", id=key)
            phone = row.customer.phone if row.is_known else None
            ui.message(" · ".join(filter(None, [phone, f"#{key}", *row.owners[:2]])))
        with step:
            following = row.next_step
            if following is None:
                ui.message(t("No next step") if any(way.state == "open" for way in row.ways) else NO_DATA)
            else:
                text, on = following
                is_due = on is not None and on <= desk.today
                st.html(
                    parts.badges((parts.day(desk, on), "warn" if is_due else "plain"))
                    + parts.html.escape(text if row.is_known else t("Next step"))
                )
        with state:
            st.html(badges_of(desk, row, projects) or NO_DATA)


def _new(desk: Desk) -> None:
    """Draw the dialog of a new customer, with the lead it begins with."""
    t = desk.t
    values = forms.fields(desk, "customer", columns=_PARTICULARS, key="new_customer", features=True)
    ui.card_title(t("What the customer is looking for"))
    with desk.reading() as work:
        projects, origins, team = parts.projects(work), parts.sources(work), parts.colleagues(work)
    first, second = ui.columns(1, 1)
    own = [key for key in projects if key in desk.actor.project_ids]
    with first:
        project_id = parts.choose(
            desk, t("Estate"), projects, "new_customer_project", own[0] if len(own) == 1 else None, is_needed=True
        )
    with second:
        source_id = parts.choose(desk, t("Where the customer comes from"), origins, "new_customer_source")
    first, second = ui.columns(1, 1)
    with first:
        contact = st.selectbox(
            t("First contact"), list(_CONTACTS), format_func=lambda each: t(_CONTACTS[each]), key="new_customer_contact"
        )
    employee_id = None
    with second:
        if team:
            employee_id = parts.choose(
                desk, t("Looked after by"), team, "new_customer_employee", desk.actor.employee_id
            )
    wishes = forms.fields(desk, "lead", columns=leads.WISHES, key="new_customer_wishes", features=False)
    candidates: list[Candidate] = st.session_state.get("new_customer_candidates", [])
    despite = False
    if candidates:
        _show_candidates(desk, candidates)
        despite = st.checkbox(t("It is somebody else: enter the customer nevertheless"), key="new_customer_despite")
    if not st.button(t("Save"), type="primary", key="new_customer_save"):
        return
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    own_values, custom = features.split(given)
    found: list[Candidate] = []
    with forms.showing_errors(desk, "customer", "new_customer") as done:
        values.check()
        wishes.check()
        try:
            with desk.writing() as work:
                customer = customers.enter(
                    work, own_values, project_id=project_id, employee_id=employee_id, despite_duplicates=despite
                )
                if custom:
                    features.save(work, "customer", customer.id, custom)
                if project_id is not None:
                    leads.open_lead(
                        work, customer.id, project_id, source_id=source_id, contact=contact, employee_id=employee_id,
                        wishes={name: value for name, value in wishes.items() if value is not None},
                    )  # fmt: skip
        except Duplicate as error:
            found = list(error.candidates)
    if found:
        st.session_state["new_customer_candidates"] = found
        st.rerun(scope="fragment")
    if done.ok:
        st.session_state.pop("new_customer_candidates", None)
        st.toast(t("Saved."), icon=":material/check:")
        links.go("customer", id=customer.id)
        st.rerun()


def _show_candidates(desk: Desk, candidates: list[Candidate]) -> None:
    """Say who the customer may be, as far as the person may know."""
    t = desk.t
    lines = []
    for each in candidates:
        owners = t(", ").join(each.owners) or t("nobody")
        if each.name is not None:
            line = t(
                "{name} (#{number}), looked after by {owners}", name=each.name, number=each.customer_id, owners=owners
            )
        else:
            line = t("A customer looked after by {owners}", owners=owners)
        lines.append(f"- {ui.plain(line)} — {t(_WHY[each.why])}")
    st.warning(t("This customer seems to be known already:") + "\n" + "\n".join(lines), icon=":material/person_search:")
