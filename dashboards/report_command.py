"""``loupan report``: the board report, to look at or to send."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make board reports, and send them.", no_args_is_help=True)


class _Language(StrEnum):
    EN = "en"
    ZH = "zh"


class _Kind(StrEnum):
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"


@app.command()
def example() -> None:
    """Print a file of recipients to begin with: reports.toml in the data folder."""
    from dashboards.report.recipients import EXAMPLE

    typer.echo(EXAMPLE, nl=False)


@app.command()
def preview(
    login: Annotated[str, typer.Option(help="Login of the account whose pages and rows the report holds.")],
    out: Annotated[Path, typer.Option(help="Where the PDF goes.")],
    language: Annotated[_Language, typer.Option(help="Of the report.")] = _Language.EN,
    period: Annotated[_Kind, typer.Option(help="The last one of these that is over.")] = _Kind.MONTH,
    company: Annotated[str, typer.Option(help="What stands above the title.")] = "",
) -> None:
    """Write the report that an account would get; nothing is sent and nothing written down."""
    from dashboards.report.compose import Order, ReportError, compose
    from dashboards.report.typeset import pdf
    from data_entry.database import ready_engine
    from loupan.settings import get_settings

    settings, now = get_settings(), datetime.now(UTC)
    order = Order(login, language.value, period.value, company)
    document = pdf(compose(ready_engine(settings.crm_database_url), settings, order, now), now)
    try:
        out.write_bytes(document)
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror}. Name another file with --out.") from error
    typer.echo(f"Wrote {out} ({len(document):,} bytes).")


@app.command()
def send(
    to: Annotated[
        list[str] | None, typer.Option(help="Name of a recipient; several are possible. All if none.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Send what was sent already.")] = False,
    if_any: Annotated[
        bool, typer.Option("--if-any", help="Where nobody gets reports, say so and be content; for the schedule.")
    ] = False,
) -> None:
    """Send the report of the last period that is over to those of reports.toml who have not had it."""
    from dashboards.report.deliver import deliver
    from dashboards.report.recipients import path_of, read_recipients
    from data_entry.database import ready_engine
    from loupan.settings import get_settings

    settings = get_settings()
    if if_any and not path_of(settings).exists():
        typer.echo(f"Nobody gets reports: there is no {path_of(settings)}.")
        return
    recipients = read_recipients(settings)
    engine = ready_engine(settings.crm_database_url)
    outcomes = deliver(engine, settings, recipients, datetime.now(UTC), to=to or (), force=force)
    for outcome in outcomes:
        typer.echo(f"{outcome.recipient} {outcome.told}", err=outcome.is_failure)
    if any(outcome.is_failure for outcome in outcomes):
        sys.exit(1)
