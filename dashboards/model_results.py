"""What the models found, within the reader's scope, remembered like the figures."""

from __future__ import annotations

import pandas as pd

from dashboards.gateway import Gateway
from dashboards.memory import remembered
from loupan.mining.published import ModelRun, PublishedOutput, published_runs, read_output


@remembered(8)
def model_runs(gateway: Gateway) -> tuple[ModelRun, ...]:
    """Return what became of each model in the snapshot, ours first, by name."""
    return published_runs(gateway.metrics.snapshot)


def model_run(gateway: Gateway, model: str) -> ModelRun | None:
    """Return what became of one model, None where the snapshot knows none of that name."""
    return next((run for run in model_runs(gateway) if run.name == model), None)


@remembered(64)
def rows_of(gateway: Gateway, model: str, output: str) -> pd.DataFrame | None:
    """Return the rows of a model's table that the reader may see; shared, not to be changed.

    None where the table cannot be limited to those, and where the model has no such table.
    """
    run = model_run(gateway, model)
    if run is None or run.output(output) is None:
        return None
    return read_output(gateway.metrics.snapshot, model, output, gateway.scope)


def told(gateway: Gateway, model: str, output: str) -> PublishedOutput | None:
    """Return what is known of a model's table, None where there is none."""
    run = model_run(gateway, model)
    return None if run is None else run.output(output)
