"""``loupan refresh``."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from loupan.console import visible
from loupan.errors import LoupanError
from loupan.garbage import collect_rarely
from loupan.moments import moment_of
from loupan.settings import get_settings

app = typer.Typer()

REFUSED = 3


class AsOfError(LoupanError):
    """The moment given with ``--as-of`` cannot be used."""


def parse_as_of(text: str) -> dt.datetime:
    """Read an ISO 8601 moment; without an offset it is UTC.

    Raises:
        AsOfError: if it is none, or outside 1900 to 2199.
    """
    try:
        moment = moment_of(text)
    except ValueError as error:
        raise AsOfError(f"--as-of {text!r} is no moment; write it like 2026-06-30T15:59:59+00:00") from error
    if not 1900 <= moment.year <= 2199 or not 1900 <= moment.astimezone(dt.UTC).year <= 2199:
        raise AsOfError(f"--as-of {text!r} lies outside the years 1900 to 2199")
    return moment.astimezone(dt.UTC)


@app.command()
def refresh(
    full: Annotated[bool, typer.Option("--full", help="Load all rows again, not only the changed ones.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(help="Moment the statistics speak of (ISO 8601, UTC without an offset); now by default."),
    ] = None,
    reload: Annotated[
        list[str] | None, typer.Option(help="Table to load in full while the others are loaded as ever; repeatable.")
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop the running refresh; nothing of it is published.")
    ] = False,
    started_by: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Load the CRM, build and check the marts, publish them.

    Exit code 0: published, or nothing had changed. 3: refused, because checks failed (they are named). 1: error.
    """
    if cancel:
        from pipelines.cancellation import cancel as stop

        stopped = stop(get_settings(), started_by)
        typer.echo(f"Cancelled the refresh that began {stopped.started_at}; nothing of it was published.")
        return
    moment = None if as_of is None else parse_as_of(as_of)
    collect_rarely()
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("Starting", total=1)
        from pipelines.progress import BarReporter
        from pipelines.refresh import refresh as run

        bars.update(task, completed=1)
        state = run(
            get_settings(), BarReporter(bars), full=full, reload=reload or (), as_of=moment, started_by=started_by
        )
    for message in state.messages:
        typer.secho(f"Note: {visible(message)}", fg="yellow", err=True)
    if state.outcome == "published":
        quarantined = sum(state.quarantined.values())
        typer.echo(
            f"Published snapshot {state.version}, as of {state.as_of}: {sum(state.rows.values()):,} rows"
            + (f", {quarantined:,} quarantined (see `loupan status`)." if quarantined else ".")
        )
    elif state.outcome == "unchanged":
        typer.echo(
            f"Nothing was written to the CRM since snapshot {state.version} was loaded. It stays, as of {state.as_of}."
        )
    elif state.outcome == "refused":
        typer.secho("Not published: dashboards stay on the last snapshot. Failed checks:", fg="yellow", err=True)
        for name in state.failed_checks:
            typer.echo(f"  {visible(name)}", err=True)
        raise typer.Exit(REFUSED)
    else:
        raise LoupanError(state.error or "the refresh failed")
