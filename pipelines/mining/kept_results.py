"""Keep what a model that runs once a day has found, for the other refreshes of the day.

A forecast by months or a comparison of sources tells the same at noon as in the morning, and takes most of the time of
a refresh. Such a model says ``ONCE_A_DAY = True``. Its results stay while program, files and settings are the same.
"""

# ruff: noqa: S608 - names in the SQL are constants, or quoted

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import duckdb

from loupan.mining.published import FAILED, RUN_TABLE, ModelRun, output_table
from loupan.settings import Settings
from pipelines import recipe
from pipelines.mining.catalogue import ModelFile, UnusableModel

SCHEMA = "mining"
# The recipe of the results that lie there; empty while they are being made. Not among them: they are published.
_MADE_BY = "ingest.models_made_by"


def last_day(as_of: dt.datetime, zone: ZoneInfo) -> dt.date:
    """Return the last day of which there is data; a moment at midnight closes the day before."""
    return (as_of - dt.timedelta(seconds=1)).astimezone(zone).date()


def kept(
    settings: Settings, warehouse: duckdb.DuckDBPyConnection, models: Sequence[ModelFile], as_of: dt.datetime
) -> list[ModelRun]:
    """Return the runs of models whose results may stay.

    Args:
        settings: of the installation.
        warehouse: open for reading.
        models: those that are to run.
        as_of: the moment of the data (aware).
    """
    zone = ZoneInfo(settings.time_zone)

    def is_of_this_day(run: ModelRun) -> bool:
        if run.status == FAILED or run.made_as_of is None:
            return False
        made = dt.datetime.fromisoformat(run.made_as_of)
        return made <= as_of and last_day(made, zone) == last_day(as_of, zone)

    try:
        if warehouse.execute(f"from {_MADE_BY}").fetchall() != [(recipe.of_snapshot(settings),)]:
            return []
        rows = warehouse.execute(f"from {SCHEMA}.{RUN_TABLE}").fetchall()
    except duckdb.CatalogException:
        # The first models of a warehouse, or of one of an earlier version.
        return []
    runs = {run.name: run for run in map(ModelRun.of_row, rows)}
    return [
        runs[model.name]
        for model in models
        if model.name in runs and _runs_once_a_day(model) and is_of_this_day(runs[model.name])
    ]


def _runs_once_a_day(model: ModelFile) -> bool:
    try:
        return model.runs_once_a_day()
    except UnusableModel:
        return False


def clear(warehouse: duckdb.DuckDBPyConnection, kept: Sequence[ModelRun] = ()) -> None:
    """Drop all runs and tables but those of the kept runs."""
    staying = {output_table(run.name, output.name) for run in kept for output in run.outputs}
    warehouse.execute("begin")
    warehouse.execute("create schema if not exists ingest")
    warehouse.execute(f"create or replace table {_MADE_BY} (recipe varchar)")
    warehouse.execute(f"create schema if not exists {SCHEMA}")
    for (table,) in warehouse.execute(
        "select table_name from duckdb_tables() where schema_name = ?", [SCHEMA]
    ).fetchall():
        if table not in staying:
            warehouse.execute(f'drop table {SCHEMA}."{table}"')
    warehouse.execute(
        f"create table {SCHEMA}.{RUN_TABLE} (name varchar primary key, is_own boolean, status varchar, "
        "message varchar, seconds double, trained_as_of varchar, told varchar)"
    )
    for run in kept:
        add(warehouse, run)
    warehouse.execute("commit")


def add(warehouse: duckdb.DuckDBPyConnection, run: ModelRun) -> None:
    """Note what became of a model."""
    warehouse.execute(f"insert into {SCHEMA}.{RUN_TABLE} values (?, ?, ?, ?, ?, ?, ?)", run.as_row())


def note(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Note that all results are there, and what they were made by."""
    warehouse.execute(f"insert into {_MADE_BY} values (?)", [recipe.of_snapshot(settings)])
