"""Where a test run keeps its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.support import shared

_GIB = 1 << 30


@pytest.mark.parametrize(
    ("available", "on_disk", "in_memory"),
    [(16 * _GIB, 24 * _GIB, True), (1 * _GIB, 24 * _GIB, False), (16 * _GIB, 64 << 20, False)],
)
def test_a_run_keeps_its_files_in_memory_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int, on_disk: int, in_memory: bool
) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    for name in ("TMPDIR", "PYTEST_SHARED_FOLDER"):
        monkeypatch.setenv(name, str(disk))
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setattr(shared, "_MEMORY", memory)
    # Nearly all that is not used keeps copies of files, as on every machine that has worked for a while.
    counted = SimpleNamespace(free=1 << 20, available=available)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: counted)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=on_disk))
    shared.begin_run(room=12 * _GIB)
    assert Path(os.environ["PYTEST_SHARED_FOLDER"]).parent == (memory if in_memory else disk)
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == os.environ["PYTEST_SHARED_FOLDER"]
