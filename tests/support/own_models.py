"""A company's own models, written and run by tests."""

from __future__ import annotations

from collections.abc import Callable

from loupan.mining.published import ModelRun
from loupan.settings import Settings
from pipelines.mining.catalogue import ModelFile
from pipelines.mining.run import run_models


def run_own_models(
    settings: Settings, files: dict[str, str], progress: Callable[[str], None] = lambda name: None
) -> dict[str, ModelRun]:
    """Write the files of models, by name, into the installation's folder, and run them in this order."""
    models = []
    for name, text in files.items():
        path = settings.models_dir / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        models.append(ModelFile(name, path, True))
    return {run.name: run for run in run_models(settings, models, progress)}
