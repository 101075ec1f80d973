"""What is dear to make and never changed: made once per test run, by whichever of its processes asks first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from multiprocessing.util import Finalize
from pathlib import Path

import psutil
from filelock import FileLock

_FOLDER = "PYTEST_SHARED_FOLDER"
_PREFIX = "loupan-tests-"
# In memory a database is made in a twentieth of the time; a run needs less than half of this room.
_MEMORY, _ROOM = Path("/dev/shm"), 12 << 30


def begin_run(room: int = _ROOM) -> None:
    """Make the folder of this test run, in the process that starts the others: they inherit its environment.

    It is also the place of all their temporary files, in memory where there is ``room`` (bytes).
    """
    parent = _MEMORY if _has_room(room) else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        if not _is_alive(left.name.removeprefix(_PREFIX).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    Path(folder).chmod(0o711)  # PostgreSQL runs as another user
    os.environ[_FOLDER] = os.environ["TMPDIR"] = tempfile.tempdir = folder
    # Deleted at the very end: multiprocessing (its finalizer has -100) has a folder of its own in there.
    Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=-200)


def _has_room(room: int) -> bool:
    try:
        # Available, not free: what the system keeps of files it gives back when it is asked for.
        return min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) > room
    except OSError:
        return False


def _is_alive(process: str) -> bool:
    return Path(f"/proc/{process}").exists()


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name`, filled by `make` if no process of this test run did it yet.

    Nothing may be written into the folder afterwards: copy it to change it.
    """
    folder = Path(os.environ[_FOLDER]) / name
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            half_made = folder.with_suffix(".making")
            shutil.rmtree(half_made, ignore_errors=True)
            half_made.mkdir()
            make(half_made)
            half_made.rename(folder)
    return folder
