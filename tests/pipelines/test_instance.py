"""What Dagster keeps of its runs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from loupan.settings import Settings
from pipelines.dagster_records import set_aside_damaged
from pipelines.instance import forget_old_runs, prepare_home


@dg.asset
def number() -> int:
    return 1


def test_old_runs_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = prepare_home(Settings(data_dir=tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        runs = [dg.materialize([number], instance=instance).run_id for _ in range(4)]
        forget_old_runs(instance, keep=2)
        assert {run.run_id for run in instance.get_runs()} == set(runs[2:])
        files = {path.name for path in (home / "history" / "runs").iterdir()}
        assert {name.partition(".")[0] for name in files} == {"index", *runs[2:]}
        # The assets know their last run, and a further one finds everything in order.
        event = instance.get_latest_materialization_event(dg.AssetKey("number"))
        assert event is not None
        assert event.run_id == runs[3]
        assert dg.materialize([number], instance=instance).success
        forget_old_runs(instance, keep=0)
        assert not list(instance.get_runs())
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([number], instance=instance).success


def test_damaged_records_are_moved_away_and_whole_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    home = prepare_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([number], instance=instance).success
    assert set_aside_damaged(settings) == []
    index = home / "history" / "runs" / "index.db"
    with index.open("r+b") as file:
        file.seek(4096)
        file.write(b"rubbish" * 1000)
    assert set_aside_damaged(settings) == [home / "history.damaged"]
    assert (home / "schedules" / "schedules.db").is_file()
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([number], instance=instance).success
        assert len(instance.get_runs()) == 1
    # A second time, over what was moved away before.
    (home / "history" / "runs.db").write_bytes(b"no database at all" * 999)
    (home / "schedules" / "schedules.db").write_bytes(b"no database at all" * 999)
    assert set_aside_damaged(settings) == [home / "history.damaged", home / "schedules.damaged"]
