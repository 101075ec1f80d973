"""Stop the refresh that is running on this machine, whoever started it; nothing of it is published."""

from __future__ import annotations

import os
import signal
import time

import psutil

from loupan.errors import LoupanError
from loupan.refresh_lock import is_refreshing
from loupan.refresh_state import RefreshState, note_cancel, read_state, settle
from loupan.settings import Settings

# Seconds between asking a process to stop, insisting, and killing it. A kill leaves warehouse and snapshots as whole
# as the others do.
_PATIENCE = ((signal.SIGINT, 20.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))


class CancelError(LoupanError):
    """The refresh cannot be stopped from here; the message says why."""


def own_process() -> tuple[int, float]:
    """Return number and start of this process, as `RefreshState` keeps them."""
    process = psutil.Process()
    return process.pid, process.create_time()


def _process(state: RefreshState) -> psutil.Process | None:
    """Return the process of a refresh, None if it is gone; a later one of the same number is not it."""
    if state.pid is None:
        return None
    try:
        process = psutil.Process(state.pid)
        is_same = state.process_started is None or abs(process.create_time() - state.process_started) < 1
    except psutil.Error:
        return None
    return process if is_same else None


def cancel(settings: Settings, by: str = "") -> RefreshState:
    """Ask the running refresh to stop, insist, and in the end kill it.

    Args:
        settings: of the installation.
        by: who cancels it.

    Returns:
        The refresh, as it stood before.

    Raises:
        CancelError: if none is running, or it cannot be stopped from here.
    """
    state = read_state(settings)
    if state is None or state.outcome != "running" or not is_refreshing(settings.data_dir):
        raise CancelError("No refresh is running.")
    process = _process(state)
    if process is None:
        raise CancelError(
            "The running refresh has not begun its first step yet, or runs on another machine. Wait a little, or stop "
            "it there."
        )
    note_cancel(settings, state.refresh_id, by)
    _forbid_retry(settings, state.refresh_id)
    for number, patience in _PATIENCE:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            break
        except psutil.AccessDenied as error:
            raise CancelError(f"Process {process.pid} belongs to another user; stop the refresh there.") from error
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not _is_alive(process) or not _is_running(settings, state):
                settle(settings)
                return state
            time.sleep(0.1)
    settle(settings)
    return state


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_running(settings: Settings, state: RefreshState) -> bool:
    """Say whether this very refresh is still running: the process may have others to do afterwards."""
    now = read_state(settings)
    return now is not None and now.refresh_id == state.refresh_id and now.outcome == "running"


def _forbid_retry(settings: Settings, run_id: str) -> None:
    """Keep Dagster from taking the end of the process for a crash, and running it once more."""
    import dagster as dg

    from pipelines.instance import NO_RETRY, prepare_home

    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    with dg.DagsterInstance.get() as instance:
        if instance.has_run(run_id):
            instance.add_run_tags(run_id, NO_RETRY)
