"""Database triggers that keep ``updated_at`` and ``row_version`` true whoever writes.

The ORM sets both itself; these triggers act only where a writer (a script, an SQL console, another program)
left them as they were. A change the incremental load does not see would make the marts wrong for ever.
The tables of `APPEND_ONLY` take new rows and no other change, whoever asks.
"""

from __future__ import annotations

FUNCTION = "loupan_touch_row"
REFUSAL_FUNCTION = "loupan_refuse_change"
APPEND_ONLY = frozenset({"audit_log"})


def _sqlite(table: str) -> list[str]:
    # SQLAlchemy reads the fraction as microseconds, strftime gives milliseconds.
    now = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'"
    return [
        # Table names come from our own metadata.
        f"""CREATE TRIGGER IF NOT EXISTS tr_{table}_touch AFTER UPDATE ON "{table}" FOR EACH ROW
WHEN NEW.row_version = OLD.row_version OR NEW.updated_at IS OLD.updated_at
BEGIN
    UPDATE "{table}" SET
        row_version = CASE WHEN NEW.row_version = OLD.row_version THEN OLD.row_version + 1 ELSE NEW.row_version END,
        updated_at = CASE WHEN NEW.updated_at IS OLD.updated_at THEN {now} ELSE NEW.updated_at END
    WHERE id = NEW.id;
END"""
    ]


def _postgresql(table: str) -> list[str]:
    return [
        f"""CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.row_version = OLD.row_version THEN
        NEW.row_version := OLD.row_version + 1;
    END IF;
    IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
        NEW.updated_at := clock_timestamp() AT TIME ZONE 'UTC';
    END IF;
    RETURN NEW;
END $$""",
        f"""CREATE OR REPLACE TRIGGER tr_{table}_touch BEFORE UPDATE ON "{table}" FOR EACH ROW
EXECUTE FUNCTION {FUNCTION}()""",
    ]


def _refusal(table: str) -> str:
    return f"rows of {table} are never changed"


def _sqlite_append_only(table: str) -> list[str]:
    return [
        f"""CREATE TRIGGER IF NOT EXISTS tr_{table}_no_{verb.lower()} BEFORE {verb} ON "{table}" FOR EACH ROW
BEGIN
    SELECT RAISE(ABORT, '{_refusal(table)}');
END"""
        for verb in ("UPDATE", "DELETE")
    ]


def _postgresql_append_only(table: str) -> list[str]:
    # By statement and not by row: TRUNCATE has no rows.
    return [
        f"""CREATE OR REPLACE FUNCTION {REFUSAL_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %% are never changed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$""",
        f"""CREATE OR REPLACE TRIGGER tr_{table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION {REFUSAL_FUNCTION}()""",
    ]


def create_statements(table: str, dialect: str) -> list[str]:
    """Return the statements that put the triggers on ``table`` for a SQLAlchemy dialect name; safe to repeat.

    Raises:
        ValueError: for an engine other than SQLite and PostgreSQL.
    """
    makers = {"sqlite": (_sqlite, _sqlite_append_only), "postgresql": (_postgresql, _postgresql_append_only)}
    if dialect not in makers:
        raise ValueError(f"the CRM runs on SQLite or PostgreSQL, not on {dialect!r}")
    touch, append_only = makers[dialect]
    return append_only(table) if table in APPEND_ONLY else touch(table)


def drop_statements(table: str, dialect: str) -> list[str]:
    """Return the statements that take the triggers of a table of `APPEND_ONLY` away, within a transaction.

    Only where the law asks for a change: who erases a person puts them back with `create_statements` at once.
    """
    if dialect == "sqlite":
        return [f"DROP TRIGGER IF EXISTS tr_{table}_no_{verb}" for verb in ("update", "delete")]
    return [f'DROP TRIGGER IF EXISTS tr_{table}_append_only ON "{table}"']
