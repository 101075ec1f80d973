"""Categories of demands and of expenses: trees that can be split further at any time.

What was recorded hangs where it was put for ever, and counts there and in every category above. So splitting adds
categories below one and moves nothing, and a category no longer wanted is taken out of use, not deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema.demand import Demand, DemandCategory
from data_entry.schema.marketing import Expense, ExpenseCategory
from data_entry.services.errors import Refused
from data_entry.services.given import Given
from data_entry.services.work import Work
from loupan.i18n import marked

Category = DemandCategory | ExpenseCategory
KINDS = ("complaint", "suggestion", "service_request", "decoration", "other")


@dataclass(frozen=True)
class Tree:
    """A tree of categories: the class of its rows, the key by which records hang in it, and which of these count."""

    model: type[Category]
    key: Any
    counted: sa.ColumnElement[bool]

    @property
    def table(self) -> str:
        """Name of the table of the categories."""
        return str(self.model.__tablename__)

    @property
    def records(self) -> str:
        """Name of the table of the records that hang in the tree."""
        return str(self.key.class_.__tablename__)


DEMANDS = Tree(
    DemandCategory, Demand.demand_category_id, sa.and_(Demand.deleted_at.is_(None), Demand.duplicate_of_id.is_(None))
)
EXPENSES = Tree(ExpenseCategory, Expense.expense_category_id, Expense.deleted_at.is_(None))


@dataclass(frozen=True)
class Branch:
    """A category with its place.

    Attributes:
        kind: of a category of demands; None of others.
        is_active: whether it, itself, is in use; it is offered if all those above are as well.
        depth: 0 at the top.
        direct: how many records hang here.
        whole: how many hang here and below.
    """

    id: int
    parent_id: int | None
    kind: str | None
    name: str
    is_active: bool
    depth: int
    direct: int
    whole: int


def branches(work: Work, tree: Tree) -> list[Branch]:
    """Return all categories, each before those below it; counts are of the records that the actor may read."""
    work.require("read", tree.table)
    rows: Any = work.session.scalars(
        sa.select(tree.model)
        .where(tree.model.deleted_at.is_(None), reach(work.actor, "read", tree.table))
        .order_by(tree.model.id)
    ).all()
    direct = _counts(work, tree)
    known = {row.id for row in rows}
    below: dict[int | None, list[Category]] = {}
    for row in rows:
        below.setdefault(row.parent_id if row.parent_id in known else None, []).append(row)
    found: list[Branch] = []

    def walk(parent: int | None, depth: int) -> int:
        total = 0
        for row in below.get(parent, ()):
            place, own = len(found), direct.get(row.id, 0)
            found.append(
                Branch(row.id, row.parent_id, getattr(row, "kind", None), row.name, row.is_active, depth, own, own)
            )
            whole = own + walk(row.id, depth + 1)
            found[place] = replace(found[place], whole=whole)
            total += whole
        return total

    walk(None, 0)
    return found


def _counts(work: Work, tree: Tree) -> dict[int, int]:
    if not work.actor.may("read", tree.records):
        return {}
    counts: Any = work.session.execute(
        sa.select(tree.key, sa.func.count())
        .where(tree.counted, tree.key.is_not(None), reach(work.actor, "read", tree.records))
        .group_by(tree.key)
    )
    return dict(counts.all())


def split(
    work: Work, tree: Tree, category_id: int | None, names: Sequence[str], kind: str | None = None
) -> list[Category]:
    """Add categories below one, or at the top; nothing that was recorded moves.

    Args:
        work: the transaction.
        tree: the tree.
        category_id: the one above; None for the top.
        names: of the new ones.
        kind: of demands, at the top only; those below are of the kind of the one above.

    Raises:
        Invalid: if a name is missing, or there already.
        Refused: if the one above is not in use.
    """
    work.require("create", tree.table)
    given = Given()
    parent = None
    if category_id is not None:
        parent = work.get(tree.model, Given().key("parent_id", category_id), "update", lock=True)
        _require_in_use(parent)
    more: dict[str, Any] = {}
    if tree is DEMANDS:
        more["kind"] = given.choice("kind", getattr(parent, "kind", kind), KINDS)
    wanted = [given.text("name", name, 200, required=True) for name in names]
    if not wanted:
        given.text("name", None, required=True)
    taken = _names_below(work, tree, category_id)
    for name in wanted:
        _check_free(given, name, taken)
        taken.add(str(name))
    given.check()
    return [work.add(tree.model(parent_id=category_id, name=name, **more)) for name in wanted]


def rename(work: Work, tree: Tree, category_id: int, name: str) -> Category:
    """Give a category another name.

    Raises:
        Invalid: if the name is missing, or another category in the same place has it.
    """
    given = Given()
    text = given.text("name", name, 200, required=True)
    row = work.get(tree.model, Given().key("id", category_id), "update", lock=True)
    _check_free(given, text, _names_below(work, tree, row.parent_id) - {row.name})
    given.check()
    row.name = str(text)
    work.session.flush()
    return row


def move(work: Work, tree: Tree, category_id: int, parent_id: int | None) -> Category:
    """Put a category, with all below it and what was recorded there, below another one, or at the top.

    Raises:
        Invalid: if there is one of its name already.
        Refused: if the other one is below it, not in use, or of another kind.
    """
    row = work.get(tree.model, Given().key("id", category_id), "update", lock=True)
    if parent_id == row.parent_id:
        return row
    if parent_id is not None:
        parent = work.get(tree.model, Given().key("parent_id", parent_id), "update", lock=True)
        _require_in_use(parent)
        if row.id in path(work, tree, parent.id):
            raise Refused(marked("A category cannot stand below itself."))
        if getattr(parent, "kind", None) != getattr(row, "kind", None):
            raise Refused(marked("The two categories are of different kinds."))
    given = Given()
    _check_free(given, row.name, _names_below(work, tree, parent_id))
    given.check()
    row.parent_id = parent_id
    work.session.flush()
    return row


def use(work: Work, tree: Tree, category_id: int, is_active: bool) -> Category:
    """Take a category, and with it all below, out of use for new records, or back into use."""
    row = work.get(tree.model, Given().key("id", category_id), "update", lock=True)
    row.is_active = is_active
    work.session.flush()
    return row


def path(work: Work, tree: Tree, category_id: int) -> list[int]:
    """Return the keys of a category and of those above it, the nearest first; a ring ends where it closes."""
    found: list[int] = []
    key: int | None = category_id
    while key is not None and key not in found:
        found.append(key)
        key = work.session.scalar(sa.select(tree.model.parent_id).where(tree.model.id == key))
    return found


def is_offered(work: Work, tree: Tree, category_id: int) -> bool:
    """Say whether new records may take a category: it and all above it are in use."""
    keys = path(work, tree, category_id)
    offered = work.session.scalar(
        sa.select(sa.func.count())
        .select_from(tree.model)
        .where(tree.model.id.in_(keys), tree.model.is_active, tree.model.deleted_at.is_(None))
    )
    return offered == len(keys)


def places(found: Sequence[Branch], category_id: int) -> Mapping[int, str]:
    """Return the categories below which one can be moved, by key: the names from the top down to each."""
    moved = next(branch for branch in found if branch.id == category_id)
    chain: list[Branch] = []
    offered: dict[int, str] = {}
    for branch in found:
        del chain[branch.depth :]
        chain.append(branch)
        if branch.kind == moved.kind and all(b.is_active and b.id != category_id for b in chain):
            offered[branch.id] = " / ".join(b.name for b in chain)
    return offered


def _require_in_use(category: Category) -> None:
    if not category.is_active:
        raise Refused(marked("This category is not in use. Take it into use first."))


def _names_below(work: Work, tree: Tree, category_id: int | None) -> set[str]:
    above = tree.model.parent_id.is_(None) if category_id is None else tree.model.parent_id == category_id
    return set(work.session.scalars(sa.select(tree.model.name).where(above, tree.model.deleted_at.is_(None))))


def _check_free(given: Given, name: str | None, taken: set[str]) -> None:
    if name in taken:
        given.wrong("name", marked("There is a category {name} here already."), name=name)
