"""What several migrations need. A migration is history: change nothing here that an older one relies on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from data_entry.schema.base import ExactNumeric, UtcDateTime, utc_now

BIGINT = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MONEY = ExactNumeric(18, 2)


def choice_type(*values: str, name: str) -> sa.Enum:
    """Return the type of a column that takes one of ``values``."""
    return sa.Enum(*values, native_enum=False, create_constraint=True, length=40, name=name)


def create_record_table(table: str, *own: Any) -> None:
    """Create a table with the columns that every table has around its own."""
    op.create_table(
        table,
        sa.Column("id", BIGINT, primary_key=True, comment="Key of the row."),
        *own,
        sa.Column(
            "created_at",
            UtcDateTime(),
            nullable=False,
            server_default=utc_now(),
            comment="When the row was entered (UTC).",
        ),
        sa.Column("created_by", BIGINT, comment="Account that entered the row."),
        sa.Column(
            "updated_at",
            UtcDateTime(),
            nullable=False,
            index=True,
            server_default=utc_now(),
            comment="When the row last changed (UTC); the cursor of the incremental load.",
        ),
        sa.Column("updated_by", BIGINT, comment="Account that last changed the row."),
        sa.Column("deleted_at", UtcDateTime(), comment="When the row was soft-deleted (UTC); empty while it counts."),
        sa.Column(
            "row_version",
            sa.Integer(),
            nullable=False,
            server_default="1",
            comment="Raised by one on every change; a save with a stale version is refused.",
        ),
        sa.Column(
            "external_ref", sa.String(200), unique=True, comment="Key of the row in the system it was imported from."
        ),
    )
