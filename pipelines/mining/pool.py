"""Let workers run models, two at a time, each within its time and its memory.

Models are strangers to each other: what one does must not cost another its result, nor the machine its memory. While
two run, each may take half of the memory; one that needs more is stopped, and runs once more by itself with all of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

import psutil

from loupan.mining.published import FAILED, ModelRun
from pipelines.mining.worker import OUT_OF_MEMORY, Job, Model

# More would divide the memory into parts too small for a model; below so many megabytes even one of two is.
_MOST_WORKERS, _LEAST_MEGABYTES = 2, 400
# Importing pandas and scikit-learn costs a second; where all models take few, another worker brings nothing.
_SECOND_AFTER_SECONDS = 2.0
_POLL_SECONDS = 0.02
# To ask for all that a model has started takes longer than to ask for its own process.
_FAMILY_SECONDS = 0.1
# Importing pandas and DuckDB is no work of the first model's.
_START_SECONDS = 60
# Threads that wait for each other on a busy machine cost more than they bring, and sums would hang on their number.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Bounds:
    """What a model may take: seconds, and megabytes with all that it starts."""

    seconds: int
    megabytes: int


def run_in_workers(job: Job, bounds: Bounds, folder: Path, progress: Callable[[str], None]) -> dict[str, ModelRun]:
    """Run the models of a job.

    Args:
        job: what is to be done.
        bounds: of each model; the megabytes are those of all that run at the same time together.
        folder: for the job's file.
        progress: called with the name of each model that has ended, in the order of the job whichever ends first.

    Returns:
        What became of each, by name.
    """
    runs: dict[str, ModelRun] = {}
    untold = deque(model.name for model in job.models)
    cores = len(os.sched_getaffinity(0))
    together = max(min(_MOST_WORKERS, cores, len(job.models), bounds.megabytes // _LEAST_MEGABYTES), 1)
    for workers in [together, 1] if together > 1 else [1]:
        part = replace(
            job,
            models=[model for model in job.models if model.name not in runs],
            megabytes=bounds.megabytes // workers,
            threads=max(cores // workers, 1),
        )
        for run in _ended(part, workers, replace(bounds, megabytes=part.megabytes), folder, is_last=workers == 1):
            runs[run.name] = run
            while untold and untold[0] in runs:
                progress(untold.popleft())
    return runs


def _ended(job: Job, count: int, bounds: Bounds, folder: Path, *, is_last: bool) -> Iterator[ModelRun]:
    """Give what became of each model as it ends, but for those that want more memory while there is another round."""
    path = folder / "job.json"
    path.write_text(json.dumps(asdict(job)), encoding="utf-8")
    left = deque(job.models)
    workers: list[_Worker] = []
    begun = time.monotonic()
    try:
        while left or any(worker.model for worker in workers):
            for worker in workers[:]:
                outcome = worker.look(Path(job.out), bounds)
                if outcome is not None and (is_last or not outcome.wants_memory):
                    yield outcome.run
                if worker.is_lost:
                    worker.end()
                    workers.remove(worker)
            wanted = count if time.monotonic() - begun > _SECOND_AFTER_SECONDS else 1
            while left and len(workers) < wanted:
                workers.append(_Worker.start(path, bounds))
            for worker in workers:
                if worker.model is None and left:
                    worker.give(left.popleft(), Path(job.out))
            time.sleep(_POLL_SECONDS)
    finally:
        for worker in workers:
            worker.end()


@dataclass(frozen=True)
class _Outcome:
    run: ModelRun
    wants_memory: bool = False


@dataclass
class _Worker:
    """A process that runs one model after the other.

    Attributes:
        process: leader of a session, with all that a model may start.
        names: where it is told which model to run.
        room: seconds that the model it runs may take.
        model: that one; None while it waits.
        began: when it began with it.
        is_lost: whether it has ended, or must.
    """

    process: subprocess.Popen[str]
    names: IO[str]
    room: float
    model: Model | None = None
    began: float = 0.0
    is_lost: bool = False
    _counted: float = field(default=0.0, repr=False)

    @classmethod
    def start(cls, job: Path, bounds: Bounds) -> _Worker:
        # The same packages as here, wherever they were found.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_ONE_THREAD}
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "pipelines.mining.worker", str(job)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        if process.stdin is None:
            raise ValueError("a worker without a pipe cannot be told what to do")
        return cls(process, process.stdin, bounds.seconds + _START_SECONDS)

    def give(self, model: Model, out: Path) -> None:
        """Have it run a model; ``out`` is the folder in which it tells what became of it."""
        # What it told in an earlier round, if it wants more memory than it had then.
        (out / f"{model.name}.json").unlink(missing_ok=True)
        self.model, self.began = model, time.monotonic()
        # One that is dead already is noticed at the next look.
        with suppress(BrokenPipeError):
            self.names.write(f"{model.name}\n")
            self.names.flush()

    def look(self, out: Path, bounds: Bounds) -> _Outcome | None:
        """Return what became of its model if that has ended; one that took too much is lost with its worker."""
        if self.model is None:
            return None
        # Looked at before the file: a worker that ends in between has written it.
        code, seconds = self.process.poll(), time.monotonic() - self.began
        told = out / f"{self.model.name}.json"
        if told.exists():
            run = ModelRun.of_row(tuple(json.loads(told.read_text(encoding="utf-8"))))
            self.model, self.room = None, bounds.seconds
            return _Outcome(run, run.status == FAILED and run.message.startswith(OUT_OF_MEMORY))
        if code is not None:
            return self._lose(f"its process ended (code {code}), perhaps for want of memory", code == -signal.SIGKILL)
        if self._megabytes(bounds.megabytes) > bounds.megabytes:
            return self._lose(
                f"it needed more than {bounds.megabytes} megabytes of memory and was stopped. Raise "
                "LOUPAN_MODEL_MEGABYTES if the machine has more, or let SQL count before rows become a data frame, or "
                "learn from a sample; see docs/own_model.md",
                wants_memory=True,
            )
        if seconds > self.room:
            return self._lose(f"it took more than {bounds.seconds} seconds (LOUPAN_MODEL_SECONDS) and was stopped")
        return None

    def _lose(self, message: str, wants_memory: bool = False) -> _Outcome:
        model, self.model, self.is_lost = self.model, None, True
        if model is None:
            raise ValueError("a worker that runs no model loses none")
        run = ModelRun.failure(model.name, model.is_own, message, time.monotonic() - self.began)
        return _Outcome(run, wants_memory)

    def _megabytes(self, most: int) -> int:
        """Return what it takes, now and then with all that it has started."""
        try:
            own = psutil.Process(self.process.pid).memory_info().rss >> 20
            if own > most or time.monotonic() - self._counted < _FAMILY_SECONDS:
                return own
            self._counted = time.monotonic()
            family = [psutil.Process(pid) for pid in psutil.pids() if _session(pid) == self.process.pid]
            if len(family) < 2 or sum(one.memory_info().rss for one in family) >> 20 <= most:
                return own
            # Shared by several, a page counts once.
            return sum(one.memory_full_info().pss for one in family) >> 20
        except psutil.Error:
            # One of them has just ended; the next look tells.
            return 0

    def end(self) -> None:
        """End it, and all that its models have started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with suppress(BrokenPipeError):
            self.names.close()


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0
