"""One writer at a time: who refreshes holds this lock from the first step to the last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def _lock(data_dir: Path) -> FileLock:
    # One object per file in a process: whoever holds it may take it again, a step as well as the command around it.
    return FileLock(data_dir / "refresh.lock", is_singleton=True)


@contextmanager
def refresh_lock(data_dir: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock; the operating system releases that of a killed process.

    Args:
        data_dir: of the installation; made if it is absent.
        on_wait: called once if another process holds the lock.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = _lock(data_dir)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_refreshing(data_dir: Path) -> bool:
    """Say whether another process refreshes now; a state that says ``running`` without one was interrupted."""
    if not (data_dir / "refresh.lock").exists():
        return False
    lock = _lock(data_dir)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
