"""Run all models on the marts of this refresh and put what they find into the warehouse's schema ``mining``."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from loupan.mining.published import ModelRun, output_table
from loupan.settings import Settings
from loupan.snapshot import current
from pipelines.mining import kept_results
from pipelines.mining.catalogue import ModelFile, UnusableModel
from pipelines.mining.pool import Bounds, run_in_workers
from pipelines.mining.worker import Job, Model
from pipelines.warehouse import WITHOUT_VACUUM

LOG = logging.getLogger(__name__)
_FOLDER = ".models-"
_ROWS = 100_000


def run_models(
    settings: Settings, models: Sequence[ModelFile], progress: Callable[[str], None], *, anew: bool = False
) -> list[ModelRun]:
    """Run models and store their runs and tables; what earlier refreshes left of them is gone before the first begins.

    Only what a model that runs once a day has found earlier on the same day stays, if files, settings and program are
    the same.

    Args:
        settings: where everything lies, and how long a model may take.
        models: those to be run, in order.
        progress: called with the name of each model that has ended.
        anew: run also those that have run on this day.

    Returns:
        What became of each model, in the order given.

    Raises:
        duckdb.Error: if the warehouse cannot be written.
    """
    with _warehouse(settings) as warehouse:
        # Before all else that can fail: what is left here is published as this refresh's.
        as_of = _as_of(warehouse)
        kept = [] if anew else kept_results.kept(settings, warehouse, models, as_of)
        kept_results.clear(warehouse, kept)
    try:
        left = [model for model in models if model.name not in {run.name for run in kept}]
        runs = {run.name: run for run in (*kept, *_run_and_store(settings, left, as_of, progress))}
        with _warehouse(settings) as warehouse:
            kept_results.note(settings, warehouse)
        return [runs[model.name] for model in models]
    except Exception as error:
        # A fault of ours in running them must not keep the marts from being published either.
        LOG.exception("The models could not be run")
        failed = [ModelRun.failure(m.name, m.is_own, f"it could not be run: {error}") for m in models]
        with _warehouse(settings) as warehouse:
            kept_results.clear(warehouse)
            return _store(warehouse, failed, Path())


@contextmanager
def _warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse; while models run it is closed, so that they can read it and its memory is free."""
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute(f"set memory_limit = '{settings.refresh_memory}'")
        warehouse.execute(WITHOUT_VACUUM)
        yield warehouse


def _as_of(warehouse: duckdb.DuckDBPyConnection) -> dt.datetime:
    ((as_of,),) = warehouse.execute("select as_of from raw.refresh").fetchall()
    return as_of.replace(tzinfo=dt.UTC)


def _run_and_store(
    settings: Settings,
    models: Sequence[ModelFile],
    as_of: dt.datetime,
    progress: Callable[[str], None],
) -> list[ModelRun]:
    # Beside the warehouse, where what a killed refresh left of the marts is found and removed.
    for left in settings.data_dir.glob(f"{_FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=settings.data_dir) as folder:
        as_of_on = kept_results.last_day(as_of, ZoneInfo(settings.time_zone))
        # A company's own models are given copies, as ever; ours read the file itself, unless somebody has it open.
        is_free = any(not model.is_own for model in models) and _can_be_read(settings.warehouse_path)
        marts = _marts_folder(Path(folder))
        with _warehouse(settings) as warehouse:
            there = _tables(warehouse, "marts")
            for mart in sorted(_wanted([model for model in models if model.is_own or not is_free]) & there):
                warehouse.execute(_copy(f'marts."{mart}"', marts, mart))
        job = _job(settings, marts, as_of, as_of_on, settings.warehouse_path if is_free else None)
        runs, out = _run(settings, models, there, job, progress)
        with _warehouse(settings) as warehouse:
            return _store(warehouse, runs, out)


def try_model(settings: Settings, path: Path) -> tuple[ModelRun, dict[str, pd.DataFrame]]:
    """Run one model on the marts that are published; only what it has learnt is kept.

    Args:
        settings: where the snapshots lie, and how long a model may take.
        path: the model's file.

    Returns:
        What became of it, and its tables by the names of its outputs.

    Raises:
        SnapshotError: if nothing is published, or what is published cannot be read.
    """
    published = current(settings)
    as_of = dt.datetime.fromisoformat(str(published.report["as_of"]))
    as_of_on = kept_results.last_day(as_of, ZoneInfo(published.report.get("time_zone", settings.time_zone)))
    model = ModelFile(path.stem, path, True)
    with tempfile.TemporaryDirectory(prefix="loupan-model-") as folder:
        marts = _marts_folder(Path(folder))
        with published.connect() as connection, duckdb.connect(":memory:") as writer:
            there = _tables(connection, "main")
            for mart in sorted(_wanted([model]) & there):
                # What is published is opened without access to other files: its rows come as Arrow, some at a time.
                writer.register("rows", connection.table(f'"{mart}"').to_arrow_reader(_ROWS))
                writer.execute(_copy("rows", marts, mart))
        runs, out = _run(settings, [model], there, _job(settings, marts, as_of, as_of_on), lambda name: None)
        run = runs[0]
        return run, {o.name: pd.read_parquet(out / run.name / f"{o.name}.parquet") for o in run.outputs}


def _marts_folder(folder: Path) -> Path:
    marts = folder / "marts"
    marts.mkdir()
    return marts


def _copy(relation: str, marts: Path, mart: str) -> str:
    """Return the statement that copies a mart as Parquet."""
    path = str(marts / f"{mart}.parquet").replace("'", "''")
    return f"copy (from {relation}) to '{path}' (format parquet, compression snappy)"


def _job(settings: Settings, marts: Path, as_of: dt.datetime, as_of_on: dt.date, database: Path | None = None) -> Job:
    """Return a job of no models yet, its results beside the marts."""
    out = marts.with_name("out")
    out.mkdir()
    return Job(
        models=[],
        marts=str(marts),
        database="" if database is None else str(database),
        out=str(out),
        memory=str(settings.model_memory_dir),
        as_of=as_of.isoformat(),
        as_of_on=as_of_on.isoformat(),
        refresh=os.getpid(),
    )


def _run(
    settings: Settings, models: Sequence[ModelFile], there: set[str], job: Job, progress: Callable[[str], None]
) -> tuple[list[ModelRun], Path]:
    """Run models on the marts that are there; return what became of each, and the folder of their tables."""
    usable, runs = _readable(models, there)
    if usable:
        bounds = Bounds(settings.model_seconds, settings.model_memory)
        runs |= run_in_workers(replace(job, models=usable), bounds, Path(job.marts).parent, progress)
    return [runs[model.name] for model in models], Path(job.out)


def _can_be_read(database: Path) -> bool:
    """Say whether another process can read a database: not while this one, or any other, has it open for writing."""
    question = "import duckdb, sys; duckdb.connect(sys.argv[1], read_only=True)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    asked = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", question, str(database)], env=environment, capture_output=True, check=False
    )
    return asked.returncode == 0


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> set[str]:
    question = "select table_name from information_schema.tables where table_schema = ?"
    return {name for (name,) in connection.execute(question, [schema]).fetchall()}


def _wanted(models: Sequence[ModelFile]) -> set[str]:
    """Return the marts that any of the models reads."""
    wanted: set[str] = set()
    for model in models:
        try:
            wanted |= set(model.reads())
        except UnusableModel:
            # Told as this model's failure.
            continue
    return wanted


def _readable(models: Sequence[ModelFile], there: set[str]) -> tuple[list[Model], dict[str, ModelRun]]:
    """Return what the worker can be given, and the failures of the files that it cannot."""
    usable, failed = [], {}
    for model in models:
        try:
            reads = model.reads()
            if unknown := sorted(set(reads) - there):
                raise UnusableModel(
                    f"{model.path} reads {', '.join(unknown)}, which are no marts; see `docs/own_model.md`"
                )
        except UnusableModel as error:
            failed[model.name] = ModelRun.failure(model.name, model.is_own, str(error))
        else:
            usable.append(Model(model.name, str(model.path), model.is_own, list(reads)))
    return usable, failed


def _store(warehouse: duckdb.DuckDBPyConnection, runs: Sequence[ModelRun], out: Path) -> list[ModelRun]:
    """Store runs and tables; a model whose tables cannot be stored has failed. Returns what became of each."""
    stored = []
    for run in runs:
        tables = [output_table(run.name, output.name) for output in run.outputs]
        try:
            for output, table in zip(run.outputs, tables, strict=True):
                path = str(out / run.name / f"{output.name}.parquet").replace("'", "''")
                warehouse.execute(f"create table {kept_results.SCHEMA}.\"{table}\" as from read_parquet('{path}')")
        except duckdb.Error as error:
            for table in tables:
                warehouse.execute(f'drop table if exists {kept_results.SCHEMA}."{table}"')
            run = ModelRun.failure(run.name, run.is_own, f"its results cannot be stored: {error}", run.seconds)  # noqa: PLW2901
        kept_results.add(warehouse, run)
        stored.append(run)
    return stored
