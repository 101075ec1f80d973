"""Run all models on the marts of this refresh and put what they find into the warehouse's schema ``mining``."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import duckdb

from loupan.mining.published import FAILED, RUN_TABLE, ModelRun, output_table
from loupan.settings import Settings
from pipelines.mining.catalogue import ModelFile, UnusableModel
from pipelines.mining.worker import Job

SCHEMA = "mining"
_POLL_SECONDS = 0.02
# Importing pandas and DuckDB is no work of the first model's.
_START_SECONDS = 60
# Threads that wait for each other on a busy machine cost more than they bring, and sums would hang on their number.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def run_models(settings: Settings, models: Sequence[ModelFile], progress: Callable[[str], None]) -> list[ModelRun]:
    """Run models and store their runs and tables; what earlier refreshes left of them is gone before the first begins.

    Args:
        settings: where everything lies, and how long a model may take.
        models: those to be run, in order.
        progress: called with the name of each model that has ended.

    Returns:
        What became of each model, in the order given.

    Raises:
        duckdb.Error, OSError: if the warehouse or a temporary folder cannot be written.
    """
    with (
        tempfile.TemporaryDirectory(prefix="loupan-models-") as folder,
        duckdb.connect(str(settings.warehouse_path)) as warehouse,
    ):
        warehouse.execute(f"drop schema if exists {SCHEMA} cascade")
        warehouse.execute(f"create schema {SCHEMA}")
        marts, out = Path(folder) / "marts", Path(folder) / "out"
        marts.mkdir()
        out.mkdir()
        usable, runs = _readable(models, _exported(warehouse, models, marts))
        as_of, as_of_on = warehouse.execute("select as_of, last_day_on from staging.stg_refresh").fetchall()[0]
        job = Job(
            models=usable,
            marts=str(marts),
            out=str(out),
            memory=str(settings.model_memory_dir),
            as_of=as_of.replace(tzinfo=dt.UTC).isoformat(),
            as_of_on=as_of_on.isoformat(),
        )
        runs |= _work(job, settings.model_seconds, Path(folder) / "job.json", progress)
        in_order = [runs[model.name] for model in models]
        _store(warehouse, in_order, out)
    return in_order


def _exported(warehouse: duckdb.DuckDBPyConnection, models: Sequence[ModelFile], folder: Path) -> set[str]:
    """Write the marts that any model reads as Parquet; return the names of all marts there are."""
    there = {
        name
        for (name,) in warehouse.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
    }
    wanted: set[str] = set()
    for model in models:
        try:
            wanted |= set(model.reads())
        except UnusableModel:
            # Told as this model's failure.
            continue
    for mart in sorted(wanted & there):
        path = str(folder / f"{mart}.parquet").replace("'", "''")
        warehouse.execute(f"copy (from marts.\"{mart}\") to '{path}' (format parquet, compression snappy)")
    return there


def _readable(
    models: Sequence[ModelFile], there: set[str]
) -> tuple[list[tuple[str, str, bool, list[str]]], dict[str, ModelRun]]:
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
            failed[model.name] = _failure(model.name, model.is_own, str(error))
        else:
            usable.append((model.name, str(model.path), model.is_own, list(reads)))
    return usable, failed


def _failure(name: str, is_own: bool, message: str, seconds: float = 0.0) -> ModelRun:
    return ModelRun(name, is_own, FAILED, message, {}, seconds, None, None, (), ())


def _work(job: Job, most_seconds: int, job_path: Path, progress: Callable[[str], None]) -> dict[str, ModelRun]:
    """Let workers run the models; a model whose worker dies or takes too long has failed, and a new worker goes on."""
    runs: dict[str, ModelRun] = {}
    left = list(job.models)
    while left:
        job_path.write_text(json.dumps({**asdict(job), "models": left}), encoding="utf-8")
        # The same packages as here, wherever they were found.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_ONE_THREAD}
        worker = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "pipelines.mining.worker", str(job_path)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            ended = _watch(worker, Path(job.out), left, most_seconds, progress)
        finally:
            worker.kill()
            worker.wait()
        runs |= ended
        left = [model for model in left if model[0] not in runs]
    return runs


def _watch(
    worker: subprocess.Popen[bytes],
    out: Path,
    left: Sequence[tuple[str, str, bool, list[str]]],
    most_seconds: int,
    progress: Callable[[str], None],
) -> dict[str, ModelRun]:
    """Wait for the models one by one; end with the first that hangs or that took the worker down."""
    runs: dict[str, ModelRun] = {}
    began, room = time.monotonic(), most_seconds + _START_SECONDS
    for name, _, is_own, _ in left:
        told = out / f"{name}.json"
        while not told.exists():
            # Looked at before the file: a worker that ends in between has written it.
            code = worker.poll()
            if told.exists():
                break
            seconds = time.monotonic() - began
            if code is not None:
                runs[name] = _failure(
                    name, is_own, f"its process ended (code {code}), perhaps for want of memory", seconds
                )
            elif seconds > room:
                runs[name] = _failure(
                    name,
                    is_own,
                    f"it took more than {most_seconds} seconds (LOUPAN_MODEL_SECONDS) and was stopped",
                    seconds,
                )
            if name in runs:
                progress(name)
                return runs
            time.sleep(_POLL_SECONDS)
        runs[name] = ModelRun.of_row(tuple(json.loads(told.read_text(encoding="utf-8"))))
        progress(name)
        began, room = time.monotonic(), most_seconds
    return runs


def _store(warehouse: duckdb.DuckDBPyConnection, runs: Sequence[ModelRun], out: Path) -> None:
    warehouse.execute(
        f"create table {SCHEMA}.{RUN_TABLE} (name varchar primary key, is_own boolean, status varchar, "
        "message varchar, seconds double, trained_as_of varchar, told varchar)"
    )
    for run in runs:
        for output in run.outputs:
            path = str(out / run.name / f"{output.name}.parquet").replace("'", "''")
            table = output_table(run.name, output.name)
            warehouse.execute(f"create table {SCHEMA}.\"{table}\" as from read_parquet('{path}')")
        warehouse.execute(f"insert into {SCHEMA}.{RUN_TABLE} values (?, ?, ?, ?, ?, ?, ?)", run.as_row())  # noqa: S608
