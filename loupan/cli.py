"""The ``loupan`` command. Subcommands are imported only when they are called: help stays fast."""

from __future__ import annotations

import atexit
import errno
import importlib
import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from loupan.console import visible
from loupan.errors import LoupanError

# name → (module and attribute of its Typer app, one line of help). Named as text, so that this package, which
# everything else rests on, imports nothing above it.
COMMANDS = {
    "crm": ("data_entry.crm_command:app", "Create or upgrade the CRM database."),
    "account": ("data_entry.account_command:app", "Make and mend the accounts that sign in."),
    "sample": ("sample_data.sample_command:app", "Fill an empty CRM with a generated company."),
    "audit": ("data_entry.audit_command:app", "Read the trail of who did what."),
    "backup": ("data_entry.backup_command:app", "Make, check and restore copies of the CRM."),
    "personal": ("data_entry.personal_command:app", "Hand over, or erase, what is held about a customer."),
    "care": ("data_entry.care_command:app", "Write down who is due for a greeting, and make the tasks."),
    "import": ("data_entry.import_command:app", "Bring the export of another CRM in."),
    "refresh": ("pipelines.refresh_command:app", "Load, transform, check and publish."),
    "models": ("pipelines.models_command:app", "List the models, and try one."),
    "metrics": ("loupan.metrics_command:app", "List, describe and query the metrics."),
    "snapshots": ("loupan.snapshots_command:app", "List, compare and roll back published snapshots."),
    "report": ("dashboards.report_command:app", "Make board reports, and send them."),
    "status": ("loupan.status_command:app", "Show the last refresh and what is published."),
    "alerts": ("loupan.alerts_command:app", "Tell people when something is wrong."),
    "service": ("pipelines.service.command:app", "Run web app and Dagster under one supervisor."),
    "serve": ("dashboards.serve_command:app", "Serve the web app."),
    "orchestrate": ("pipelines.orchestrate_command:app", "Run Dagster's UI and daemon with the schedules."),
}

_COMPLETION = ("install_completion", "show_completion")
# What a write to a full or failing disk says.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


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
            # Typer adds these to every app that does not forbid it; here they would complete a part of a command.
            command.params = [param for param in command.params if param.name not in _COMPLETION]
        return name, command, rest


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"loupan {version('loupan')}")
        raise typer.Exit


@app.callback()
def loupan(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Decision support for companies that develop and manage real estate."""


def run() -> None:
    """Run the command, then end the process without tearing the interpreter down.

    After dbt, Dagster and Great Expectations the heap holds millions of objects; freeing them one by one takes a tenth
    of a refresh, to the benefit of nobody. Exit handlers run and output is flushed as ever.
    """
    # What is written holds personal data, figures, hashes of passwords: nobody but the user and the group reads it.
    os.umask(os.umask(0o027) | 0o027)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names are Chinese as often as not, also where the terminal or a pipe takes ASCII alone.
            stream.reconfigure(errors="backslashreplace")
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code if isinstance(code, int) else int(bool(code)))


def main() -> None:
    """Run the command; errors that a person can mend are shown as one message, exit code 1."""
    try:
        try:
            app()
        finally:
            # A short answer is still in the buffer: that it cannot be written must be said, too.
            sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(1)
    except LoupanError as error:
        message = str(error)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        message = f"Cannot write: {error}. Free space, or write elsewhere."
    typer.secho(f"Error: {visible(message)}", fg="red", err=True)
    sys.exit(1)
