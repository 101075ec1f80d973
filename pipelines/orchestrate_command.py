"""``loupan orchestrate``: Dagster's UI and daemon with the schedules."""

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
    """Run Dagster's UI and daemon; a refresh started there publishes like `loupan refresh`."""
    from pipelines.instance import prepare_home

    home = prepare_home(get_settings())
    os.environ["DAGSTER_HOME"] = str(home)
    typer.echo(f"Dagster: http://127.0.0.1:{port}  (stop with Ctrl-C)")
    arguments = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell, fixed arguments
