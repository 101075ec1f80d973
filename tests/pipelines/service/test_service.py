"""The real service: four programs come up, are started again when they are killed, and leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from loupan.settings import Settings
from pipelines.service import control
from pipelines.service.place import place_of
from pipelines.service.programs import PROGRAMS
from pipelines.service.supervision import strays
from tests.support.dagster import MINUTES, Dagster
from tests.support.installation import LOUPAN, sample_installation

pytestmark = pytest.mark.slow


def _wait(condition: Callable[[], Any], what: str, seconds: float = 3 * MINUTES) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (OSError, control.ServiceError):
            found = None
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come about in {seconds:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@dataclass
class Service:
    settings: Settings
    port: int
    dagster_port: int
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
        return own | {"LOUPAN_DATA_DIR": str(self.settings.data_dir), "LOUPAN_WITHOUT_MODELS": "*"}

    def loupan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(LOUPAN), *arguments], env=self.environment, capture_output=True, text=True, timeout=200, check=False
        )

    def start(self) -> None:
        ports = ["--port", str(self.port), "--dagster-port", str(self.dagster_port)]
        self.process = subprocess.Popen(
            [str(LOUPAN), "service", "start", *ports], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        _wait(self.is_up, "the service")

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
        return (
            [state.state for state in control.states(self.settings)] == ["RUNNING"] * len(PROGRAMS)
            and _get(self.port, "/healthz")[0] == 200
            and _get(self.dagster_port, "/server_info")[0] == 200
        )

    def pids(self) -> dict[str, int]:
        return {state.name: state.pid for state in control.states(self.settings) if state.pid}

    def log(self, program: str) -> list[dict[str, Any]]:
        lines = (place_of(self.settings).logs / f"{program}.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    data_dir = shutil.copytree(sample_installation(), tmp_path / "company")
    service = Service(Settings(data_dir=data_dir), _free_port(), _free_port())
    yield service
    if service.process is not None and service.process.poll() is None:
        service.process.kill()
    for left in strays(place_of(service.settings)):
        left.kill()


def test_a_service_lives_through_kills_and_stops_in_order(service: Service) -> None:
    service.start()
    dagster = Dagster(service.dagster_port)
    repository = dagster.wait_for_location()
    assert {schedule["scheduleState"]["status"] for schedule in repository["schedules"]} == {"RUNNING"}
    status, told = _get(service.port, "/readyz")
    assert (status, json.loads(told)["ready"]) == (200, True)
    assert control.readiness(service.settings) == {}
    # Nobody else gets in: neither a second service, nor Dagster for development, nor one whose ports are taken.
    for command in (["service", "start", "--port", str(_free_port())], ["orchestrate", "--port", str(_free_port())]):
        refused = service.loupan(*command)
        assert (refused.returncode, "runs on" in refused.stderr) == (1, True)
    # A program that is killed comes back, the others stay.
    before = service.pids()
    os.kill(before["web"], signal.SIGKILL)
    _wait(lambda: service.pids().get("web", before["web"]) != before["web"] and service.is_up(), "the web app")
    assert {name: pid for name, pid in service.pids().items() if name != "web"} == {
        name: pid for name, pid in before.items() if name != "web"
    }
    # A schedule that was stopped stays so when supervisor itself is killed, and all of it is started again.
    stop = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
    names = {schedule["name"]: schedule for schedule in _schedules(dagster)}
    dagster.ask(stop, id=names["care_on_schedule"]["id"])
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    service.start()
    assert service.log("supervisor")
    dagster.wait_for_location()
    states = {schedule["name"]: schedule["scheduleState"]["status"] for schedule in _schedules(dagster)}
    assert states == dict.fromkeys(states, "RUNNING") | {"care_on_schedule": "STOPPED"}
    assert len(strays(place_of(service.settings))) >= len(PROGRAMS)
    # What SIGTERM asks for is done in order, and leaves nothing.
    tree = psutil.Process(service.process.pid).children(recursive=True)
    service.process.terminate()
    assert service.process.wait(timeout=2 * MINUTES) == 0
    assert not strays(place_of(service.settings))
    assert not psutil.wait_procs(tree, timeout=5)[1]
    stopped = [line["event"].split()[1] for line in service.log("supervisor") if line["event"].startswith("stopped: ")]
    assert stopped[-4:] == ["web", "dagster", "daemon", "code"]
    assert not list(place_of(service.settings).sockets.glob("*.sock*"))
    assert service.loupan("service", "status").returncode == 3


def _schedules(dagster: Dagster) -> list[dict[str, Any]]:
    query = (
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules { name "
        "scheduleState { id status } } } } } }"
    )
    (repository,) = dagster.ask(query)["repositoriesOrError"]["nodes"]
    return [{**schedule, "id": schedule["scheduleState"]["id"]} for schedule in repository["schedules"]]
