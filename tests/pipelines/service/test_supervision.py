"""What the supervisor does with programs that die, hang, or leave others behind; small ones stand for the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from loupan.settings import Settings
from pipelines.service import control
from pipelines.service.place import Place, ServiceError, place_of, running_pid
from pipelines.service.supervision import end_strays, strays

LIVES = "import time; time.sleep(600)"
HANGS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
DIES = "raise SystemExit(1)"
# Ends when it is told to, and leaves a child in a session of its own that does not.
LEAVES = (
    "import subprocess, sys, time; "
    f"subprocess.Popen([sys.executable, '-c', {HANGS!r}], start_new_session=True); print('left', flush=True); "
    "time.sleep(600)"
)


class Stub:
    def __init__(self, data_dir: Path, programs: dict[str, str]) -> None:
        self.settings = Settings(data_dir=data_dir)
        arguments = [part for name, text in programs.items() for part in (name, text)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.service.stub_service", *arguments],
            env=os.environ | {"LOUPAN_DATA_DIR": str(data_dir)},
            cwd=Path(__file__).parents[3],
            start_new_session=True,
        )

    @property
    def place(self) -> Place:
        return place_of(self.settings)

    def wait(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (ServiceError, OSError):
                pass
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def states(self) -> dict[str, str]:
        return {state.name: state.state for state in control.states(self.settings)}

    def said(self, program: str) -> str:
        return (self.place.logs / f"{program}.log").read_text()

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.said("supervisor").splitlines()]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Stub]]:
    started: list[Stub] = []

    def run(**programs: str) -> Stub:
        started.append(Stub(tmp_path / "var", programs))
        return started[-1]

    yield run
    for stub in started:
        stub.process.kill()
        stub.process.wait()
        for left in strays(stub.place):
            left.kill()


def test_a_second_signal_kills_what_does_not_listen(start: Callable[..., Stub]) -> None:
    stub = start(web=HANGS, code=LIVES)
    stub.wait(lambda: stub.states() == {"web": "RUNNING", "code": "RUNNING"} and "deaf" in stub.said("web"))
    stub.process.terminate()
    stub.wait(lambda: any(event.startswith("stopped: code") for event in stub.events()))
    with pytest.raises(ServiceError, match="is stopping"):
        stub.states()
    assert stub.process.poll() is None  # it would wait for a minute
    stub.process.terminate()
    assert stub.process.wait(timeout=20) == 0
    assert "killing web" in stub.events()
    assert not strays(stub.place)


def test_a_program_that_does_not_start_is_tried_again_ever_more_seldom(start: Callable[..., Stub]) -> None:
    stub = start(web=DIES, code=LIVES)
    stub.wait(lambda: sum(event.startswith("spawned: 'web'") for event in stub.events()) >= 3)
    (web,) = (state for state in control.states(stub.settings) if state.name == "web")
    assert web.state in ("BACKOFF", "STARTING")
    assert stub.states()["code"] == "RUNNING"
    lines = [json.loads(line) for line in stub.said("supervisor").splitlines()]
    assert sum("exited: web" in line["event"] for line in lines) >= 2
    assert {"level", "timestamp", "program", "event"} <= lines[0].keys()


def test_what_a_program_leaves_behind_ends_with_the_service(start: Callable[..., Stub]) -> None:
    stub = start(web=LEAVES)
    stub.wait(lambda: "left" in stub.said("web") and "deaf" in stub.said("web"))
    assert len(strays(stub.place)) == 2
    stub.process.terminate()
    stub.wait(lambda: stub.process.poll() is not None)
    assert stub.process.returncode == 0
    assert not strays(stub.place)


def test_programs_end_with_a_killed_supervisor_and_the_next_start_ends_the_rest(start: Callable[..., Stub]) -> None:
    stub = start(web=LEAVES, code=LIVES)
    stub.wait(lambda: "deaf" in stub.said("web") and stub.states()["code"] == "RUNNING")
    children = psutil.Process(stub.process.pid).children()
    stub.process.kill()
    stub.process.wait()
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert stub.place.pid_file.exists()
    assert running_pid(stub.settings) is None  # whatever the file says
    assert end_strays(stub.place) == 1  # in a session of its own, and deaf
    again = start(code=LIVES)
    again.wait(lambda: again.states() == {"code": "RUNNING"})


def test_orders_to_programs(start: Callable[..., Stub]) -> None:
    stub = start(code=LIVES, daemon=LIVES, dagster=LIVES, web=LIVES)
    stub.wait(lambda: set(stub.states().values()) == {"RUNNING"} and len(stub.states()) == 4)
    before = {state.name: state.pid for state in control.states(stub.settings)}
    with pytest.raises(ServiceError, match="There is no program webb"):
        control.restart(stub.settings, ("webb",))
    control.restart(stub.settings, ("web",))
    after = {state.name: state.pid for state in control.states(stub.settings)}
    assert {name for name in before if before[name] != after[name]} == {"web"}
    assert stub.place.configuration.stat().st_mode & 0o077 == 0 or stub.place.folder.stat().st_mode & 0o077 == 0
    assert control.readiness(stub.settings) == {"web": "does not answer yet"}
    os.kill(stub.process.pid, signal.SIGINT)
    assert control.wait_for_end(stub.settings, 30)
    with pytest.raises(ServiceError, match="No service runs"):
        control.states(stub.settings)
