"""The dbt models as Dagster assets, their data tests as asset checks."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from loupan.i18n import marked
from loupan.lineage import ROWS, Made
from loupan.settings import Settings
from pipelines import dbt_runner, spark
from pipelines.progress import Reporter

# No postponed annotations here: Dagster reads those of the functions inside functions.

OWNERS = ["team:data"]


class Translator(DagsterDbtTranslator):
    """Name, group and describe the assets made of dbt's nodes."""

    def __init__(self, lineage: Mapping[str, Mapping[str, Made]], engine: str) -> None:
        super().__init__()
        self._lineage, self._engine = lineage, engine

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Add owner, group and column lineage to dagster-dbt's own description of a node."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        folders = manifest["nodes"].get(unique_id, {}).get("fqn", [])[1:-1]
        spec = spec.replace_attributes(owners=OWNERS, kinds={"dbt", self._engine}, group_name=_group(folders) or ...)
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
    """Return the multi-asset of all models; materializing it is one ``dbt build``, in this process or on Spark.

    Args:
        settings: where project, warehouse and artifacts lie.
        lineage: the columns each model's columns are made of, by dbt unique id; shown in Dagster's UI.
    """
    manifest = dbt_runner.read_manifest(settings)
    translator = Translator(lineage, settings.engine)

    @dbt_assets(manifest=manifest, name="dbt_models", dagster_dbt_translator=translator)
    def dbt_models(context: dg.AssetExecutionContext, reporter: dg.ResourceParam[Reporter]) -> Iterator[Any]:
        nodes = sum(
            node["resource_type"] in ("model", "test", "seed", "snapshot") for node in manifest["nodes"].values()
        )
        step = reporter.step(marked("Building and testing the marts"), total=nodes)
        build = spark.build if settings.engine == "spark" else dbt_runner.build
        built = build(settings, lambda node: step.advance(detail=node))
        step.finish()
        for event in built.results:
            yield from DbtCoreCliEventMessage(raw_event=dict(event), event_history_metadata={}).to_default_asset_events(
                manifest=manifest, dagster_dbt_translator=translator, context=context
            )
        if built.broken:
            raise dg.Failure("dbt could not build " + "; ".join(built.broken), allow_retries=False)

    return dbt_models
