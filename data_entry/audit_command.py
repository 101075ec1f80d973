"""``loupan audit``: the trail of who did what, for whoever keeps the server."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import typer

from data_entry.access import SYSTEM
from data_entry.database import ready_engine
from data_entry.schema import metadata
from data_entry.services import accounts, trail
from data_entry.services.errors import Refused
from data_entry.services.history import Changed
from data_entry.services.work import Work, reading
from loupan.console import Format, OutputFormat, write_rows
from loupan.i18n import marked
from loupan.settings import get_settings

app = typer.Typer(help="Read the trail of who did what.", no_args_is_help=True)

SYSTEM_NAME = "system"
_COLUMNS = ("line", "at", "login", "name", "action", "record", "before", "after")


@app.callback()
def audit() -> None:
    """Read the trail of who did what."""


@app.command("list")
def list_(
    *,
    since: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    until: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day.")] = None,
    account: Annotated[
        str, typer.Option(metavar="LOGIN", help=f"Who acted; `{SYSTEM_NAME}` for what no account did.")
    ] = "",
    action: Annotated[str, typer.Option(help="What was done: create, update, login, export, …")] = "",
    record: Annotated[str, typer.Option(metavar="TABLE[:KEY]", help="To what, e.g. customer or customer:17.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many lines.")] = 100,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data instead of •••.")] = False,
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """List who did what, when, to which record, from which value to which; the latest first."""
    with reading(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        entity, entity_id = _record(record)
        wanted = trail.Wanted(
            since.date() if since else None, until.date() if until else None, _account(work, account), action, entity,
            entity_id,
        )  # fmt: skip
        lines, total = trail.listing(work, wanted, limit=limit, personal=personal)
        rows = [
            {
                "line": line.id,
                "at": work.local(line.at).isoformat(sep=" ", timespec="seconds"),
                "login": line.login,
                "name": line.name,
                "action": line.action,
                "record": line.entity if line.entity_id is None else f"{line.entity}:{line.entity_id}",
                "before": _values(line.changes, "before"),
                "after": _values(line.changes, "after"),
            }
            for line in lines
        ]
    write_rows(_COLUMNS, rows, output_format)
    if total > len(rows):
        typer.echo(f"{len(rows):,} of {total:,} lines; --limit shows more.", err=True)


def _record(text: str) -> tuple[str, int | None]:
    entity, _, key = text.partition(":")
    if key and not (key.isascii() and key.isdecimal() and len(key) <= 18):
        raise Refused(
            marked("{record} names no record: write the table and, after a colon, a number, e.g. customer:17."),
            record=text,
        )
    known = sorted({*metadata.tables, *trail.OTHERS})
    if entity and entity not in known:
        raise Refused(
            marked("There is no table {table}; there are {known}."), table=entity,
            known=", ".join(known),
        )  # fmt: skip
    return entity, int(key) if key else None


def _account(work: Work, login: str) -> int | None:
    if not login:
        return None
    return 0 if login == SYSTEM_NAME else accounts.by_login(work, login).id


def _values(changes: tuple[Changed, ...], side: str) -> str:
    values: dict[str, Any] = {
        changed.column: getattr(changed, side) for changed in changes if getattr(changed, side) is not None
    }
    return json.dumps(values, ensure_ascii=False) if values else ""
