"""Import the export of another CRM: the steps in order, in one transaction."""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM
from data_entry.database import head_version, schema_version
from data_entry.schema import metadata
from data_entry.services.import_data import crm_rows
from data_entry.services.import_data.mapping import Mapping, read_mappings, run_mapping
from data_entry.services.import_data.report import ImportFailed, ImportReport, TableOutcome, open_private
from data_entry.services.import_data.source_files import SourceFiles, open_source_files, plain_message
from data_entry.services.import_data.staging import Staging
from data_entry.services.trail import done_at_the_server
from data_entry.services.work import Work, utc_now
from loupan.settings import get_settings
from loupan.spreadsheet import inert

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many steps are done of how many."""


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


def import_directory(
    engine: sa.Engine,
    mapping_dir: Path,
    source_dir: Path,
    *,
    dry_run: bool = False,
    skip_bad: bool = False,
    reject_dir: Path | None = None,
    encoding: str = "utf-8",
    progress: Progress = _silent,
) -> ImportReport:
    """Bring an export into the CRM: all of it, or nothing.

    Rows are matched by ``external_ref``: new ones are inserted, those that differ in a mapped column are updated,
    the others are not touched, and rows that the export no longer holds are left alone. A row that was deleted in the
    CRM stays deleted.

    Args:
        engine: of the CRM database.
        mapping_dir: holds one SQL file per target table.
        source_dir: holds the exported files; the SQL can read these and nothing else.
        dry_run: do everything except keeping it.
        skip_bad: load the good rows and write the bad ones to ``reject_dir``; without it one bad row stops all.
        reject_dir: folder for the rejected rows, one CSV file per table; required with ``skip_bad``.
        encoding: of the CSV files that the SQL reads by view name.
        progress: told about each step.

    Returns:
        What was done, or what was wrong. Nothing was changed unless ``committed``.

    Raises:
        ImportFailed: if folders, files or the database cannot be used.
        DatabaseError: if the database cannot be reached.
    """
    if skip_bad and reject_dir is None:
        raise ImportFailed("Skipping bad rows needs a folder for the rejected rows")
    mappings, problems = read_mappings(mapping_dir)
    report = ImportReport(problems=problems, dry_run=dry_run, skip_bad=skip_bad)
    version = schema_version(engine)
    if version != head_version():
        where, how = engine.url.render_as_string(), "init" if version is None else "migrate"
        raise ImportFailed(f"The CRM {where} has no schema of this version yet; run `loupan crm {how}`")
    try:
        with open_source_files(source_dir, encoding) as files:
            _import(engine, mappings, files, report, reject_dir, progress)
    except DBAPIError as error:
        # The driver's own words: SQLAlchemy's would repeat the rows, which may be personal data.
        raise ImportFailed(f"The CRM database refused the import, nothing was changed: {error.orig}") from None
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise ImportFailed(f"Memory or disk space ran out, nothing was changed: {plain_message(error)}") from error
    return report


def _import(
    engine: sa.Engine,
    mappings: list[Mapping],
    files: SourceFiles,
    report: ImportReport,
    reject_dir: Path | None,
    progress: Progress,
) -> None:
    staging = Staging(files.connection)
    files.provide([mapping.sql for mapping in mappings])
    for position, mapping in enumerate(mappings):
        progress(f"Reading {mapping.file}", position, len(mappings))
        found = run_mapping(mapping, files)
        report.problems += found
        if not found:
            staging.convert(mapping)
            report.tables.append(TableOutcome(mapping.table, mapping.file, staging.row_count(mapping.table)))
    if report.mapping_is_wrong:
        staging.gather_bad()
        _tell(report, mappings, staging)
        return
    # BEGIN IMMEDIATE on SQLite: from here on nobody else writes.
    with engine.connect() as connection, connection.begin() as transaction:
        _prepare(connection, staging, progress)
        _tell(report, mappings, staging)
        for outcome in report.tables:
            staging.count(outcome)
        if not report.succeeded:
            transaction.rollback()
            return
        if report.problem_count and reject_dir is not None and not report.dry_run:
            report.reject_files = _write_rejects(report, staging, reject_dir)
        _write(connection, report, staging, progress)
        if report.dry_run:
            transaction.rollback()
            return
        for outcome in report.tables:
            if outcome.inserted:
                crm_rows.move_sequence(connection, metadata.tables[outcome.table])
        _leave_a_trail(connection, report)
        transaction.commit()
        report.committed = True


def _leave_a_trail(connection: sa.Connection, report: ImportReport) -> None:
    """Write a line per table, not per row: the rows name their origin themselves."""
    with Session(connection, join_transaction_mode="create_savepoint") as session, session.begin():
        work = Work(session, SYSTEM, utc_now(), ZoneInfo(get_settings().time_zone))
        for outcome in report.tables:
            done_at_the_server(
                work, "import", outcome.table, new=outcome.inserted, changed=outcome.updated, refused=outcome.bad
            )


def _tell(report: ImportReport, mappings: list[Mapping], staging: Staging) -> None:
    """Put the problems of the rows into the report."""
    report.problem_count = len(report.problems) + staging.problem_count()
    for mapping in mappings:
        if mapping.table in staging.mapped:
            report.problems += staging.problems(mapping)
    for outcome in report.tables:
        outcome.bad = staging.count_bad(outcome.table)


def _prepare(connection: sa.Connection, staging: Staging, progress: Progress) -> None:
    """Bring in what the CRM holds and find all problems."""
    crm_rows.lock_tables(connection, [metadata.tables[name] for name in staging.mapped])
    needed = sorted(staging.keys_needed())
    for position, name in enumerate(needed):
        progress(f"Comparing {name} with the CRM", position, len(needed))
        table = metadata.tables[name]
        columns = staging.columns_compared(name)
        every_row = staging.needs_every_row(name)
        staging.take_crm_rows(name, columns, crm_rows.read_as_text(connection, table, columns, every_row=every_row))
        staging.recognise_erased(name)
        staging.make_keys(name, crm_rows.first_free_id(connection, table))
    for name in staging.mapped:
        staging.resolve(name)
    staging.settle()


def _write_rejects(report: ImportReport, staging: Staging, folder: Path) -> list[Path]:
    """Write the bad rows of each table, as delivered and with the reasons, to a CSV file that only its owner reads."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for outcome in report.tables:
            if not outcome.bad:
                continue
            path = folder / f"{outcome.table}.csv"
            header, batches = staging.rejected_rows(outcome.table)
            with os.fdopen(open_private(path), "w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                for rows in batches:
                    writer.writerows([_for_a_person(cell) for cell in row] for row in rows)
            paths.append(path)
    except OSError as error:
        raise ImportFailed(f"The rejected rows cannot be written, nothing was changed: {error}") from error
    return paths


# Signed numbers and telephone numbers: no formula that could do anything, and to be imported again as they are.
_NUMERIC = re.compile(r"[+-]?[\d\s().,/-]*\d")


def _for_a_person(cell: object) -> object:
    """Return a cell for a file that is opened in a spreadsheet: what somebody else typed must not run there."""
    return inert(cell) if isinstance(cell, str) and not _NUMERIC.fullmatch(cell) else cell


def _write(connection: sa.Connection, report: ImportReport, staging: Staging, progress: Progress) -> None:
    """Insert and update, tables in the order of their foreign keys."""
    total = sum(outcome.inserted + outcome.updated for outcome in report.tables)
    done = 0
    # As late as possible: the incremental load looks for rows changed since its last run.
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for outcome in report.tables:
        table = metadata.tables[outcome.table]
        columns = staging.written_columns(outcome.table)
        for write, batches in (
            (crm_rows.insert_rows, staging.new_rows(outcome.table)),
            (crm_rows.update_rows, staging.changed_rows(outcome.table)),
        ):
            for rows in batches:
                progress(f"Writing {outcome.table}", done, total)
                write(connection, table, columns, rows, now)
                done += len(rows)
    progress("Written", total, total)
