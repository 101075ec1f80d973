"""An empty CRM with its schema in a moment: a copy of one made once, since making one takes over a second."""

from __future__ import annotations

import functools
import shutil
import tempfile
import uuid
from pathlib import Path

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import ensure_roles
from data_entry.database import create_engine_for, create_schema


def _fill(url: str, *, with_roles: bool) -> None:
    engine = create_engine_for(url)
    create_schema(engine)
    if with_roles:
        with Session(engine) as session:
            ensure_roles(session)
            session.commit()
    engine.dispose()


@functools.cache
def _sqlite_template(*, with_roles: bool) -> Path:
    path = Path(tempfile.mkdtemp(prefix="loupan-empty-crm-")) / "crm.sqlite"
    _fill(f"sqlite:///{path}", with_roles=with_roles)
    return path


@functools.cache
def _postgres_template(server: sa.URL, *, with_roles: bool) -> str:
    name = f"crm_template_{uuid.uuid4().hex[:12]}"
    _administer(server, f'CREATE DATABASE "{name}"')
    _fill(server.set(database=name).render_as_string(hide_password=False), with_roles=with_roles)
    return name


def _administer(server: sa.URL, *statements: str) -> None:
    with psycopg.connect(
        host=server.host, port=server.port, user=server.username, dbname="postgres", autocommit=True
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def create_crm(engine: sa.Engine, *, with_roles: bool = False) -> None:
    """Do what `create_schema` does to an empty place, faster; for tests that are not about the schema.

    Args:
        engine: of the place.
        with_roles: add the ready-made roles, as the first account does.
    """
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_sqlite_template(with_roles=with_roles), path)
        return
    engine.dispose()
    template = _postgres_template(engine.url.set(database="postgres"), with_roles=with_roles)
    name = engine.url.database
    _administer(
        engine.url,
        f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
        # Copied file by file; the other way writes all of it to the log as well.
        f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY',
    )
