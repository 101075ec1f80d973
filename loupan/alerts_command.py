"""``loupan alerts``: what is wrong, and who is told of it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from loupan.console import Format, OutputFormat, visible, write_rows
from loupan.settings import get_settings

app = typer.Typer(help="What is wrong, and who is told of it.", no_args_is_help=True)

SOMETHING_OPEN = 3
"""Exit code of ``check`` while something is wrong, of which everybody could be told."""
_WAIT_SECONDS = 60.0
_RECENT = 10


@app.command()
def check() -> None:
    """Evaluate everything now and send what is due; for cron, where Dagster's daemon does not run.

    Exit code 0: nothing is wrong; 3: something is; 1: it could not be judged, or somebody not be told.
    """
    from loupan import alerts

    report = alerts.check(get_settings(), _now(), wait_seconds=_WAIT_SECONDS)
    if report.is_busy:
        typer.echo("Another process is evaluating; nothing was done.", err=True)
        raise typer.Exit(1)
    for alert in report.open:
        typer.echo(visible(f"{alert.severity}: {alert.headline}\n  " + "\n  ".join((*alert.lines, alert.remedy))))
    if not report.open:
        typer.echo("Nothing is wrong.")
    for delivery in report.deliveries:
        _say_delivery(delivery.recipient, delivery.error)
    for problem in report.problems:
        typer.secho(f"Not judged: {visible(problem)}", fg="red", err=True)
    if report.problems or any(delivery.error for delivery in report.deliveries):
        raise typer.Exit(1)
    if report.open:
        raise typer.Exit(SOMETHING_OPEN)


@app.command("list")
def listing(output_format: Format = OutputFormat.TABLE) -> None:
    """List what is wrong, and the last that was, as of the last evaluation."""
    from loupan import alerts

    settings = get_settings()
    rows = [
        {
            "state": "over" if alert.closed_at else "open",
            "severity": str(alert.severity),
            "kind": str(alert.kind),
            "what": alert.headline,
            "since": _text(alert.since),
            "over": _text(alert.closed_at),
            "waiting": ", ".join(alert.waiting) or None,
        }
        for alert in (*alerts.open_alerts(settings), *alerts.recent_alerts(settings, _RECENT))
    ]
    write_rows(["state", "severity", "kind", "what", "since", "over", "waiting"], rows, output_format)
    checked = _text(alerts.last_checked(settings))
    told = f"Evaluated {checked}." if checked else "Never evaluated: run `loupan alerts check` or `loupan orchestrate`."
    typer.echo(told, err=True)


@app.command("test")
def try_recipients(
    name: Annotated[str | None, typer.Argument(help="A recipient of alerts.toml; all where none is named.")] = None,
) -> None:
    """Send a test message to each recipient, and say which took it."""
    from loupan import alerts

    is_refused = False
    for delivery in alerts.try_recipients(get_settings(), name):
        _say_delivery(delivery.recipient, delivery.error)
        is_refused |= delivery.error is not None
    if is_refused:
        raise typer.Exit(1)


@app.command()
def example() -> None:
    """Print a commented alerts.toml to begin with."""
    from loupan.alerts import config

    typer.echo(config.example(get_settings()), nl=False)


def _say_delivery(recipient: str, error: str | None) -> None:
    if error is None:
        typer.echo(visible(f"{recipient}: taken."))
    else:
        typer.secho(visible(f"{recipient}: {error}"), fg="red", err=True)


def _text(moment: dt.datetime | None) -> str | None:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds") if moment else None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
