"""Data that was published before the program was upgraded is shown, with clear words for what it lacks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.seat import stand_in
from data_entry.access import SYSTEM
from loupan.project import fingerprint
from loupan.settings import get_settings
from loupan.snapshot import current
from tests.dashboards import page_script
from tests.support.installation import sample_installation
from tests.support.pages import run_page

pytestmark = pytest.mark.slow

LACKING = "course_outcome"
VERSION = "20260101T000000000000Z"
BANNER = "The program was upgraded after this data was published"
NOT_YET = "The published data does not hold this yet. It appears with the next refresh."


def _without(value: object, name: str) -> object:
    """Return a manifest as it was before a dimension was added."""
    if isinstance(value, list):
        return [_without(part, name) for part in value if not (isinstance(part, dict) and part.get("name") == name)]
    return {key: _without(part, name) for key, part in value.items()} if isinstance(value, dict) else value


@pytest.fixture
def earlier(tmp_path: Path, use: Callable[[Path], None]) -> Path:
    """A published company whose snapshot an earlier version made: without a dimension, and without a mark of it."""
    folder = shutil.copytree(sample_installation(), tmp_path / "company")
    # Under a version of its own: what other tests drew of the sample's is kept by version.
    pointer = folder / "snapshots" / "CURRENT"
    (folder / "snapshots" / pointer.read_text("utf-8").strip()).rename(folder / "snapshots" / VERSION)
    pointer.write_text(VERSION, "utf-8")
    use(folder)
    snapshot = current(get_settings())
    manifest = snapshot.semantic_manifest_path
    manifest.write_text(json.dumps(_without(json.loads(manifest.read_text("utf-8")), LACKING)), "utf-8")
    report = json.loads((snapshot.path / "report.json").read_text("utf-8"))
    del report["project"]
    report["files"]["semantic_manifest.json"] = manifest.stat().st_size
    (snapshot.path / "report.json").write_text(json.dumps(report), "utf-8")
    return folder


def _page(path: str) -> AppTest:
    run = AppTest.from_file(page_script.__file__, default_timeout=120)
    run.query_params["page"], run.query_params["lang"] = path, "en"
    with stand_in(SYSTEM):
        run.run()
    assert not run.exception
    return run


def test_data_of_this_program_bears_no_word_of_it(use: Callable[[Path], None]) -> None:
    use(sample_installation())
    assert current(get_settings()).report["project"] == fingerprint(get_settings().dbt_project_dir)
    assert not run_page(lang="en").info


def test_what_it_lacks_appears_with_the_next_refresh(earlier: Path) -> None:
    assert any(BANNER in info.value for info in run_page(lang="en").info)
    page = _page("conversion")
    assert {info.value for info in page.info} == {NOT_YET}
    assert not page.error
    assert page.get("plotly_chart")  # what it has is drawn


def test_a_changed_project_has_another_fingerprint(tmp_path: Path) -> None:
    project = shutil.copytree(get_settings().dbt_project_dir, tmp_path / "project")
    fingerprint.cache_clear()
    same = fingerprint(project)
    assert same == fingerprint(get_settings().dbt_project_dir)
    (project / "README.txt").write_text("not of the marts")
    fingerprint.cache_clear()
    assert fingerprint(project) == same
    with (project / "dbt_project.yml").open("a") as file:
        file.write("\n")
    fingerprint.cache_clear()
    assert fingerprint(project) != same
