"""Add saved views of the pages of statistics, and let the ready-made roles use them and the page Explore."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data_entry.schema.migrations.shared import BIGINT, create_record_table

revision = "0004"
down_revision = "0003"

_EVERYBODY = ("executive", "marketing", "sales", "sales_manager", "property", "service", "data")
_EXPLORERS = ("executive", "marketing", "sales_manager", "service", "data")


def upgrade() -> None:
    """Add the table, and to roles that are there already what they would be delivered with now."""
    create_record_table(
        "saved_view",
        sa.Column(
            "account_id",
            BIGINT,
            sa.ForeignKey("account.id"),
            index=True,
            nullable=False,
            comment="Account that saved it.",
        ),
        sa.Column("name", sa.String(length=100), nullable=False, comment="Name."),
        sa.Column("path", sa.String(length=100), nullable=False, comment="Address of the page."),
        sa.Column(
            "query", sa.Text(), nullable=False, comment="Filters and choices, as the codes of the page's address."
        ),
        sa.Column(
            "is_shared",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether all who may open the page see it.",
        ),
    )
    for action in ("read", "create", "update", "delete"):
        _grant(_EVERYBODY, "saved_view", action, "own")
    _grant(_EXPLORERS, "page:explore", "open", "all")


def _grant(roles: tuple[str, ...], resource: str, action: str, scope: str) -> None:
    role = sa.table("role", sa.column("id"), sa.column("name"), sa.column("deleted_at"))
    permission = sa.table("role_permission", *map(sa.column, ("role_id", "resource", "action", "scope")))
    given = sa.select(role.c.id, *map(sa.literal, (resource, action, scope)))
    op.execute(
        sa.insert(permission).from_select(
            ["role_id", "resource", "action", "scope"],
            given.where(role.c.name.in_(roles), role.c.deleted_at.is_(None)),
        )
    )
