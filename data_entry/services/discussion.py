"""Discussion: threads for all or for a department, and what people say in them.

A thread of a department is for those who work in it, above it or below it, and for who began it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.office import Post, Thread
from data_entry.schema.organisation import Department
from data_entry.services import staff, wording
from data_entry.services.errors import Forbidden, Invalid, NotFound, Problem
from data_entry.services.work import Work
from loupan.i18n import marked

PAGE = 20
LONGEST_POST = 20_000


@dataclass(frozen=True)
class Item:
    """A thread in a list."""

    thread: Thread
    department: str
    posts: int
    last_at: dt.datetime | None
    last_by: str
    excerpt: str


def begin(work: Work, *, title: str, body: str, department_id: int | None = None) -> Thread:
    """Begin a thread with its first post.

    Args:
        work: the transaction.
        title: what it is about.
        body: the first post.
        department_id: department it is for, one that the actor belongs to; None for all.
    """
    staff.myself(work)
    if department_id is not None and department_id not in open_departments(work):
        raise Invalid([Problem("department_id", marked("You do not belong to this department."))])
    thread = work.add(Thread(title=wording.line("title", title, 300), department_id=department_id))
    _add_post(work, thread, body)
    return thread


def post(work: Work, thread_id: int, body: str) -> Post:
    """Say something in a thread."""
    return _add_post(work, _thread(work, thread_id), body)


def edit(work: Work, post_id: int, body: str, row_version: int | None = None) -> Post:
    """Change what one has said.

    Raises:
        Stale: if it has changed since `row_version`.
    """
    row = _own(work, post_id, "update")
    wording.require_version(row, row_version, body=body)
    row.body = wording.block("body", body, LONGEST_POST)
    work.session.flush()
    return row


def take_back(work: Work, post_id: int) -> None:
    """Take back what one has said."""
    row = _own(work, post_id, "delete")
    row.deleted_at = work.now
    work.session.flush()


def listing(work: Work, words: str = "", *, offset: int = 0, limit: int = PAGE) -> tuple[list[Item], int]:
    """Return a piece of the list of threads whose title or posts hold every word, the liveliest first, and how many."""
    wanted = words.split()[:8]
    where = [Thread.deleted_at.is_(None), reach(work.actor, "personal", "thread"), _for_me(work)]
    for word in wanted:
        pattern = wording.pattern(word)
        said = sa.exists().where(
            Post.thread_id == Thread.id,
            Post.deleted_at.is_(None),
            sa.func.lower(Post.body).like(pattern, escape="\\"),
        )
        where.append(sa.or_(sa.func.lower(Thread.title).like(pattern, escape="\\"), said))
    counted = (
        sa.select(
            Post.thread_id, sa.func.count().label("posts"), sa.func.max(Post.posted_at).label("last_at"),
            sa.func.max(Post.id).label("last_id"),
        )
        .where(Post.deleted_at.is_(None))
        .group_by(Post.thread_id)
        .subquery()
    )  # fmt: skip
    total = work.session.scalar(sa.select(sa.func.count()).select_from(Thread).where(*where)) or 0
    rows: list[Any] = list(
        work.session.execute(
            sa.select(Thread, counted.c.posts, counted.c.last_at, counted.c.last_id)
            .outerjoin(counted, counted.c.thread_id == Thread.id)
            .where(*where)
            .order_by(sa.func.coalesce(counted.c.last_at, Thread.created_at).desc(), Thread.id.desc())
            .offset(offset)
            .limit(limit)
        )
    )
    last = {
        row.id: row
        for row in work.session.scalars(sa.select(Post).where(Post.id.in_([r.last_id for r in rows if r.last_id])))
    }
    people = staff.names(work, [row.employee_id for row in last.values()])
    departments = _departments(work)
    items = []
    for thread, posts, last_at, last_id in rows:
        newest = last.get(last_id)
        items.append(
            Item(
                thread, departments.get(thread.department_id, ""), posts or 0, last_at,
                people.get(newest.employee_id, "") if newest else "",
                wording.excerpt(newest.body, wanted, 120) if newest else "",
            )
        )  # fmt: skip
    return items, total


def one(work: Work, thread_id: int) -> tuple[Thread, str, list[tuple[Post, str]]]:
    """Return a thread, the name of its department, and its posts with their authors, the oldest first."""
    thread = _thread(work, thread_id)
    rows = list(
        work.session.scalars(
            sa.select(Post)
            .where(Post.thread_id == thread.id, Post.deleted_at.is_(None), reach(work.actor, "personal", "post"))
            .order_by(Post.posted_at, Post.id)
        )
    )
    people = staff.names(work, [row.employee_id for row in rows])
    department = _departments(work).get(thread.department_id or 0, "")
    return thread, department, [(row, people.get(row.employee_id, "")) for row in rows]


def open_departments(work: Work) -> dict[int, str]:
    """Return the departments that the actor may begin a thread for, by key: the name."""
    mine = staff.departments_of(work)
    every = _departments(work)
    return every if _sees_all(work) else {key: name for key, name in every.items() if key in mine}


def _departments(work: Work) -> dict[int, str]:
    return dict(
        work.session.execute(
            sa.select(Department.id, Department.name).where(Department.deleted_at.is_(None)).order_by(Department.id)
        ).all()
    )


def _sees_all(work: Work) -> bool:
    # Who may change every thread runs the place.
    return "all" in work.actor.scopes("update", "thread")


def _for_me(work: Work) -> sa.ColumnElement[bool]:
    if _sees_all(work):
        return sa.true()
    begun = Thread.created_by == work.actor.account_id if work.actor.account_id is not None else sa.false()
    return sa.or_(Thread.department_id.is_(None), Thread.department_id.in_(sorted(staff.departments_of(work))), begun)


def _thread(work: Work, thread_id: int) -> Thread:
    thread = work.get(Thread, thread_id, "personal")
    if not work.session.scalar(sa.select(sa.literal(1)).where(Thread.id == thread.id, _for_me(work))):
        raise NotFound(marked("There is no such record, or you may not see it."))
    return thread


def _own(work: Work, post_id: int, action: str) -> Post:
    row = work.get(Post, post_id, action, lock=True)
    _thread(work, row.thread_id)
    if row.employee_id != work.actor.employee_id and action != "delete":
        raise Forbidden(marked("Only the author may do this."))
    return row


def _add_post(work: Work, thread: Thread, body: str) -> Post:
    return work.add(
        Post(
            thread_id=thread.id, employee_id=staff.myself(work), posted_at=work.now,
            body=wording.block("body", body, LONGEST_POST),
        )
    )  # fmt: skip
