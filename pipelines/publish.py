"""Publish the marts, but only if every blocking check of this run was recorded and passed."""

import datetime as dt
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from loupan import snapshot
from loupan.i18n import marked
from loupan.kept_out import forget_refused_rows, keep_refused_rows
from loupan.refresh_state import RefreshState, now, read_state, write_state
from loupan.settings import Settings
from pipelines import dbt_runner, difference, recipe
from pipelines.progress import Reporter
from pipelines.transform import OWNERS
from pipelines.warehouse import WITHOUT_VACUUM, open_warehouse
from pipelines.warehouse_lock import WarehouseLock

# No postponed annotations here: Dagster reads those of the functions inside functions.

LOG = logging.getLogger(__name__)
SNAPSHOT = dg.AssetKey("snapshot")


def failed_checks(
    instance: dg.DagsterInstance, run_id: str, expected: Iterable[dg.AssetCheckKey]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Compare the checks that a run recorded with those that it had to record.

    A check that left no result counts as failed: silence is no proof.

    Returns:
        The failed checks, with what is wrong, and every recorded check as a dictionary for the snapshot's report.
    """
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    recorded: list[dict[str, Any]] = []
    failed = []
    seen = set()
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        evaluation: Any = event.event_specific_data
        seen.add(evaluation.asset_check_key)
        name = check_name(evaluation.asset_check_key)
        blocking = evaluation.severity == dg.AssetCheckSeverity.ERROR
        message = evaluation.description or (
            evaluation.metadata["message"].value if "message" in evaluation.metadata else None
        )
        if not evaluation.passed and blocking:
            failed.append(f"{name} – {message}" if message else name)
        recorded.append({"name": name, "passed": evaluation.passed, "blocking": blocking, "message": message})
    failed += [f"{check_name(key)} (left no result)" for key in sorted(set(expected) - seen, key=check_name)]
    return failed, recorded


def check_name(key: dg.AssetCheckKey) -> str:
    """Name a check as people see it: ``asset/path: check``."""
    return f"{'/'.join(key.asset_key.path)}: {key.name}"


def _loaded(settings: Settings) -> dict[str, Any]:
    """Read from the warehouse what this refresh loaded: as-of, and per table rows, last change and quarantined rows."""
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        refresh = warehouse.execute("select as_of from raw.refresh").fetchone()
        tables = warehouse.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('raw', 'quarantine')"
        ).fetchall()
        counts = {
            (schema, table): warehouse.table(f'"{schema}"."{table}"').count("*").fetchall()[0][0]
            for schema, table in tables
        }
        dated = warehouse.execute(
            "select table_name from duckdb_columns() where schema_name = 'raw' and column_name = 'updated_at'"
        ).fetchall()
        newest = {
            table: warehouse.table(f'"raw"."{table}"').max("updated_at").fetchall()[0][0] for (table,) in sorted(dated)
        }
    return {
        "as_of": None if refresh is None else f"{refresh[0].isoformat(timespec='seconds')}+00:00",
        "rows": {t: n for (s, t), n in sorted(counts.items()) if s == "raw" and t != "refresh"},
        "newest": {
            table: f"{moment.isoformat(timespec='seconds')}+00:00" for table, moment in newest.items() if moment
        },
        "quarantined": {
            t: n for (s, t), n in sorted(counts.items()) if s == "quarantine" and n and t != "quarantine_row"
        },
    }


def _note_loaded(settings: Settings, state: RefreshState) -> dict[str, Any]:
    loaded = _loaded(settings)
    state.as_of = loaded["as_of"]
    state.rows, state.quarantined = loaded["rows"], loaded["quarantined"]
    return loaded


def record_refusal(settings: Settings, state: RefreshState, failed: list[str]) -> None:
    """Write down that a refresh loaded its rows but is not published, because the checks ``failed``."""
    _note_loaded(settings, state)
    state.outcome, state.failed_checks, state.finished_at = "refused", failed, now()
    write_state(settings, state)
    try:
        with duckdb.connect(str(settings.warehouse_path)) as warehouse:
            warehouse.execute(WITHOUT_VACUUM)
            keep_refused_rows(settings, warehouse)
        settings.begun_marts_path.unlink(missing_ok=True)
    except (OSError, duckdb.Error):
        # What became of the refresh is known; that its rows cannot be listed must not hide it.
        LOG.exception("The rows that the refused refresh kept out could not be kept for the page Quarantine")


def publish_marts(settings: Settings, semantic_manifest: Path, report: dict[str, Any]) -> snapshot.Snapshot:
    """Publish the marts of the warehouse, of which only what changed is written where that is known.

    Args:
        settings: where warehouse and snapshots lie.
        semantic_manifest: the semantic manifest that dbt wrote for this warehouse.
        report: as `loupan.snapshot.publish` takes it.

    Raises:
        SnapshotError: if nothing was published.
    """
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as warehouse:
        differing = difference.read(warehouse)
    new = snapshot.publish(settings, settings.warehouse_path, semantic_manifest, report, differing)
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as warehouse:
        difference.note_published(warehouse, new.version)
    return new


def build_snapshot_asset(
    settings: Settings, marts: Iterable[dg.AssetKey], blocking_checks: Iterable[dg.AssetCheckKey]
) -> dg.AssetsDefinition:
    """Return the asset of the published snapshot, downstream of all ``marts``."""
    expected = frozenset(blocking_checks)

    @dg.asset(
        key=SNAPSHOT,
        deps=sorted(marts),
        group_name="publish",
        owners=OWNERS,
        kinds={"duckdb"},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=settings.fresh_hours)),
        description="The versioned copy of the marts that dashboards read. Made only if every check of the run passed.",
    )
    def published(
        context: dg.AssetExecutionContext, reporter: dg.ResourceParam[Reporter], warehouse_lock: WarehouseLock
    ) -> dg.MaterializeResult[None]:
        step = reporter.step(marked("Publishing"))
        failed, recorded = failed_checks(context.instance, context.run_id, expected)
        state = read_state(settings)
        if state is None or state.refresh_id != context.run_id:
            raise dg.Failure(
                "The state of this refresh is lost; run `loupan refresh` again. The snapshot alone cannot be made: "
                "only a whole refresh knows what it checked.",
                allow_retries=False,
            )
        loaded = _note_loaded(settings, state)
        if failed:
            record_refusal(settings, state, failed)
            raise dg.Failure(
                f"Not published, {len(failed)} checks failed: {'; '.join(failed)}. Dashboards stay as they were.",
                allow_retries=False,
            )
        report = {
            "refresh_id": context.run_id,
            "started_at": state.started_at,
            "time_zone": settings.time_zone,
            "currency": settings.currency,
            "recipe": recipe.of_snapshot(settings),
            **loaded,
            "checks": recorded,
        }
        # A file of one name: what a killed refresh leaves is written over by the next.
        semantic_manifest = dbt_runner.target_path(settings) / "published_semantic_manifest.json"
        semantic_manifest.write_text(dbt_runner.parse(settings).semantic_manifest, encoding="utf-8")
        new = publish_marts(settings, semantic_manifest, report)
        forget_refused_rows(settings)
        step.finish()
        state.outcome, state.version, state.finished_at = "published", new.version, now()
        write_state(settings, state)
        return dg.MaterializeResult(
            metadata={"version": new.version, "as_of": loaded["as_of"], "bytes": new.size, "checks": len(recorded)}
        )

    return published
