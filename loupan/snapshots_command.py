"""``loupan snapshots``: what has been published, what changed, and the way back."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from loupan.console import Format, OutputFormat, byte_size, display, write_rows
from loupan.settings import get_settings

app = typer.Typer(no_args_is_help=True, help="List, compare and roll back published snapshots.")


@app.command("list")
def list_published(output_format: Format = OutputFormat.TABLE) -> None:
    """List the kept snapshots, newest first."""
    from loupan.snapshot import DamagedSnapshot, NoSnapshot, current, list_snapshots

    settings = get_settings()
    current_version, problem = None, None
    try:
        in_force = current(settings)
        current_version = in_force.version
        in_force.check_sizes()
    except (DamagedSnapshot, NoSnapshot) as error:
        problem = error
    rows = []
    for snapshot in list_snapshots(settings):
        as_of, state = None, "current" if snapshot.version == current_version else ""
        try:
            as_of = snapshot.report.get("as_of")
            snapshot.check_sizes()
        except DamagedSnapshot:
            state = "damaged"
        size = byte_size(snapshot.size) if output_format is OutputFormat.TABLE else snapshot.size
        published_at = snapshot.published_at.isoformat(timespec="seconds")
        rows.append(
            {"version": snapshot.version, "published_at": published_at, "as_of": as_of, "size": size, "state": state}
        )
    write_rows(["version", "published_at", "as_of", "size", "state"], rows, output_format)
    if problem is not None:
        raise problem


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Version of the earlier snapshot.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Version of the later snapshot.")],
    months: Annotated[bool, typer.Option("--months", help="Also each month that changed.")] = False,
    output_format: Format = OutputFormat.TABLE,
) -> None:
    """Show what changed between two snapshots, per metric."""
    from loupan.metrics import MetricChange, Metrics, compare
    from loupan.snapshot import find

    settings = get_settings()
    old, new = (Metrics(find(settings, version)) for version in (before, after))
    changes = compare(old, new)
    changed_months = Counter(change.metric for change in changes if change.month is not None)
    totals = {change.metric: change for change in changes if change.month is None}
    if not months:
        # A metric of which only months changed has a total that did not.
        unchanged = {name: new.records([name])[0][name] for name in changed_months if name not in totals}
        totals |= {name: MetricChange(name, None, value, value) for name, value in unchanged.items()}
        changes = [totals[name] for name in sorted(totals)]
    if not changes and output_format is OutputFormat.TABLE:
        typer.echo(f"No metric differs between {before} and {after}.")
        return
    units = {metric.name: metric.unit for metric in (*old.list(), *new.list())}
    rows = []
    for change in changes:
        values = {name: getattr(change, name) for name in ("before", "after", "absolute", "relative")}
        if output_format is OutputFormat.TABLE:
            values = {
                name: display(value, "percent" if name == "relative" else units[change.metric])
                for name, value in values.items()
            }
        row: dict[str, Any] = {"metric": change.metric}
        if months:
            row["month"] = change.month
        else:
            row["changed_months"] = changed_months[change.metric]
        rows.append(row | values)
    write_rows(list(rows[0]) if rows else [], rows, output_format)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="Empty: the one before the current.")] = None,
) -> None:
    """Make an earlier snapshot the current one."""
    from loupan.snapshot import rollback as roll_back

    snapshot = roll_back(get_settings(), version)
    typer.echo(f"Current snapshot: {snapshot.version}, data as of {snapshot.report.get('as_of', 'unknown')}.")
