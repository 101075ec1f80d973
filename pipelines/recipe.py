"""What decides, besides the rows and the as-of, on what models hold and on what is published."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from loupan.project import fingerprint
from loupan.settings import Settings

# The settings that decide on what is published.
_DECIDING = (
    "time_zone", "currency", "quarantine_threshold", "engine", "model_seconds", "model_megabytes", "without_models",
)  # fmt: skip


def of_models(settings: Settings) -> str:
    """Return a text that differs where dbt project, program or time zone would give the dbt models other rows."""
    return _digest([fingerprint(settings.dbt_project_dir), _program(), settings.time_zone])


def of_snapshot(settings: Settings) -> str:
    """Return a text that differs where project, program, own models or settings would publish something else."""
    own = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(settings.models_dir.glob("*.py"))]
    chosen = [str(getattr(settings, name)) for name in _DECIDING]
    return _digest([fingerprint(settings.dbt_project_dir), _program(), chosen, own])


@cache
def _program() -> str:
    """Return a text that differs where the code of the pipelines or of the statistics differs."""
    summed = hashlib.sha256()
    pipelines = Path(__file__).parent
    for path in sorted([*pipelines.rglob("*.py"), *(pipelines.parent / "loupan").rglob("*.py")]):
        summed.update(path.read_bytes())
    return summed.hexdigest()


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
