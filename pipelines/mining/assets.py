"""The models as Dagster assets. One that fails is told of, and holds nothing up."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg

from loupan.i18n import marked
from loupan.mining.published import ABSTAINED, FAILED
from loupan.refresh_state import read_state
from loupan.settings import Settings
from pipelines.mining.catalogue import ModelFile, UnusableModel, model_files
from pipelines.mining.run import run_models
from pipelines.progress import Reporter
from pipelines.transform import OWNERS

# No postponed annotations here: Dagster reads those of the functions inside functions.

GROUP = "models"
RUNS = dg.AssetKey(["model", "runs"])
"""What became of all models; exists after every refresh, whatever happened to each."""
_RAN = "ran"


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["model", name])


def _dependencies(model: ModelFile, marts: Iterable[dg.AssetKey]) -> list[dg.AssetKey]:
    """Return the marts a model reads; none where its file does not say."""
    try:
        reads = set(model.reads())
    except UnusableModel:
        return []
    return [key for key in sorted(marts) if key.path[-1] in reads]


def build_model_assets(settings: Settings, marts: Iterable[dg.AssetKey]) -> dg.AssetsDefinition:
    """Return the multi-asset of all models, downstream of the marts they read.

    Args:
        settings: where everything lies.
        marts: the assets of the dbt models.
    """
    models, marts = model_files(settings), list(marts)
    specs = [
        dg.AssetSpec(
            _key(model.name),
            deps=_dependencies(model, marts),
            group_name=GROUP,
            owners=OWNERS,
            kinds={"python"},
            # A model that fails or abstains has no new result; what comes after must not wait for one.
            skippable=True,
            description=f"Results of the model in {model.path.name}.",
        )
        for model in models
    ]
    runs = dg.AssetSpec(
        RUNS, deps=marts, group_name=GROUP, owners=OWNERS, kinds={"duckdb"}, description="What became of each model."
    )

    @dg.multi_asset(
        name="run_models",
        specs=[*specs, runs],
        check_specs=[
            dg.AssetCheckSpec(_RAN, asset=_key(model.name), blocking=False, description="The model ran to its end.")
            for model in models
        ],
    )
    def models_of_refresh(context: dg.AssetExecutionContext, reporter: dg.ResourceParam[Reporter]) -> Iterator[Any]:
        step = reporter.step(marked("Running the models"), total=len(models))
        state = read_state(settings)
        # Who asks for a full refresh trusts nothing that is there.
        anew = state is None or state.full
        ended = run_models(settings, models, lambda name: step.advance(detail=name), anew=anew)
        step.finish()
        for run in ended:
            if run.status != FAILED:
                metadata: dict[str, Any] = {
                    "status": run.status,
                    "seconds": run.seconds,
                    "rows": sum(o.rows for o in run.outputs),
                }
                if run.status == ABSTAINED:
                    metadata["reason"] = run.said()
                yield dg.MaterializeResult(asset_key=_key(run.name), metadata=metadata)
            else:
                context.log.warning(f"Model {run.name} failed: {run.message}")
            yield dg.AssetCheckResult(
                asset_key=_key(run.name),
                check_name=_RAN,
                passed=run.status != FAILED,
                severity=dg.AssetCheckSeverity.WARN,
                description=run.message if run.status == FAILED else None,
            )
        yield dg.MaterializeResult(asset_key=RUNS, metadata={run.name: run.status for run in ended})

    return models_of_refresh
