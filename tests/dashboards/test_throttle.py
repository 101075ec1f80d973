"""Attempts counted over processes, each of them a real one; and what becomes of the count where nobody can write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards import throttle as module
from dashboards.throttle import SharedThrottle, Throttle, throttle
from loupan import web_worker
from loupan.web_worker import Shared, Worker

_MANY = """
import sys
from pathlib import Path
from dashboards import throttle
from dashboards.throttle import SharedThrottle
from loupan.web_worker import Shared
throttle._LOCK_SECONDS = 60  # a busy machine must not make one of them count alone
attempts = SharedThrottle(Shared(Path(sys.argv[1])), "sign-in", 150, 600)
print(sum(attempts.attempt("reader") == 0 for _ in range(100)))
"""

_OPEN = """
import sys, time
from pathlib import Path
from dashboards.throttle import _File
print("ready", flush=True)
for path in sys.stdin.read().split():
    _File(Path(path))
"""


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    shared = Shared(tmp_path / "web")
    shared.make()
    return shared


def test_one_process_counts_in_memory() -> None:
    assert isinstance(throttle("strangers", 3, 60), Throttle)


def test_one_of_several_counts_with_the_others(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_worker, "_CURRENT", [Worker(shared.folder / "web-1.sock", shared)])
    here, there = throttle("strangers", 3, 60), throttle("strangers", 3, 60)
    assert [one.attempt("a") for one in (here, there, here)] == [0, 0, 0]
    assert 0 < there.attempt("a") <= 60
    assert there.attempt("b") == 0
    # Another counter knows nothing of it.
    assert throttle("surveys", 3, 60).attempt("a") == 0
    here.forgive("a")
    assert there.attempt("a") == 0


def test_processes_at_once_let_no_more_through_than_one(shared: Shared) -> None:
    command = [sys.executable, "-c", _MANY, str(shared.folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) for _ in range(3)]
    assert sum(int(process.communicate(timeout=120)[0]) for process in running) == 150


def test_processes_that_open_it_at_once_all_get_it(tmp_path: Path) -> None:
    files = " ".join(str(tmp_path / f"counts-{number}.sqlite") for number in range(40))
    command = [sys.executable, "-c", _OPEN]
    opening = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        for _ in range(3)
    ]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        assert process.stdin is not None
        process.stdin.write(files)
        process.stdin.close()
    assert [process.wait(120) for process in opening] == [0, 0, 0]


def test_the_window_slides_as_it_does_in_memory(shared: Shared) -> None:
    now = [0.0]
    attempts = SharedThrottle(shared, "sign-in", 2, 60, clock=lambda: now[0])
    assert [attempts.attempt("a") for _ in range(3)] == [0, 0, 60]
    now[0] = 30
    assert attempts.attempt("a") == 30
    now[0] = 60
    assert attempts.attempt("a") == 0


def test_the_file_is_of_bounded_size_and_names_nobody(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 50)
    attempts = SharedThrottle(shared, "sign-in", 2, 60)
    for number in range(200):
        attempts.attempt(f"zhang.wei {number}")
    rows = module._file(shared.counts).connection.execute("select count(*) from attempt").fetchone()
    assert rows == (50,)
    assert b"zhang" not in b"".join(file.read_bytes() for file in shared.folder.glob("counts*"))
    assert shared.counts.stat().st_mode & 0o077 == 0


def test_a_file_that_another_holds_stops_nobody(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    attempts = SharedThrottle(shared, "sign-in", 2, 60)
    assert attempts.attempt("a") == 0
    hold = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
    hold += "c.execute('begin immediate'); print('held', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", hold, str(shared.counts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert [attempts.attempt("a") == 0 for _ in range(3)] == [True, True, False]
        attempts.forgive("a")
        holder.kill()
    assert "attempts are counted by this process alone" in caplog.text
    assert attempts.attempt("a") == 0
    assert attempts.attempt("a") > 0


def test_processes_have_a_key_in_common_and_a_new_one_each_time(shared: Shared, tmp_path: Path) -> None:
    key = shared.key("forms")
    assert (len(key), shared.key("forms") == key, shared.key("cookies") == key) == (32, True, False)
    assert {(file.stat().st_mode & 0o077) for file in (shared.folder, shared.folder / "key")} == {0}
    shared.write_pid("web-2", os.getpid())
    shared.write_pid("web-1", 1)
    assert shared.pids() == {"web-1": 1, "web-2": os.getpid()}
    shared.make()
    assert shared.key("forms") != key
    assert shared.pids() == {}
    with pytest.raises(web_worker.WorkerError, match=r"key cannot be read: No such file.*loupan serve"):
        Shared(tmp_path / "elsewhere").key("forms")
