"""Restore a backup on trial: is it whole, how long does a recovery take, and how much would be lost."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from data_entry.database import DatabaseError, clear_errors, version_within
from data_entry.schema import metadata
from data_entry.services.backup.archive import Manifest, Progress, no_progress
from data_entry.services.backup.errors import BackupError
from data_entry.services.backup.proof import prove
from data_entry.services.backup.restore import restore
from data_entry.services.backup.scratch import scratch_place
from data_entry.services.backup.shelf import check, remember
from data_entry.services.personal.service import repeat
from loupan.backups import Drill, changing_history
from loupan.erasures import read_erasures
from loupan.errors import LoupanError
from loupan.i18n import marked
from loupan.marts import differing_marts
from loupan.settings import Settings
from loupan.snapshot import NoSnapshot, Snapshot, current

Clock = Callable[[], dt.datetime]
_LOUPAN = [sys.executable, "-c", "from loupan.cli import run; run()"]
# Nothing that people do: written by the restore, or by whoever signs in.
_NOT_WORK = frozenset({"audit_log", "account", "account_session"})


def drill(
    engine: sa.Engine,
    settings: Settings,
    path: Path,
    *,
    with_refresh: bool = False,
    progress: Progress = no_progress,
    clock: Clock = lambda: dt.datetime.now(dt.UTC),
) -> Drill:
    """Restore a backup into a scratch database, compare it with its manifest, and write down how that went.

    The CRM itself is only read, for how far it has moved on since the copy.

    Args:
        engine: the CRM.
        settings: of the installation.
        path: the backup.
        with_refresh: refresh the restored CRM as well and compare its marts with those that are published.
        progress: called with the share done and what is being done.
        clock: tells the moment, aware.

    Returns:
        What was found, also where the backup cannot be relied upon.
    """
    result = Drill(at="", backup=path.name, passed=False, engine=engine.dialect.name)
    try:
        with scratch_place(engine, settings) as (scratch, there):
            try:
                manifest = _restored(scratch, there, path, result, progress)
            except BackupError:
                _look_again(settings, path)
                raise
            remember(settings, path, manifest)
            result.erased = _erase_again(scratch, settings, path)
            _measure_loss(engine, result, manifest)
            if with_refresh:
                progress(0.7, "refreshing")
                result.marts = _refreshed(engine, settings, there, manifest)
        result.passed = True
    except (LoupanError, OSError) as error:
        result.problem = str(error)
    result.at = clock().isoformat(timespec="seconds")
    with changing_history(settings) as history:
        history.drills.append(result)
    progress(1.0, "done")
    return result


def _restored(scratch: sa.Engine, there: Settings, path: Path, result: Drill, progress: Progress) -> Manifest:
    began = time.monotonic()
    # Erased again only after the comparison, which is with the backup as it is.
    manifest, _ = restore(scratch, there, path, erasures=(), progress=lambda share, what: progress(0.5 * share, what))
    restored = time.monotonic()
    result.restore_seconds = round(restored - began, 2)
    prove(scratch, manifest, there.attachments_dir, lambda share, what: progress(0.5 + 0.2 * share, what))
    result.check_seconds = round(time.monotonic() - restored, 2)
    result.made_at, result.rows, result.files = manifest.made_at, manifest.rows, len(manifest.attachments)
    return manifest


def _look_again(settings: Settings, path: Path) -> None:
    """Find out whether the backup is to blame, and trust it no longer if so: the disk may have been full as well."""
    with suppress(BackupError, OSError):
        check(settings, path)


def _erase_again(scratch: sa.Engine, settings: Settings, path: Path) -> int:
    """Do what a real restore does at its end: erase whoever was erased since the backup was made."""
    customer = metadata.tables["customer"]
    with clear_errors(scratch), scratch.begin() as connection:
        gone = sa.select(sa.func.count()).select_from(customer).where(customer.c.erased_at.is_not(None))
        before = connection.scalar(gone) or 0
        repeat(connection, read_erasures(settings, path.parent), settings.time_zone)
        return (connection.scalar(gone) or 0) - before


def _measure_loss(engine: sa.Engine, result: Drill, manifest: Manifest) -> None:
    """Find what would be lost if the CRM were gone this moment: what was changed since the copy."""
    copied = dt.datetime.fromisoformat(manifest.made_at).astimezone(dt.UTC).replace(tzinfo=None)
    try:
        with clear_errors(engine), engine.execution_options(read_only=True).connect() as connection:
            if version_within(connection) is None:
                return
            newest, count = _changes_since(connection, copied)
    except DatabaseError:
        return  # the very case a backup is for
    result.lost_rows = count
    result.lost_seconds = round((newest - copied).total_seconds(), 1) if newest else 0.0


def _changes_since(connection: sa.Connection, moment: dt.datetime) -> tuple[dt.datetime | None, int]:
    newest: dt.datetime | None = None
    count = 0
    present = set(sa.inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in _NOT_WORK or table.name not in present:
            continue
        found = connection.execute(
            sa.select(sa.func.max(table.c.updated_at).label("newest"), sa.func.count().label("rows")).where(
                table.c.updated_at > moment
            )
        ).one()
        count += found.rows
        if found.newest is not None:
            newest = max(newest or found.newest, found.newest)
    return newest, count


def _refreshed(engine: sa.Engine, settings: Settings, there: Settings, manifest: Manifest) -> str:
    """Refresh the restored CRM in its own place, as of what is published, and compare the marts."""
    try:
        published = current(settings)
    except NoSnapshot as error:
        raise BackupError(
            marked("Nothing is published yet to compare the marts with. Run `loupan refresh`.")
        ) from error
    as_of = str(published.report["as_of"])
    environment = os.environ | {
        "LOUPAN_DATA_DIR": str(there.data_dir), "LOUPAN_CRM_URL": there.crm_url,
        # What models learnt is no part of a backup; their tables are not compared.
        "LOUPAN_WITHOUT_MODELS": "*",
    }  # fmt: skip
    done = subprocess.run(  # noqa: S603 - fixed words
        [*_LOUPAN, "refresh", "--full", "--as-of", as_of], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(
            marked("The restored CRM cannot be refreshed: {reason}"), reason=(done.stderr or done.stdout).strip()[-500:]
        )
    differing = differing_marts(published, current(there))
    if not differing:
        return "the same"
    if _moved_on(engine, published, manifest):
        return f"{len(differing)} differ, as the CRM was changed between the copy and the refresh that is published"
    raise BackupError(
        marked("A refresh of the restored CRM publishes other marts: {names}."), names=", ".join(sorted(differing))
    )


def _moved_on(engine: sa.Engine, published: Snapshot, manifest: Manifest) -> bool:
    """Say whether the CRM was changed after the earlier of the copy and the published load."""
    loaded = dt.datetime.fromisoformat(str(published.report.get("started_at") or published.published_at.isoformat()))
    earlier = min(loaded, dt.datetime.fromisoformat(manifest.made_at)).astimezone(dt.UTC).replace(tzinfo=None)
    with clear_errors(engine), engine.execution_options(read_only=True).connect() as connection:
        return _changes_since(connection, earlier)[1] > 0
