"""Whatever is typed: a message or a row, never an error of the program, never half a write."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_entry.access import SYSTEM
from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services import bulk, phones, records
from data_entry.services.errors import Invalid, ServiceError
from data_entry.services.tables import READ_ONLY, areas, own_columns, target
from data_entry.services.work import writing
from tests.data_entry.services.desks import clock

pytestmark = pytest.mark.slow

TABLES = sorted(name for names in areas().values() for name in names if name not in READ_ONLY)
_TYPED = st.sampled_from(
    ["", " ", "0", "-1", "1", "1e9", "1e999", "-0.00", "１２３", "1,234.5", "¥120万", "NaN", "Infinity", "0x10", "²",
     "٣", "2026-02-29", "2024-02-29", "2026年3月1日 25:00", "9999-12-31", "1900-01-01 00:00",
     "2200-12-31T23:59+14:00",
     "true", "是", "person", "Person", "online", "a@b.cn", "a@b", "+86 138 0000 1234", "#1", "\x00", "\ud800", "\u202e",
     "🏠" * 60, "x" * 250, "'; DROP TABLE customer; --", "{count}", "%s", "<b>", None, True, 0, -1, 2**31, 2**63, 2**70,
     1.5, float("nan"), float("inf"), dt.date(1, 1, 1), dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC),
     dt.datetime.max, dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)]
)  # fmt: skip
VALUES = st.one_of(_TYPED, st.text(max_size=60), st.integers(), st.floats(), st.dates(), st.datetimes(), st.decimals())


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sa.Engine, dict[str, int]]]:
    """A CRM with a row of every table, as far as one can be made, by table."""
    path: Path = tmp_path_factory.mktemp("fuzz") / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    create_schema(engine)
    rows: dict[str, int] = {}
    for table in (t.name for t in metadata.sorted_tables if t.name in TABLES):
        try:
            rows[table] = _made(engine, table, _plain(table, rows))
        except Invalid as error:  # a rule of the business asks for more than the schema
            for name in (problem.column for problem in error.problems):
                parent = target(metadata.tables[table].c[name])
                EXTRA.setdefault(table, {})[name] = rows[parent] if parent else "1"
            rows[table] = _made(engine, table, _plain(table, rows))
    yield engine, rows
    engine.dispose()


EXTRA: dict[str, dict[str, Any]] = {}


def _made(engine: sa.Engine, table: str, values: dict[str, Any]) -> int:
    with writing(engine, SYSTEM, clock) as work:
        return records.create(work, table, values)


def _plain(table: str, rows: dict[str, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in own_columns(table):
        if column.nullable or column.server_default is not None:
            continue
        kind = column.type
        parent = target(column)
        if parent is not None:
            values[column.name] = rows[parent]
        elif isinstance(kind, sa.Enum):
            values[column.name] = kind.enums[0]
        else:
            values[column.name] = "2026-03-01" if column.name.endswith(("_on", "_at")) else "1"
    if table == "customer":
        values["name"] = "A"
    if table == "vocabulary_term":
        values["field"] = "customer.education"
    if table == "feature":
        values["entity"] = "competitor_project"
    if table == "competitor_observation":
        values["value"] = "1"
    return values | EXTRA.get(table, {})


def _state(engine: sa.Engine, table: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(metadata.tables[table]).order_by(metadata.tables[table].c.id)))


@settings(max_examples=2500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_value_is_kept_or_refused_in_words(company: tuple[sa.Engine, dict[str, int]], data: st.DataObject) -> None:
    engine, rows = company
    table = data.draw(st.sampled_from(TABLES))
    names = [column.name for column in own_columns(table)]
    typed = data.draw(st.dictionaries(st.sampled_from(names), VALUES, min_size=1, max_size=4))
    is_new = data.draw(st.booleans())
    before = _state(engine, table)
    refused: ServiceError | None = None
    try:
        with writing(engine, SYSTEM, clock) as work:
            if is_new:
                key = records.create(work, table, {**_plain(table, rows), **typed})
                row = records.get(work, table, key)
            else:
                records.update(work, table, rows[table], typed, None)
                row = records.get(work, table, rows[table])
            if table == "customer" and row["phone"]:
                assert phones.normalised(row["phone"]) == row["phone"]
            work.session.rollback()
    except ServiceError as error:
        refused = error
    if refused is not None:
        assert str(refused)
        assert {problem.column for problem in getattr(refused, "problems", ())} <= set(names)
    assert _state(engine, table) == before


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(search=st.text(max_size=40), table=st.sampled_from(TABLES), page=st.integers(-3, 10**6))
def test_any_search_finds_or_finds_nothing(
    company: tuple[sa.Engine, dict[str, int]], search: str, table: str, page: int
) -> None:
    with writing(company[0], SYSTEM, clock) as work:
        assert records.list_rows(work, table, search=search, page=page).total <= 1
        records.options(work, table, search)
        work.session.rollback()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=200), content=st.binary(max_size=300))
def test_anything_pasted_or_uploaded_is_a_table_or_refused(text: str, content: bytes) -> None:
    for read in (lambda: bulk.read_pasted("name\tphone\n" + text), lambda: bulk.read_file("x.csv", content)):
        with contextlib.suppress(ServiceError):
            sheet = read()
            assert all(len(row) == len(sheet.heads) for row in sheet.rows)
