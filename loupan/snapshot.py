"""Published snapshots: whole, immutable copies of the marts, one of which ``CURRENT`` names.

A snapshot is the folder ``snapshots/<version>/`` with ``marts.duckdb`` (every mart in schema ``main``),
``semantic_manifest.json`` (the metrics, pointing at those tables) and ``report.json``. It is built under a hidden name,
flushed to disk and renamed before ``CURRENT`` is replaced, so whoever is killed at whatever moment leaves ``CURRENT``
on a whole snapshot. Files are never overwritten: a reader that has one open goes on reading it, even when it is pruned.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from loupan import aggregates
from loupan.erasures import published_until
from loupan.errors import LoupanError
from loupan.files import replace_text
from loupan.kept_out import published_rows
from loupan.marts_file import (
    Difference,
    NoMartsError,
    configuration,
    copy_marts,
    copy_with_digest,
    digest,
    identifier,
    patch_marts,
)
from loupan.moments import moment_of
from loupan.project import fingerprint
from loupan.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

LOG = logging.getLogger(__name__)
MARTS_FILE = "marts.duckdb"
SEMANTIC_MANIFEST_FILE = "semantic_manifest.json"
AGGREGATES_FILE = "aggregates.json"
REPORT_FILE = "report.json"
UNCHANGED_FILE = "unchanged_until.txt"

# DuckDB names an opened file's catalogue after the file, so the manifest's relations begin with "marts".
_CATALOGUE = Path(MARTS_FILE).stem
_VERSION_FORMAT = "%Y%m%dT%H%M%S%fZ"
_VERSION = re.compile(r"\d{8}T\d{12}Z")
_POINTER = "CURRENT"
_UNFINISHED = (".building-", ".deleting-")
# Rows that go leave holes, and rows that come stand apart from those of their time.
_MOST_PATCHES = 50
_MOST_GROWTH = 1.25
# Connections of one process to one file must agree on their configuration.
_READ_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # DuckDB 2.0 gives wrong results for two different intervals on one column in one SELECT.
    "disabled_optimizers": "common_subexpressions",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
}


class SnapshotError(LoupanError):
    """A snapshot cannot be published, found or read; the message says how to mend it."""

    is_impersonal = True


class NoSnapshot(SnapshotError):
    """Nothing has been published yet."""


class UnknownSnapshot(SnapshotError):
    """The version asked for is not among the kept snapshots."""


class DamagedSnapshot(SnapshotError):
    """A snapshot, or the file that names the current one, is missing or unreadable."""


class PublishError(SnapshotError):
    """A snapshot could not be built; ``CURRENT`` stays where it was."""


@dataclass(frozen=True)
class Snapshot:
    """One published snapshot.

    Attributes:
        version: moment of publishing in UTC, ``YYYYMMDDTHHMMSSffffffZ``; versions sort by time.
        path: folder of the snapshot.
    """

    version: str
    path: Path

    @property
    def marts_path(self) -> Path:
        """DuckDB file with every mart in schema ``main``."""
        return self.path / MARTS_FILE

    @property
    def semantic_manifest_path(self) -> Path:
        """The semantic layer, as dbt wrote it, with relations that point at ``marts_path``."""
        return self.path / SEMANTIC_MANIFEST_FILE

    @property
    def aggregates_path(self) -> Path:
        """What is known of the aggregate tables in ``marts_path``; there is none where there are no such tables."""
        return self.path / AGGREGATES_FILE

    @property
    def published_at(self) -> datetime:
        """Moment of publishing, in UTC."""
        return datetime.strptime(self.version, _VERSION_FORMAT).replace(tzinfo=UTC)

    @cached_property
    def report(self) -> dict[str, Any]:
        """What the refresh reported (``as_of``, ``checks``, ``rows``, ``quarantined`` …) and what publishing added:
        ``version``, ``published_at``, ``files`` (bytes of each file), ``digest`` (XXH3 of the marts), and how often
        the marts were patched (``patches``) since they were copied as a whole (``whole_bytes``).

        Raises:
            DamagedSnapshot: if the report is missing or no JSON object.
        """
        path = self.path / REPORT_FILE
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(report, dict):
            raise _damaged(path, "it holds no JSON object")
        return report

    @property
    def unchanged_until(self) -> datetime:
        """Moment until which the CRM is known to hold what the snapshot shows: its as-of, or that of a later look.

        Raises:
            DamagedSnapshot: if the report is missing or does not tell the as-of.
        """
        try:
            as_of = moment_of(str(self.report["as_of"]))
        except (KeyError, ValueError) as error:
            raise _damaged(self.path / REPORT_FILE, f"it tells no as-of ({error})") from error
        return max(as_of, self.looked_again_at or as_of)

    @property
    def looked_again_at(self) -> datetime | None:
        """Moment of the last refresh that would have published the same again, None if there was none."""
        try:
            return moment_of((self.path / UNCHANGED_FILE).read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            return None

    def note_unchanged(self, moment: datetime) -> None:
        """Note that the CRM still held at a moment what the snapshot shows."""
        replace_text(self.path / UNCHANGED_FILE, moment.astimezone(UTC).isoformat(timespec="seconds"))

    def is_of_this_program(self, settings: Settings) -> bool:
        """Say whether the program at hand would publish the same tables and metrics; before an upgrade it had others.

        Raises:
            DamagedSnapshot: if the report is missing or no JSON object.
        """
        return bool(self.report.get("project") == fingerprint(settings.dbt_project_dir))

    @property
    def size(self) -> int:
        """Bytes of all files of the snapshot."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the marts read-only; take one ``cursor()`` of the result per thread.

        Raises:
            DamagedSnapshot: if the file is missing or no readable DuckDB file.
        """
        import duckdb

        try:
            return duckdb.connect(str(self.marts_path), read_only=True, config=_READ_CONFIG)
        except duckdb.Error as error:
            raise _damaged(self.marts_path, str(error)) from error

    def quarantined_rows(self, limit: int = 1000, per_table: int | None = None) -> pd.DataFrame:
        """Return the rows that were kept out; see `loupan.kept_out.published_rows`.

        Raises:
            DamagedSnapshot: if the file is missing or no readable DuckDB file.
        """
        with self.connect() as connection:
            return published_rows(connection, limit, per_table)

    def verify(self) -> None:
        """Check the files' sizes, and that the marts open.

        Raises:
            DamagedSnapshot: naming the first file that is damaged.
        """
        self.check_sizes()
        self.connect().close()

    def check_sizes(self) -> None:
        """Check that every file is there with the size it was published with.

        Raises:
            DamagedSnapshot: naming the first file that is not.
        """
        files = self.report.get("files")
        sizes = files if isinstance(files, dict) else {}
        is_usable = all(isinstance(size, int) for size in sizes.values())
        if not is_usable or not sizes.keys() >= {MARTS_FILE, SEMANTIC_MANIFEST_FILE}:
            raise _damaged(self.path / REPORT_FILE, "it does not hold the sizes of the files")
        for name, size in sizes.items():
            path = self.path / name
            if not path.is_file():
                raise _damaged(path, "it is missing")
            if path.stat().st_size != size:
                raise _damaged(path, f"it has {path.stat().st_size:,} bytes instead of {size:,}")


def current(settings: Settings) -> Snapshot:
    """Return the snapshot that ``CURRENT`` names.

    Raises:
        NoSnapshot: if nothing has been published.
        DamagedSnapshot: if ``CURRENT`` is unreadable or names a snapshot that is not there.
    """
    pointer = settings.snapshots_dir / _POINTER
    version = _read_pointer(settings)
    if version is None:
        if list_snapshots(settings):
            raise _damaged(pointer, "it is missing")
        raise NoSnapshot(f"Nothing is published in {settings.snapshots_dir}. Run `loupan refresh` first.")
    if not _VERSION.fullmatch(version):
        raise _damaged(pointer, f"it holds {version[:40]!r} and no version")
    snapshot = Snapshot(version, settings.snapshots_dir / version)
    for path in (snapshot.path, snapshot.marts_path, snapshot.semantic_manifest_path, snapshot.path / REPORT_FILE):
        if not path.exists():
            raise _damaged(path, "it is missing")
    return snapshot


def find(settings: Settings, version: str) -> Snapshot:
    """Return the kept snapshot of that version.

    Raises:
        UnknownSnapshot: if it is not kept, or if the text is no version at all.
    """
    for snapshot in list_snapshots(settings):
        if snapshot.version == version:
            return snapshot
    kept = ", ".join(snapshot.version for snapshot in list_snapshots(settings)[:5]) or "none"
    raise UnknownSnapshot(f"There is no snapshot {version!r}. Newest: {kept}. See `loupan snapshots list`.")


def list_snapshots(settings: Settings) -> list[Snapshot]:
    """Return the kept snapshots, newest first."""
    if not settings.snapshots_dir.is_dir():
        return []
    folders = (path for path in settings.snapshots_dir.iterdir() if path.is_dir())
    versions = (path.name for path in folders if _VERSION.fullmatch(path.name))
    return [Snapshot(version, settings.snapshots_dir / version) for version in sorted(versions, reverse=True)]


def publish(
    settings: Settings,
    warehouse: Path | duckdb.DuckDBPyConnection,
    semantic_manifest_path: Path,
    report: dict[str, Any],
    difference: Difference | None = None,
) -> Snapshot:
    """Copy the marts into a new snapshot and make it the current one; waits while another one publishes.

    Args:
        settings: names the folder of the snapshots and how many of them are kept.
        warehouse: the warehouse file, or an open connection to it (DuckDB refuses a second, different opening of one
            file in one process).
        semantic_manifest_path: the semantic manifest that dbt wrote for this warehouse.
        report: what the refresh reports; must hold everything that JSON can and nothing else.
        difference: in what the marts of the warehouse file differ from those of a kept snapshot, if that is known: only
            this is written then.

    Raises:
        PublishError: if the marts cannot be copied (full disk, no marts, a metric's table missing). ``CURRENT`` and
            its snapshot are as they were.
        UnusableManifest: if the gateway could not answer one of the metrics. ``CURRENT`` is as it was.
    """
    import duckdb

    settings.snapshots_dir.mkdir(parents=True, exist_ok=True)
    with _publishing(settings):
        # Before, so that publishers killed again and again do not fill the disk, and after.
        _remove_unfinished(settings)
        _prune(settings)
        version = _next_version(settings)
        building = settings.snapshots_dir / f".building-{version}"
        try:
            building.mkdir()
            tables, history = _fill_marts(settings, warehouse, building / MARTS_FILE, difference)
            manifest = json.loads(semantic_manifest_path.read_text(encoding="utf-8"))
            missing = _point_at_snapshot(manifest) - tables
            if missing:
                raise PublishError(f"The semantic layer reads tables that are not in schema marts: {sorted(missing)}.")
            manifest_json = json.dumps(manifest, ensure_ascii=False)
            _check_metrics(settings, manifest_json)
            (building / SEMANTIC_MANIFEST_FILE).write_text(manifest_json, encoding="utf-8")
            # A patched file holds the aggregates of what it was patched from.
            patched = difference if history["patches"] else None
            _add_aggregates(settings, building, warehouse, manifest, _cut(report), patched)
            files = {file.name: file.stat().st_size for file in building.iterdir()}
            snapshot = Snapshot(version, settings.snapshots_dir / version)
            published = {
                **report,
                "project": fingerprint(settings.dbt_project_dir),
                "version": version,
                "published_at": snapshot.published_at.isoformat(),
                "files": files,
                "whole_bytes": files[MARTS_FILE],
                **history,
                "digest": digest(building / MARTS_FILE),
            }
            (building / REPORT_FILE).write_text(json.dumps(published, ensure_ascii=False, indent=1), encoding="utf-8")
            for file in building.iterdir():
                _flush(file)
            _flush(building)
            building.rename(snapshot.path)
            _flush(settings.snapshots_dir)
            _point(settings, snapshot)
        except (OSError, ValueError, TypeError, duckdb.Error) as error:
            raise PublishError(
                f"Snapshot {version} was not published: {error}. The current snapshot is unchanged."
            ) from error
        finally:
            # After a failure only: a finished snapshot has left this name.
            shutil.rmtree(building, ignore_errors=True)
        _prune(settings)
    return snapshot


def rollback(settings: Settings, version: str | None = None) -> Snapshot:
    """Make an earlier snapshot the current one: the version named, else the newest whole one before the current.

    Raises:
        UnknownSnapshot: if there is no such version, or none before the current.
        DamagedSnapshot: if the version named is damaged; ``CURRENT`` stays where it was.
    """
    if version is not None:
        find(settings, version)
    elif not list_snapshots(settings):
        raise NoSnapshot(f"Nothing is published in {settings.snapshots_dir}. Run `loupan refresh` first.")
    with _publishing(settings):
        if version is not None:
            target = find(settings, version)
            target.verify()
        else:
            target = _newest_whole_before(settings, _read_pointer(settings))
        _point(settings, target)
    return target


def prune(settings: Settings) -> list[str]:
    """Delete the oldest snapshots beyond ``keep_snapshots``, never the current one; return their versions.

    Those that hold words of a person who was erased since go as well.
    """
    if not settings.snapshots_dir.is_dir():
        return []
    with _publishing(settings):
        return _prune(settings)


def _prune(settings: Settings) -> list[str]:
    kept = list_snapshots(settings)
    current_version = _read_pointer(settings)
    surplus = len(kept) - settings.keep_snapshots
    others = [snapshot for snapshot in reversed(kept) if snapshot.version != current_version]
    until = published_until(settings)
    pruned = [
        snapshot
        for place, snapshot in enumerate(others)
        if place < surplus or (until is not None and _loaded_at(snapshot) < until)
    ]
    for snapshot in pruned:
        # Under a hidden name first: a kill half-way through the deletion must not leave half a snapshot in the list.
        doomed = settings.snapshots_dir / f".deleting-{snapshot.version}"
        snapshot.path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return [snapshot.version for snapshot in pruned]


def _loaded_at(snapshot: Snapshot) -> datetime:
    """Return the moment before which the rows of a snapshot were read."""
    try:
        started = moment_of(str(snapshot.report["started_at"]))
    except (DamagedSnapshot, KeyError, ValueError):
        return snapshot.published_at
    return started


def _newest_whole_before(settings: Settings, current_version: str | None) -> Snapshot:
    snapshots = list_snapshots(settings)
    # A pointer that names none of them has none before it: then any will do.
    before = current_version if any(snapshot.version == current_version for snapshot in snapshots) else None
    for snapshot in snapshots:
        if before and snapshot.version >= before:
            continue
        try:
            snapshot.verify()
        except DamagedSnapshot:
            continue
        return snapshot
    raise UnknownSnapshot(
        f"There is no whole snapshot{f' before {before}' if before else ''}. See `loupan snapshots list`, "
        "or run `loupan refresh`."
    )


def _fill_marts(
    settings: Settings, warehouse: Path | duckdb.DuckDBPyConnection, target: Path, difference: Difference | None
) -> tuple[set[str], dict[str, Any]]:
    """Fill the marts file; return the names of its tables, and what the report says of those it was patched from."""
    import duckdb

    if isinstance(warehouse, Path) and not warehouse.is_file():
        raise PublishError(f"There is no warehouse at {warehouse}. Run `loupan refresh`.")
    try:
        if difference and isinstance(warehouse, Path) and (begun := _begin(settings, difference, target)):
            difference, history = begun
            try:
                return patch_marts(warehouse, target, settings.refresh_memory, difference), history
            except duckdb.Error:
                # Its file may be damaged in a way that the sum of its bytes does not tell.
                told = f"Snapshot {difference.base} cannot be patched" if difference.base else "What was begun is lost"
                LOG.warning("%s; the marts are copied", told, exc_info=True)
                target.unlink(missing_ok=True)
        tables = copy_marts(warehouse, target, settings.refresh_memory)
    except NoMartsError as error:
        raise PublishError("The warehouse has no tables in schema marts. Run `loupan refresh --full`.") from error
    return tables, {"patches": 0}


def _begin(settings: Settings, difference: Difference, target: Path) -> tuple[Difference, dict[str, Any]] | None:
    """Put in place the file that is to be patched.

    Returns:
        The difference to it, and what the report says of its history; None if there is none.
    """
    if difference.begun is not None:
        try:
            history = _history(settings, difference.base)
            settings.begun_marts_path.replace(target)
        except (SnapshotError, OSError, KeyError, TypeError) as error:
            LOG.info("What was begun ahead cannot be used: %s", error)
        else:
            return difference, history
    if difference.base and copy_base(settings, difference.base, target):
        return replace(difference, begun=None), _history(settings, difference.base)
    return None


def copy_base(settings: Settings, version: str, target: Path) -> bool:
    """Copy the marts file of a snapshot that the next one may be made of.

    Args:
        settings: where snapshots lie.
        version: of the snapshot.
        target: the new file.

    Returns:
        Whether it is there, whole, and not made of too many pieces; there is no new file if not.
    """
    try:
        base = find(settings, version)
        report = base.report
        if (
            report["patches"] < _MOST_PATCHES
            and base.marts_path.stat().st_size <= _MOST_GROWTH * report["whole_bytes"]
            and copy_with_digest(base.marts_path, target) == report["digest"]
        ):
            return True
    except (SnapshotError, OSError, KeyError, TypeError) as error:
        LOG.info("Snapshot %s cannot be patched (%s); the marts are copied", version, error)
    target.unlink(missing_ok=True)
    return False


def _history(settings: Settings, base: str) -> dict[str, Any]:
    """Return what a report says of the files that a marts file was made of, one after the other."""
    if not base:
        return {"patches": 0}
    report = find(settings, base).report
    return {"patches": report["patches"] + 1, "whole_bytes": report["whole_bytes"]}


def _add_aggregates(
    settings: Settings,
    building: Path,
    warehouse: Path | duckdb.DuckDBPyConnection,
    manifest: dict[str, Any],
    cut: int | None,
    patched: Difference | None,
) -> None:
    """Add to a snapshot that is being built, or ``patched``, the aggregate tables which its manifest declares."""
    import duckdb

    marts = building / MARTS_FILE
    with duckdb.connect(str(marts), config=configuration(marts, settings.refresh_memory)) as connection:
        before = None
        if patched:
            connection.execute("attach ? as before (read_only)", [str(find(settings, patched.base).marts_path)])
            connection.execute("attach ? as warehouse (read_only)", [str(warehouse)])
            before = aggregates.Before.of(patched, "before", "warehouse")
        made = aggregates.make(connection, manifest, cut, before)
    if made is not None:
        (building / AGGREGATES_FILE).write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")


def _cut(report: dict[str, Any]) -> int | None:
    """Return the day of the month on which the data of a report ends, None where it ends with the month."""
    try:
        as_of = moment_of(str(report["as_of"]))
    except (KeyError, ValueError):
        return None
    # An as-of of midnight ends the day before.
    zone = ZoneInfo(str(report.get("time_zone", "UTC")))
    return aggregates.cut_of((as_of - timedelta(seconds=1)).astimezone(zone).date())


def _point_at_snapshot(manifest: dict[str, Any]) -> set[str]:
    """Rewrite every relation of a semantic manifest to the snapshot's file; return the names of the tables it reads."""
    configuration = manifest["project_configuration"]
    tables = set()
    for element in (*manifest["semantic_models"], *configuration.get("time_spines", ())):
        table = element["node_relation"]["alias"]
        element["node_relation"] = {
            "alias": table,
            "schema_name": "main",
            "database": _CATALOGUE,
            "relation_name": f'"{_CATALOGUE}"."main".{identifier(table)}',
        }
        tables.add(table)
    # dbt's older way to name a time spine gives the relation as one text.
    for spine in configuration.get("time_spine_table_configurations", ()):
        table = spine["location"].split(".")[-1].strip('"')
        spine["location"] = f'"{_CATALOGUE}"."main".{identifier(table)}'
        tables.add(table)
    return tables


def _check_metrics(settings: Settings, manifest_json: str) -> None:
    """Refuse metrics that dashboards could not ask for; the same metrics as before cost nothing."""
    from loupan.metrics import check_manifest

    try:
        if current(settings).semantic_manifest_path.read_text(encoding="utf-8") == manifest_json:
            return
    except (SnapshotError, OSError, ValueError):
        # Nothing to compare with.
        pass
    check_manifest(manifest_json)


def _next_version(settings: Settings) -> str:
    """A version later than all kept ones, also when the clock was set back."""
    now = datetime.now(UTC)
    kept = list_snapshots(settings)
    if kept:
        now = max(now, kept[0].published_at + timedelta(microseconds=1))
    return now.strftime(_VERSION_FORMAT)


def _read_pointer(settings: Settings) -> str | None:
    try:
        # A pointer full of rubbish must reach the caller as a version that does not exist: rollback mends it.
        return (settings.snapshots_dir / _POINTER).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        # A folder of that name, for example, which no file can replace.
        pointer = settings.snapshots_dir / _POINTER
        raise DamagedSnapshot(
            f"Cannot read {pointer}: {error}. Remove it, then run `loupan snapshots rollback`."
        ) from error


def _point(settings: Settings, snapshot: Snapshot) -> None:
    """Make ``CURRENT`` name the snapshot: old or new, never half."""
    temporary = settings.snapshots_dir / f".{_POINTER}.new"
    temporary.write_text(f"{snapshot.version}\n", encoding="utf-8")
    _flush(temporary)
    os.replace(temporary, settings.snapshots_dir / _POINTER)
    _flush(settings.snapshots_dir)


@contextmanager
def _publishing(settings: Settings) -> Iterator[None]:
    """Hold the lock of whoever changes the folder; the system frees it when the process dies."""
    from filelock import FileLock

    with FileLock(settings.snapshots_dir / ".publishing.lock"):
        yield


def _remove_unfinished(settings: Settings) -> None:
    """Remove what killed publishers left; only whoever holds the lock may."""
    for path in settings.snapshots_dir.iterdir():
        if path.name.startswith(_UNFINISHED):
            shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, problem: str) -> DamagedSnapshot:
    return DamagedSnapshot(
        f"Cannot read {path}: {problem}. Run `loupan snapshots rollback` to go back to the last whole snapshot, "
        "or `loupan refresh` to publish a new one."
    )
