"""Accounts: who may sign in, how, and what administrators do with them.

A login is refused in the same words and after the same time whatever was wrong with it. After five failures in a row an
account is locked for a quarter of an hour, after five more for twice as long, and so on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM, ensure_roles
from data_entry.schema.organisation import Account, AccountRole, Employee, Role
from data_entry.services import sessions
from data_entry.services.errors import Forbidden, Invalid, NotFound, Problem, Refused
from data_entry.services.passwords import check_password, hash_password, is_outdated, is_right, one_time_password
from data_entry.services.roles import ADMINISTRATOR, keeping_an_administrator, require_not_above
from data_entry.services.work import Clock, Work, reading, utc_now, writing
from loupan.i18n import marked

FAILURES_UNTIL_LOCKED = 5
FIRST_LOCK, LONGEST_LOCK = dt.timedelta(minutes=15), dt.timedelta(hours=24)
LONGEST_LOGIN = 100
LOCALES = ("en", "zh_CN")
WRONG = marked(
    "Login or password is wrong, or the account is locked. After several failures an account is locked for a while; "
    "an administrator can unlock it."
)


@dataclass(frozen=True)
class SignedIn:
    """A login that succeeded: the token for the browser, whose it is, and whether a new password is due."""

    token: str
    account_id: int
    must_change_password: bool


def _as_account(work: Work, account_id: int | None) -> None:
    """Let the trail name the account that is being signed in to: nobody acts yet."""
    work.actor = replace(SYSTEM, account_id=account_id)


def _by_login(session: Session, login: str, *, lock: bool = False) -> Account | None:
    query = sa.select(Account).where(
        sa.func.lower(Account.login) == login.strip().lower(), Account.deleted_at.is_(None)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query.order_by(Account.id).limit(1))


def sign_in(
    engine: sa.Engine,
    login: str,
    password: str,
    *,
    address: str | None = None,
    user_agent: str | None = None,
    clock: Clock = utc_now,
) -> SignedIn:
    """Sign in with a password.

    Args:
        engine: the CRM.
        login: as typed; case does not matter.
        password: as typed.
        address: network address of the browser.
        user_agent: what the browser calls itself.
        clock: tells the moment.

    Raises:
        Refused: with the same words for whatever was wrong; the failure is counted.
    """
    with reading(engine, SYSTEM, clock) as work:
        # PostgreSQL refuses to compare with a NUL.
        is_possible = len(login) <= LONGEST_LOGIN and "\x00" not in login
        account = _by_login(work.session, login) if is_possible else None
        kept = account.password_hash if account is not None else None
    # Outside of a transaction: this takes its time, and others want to write meanwhile.
    fits = is_right(password, kept)
    fresh = hash_password(password) if fits and kept is not None and is_outdated(kept) else None
    with writing(engine, SYSTEM, clock) as work:
        account = _by_login(work.session, login, lock=True) if account is not None else None
        if account is None:
            work.log("login_failed", "account", None, reason="unknown", address=address)
        elif _may_sign_in(work, account, is_proven=fits and account.password_hash == kept, address=address):
            _as_account(work, account.id)
            account.failed_count, account.locked_until, account.last_login_at = 0, None, work.now
            if fresh is not None:
                account.password_hash = fresh
            token = sessions.begin(work, account.id, "password", address, user_agent)
            work.log("login", "account", account.id, method="password", address=address)
            return SignedIn(token, account.id, account.must_change_password)
    raise Refused(WRONG)


def _may_sign_in(work: Work, account: Account, *, is_proven: bool, address: str | None) -> bool:
    """Decide about a login; write down and count one that fails."""
    if account.locked_until is not None and account.locked_until > work.now:
        reason = "locked"
    elif not account.is_active:
        reason = "inactive"
    elif not is_proven:
        reason = "password"
        account.failed_count += 1
        rounds, rest = divmod(account.failed_count, FAILURES_UNTIL_LOCKED)
        if rest == 0:
            account.locked_until = work.now + min(FIRST_LOCK * 2 ** min(rounds - 1, 10), LONGEST_LOCK)
    else:
        return True
    work.session.flush()
    work.log("login_failed", "account", account.id, reason=reason, address=address)
    return False


def sign_in_by_provider(
    engine: sa.Engine,
    subject: str,
    names: Sequence[str],
    *,
    address: str | None = None,
    user_agent: str | None = None,
    clock: Clock = utc_now,
) -> SignedIn:
    """Sign in somebody whom the identity provider vouches for. Accounts are never made by this.

    Args:
        engine: the CRM.
        subject: issuer and subject.
        names: what the provider is sure of that may be a login: verified e-mail address, user name. The first time,
            an account whose login is one of them is linked with the subject for good.
        address: network address of the browser.
        user_agent: what the browser calls itself.
        clock: tells the moment.

    Raises:
        Refused: if no active account is meant.
    """
    with writing(engine, SYSTEM, clock) as work:
        account = work.session.scalar(
            sa.select(Account).where(Account.oidc_subject == subject, Account.deleted_at.is_(None)).with_for_update()
        )
        if account is None:
            found = [_by_login(work.session, name, lock=True) for name in names if 0 < len(name) <= LONGEST_LOGIN]
            account = next((a for a in found if a is not None and a.is_active and a.oidc_subject is None), None)
        if account is not None and account.is_active:
            _as_account(work, account.id)
            account.oidc_subject, account.last_login_at = subject, work.now
            token = sessions.begin(work, account.id, "oidc", address, user_agent)
            work.log("login", "account", account.id, method="oidc", address=address)
            return SignedIn(token, account.id, must_change_password=False)
        work.log("login_failed", "account", account.id if account else None, reason="oidc", address=address)
    raise Refused(marked("No active account belongs to this sign-in. Ask an administrator for one."))


def sign_out(engine: sa.Engine, token: str, clock: Clock = utc_now) -> None:
    """End the session of a token."""
    with writing(engine, SYSTEM, clock) as work:
        visit = sessions.find(work.session, token, work.now)
        _as_account(work, visit.account_id if visit else None)
        sessions.end(work, token)


def change_password(
    engine: sa.Engine,
    token: str,
    old: str,
    new: str,
    *,
    address: str | None = None,
    user_agent: str | None = None,
    clock: Clock = utc_now,
) -> str:
    """Change the password of the account that is signed in; all its sessions end, and a new one begins.

    Returns:
        The token of the new session.

    Raises:
        Forbidden: if nobody is signed in.
        Invalid: if the old password is wrong, or the new one not good enough.
        Refused: if the account is locked.
    """
    with reading(engine, SYSTEM, clock) as work:
        visit = sessions.find(work.session, token, work.now)
        if visit is None:
            raise Forbidden(sessions.ENDED)
        account = work.session.get_one(Account, visit.account_id)
        kept, names = account.password_hash, _names(work.session, account)
    fits = is_right(old, kept)
    if fits:
        check_password(new, names, kept)
    fresh = hash_password(new)
    with writing(engine, SYSTEM, clock) as work:
        account = work.session.get_one(Account, visit.account_id, with_for_update=True, populate_existing=True)
        _as_account(work, account.id)
        if _may_sign_in(work, account, is_proven=fits and account.password_hash == kept, address=address):
            _set_hash(work, account, fresh, must_change=False)
            work.log("password_changed", "account", account.id)
            return sessions.begin(work, account.id, "password", address, user_agent)
        is_locked = account.locked_until is not None and account.locked_until > work.now
    if is_locked:
        raise Refused(WRONG)
    raise Invalid([Problem("old_password", marked("The present password is not right."))])


def _names(session: Session, account: Account) -> list[str]:
    employee = session.get(Employee, account.employee_id) if account.employee_id else None
    return [account.login, *([employee.name] if employee else [])]


def _set_hash(work: Work, account: Account, fresh: str, *, must_change: bool) -> None:
    account.password_hash, account.must_change_password = fresh, must_change
    account.password_changed_at, account.failed_count, account.locked_until = work.now, 0, None
    work.session.flush()
    sessions.end_all(work, account.id, "password")


def _administered(work: Work, account_id: int, *, lock: bool = True) -> Account:
    """Return an account that the actor may change, which must not have more rights than the actor."""
    account = work.get(Account, account_id, "update", lock=lock)
    require_not_above(work, _role_ids(work.session, account.id))
    return account


def _role_ids(session: Session, account_id: int) -> list[int]:
    return list(
        session.scalars(
            sa.select(AccountRole.role_id).where(AccountRole.account_id == account_id, AccountRole.deleted_at.is_(None))
        )
    )


def create(
    work: Work,
    login: str,
    *,
    role_ids: Collection[int],
    employee_id: int | None = None,
    password: str | None = None,
    locale: str | None = None,
    must_change: bool = True,
) -> tuple[Account, str]:
    """Make an account.

    Args:
        work: the work.
        login: not taken yet; case does not matter.
        role_ids: keys of its roles.
        employee_id: who signs in with it.
        password: None for a one-time one.
        locale: language of the pages.
        must_change: whether the first login asks for a new password.

    Returns:
        The account, and its password.

    Raises:
        Invalid: if login or password will not do.
        Forbidden: if the actor may not, or lacks a right that the roles give.
    """
    work.require("create", "account")
    login = login.strip()
    _check_login(work, login)
    account = Account(login=login, employee_id=_free_employee(work, employee_id, None), locale=_locale(locale))
    account.is_active, account.must_change_password, account.failed_count = True, must_change, 0
    if password is None:
        password = one_time_password()
    else:
        check_password(password, [login, *_employee_names(work, employee_id)], None)
    account.password_hash, account.password_changed_at = hash_password(password), work.now
    work.add(account)
    _set_roles(work, account, role_ids)
    return account, password


def _check_login(work: Work, login: str) -> None:
    problem = None
    if not login or len(login) > LONGEST_LOGIN:
        problem = Problem("login", marked("The login needs 1 to {number} characters."), {"number": LONGEST_LOGIN})
    elif any(character.isspace() or not character.isprintable() for character in login):
        problem = Problem("login", marked("The login may have no blanks in it."))
    elif work.session.scalar(sa.select(Account.id).where(sa.func.lower(Account.login) == login.lower())) is not None:
        problem = Problem("login", marked("This login is taken."))
    if problem:
        raise Invalid([problem])


def _employee_names(work: Work, employee_id: int | None) -> list[str]:
    employee = work.session.get(Employee, employee_id) if employee_id else None
    return [employee.name] if employee else []


def _free_employee(work: Work, employee_id: int | None, account_id: int | None) -> int | None:
    if employee_id is None:
        return None
    employee = work.session.get(Employee, employee_id)
    if employee is None or employee.deleted_at is not None:
        raise NotFound(marked("There is no such record, or you may not see it."))
    taken = work.session.scalar(
        sa.select(Account.login).where(
            Account.employee_id == employee_id, Account.deleted_at.is_(None), Account.is_active,
            Account.id != (account_id if account_id is not None else -1),
        )
    )  # fmt: skip
    if taken is not None:
        problem = Problem("employee_id", marked("This employee signs in with {login} already."), {"login": taken})
        raise Invalid([problem])
    return employee_id


def _locale(locale: str | None) -> str | None:
    return locale if locale in LOCALES else None


def set_locale(work: Work, locale: str | None) -> None:
    """Choose the language of one's own account; None leaves it to the browser."""
    if work.actor.account_id is None:
        raise Forbidden(sessions.ENDED)
    work.session.get_one(Account, work.actor.account_id).locale = _locale(locale)
    work.session.flush()


def reset_password(work: Work, account_id: int) -> str:
    """Give an account a one-time password, which is returned and shown nowhere again; its sessions end."""
    account = _administered(work, account_id)
    password = one_time_password()
    _set_hash(work, account, hash_password(password), must_change=True)
    work.log("password_reset", "account", account.id)
    return password


def set_password(work: Work, account_id: int, password: str, *, must_change: bool = False) -> None:
    """Give an account a password that the administrator chose; its sessions end."""
    account = _administered(work, account_id)
    check_password(password, _names(work.session, account), account.password_hash)
    _set_hash(work, account, hash_password(password), must_change=must_change)
    work.log("password_reset", "account", account.id)


def unlock(work: Work, account_id: int) -> None:
    """Let an account sign in again that was locked after failures."""
    account = _administered(work, account_id)
    account.failed_count, account.locked_until = 0, None
    work.session.flush()
    work.log("unlocked", "account", account.id)


def deactivate(work: Work, account_id: int) -> None:
    """Keep an account from signing in; its sessions end.

    Raises:
        Refused: if it is the last active administrator's.
    """
    with keeping_an_administrator(work):
        account = _administered(work, account_id)
        account.is_active = False
        work.session.flush()
    sessions.end_all(work, account.id, "deactivated")


def activate(work: Work, account_id: int) -> None:
    """Let an account sign in again that was deactivated."""
    account = _administered(work, account_id)
    account.employee_id = _free_employee(work, account.employee_id, account.id)
    account.is_active = True
    work.session.flush()


def link_employee(work: Work, account_id: int, employee_id: int | None) -> None:
    """Say which employee signs in with an account."""
    account = _administered(work, account_id)
    account.employee_id = _free_employee(work, employee_id, account.id)
    work.session.flush()


def set_roles(work: Work, account_id: int, role_ids: Collection[int]) -> None:
    """Give an account these roles and no others.

    Raises:
        Refused: if no active administrator would be left.
        Forbidden: if the actor lacks a right that a role gives or gave.
    """
    with keeping_an_administrator(work):
        _set_roles(work, _administered(work, account_id), role_ids)


def _set_roles(work: Work, account: Account, role_ids: Collection[int]) -> None:
    work.require("update", "account_role")
    wanted = set(role_ids)
    known = set(work.session.scalars(sa.select(Role.id).where(Role.id.in_(wanted), Role.deleted_at.is_(None))))
    if wanted - known:
        raise NotFound(marked("There is no such record, or you may not see it."))
    require_not_above(work, wanted)
    rows = {
        row.role_id: row
        for row in work.session.scalars(sa.select(AccountRole).where(AccountRole.account_id == account.id))
    }
    for role_id, row in rows.items():
        if (row.deleted_at is None) != (role_id in wanted):
            row.deleted_at = None if role_id in wanted else work.now
    work.session.add_all(AccountRole(account_id=account.id, role_id=role_id) for role_id in sorted(wanted - set(rows)))
    work.session.flush()


def is_set_up(session: Session) -> bool:
    """Say whether there is any account."""
    return session.scalar(sa.select(Account.id).limit(1)) is not None


def create_administrator(engine: sa.Engine, login: str, password: str, clock: Clock = utc_now) -> int:
    """Make the first account, an administrator's, and return its key.

    Raises:
        Refused: if there is an account already.
        Invalid: if login or password will not do.
    """
    with writing(engine, SYSTEM, clock) as work:
        if engine.dialect.name == "postgresql":
            work.session.execute(sa.text("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE"))
        if is_set_up(work.session):
            raise Refused(marked("There is an account already. Sign in with it, or let its owner make another."))
        ensure_roles(work.session)
        role = work.session.scalar(sa.select(Role.id).where(Role.name == ADMINISTRATOR, Role.deleted_at.is_(None)))
        if role is None:
            raise Refused(marked("The role of administrators was deleted. Restore it with a backup."))
        account, _ = create(work, login, role_ids=[role], password=password, must_change=False)
        return account.id


def landing_page(session: Session, account_id: int) -> str:
    """Return the path of the page an account begins with: its first role's, else ``home``."""
    found = session.scalars(
        sa.select(Role.landing_page)
        .join(AccountRole, AccountRole.role_id == Role.id)
        .where(AccountRole.account_id == account_id, AccountRole.deleted_at.is_(None), Role.deleted_at.is_(None))
        .order_by(Role.id)
    )
    return next((page for page in found if page), "home")


@dataclass(frozen=True)
class Row:
    """An account as the list of accounts shows it."""

    id: int
    login: str
    employee_id: int | None
    employee: str | None
    roles: tuple[str, ...]
    is_active: bool
    locked_until: dt.datetime | None
    must_change_password: bool
    last_login_at: dt.datetime | None
    open_sessions: int
    is_linked: bool


def listing(work: Work, search: str = "", offset: int = 0, limit: int = 50) -> tuple[list[Row], int]:
    """Return a page of the accounts by login, and how many there are in all.

    Args:
        work: the work.
        search: part of a login or of an employee's name.
        offset: how many to pass over.
        limit: how many at most.
    """
    if "all" not in work.actor.require("read", "account"):
        raise Forbidden(marked("You may not do this. Ask an administrator if you need to."))
    where: list[Any] = [Account.deleted_at.is_(None)]
    if search:
        where.append(
            sa.or_(Account.login.icontains(search, autoescape=True), Employee.name.icontains(search, autoescape=True))
        )
    base = sa.select(Account, Employee.name).outerjoin(Employee, Employee.id == Account.employee_id).where(*where)
    total = work.session.scalar(sa.select(sa.func.count()).select_from(base.subquery())) or 0
    found = work.session.execute(base.order_by(sa.func.lower(Account.login)).offset(offset).limit(limit)).all()
    keys = [account.id for account, _ in found]
    roles: dict[int, list[str]] = {}
    for account_id, name in work.session.execute(
        sa.select(AccountRole.account_id, Role.name)
        .join(Role, Role.id == AccountRole.role_id)
        .where(AccountRole.account_id.in_(keys), AccountRole.deleted_at.is_(None), Role.deleted_at.is_(None))
        .order_by(Role.id)
    ):
        roles.setdefault(account_id, []).append(name)
    opened = sessions.counts(work, keys)
    return [
        Row(
            account.id, account.login, account.employee_id, employee, tuple(roles.get(account.id, ())),
            account.is_active,
            account.locked_until if account.locked_until and account.locked_until > work.now else None,
            account.must_change_password, account.last_login_at, opened.get(account.id, 0),
            account.oidc_subject is not None,
        )
        for account, employee in found
    ], total  # fmt: skip


def by_login(work: Work, login: str) -> Account:
    """Return the account of a login.

    Raises:
        NotFound: if there is none, or the actor may not see it.
    """
    account = _by_login(work.session, login)
    if account is None:
        raise NotFound(marked("There is no account {login}."), login=login)
    return work.get(Account, account.id)


@dataclass(frozen=True)
class Own:
    """What somebody sees of their own account."""

    login: str
    locale: str | None
    password_changed_at: dt.datetime | None
    has_password: bool


def own(work: Work) -> Own:
    """Return the account of who acts."""
    if work.actor.account_id is None:
        raise Forbidden(sessions.ENDED)
    account = work.session.get_one(Account, work.actor.account_id)
    return Own(account.login, account.locale, account.password_changed_at, account.password_hash is not None)


def employees(work: Work) -> dict[int, tuple[str, str]]:
    """Return name and number of the employees who may be given an account, by key."""
    work.require("read", "employee")
    found = work.session.execute(
        sa.select(Employee.id, Employee.name, Employee.number)
        .where(Employee.deleted_at.is_(None), Employee.left_on.is_(None) | (Employee.left_on >= work.today))
        .order_by(Employee.name, Employee.number)
    )
    return {row[0]: (row[1], row[2]) for row in found}


def role_ids(work: Work, account_id: int) -> list[int]:
    """Return the keys of the roles of an account."""
    work.get(Account, account_id)
    return _role_ids(work.session, account_id)


def row_of(work: Work, account_id: int) -> Row:
    """Return an account as the list shows it."""
    login = work.get(Account, account_id).login
    rows, _ = listing(work, login, limit=1000)
    return next(row for row in rows if row.id == account_id)
