"""``loupan serve``: the web app."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port on 127.0.0.1.")] = 8501,
) -> None:
    """Serve the web app on this machine."""
    from dashboards import server

    typer.echo(f"Loupan is starting on http://{server.HOST}:{port} – press Ctrl+C to stop.")
    server.serve(port)
