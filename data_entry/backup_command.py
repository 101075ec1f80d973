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

from data_entry.database import create_engine_for
from data_entry.services import backup
from data_entry.services.backup.archive import BackupError, Progress
from data_entry.services.backup.shelf import paths
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
    """Copy the CRM into one file, while people go on writing; backups beyond LOUPAN_KEEP_BACKUPS are deleted."""
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    with _bar("Backup") as progress:
        path = backup.create(engine, settings, folder=to.expanduser().resolve() if to else None, progress=progress)
    with backup.open_backup(path) as made:
        manifest = made.manifest
    typer.echo(
        f"Wrote {manifest.rows:,} rows and {len(manifest.attachments):,} files to {path} "
        f"({byte_size(path.stat().st_size)}, SHA-256 {manifest.checksum})."
    )
    if manifest.missing:
        typer.secho(
            f"{len(manifest.missing):,} attached files that the CRM names were not there to be copied.",
            fg="yellow", err=True,
        )  # fmt: skip


@app.command("list")
def list_backups(output_format: Format = OutputFormat.TABLE) -> None:
    """List the backups, the newest first."""
    folder = get_settings().backups_dir
    rows = [
        {
            "backup": found.path.name,
            "made at (UTC)": found.manifest.made_at.replace("T", " ")[:19] if found.manifest else None,
            "version": found.manifest.schema if found.manifest else "cannot be read",
            "rows": found.manifest.rows if found.manifest else None,
            "files": len(found.manifest.attachments) if found.manifest else None,
            "size": byte_size(found.bytes),
        }
        for found in backup.listing(folder)
    ]
    if not rows and output_format is OutputFormat.TABLE:
        typer.echo(f"There is no backup in {folder}.")
        return
    write_rows(["backup", "made at (UTC)", "version", "rows", "files", "size"], rows, output_format)


@app.command()
def verify(which: Which = LATEST) -> None:
    """Read a backup from end to end and compare it with its checksums."""
    path = _chosen(which)
    with _bar("Verify") as progress:
        manifest = backup.verify(path, progress)
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
        manifest, safety = backup.restore(engine, settings, _chosen(which), replace=replace, progress=progress)
    typer.echo(
        f"Restored {manifest.rows:,} rows and {len(manifest.attachments):,} files to {engine.url.render_as_string()}; "
        "every row is that of the backup. Everybody signs in again."
    )
    if safety:
        typer.echo(f"What was there before is in {safety}.")
    typer.echo("The statistics follow with the next `loupan refresh --full`.")
