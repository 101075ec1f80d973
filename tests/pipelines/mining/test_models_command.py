"""``loupan models``: what became of the models, and a file tried on what is published."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from loupan.cli import app
from loupan.errors import LoupanError
from loupan.settings import get_settings
from tests.pipelines.test_refresh import documented_model
from tests.support.installation import sample_installation

pytestmark = pytest.mark.slow


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.fixture(autouse=True)
def _sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(sample_installation()))
    get_settings.cache_clear()


def test_the_worked_example_of_the_documentation_runs(tmp_path: Path) -> None:
    file = tmp_path / "visits_per_lead.py"
    file.write_text(documented_model(), encoding="utf-8")
    out = ask("run", str(file), "--format", "csv")
    assert "by_project: 3 rows" in out
    assert "project,leads,visits_per_lead" in out


def test_the_file_to_begin_with_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOUPAN_MODEL_DIR", str(tmp_path))
    get_settings.cache_clear()
    out = ask("new", "my_model")
    assert str(tmp_path / "my_model.py") in out
    assert "by_project: 3 rows" in ask("run", str(tmp_path / "my_model.py"))
    with pytest.raises(LoupanError, match="is there already"):
        ask("new", "my_model")
    with pytest.raises(LoupanError, match="is no name for a model"):
        ask("new", "../evil")


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("1 / 0", encoding="utf-8")
    with pytest.raises(LoupanError, match="has no READS"):
        ask("run", str(file))
    with pytest.raises(LoupanError, match="There is no file"):
        ask("run", str(tmp_path / "nothing.py"))


def test_all_models_are_listed_with_what_became_of_them() -> None:
    assert "attribution_spread" in ask("list", "--format", "csv")
