"""``loupan care``: greetings that come due."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from data_entry.access import SYSTEM
from data_entry.database import ready_engine
from data_entry.services import care
from data_entry.services.work import writing
from loupan.settings import get_settings

app = typer.Typer(help="Greetings that come due, by the rules of customer care.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `generate` a command of its own; Typer makes a single one the group's."""


@app.command()
def generate(
    days: Annotated[
        int, typer.Option(min=0, max=care.LONGEST_AHEAD, help="Write down who is due in so many days from today.")
    ] = 30,
) -> None:
    """Write down who is due for a greeting, and make the tasks whose time has come.

    It may run as often as one likes: what is there already is left alone.
    """
    with writing(ready_engine(get_settings().crm_database_url), SYSTEM) as work:
        made = care.generate_due(work, work.today + dt.timedelta(days=days))
    typer.echo(f"{made.occasions:,} greetings and {made.tasks:,} tasks are new.")
