"""What people save of the pages of statistics to see again: their filters and choices, never numbers.

A view belongs to the account that saved it, and only that account changes it. A shared one is seen by all who may open
its page. It holds codes of the page's address: opened, it shows what the rights of whoever opens it allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

import sqlalchemy as sa

from data_entry.schema.office import SavedView
from data_entry.schema.organisation import Account, Employee
from data_entry.services import wording
from data_entry.services.errors import Invalid, NotFound, PageForbidden, Problem, Refused
from data_entry.services.work import Work
from loupan.i18n import marked

MOST = 100
"""How many views an account may have."""
_LONGEST_NAME = 100
_LONGEST_QUERY = 4_000
_PATH = re.compile(r"[a-z0-9-]{1,100}")

Address = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Item:
    """A view in a list.

    Attributes:
        key: its key.
        name: what it is called.
        path: address of its page.
        address: the parameters of the page's address.
        is_shared: whether all who may open the page see it.
        is_own: whether the reader saved it.
        owner: who saved it.
    """

    key: int
    name: str
    path: str
    address: Address
    is_shared: bool
    is_own: bool
    owner: str


def save(work: Work, *, name: str, path: str, address: Address) -> SavedView:
    """Keep a page's address under a name; one's own view of that page and name gets the new address."""
    name = wording.line("name", name, _LONGEST_NAME)
    _require_page(work, path)
    query = urlencode([(parameter, value) for parameter, values in sorted(address.items()) for value in values])
    if len(query) > _LONGEST_QUERY:
        raise Invalid([Problem("query", marked("These are too many filters to keep; choose fewer."))])
    work.require("create", "saved_view")
    # Saved twice at the same moment, it is there once.
    work.session.execute(sa.select(Account.id).where(Account.id == work.actor.account_id).with_for_update())
    own = _own(work)
    same = work.session.scalar(sa.select(SavedView).where(*own, SavedView.path == path, SavedView.name == name))
    if same is not None:
        work.require_with("update", same)
        same.query = query
        work.session.flush()
        return same
    number = work.session.scalar(sa.select(sa.func.count()).select_from(SavedView).where(*own)) or 0
    if number >= MOST:
        raise Refused(marked("You have {number} saved views. Delete one first."), number=number)
    return work.add(SavedView(account_id=work.actor.account_id, name=name, path=path, query=query))


def rename(work: Work, key: int, name: str) -> SavedView:
    """Give one's own view another name."""
    row = _owned(work, key, "update")
    row.name = wording.line("name", name, _LONGEST_NAME)
    work.session.flush()
    return row


def share(work: Work, key: int, is_shared: bool) -> SavedView:
    """Show one's own view to all who may open its page, or to nobody else any more."""
    row = _owned(work, key, "update")
    row.is_shared = is_shared
    work.session.flush()
    return row


def delete(work: Work, key: int) -> None:
    """Delete one's own view."""
    row = _owned(work, key, "delete")
    row.deleted_at = work.now
    work.session.flush()


def listing(work: Work) -> list[Item]:
    """Return one's own views and those shared, of the pages that the actor may open, by name; one's own first."""
    work.require("read", "saved_view")
    me = work.actor.account_id
    rows = work.session.execute(
        sa.select(SavedView, Account.login, Employee.name)
        .join(Account, Account.id == SavedView.account_id)
        .outerjoin(Employee, Employee.id == Account.employee_id)
        .where(
            SavedView.deleted_at.is_(None),
            sa.or_(SavedView.is_shared, SavedView.account_id == me if me is not None else sa.false()),
        )
        .order_by(sa.func.lower(SavedView.name), SavedView.id)
    )
    items = [
        Item(
            view.id,
            view.name,
            view.path,
            parse_qs(view.query, keep_blank_values=True),
            view.is_shared,
            view.account_id == me,
            employee or login,
        )
        for view, login, employee in rows
        if work.actor.may("open", f"page:{view.path}")
    ]
    return sorted(items, key=lambda item: not item.is_own)


def _own(work: Work) -> tuple[sa.ColumnElement[bool], ...]:
    return SavedView.account_id == work.actor.account_id, SavedView.deleted_at.is_(None)


def _owned(work: Work, key: int, action: str) -> SavedView:
    """Return one's own view, for an action; whatever else a role allows, nobody changes another's."""
    row = work.get(SavedView, key, action, lock=True)
    if row.account_id != work.actor.account_id:
        raise NotFound(marked("There is no such record, or you may not see it."))
    return row


def _require_page(work: Work, path: str) -> None:
    if not _PATH.fullmatch(path) or not work.actor.may("open", f"page:{path}"):
        raise PageForbidden()
