"""``loupan orchestrate``: a run started in Dagster publishes or is cancelled, and schedules keep what people set."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loupan import dagster_client
from loupan.refresh_state import read_history, read_state
from loupan.schedules import RefreshPlan, RefreshSchedule, read_plan, write_plan
from loupan.settings import Settings
from tests.support.command import Command
from tests.support.dagster import MINUTES, Dagster
from tests.support.installation import AS_OF, LOUPAN, sample_installation

pytestmark = pytest.mark.slow


@contextmanager
def orchestrating(environment: Mapping[str, str], port: int) -> Iterator[Dagster]:
    """Run ``loupan orchestrate`` until its definitions are loaded, and stop it afterwards."""
    process = subprocess.Popen(
        # Whatever runs the tests may ignore Ctrl-C.
        ["env", "--default-signal=INT", str(LOUPAN), "orchestrate", "--port", str(port)],
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Dagster(port)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _kill_a_refresh(data_dir: Path, environment: dict[str, str]) -> None:
    """Leave a run behind that Dagster believes to be running."""
    process = Command(["refresh"], environment)
    state = data_dir / "last_refresh.json"
    before = state.read_bytes()
    deadline = time.monotonic() + MINUTES
    while state.read_bytes() == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(MINUTES)


def test_what_is_run_and_planned_in_dagster_and_the_app_holds_in_both(tmp_path: Path) -> None:
    data_dir = shutil.copytree(sample_installation(), tmp_path / "company")
    before = (data_dir / "snapshots" / "CURRENT").read_text()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOUPAN_")}
    environment["LOUPAN_DATA_DIR"] = str(data_dir)
    environment["LOUPAN_WITHOUT_MODELS"] = "*"
    settings = Settings(data_dir=data_dir, dagster_port=port)
    client = dagster_client.Dagster(settings)
    as_of = {"ops": {"raw_tables": {"config": {"as_of": f"{AS_OF}T16:00:00+00:00"}}}}
    _kill_a_refresh(data_dir, environment)
    with orchestrating(environment, port) as dagster:
        repository = dagster.wait_for_location()
        assert {"refresh", "backup", "care"} <= {job["name"] for job in repository["jobs"]}
        schedules = {schedule["name"]: schedule["scheduleState"]["status"] for schedule in repository["schedules"]}
        ours = {"refresh_daily", "refresh_hourly", "backup_on_schedule", "care_on_schedule"}
        assert ours <= set(schedules)
        assert set(schedules.values()) == {"RUNNING"}
        assert dagster.wait_for_run(dagster.launch(repository, "refresh", as_of)) == "SUCCESS"
        runs = dagster.ask("{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        assert sorted({run["status"] for run in runs}) == ["FAILURE", "SUCCESS"]  # the killed one is not running
        published = (data_dir / "snapshots" / "CURRENT").read_text()
        assert published != before
        assert dagster.freshness() == "HEALTHY"

        _cancel_one(dagster, repository, as_of, settings, environment)
        assert (data_dir / "snapshots" / "CURRENT").read_text() == published
        _change_the_plan(client, settings)
    with pytest.raises(dagster_client.DagsterError, match="does not answer"):
        client.orchestration()
    # It is all remembered.
    with orchestrating(environment, port) as dagster:
        dagster.wait_for_location()
        assert _switched(client) == CHANGED


def _cancel_one(
    dagster: Dagster, repository: Any, as_of: dict[str, Any], settings: Settings, environment: dict[str, str]
) -> None:
    """Cancel a run: it ends, says by whom, and Dagster does not try it again."""
    run_id = dagster.launch(repository, "refresh", as_of)
    _wait_for(lambda: (state := read_state(settings)).refresh_id == run_id and state.outcome == "running")
    done = Command(["refresh", "--cancel", "--started-by", "E00001 Li"], environment)
    out, err = done.communicate(MINUTES)
    assert done.returncode == 0, out + err
    assert dagster.wait_for_run(run_id) == "FAILURE"
    assert read_state(settings).outcome == "cancelled"
    assert read_history(settings)[-1].error == "cancelled by E00001 Li"
    tags = dagster.ask("query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }", id=run_id)[
        "runOrError"
    ]["tags"]
    assert {"key": "dagster/will_retry", "value": "false"} in tags


def _change_the_plan(client: dagster_client.Dagster, settings: Settings) -> None:
    """Switch and plan as the app does: that is what Dagster does from then on."""
    here = client.orchestration()
    assert here.sleeping == ()
    named = {automation.name: automation for automation in here.automations}
    assert named["refresh_daily"].next
    client.switch(here, named["refresh_hourly"], is_on=False)
    client.switch(here, named["refresh_on_change"], is_on=True)
    night = RefreshSchedule(name="night", cron="30 3 * * *", full=True)
    write_plan(settings, RefreshPlan(refreshes=(*read_plan(settings).refreshes, night)))
    client.reload(here)
    assert _switched(client) == CHANGED


CHANGED = {"refresh_daily": True, "refresh_hourly": False, "refresh_night": True, "refresh_on_change": True}


def _switched(client: dagster_client.Dagster) -> dict[str, bool]:
    automations = client.orchestration().automations
    return {automation.name: automation.is_on for automation in automations if automation.name.startswith("refresh_")}


def _wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2 * MINUTES
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_busy_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            # Whatever runs the tests may ignore Ctrl-C.
            ["env", "--default-signal=INT", str(LOUPAN), "orchestrate", "--port", str(port)],
            env=os.environ | {"LOUPAN_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=MINUTES,
            check=False,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
