"""The reading side: charts through our gateway, as plain SQL on the marts, through Superset, and on the CRM itself."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import sqlalchemy as sa

from loupan.metrics import Metrics
from loupan.snapshot import Snapshot, current
from tests.benchmarks.company import Company
from tests.benchmarks.peers import crm_charts
from tests.benchmarks.peers.environments import PROGRAMS, SUPERSET, clean
from tests.benchmarks.peers.questions import QUESTIONS, Answers, Question, answer, asked, differences
from tests.benchmarks.result import Table
from tests.benchmarks.watch import watched

REPEATS = 20
_WAYS = ("Loupan's gateway", "SQL on the marts, no gateway", "Superset on the marts", "SQL on the CRM")
Seconds = dict[str, list[float]]


def measure(made: Company, folder: Path, as_of: dt.datetime) -> tuple[Table, dict[str, float]]:
    """Ask every question in every way; the answers of each must be ours."""
    snapshot = current(made.settings)
    ours, gateway = _through_the_gateway(snapshot)
    ways = [
        (ours, gateway),
        _on_the_marts(snapshot),
        _through_superset(snapshot, folder),
        on_the_crm(made, as_of),
    ]
    problems = [problem for found, _ in ways for problem in differences(ours, found)]
    rows = tuple(
        (name, *(_median(seconds.get(name)) for _, seconds in ways)) for name in dict.fromkeys([*gateway, *ways[3][1]])
    )
    note = (
        f"Medians of {REPEATS}, the first time left out. {'; '.join(problems) or 'All answers are equal'}."
        f" {SUPERSET.versions()}; requests to `/api/v1/chart/data` of the application in process, nothing kept from"
        " before (`force`), one dataset a chart. Metabase is a Java program that no Python registry has; it sends such"
        " SQL as well. What stands in no line of the CRM cannot be written as one SELECT on it."
    )
    figures = {f"{way}_ms": statistics.median(m for m in map(_median, found.values()) if m) for way, found in
               zip(("gateway", "sql", "superset", "crm"), (seconds for _, seconds in ways), strict=True)}  # fmt: skip
    columns = ("question (metric)", *_WAYS)
    return Table("A chart's data, uncached (milliseconds)", columns, rows, note=note), figures


def _median(seconds: list[float] | None) -> float | None:
    return statistics.median(seconds[1:]) * 1000 if seconds else None


def _timed(questions: tuple[Question, ...], ask: Callable[[Question], Any]) -> tuple[Answers, Seconds]:
    answers: Answers = {}
    seconds: Seconds = {}
    for question in questions:
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            answers[question.metric] = ask(question)
            seconds.setdefault(question.metric, []).append(time.perf_counter() - start)
    return answers, seconds


def _through_the_gateway(snapshot: Snapshot) -> tuple[Answers, Seconds]:
    metrics = Metrics(snapshot)
    known = {question.metric for question in QUESTIONS}
    further = tuple(question for name, (question, _) in crm_charts.CHARTS.items() if name not in known)
    return _timed((*QUESTIONS, *further), lambda question: asked(metrics, question))


def _copied(snapshot: Snapshot, folder: Path) -> Path:
    """Return a copy of the marts: DuckDB opens a file once in a process, with one configuration."""
    target = folder / "marts.duckdb"
    target.write_bytes(snapshot.marts_path.read_bytes())
    return target


def _on_the_marts(snapshot: Snapshot) -> tuple[Answers, Seconds]:
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(str(_copied(snapshot, Path(folder))), read_only=True) as connection,
    ):
        return _timed(QUESTIONS, lambda q: answer(connection.execute(q.sql("")).fetchall(), len(q.by)))


def on_the_crm(made: Company, as_of: dt.datetime) -> tuple[Answers, Seconds]:
    """Ask the charts that can be written so on the tables of the CRM; return answers and seconds."""
    engine = sa.create_engine(made.settings.crm_database_url)
    moment = as_of.astimezone(dt.UTC).replace(tzinfo=None)
    today = as_of.astimezone(ZoneInfo(made.settings.time_zone)).date()
    # As SQLAlchemy's types write them, for SQLite too.
    values: dict[str, sa.BindParameter[Any]] = {
        "as_of": sa.bindparam("as_of", moment, sa.DateTime()),
        "today": sa.bindparam("today", today, sa.Date()),
    }

    def ask(question: Question) -> Any:
        text = crm_charts.sql(question.metric, made.source)
        used = [value for name, value in values.items() if f":{name}" in text]
        return answer(connection.execute(sa.text(text).bindparams(*used)).fetchall(), len(question.by))

    try:
        with engine.connect() as connection:
            return _timed(tuple(question for question, _ in crm_charts.CHARTS.values()), ask)
    finally:
        engine.dispose()


def _through_superset(snapshot: Snapshot, folder: Path) -> tuple[Answers, Seconds]:
    home = folder / "superset"
    home.mkdir()
    variables = clean(
        SUPERSET_CONFIG_PATH=str(PROGRAMS / "superset_config.py"),
        SUPERSET_HOME=str(home),
        SUPERSET_SECRET_KEY=secrets.token_hex(),
    )
    charts = {q.metric: {"rows": q.rows.format(marts=""), "by": q.by, "measures": q.measures} for q in QUESTIONS}
    asked_path, answers_path = home / "charts.json", home / "answers.json"
    asked_path.write_text(json.dumps(charts), encoding="utf-8")
    url = f"duckdb:///{_copied(snapshot, home)}?access_mode=READ_ONLY"
    program = [SUPERSET.python, str(PROGRAMS / "superset_ask.py"), url, str(asked_path), str(REPEATS)]
    for command in _set_up():
        watched(command, variables)
    watched([*program, str(answers_path)], variables)
    told = json.loads(answers_path.read_text(encoding="utf-8"))
    groups = {question.metric: len(question.by) for question in QUESTIONS}
    return {name: answer(rows, groups[name]) for name, rows in told["rows"].items()}, told["seconds"]


def _set_up() -> Iterator[list[str]]:
    superset = SUPERSET.program("superset")
    yield [superset, "db", "upgrade"]
    yield [superset, "init"]
