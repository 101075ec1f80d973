"""The parts of the benchmark, on the small company of the tests."""

from __future__ import annotations

import datetime as dt
import json
import operator
import os
import shutil
import sys
from functools import partial
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dashboards.menu import DASHBOARDS
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.schema.dbt_sources import ingested_tables
from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import current
from tests.benchmarks import bare, gateway, install, reading, startup, threefold
from tests.benchmarks.change import change
from tests.benchmarks.company import MOMENT, Company, failed_models
from tests.benchmarks.refresh import plan_of
from tests.benchmarks.watch import FailedError, brief, watched
from tests.support.installation import copy_crm, crm_installation, sample_installation

_BUSY = """
import subprocess, sys
held = bytearray(b'x') * (64 << 20)
child = 'import time\\nwhile time.process_time() < 1: pass'
subprocess.run([sys.executable, '-c', child], check=True)
"""


def test_what_children_take_is_counted() -> None:
    spent = watched([sys.executable, "-c", _BUSY], os.environ)
    assert spent.core_seconds >= 1
    assert spent.memory >= 64 << 20
    _, core_seconds = brief([sys.executable, "-c", _BUSY], os.environ)
    assert core_seconds >= 1


def test_a_command_that_fails_is_told_in_its_own_words() -> None:
    with pytest.raises(FailedError, match="ended with 3: out of luck"):
        watched([sys.executable, "-c", "print('out of luck'); exit(3)"], os.environ)


@pytest.fixture
def crm(tmp_path: Path) -> sa.Engine:
    copy_crm(crm_installation(), tmp_path)
    return create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")


def test_changes_are_updates_inserts_and_soft_deletes(crm: sa.Engine) -> None:
    moment = dt.datetime(2030, 1, 1)
    tables = [metadata.tables[name] for name in ("lead_event", "touchpoint", "payment", "customer", "lead", "demand")]

    def counts(condition: str) -> dict[str, int]:
        with crm.connect() as connection:
            select = "select count(*) from {0} where {1}"
            return {t.name: connection.scalar(sa.text(select.format(t.name, condition))) or 0 for t in tables}

    before, touched = counts("true"), counts("updated_at = '2030-01-01 00:00:00.000000'")
    assert not any(touched.values())
    changed = change(crm, 0.02, moment)
    grown = {name: count - before[name] for name, count in counts("true").items() if count != before[name]}
    assert set(grown) == {"lead_event", "touchpoint", "payment"}
    touched = counts("updated_at = '2030-01-01 00:00:00.000000'")
    assert all(touched.values())
    assert sum(touched.values()) <= changed
    with crm.connect() as connection:
        loaded = [connection.scalar(sa.text(f"select count(*) from {name}")) or 0 for name in ingested_tables()]
    assert 0.018 < changed / sum(loaded) < 0.022
    assert counts("deleted_at = '2030-01-01 00:00:00.000000'")["lead_event"] > 0


def test_the_floor_builds_the_same_marts(tmp_path: Path) -> None:
    settings = Settings(data_dir=sample_installation(), crm_url="")
    plan, floor = tmp_path / "plan.json", tmp_path / "bare.duckdb"
    plan.write_text(json.dumps(plan_of(settings, dt.datetime.fromisoformat(MOMENT))))
    crm = shutil.copy(settings.data_dir / "crm.sqlite", tmp_path / "crm.sqlite")
    bare.main(f"sqlite:///{crm}", str(floor), str(plan), "1GB")
    marts = shutil.copy(current(settings).marts_path, tmp_path / "marts.duckdb")
    with duckdb.connect(str(floor), read_only=True) as con:
        con.execute(f"attach '{marts}' as published (read_only)")
        for mart in ("fct_lead", "fct_sales_posting", "fct_demand", "fct_payment", "fct_customer_month"):
            assert con.execute(f"select count(*) from marts.{mart}").fetchone() != (0,)
            difference = f"(from marts.{mart} except all from published.{mart})"
            assert con.execute(f"select count(*) from {difference}").fetchone() == (0,), mart


def test_questions_are_measured() -> None:
    measured = gateway.questions(Settings(data_dir=sample_installation(), crm_url=""))
    (table,) = measured.tables
    assert [row[0] for row in table.rows][-1] == "all"
    assert len(table.rows) == len(gateway.QUESTIONS) + 1
    assert measured.figures["median_ms"] > 0


@pytest.mark.slow
def test_starts_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "REPEATS", 1)
    monkeypatch.setattr(install, "COMMANDS", (("--help",), ("snapshots", "list")))
    shutil.copytree(sample_installation(), tmp_path / "data")
    made = Company(Settings(data_dir=tmp_path / "data", crm_url=""), "sqlite")
    measured = install.measure_starts(made, Path(sys.prefix))
    commands, served = measured.tables
    assert [row[0] for row in commands.rows] == ["`loupan --help`", "`loupan snapshots list`"]
    assert [row[0] for row in served.rows] == ["`/healthz`", "`/login`"]
    assert 0 < measured.figures["help_seconds"] < measured.figures["serve_seconds"]


@pytest.mark.slow
def test_all_of_a_refresh_is_told_by_steps(tmp_path: Path) -> None:
    shutil.copytree(sample_installation(), tmp_path / "data")
    steps = startup.steps_of(Company(Settings(data_dir=tmp_path / "data", crm_url=""), "sqlite"))
    assert [step.name for step in steps[:4]] == [
        "Python, settings and imports",
        "Loading the CRM",
        "Checking the loaded tables",
        "Building and testing the marts",
    ]
    assert all(step.seconds > 0 and step.core_seconds >= 0 for step in steps)
    assert current(Settings(data_dir=tmp_path / "data", crm_url="")).report["as_of"].startswith(MOMENT[:10])


def test_a_model_that_failed_is_no_fast_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=shutil.copytree(sample_installation(), tmp_path / "data"), crm_url="")
    assert failed_models(settings) == []
    path = current(settings).path / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    ran = next(check for check in report["checks"] if check["name"] == "model/lead_score: ran")
    ran["passed"] = False
    path.write_text(json.dumps(report), encoding="utf-8")
    assert failed_models(settings) == ["model/lead_score: ran"]


def test_three_companies_are_three_times_one(tmp_path: Path) -> None:
    one = current(Settings(data_dir=sample_installation()))
    three = Metrics(threefold.tripled(one, tmp_path)), Metrics(one)
    for names, by in ((["leads", "conversion_rate", "contract_amount"], ["source"]), (["complaint_rate"], ["month"])):
        tripled, single = (metrics.records(names, by=by) for metrics in three)
        for row in single:
            for name, value in row.items():
                is_sum = name not in by and (name not in names or not name.endswith("_rate"))
                row[name] = 3 * value if is_sum and value is not None else value
        assert tripled == single
    for name in ("project", "employee"):
        tripled, single = (metrics.dimension_values(name) for metrics in three)
        assert len(tripled) == 3 * len(single)
        assert set(tripled) > set(single)
    assert three[0].dimension_values("source") == three[1].dimension_values("source")
    answers = [metrics.from_facts().records(["leads"], by=["project", "gender"]) for metrics in three]
    assert len(answers[0]) == 3 * len(answers[1])
    assert answers[0] == three[0].records(["leads"], by=["project", "gender"])


def test_every_question_of_a_page_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DASHBOARDS", {"": [page for of in DASHBOARDS.values() for page in of][4:5]})
    with reading._read(Settings(data_dir=sample_installation(), crm_url="")):
        monkeypatch.setattr(reading, "_states", partial(operator.itemgetter(0, 2, 7), reading._states()))
        asked = list(reading._asked())
    assert {one.page for one in asked} == {"customer-structure"}
    by_state = {state: [one for one in asked if one.state == state] for state in {one.state for one in asked}}
    assert len(by_state) == 3
    assert all(len(of) > 30 for of in by_state.values())
    assert all(one.taken.rows == one.from_facts.rows for one in asked)
    assert "leads by gender 2025-07-01–2026-06-30" in {one.words for one in asked}
    table = reading._pages(asked)
    assert len(table.rows) == 1
    assert len(reading._slowest(asked).rows) == reading._SLOWEST


def test_what_aggregates_cost_is_told() -> None:
    ((tables, rows, *_),) = reading._kept(current(Settings(data_dir=sample_installation()))).rows
    assert tables > 10
    assert rows > 1000
