"""Run migrations on the connection that the caller opened."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime, utc_now


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types and defaults by their names in generated migrations."""
    if kind == "type" and isinstance(item, (UtcDateTime, ExactNumeric)):
        name = type(item).__name__
        autogen.imports.add(f"from data_entry.schema.base import {name}")
        return f"{name}({item.precision}, {item.scale})" if isinstance(item, ExactNumeric) else f"{name}()"
    if kind == "server_default" and isinstance(getattr(item, "arg", None), utc_now):
        autogen.imports.add("from data_entry.schema.base import utc_now")
        return "utc_now()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
