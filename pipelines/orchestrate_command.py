"""``loupan orchestrate``: Dagster's UI and daemon with the schedules."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from loupan.errors import LoupanError
from loupan.settings import get_settings

app = typer.Typer()


def _require_free(port: int) -> None:
    """Dagster itself would go on without its UI."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LoupanError(
                f"Cannot listen on 127.0.0.1:{port}: {error.strerror}. Choose another with `loupan orchestrate --port`."
            ) from error


@app.command()
def orchestrate(
    port: Annotated[int, typer.Option(help="Port of Dagster's UI on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Run Dagster's UI and daemon; a refresh started there publishes like `loupan refresh`."""
    from pipelines.instance import bury_dead_runs, prepare_home

    settings = get_settings()
    _require_free(port)
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    bury_dead_runs(settings)
    typer.echo(f"Dagster: http://127.0.0.1:{port}  (stop with Ctrl-C)")
    arguments = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell, fixed arguments
