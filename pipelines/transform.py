"""The dbt models as Dagster assets, their data tests as asset checks."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from google.protobuf.json_format import MessageToDict

from loupan.i18n import marked
from loupan.lineage import ROWS, Made
from loupan.settings import Settings
from pipelines import dbt_runner
from pipelines.progress import Reporter

# No postponed annotations here: Dagster reads those of the functions inside functions.

OWNERS = ["team:data"]


class Translator(DagsterDbtTranslator):
    """Name, group and describe the assets made of dbt's nodes."""

    def __init__(self, lineage: Mapping[str, Mapping[str, Made]]) -> None:
        super().__init__()
        self._lineage = lineage

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Add owner, group and column lineage to dagster-dbt's own description of a node."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        folders = manifest["nodes"].get(unique_id, {}).get("fqn", [])[1:-1]
        spec = spec.replace_attributes(owners=OWNERS, kinds={"dbt", "duckdb"}, group_name=_group(folders) or ...)
        lineage = self._lineage.get(unique_id)
        if lineage:
            dependencies = {
                column: [dg.TableColumnDep(dg.AssetKey(source.split("/")), name) for source, name in made.values]
                for column, made in lineage.items()
                if column != ROWS
            }
            spec = spec.merge_attributes(metadata={"dagster/column_lineage": dg.TableColumnLineage(dependencies)})
        return spec


def _group(folders: list[str]) -> str | None:
    """Name the group of a model after its layer, marts also after their area; None for what is no model."""
    return "_".join(folders[:2] if folders[0] == "marts" else folders[:1]) if folders else None


def build_dbt_assets(settings: Settings, lineage: Mapping[str, Mapping[str, Made]]) -> dg.AssetsDefinition:
    """Return the multi-asset of all models; materializing it is one ``dbt build`` in this process.

    Args:
        settings: where project, warehouse and artifacts lie.
        lineage: the columns each model's columns are made of, by dbt unique id; shown in Dagster's UI.
    """
    manifest = dbt_runner.read_manifest(settings)
    translator = Translator(lineage)

    @dbt_assets(manifest=manifest, name="dbt_models", dagster_dbt_translator=translator)
    def dbt_models(context: dg.AssetExecutionContext, reporter: dg.ResourceParam[Reporter]) -> Iterator[Any]:
        events: list[dict[str, Any]] = []
        nodes = sum(
            node["resource_type"] in ("model", "test", "seed", "snapshot") for node in manifest["nodes"].values()
        )
        step = reporter.step(marked("Building and testing the marts"), total=nodes)

        def on_event(message: Any) -> None:
            if message.info.name in ("LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"):
                events.append(MessageToDict(message, preserving_proto_field_name=True))
            elif message.info.name == "NodeFinished":
                step.advance(detail=message.data.node_info.node_name)

        results = dbt_runner.build(settings, on_event)
        step.finish()
        for event in events:
            yield from DbtCoreCliEventMessage(raw_event=event, event_history_metadata={}).to_default_asset_events(
                manifest=manifest, dagster_dbt_translator=translator, context=context
            )
        broken = [result for result in results.results if result.status == "error"]
        if broken:
            raise dg.Failure(
                "dbt could not build " + "; ".join(f"{r.node.name}: {(r.message or '').strip()}" for r in broken),
                allow_retries=False,
            )

    return dbt_models
