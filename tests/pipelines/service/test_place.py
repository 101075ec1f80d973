"""Where a service keeps its files, and that a data folder has one orchestrator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loupan.settings import Settings
from pipelines.service.place import ServiceError, held, is_held, place_of, require_free, running_pid


def test_one_at_a_time(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert not is_held(settings)
    with held(settings):
        assert is_held(settings)
        with pytest.raises(ServiceError, match=r"runs on .* already.*loupan service stop"), held(settings):
            raise AssertionError
    assert not is_held(settings)


def test_the_lock_lasts_through_exec_and_ends_with_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from loupan.settings import Settings; "
        "from pipelines.service.place import held; "
        f"context = held(Settings(data_dir=Path({str(tmp_path)!r})), through_exec=True); context.__enter__(); "
        "os.execv(sys.executable, [sys.executable, '-c', 'print(1, flush=True); import time; time.sleep(600)'])"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    settings = Settings(data_dir=tmp_path)
    assert is_held(settings)
    holder.kill()
    holder.wait()
    assert not is_held(settings)


def test_a_number_left_by_a_power_cut_is_not_believed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    place = place_of(settings)
    place.make()
    place.pid_file.write_text(f"{os.getpid()}\n")
    assert running_pid(settings) is None


def test_sockets_go_elsewhere_where_the_kernel_takes_no_such_path(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    near, far = place_of(Settings(data_dir=Path("/srv/a"))), place_of(Settings(data_dir=tmp_path / ("deep" * 30)))
    assert near.control_socket == Path("/srv/a/service/control.sock")
    assert far.control_socket != near.control_socket
    assert len(os.fsencode(far.control_socket)) < 95
    try:
        far.make()
        assert far.sockets.stat().st_mode & 0o777 == 0o700
        far.sockets.rmdir()
        far.sockets.symlink_to(tmp_path)
        with pytest.raises(ServiceError, match="belongs to somebody else"):
            far.make()
    finally:
        far.sockets.unlink(missing_ok=True)


def test_a_name_that_supervisor_would_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="signs in its name"):
        place_of(Settings(data_dir=tmp_path / "a ;b")).make()


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"Cannot listen on 127.0.0.1:{port}: .*Choose another with --port"):
            require_free("127.0.0.1", port, "--port")
