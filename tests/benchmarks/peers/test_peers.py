"""The comparison with other tools: the questions mean the same everywhere, and what is missing is said."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks.__main__ import main
from tests.benchmarks.company import MOMENT, Company, MissingError
from tests.benchmarks.peers import comparison, pandas_answers, reading
from tests.benchmarks.peers.crm_charts import CHARTS
from tests.benchmarks.peers.environments import Environment, clean
from tests.benchmarks.peers.questions import QUESTIONS, Answers, answer, asked, differences, read_answers
from tests.support.installation import sample_installation


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("company")
    shutil.copytree(sample_installation(), folder, dirs_exist_ok=True)
    return Company(Settings(data_dir=folder, crm_url=""), "sqlite")


@pytest.fixture(scope="module")
def ours(company: Company) -> Answers:
    metrics = Metrics(current(company.settings))
    answers = {question.metric: asked(metrics, question) for question in QUESTIONS}
    return answers | {name: asked(metrics, question) for name, (question, _) in CHARTS.items()}


def test_pandas_answers_as_we_do(company: Company, ours: Answers, tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    pandas_answers.main(company.settings.crm_database_url, MOMENT, str(path))
    answers = read_answers(path)
    assert list(answers) == [question.metric for question in QUESTIONS]
    assert all(answers.values())
    assert differences(ours, answers) == []


def test_sql_on_the_marts_answers_as_we_do(company: Company, ours: Answers, tmp_path: Path) -> None:
    marts = shutil.copy(current(company.settings).marts_path, tmp_path)
    with duckdb.connect(str(marts), read_only=True) as con:
        answers = {q.metric: answer(con.execute(q.sql("")).fetchall(), len(q.by)) for q in QUESTIONS}
    assert differences(ours, answers) == []


def test_sql_on_the_crm_answers_as_we_do(company: Company, ours: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "REPEATS", 1)
    answers, seconds = reading.on_the_crm(company, dt.datetime.fromisoformat(MOMENT))
    assert set(answers) == set(seconds) == set(CHARTS)
    assert all(answers.values())
    assert differences(ours, answers) == []


def test_answers_that_differ_are_told() -> None:
    expected = {"visits": {("2026-01", "E1"): (3.0,), ("2026-02", "E1"): (4.0,)}}
    assert differences(expected, {"visits": {("2026-01", "E1"): (3.004,), ("2026-02", "E1"): (4.0,)}}) == []
    for wrong in ({("2026-01", "E1"): (3.01,)}, {}):
        (told,) = differences(expected, {"visits": {("2026-02", "E1"): (4.0,), **wrong}})
        assert told.startswith("visits: 1 of 2 groups, as ('2026-01', 'E1')")
    assert differences(expected, {"visits": {**expected["visits"], ("2026-03", "E1"): (1.0,)}}) != []


def test_merged_customers_end_at_one_also_in_a_circle() -> None:
    keys = pd.Series([1, 2, 3, 4, 5, 6, 7, 8])
    # 1 → 2 → 3; 4 ⇄ 5, into which 6 leads; 7 into one that is gone; 8 alone.
    parents = pd.Series([2, 3, None, 5, 4, 5, 99, None])
    assert pandas_answers.roots(keys, parents).tolist() == [3, 3, 3, 4, 4, 4, 7, 8]


def test_a_missing_environment_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Environment("dlt", ("dlt",), root=tmp_path)
    with pytest.raises(MissingError, match="environment of dlt is missing"):
        missing.versions()
    monkeypatch.setattr(comparison, "DLT", missing)
    with pytest.raises(SystemExit) as stopped:
        main(["peers", "--scale", "0.01", "--folder", str(tmp_path / "kept")])
    assert stopped.value.code == 1
    python = tmp_path / ".venv-peers-dlt" / "bin" / "python"
    told = f"Error: The environment of dlt is missing: there is no {python}. Run `make peers`.\n"
    assert capsys.readouterr().err == told


def test_nothing_of_ours_reaches_the_programs_of_other_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_CRM_URL", "postgresql://host/database")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    variables = clean(SUPERSET_HOME="/there")
    assert not [name for name in variables if name.startswith(("LOUPAN_", "PYTHONPATH"))]
    assert variables["SUPERSET_HOME"] == "/there"


@pytest.mark.slow
@pytest.mark.skipif("PEERS_TESTS" not in os.environ, reason="minutes, and wants `make peers`: set PEERS_TESTS=1")
def test_every_tool_answers_as_we_do(tmp_path: Path) -> None:
    summary, steps, read = comparison.measure(tmp_path, 0.01, "sqlite").tables
    answers = summary.columns.index("answers")
    assert [(row[0], row[answers]) for row in summary.rows] == [
        ("Loupan", "equal"),
        ("pandas", "equal"),
        ("dlt + dbt-duckdb", "equal"),
        ("dlt + sqlmesh (its dbt adapter)", "equal"),
    ]
    assert {row[1] for row in steps.rows} == {"first", "again"}
    assert "All answers are equal" in read.note
