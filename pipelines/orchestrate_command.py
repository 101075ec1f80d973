"""``loupan orchestrate``: Dagster's UI and daemon with the schedules, for development."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from loupan.settings import get_settings

app = typer.Typer()


@app.command()
def orchestrate(
    port: Annotated[int, typer.Option(help="Port of Dagster's UI on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Run Dagster's UI and daemon for development; a refresh started there publishes like `loupan refresh`."""
    from pipelines.instance import bury_dead_runs, prepare_home
    from pipelines.service.place import LOOPBACK, held, require_free

    settings = get_settings()
    # Dagster itself would go on without its UI.
    require_free(LOOPBACK, port, "`loupan orchestrate --port`")
    with held(settings, through_exec=True):
        os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
        bury_dead_runs(settings)
        typer.echo(f"Dagster: http://{LOOPBACK}:{port}  (stop with Ctrl-C)")
        arguments = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", LOOPBACK, "-p", str(port)]
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell, fixed arguments
