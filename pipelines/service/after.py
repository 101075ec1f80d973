"""Run a program once the code server answers: ``python -m pipelines.service.after SOCKET COMMAND…``.

Dagster's web server and daemon show an error, and wait for a minute, where they come before it.
"""

from __future__ import annotations

import os
import socket
import sys
import time

_SECONDS = 120
_POLL_SECONDS = 0.2


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def main() -> None:
    """Wait, then become the program; after two minutes it may as well say itself what it lacks."""
    path, command = sys.argv[1], sys.argv[2:]
    deadline = time.monotonic() + _SECONDS
    while not _answers(path) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    os.execv(command[0], command)  # noqa: S606 - no shell; the command is the service's own


if __name__ == "__main__":
    main()
