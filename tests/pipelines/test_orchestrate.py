"""``loupan orchestrate``: Dagster's own UI shows the job, and a run started there publishes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command
from tests.support.installation import AS_OF, LOUPAN, sample_installation

pytestmark = pytest.mark.slow

MINUTES = 60


class Dagster:
    """Dagster's GraphQL, as its UI uses it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def wait_for_location(self) -> Any:
        deadline = time.monotonic() + 3 * MINUTES
        while time.monotonic() < deadline:
            try:
                found = self.ask(
                    "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } "
                    "jobs { name } schedules { name scheduleState { status } } } } } }"
                )["repositoriesOrError"]
                if found.get("nodes"):
                    return found["nodes"][0]
            except OSError:
                pass
            time.sleep(1)
        raise AssertionError("Dagster did not load the definitions")

    def run_job(self, repository: Any, job: str, config: dict[str, Any]) -> str:
        selector = {
            "repositoryLocationName": repository["location"]["name"],
            "repositoryName": repository["name"],
            "jobName": job,
        }
        launched = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { runId } } } }",
            p={"selector": selector, "runConfigData": config},
        )["launchRun"]
        run_id = launched["run"]["runId"]
        deadline = time.monotonic() + 5 * MINUTES
        while time.monotonic() < deadline:
            status = self.ask("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
            if status["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return str(status["runOrError"]["status"])
            time.sleep(1)
        raise AssertionError("the run did not end")


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


def test_a_run_started_in_dagster_publishes(tmp_path: Path) -> None:
    data_dir = shutil.copytree(sample_installation(), tmp_path / "company")
    before = (data_dir / "snapshots" / "CURRENT").read_text()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOUPAN_")}
    environment["LOUPAN_DATA_DIR"] = str(data_dir)
    _kill_a_refresh(data_dir, environment)
    process = subprocess.Popen(
        [str(LOUPAN), "orchestrate", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        dagster = Dagster(port)
        repository = dagster.wait_for_location()
        assert {"refresh", "backup", "care"} <= {job["name"] for job in repository["jobs"]}
        schedules = {schedule["name"]: schedule["scheduleState"]["status"] for schedule in repository["schedules"]}
        assert schedules == dict.fromkeys(("refresh_on_schedule", "backup_on_schedule", "care_on_schedule"), "RUNNING")
        as_of = {"ops": {"raw_tables": {"config": {"as_of": f"{AS_OF}T16:00:00+00:00"}}}}
        assert dagster.run_job(repository, "refresh", as_of) == "SUCCESS"
        runs = dagster.ask("{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        assert sorted({run["status"] for run in runs}) == ["FAILURE", "SUCCESS"]  # the killed one is not running
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    assert (data_dir / "snapshots" / "CURRENT").read_text() != before


def test_a_busy_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [str(LOUPAN), "orchestrate", "--port", str(port)],
            env=os.environ | {"LOUPAN_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=MINUTES,
            check=False,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
