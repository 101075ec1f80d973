"""Models within their memory: one that eats it is stopped and told of, and all others have their results."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from loupan.mining.published import FAILED, OK
from loupan.settings import Settings
from pipelines.mining import pool
from tests.pipelines.mining.test_run import COUNT, HEAD, TABLE, settings
from tests.support.own_models import run_own_models

__all__ = ["settings"]

# Half of it is enough for a model that does nothing much, with pandas and DuckDB.
MEGABYTES = 1_000
EATS = TABLE + (
    "def run(marts):\n"
    "    eaten = []\n"
    "    while True:\n"
    "        eaten.append(np.ones(4 << 20))\n"
)  # fmt: skip
# More than half of the memory, and less than all of it.
LARGE = TABLE + (
    "import time\n"
    "def run(marts):\n"
    "    large = np.ones(75 << 20)\n"
    "    time.sleep(0.5)\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': [large.sum()], 'megabytes': [marts.megabytes]}))])\n"
)
# Two children of which each is small.
CHILDREN = TABLE + (
    "import os, time\n"
    "def run(marts):\n"
    "    for _ in range(2):\n"
    "        if os.fork() == 0:\n"
    "            large = np.ones(60 << 20)\n"
    "            time.sleep(600)\n"
    "    time.sleep(600)\n"
)
TELLS = HEAD + "def run(marts): return bytearray(1 << 50)"
# Refused by DuckDB, or by Python, until it has all of the memory.
REFUSED = TABLE + (
    "def run(marts):\n"
    f"    if marts.megabytes < {MEGABYTES // 3}:\n"
    "        raise MemoryError\n"
    "    return Result([Output('a', 'A', pd.DataFrame({'a': [1]}))])\n"
)
SPILLS = TABLE + (
    "def run(marts):\n"
    "    rows = marts.query('select count(*) as n from (select distinct hash(i, 1) as h, hash(i, 2) as other "
    "from range(20_000_000) t(i))')\n"
    "    return Result([Output('a', 'A', rows)])\n"
)


def run_all(settings: Settings, **files: str):
    ended: list[str] = []
    runs = run_own_models(settings, files, ended.append)
    assert ended == [*runs] == [*files]
    return runs


@pytest.fixture
def bounded(settings: Settings) -> Settings:
    return settings.model_copy(update={"model_megabytes": MEGABYTES, "model_seconds": 60})


@pytest.mark.parametrize("cores", [{0}, {0, 1}])
def test_one_that_eats_memory_is_stopped_and_the_others_run(
    bounded: Settings, monkeypatch: pytest.MonkeyPatch, cores: set[int]
) -> None:
    monkeypatch.setattr("pipelines.mining.pool.os.sched_getaffinity", lambda _: cores)
    monkeypatch.setattr("pipelines.mining.pool._SECOND_AFTER_SECONDS", 0.0)
    runs = run_all(bounded, eats=EATS, first=COUNT, large=LARGE, last=COUNT)
    eats = runs.pop("eats")
    assert eats.status == FAILED
    assert eats.message.startswith(f"it needed more than {MEGABYTES} megabytes of memory and was stopped. Raise ")
    assert "LOUPAN_MODEL_MEGABYTES" in eats.message
    assert {run.status for run in runs.values()} == {OK}
    with duckdb.connect(str(bounded.warehouse_path), read_only=True) as warehouse:
        # It had all of the memory, of which DuckDB may take a third.
        assert warehouse.execute("from mining.model__large__a").fetchall() == [(75 << 20, MEGABYTES // 3)]
        rows = warehouse.execute("select name from mining.model_run").fetchall()
    assert [name for (name,) in rows] == ["eats", "first", "large", "last"]


def test_what_a_model_starts_counts_with_it(bounded: Settings) -> None:
    runs = run_all(bounded, children=CHILDREN, count=COUNT)
    assert runs["children"].message.startswith(f"it needed more than {MEGABYTES} megabytes")
    assert runs["count"].status == OK


def test_a_model_that_is_refused_memory_says_so(bounded: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_all(bounded, tells=TELLS)["tells"]
    assert run.status == FAILED
    assert run.message.startswith("There was not enough memory for it (LOUPAN_MODEL_MEGABYTES). MemoryError")
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["event"] == "Model tells failed"


def test_a_model_that_is_refused_memory_beside_another_runs_again_by_itself(
    bounded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.mining.pool.os.sched_getaffinity", lambda _: {0, 1})
    runs = run_all(bounded, refused=REFUSED, count=COUNT)
    assert {name: (run.status, run.message) for name, run in runs.items() if run.status != OK} == {}


def test_questions_that_need_more_memory_are_put_on_the_disk(bounded: Settings) -> None:
    run = run_all(bounded, spills=SPILLS)["spills"]
    assert (run.status, run.message) == (OK, "")
    # Nothing is left of what was put there.
    assert not list(Path(bounded.data_dir).glob(".models-*"))


def test_on_little_memory_models_run_one_after_the_other(bounded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = pool._Worker.start
    monkeypatch.setattr(
        pool._Worker, "start", staticmethod(lambda job, bounds: started.append(bounds) or start(job, bounds))
    )
    runs = run_all(bounded.model_copy(update={"model_megabytes": 600}), one=COUNT, another=COUNT)
    assert {run.status for run in runs.values()} == {OK}
    assert [bounds.megabytes for bounds in started] == [600]
