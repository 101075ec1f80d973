"""``loupan import``: bring the export of another CRM in."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from data_entry.database import create_engine_for
from data_entry.services.import_data import ImportReport, check_report_name, import_directory, write_report
from loupan.console import OutputFormat, write_rows
from loupan.settings import get_settings

app = typer.Typer()

SHOWN_COLUMNS = ["table", "rows", "inserted", "updated", "unchanged", "bad", "left_deleted", "not_in_export"]


@app.command()
def import_(
    *,
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of the mapping: one SELECT per table, named after it (lead.sql)."),
    ],
    source_dir: Annotated[
        Path,
        typer.Option(help="Folder of the exported files: CSV, Excel, JSON, Parquet. The SQL can read nothing else."),
    ],
    dry_run: Annotated[bool, typer.Option(help="Do everything except keeping it.")] = False,
    skip_bad: Annotated[bool, typer.Option(help="Load the good rows and write the bad ones to reject files.")] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where reject files go; by default a new folder in the data folder."),
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write all problems to a .csv or .json file.")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many problems are shown here.")] = 20,
    encoding: Annotated[
        str, typer.Option(help="Of the CSV files, e.g. gb18030 for exports of Chinese Windows.")
    ] = "utf-8",
) -> None:
    """Bring the export of another CRM in: all of it, or nothing.

    Importing again changes only what changed. Rows that the export no longer holds are left alone.
    Exit code 0: done (with --skip-bad, rows may have been rejected). 1: nothing was changed.
    """
    if report_file is not None:
        check_report_name(report_file)
    settings = get_settings()
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=None)
        report = import_directory(
            create_engine_for(settings.crm_database_url),
            directory,
            source_dir,
            dry_run=dry_run,
            skip_bad=skip_bad,
            reject_dir=rejects or settings.data_dir / "rejects" / stamp,
            encoding=encoding,
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )
    _show(report, show)
    if report_file is not None:
        write_report(report, report_file)
        typer.echo(f"Report: {report_file}")
    if not report.succeeded:
        raise typer.Exit(1)


def _show(report: ImportReport, problems_shown: int) -> None:
    """Say what was done and what was wrong. Values go to the screen of who imports, and nowhere else."""
    if not report.mapping_is_wrong:
        write_rows(SHOWN_COLUMNS, [asdict(outcome) for outcome in report.tables], OutputFormat.TABLE)
    shown = report.problems[:problems_shown]
    if shown:
        columns = ["file", "row", "column", "value", "reason"]
        rows = [
            {**asdict(problem), "file": f"{problem.file}:{problem.line}" if problem.line else problem.file}
            for problem in shown
        ]
        write_rows(columns, rows, OutputFormat.TABLE)
    if report.problem_count > len(shown):
        typer.echo(f"… and {report.problem_count - len(shown):,} more problems (--report FILE lists them).")
    for path in report.reject_files:
        typer.echo(f"Rejected rows: {path}")
    left_alone = sum(outcome.not_in_export for outcome in report.tables)
    if left_alone and not report.mapping_is_wrong:
        typer.echo(f"{left_alone:,} rows of earlier imports are not in this export; they are left alone.")
    typer.echo(_verdict(report))


def _verdict(report: ImportReport) -> str:
    if report.mapping_is_wrong:
        return "Nothing was changed: a mapping is wrong, which --skip-bad does not get past."
    if not report.succeeded:
        return (
            f"Nothing was changed: {report.bad_rows:,} rows are bad. Mend the source or the mapping, or load the rest "
            "with --skip-bad."
        )
    inserted, updated = (sum(getattr(outcome, name) for outcome in report.tables) for name in ("inserted", "updated"))
    counts = f"{inserted:,} rows inserted, {updated:,} updated, {report.bad_rows:,} rejected"
    return f"Dry run, nothing was changed. It would be: {counts}." if report.dry_run else f"Imported: {counts}."
