"""Whose figures somebody may see: the rows that the scope of a page's permission reaches, by estate and by person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from data_entry.access import Actor, load_actor
from data_entry.schema.estate import Project
from data_entry.schema.organisation import Account
from data_entry.services.errors import Forbidden, PageForbidden
from data_entry.services.work import Work
from loupan.i18n import marked

OPEN = "open"
VIEW_AS = "view_as"


def resource_of(page: str) -> str:
    """Return the resource on which the right to open a page of figures is granted."""
    return f"page:{page}"


def reach(actor: Actor, page: str) -> Mapping[str, Collection[int]] | None:
    """Return which rows count on a page of figures for somebody.

    The same scopes as in the CRM hold, by what was recorded with the event: `project` reaches the estates the person
    works for today, `department` what the people of the departments did whenever, `own` what the person did.

    Args:
        actor: who looks.
        page: path of the page.

    Returns:
        Keys of estates (``project_id``) and of employees (``employee_id``): a row of any of them counts. None: every
        row does.

    Raises:
        Forbidden: if the page may not be opened.
    """
    scopes = actor.scopes(OPEN, resource_of(page))
    if not scopes:
        raise PageForbidden()
    if "all" in scopes:
        return None
    reached: dict[str, Collection[int]] = {}
    if "project" in scopes:
        reached["project_id"] = actor.project_ids
    own = {actor.employee_id} - {None}
    if "department" in scopes:
        reached["employee_id"] = actor.colleague_ids if own else ()
    elif "own" in scopes:
        reached["employee_id"] = frozenset(key for key in own if key is not None)
    return reached


@dataclass(frozen=True)
class Reached:
    """What a bounded reader is told: names of the estates, and how many people."""

    estates: tuple[str, ...]
    people: int


def described(work: Work, reached: Mapping[str, Collection[int]]) -> Reached:
    """Put the reach of somebody into words' material."""
    estates = work.session.scalars(
        sa.select(Project.name)
        .where(Project.id.in_(list(reached.get("project_id", ()))), Project.deleted_at.is_(None))
        .order_by(Project.name)
    )
    return Reached(tuple(estates), len(reached.get("employee_id", ())))


def may_view_as(actor: Actor) -> bool:
    """Say whether somebody may look at figures as another account sees them: a person, whom the trail can name."""
    return actor.account_id is not None and "all" in actor.scopes(VIEW_AS, "account")


def view_as(work: Work, account_id: int) -> Actor:
    """Return the rights of another account, to look at figures as it sees them.

    Raises:
        Forbidden: if the actor may not, or the account may not sign in.
        NotFound: if there is no such account.
    """
    if not may_view_as(work.actor):
        raise Forbidden(marked("You may not do this. Ask an administrator if you need to."))
    return load_actor(work.session, work.get(Account, account_id).id, work.today)


def begin_view_as(work: Work, account_id: int) -> Actor:
    """Do as `view_as`, and leave a line in the trail that says who did: once, not at every run of a page."""
    other = view_as(work, account_id)
    work.log(VIEW_AS, "account", account_id)
    return other
