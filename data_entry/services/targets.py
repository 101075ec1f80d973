"""Targets of estates, month by month: read as the table of a year, saved as a whole or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.access import reach
from data_entry.schema import metadata
from data_entry.schema.estate import Project
from data_entry.schema.planning import Target
from data_entry.services.errors import Invalid, NotFound, Problem, Refused
from data_entry.services.validation import Wrong, read
from data_entry.services.work import Work
from loupan.i18n import marked

Cell = tuple[int, int]
"""Key of an estate, and number of a month from 1 to 12."""

METRICS: tuple[str, ...] = tuple(metadata.tables["target"].c.metric.type.enums)  # type: ignore[attr-defined]
# Of these nobody reaches a part of one.
_COUNTS = frozenset({"contracts", "leads", "visits"})
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_MONTHS = range(1, 13)


@dataclass(frozen=True)
class Estate:
    """An estate of the table: its key, its name, and whether the reader may change its targets."""

    id: int
    name: str
    is_open: bool


@dataclass(frozen=True)
class Year:
    """The targets of one metric in a year.

    Attributes:
        metric: one of `METRICS`.
        year: four digits.
        estates: those whose targets the reader may see, by name.
        values: the targets that are set.
        versions: the version of each of them, by which a save knows that nobody was there meanwhile.
    """

    metric: str
    year: int
    estates: tuple[Estate, ...]
    values: Mapping[Cell, Decimal]
    versions: Mapping[Cell, int]


def year_of(work: Work, metric: str, year: int) -> Year:
    """Return the targets of one metric in a year.

    Raises:
        NotFound: if there is no such metric or year.
        Forbidden: if the actor may read no targets.
    """
    _check(metric, year)
    work.require("read", "target")
    changeable = set(work.session.scalars(sa.select(Project.id).where(_within(work, "update"))))
    projects = work.session.execute(
        sa.select(Project.id, Project.name)
        .where(Project.deleted_at.is_(None), reach(work.actor, "read", "project"), _within(work, "read"))
        .order_by(Project.name, Project.id)
    ).all()
    estates = tuple(Estate(key, name, key in changeable) for key, name in projects)
    rows = work.session.scalars(
        sa.select(Target).where(
            Target.metric == metric,
            Target.month_on.between(dt.date(year, 1, 1), dt.date(year, 12, 31)),
            Target.project_id.in_([estate.id for estate in estates]),
            Target.deleted_at.is_(None),
            reach(work.actor, "read", "target"),
        )
    ).all()
    return Year(
        metric,
        year,
        estates,
        {(row.project_id, row.month_on.month): row.value for row in rows},
        {(row.project_id, row.month_on.month): row.row_version for row in rows},
    )


def save(work: Work, shown: Year, changes: Mapping[Cell, Any]) -> int:
    """Set, change and take back targets; all of them, or none.

    Args:
        work: the transaction.
        shown: the table that the changes were made in.
        changes: by cell, the value as typed; an empty one takes the target back.

    Returns:
        How many targets are different now.

    Raises:
        Invalid: if values do not fit; the problems name estate and month.
        Refused: if somebody else has changed one of the targets since the table was read.
        NotFound, Forbidden: if a target is beyond the actor's reach.
    """
    _check(shown.metric, shown.year)
    names = {estate.id: estate.name for estate in shown.estates}
    values = _read(work, shown, changes, names)
    found = {
        (row.project_id, row.month_on.month): row
        for row in work.session.scalars(
            sa.select(Target)
            .where(
                Target.metric == shown.metric,
                Target.month_on.in_({_month(shown, cell) for cell in values}),
                Target.project_id.in_({project for project, _ in values}),
            )
            .order_by(Target.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    changed = [cell for cell in values if _version(found.get(cell)) != shown.versions.get(cell)]
    if changed:
        raise Refused(
            marked("Somebody else has changed {cells} meanwhile. Load the targets again and repeat your change."),
            cells=", ".join(_named(shown, cell, names) for cell in sorted(changed)),
        )
    count = 0
    for cell, value in values.items():
        count += _set(work, shown, cell, value, found.get(cell))
    work.session.flush()
    return count


def _check(metric: str, year: int) -> None:
    if metric not in METRICS or not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise NotFound(marked("There are no such targets."))


def _within(work: Work, action: str) -> sa.ColumnElement[bool]:
    """Return the condition on estates that the actor may do an action with their targets, set or not yet."""
    scopes = work.actor.scopes(action, "target")
    if "all" in scopes:
        return sa.true()
    return Project.id.in_(work.actor.project_ids) if "project" in scopes else sa.false()


def _read(work: Work, shown: Year, changes: Mapping[Cell, Any], names: Mapping[int, str]) -> dict[Cell, Decimal | None]:
    column = metadata.tables["target"].c.value
    problems: list[Problem] = []
    values: dict[Cell, Decimal | None] = {}
    for cell, typed in changes.items():
        if cell[0] not in names or cell[1] not in _MONTHS:
            raise NotFound(marked("There is no such record, or you may not see it."))
        try:
            value = read(work, column, typed)
            if value is not None and value < 0:
                raise Wrong(marked("This must be at least {bound}."), bound=0)
            if value is not None and shown.metric in _COUNTS and value != value.to_integral_value():
                raise Wrong(marked("Write a whole number."))
        except Wrong as wrong:
            problems.append(Problem(_named(shown, cell, names), wrong.message, wrong.values))
        else:
            values[cell] = value
    if problems:
        raise Invalid(problems)
    return values


def _set(work: Work, shown: Year, cell: Cell, value: Decimal | None, row: Target | None) -> bool:
    """Bring one target to a value; return whether that changed it."""
    if row is None:
        if value is not None:
            work.add(Target(project_id=cell[0], month_on=_month(shown, cell), metric=shown.metric, value=value))
        return value is not None
    before = None if row.deleted_at else row.value
    if before == value:
        return False
    if not work.may_with("read", row):
        raise NotFound(marked("There is no such record, or you may not see it."))
    work.require_with("delete" if value is None else "update", row)
    if value is None:
        row.deleted_at = work.now
        return True
    if row.deleted_at is not None:
        # The month is the target's key: one that was taken back is set again, not made a second time.
        work.require_with("create", row)
        row.deleted_at = None
    row.value = value
    return True


def _version(row: Target | None) -> int | None:
    return None if row is None or row.deleted_at is not None else row.row_version


def _month(shown: Year, cell: Cell) -> dt.date:
    return dt.date(shown.year, cell[1], 1)


def _named(shown: Year, cell: Cell, names: Mapping[int, str]) -> str:
    return f"{names[cell[0]]} {shown.year}-{cell[1]:02d}"
