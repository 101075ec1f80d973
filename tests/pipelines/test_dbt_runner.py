"""What dbt knows of the project, as the rest of a refresh reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loupan.settings import Settings
from pipelines import dbt_runner
from pipelines.increment import Increment
from tests.loupan.conftest import MINI_PROJECT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    project = shutil.copytree(MINI_PROJECT, tmp_path / "project")
    return Settings(data_dir=tmp_path / "data", dbt_project_dir=project)  # type: ignore[call-arg]


def parse(settings: Settings) -> dbt_runner.Parsed:
    """Parse as a process does that did not before."""
    dbt_runner.parse.cache_clear()
    return dbt_runner.parse(settings)


def test_artifacts_are_written_when_the_project_changed_and_only_then(settings: Settings) -> None:
    first = parse(settings)
    artifact = dbt_runner.target_path(settings) / "manifest.json"
    written = artifact.stat().st_mtime_ns
    assert parse(settings).artifact == first.artifact
    assert artifact.stat().st_mtime_ns == written

    (settings.dbt_project_dir / "models" / "added.sql").write_text("select 1 as id", encoding="utf-8")
    assert "model.mini.added" in parse(settings).artifact["nodes"]

    artifact.unlink()
    again = parse(settings)
    assert "model.mini.added" in again.artifact["nodes"]
    assert again.semantic_manifest == first.semantic_manifest


@pytest.mark.parametrize("name", ["manifest.json", "semantic_manifest.json"])
def test_half_an_artifact_of_a_killed_process_is_written_again(settings: Settings, name: str) -> None:
    whole = parse(settings)
    artifact = dbt_runner.target_path(settings) / name
    artifact.write_text(artifact.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    again = parse(settings)
    assert again.artifact["nodes"] == whole.artifact["nodes"]
    assert again.semantic_manifest == whole.semantic_manifest


@pytest.mark.parametrize("name", ["partial_parse.msgpack", "manifest.json", "graph_summary.json"])
def test_a_folder_in_the_place_of_what_dbt_remembers_is_cleared_away(settings: Settings, name: str) -> None:
    whole = parse(settings)
    remembered = dbt_runner.target_path(settings) / name
    remembered.unlink(missing_ok=True)
    remembered.mkdir()
    again = parse(settings)
    assert again.artifact["nodes"].keys() == whole.artifact["nodes"].keys()
    assert not remembered.is_dir()


def test_what_dbt_remembers_holds_wherever_the_installation_lies(settings: Settings, tmp_path: Path) -> None:
    parse(settings)
    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    remembered = dbt_runner.target_path(settings) / "partial_parse.msgpack"
    shutil.copytree(dbt_runner.target_path(settings), dbt_runner.target_path(elsewhere))
    copied = dbt_runner.target_path(elsewhere) / remembered.name
    before = copied.stat().st_mtime_ns
    parse(elsewhere)
    # dbt writes it where it has parsed anything.
    assert copied.stat().st_mtime_ns == before


def test_models_that_may_need_more_than_the_memory_are_made_one_at_a_time(settings: Settings) -> None:
    small = settings.model_copy(update={"refresh_megabytes": 256})
    small.data_dir.mkdir()
    with small.warehouse_path.open("wb") as warehouse:
        warehouse.truncate(200 << 20)
        assert dbt_runner.models_at_once(small, None) == 2
        warehouse.truncate(300 << 20)
        assert dbt_runner.models_at_once(small, None) == 1
    # On the next day many are made as a whole.
    assert dbt_runner.models_at_once(small, Increment({}, 1)) == 1
    assert dbt_runner.models_at_once(small, Increment({}, 1, is_within_day=True)) == 2
