"""What pages ask of the gateway, in the states that readers leave them in, and how long each question takes."""

from __future__ import annotations

import json
import logging
import math
import os
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
from streamlit.testing.v1 import AppTest

from dashboards import fair_comparison, memory
from dashboards.menu import DASHBOARDS
from dashboards.seat import stand_in
from data_entry.access import SYSTEM
from loupan import aggregates
from loupan.metrics import Metrics, Scope, open_current
from loupan.metrics.gateway import Answer
from loupan.settings import Settings, get_settings
from loupan.snapshot import NoSnapshot, Snapshot, current
from tests.benchmarks import threefold
from tests.benchmarks.company import company
from tests.benchmarks.result import Measured, Table

SCRIPT = Path(__file__).with_name("reading_page.py")
# Larger companies are put together of three.
LARGEST = 100
REPEATS = 3
THREADS = 2
_MOST_SECONDS = 1800
_SLOW_SECONDS = 0.4
_SLOWEST = 12
# The lead list asks the CRM and reads what a model made; it asks the gateway nothing.
_LEFT_OUT = {"lead-list"}
_LOG = logging.getLogger("streamlit")


@dataclass(frozen=True)
class State:
    """How a reader has left a page.

    Attributes:
        name: in words.
        address: what stands in its address; values in braces are chosen from the data.
        reach: the rows that the reader may see, by dimension; empty for all.
    """

    name: str
    address: dict[str, str]
    reach: dict[str, list[str]]


@dataclass(frozen=True)
class _Question:
    """What the gateway was asked by somebody: metrics, or a statement without parameters."""

    scope: Scope
    metrics: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    start: date | None = None
    end: date | None = None
    statement: str = ""

    @property
    def words(self) -> str:
        """The question as people write it, without the values of filters."""
        if self.statement:
            return "the values of a dimension"
        parts = [", ".join(self.metrics), f"by {', '.join(self.by)}" if self.by else ""]
        parts.append(f"of one {', '.join(name for name, _ in self.where)}" if self.where else "")
        parts.append(f"{self.start or ''}–{self.end or ''}" if self.start or self.end else "")
        return " ".join(filter(None, parts))

    def ask(self, metrics: Metrics) -> Answer:
        """Ask it."""
        if self.statement:
            return metrics._fetch(self.statement, {})
        return metrics._answer(self.metrics, self.by, dict(self.where), self.start, self.end)  # type: ignore[arg-type]

    def both_ways(self) -> tuple[Taken, Taken]:
        """Return what it takes, and what from the facts alone."""
        metrics = open_current().within(self.scope)
        taken = self._fastest(metrics)
        if self.statement or self._sql(metrics) == self._sql(metrics.from_facts()):
            return taken, taken
        return taken, self._fastest(metrics.from_facts())

    def _sql(self, metrics: Metrics) -> str:
        return metrics._statement(self.metrics, self.by, dict(self.where), self.start, self.end).sql  # type: ignore[arg-type]

    def _fastest(self, metrics: Metrics) -> Taken:
        """Ask it several times, once it is compiled, and return the least that it took."""
        _, rows = self.ask(metrics)
        took: list[tuple[float, float]] = []
        # What is slow beyond doubt needs no second look.
        while len(took) < REPEATS and sum(seconds for seconds, _ in took) < _SLOW_SECONDS:
            start, core = time.perf_counter(), time.process_time()
            self.ask(metrics)
            took.append((time.perf_counter() - start, time.process_time() - core))
        return Taken(len(rows), *(1000 * min(seconds) for seconds in zip(*took, strict=True)))


@dataclass(frozen=True)
class Taken:
    """What a question took.

    Attributes:
        rows: of the answer.
        milliseconds: the least of several times.
        core_milliseconds: of all threads, likewise: what others take of the machine does not show in it.
    """

    rows: int
    milliseconds: float
    core_milliseconds: float


@dataclass(frozen=True)
class Asked:
    """A question that a page asked, or a statement beside the questions, with the milliseconds it took.

    Attributes:
        page, state: where.
        words: metrics, dimensions and filters, as people write them.
        taken: with the aggregates.
        from_facts: from the facts alone.
    """

    page: str
    state: str
    words: str
    taken: Taken
    from_facts: Taken


def measure(folder: Path, scale: float, source: str) -> Measured:
    """Publish a company of a scale, draw every page in every state, and time all that they asked."""
    with published(folder, scale) as settings, _read(settings):
        asked = list(_asked())
        snapshot = current(settings)
    tables = [_pages(asked), _slowest(asked), _kept(snapshot)]
    by_page = _by_page(asked).values()
    figures = {
        "slowest_page_p95_ms": max(_p95([a.taken.milliseconds for a in of]) for of in by_page),
        "slowest_page_p95_core_ms": max(_p95([a.taken.core_milliseconds for a in of]) for of in by_page),
        "slowest_page_p95_ms_from_facts": max(_p95([a.from_facts.milliseconds for a in of]) for of in by_page),
        "questions": float(len(asked)),
    }
    return Measured(tuple(tables), figures)


@contextmanager
def published(folder: Path, scale: float) -> Iterator[Settings]:
    """Publish a company in a folder, or three of them; one that the part ``refresh`` keeps beside it is taken."""
    if scale <= LARGEST:
        with company(folder, scale) as made:
            made.refresh(models=False)
            yield made.settings
        return
    third = scale / threefold.COMPANIES
    beside = folder.parent / f"refresh-{third:g}-sqlite"
    with company(beside if beside.exists() else folder / "one", third) as made:
        three = Settings(data_dir=folder / "three", crm_url="")
        one = _of_this_program(made.settings)
        if one is None:
            made.refresh(models=False)
            one = current(made.settings)
        snapshot = threefold.tripled(one, three.snapshots_dir)
    (three.snapshots_dir / "CURRENT").write_text(f"{snapshot.version}\n", encoding="utf-8")
    yield three


def _of_this_program(settings: Settings) -> Snapshot | None:
    try:
        snapshot = current(settings)
    except NoSnapshot:
        return None
    return snapshot if snapshot.is_of_this_program(settings) else None


@contextmanager
def _read(settings: Settings) -> Iterator[None]:
    """Let this process read an installation's data, and nothing of the machine's own settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
    with mock.patch.dict(os.environ, {**own, "LOUPAN_DATA_DIR": str(settings.data_dir)}, clear=True):
        get_settings.cache_clear()
        memory.forget()
        try:
            open_current()._connection.execute(f"set threads = {THREADS}")
            yield
        finally:
            get_settings.cache_clear()
            memory.forget()


def _states() -> list[State]:
    metrics = open_current()

    def values(dimension: str) -> list[str]:
        return [str(value) for value in metrics.dimension_values(dimension) if value is not None]

    projects, people = values("project"), values("employee_id")
    chosen = {"project": projects[len(projects) // 3], "source": values("source")[2]}
    last = str(metrics.query(["leads"], by=["month"])["month"].max())
    year = int(last[:4])
    return [
        State("as it opens", {}, {}),
        State("all time", {"period": "all"}, {}),
        State("one estate", {"project": chosen["project"]}, {}),
        State("one month", {"period": f"{last}..{last}"}, {}),
        State("a quarter of last year", {"period": f"{year - 1}-04..{year - 1}-06"}, {}),
        State("beside the year before", {"compare": "year"}, {}),
        State("one source", {"source": chosen["source"]}, {}),
        State("to whom three estates are assigned", {}, {"project_id": values("project_id")[:3]}),
        State("who leads ten people", {}, {"employee_id": people[len(people) // 2 :][:10]}),
    ]


def _asked() -> Iterator[Asked]:
    states = _states()
    known: dict[_Question, tuple[Taken, Taken]] = {}
    for page in (page for pages in DASHBOARDS.values() for page in pages if page.path not in _LEFT_OUT):
        # Pages without filters have one state for each reader.
        for state in states if page.has_filters else [s for s in states if not s.address]:
            for question in _drawn(page.path, state):
                if question not in known:
                    known[question] = question.both_ways()
                yield Asked(page.path, state.name, question.words, *known[question])


def _drawn(page: str, state: State) -> list[_Question]:
    """Draw a page that remembers nothing and return all that it asked."""
    found: list[_Question] = []
    answer, fetch = Metrics._answer, Metrics._fetch
    is_answering = False

    def answered(self: Metrics, metrics: Any, by: Any, where: Any, start: Any, end: Any) -> Answer:
        nonlocal is_answering
        names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        chosen = tuple((name, tuple(values)) for name, values in (where or {}).items())
        found.append(_Question(self.scope, names, tuple(by), chosen, start, end))
        is_answering = True
        try:
            return answer(self, names, by, where, start, end)
        finally:
            is_answering = False

    def fetched(self: Metrics, sql: str, parameters: dict[str, object]) -> Answer:
        if not is_answering:
            found.append(_Question(self.scope, statement=sql))
        return fetch(self, sql, parameters)

    memory.forget()
    run = AppTest.from_file(str(SCRIPT), default_timeout=_MOST_SECONDS)
    run.query_params["page"], run.query_params["reach"] = page, json.dumps(state.reach)
    for name, value in state.address.items():
        run.query_params[name] = value
    _LOG.setLevel(logging.ERROR)
    with (
        mock.patch.object(Metrics, "_answer", answered),
        mock.patch.object(Metrics, "_fetch", fetched),
        # What is calculated from answers is not measured.
        mock.patch.object(fair_comparison, "adjust", return_value=None),
        mock.patch.object(fair_comparison, "shares", return_value=None),
        mock.patch.object(fair_comparison, "calibration", return_value=None),
        stand_in(SYSTEM),
    ):
        run.run()
    return found


def _by_page(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for one in asked:
        found.setdefault(one.page, []).append(one)
    return found


def _p95(values: Sequence[float]) -> float:
    """Return the smallest value that at least 95 % are not above."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _pages(asked: Sequence[Asked]) -> Table:
    rows = []
    for page, of in _by_page(asked).items():
        took, from_facts = [a.taken.milliseconds for a in of], [a.from_facts.milliseconds for a in of]
        rows.append((
            page, len(of), statistics.median(took), _p95(took), _p95([a.taken.core_milliseconds for a in of]),
            max(took), _p95(from_facts), _p95(from_facts) / _p95(took),
        ))  # fmt: skip
    states = ", ".join(dict.fromkeys(a.state for a in asked))
    return Table(
        "The questions of each page (milliseconds)",
        ("page", "questions", "median", "p95", "p95 of core-ms", "slowest", "p95 from facts alone", "times faster"),
        tuple(rows),
        note=f"Each page is drawn in these states, as far as it has filters: {states}. Nothing is remembered from one"
        f" to the next. The fastest of {REPEATS} answers counts, the file being in the system's memory; {THREADS}"
        " threads. Core-milliseconds are those of both threads; others on the machine do not show in them.",
    )


def _slowest(asked: Sequence[Asked]) -> Table:
    by_words: dict[str, Asked] = {}
    for one in asked:
        known = by_words.setdefault(one.words, one)
        if known.taken.core_milliseconds < one.taken.core_milliseconds:
            by_words[one.words] = one
    slowest = sorted(by_words.values(), key=lambda one: -one.taken.core_milliseconds)[:_SLOWEST]
    return Table(
        "The slowest questions",
        ("question", "page", "state", "rows", "milliseconds", "core-ms", "core-ms from facts alone"),
        tuple(
            (a.words, a.page, a.state, a.taken.rows, a.taken.milliseconds, a.taken.core_milliseconds,
             a.from_facts.core_milliseconds)
            for a in slowest
        ),
    )  # fmt: skip


def _kept(snapshot: Snapshot) -> Table:
    """Return what the aggregates cost: made once more, beside the snapshot."""
    manifest = json.loads(snapshot.semantic_manifest_path.read_text(encoding="utf-8"))
    told = json.loads(snapshot.aggregates_path.read_text(encoding="utf-8"))
    beside = snapshot.path / "again.duckdb"
    beside.unlink(missing_ok=True)
    try:
        with duckdb.connect(
            str(beside), config={"disabled_optimizers": "common_subexpressions", "memory_limit": "4GB", "threads": 2}
        ) as connection:
            connection.execute(f"attach '{snapshot.marts_path}' as marts (read_only)")
            before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            aggregates.make(connection, manifest, told["cut"])
            connection.execute("checkpoint")
            seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        size = beside.stat().st_size
    finally:
        beside.unlink(missing_ok=True)
    whole = snapshot.marts_path.stat().st_size
    return Table(
        "What the aggregates cost",
        ("tables", "rows", "MiB", "share of the snapshot", "seconds to make", "core-seconds"),
        ((
            len(told["aggregates"]), sum(a["rows"] for a in told["aggregates"]), size / 2**20, f"{size / whole:.1%}",
            seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        ),),
    )  # fmt: skip
