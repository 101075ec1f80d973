"""``loupan serve``: the web app, in one process or as one of several behind a balancer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
# Runs a balancer and the processes behind it; named as text, since it stands beside this package and not below it.
_SEVERAL = "pipelines.service.alone"
_WITHOUT_LINK = "Nobody can sign in yet. Make the first administrator with `loupan account create admin --role admin`."


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Others than this machine's belong behind a proxy with HTTPS.")
    ] = "127.0.0.1",
    socket: Annotated[Path | None, typer.Option(hidden=True, help="Socket of one of several processes.")] = None,
    shared: Annotated[Path | None, typer.Option(hidden=True, help="Folder that the processes share.")] = None,
) -> None:
    """Serve the web app."""
    # Readers are many and matrices small: threads of one answer only get into the way of the other readers' answers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if socket is not None and shared is not None:
        _serve_as_one(socket, shared)
        return
    from dashboards import server
    from data_entry import demo_accounts
    from loupan import logs
    from loupan.settings import get_settings
    from loupan.supervised import is_supervised
    from loupan.web_worker import SETUP_TOKEN

    settings = get_settings()
    logs.to_stream(settings, program="web")
    reached = f"http://{host if host not in ('0.0.0.0', '::') else server.HOST}:{port}"  # noqa: S104
    token = server.new_setup_token()
    if token is not None and is_supervised():
        # A link that makes the first administrator is no line for a log.
        typer.echo(_WITHOUT_LINK)
        token = None
    typer.echo(f"Loupan is starting on {reached} – press Ctrl+C to stop.")
    if host != server.HOST and not settings.https:
        typer.secho(
            "Passwords and pages travel unencrypted. Put a proxy with HTTPS in front and set LOUPAN_HTTPS=1.",
            fg="yellow",
            err=True,
        )
    if token is not None:
        typer.echo(f"Nobody can sign in yet. Make the first administrator, once, on\n  {reached}/setup?token={token}")
    elif (settings.data_dir / demo_accounts.FILE).is_file():
        typer.echo(f"Sign in with an account of {settings.data_dir / demo_accounts.FILE}")
    if settings.web_processes > 1 and not is_supervised():
        os.environ |= {SETUP_TOKEN: token} if token else {}
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, "-m", _SEVERAL, host, str(port)])  # noqa: S606 - no shell
    server.serve(port, host, token)


def _serve_as_one(socket: Path, shared: Path) -> None:
    """Serve as one of several processes, which is called as its socket."""
    from loupan import logs, web_worker
    from loupan.settings import get_settings

    worker = web_worker.Worker(socket, web_worker.Shared(shared))
    logs.to_stream(get_settings(), program=worker.name)
    web_worker.become(worker)
    from dashboards import server

    token = os.environ.get(web_worker.SETUP_TOKEN)
    if token is None and server.new_setup_token() is not None:
        typer.echo(_WITHOUT_LINK)
    server.serve_as(worker, token)
