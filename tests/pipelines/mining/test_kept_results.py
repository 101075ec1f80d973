"""What a model that runs once a day has found serves for the day, and no longer than it may."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from loupan.mining.published import FAILED, OK, ModelRun
from loupan.settings import Settings
from pipelines.mining.catalogue import ModelFile
from pipelines.mining.run import run_models
from tests.pipelines.mining.test_run import COUNT, as_of, settings, stored  # noqa: F401 - a fixture

DAILY = COUNT.replace("CARD =", "ONCE_A_DAY = True\nCARD =", 1)
MORNING, NOON, NEXT_MORNING = "2026-06-30 00:30", "2026-06-30 04:00", "2026-07-01 00:30"


@pytest.fixture
def models(settings: Settings) -> list[ModelFile]:  # noqa: F811
    found = []
    for name, text in {"daily": DAILY, "each": COUNT, "fails": DAILY.replace("return", "return 1 / 0 #")}.items():
        path = settings.models_dir / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        found.append(ModelFile(name, path, True))
    return found


def refresh(
    settings: Settings,  # noqa: F811
    models: list[ModelFile],
    moment: str,
    leads: int,
    *,
    anew: bool = False,
) -> dict[str, ModelRun]:
    """Run the models on so many leads; return what became of each."""
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        as_of(warehouse, moment)
        warehouse.execute(
            "create or replace table marts.fct_lead as select 'Bay' as project, range as lead_id from range(?)", [leads]
        )
    return {run.name: run for run in run_models(settings, models, lambda name: None, anew=anew)}


def counted(settings: Settings, model: str) -> int:  # noqa: F811
    return stored(settings, f"select leads from mining.model__{model}__leads")[0][0]


def test_a_day_s_results_stay_for_the_day(settings: Settings, models: list[ModelFile]) -> None:  # noqa: F811
    first = refresh(settings, models, MORNING, 1)
    assert {name: run.status for name, run in first.items()} == {"daily": OK, "each": OK, "fails": FAILED}

    again = refresh(settings, models, NOON, 2)
    assert (counted(settings, "daily"), counted(settings, "each")) == (1, 2)
    assert again["daily"] == first["daily"]
    assert again["daily"].made_as_of == "2026-06-30T00:30:00+00:00"
    assert again["each"].made_as_of == "2026-06-30T04:00:00+00:00"
    # What failed is tried again.
    assert again["fails"] is not first["fails"]
    assert stored(settings, "select name from mining.model_run order by name") == [("daily",), ("each",), ("fails",)]

    refresh(settings, models, NEXT_MORNING, 3)
    assert counted(settings, "daily") == 3


def test_a_full_refresh_and_an_earlier_moment_run_it_again(settings: Settings, models: list[ModelFile]) -> None:  # noqa: F811
    refresh(settings, models, NOON, 1)
    refresh(settings, models, NOON, 2, anew=True)
    assert counted(settings, "daily") == 2
    refresh(settings, models, MORNING, 3)
    assert counted(settings, "daily") == 3


def test_another_file_or_setting_runs_it_again(settings: Settings, models: list[ModelFile]) -> None:  # noqa: F811
    refresh(settings, models, MORNING, 1)
    models[0].path.write_text(DAILY.replace("count(*)", "10 * count(*)"), encoding="utf-8")
    refresh(settings, models, NOON, 2)
    assert counted(settings, "daily") == 20
    refresh(settings.model_copy(update={"quarantine_threshold": 0.5}), models, NOON, 3)
    assert counted(settings, "daily") == 30


def test_models_that_were_cut_short_leave_nothing_to_keep(
    settings: Settings,  # noqa: F811
    models: list[ModelFile],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refresh(settings, models, MORNING, 1)
    with monkeypatch.context() as killing:
        killing.setattr("pipelines.mining.run._run_and_store", _killed)
        with pytest.raises(KeyboardInterrupt):
            refresh(settings, models, NOON, 2)
    refresh(settings, models, NOON, 3)
    assert counted(settings, "daily") == 3


def _killed(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_model_of_ours_runs_once_a_day_only_where_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    for text, expected in (
        ("ONCE_A_DAY = True", True),
        ("ONCE_A_DAY = 1", False),
        ("ONCE_A_DAY = f()", False),
        ("", False),
    ):
        path.write_text(text, encoding="utf-8")
        assert ModelFile("model", path, True).runs_once_a_day() is expected
