"""What is dear to make and never changed: made once per test run, by whichever of its processes asks first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

_FOLDER = "PYTEST_SHARED_FOLDER"


def begin_run() -> None:
    """Make the folder of this test run, in the process that starts the others: they inherit its environment."""
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="loupan-tests-")


def end_run() -> None:
    """Delete the folder of this test run."""
    shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


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
