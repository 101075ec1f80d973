"""``loupan serve``: the web app."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Others than this machine's belong behind a proxy with HTTPS.")
    ] = "127.0.0.1",
) -> None:
    """Serve the web app."""
    # Readers are many and matrices small: threads of one answer only get into the way of the other readers' answers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from dashboards import server
    from data_entry import demo_accounts
    from loupan import logs
    from loupan.settings import get_settings
    from loupan.supervised import is_supervised

    settings = get_settings()
    logs.to_stream(settings, program="web")
    reached = f"http://{host if host not in ('0.0.0.0', '::') else server.HOST}:{port}"  # noqa: S104
    token = server.new_setup_token()
    if token is not None and is_supervised():
        # A link that makes the first administrator is no line for a log.
        typer.echo(
            "Nobody can sign in yet. Make the first administrator with `loupan account create admin --role admin`."
        )
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
    server.serve(port, host, token)
