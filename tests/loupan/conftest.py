"""A tiny project of literal rows, built by dbt once per session: every shape of metric that the gateway knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loupan.metrics import Metrics
from loupan.settings import Settings, get_settings
from loupan.snapshot import publish

MINI_PROJECT = Path(__file__).parent / "mini_project"
HOSTILE_NAME = """O'Brien "Tower" {{ 1/0 }}; drop table dim_project; -- 滨江 🏠"""


@dataclass(frozen=True)
class Built:
    """A warehouse with marts, and its semantic manifest."""

    warehouse_path: Path
    semantic_manifest_path: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads(self.semantic_manifest_path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("mini")
    project = shutil.copytree(MINI_PROJECT, folder / "project")
    built = Built(folder / "warehouse.duckdb", project / "target" / "semantic_manifest.json")
    subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--quiet", "build", "--profiles-dir", "."],
        cwd=project,
        env={**os.environ, "LOUPAN_WAREHOUSE_PATH": str(built.warehouse_path)},
        check=True,
    )
    return built


@pytest.fixture
def settings() -> Settings:
    return get_settings()


@pytest.fixture(scope="session")
def metrics(mini: Built, tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    """The gateway to one snapshot that no test changes."""
    shared = Settings(data_dir=tmp_path_factory.mktemp("published"))
    return Metrics(publish(shared, mini.warehouse_path, mini.semantic_manifest_path, {"as_of": "2026-03-31T00:00:00Z"}))


@pytest.fixture
def open_with(mini: Built, settings: Settings, tmp_path: Path) -> Callable[..., Metrics]:
    """Publish the mini project with its manifest changed by a function, and open it."""

    def open_changed(change: Callable[[dict[str, Any]], None]) -> Metrics:
        manifest = mini.manifest
        change(manifest)
        path = tmp_path / "changed_manifest.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        return Metrics(publish(settings, mini.warehouse_path, path, {}))

    return open_changed
