"""The ``loupan`` command. Subcommands are imported only when they are called: help stays fast."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from loupan.errors import LoupanError

# name → (module and attribute of its Typer app, one line of help). Named as text, so that this package, which
# everything else rests on, imports nothing above it.
COMMANDS = {
    "crm": ("data_entry.crm_command:app", "Create or upgrade the CRM database."),
    "sample": ("sample_data.sample_command:app", "Fill an empty CRM with a generated company."),
    "import": ("data_entry.import_command:app", "Bring the export of another CRM in."),
    "refresh": ("pipelines.refresh_command:app", "Load, transform, check and publish."),
    "metrics": ("loupan.metrics_command:app", "List, describe and query the metrics."),
    "snapshots": ("loupan.snapshots_command:app", "List, compare and roll back published snapshots."),
    "status": ("loupan.status_command:app", "Show the last refresh and what is published."),
    "serve": ("dashboards.serve_command:app", "Serve the web app."),
    "orchestrate": ("pipelines.orchestrate_command:app", "Run Dagster's UI and daemon with the schedules."),
}


class _Commands(TyperGroup):
    """The table above as a group: stand-ins for the help, the real command once it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, help_line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=help_line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name][0].partition(":")
            command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
            command.name = name
        return name, command, rest


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def loupan() -> None:
    """Decision support for companies that develop and manage real estate."""


def run() -> None:
    """Run the command, then end the process without tearing the interpreter down.

    After dbt, Dagster and Great Expectations the heap holds millions of objects; freeing them one by one takes a tenth
    of a refresh, to the benefit of nobody. Exit handlers run and output is flushed as ever.
    """
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 1
    os._exit(code if isinstance(code, int) else int(bool(code)))


def main() -> None:
    """Run the command; errors that a person can mend are shown as one message, exit code 1."""
    try:
        app()
    except LoupanError as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
