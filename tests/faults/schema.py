"""The CRM's schema changes under the load."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.company import REFUSED
from tests.faults.trial import Fault, Trial, crm_digests

# Tables with a column that statistics need.
_COLUMNS = (
    ("payment", "amount"),
    ("lead", "opened_at"),
    ("deal", "lead_id"),
    ("demand", "received_at"),
    ("customer", "kind"),
    ("expense", "incurred_on"),
)
Change = Callable[[Trial, str, str], tuple[str, ...]]


def _replace_table(table: str, column: str, instead: str) -> tuple[str, ...]:
    """SQLite drops and retypes no column that is checked, indexed or referred to: the table is made anew without it."""
    return (
        "PRAGMA foreign_keys = OFF",
        "PRAGMA legacy_alter_table = ON",
        f"CREATE TABLE new_one AS SELECT *, {instead} FROM {table}",
        f"ALTER TABLE new_one DROP COLUMN {column}",
        f"DROP TABLE {table}",
        f"ALTER TABLE new_one RENAME TO {table}",
    )


def _added(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    return (f"ALTER TABLE {table} ADD COLUMN added_by_others VARCHAR(40) DEFAULT 'something'",)


def _dropped(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    if trial.company.server is None:
        return _replace_table(table, column, "1 AS something")
    return (f"ALTER TABLE {table} DROP COLUMN {column} CASCADE",)


def _renamed(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    if trial.company.server is None:
        return _replace_table(table, column, f"{column} AS renamed")
    return (f"ALTER TABLE {table} RENAME COLUMN {column} TO renamed",)


def _of_another_type(trial: Trial, table: str, column: str, before: str = "") -> tuple[str, ...]:
    """Make a column one of text; ``before`` stands in front of each value."""
    if trial.company.server is None:
        return (
            *_replace_table(table, column, f"'{before}' || CAST({column} AS TEXT) AS retyped")[:-1],
            f"ALTER TABLE new_one RENAME TO {table}",
            f"ALTER TABLE {table} RENAME COLUMN retyped TO {column}",
        )
    return (
        f"ALTER TABLE {table} ADD COLUMN retyped text",
        f"UPDATE {table} SET retyped = '{before}' || {column}::text",
        f"ALTER TABLE {table} DROP COLUMN {column} CASCADE",
        f"ALTER TABLE {table} RENAME COLUMN retyped TO {column}",
    )


def _retyped(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    return _of_another_type(trial, table, column, "about ")


def _widened(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    """Another type that holds the same values."""
    return _of_another_type(trial, table, column)


def _table_dropped(trial: Trial, table: str, column: str) -> tuple[str, ...]:
    if trial.company.server is None:
        return ("PRAGMA foreign_keys = OFF", f"DROP TABLE {table}")
    return (f"DROP TABLE {table} CASCADE",)


def _inject(change: Change, outcome: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        company, (table, column) = trial.company, trial.chance.choice(_COLUMNS)
        trial.where = f"{table}.{column}" if "table" not in outcome else table
        company.change_crm(*change(trial, table, column))
        changed = crm_digests(company.url)
        code, said = company.refresh()
        if outcome == "published":
            trial.published(code, said)
        elif outcome == "refused":
            trial.expect(code == REFUSED, f"ended with {code}: {said[-2000:]}")
            trial.expect(f"raw/{table}" in said and column in said, f"not named: {said[-2000:]}")
        else:
            trial.refused_kindly(code, said, f"table {table}", *([] if "table" in outcome else [f"column {column}"]))
        trial.expect(crm_digests(company.url) == changed, "the refresh changed the CRM")
        trial.readers_read()
        company.restore_crm(trial.prepared.folder.parent)

    return inject


_CHANGES: tuple[tuple[str, str, Change, str], ...] = (
    ("column-added", "column added in the source", _added, "published"),
    ("column-dropped", "column dropped in the source", _dropped, "error"),
    ("column-renamed", "column renamed in the source", _renamed, "error"),
    ("column-retyped", "column retyped, its values unreadable", _retyped, "refused"),
    ("column-widened", "column retyped, its values readable", _widened, "published"),
    ("table-dropped", "table dropped in the source", _table_dropped, "error for the table"),
)
FAULTS = tuple(
    Fault(f"{name}{suffix}", f"{title}, {engine}", _inject(change, outcome), 2, crm)
    for suffix, engine, crm in (("", "SQLite", "sqlite"), ("-postgres", "PostgreSQL", "postgresql"))
    for name, title, change, outcome in _CHANGES
)
