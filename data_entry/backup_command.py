"""``loupan backup``: copies of the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from data_entry.access import SYSTEM
from data_entry.database import create_engine_for
from data_entry.services import backup, trail
from data_entry.services.backup import BackupError
from data_entry.services.backup.archive import Progress
from data_entry.services.backup.encryption import make_key
from data_entry.services.backup.rights import RESOURCE
from data_entry.services.backup.shelf import paths
from data_entry.services.work import writing
from loupan.backups import Drill, read_history
from loupan.console import Format, OutputFormat, byte_size, write_rows
from loupan.settings import get_settings

app = typer.Typer(help="Make, check and restore copies of the CRM with its attached files.", no_args_is_help=True)

LATEST = "latest"
Which = Annotated[str, typer.Argument(metavar="BACKUP", help=f"File of the backup, or `{LATEST}`.")]


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share, what: bar.update(task, completed=share, description=what.capitalize())


def _chosen(which: str) -> Path:
    folder = get_settings().backups_dir
    if which == LATEST:
        found = paths(folder)
        if not found:
            raise BackupError(f"There is no backup in {folder}. Make one with `loupan backup create`.")
        return found[0]
    path = Path(which).expanduser()
    return path if path.exists() or path.is_absolute() or not (folder / which).exists() else folder / which


@app.command()
def create(
    to: Annotated[Path | None, typer.Option(help="Folder of the backup; LOUPAN_BACKUP_DIR by default.")] = None,
) -> None:
    """Copy the CRM into one file, while people go on writing; backups that are no longer to be kept are deleted."""
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    deleted = len(read_history(settings).deleted)
    with _bar("Backup") as progress:
        path = backup.create(engine, settings, folder=to.expanduser().resolve() if to else None, progress=progress)
    with writing(engine, SYSTEM) as work:
        trail.done_at_the_server(work, "backup", RESOURCE, file=path.name)
    with backup.open_backup(path, settings) as made:
        manifest = made.manifest
    typer.echo(
        f"Wrote {manifest.rows:,} rows and {len(manifest.attachments):,} files to {path} "
        f"({byte_size(path.stat().st_size)}, SHA-256 {manifest.checksum})."
    )
    for gone in read_history(settings).deleted[deleted:]:
        typer.echo(f"Deleted {gone.backup}: {gone.reason}.")
    if manifest.missing:
        typer.secho(
            f"{len(manifest.missing):,} attached files that the CRM names were not there to be copied.",
            fg="yellow", err=True,
        )  # fmt: skip


@app.command("list")
def list_backups(output_format: Format = OutputFormat.TABLE) -> None:
    """List the backups, the newest first."""
    settings = get_settings()
    columns = ["backup", "made at (UTC)", "version", "rows", "files", "size", "state"]
    rows = [
        {
            "backup": found.path.name,
            "made at (UTC)": f"{found.made_at:%Y-%m-%d %H:%M:%S}",
            "version": found.schema,
            "rows": found.rows,
            "files": found.files,
            "size": byte_size(found.bytes),
            "state": _state(found),
        }
        for found in backup.listing(settings)
    ]
    if not rows and output_format is OutputFormat.TABLE:
        typer.echo(f"There is no backup in {settings.backups_dir}.")
        return
    write_rows(columns, rows, output_format)


def _state(found: backup.Backup) -> str:
    if found.problem:
        return "cannot be read"
    verified = found.known.verified_at if found.known else None
    state = f"whole, read {verified.replace('T', ' ')[:16]}" if verified else "not checked"
    return f"{state}; encrypted" if found.is_encrypted else state


@app.command()
def verify(which: Which = LATEST) -> None:
    """Read a backup from end to end and compare it with its checksums."""
    path = _chosen(which)
    with _bar("Verify") as progress:
        manifest = backup.check(get_settings(), path, progress)
    typer.echo(
        f"{path} is whole: {manifest.rows:,} rows in {len(manifest.tables)} tables, {len(manifest.attachments):,} "
        f"files, version {manifest.schema}, made at {manifest.made_at}."
    )


@app.command()
def restore(
    which: Which,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a CRM that holds data; a backup of it is made first.")
    ] = False,
) -> None:
    """Restore a backup into the CRM at LOUPAN_CRM_URL, as a whole or not at all, and compare it row for row."""
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    with _bar("Restore") as progress:
        path = _chosen(which)
        manifest, safety = backup.restore(engine, settings, path, replace=replace, progress=progress)
    with writing(engine, SYSTEM) as work:
        trail.done_at_the_server(
            work, "restored", RESOURCE, file=path.name, made_at=manifest.made_at, kept=safety.name if safety else None
        )
    typer.echo(
        f"Restored {manifest.rows:,} rows and {len(manifest.attachments):,} files to {engine.url.render_as_string()}; "
        "every row is that of the backup. Everybody signs in again."
    )
    if safety:
        typer.echo(f"What was there before is in {safety}.")
    typer.echo("The statistics follow with the next `loupan refresh --full`.")


@app.command()
def drill(
    which: Which = LATEST,
    *,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Refresh the restored CRM as well and compare its marts.")
    ] = False,
) -> None:
    """Restore a backup into a scratch database, compare it, and tell how long that took; the CRM is only read."""
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    path = _chosen(which)
    with _bar("Drill") as progress:
        result = backup.drill(engine, settings, path, with_refresh=refresh, progress=progress)
    if not result.passed:
        raise BackupError(f"The drill with {path} failed. {result.problem}")
    speed = result.rows_per_second
    typer.echo(
        f"{path.name} can be relied upon: {result.rows:,} rows and {result.files:,} files were restored on "
        f"{result.engine} in {result.restore_seconds:.1f} s"
        + (f" ({speed:,.0f} rows/s)" if speed else "")
        + f" and compared in {result.check_seconds:.1f} s."
    )
    if result.lost_rows:
        typer.echo(
            f"Were the CRM lost now, {result.lost_rows:,} rows changed since the copy would be missing, the newest "
            f"changed {_duration(result.lost_seconds or 0)} after it."
        )
    elif result.lost_rows is not None:
        typer.echo("Were the CRM lost now, nothing would be missing.")
    if result.erased:
        typer.echo(f"{result.erased:,} customers who were erased since then were erased again.")
    if result.marts:
        typer.echo(f"Marts of the restored CRM: {result.marts}.")


@app.command("drills")
def list_drills(output_format: Format = OutputFormat.TABLE) -> None:
    """List the drills, the newest first: result, recovery time, recovery point."""
    rows = [_drill_row(found) for found in reversed(read_history(get_settings()).drills)]
    if not rows and output_format is OutputFormat.TABLE:
        typer.echo("There was no drill yet. Hold one with `loupan backup drill`.")
        return
    columns = ["ended at (UTC)", "backup", "result", "rows", "restored in (s)", "rows/s", "lost (s)", "lost rows"]
    write_rows([*columns, "marts", "problem"], rows, output_format)


def _drill_row(found: Drill) -> dict[str, object]:
    speed = found.rows_per_second
    return {
        "ended at (UTC)": found.at.replace("T", " ")[:19],
        "backup": found.backup,
        "result": "passed" if found.passed else "failed",
        "rows": found.rows or None,
        "restored in (s)": found.restore_seconds or None,
        "rows/s": round(speed) if speed else None,
        "lost (s)": found.lost_seconds,
        "lost rows": found.lost_rows,
        "marts": found.marts or None,
        "problem": found.problem or None,
    }


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"


@app.command()
def keygen(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the key goes; best not beside the backups.")],
) -> None:
    """Make a key to encrypt backups with; keep a copy of it where the backups are not."""
    path = path.expanduser().resolve()
    public = make_key(path)
    typer.echo(f"Wrote a key to {path}. Set LOUPAN_BACKUP_KEY_FILE={path}, and keep a copy in another place:")
    typer.echo("without it encrypted backups cannot be opened by anybody.")
    typer.echo(f"Public key: {public}")
