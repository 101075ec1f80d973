"""Run models in a process of their own: ``python -m pipelines.mining.worker JOB``.

A model may hang, eat the memory or take the interpreter down with it; a refresh must survive that. The job is a JSON
file; the names of the models to be run come one by one, a line each, from the standard input. Each model's run is
written to ``<out>/<model>.json`` when it ends, its tables to ``<out>/<model>/``.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from loupan import logs
from loupan.errors import LoupanError
from loupan.files import replace_text
from loupan.mining import Abstain, Card, Marts, Result
from loupan.mining.published import ABSTAINED, OK, ModelRun, PublishedOutput
from loupan.mining.result import check
from loupan.settings import get_settings

# By its own name also where it is the program: what others than ours log is not filled in.
LOG = logging.getLogger("pipelines.mining.worker")
_MOST_OF_MESSAGE = 2_000
# DuckDB takes this part of a model's memory at most, and puts on the disk what needs more; data frames need the rest.
_DUCKDB_PART = 3
OUT_OF_MEMORY = "There was not enough memory for it"
"""With this begins the message of a model that told so itself."""
# What is remembered was made by these; another version may read it as something else.
_MADE_BY = ("loupan", "numpy", "pandas", "scikit-learn", "statsmodels")


@dataclass(frozen=True)
class Model:
    """A model that can be run.

    Attributes:
        name: of its file, without the ending.
        path: of its file.
        is_own: whether it is the company's own.
        reads: the marts it reads.
    """

    name: str
    path: str
    is_own: bool
    reads: list[str]


@dataclass(frozen=True)
class Job:
    """What workers are to do.

    Attributes:
        models: in order.
        marts: folder of the marts that were copied.
        database: file of the others, in its schema ``marts``; none if all were copied.
        out: folder of the results.
        memory: folder where models keep what they have learnt.
        as_of: the moment of the data (ISO 8601, UTC).
        as_of_on: the last day they speak of (ISO 8601).
        refresh: process that waits for the results; without it nobody does.
        megabytes: most memory that a worker may take with all that it starts.
        threads: that DuckDB answers a model's questions with.
    """

    models: list[Model]
    marts: str
    out: str
    memory: str
    as_of: str
    as_of_on: str
    refresh: int
    megabytes: int = 0
    threads: int = 1
    database: str = ""

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job's file."""
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**told, "models": [Model(**model) for model in told["models"]]})


def run_model(job: Job, name: str, path: Path, is_own: bool, reads: list[str]) -> ModelRun:
    """Run one model and write its tables; whatever goes wrong is told in the run that is returned."""
    began = time.monotonic()
    run = replace(ModelRun.failure(name, is_own), made_as_of=job.as_of)
    try:
        module = _load(path, name)
        card = getattr(module, "CARD", None)
        if not isinstance(card, Card):
            raise LoupanError(f"{path} has no CARD; give it a loupan.mining.Card")
        run = replace(run, card=card)
        marts = Marts(
            Path(job.marts),
            dt.datetime.fromisoformat(job.as_of),
            dt.date.fromisoformat(job.as_of_on),
            tuple(reads),
            megabytes=job.megabytes // _DUCKDB_PART or None,
            threads=job.threads,
            database=Path(job.database) if job.database else None,
        )
        if hasattr(module, "train"):
            fitted, trained_as_of = _remembered(module, path, marts, Path(job.memory) / name)
            run = replace(run, trained_as_of=trained_as_of)
            result = check(module.run(marts, fitted))
        else:
            result = check(module.run(marts))
        outputs = _write(result, Path(job.out) / name)
        run = _readable(
            replace(
                run, status=OK, message=result.verdict, values=dict(result.values),
                evaluation=tuple(result.evaluation), outputs=outputs,
            )
        )  # fmt: skip
    except Abstain as abstained:
        run = _readable(replace(run, status=ABSTAINED, message=abstained.reason, values=abstained.values))
    except LoupanError as error:
        run = replace(run, message=str(error)[:_MOST_OF_MESSAGE])
    # SystemExit and its like as well: the models after this one are still to be run.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        LOG.exception("Model %s failed", name)
        told = _told(error, path)
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
            told = f"{OUT_OF_MEMORY} (LOUPAN_MODEL_MEGABYTES). {told}"
        run = replace(run, message=told[:_MOST_OF_MESSAGE])
    return replace(run, seconds=round(time.monotonic() - began, 3))


def _readable(run: ModelRun) -> ModelRun:
    """Return a run as it will be read, numbers of NumPy as Python's own: what cannot be read has failed."""
    told = json.dumps(run.as_row(), default=lambda value: value.item())
    return ModelRun.of_row(tuple(json.loads(told)))


def _told(error: BaseException, path: Path) -> str:
    """Say what went wrong and, where it is known, in which line of the model's own file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{type(error).__name__}: {error}" + (f" ({path.name}, line {lines[-1]})" if lines else "")


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"loupan_model_{name}", path)
    if spec is None or spec.loader is None:
        raise LoupanError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    # Data classes and pickles look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "run", None)):
        raise LoupanError(f"{path} has no function run(marts)")
    return module


def _remembered(module: ModuleType, path: Path, marts: Marts, memory: Path) -> tuple[Any, str]:
    """Return what the model has learnt and up to when; learn anew when that is too old, or made by something else."""
    import joblib

    versions = [f"{package} {importlib.metadata.version(package)}" for package in _MADE_BY]
    key = hashlib.sha256(path.read_bytes() + json.dumps(versions).encode()).hexdigest()
    file = memory.with_suffix(".joblib")
    try:
        kept = joblib.load(file)
        age = marts.as_of - dt.datetime.fromisoformat(kept["as_of"])
        if kept["key"] == key and dt.timedelta(0) <= age < dt.timedelta(days=getattr(module, "RETRAIN_DAYS", 7)):
            return kept["fitted"], kept["as_of"]
    except FileNotFoundError:
        pass
    except Exception:  # whatever a damaged or foreign file raises when it is unpickled
        LOG.warning("What %s had learnt cannot be read; it learns anew", path.stem, exc_info=True)
    fitted = module.train(marts)
    memory.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    joblib.dump({"key": key, "as_of": marts.as_of.isoformat(), "fitted": fitted}, new)
    new.replace(file)
    return fitted, marts.as_of.isoformat()


def _write(result: Result, folder: Path) -> tuple[PublishedOutput, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    for output in result.outputs:
        output.frame.to_parquet(folder / f"{output.name}.parquet", index=False)
    return tuple(
        PublishedOutput(o.name, o.title, len(o.frame), dict(o.fields), o.picture, o.note) for o in result.outputs
    )


def _give_back() -> None:
    """Return memory that a model has left to the system; the next one has its own bound."""
    gc.collect()
    # Only glibc keeps freed memory to itself, and only glibc has this.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _die_first() -> None:
    """Have the system, where its memory ends, end this process before those of others."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")


def main(job_path: Path, names: Iterable[str]) -> None:
    """Run models of a job, one after the other, as they are named."""
    job = Job.read(job_path)
    models = {model.name: model for model in job.models}
    for name in names:
        # A refresh that was killed could not stop its worker.
        if os.getppid() != job.refresh:
            return
        model = models[name]
        run = run_model(job, name, Path(model.path), model.is_own, model.reads)
        replace_text(Path(job.out) / f"{name}.json", json.dumps(run.as_row(), ensure_ascii=False))
        _give_back()


if __name__ == "__main__":
    logs.to_stream(get_settings(), program="model")
    _die_first()
    # Kept from the models, which might read from it: to them the standard input is empty.
    lines = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    with open(os.devnull, encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    main(Path(sys.argv[1]), (line.rstrip("\n") for line in iter(lines.readline, "")))
