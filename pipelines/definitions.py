"""The one place where assets, checks, job, schedules and resources meet."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from loupan import logs
from loupan.lineage import Made
from loupan.settings import Settings, get_settings
from loupan.supervised import is_supervised
from pipelines import dbt_runner
from pipelines.alerts import build_alerts_sensor
from pipelines.contract import read_contract
from pipelines.crm_jobs import BACKUP, CARE, DRILL, REPORT
from pipelines.documentation import build_documentation_asset
from pipelines.failures import build_failure_hook
from pipelines.instance import LAUNCHED, RETRY_WHOLE, WAREHOUSE_TAG
from pipelines.lineage import column_lineage
from pipelines.load import build_load_assets
from pipelines.mining.assets import RUNS, build_model_assets
from pipelines.progress import LogReporter, RecordedReporter, Reporter
from pipelines.publish import build_snapshot_asset
from pipelines.run_log import log_runs_like_everything
from pipelines.schedules import build_schedules
from pipelines.source_sensor import build_source_sensor
from pipelines.transform import build_dbt_assets
from pipelines.warehouse_lock import WarehouseLock

REFRESH = "refresh"


def build_definitions(
    settings: Settings, reporter: Reporter, lineage: Mapping[str, Mapping[str, Made]] | None = None
) -> dg.Definitions:
    """Return all of Loupan's Dagster definitions.

    Args:
        settings: where everything lies.
        reporter: where a refresh shows its progress.
        lineage: column lineage by dbt unique id, for Dagster's UI.
    """
    manifest = dbt_runner.read_manifest(settings)
    contract = read_contract(manifest)
    load = build_load_assets(
        settings,
        contract,
        {source["name"]: source["description"] for source in manifest["sources"].values()},
    )
    models = build_dbt_assets(settings, lineage or {})
    mining = build_model_assets(settings, models.keys)
    snapshot = build_snapshot_asset(settings, [*models.keys, RUNS], [*load.raw.check_keys, *models.check_keys])
    documentation = build_documentation_asset(settings)
    job = dg.define_asset_job(
        REFRESH,
        selection=dg.AssetSelection.assets(
            *load.raw.keys, *models.keys, *mining.keys, *snapshot.keys, *documentation.keys
        ),
        description="Load the CRM, build and check the marts, publish them.",
        tags={WAREHOUSE_TAG: LAUNCHED} | RETRY_WHOLE,
        hooks={build_failure_hook(settings)},
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        assets=[*load.crm_tables, load.raw, models, mining, snapshot, documentation],
        jobs=[job, BACKUP, CARE, DRILL, REPORT],
        schedules=build_schedules(job, settings),
        sensors=[build_source_sensor(job, contract, settings), build_alerts_sensor(settings)],
        resources={
            "reporter": RecordedReporter(settings, reporter),
            "warehouse_lock": WarehouseLock(data_dir=str(settings.data_dir)),
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of the installation that the settings name; loaded by Dagster's own servers."""
    settings = get_settings()
    if is_supervised():
        logs.to_stream(settings, program="code")
        log_runs_like_everything()
    return build_definitions(settings, LogReporter(), column_lineage(settings))
