"""Start a refresh in a process of its own, and have the running one stopped, whoever started it.

Both are commands, run in processes that outlive the web app's.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

from loupan.errors import LoupanError
from loupan.i18n import marked
from loupan.refresh_lock import is_refreshing
from loupan.settings import Settings

_COMMAND = (sys.executable, "-c", "from loupan.cli import run; run()", "refresh")
OUTPUT = "started_refresh.log"


class RefreshControlError(LoupanError):
    """A refresh cannot be started or stopped; the message says why."""


def start(settings: Settings, *, full: bool = False, tables: Sequence[str] = (), started_by: str = "") -> None:
    """Start ``loupan refresh``.

    Args:
        settings: of the installation; the process reads the same environment.
        full: load all rows again.
        tables: tables to load in full, while the others are loaded as ever.
        started_by: who asked for it.

    Raises:
        RefreshControlError: if one is running already, or no process can be started.
    """
    if is_refreshing(settings.data_dir):
        raise RefreshControlError(marked("A refresh is running already. Wait for its end, or cancel it."))
    full_load = ["--full"] if full else []
    _launch(settings, [*full_load, *(f"--reload={table}" for table in tables)], started_by, is_new=True)


def cancel(settings: Settings, started_by: str = "") -> None:
    """Have the running refresh stopped by ``loupan refresh --cancel``.

    Raises:
        RefreshControlError: if none is running, or no process can be started.
    """
    if not is_refreshing(settings.data_dir):
        raise RefreshControlError(marked("No refresh is running."))
    _launch(settings, ["--cancel"], started_by, is_new=False)


def _launch(settings: Settings, arguments: Sequence[str], started_by: str, *, is_new: bool) -> None:
    by = [f"--started-by={started_by}"] if started_by else []
    try:
        folder = settings.data_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        # What the last one said is kept until the next begins.
        with (folder / OUTPUT).open("wb" if is_new else "ab") as output:
            process = subprocess.Popen(  # noqa: S603 - fixed command, no shell
                [*_COMMAND, *arguments, *by],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise RefreshControlError(f"No process could be started: {error}. Free memory or disk space.") from error
    # Nobody waits for it, but somebody has to take note of its end, or it stays in the list of processes.
    threading.Thread(target=process.wait, name="refresh", daemon=True).start()
