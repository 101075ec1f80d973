"""Roles and their permissions: what administrators may change, and what keeps them from locking everybody out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access.actor import EVERY, SCOPES
from data_entry.schema.organisation import Account, AccountRole, Role, RolePermission
from data_entry.services.errors import Forbidden, Invalid, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

ADMINISTRATOR = "admin"
# (resource, action, scope)
Grant = tuple[str, str, str]
# Who may do these with everybody's is an administrator: able to mend whatever else is wrong.
_ADMINISTERS = (("update", "account"), ("update", "account_role"), ("update", "role_permission"))
_LONGEST_NAME, _LONGEST_RESOURCE, _LONGEST_ACTION = 100, 100, 40


def _live_grants(session: Session, role_ids: Iterable[int]) -> set[Grant]:
    found = session.execute(
        sa.select(RolePermission.resource, RolePermission.action, RolePermission.scope).where(
            RolePermission.role_id.in_(list(role_ids)), RolePermission.deleted_at.is_(None)
        )
    )
    return {(resource, action, scope) for resource, action, scope in found}


def administrators(session: Session) -> set[int]:
    """Return the keys of the active accounts that may change every account, its roles, and every permission."""
    found: set[int] | None = None
    for action, resource in _ADMINISTERS:
        holders = set(
            session.scalars(
                sa.select(Account.id)
                .join(AccountRole, AccountRole.account_id == Account.id)
                .join(Role, Role.id == AccountRole.role_id)
                .join(RolePermission, RolePermission.role_id == Role.id)
                .where(
                    Account.is_active, Account.deleted_at.is_(None), AccountRole.deleted_at.is_(None),
                    Role.deleted_at.is_(None), RolePermission.deleted_at.is_(None), RolePermission.scope == "all",
                    RolePermission.resource.in_((resource, EVERY)), RolePermission.action.in_((action, EVERY)),
                )
            )
        )  # fmt: skip
        found = holders if found is None else found & holders
    return found or set()


@contextmanager
def keeping_an_administrator(work: Work) -> Iterator[None]:
    """Refuse what is done within if it leaves no active administrator where there was one.

    Two such changes wait for each other: each alone could leave the other's administrator.
    """
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(sa.text("LOCK TABLE account_role IN SHARE ROW EXCLUSIVE MODE"))
    before = administrators(work.session)
    yield
    work.session.flush()
    if before and not administrators(work.session):
        raise Refused(marked("This would leave no active administrator. Make another one first."))


def require_not_above(work: Work, role_ids: Iterable[int]) -> None:
    """Raise `Forbidden` if roles give a right that the actor lacks: nobody hands out more than they have."""
    _require_holds(work, _live_grants(work.session, role_ids))


def _require_holds(work: Work, grants: Iterable[Grant]) -> None:
    for resource, action, scope in grants:
        held = work.actor.scopes(action, resource)
        if scope not in held and "all" not in held:
            raise Forbidden(marked("You may not give, take or use rights that you do not have yourself."))


def listing(work: Work) -> list[Role]:
    """Return the roles in the order they were made."""
    work.require("read", "role")
    return list(work.session.scalars(sa.select(Role).where(Role.deleted_at.is_(None)).order_by(Role.id)))


def grants_of(work: Work, role_id: int) -> set[Grant]:
    """Return what a role may do: resource, action and scope."""
    work.require("read", "role_permission")
    return _live_grants(work.session, [role_id])


def create(work: Work, name: str, landing_page: str | None, like: int | None = None) -> Role:
    """Make a role, with the permissions of another or none.

    Raises:
        Invalid: if the name is empty or taken.
    """
    work.require("create", "role")
    _check_name(work, name, None)
    role = work.add(Role(name=name.strip(), landing_page=landing_page or None))
    if like is not None:
        _write_grants(work, work.get(Role, role.id, "update"), _live_grants(work.session, [like]))
    return role


def change(work: Work, role_id: int, name: str, landing_page: str | None) -> None:
    """Rename a role, or let it begin with another page."""
    role = work.get(Role, role_id, "update", lock=True)
    _check_name(work, name, role_id)
    role.name, role.landing_page = name.strip(), landing_page or None
    work.session.flush()


def _check_name(work: Work, name: str, role_id: int | None) -> None:
    name = name.strip()
    problem = None
    if not name or len(name) > _LONGEST_NAME:
        problem = Problem("name", marked("The name needs 1 to {number} characters."), {"number": _LONGEST_NAME})
    elif work.session.scalar(sa.select(Role.id).where(Role.name == name, Role.id != (role_id or -1))) is not None:
        problem = Problem("name", marked("There is a role of this name already."))
    if problem:
        raise Invalid([problem])


def set_grants(work: Work, role_id: int, grants: Collection[Grant]) -> None:
    """Give a role these permissions and no others.

    Raises:
        Refused: if no active administrator would be left.
        Forbidden: if one is given or taken that the actor does not have.
    """
    with keeping_an_administrator(work):
        _write_grants(work, work.get(Role, role_id, "update", lock=True), set(grants))


def _write_grants(work: Work, role: Role, wanted: set[Grant]) -> None:
    work.require("update", "role_permission")
    for resource, action, scope in wanted:
        if scope not in SCOPES or not 0 < len(resource) <= _LONGEST_RESOURCE or not 0 < len(action) <= _LONGEST_ACTION:
            raise Invalid([Problem("scope", marked("A permission is a resource, an action and a scope."))])
    rows = {
        (row.resource, row.action, row.scope): row
        for row in work.session.scalars(sa.select(RolePermission).where(RolePermission.role_id == role.id))
    }
    present = {grant for grant, row in rows.items() if row.deleted_at is None}
    _require_holds(work, wanted ^ present)
    for grant in wanted ^ present:
        if grant in rows:
            rows[grant].deleted_at = None if grant in wanted else work.now
        else:
            resource, action, scope = grant
            work.session.add(RolePermission(role_id=role.id, resource=resource, action=action, scope=scope))
    work.session.flush()


def delete(work: Work, role_id: int) -> None:
    """Delete a role that nobody holds.

    Raises:
        Refused: if an account holds it.
    """
    role = work.get(Role, role_id, "delete", lock=True)
    held = work.session.scalar(
        sa.select(sa.func.count())
        .select_from(AccountRole)
        .join(Account, Account.id == AccountRole.account_id)
        .where(AccountRole.role_id == role_id, AccountRole.deleted_at.is_(None), Account.deleted_at.is_(None))
    )
    if held:
        raise Refused(marked("{number} accounts hold this role. Give them another first."), number=held)
    role.deleted_at = work.now
    work.session.flush()
