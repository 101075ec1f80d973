"""After an erasure and a refresh, statistics are as before and nothing that was made of the CRM knows the person."""

from __future__ import annotations

import datetime as dt
import shutil
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from data_entry.access import SYSTEM
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services.personal import copies, service
from data_entry.services.work import writing
from loupan.marts import differing_marts
from loupan.settings import Settings
from loupan.snapshot import Snapshot, current, list_snapshots
from tests.support.installation import AS_OF, copy_crm, crm_installation, run_loupan

pytestmark = pytest.mark.slow

MOMENT = dt.datetime.fromisoformat(f"{AS_OF}T08:00:00")
CUSTOMER, DEAL, EVENT, DEMAND, FEATURE, VALUE = (
    metadata.tables[name] for name in ("customer", "deal", "deal_event", "demand", "feature", "feature_value")
)
MARKS = {name: f"mk{name}zq" for name in ("name", "note", "phone", "occupation", "email", "address", "feature")}
# Where words were that only this one person had.
CHANGED = {
    ("dim_customer", "occupation"), ("mart_conversion", "occupation"), ("fct_customer_feature", "feature_value"),
    ("fct_field_completeness", "filled_count"),
    # What is added up of them.
    ("aggregate_lead_3", "occupation"), ("aggregate_sales_posting_4", "occupation"),
    ("aggregate_field_completeness_1", "total_fields_filled"),
}  # fmt: skip


def refresh(data_dir: Path) -> None:
    run_loupan(data_dir, "refresh", "--as-of", f"{AS_OF}T16:00:00", environment={"LOUPAN_WITHOUT_MODELS": "*"})


def choose(engine: sa.Engine) -> tuple[int, list[int]]:
    """Return a customer to be marked, and others with contracts, demands and merged records."""
    with engine.connect() as connection:
        buyers = (
            sa.select(DEAL.c.customer_id).join(EVENT, EVENT.c.deal_id == DEAL.c.id).where(EVENT.c.kind == "contract")
        )
        people = sa.select(CUSTOMER.c.id).where(CUSTOMER.c.birth_on.is_not(None), CUSTOMER.c.merged_into_id.is_(None))
        with_all = people.where(CUSTOMER.c.id.in_(buyers), CUSTOMER.c.id.in_(sa.select(DEMAND.c.customer_id)))
        merged = people.where(CUSTOMER.c.id.in_(sa.select(CUSTOMER.c.merged_into_id)))
        chosen = [*connection.scalars(with_all.limit(4)), *connection.scalars(merged.limit(2))]
    assert len(set(chosen)) >= 5
    return chosen[0], chosen[1:]


def differing_columns(table: str, first: Snapshot, second: Snapshot) -> set[tuple[str, str]]:
    with duckdb.connect() as connection:
        for name, snapshot in (("a", first), ("b", second)):
            connection.execute(f"attach '{snapshot.marts_path}' as {name} (read_only)")
        columns = [row[0] for row in connection.execute(f"describe a.{table}").fetchall()]
        return {
            (table, column)
            for column in columns
            if connection.execute(
                f'(select "{column}" from a.{table} except all select "{column}" from b.{table}) limit 1'
            ).fetchall()
        }


def words_in(path: Path) -> set[str]:
    """Return the marks in any text of any table of a DuckDB file."""
    found: set[str] = set()
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where not internal and data_type = 'VARCHAR'"
        ).fetchall()
        assert columns
        for schema, table, column in columns:
            for mark in MARKS.values():
                if connection.execute(
                    f'select 1 from "{schema}"."{table}" where contains("{column}", ?) limit 1', [mark]
                ).fetchall():
                    found.add(mark)
    return found


def test_marts_stay_and_no_copy_knows_the_person(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    copy_crm(crm_installation(), data)
    settings = Settings(data_dir=data)
    engine = create_engine_for(settings.crm_database_url)
    marked_one, others = choose(engine)
    with engine.begin() as connection:
        texts = {name: MARKS[name] for name in ("name", "note", "phone", "occupation", "email", "address")}
        connection.execute(sa.update(CUSTOMER).where(CUSTOMER.c.id == marked_one).values(birth_on=None, **texts))
        feature = connection.scalar(
            sa.insert(FEATURE).values(entity="customer", name="Hobby", data_type="text").returning(FEATURE.c.id)
        )
        connection.execute(sa.insert(VALUE).values(feature_id=feature, entity_id=marked_one, value=MARKS["feature"]))
        born = dict(
            connection.execute(sa.select(CUSTOMER.c.id, CUSTOMER.c.birth_on).where(CUSTOMER.c.id.in_(others))).all()
        )
    refresh(data)
    before = current(settings)
    assert words_in(before.marts_path) == {MARKS["occupation"], MARKS["feature"]}
    kept = Snapshot(before.version, Path(shutil.copytree(before.path, tmp_path / "kept")))

    for number in others:
        with writing(engine, SYSTEM, lambda: MOMENT) as work:
            result = service.erase(work, number, "why", despite_running=True, settings=settings)
        assert copies.clean(engine, settings, result) == []
    engine.dispose()
    said = run_loupan(data, "personal", "erase", str(marked_one), "--reason", "why", "--yes", "--despite-running")
    assert "Erased" in said
    assert not any(mark in said for mark in MARKS.values())
    refresh(data)

    after = current(settings)
    assert after.version != before.version
    changed: set[tuple[str, str]] = set()
    for table in differing_marts(kept, after):
        changed |= differing_columns(table, kept, after)
    assert changed == CHANGED
    # The earlier snapshot held words of the person.
    assert [snapshot.version for snapshot in list_snapshots(settings)] == [after.version]
    assert words_in(after.marts_path) == set()
    assert words_in(settings.warehouse_path) == set()
    with closing(duckdb.connect(str(settings.warehouse_path), read_only=True)) as connection:
        loaded = dict(connection.execute("select id, birth_on from raw.customer").fetchall())
    assert all(
        loaded[number] != day and loaded[number].month == loaded[number].day == 1 for number, day in born.items()
    )
    for path in data.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert [(path, mark) for mark in MARKS.values() if mark.encode() in content] == []
