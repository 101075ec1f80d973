"""An incremental load leaves exactly what a full load of the same CRM leaves, whatever happened in between."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import delta
from tests.pipelines.loads import AS_OF, CONTRACT, GOOD, LooseCrm, contents, load, sums

START = dt.datetime(2024, 5, 1)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.sampled_from(["1", "2", "3", "4", "9", "03", "x", "1.5", None]),
    "INTEGER": st.sampled_from(["1", "5", "6", "x", None]),
    "DECIMAL(18,2)": st.sampled_from(["10.50", "1.005", "text", None]),
    "BOOLEAN": st.sampled_from(["0", "1", "2", None]),
    "DATE": st.sampled_from(["2024-01-01", "2024-01-02", "0001-01-01", "9999-12-31", None]),
    "TIMESTAMP": st.sampled_from(["2024-01-01 10:00:00", "2024-01-01T10:00:00+08:00", "9999-12-31", "?", None]),
    "VARCHAR": st.sampled_from(["person", "company", "E1", "E2", "楼盘 🏠 \"'", None]),
}
# Late commits carry an old cursor, wrong clocks one in the future, imports none at all.
CURSORS = st.sampled_from(["now"] * 12 + ["old", "future", "none", "odd"])


@st.composite
def operations(draw: st.DrawFn) -> tuple[Any, ...]:
    """One change of the CRM: what, which table and key, which cursor, and some values (most of them good)."""
    kind = draw(st.sampled_from(["insert", "insert", "update", "soft", "hard", "again"]))
    table = draw(st.sampled_from(CONTRACT.tables))
    columns = [column for column in table.columns if column.name not in ("id", "updated_at", "deleted_at")]
    changed = draw(st.lists(st.sampled_from(columns), max_size=2, unique=True))
    values = {column.name: draw(VALUES[column.data_type]) for column in changed}
    key = draw(st.sampled_from(["1", "2", "3", "4"]))
    return kind, table.name, key, draw(CURSORS), values


@pytest.fixture(autouse=True)
def _no_table_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make few rows do for many."""
    monkeypatch.setattr("pipelines.landing.SMALL_TABLE_ROWS", 0)


def apply(crm: LooseCrm, operation: tuple[Any, ...], clock: dt.datetime, step: int) -> None:
    kind, table, key, cursor, values = operation
    at = {
        "now": clock.isoformat(sep=" "),
        "old": f"2023-01-01 00:00:{step % 60:02d}",
        "future": f"2190-01-01 00:00:{step % 60:02d}",
        "none": None,
        "odd": f"day {step}",
    }[cursor]
    if kind == "insert":
        crm.delete(table, key)
        crm.insert(table, key, at=at, **values)
    elif kind == "again":
        # A second row of the key: an outside CRM may lack the primary key.
        crm.insert(table, key, at=at, **values)
    elif kind == "hard":
        crm.delete(table, key)
    else:
        if kind == "soft":
            values = {"deleted_at": clock.isoformat(sep=" ")}
        # A change moves the cursor; a row without one is read every time.
        crm.update(table, key, at=at, **(values or {"deleted_at": None}))


def check_delta(warehouse: Path, before: dict[str, Counter[Any]], after: dict[str, Counter[Any]]) -> None:
    """What is noted of the changes leads from the rows before to those after; then it is cleared."""
    with duckdb.connect(str(warehouse)) as connection:
        for table in CONTRACT.by_name.keys() - delta.whole_tables(connection):
            noted = {
                is_old: Counter(
                    connection.execute(
                        f'select * exclude (is_old) from delta."{table}" where is_old = {is_old}'
                    ).fetchall()
                )
                for is_old in (True, False)
            }
            expected = before[f"raw.{table}"] - after[f"raw.{table}"], after[f"raw.{table}"] - before[f"raw.{table}"]
            assert (noted[True], noted[False]) == expected
        delta.note_built(connection, CONTRACT, delta.Built(AS_OF, ""))


def check(
    url: str,
    steps: list[tuple[int, list[tuple[Any, ...]]]],
    folder: Path,
    keys: type[sa.types.TypeEngine[Any]] = sa.Text,
) -> None:
    crm = LooseCrm(url, keys)
    try:
        for table in GOOD:
            crm.insert(table, 1, at=START.isoformat(sep=" "))
        incremental = folder / "incremental.duckdb"
        load(url, incremental)
        with duckdb.connect(str(incremental)) as connection:
            delta.note_built(connection, CONTRACT, delta.Built(AS_OF, ""))
        clock, count = START, 0
        for number, (minutes, changes) in enumerate(steps):
            clock += dt.timedelta(minutes=minutes)
            for change in changes:
                count += 1
                apply(crm, change, clock, count)
            before = contents(incremental)
            load(url, incremental)
            full = folder / f"full_{number}.duckdb"
            load(url, full, full=True)
            after = contents(incremental)
            assert after == contents(full)
            assert sums(incremental) == sums(full)
            check_delta(incremental, before, after)
    finally:
        crm.metadata.drop_all(crm.engine)
        crm.engine.dispose()


# Several changes within one tick of the clock, and within the overlap, are the common case.
STEPS = st.lists(st.tuples(st.sampled_from([0, 1, 20]), st.lists(operations(), max_size=4)), min_size=1, max_size=5)
OPTIONS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.slow
@settings(max_examples=12, **OPTIONS)
@given(steps=STEPS)
def test_incremental_equals_full_on_sqlite(steps: list[tuple[int, list[tuple[Any, ...]]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(f"sqlite:///{folder}/crm.sqlite", steps, Path(folder))


@pytest.mark.slow
@settings(max_examples=12, **OPTIONS)
@given(steps=STEPS)
def test_incremental_equals_full_where_sums_tell_of_changes(steps: list[tuple[int, list[tuple[Any, ...]]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(f"sqlite:///{folder}/crm.sqlite", steps, Path(folder), sa.BigInteger)


@pytest.mark.slow
@pytest.mark.postgres
@settings(max_examples=4, **OPTIONS)
@given(steps=STEPS)
def test_incremental_equals_full_on_postgresql(
    postgres_url: str, steps: list[tuple[int, list[tuple[Any, ...]]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(postgres_url, steps, Path(folder))
