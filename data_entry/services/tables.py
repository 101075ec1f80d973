"""What the services know of the schema's tables: their classes, their columns, and which of them are not for forms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from data_entry.schema import AREAS, Base, Record, metadata
from data_entry.services.errors import NotFound, Refused
from loupan.i18n import marked

# Columns that every table has and the machinery fills.
BOOKKEEPING = frozenset({"id", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "row_version"})
# Tables that only their own services read and write.
HIDDEN = frozenset(
    {"audit_log", "account", "account_session", "account_role", "role", "role_permission", "saved_view"}
    | {name for name in metadata.tables if name.endswith("_event")}
)
# Tables whose rows follow from something else: their own services write them, everybody who may reads them.
READ_ONLY = frozenset(
    {
        "approval_action", "approval_step", "article", "article_version", "attachment", "care_occasion",
        "customer_owner", "deal", "deal_share", "demand", "feature_value", "fee_bill", "fee_payment", "follow_up",
        "payment", "payment_due", "post", "report", "survey_answer", "survey_invitation", "survey_question",
        "survey_response", "task", "thread", "unit_owner", "work_log", "work_plan",
    }
)  # fmt: skip
# Columns that a process sets, not a person who fills in a form.
MANAGED: dict[str, frozenset[str]] = {
    "customer": frozenset({"merged_into_id", "erased_at"}),
    "deal": frozenset({"swapped_from_id"}),
    "annotation": frozenset({"employee_id"}),
    "demand": frozenset({"due_at", "resolve_due_at"}),
    "competitor_project": frozenset({"is_own"}),
    "expense": frozenset({"status", "employee_id", "decided_by_id", "decided_at", "decision_note"}),
    "report": frozenset({"status", "submitted_at"}),
    "survey_invitation": frozenset({"token_hash"}),
    "task": frozenset({"done_at", "checked_at"}),
    "work_log": frozenset({"review", "reviewed_by_id", "reviewed_at"}),
    "work_plan": frozenset({"review", "reviewed_by_id", "reviewed_at"}),
}
# Of some columns a form may set only some values; the others follow from the process.
SETTABLE: dict[tuple[str, str], frozenset[str]] = {("unit", "status"): frozenset({"available", "withheld"})}
# The tables of classes by the entity whose features they group.
CLASSES = {
    "customer": ("customer_class_id", "customer_class"),
    "plan": ("plan_class_id", "plan_class"),
    "activity": ("activity_class_id", "activity_class"),
    "report": ("report_class_id", "report_class"),
}


@cache
def models() -> dict[str, type[Record]]:
    """Return the class of every table by its name."""
    return {str(m.class_.__tablename__): m.class_ for m in Base.registry.mappers if issubclass(m.class_, Record)}


def model(table: str) -> type[Record]:
    """Return the class of a table that forms may show.

    Raises:
        NotFound: if there is no such table.
        Refused: if it is one of `HIDDEN`.
    """
    if table not in metadata.tables:
        raise NotFound(marked("There is no such table."))
    if table in HIDDEN:
        raise Refused(marked("These records have a page of their own."))
    return models()[table]


def attribute(table: str, column: str) -> str:
    """Return the name of the class attribute of a column, which differs where the name is a word of Python."""
    mapper = sa.inspect(models()[table])
    return str(mapper.get_property_by_column(metadata.tables[table].c[column]).key)


def own_columns(table: str) -> list[sa.Column]:
    """Return the columns of a table that are its own, in the order they are declared; the external key is last."""
    return [column for column in metadata.tables[table].c if column.name not in BOOKKEEPING]


def target(column: sa.Column) -> str | None:
    """Return the table a column points to, None for a column that is no foreign key."""
    return next((str(key.column.table.name) for key in column.foreign_keys), None)


def is_personal(column: sa.Column) -> bool:
    """Say whether a column holds what only those may read who have the right to personal data."""
    return bool(column.info.get("personal") or column.info.get("sensitive"))


def is_tree(table: str) -> bool:
    """Say whether the rows of a table form a tree."""
    return "parent_id" in metadata.tables[table].c


def references(table: str) -> Iterator[sa.Column]:
    """Yield the columns of all tables that point to a table."""
    for other in metadata.sorted_tables:
        for column in other.c:
            if target(column) == table:
                yield column


@cache
def vocabularies() -> tuple[str, ...]:
    """Return the columns that take terms of a vocabulary, as ``table.column``."""
    return tuple(f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.c if c.info.get("vocabulary"))


def required(column: sa.Column) -> bool:
    """Say whether a value must be given: it may not be empty, and the database has none to put there."""
    return not column.nullable and column.server_default is None


@cache
def areas() -> dict[str, tuple[str, ...]]:
    """Return the names of the tables of each area that forms may show, by the name of the area."""
    found = {
        area.__name__.rpartition(".")[2]: tuple(
            name for name, cls in models().items() if cls.__module__ == area.__name__ and name not in HIDDEN
        )
        for area in AREAS
    }
    return {area: tables for area, tables in found.items() if tables}
