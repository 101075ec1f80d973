"""Accounts and roles: who may sign in, and what they may do."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from data_entry.access.actor import EVERY, SCOPES
from data_entry.pages import session_list
from data_entry.pages.desk import Desk
from data_entry.pages.menu import MENU
from data_entry.pages.role_names import role_title
from data_entry.schema import metadata
from data_entry.schema.labels import table_plural
from data_entry.schema.organisation import Role
from data_entry.services import accounts, roles, sessions
from data_entry.services.errors import ServiceError
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import Translator, marked

_PAGE = 20
_SEARCH, _AT = "lp_account_search", "lp_account_at"
ACTIONS = {
    "read": marked("read"),
    "personal": marked("read personal data"),
    "create": marked("create"),
    "update": marked("change"),
    "delete": marked("delete, restore"),
    "assign": marked("assign"),
    "merge": marked("merge"),
    "cancel": marked("cancel"),
    "approve": marked("approve"),
    "issue": marked("issue"),
    "run": marked("run"),
    "export": marked("hand personal data over"),
    "erase": marked("erase personal data"),
    EVERY: marked("everything"),
}
_SCOPES = {
    "own": marked("own"),
    "department": marked("department's"),
    "project": marked("estates'"),
    "all": marked("all"),
}
# Pages and actions beside the tables and the menu of the CRM.
_DASHBOARDS = {
    "overview": "Overview",
    "conversion": "Conversion",
    "complaints": "Complaints",
    "campaign-return": "Campaign return",
    "staff": "Staff",
    "data-status": "Data status",
}
_PROCESSES = {"import": marked("Imports"), "backup": marked("Backups"), "refresh": marked("Refreshes")}


def draw(desk: Desk) -> None:
    """Draw the page."""
    people, kinds = st.tabs([desk.t("Accounts"), desk.t("Roles")])
    with people:
        _accounts(desk)
    with kinds:
        _roles(desk)


@contextmanager
def _saying_errors(desk: Desk) -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        st.error(ui.sentence(error.text(desk.t)), icon=":material/error:")


def _accounts(desk: Desk) -> None:
    t = desk.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(t("Search"), key=_SEARCH, placeholder=t("Login or name"), on_change=_to_the_start)
        if st.button(t("New account"), key="lp_account_new", type="primary", icon=":material/person_add:"):
            _new_account(desk)
    at = int(st.session_state.get(_AT, 0))
    with desk.reading() as work:
        rows, total = accounts.listing(work, search.strip(), at, _PAGE)
    if not rows:
        ui.message(t("No account was found."))
    for row in rows:
        with st.container(border=True, key=f"lp_row_account_{row.id}", horizontal=True, vertical_alignment="center"):
            st.html(_card(desk, row), width="stretch")
            if st.button(
                t("Manage"),
                key=f"lp_account_open_{row.id}",
                help=t("Open the account {login}", login=ui.plain(row.login)),
            ):
                _one_account(desk, row.id)
    if total > _PAGE:
        _turn_pages(t, at, total)


def _to_the_start() -> None:
    st.session_state[_AT] = 0


def _turn_pages(t: Translator, at: int, total: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("Previous page"), key="lp_account_back", disabled=at == 0):
            st.session_state[_AT] = max(0, at - _PAGE)
            st.rerun()
        if st.button(t("Next page"), key="lp_account_further", disabled=at + _PAGE >= total):
            st.session_state[_AT] = at + _PAGE
            st.rerun()
        last = min(at + _PAGE, total)
        ui.message(t("{first}–{last} of {total}", first=at + 1, last=last, total=total))


def _card(desk: Desk, row: accounts.Row) -> str:
    t, formats = desk.t, desk.formats
    state = _state(t, row)
    facts = [
        t(", ").join(role_title(t, name) for name in row.roles) or t("no role"),
        t("last signed in {moment}", moment=formats.moment(row.last_login_at, desk.zone.key))
        if row.last_login_at
        else t("never signed in"),
    ]
    name = f" · {html.escape(row.employee)}" if row.employee else ""
    mark = f" <b class='lp-mark'>{html.escape(state)}</b>" if state else ""
    return (
        f"<p class='lp-title'>{html.escape(row.login)}{name}{mark}</p>"
        f"<p class='lp-note'>{html.escape(' · '.join(facts))}</p>"
    )


def _state(t: Translator, row: accounts.Row) -> str:
    if not row.is_active:
        return t("inactive")
    if row.locked_until is not None:
        return t("locked")
    return t("must change the password") if row.must_change_password else ""


def _role_names(desk: Desk) -> dict[int, str]:
    with desk.reading() as work:
        return {role.id: role_title(desk.t, role.name) for role in roles.listing(work)}


def _employee_names(desk: Desk) -> dict[int | None, str]:
    with desk.reading() as work:
        found = accounts.employees(work)
    return {None: desk.t("nobody"), **{key: f"{name} ({number})" for key, (name, number) in found.items()}}


def _refresh() -> None:
    """The list under a dialog is drawn anew when the dialog is closed."""


def _new_account(desk: Desk) -> None:
    t = desk.t
    names, people = _role_names(desk), _employee_names(desk)

    @st.dialog(t("New account"), on_dismiss="rerun")
    def show() -> None:
        with st.form("lp_account_form"):
            login = st.text_input(t("Login"), max_chars=accounts.LONGEST_LOGIN)
            employee = st.selectbox(t("Employee"), list(people), format_func=people.__getitem__)
            chosen = st.multiselect(t("Roles"), list(names), format_func=names.__getitem__, placeholder=t("Choose"))
            is_sent = st.form_submit_button(t("Make the account"), type="primary")
        if is_sent:
            with _saying_errors(desk):
                with desk.writing() as work:
                    account, password = accounts.create(work, login, role_ids=chosen, employee_id=employee)
                _one_time(t, account.login, password)

    show()


def _one_time(t: Translator, login: str, password: str) -> None:
    """Show a password that is kept nowhere: it stands here until the next click."""
    st.success(
        t("Password of {login} for the first login. It is shown this once; hand it over in person.", login=login)
    )
    st.code(password, language=None)


def _one_account(desk: Desk, account_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        title = accounts.row_of(work, account_id).login

    @st.dialog(t("Account {login}", login=ui.plain(title)), width="medium", on_dismiss="rerun")
    def show() -> None:
        with _saying_errors(desk):
            _account_form(desk, account_id)
            _account_actions(desk, account_id)
            with desk.reading() as work:
                rows, current = sessions.listing(work, account_id), sessions.current(work, desk.identify)
            ui.section(t("Signed in on"))
            if not rows:
                ui.message(t("Signed in nowhere."))
            session_list.draw(desk, rows, current, lambda: st.rerun(scope="fragment"))

    show()


def _account_form(desk: Desk, account_id: int) -> None:
    t = desk.t
    names, people = _role_names(desk), _employee_names(desk)
    with desk.reading() as work:
        row, held = accounts.row_of(work, account_id), accounts.role_ids(work, account_id)
    if row.employee_id is not None:
        people.setdefault(row.employee_id, row.employee or NO_DATA)
    state = _state(t, row)
    if state:
        ui.message(t("State: {state}", state=state))
    with st.form(f"lp_account_form_{account_id}"):
        employee = st.selectbox(
            t("Employee"), list(people), index=list(people).index(row.employee_id), format_func=people.__getitem__
        )
        chosen = st.multiselect(
            t("Roles"),
            list(names),
            default=[key for key in held if key in names],
            format_func=names.__getitem__,
            placeholder=t("Choose"),
        )
        if st.form_submit_button(t("Save"), type="primary"):
            with _saying_errors(desk):
                with desk.writing() as work:
                    if employee != row.employee_id:
                        accounts.link_employee(work, account_id, employee)
                    if set(chosen) != set(held):
                        accounts.set_roles(work, account_id, chosen)
                st.toast(t("Saved."))


def _account_actions(desk: Desk, account_id: int) -> None:
    t = desk.t
    with desk.reading() as work:
        row = accounts.row_of(work, account_id)
    with st.container(horizontal=True):
        asks_reset = st.button(t("Reset the password"), key="lp_account_reset", icon=":material/key:")
        asks_unlock = row.locked_until is not None and st.button(
            t("Unlock"), key="lp_account_unlock", icon=":material/lock_open:"
        )
        asks_end = row.is_active and st.button(t("Deactivate"), key="lp_account_off", icon=":material/person_off:")
        asks_begin = not row.is_active and st.button(t("Activate"), key="lp_account_on", icon=":material/person:")
    with _saying_errors(desk):
        if asks_reset:
            with desk.writing() as work:
                password = accounts.reset_password(work, account_id)
            _one_time(t, row.login, password)
        elif asks_unlock or asks_end or asks_begin:
            change = accounts.unlock if asks_unlock else accounts.deactivate if asks_end else accounts.activate
            with desk.writing() as work:
                change(work, account_id)
            st.rerun(scope="fragment")


def _page_titles(t: Translator) -> dict[str, str]:
    listed = {entry.path: t(entry.title) for entries in MENU.values() for entry in entries}
    return listed | {path: t(title) for path, title in _DASHBOARDS.items()}


def _resources(t: Translator) -> dict[str, str]:
    """Return the resources that are no pages, each by its title."""
    tables = {name: t(table_plural(name)) for name in metadata.tables}
    rest = {name: t(title) for name, title in _PROCESSES.items()}
    return {EVERY: t("Everything"), **dict(sorted((tables | rest).items(), key=lambda item: item[1]))}


def _roles(desk: Desk) -> None:
    t = desk.t
    with desk.reading() as work:
        known = {role.id: role for role in roles.listing(work)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        role_id = st.selectbox(
            t("Role"), list(known), format_func=lambda key: role_title(t, known[key].name), key="lp_role"
        )
        if st.button(t("New role"), key="lp_role_new", type="primary", icon=":material/add:"):
            _new_role(desk, known)
    if role_id not in known:
        return
    with desk.reading() as work:
        grants = roles.grants_of(work, role_id)
    _role_form(desk, known[role_id], grants)
    _permissions(desk, role_id, grants)


def _new_role(desk: Desk, known: dict[int, Role]) -> None:
    t = desk.t
    titles = _page_titles(t)

    @st.dialog(t("New role"))
    def show() -> None:
        with st.form("lp_role_form"):
            name = st.text_input(t("Name"), max_chars=100)
            landing = st.selectbox(t("Begins with the page"), list(titles), format_func=titles.__getitem__)
            like = st.selectbox(
                t("Permissions as those of"),
                [None, *known],
                format_func=lambda key: t("none") if key is None else role_title(t, known[key].name),
            )
            is_sent = st.form_submit_button(t("Make the role"), type="primary")
        if is_sent:
            with _saying_errors(desk):
                with desk.writing() as work:
                    roles.create(work, name, landing, like)
                st.toast(t("Saved."))
                st.rerun()

    show()


def _role_form(desk: Desk, role: Role, grants: set[roles.Grant]) -> None:
    t = desk.t
    titles = _page_titles(t)
    pages = {resource.removeprefix("page:") for resource, action, _ in grants if resource.startswith("page:")}
    landings = [None, *titles]
    with st.form(f"lp_role_form_{role.id}"):
        left, right = ui.columns(1, 1)
        name = left.text_input(t("Name"), role.name, max_chars=100)
        landing = right.selectbox(
            t("Begins with the page"),
            landings,
            index=landings.index(role.landing_page) if role.landing_page in titles else 0,
            format_func=lambda path: titles[path] if path else t("none"),
        )
        opened = st.multiselect(
            t("Pages that may be opened"),
            list(titles),
            default=[path for path in titles if path in pages],
            format_func=titles.__getitem__,
            placeholder=t("Choose"),
        )
        if st.form_submit_button(t("Save"), type="primary"):
            kept = {grant for grant in grants if not grant[0].startswith("page:") or grant[0][5:] not in titles}
            with _saying_errors(desk):
                with desk.writing() as work:
                    roles.change(work, role.id, name, landing)
                    roles.set_grants(work, role.id, kept | {(f"page:{path}", "open", "all") for path in opened})
                st.toast(t("Saved."))
                st.rerun()


def _permissions(desk: Desk, role_id: int, grants: set[roles.Grant]) -> None:
    t = desk.t
    titles = _resources(t)
    ui.section(t("Permissions"))
    resource = st.selectbox(t("Resource"), list(titles), format_func=titles.__getitem__, key="lp_role_resource")
    offered = [action for action in ACTIONS if action != EVERY or resource == EVERY]
    with st.form(f"lp_grants_{role_id}_{resource}"):
        chosen = {}
        cells = st.columns(2)
        for number, action in enumerate(offered):
            held = [scope for scope in SCOPES if (resource, action, scope) in grants]
            chosen[action] = cells[number % 2].multiselect(
                t(ACTIONS[action]).capitalize(),
                SCOPES,
                default=held,
                format_func=lambda scope: t(_SCOPES[scope]),
                placeholder=t("not at all"),
                key=f"lp_grant_{role_id}_{resource}_{action}",
            )
        if st.form_submit_button(t("Save"), type="primary"):
            others = {grant for grant in grants if grant[0] != resource or grant[1] not in offered}
            wanted = {(resource, action, scope) for action, scopes in chosen.items() for scope in scopes}
            with _saying_errors(desk):
                with desk.writing() as work:
                    roles.set_grants(work, role_id, others | wanted)
                st.toast(t("Saved."))
                st.rerun()
    with st.expander(t("All permissions of this role")):
        _matrix(t, titles, grants)


def _matrix(t: Translator, titles: dict[str, str], grants: set[roles.Grant]) -> None:
    scopes: dict[tuple[str, str], list[str]] = {}
    for resource, action, scope in sorted(grants, key=lambda grant: SCOPES.index(grant[2])):
        scopes.setdefault((resource, action), []).append(t(_SCOPES[scope]))
    used = [action for action in ACTIONS if any(key[1] == action for key in scopes)]
    rows = [
        [title, *(t(", ").join(scopes.get((resource, action), ())) for action in used)]
        for resource, title in titles.items()
        if any((resource, action) in scopes for action in used)
    ]
    frame = pd.DataFrame(rows, columns=[t("Resource"), *(t(ACTIONS[action]) for action in used)])
    ui.table(frame, t("All permissions of this role"), is_words=True)
