"""An empty CRM with its schema in a moment: a copy of one made once, since making one takes over a second."""

from __future__ import annotations

import functools
import shutil
import tempfile
import uuid
from pathlib import Path

import psycopg
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema


@functools.cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="loupan-empty-crm-")) / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_schema(engine)
    engine.dispose()
    return path


@functools.cache
def _postgres_template(server: sa.URL) -> str:
    name = f"crm_template_{uuid.uuid4().hex[:12]}"
    _administer(server, f'CREATE DATABASE "{name}"')
    engine = create_engine_for(server.set(database=name).render_as_string(hide_password=False))
    create_schema(engine)
    engine.dispose()
    return name


def _administer(server: sa.URL, *statements: str) -> None:
    with psycopg.connect(
        host=server.host, port=server.port, user=server.username, dbname="postgres", autocommit=True
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def create_crm(engine: sa.Engine) -> None:
    """Do what `create_schema` does to an empty place, faster; for tests that are not about the schema."""
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_sqlite_template(), path)
        return
    engine.dispose()
    template, name = _postgres_template(engine.url.set(database="postgres")), engine.url.database
    _administer(
        engine.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE "{template}"'
    )
