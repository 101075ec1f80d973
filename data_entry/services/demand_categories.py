"""Categories of demands: a tree that can be split further at any time.

A demand hangs where it was put for ever, and counts there and in every category above. So splitting adds categories
below one and moves nothing; a category no longer wanted is taken out of use, not deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.demand import Demand, DemandCategory
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.work import Work
from loupan.i18n import marked

KINDS = ("complaint", "suggestion", "service_request", "decoration", "other")


@dataclass(frozen=True)
class Branch:
    """A category with its place: `depth` is 0 at the top; `direct` demands hang here, `whole` here and below."""

    id: int
    parent_id: int | None
    kind: str
    name: str
    is_active: bool
    depth: int
    direct: int
    whole: int


def tree(work: Work, *, with_counts: bool = True) -> list[Branch]:
    """Return all categories, each before those below it; counts are of the demands that the actor may read."""
    work.require("read", "demand_category")
    category = DemandCategory
    rows: Any = work.session.execute(
        sa.select(category.id, category.parent_id, category.kind, category.name, category.is_active)
        .where(category.deleted_at.is_(None), reach(work.actor, "read", "demand_category"))
        .order_by(category.id)
    ).all()
    direct: dict[int, int] = {}
    if with_counts and work.actor.may("read", "demand"):
        counts: Any = work.session.execute(
            sa.select(Demand.demand_category_id, sa.func.count())
            .where(Demand.deleted_at.is_(None), Demand.duplicate_of_id.is_(None), reach(work.actor, "read", "demand"))
            .group_by(Demand.demand_category_id)
        )
        direct = dict(counts.tuples().all())
    known = {row.id for row in rows}
    below: dict[int | None, list[Any]] = {}
    for row in rows:
        below.setdefault(row.parent_id if row.parent_id in known else None, []).append(row)
    found: list[Branch] = []

    def walk(parent: int | None, depth: int) -> int:
        total = 0
        for row in below.get(parent, ()):
            place = len(found)
            found.append(Branch(row.id, row.parent_id, row.kind, row.name, row.is_active, depth, 0, 0))
            own = direct.get(row.id, 0)
            whole = own + walk(row.id, depth + 1)
            found[place] = Branch(row.id, row.parent_id, row.kind, row.name, row.is_active, depth, own, whole)
            total += whole
        return total

    walk(None, 0)
    return found


def split(work: Work, category_id: int | None, names: Sequence[str], kind: str | None = None) -> list[DemandCategory]:
    """Add categories below one, or at the top; nothing that was recorded moves.

    Args:
        kind: only at the top; those below are of the kind of the one above.

    Raises:
        Invalid: if a name is missing, or there already.
    """
    work.require("create", "demand_category")
    given = Given()
    parent = None
    if category_id is not None:
        parent = work.get(DemandCategory, Given().key("parent_id", category_id), "update", lock=True)
        if not parent.is_active:
            raise Refused(marked("This category is not in use. Take it into use first."))
        kind = parent.kind
    given.choice("kind", kind, KINDS)
    wanted = [given.text("name", name, 200, required=True) for name in names]
    if not wanted:
        given.text("name", None, required=True)
    above = DemandCategory.parent_id.is_(None) if parent is None else DemandCategory.parent_id == parent.id
    taken = set(work.session.scalars(sa.select(DemandCategory.name).where(above, DemandCategory.deleted_at.is_(None))))
    for name in wanted:
        if name in taken:
            given.wrong("name", marked("There is a category {name} here already."), name=name)
        taken.add(str(name))
    given.check()
    return [work.add(DemandCategory(parent_id=parent.id if parent else None, kind=kind, name=name)) for name in wanted]


def rename(work: Work, category_id: int, name: str) -> DemandCategory:
    """Give a category another name."""
    given = Given()
    text = given.text("name", name, 200, required=True)
    given.check()
    row = work.get(DemandCategory, Given().key("id", category_id), "update", lock=True)
    row.name = str(text)
    work.session.flush()
    return row


def use(work: Work, category_id: int, is_active: bool) -> DemandCategory:
    """Take a category, and with it all below, out of use for new demands, or back into use."""
    row = work.get(DemandCategory, Given().key("id", category_id), "update", lock=True)
    row.is_active = is_active
    work.session.flush()
    return row
