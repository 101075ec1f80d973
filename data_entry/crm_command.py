"""``loupan crm``: the schema of the CRM database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from loupan.settings import get_settings

if TYPE_CHECKING:
    import sqlalchemy as sa

app = typer.Typer(help="Create or upgrade the CRM database at LOUPAN_CRM_URL.", no_args_is_help=True)


@app.command()
def init() -> None:
    """Create the schema in an empty database; an existing one is left as it is."""
    from data_entry.database import create_engine_for, create_schema, head_version, schema_version

    engine = create_engine_for(get_settings().crm_database_url)
    if schema_version(engine) is not None:
        typer.echo(f"The CRM at {engine.url.render_as_string()} has its schema already.")
        return
    create_schema(engine)
    _add_roles(engine)
    typer.echo(f"Created the CRM at {engine.url.render_as_string()}, version {head_version()}.")


@app.command()
def migrate(
    backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Whether a backup is made before anything is changed.")
    ] = True,
) -> None:
    """Upgrade the schema to the version of this program, as a whole or not at all; data stays.

    A backup is made before; where there is no room for one, nothing is changed.
    """
    from data_entry.database import DatabaseError, create_engine_for, create_schema, head_version, schema_version
    from data_entry.services.backup import create as create_backup

    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    before = schema_version(engine)
    if before is None:
        raise DatabaseError(
            f"{engine.url.render_as_string()} is no CRM of Loupan's; create the schema with `loupan crm init`"
        )
    if before == head_version():
        _add_roles(engine)
        typer.echo(f"The CRM is at version {before}.")
        return
    if backup:
        typer.echo(f"A backup from before is in {create_backup(engine, settings)}.")
    create_schema(engine)
    _add_roles(engine)
    typer.echo(
        f"Upgraded from version {before} to {schema_version(engine)}. The dashboards show what is published; publish "
        "anew with `loupan refresh`."
    )


def _add_roles(engine: sa.Engine) -> None:
    from data_entry.access import SYSTEM, ensure_roles
    from data_entry.services.work import writing

    with writing(engine, SYSTEM) as work:
        ensure_roles(work.session)
