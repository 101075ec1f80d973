"""Start a refresh in a process of its own, and have the running one stopped, whoever started it.

Both are commands, run in processes that outlive the web app's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import IO

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
    _launch(settings, [*full_load, *(f"--reload={table}" for table in tables)], started_by)


def cancel(settings: Settings, started_by: str = "") -> None:
    """Have the running refresh stopped by ``loupan refresh --cancel``.

    Raises:
        RefreshControlError: if none is running, or no process can be started.
    """
    if not is_refreshing(settings.data_dir):
        raise RefreshControlError(marked("No refresh is running."))
    _launch(settings, ["--cancel"], started_by)


def _launch(settings: Settings, arguments: Sequence[str], started_by: str) -> None:
    by = [f"--started-by={started_by}"] if started_by else []
    try:
        folder = settings.data_dir / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / OUTPUT).open("ab") as output:
            _detached([*_COMMAND, *arguments, *by], output)
    except OSError as error:
        raise RefreshControlError(f"No process could be started: {error}. Free memory or disk space.") from error


def _detached(command: Sequence[str], output: IO[bytes]) -> None:
    """Start a process in a session of its own, and leave it to itself without leaving it unburied."""
    # Started by a shell in between that ends at once: nobody has to wait for what the web app never looks at again.
    subprocess.run(  # noqa: S603 - fixed command; the shell takes the arguments as they are
        ["/bin/sh", "-c", '"$@" &', "sh", *command],
        stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, check=True,
    )  # fmt: skip
