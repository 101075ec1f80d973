"""The rows of any table of the CRM that forms may show: listed, read, made, changed, deleted, restored.

Rows are dicts of every column by its name, ``<column>_caption`` beside each foreign key (what the row it points to is
called), and ``masked``: the names of the columns whose values the actor may not read, which are None.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import Record, metadata
from data_entry.schema.customer import Feature, FeatureValue
from data_entry.schema.labels import table_plural
from data_entry.services import features as custom
from data_entry.services import rules
from data_entry.services.captions import Condition, captions, found_by, parts, readable, unnamed
from data_entry.services.errors import Forbidden, Refused, Stale
from data_entry.services.history import Change, Changed, history
from data_entry.services.tables import (
    CLASSES,
    READ_ONLY,
    attribute,
    is_personal,
    is_tree,
    model,
    models,
    own_columns,
    references,
    target,
)
from data_entry.services.validation import Word, cleaned
from data_entry.services.work import Work
from loupan.i18n import marked

__all__ = [
    "Change", "Changed", "Option", "Page", "caption", "captions", "children", "create", "delete", "dependents", "get",
    "history", "list_rows", "options", "path", "restore", "update",
]  # fmt: skip

Row = dict[str, Any]

# Rows are counted up to here; beyond, a list says that there are more.
COUNTED = 10_000
_LARGEST_PAGE = 500
_MOST_CHILDREN = 20_000
_CHUNK = 500


@dataclass(frozen=True)
class Page:
    """A page of a list.

    Attributes:
        rows: as described in the module.
        total: how many rows fit, at most `COUNTED`.
        is_more: whether there are more than `total`.
        page: number of this page, from 0; the last one where a later one was asked for.
        size: rows on a full page.
    """

    rows: list[Row]
    total: int
    is_more: bool
    page: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are among the rows counted; at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True)
class Option:
    """A row that can be picked."""

    id: int
    caption: str


def list_rows(
    work: Work,
    table: str,
    *,
    search: str = "",
    filters: Mapping[str, Any] | None = None,
    where: Condition | None = None,
    sort: str | None = None,
    descending: bool = False,
    page: int = 0,
    size: int = 50,
    deleted: bool = False,
) -> Page:
    """Return a page of the rows the actor may read.

    Args:
        work: the transaction.
        table: name of the table.
        search: words that stand in the row's texts.
        filters: values by column; a collection means one of them, None means empty.
        where: a further condition on the table's columns.
        sort: column to sort by; foreign keys by what they are called. Rows of equal value follow each other by key.
        descending: the other way round. Empty values are last in any case.
        page: number of the page, from 0.
        size: rows on a page, at most 500.
        deleted: the deleted rows instead of those that count.

    Raises:
        Forbidden: if the actor may read no rows of this table.
    """
    model(table)
    work.require("read", table)
    rows = metadata.tables[table]
    size, page = max(1, min(size, _LARGEST_PAGE)), max(0, page)
    conditions = [reach(work.actor, "read", table)]
    conditions.append(rows.c.deleted_at.is_not(None) if deleted else rows.c.deleted_at.is_(None))
    if search.strip():
        conditions.append(found_by(work, table, search))
    for name, value in (filters or {}).items():
        conditions.append(_equals(readable(work, table, rows.c[name]), value))
    if where is not None:
        conditions.append(where)
    counted = sa.select(sa.literal(1)).select_from(rows).where(*conditions).limit(COUNTED + 1).subquery()
    total = int(work.session.scalar(sa.select(sa.func.count()).select_from(counted)) or 0)
    is_more = total > COUNTED
    total = min(total, COUNTED)
    if not is_more:
        page = min(page, max(0, -(-total // size) - 1))
    query = sa.select(rows.c.id).where(*conditions).order_by(*_order(work, table, sort, descending))
    keys: list[int] = list(work.session.scalars(query.offset(page * size).limit(size)))
    return Page(_rows(work, table, keys), total, is_more, page, size)


def _equals(column: sa.ColumnElement[Any], value: Any) -> Condition:
    if value is None:
        return column.is_(None)
    if isinstance(value, (list, tuple, set, frozenset)):
        return column.in_(list(value))
    return column == value


def _order(work: Work, table: str, sort: str | None, descending: bool) -> list[Any]:
    rows = metadata.tables[table]
    if sort is None or sort not in rows.c:
        return [rows.c.id.desc() if descending or sort is None else rows.c.id.asc()]
    column: Any = readable(work, table, rows.c[sort])
    parent = target(rows.c[sort])
    if parent is not None:
        column = _sorted_by(work, parent, rows.c[sort])
    ordered = column.desc() if descending else column.asc()
    if parent or rows.c[sort].nullable:
        ordered = ordered.nulls_last()
    return [ordered, rows.c.id.desc() if descending else rows.c.id.asc()]


def _sorted_by(work: Work, parent: str, key: sa.ColumnElement[Any], depth: int = 0) -> Any:
    """Return what a foreign key is sorted by: the first name of the row it points to."""
    other = metadata.tables[parent].alias()
    name = next((n for n in parts(parent) if n != "parent_id"), "id")
    shown: Any = other.c[name]
    column = metadata.tables[parent].c[name]
    if is_personal(column) and not isinstance(reach(work.actor, "personal", parent), sa.sql.elements.True_):
        return key
    grand = target(column)
    if grand is not None and depth < 3:
        shown = _sorted_by(work, grand, other.c[name], depth + 1)
    return sa.select(shown).where(other.c.id == key).scalar_subquery()


def _rows(work: Work, table: str, keys: Sequence[int]) -> list[Row]:
    """Return rows by their keys, in the order of these, with captions and masks."""
    rows = metadata.tables[table]
    sees = reach(work.actor, "personal", table)
    query = sa.select(*rows.c, sa.case((sees, 1), else_=0).label("_sees")).where(rows.c.id.in_(keys))
    found: dict[int, Row] = {}
    personal = [column.name for column in rows.c if is_personal(column)]
    for raw in work.session.execute(query).mappings():
        row = {column.name: raw[column.name] for column in rows.c}
        masked = () if raw["_sees"] else tuple(personal)
        row |= dict.fromkeys(masked)
        row["masked"] = masked
        found[row["id"]] = row
    for column in rows.c:
        parent = target(column)
        if parent is not None:
            names = captions(work, parent, [row[column.name] for row in found.values()])
            for row in found.values():
                row[f"{column.name}_caption"] = names.get(row[column.name])
    if table == "feature":
        _name_classes(work, found.values())
    return [found[key] for key in keys if key in found]


def _name_classes(work: Work, rows: Collection[Row]) -> None:
    for entity, (_, table) in CLASSES.items():
        own = [row for row in rows if row["entity"] == entity]
        names = captions(work, table, [row["class_id"] for row in own])
        for row in own:
            row["class_id_caption"] = names.get(row["class_id"])


def get(work: Work, table: str, key: int | None, *, deleted: bool = False) -> Row:
    """Return a row; deleted ones only on demand.

    Raises:
        NotFound: if there is no such row, or the actor may not see it.
    """
    return _rows(work, table, [work.get(model(table), key, deleted=deleted).id])[0]


def caption(work: Work, table: str, key: int | None) -> str:
    """Return what a row is called, an empty text for no row."""
    return captions(work, table, [key]).get(key, "") if key is not None else ""


def options(
    work: Work,
    table: str,
    search: str = "",
    *,
    where: Condition | None = None,
    limit: int = 20,
) -> list[Option]:
    """Return rows that can be picked: live, readable, fitting a search; without one, the latest."""
    if not work.actor.may("read", table):
        return []
    rows = metadata.tables[table]
    conditions = [rows.c.deleted_at.is_(None), reach(work.actor, "read", table)]
    if table == "customer":
        conditions.append(rows.c.merged_into_id.is_(None))
    if search.strip():
        conditions.append(found_by(work, table, search))
    if where is not None:
        conditions.append(where)
    name = next((n for n in parts(table) if n != "parent_id" and isinstance(rows.c[n].type, sa.String)), None)
    by_name = name is not None and (is_tree(table) or table in ("employee", "project", "department"))
    order: list[Any] = [rows.c[name], rows.c.id] if by_name and name else [rows.c.id.desc()]
    keys: list[int] = list(work.session.scalars(sa.select(rows.c.id).where(*conditions).order_by(*order).limit(limit)))
    names = captions(work, table, keys)
    if table == "customer":
        names = _with_number(work, names)
    return [Option(key, names[key]) for key in keys]


def _with_number(work: Work, names: Mapping[int, str]) -> dict[int, str]:
    """Tell customers of the same name apart by the end of their telephone numbers."""
    rows = metadata.tables["customer"]
    phone = readable(work, "customer", rows.c.phone).label("phone")
    numbers: dict[int, str | None] = dict(
        work.session.execute(sa.select(rows.c.id, phone).where(rows.c.id.in_(names))).all()
    )
    return {key: f"{name} · {end[-4:]}" if (end := numbers.get(key)) else name for key, name in names.items()}


def children(work: Work, table: str, parent_id: int | None, *, active: bool = False) -> list[Option]:
    """Return the rows right below one of a tree, or the topmost, by name; called by their own name alone."""
    rows = metadata.tables[table]
    conditions = [rows.c.deleted_at.is_(None), reach(work.actor, "read", table), _equals(rows.c.parent_id, parent_id)]
    if active and "is_active" in rows.c:
        conditions.append(rows.c.is_active)
    query = sa.select(rows.c.id, rows.c.name).where(*conditions).order_by(rows.c.name, rows.c.id)
    return [Option(row.id, row.name) for row in work.session.execute(query)]


def path(work: Work, table: str, key: int | None) -> list[int]:
    """Return the keys from the top of a tree down to a row."""
    rows = metadata.tables[table]
    found: list[int] = []
    while key is not None and key not in found:
        found.append(key)
        key = work.session.scalar(sa.select(rows.c.parent_id).where(rows.c.id == key))
    return found[::-1]


def create(work: Work, table: str, values: Mapping[str, Any], *, by_service: bool = False) -> int:
    """Make a row and return its key.

    Args:
        work: the transaction.
        table: name of the table.
        values: by column, typed or as text (see `validation`), and by ``feature:<key>``.
        by_service: whether columns that a process sets may be set.

    Raises:
        Invalid: if something does not fit; all problems at once.
        Forbidden: if the actor may not make such a row.
    """
    cls = _writable(table)
    work.require("create", table)
    own, described = custom.split(values)
    found = cleaned(work, table, own, by_service=by_service)
    found |= rules.apply(work, table, None, {column.name: found.get(column.name) for column in own_columns(table)})
    if table in CLASSES or described:
        custom.cleaned(work, table, found.get(CLASSES[table][0]) if table in CLASSES else None, described, {})
    row = cls(**{attribute(table, name): value for name, value in found.items()})
    work.add(row)
    if described:
        custom.save(work, table, row.id, described)
    return row.id


def update(
    work: Work, table: str, key: int, values: Mapping[str, Any], row_version: int | None, *, by_service: bool = False
) -> None:
    """Change a row.

    Args:
        work: the transaction.
        table: name of the table.
        key: key of the row.
        values: by column, typed or as text, and by ``feature:<key>``; what is not named stays.
        row_version: version of the row that the values were made from; None to change it whatever it is.
        by_service: whether columns that a process sets may be set.

    Raises:
        Stale: if the row has changed since.
        Invalid: if something does not fit; all problems at once.
        NotFound, Forbidden: if the actor may not see or change the row, or could not after the change.
    """
    row = work.get(_writable(table), key, "update", lock=True)
    if row_version is not None and row.row_version != row_version:
        raise Stale(
            marked("Somebody else has changed this record meanwhile."), values, get(work, table, key)
        )  # fmt: skip
    own, described = custom.split(values)
    if not work.may_with("personal", row):
        hidden = {column.name for column in own_columns(table) if is_personal(column)}
        own = {name: value for name, value in own.items() if name not in hidden}
    current = {column.name: getattr(row, attribute(table, column.name)) for column in metadata.tables[table].c}
    found = cleaned(work, table, own, current, by_service=by_service)
    changed = {name: value for name, value in found.items() if value != current[name]}
    if changed:
        changed |= rules.apply(work, table, current, {**current, **changed})
    for name, value in changed.items():
        setattr(row, attribute(table, name), value)
    work.session.flush()
    if described:
        custom.save(work, table, key, described)
        if not changed:
            _touch(work, row)
    if changed and not work.may_with("update", row):
        raise Forbidden(marked("After this change the record would be beyond your reach."))


def _touch(work: Work, row: Record) -> None:
    """Raise the version of a row whose features alone have changed, so that a stale save of them is noticed."""
    row.updated_by = work.actor.account_id
    sa.orm.attributes.flag_modified(row, "updated_by")
    work.session.flush()


def _writable(table: str) -> type[Record]:
    cls = model(table)
    if table in READ_ONLY:
        raise Refused(marked("These records follow from others and are not written by hand."))
    return cls


def dependents(work: Work, table: str, key: int) -> dict[str, int]:
    """Return how many live rows would be deleted with a row, by table."""
    row = work.get(_writable(table), key)
    found: dict[str, int] = {}
    for child, keys in _below(work, table, {row.id}, deleted_at=None).items():
        count = len(keys - ({row.id} if child == table else set()))
        if count:
            found[child] = count
    return found


def _below(work: Work, table: str, keys: set[int], deleted_at: Any) -> dict[str, set[int]]:
    """Return the keys of rows that point to some rows, and to those that do, by table; the rows themselves included.

    Args:
        work: the transaction.
        table: table of the rows.
        keys: their keys.
        deleted_at: None for live rows, else the moment with which they were deleted.
    """
    found: dict[str, set[int]] = {table: set(keys)}
    waiting = [(table, set(keys))]
    while waiting:
        parent, fresh = waiting.pop()
        for column in references(parent):
            child = column.table
            new: set[int] = set()
            for chunk in _chunks(fresh):
                query = sa.select(child.c.id).where(column.in_(chunk), _equals(child.c.deleted_at, deleted_at))
                new |= set(work.session.scalars(query))
            new -= found.get(child.name, set())
            if new:
                found[child.name] = found.get(child.name, set()) | new
                waiting.append((child.name, new))
        if sum(map(len, found.values())) > _MOST_CHILDREN:
            raise Refused(marked("Too much depends on this record to delete or restore it at once."))
    for entity in list(found):
        described: set[int] = set()
        for chunk in _chunks(found[entity]):
            query = (
                sa.select(FeatureValue.id)
                .join(Feature, Feature.id == FeatureValue.feature_id)
                .where(
                    Feature.entity == entity,
                    FeatureValue.entity_id.in_(chunk),
                    _equals(metadata.tables["feature_value"].c.deleted_at, deleted_at),
                )
            )
            described |= set(work.session.scalars(query))
        if described:
            found["feature_value"] = found.get("feature_value", set()) | described
    return found


def _chunks(keys: Collection[int]) -> list[list[int]]:
    ordered = sorted(keys)
    return [ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)]


def delete(work: Work, table: str, key: int) -> int:
    """Delete a row, so that it can be restored, with all that points to it; return how many rows that were.

    Raises:
        Refused: if something depends on it that the actor may not delete.
        NotFound, Forbidden: if the actor may not see or delete it.
    """
    row = work.get(_writable(table), key, "delete", lock=True)
    below = _below(work, table, {row.id}, deleted_at=None)
    for child, keys in below.items():
        if child in ("feature_value", table) and (child != table or keys == {row.id}):
            continue
        _require_reach(work, child, keys)
    count = 0
    for child, keys in below.items():
        for one in _loaded(work, child, keys):
            if child in rules.RULES:
                columns = metadata.tables[child].c
                rules.apply(work, child, {c.name: getattr(one, attribute(child, c.name)) for c in columns}, None)
            one.deleted_at = work.now
            count += 1
    work.session.flush()
    return count


def _require_reach(work: Work, table: str, keys: set[int]) -> None:
    rows = metadata.tables[table]
    condition = reach(work.actor, "delete", table)
    reached: int = 0
    for chunk in _chunks(keys):
        query = sa.select(sa.func.count()).select_from(rows).where(rows.c.id.in_(chunk), condition)
        reached += int(work.session.scalar(query) or 0)
    if reached < len(keys):
        raise Refused(
            marked("Other records depend on this one that you may not delete: {count} × {table}."),
            count=len(keys) - reached, table=Word(table_plural(table)),
        )  # fmt: skip


def _loaded(work: Work, table: str, keys: set[int]) -> list[Record]:
    cls = models()[table]
    return [row for chunk in _chunks(keys) for row in work.session.scalars(sa.select(cls).where(cls.id.in_(chunk)))]


def restore(work: Work, table: str, key: int) -> int:
    """Restore a deleted row with what was deleted in the same act; return how many rows that were.

    Raises:
        Refused: if it is not deleted, or something it points to still is.
        NotFound, Forbidden: if the actor may not see or delete (and so restore) it.
    """
    row = work.get(_writable(table), key, "delete", lock=True, deleted=True)
    if row.deleted_at is None:
        raise Refused(marked("This record is not deleted."))
    below = _below(work, table, {row.id}, deleted_at=row.deleted_at)
    for child, keys in below.items():
        if child != "feature_value":
            _require_reach(work, child, keys)
    _require_parents(work, below)
    count = 0
    for child, keys in below.items():
        for one in _loaded(work, child, keys):
            one.deleted_at = None
            count += 1
    work.session.flush()
    return count


def _require_parents(work: Work, below: Mapping[str, set[int]]) -> None:
    """Raise `Refused` where a row to be restored points to one that stays deleted."""
    for table, keys in below.items():
        rows = metadata.tables[table]
        for column in rows.c:
            parent = target(column)
            if parent is None:
                continue
            other = metadata.tables[parent].alias()
            for chunk in _chunks(keys):
                query = (
                    sa.select(other.c.id)
                    .join(rows, column == other.c.id)
                    .where(rows.c.id.in_(chunk), other.c.deleted_at.is_not(None))
                )
                found: list[int] = list(work.session.scalars(query))
                missing = set(found) - below.get(parent, set())
                if missing:
                    key = min(missing)
                    name = captions(work, parent, [key]).get(key, unnamed(key))
                    raise Refused(marked("“{name}”, which this record belongs to, is deleted. Restore that first."),
                                  name=name)  # fmt: skip
