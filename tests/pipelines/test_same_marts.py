"""However the rows arrive – in full or by changes, from SQLite or from PostgreSQL – the marts are the same."""

from __future__ import annotations

import datetime as dt
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipelines.contract import Contract, load_contract
from pipelines.ingest import ingest
from tests.support.installation import AS_OF, run_loupan, sample_installation
from tests.support.numbers import assert_equal_numbers, published_numbers
from tests.support.warehouse import Warehouse, manifest, sources

pytestmark = pytest.mark.slow

MOMENT = dt.datetime.fromisoformat(f"{AS_OF}T16:00:00")
# What a company's day brings, as SQL with one random row each; children of what is deleted follow in the same change.
CHANGES = (
    "UPDATE lead SET intent_level = 'A', updated_at = :now WHERE id = :lead",
    "UPDATE demand SET withdrawn_at = received_at, updated_at = :now WHERE id = :demand",
    "UPDATE customer SET merged_into_id = (SELECT min(id) FROM customer), updated_at = :now WHERE id = :customer "
    "AND id > (SELECT min(id) FROM customer)",
    "UPDATE payment SET is_void = 1, updated_at = :now WHERE id = :payment",
    "UPDATE payment SET deleted_at = :now, updated_at = :now WHERE id = :payment",
    "DELETE FROM touchpoint WHERE id = :touchpoint",
    "DELETE FROM demand_event WHERE demand_id = :demand",
    "UPDATE lead SET deleted_at = :now, updated_at = :now WHERE id = :lead",  # its events lose their parent
    "DELETE FROM lead WHERE id = :lead",
    "UPDATE project SET gross_margin_rate = NULL, updated_at = :now WHERE id = 1",
    "INSERT INTO lead_event (lead_id, kind, occurred_at, created_at, updated_at) "
    "VALUES (:lead, 'lost', '2026-06-01 00:00:00', :now, :now)",
    "INSERT INTO deal_event (deal_id, kind, occurred_at, amount, created_at, updated_at) "
    "SELECT id, 'cancel', '2026-06-02 00:00:00', 1000.01, :now, :now FROM deal WHERE id = :deal",
    "UPDATE deal SET lead_id = 999999999, updated_at = :now WHERE id = :deal",
)
TABLES = ("lead", "demand", "customer", "payment", "touchpoint", "deal")


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    path = tmp_path_factory.mktemp("manifest") / "manifest.json"
    path.write_text(manifest().manifest_json, encoding="utf-8")
    return load_contract(path)


def _row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    # The last bits of a floating-point sum depend on the order of its rows.
    return tuple(f"{value:.9g}" if isinstance(value, float) else value for value in row)


def _marts(warehouse_path: Path) -> dict[str, set[tuple[Any, ...]]]:
    """Build every model from the raw tables of a warehouse; return the rows of each mart."""
    warehouse = Warehouse()
    with closing(warehouse.con) as connection:
        connection.execute(f"attach '{warehouse_path}' as loaded (read_only)")
        for table, columns in sources().items():
            listed = ", ".join(f'"{name}"' for name in columns)
            connection.execute(f"insert into raw.{table} ({listed}) select {listed} from loaded.raw.{table}")
        warehouse.build()
        names = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        marts = {name: set(map(_row, connection.table(f"marts.{name}").fetchall())) for (name,) in names}
    assert sum(len(rows) for rows in marts.values()) > 1000
    return marts


def test_incremental_and_full_loads_end_in_equal_marts(contract: Contract, tmp_path: Path) -> None:
    crm = Path(shutil.copy(sample_installation() / "crm.sqlite", tmp_path / "crm.sqlite"))
    by_changes = tmp_path / "by_changes.duckdb"
    url = f"sqlite:///{crm}"
    ingest(contract, url, by_changes, as_of=MOMENT)
    chance = random.Random(7)
    for step in range(5):
        with closing(sqlite3.connect(crm)) as connection:
            for change in chance.choices(CHANGES, k=6):
                some = {
                    table: connection.execute(f"SELECT id FROM {table} ORDER BY random() LIMIT 1").fetchone()[0]
                    for table in TABLES
                }
                connection.execute(change, some | {"now": f"2026-07-0{step + 1} 00:00:00.000000"})
            connection.commit()
        report = ingest(contract, url, by_changes, as_of=MOMENT)
        assert not all(table.load.full for table in report.tables.values())
        in_full = tmp_path / f"in_full_{step}.duckdb"
        ingest(contract, url, in_full, as_of=MOMENT, full=True)
        assert _marts(by_changes) == _marts(in_full)


@pytest.mark.postgres
def test_postgresql_and_sqlite_give_equal_metrics(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "on_postgresql"
    with_url = {"LOUPAN_CRM_URL": postgres_url}
    run_loupan(data_dir, "crm", "init", environment=with_url)
    run_loupan(data_dir, "sample", "--scale", "0.03", "--seed", "1", "--as-of", AS_OF, environment=with_url)
    without_models = with_url | {"LOUPAN_WITHOUT_MODELS": "*"}
    run_loupan(data_dir, "refresh", "--as-of", MOMENT.isoformat(), environment=without_models)
    assert_equal_numbers(published_numbers(data_dir), published_numbers(sample_installation()))
