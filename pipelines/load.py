"""The tables of the CRM and their loaded copies as Dagster assets, the suites on them as asset checks."""

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

import dagster as dg
from pydantic import Field

from loupan.i18n import marked
from loupan.refresh_state import RefreshState, now, read_state, write_state
from loupan.settings import Settings
from pipelines.cancellation import own_process
from pipelines.contract import Contract
from pipelines.errors import SourceUnavailable
from pipelines.gx import import_ahead
from pipelines.ingest import IngestReport, ingest
from pipelines.instance import started_by
from pipelines.progress import Reporter
from pipelines.quality import CheckResult, check_loaded
from pipelines.transform import OWNERS
from pipelines.warehouse_lock import WarehouseLock

# No postponed annotations here: Dagster reads those of the functions inside functions.

EXPECTATIONS = "expectations"


class RefreshConfig(dg.Config):
    """What a refresh can be asked for."""

    full: bool = False  # load all rows again instead of the changed ones
    # tables of which all rows are loaded again, while the others are loaded as ever
    reload: list[str] = Field(default_factory=list)
    as_of: str | None = None  # ISO 8601 moment with offset; the present by default


class LoadAssets(NamedTuple):
    """The tables as they stand in the CRM, and their loaded copies."""

    crm_tables: list[dg.AssetSpec]
    raw: dg.AssetsDefinition


def _key(schema: str, table: str) -> dg.AssetKey:
    return dg.AssetKey([schema, table])


def build_load_assets(settings: Settings, contract: Contract, descriptions: dict[str, str]) -> LoadAssets:
    """Return the assets of the CRM's tables and the multi-asset that loads them, with one check for each table.

    Args:
        settings: where CRM and warehouse lie.
        contract: the tables.
        descriptions: what a row of each table is.
    """
    crm_tables = [
        dg.AssetSpec(
            _key("crm", table.name),
            group_name="crm",
            description=descriptions[table.name],
            owners=OWNERS,
            kinds={"table"},
        )
        for table in contract.tables
    ]
    specs = [
        dg.AssetSpec(
            _key("raw", table.name),
            deps=[_key("crm", table.name)],
            group_name="raw",
            description=f"{descriptions[table.name]} Typed rows that keep every hard rule; others lie in quarantine.",
            owners=OWNERS,
            kinds={"duckdb"},
            metadata={
                "dagster/column_schema": dg.TableSchema([dg.TableColumn(c.name, c.data_type) for c in table.columns]),
                "dagster/column_lineage": dg.TableColumnLineage(
                    {c.name: [dg.TableColumnDep(_key("crm", table.name), c.name)] for c in table.columns}
                ),
            },
        )
        for table in contract.tables
    ]
    # The moment the statistics speak of is loaded beside the tables.
    specs.append(
        dg.AssetSpec(
            _key("raw", "refresh"),
            group_name="raw",
            description="The moment the statistics speak of; one row.",
            owners=OWNERS,
            kinds={"duckdb"},
        )
    )

    @dg.multi_asset(
        name="raw_tables",
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(EXPECTATIONS, asset=_key("raw", table.name), description="The suite of the table.")
            for table in contract.tables
        ],
    )
    def raw_tables(
        context: dg.AssetExecutionContext,
        config: RefreshConfig,
        reporter: dg.ResourceParam[Reporter],
        warehouse_lock: WarehouseLock,
    ) -> Iterator[Any]:
        pid, process_started = own_process()
        state = RefreshState(
            context.run_id,
            now() if context.retry_number == 0 else _started_at(settings, context.run_id),
            full=config.full,
            reloaded=config.reload,
            started_by=started_by(context.run.tags),
            pid=pid,
            process_started=process_started,
        )
        write_state(settings, state)
        as_of = dt.datetime.fromisoformat(config.as_of) if config.as_of else dt.datetime.now(dt.UTC)
        step = reporter.step(marked("Loading the CRM"), total=len(contract.tables))
        try:
            report = ingest(
                contract,
                settings.crm_database_url,
                settings.warehouse_path,
                as_of=as_of,
                full=config.full,
                reload=config.reload,
                overlap_minutes=settings.overlap_minutes,
                patience=settings.source_seconds,
                memory=settings.refresh_memory,
                progress=lambda table: step.advance(detail=table),
                # What was read will be checked.
                reading=import_ahead,
            )
        except SourceUnavailable as error:
            if context.retry_number >= settings.retries:
                raise
            # Twice as long each time: whatever is starting or overloaded is not helped by being asked at once.
            pause = settings.retry_seconds * 2**context.retry_number
            reporter.step(marked("Waiting for the CRM")).advance(detail=f"{error} Next try in {pause} s.")
            raise dg.RetryRequested(max_retries=settings.retries, seconds_to_wait=pause) from error
        step.finish()
        for message in report.messages:
            context.log.warning(message)
        state.messages = report.messages
        write_state(settings, state)
        yield from _materializations(report)
        step = reporter.step(marked("Checking the loaded tables"), total=len(contract.tables))
        for result in check_loaded(contract, settings, report, progress=lambda table: step.advance(detail=table)):
            yield _check_result(result)
        step.finish()

    return LoadAssets(crm_tables, raw_tables)


def _started_at(settings: Settings, refresh_id: str) -> str:
    """Return when a refresh began that tries once more."""
    state = read_state(settings)
    return state.started_at if state is not None and state.refresh_id == refresh_id else now()


def _materializations(report: IngestReport) -> Iterator[dg.MaterializeResult[None]]:
    for name, table in report.tables.items():
        yield dg.MaterializeResult(
            asset_key=_key("raw", name),
            metadata={
                "dagster/row_count": table.accepted,
                "quarantined": table.quarantined,
                "load": str(table.load),
            },
        )
    yield dg.MaterializeResult(asset_key=_key("raw", "refresh"), metadata={"as_of": report.as_of.isoformat()})


def _check_result(result: CheckResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=_key("raw", result.table),
        check_name=EXPECTATIONS,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.blocking else dg.AssetCheckSeverity.WARN,
        description=result.message,
        metadata={"failed": result.failed, **result.observed},
    )
