"""Incremental builds as a refresh runs them: dbt, on a file, after real loads; also one that is killed."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from loupan import aggregate_patch
from loupan.marts_file import NO_ROW
from loupan.settings import Settings
from loupan.snapshot import Snapshot
from pipelines import dbt_runner, delta, difference
from pipelines.contract import read_contract
from pipelines.ingest import ingest
from pipelines.publish import publish_marts
from tests.support.aggregates import assert_aggregates_as_made_anew
from tests.support.installation import AS_OF, copy_crm, crm_installation
from tests.support.same_rows import assert_same_rows

pytestmark = pytest.mark.slow

MOMENT = dt.datetime.fromisoformat(f"{AS_OF}T16:00:00")
MORNING = (
    "UPDATE lead SET intent_level = 'A', updated_at = :now WHERE id % 97 = 0",
    "UPDATE customer SET merged_into_id = 1, updated_at = :now WHERE id % 301 = 0",
    "UPDATE deal SET customer_id = 2, updated_at = :now WHERE id % 41 = 0",
    "UPDATE unit SET status = 'withheld', area_sqm = area_sqm + 1, updated_at = :now WHERE id % 67 = 0",
    "UPDATE touchpoint SET deleted_at = :now, updated_at = :now WHERE id % 103 = 0",
    "DELETE FROM payment WHERE id % 53 = 0",
    "INSERT INTO lead_event (lead_id, kind, occurred_at, created_at, updated_at) "
    "SELECT id, 'lost', '2026-06-01 00:00:00', :now, :now FROM lead WHERE id % 89 = 0",
    "INSERT INTO expense (incurred_on, amount, status, created_at, updated_at) "
    "VALUES ('2026-06-02', 12.5, 'paid', :now, :now)",
)
KILLED_BUILD = """
import os
from loupan.settings import Settings
from pipelines import dbt_runner
dbt_runner.build(Settings(), lambda node: os._exit(9) if node == "fct_lead_event" else None)
"""


@pytest.fixture(autouse=True)
def _aggregates_of_any_size_are_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate_patch, "_LARGE", 0)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("incremental")
    copy_crm(crm_installation(), folder)
    settings = Settings(data_dir=folder)
    load(settings, MOMENT)
    assert dbt_runner.build(settings, lambda node: None).broken == []
    assert publish(settings).report["patches"] == 0
    yield settings
    shutil.rmtree(folder)


def load(company: Settings, as_of: dt.datetime, *changes: str) -> None:
    with closing(sqlite3.connect(company.data_dir / "crm.sqlite")) as crm:
        for change in changes:
            crm.execute(change, {"now": f"{as_of:%Y-%m-%d %H:%M:%S}.000000"})
        crm.commit()
    contract = read_contract(dbt_runner.read_manifest(company))
    ingest(contract, f"sqlite:///{company.data_dir / 'crm.sqlite'}", company.warehouse_path, as_of=as_of)


def publish(company: Settings) -> Snapshot:
    """Publish the marts, and check that what is published is what the warehouse holds."""
    begun = company.begun_marts_path.stat().st_ino
    snapshot = publish_marts(company, dbt_runner.target_path(company) / "semantic_manifest.json", {})
    assert (snapshot.marts_path.stat().st_ino, company.begun_marts_path.exists()) == (begun, False)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{company.warehouse_path}' as ours (read_only)")
        connection.execute(f"attach '{snapshot.marts_path}' as published (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'ours' and schema_name = 'marts'"
        ).fetchall()
        for (table,) in tables:
            assert_same_rows(connection, f"ours.marts.{table}", f"published.main.{table}")
    assert_aggregates_as_made_anew(snapshot)
    return snapshot


def assert_as_if_built_anew(company: Settings, tmp_path: Path) -> None:
    """Build all from the same rows, beside, and compare every table of the models."""
    beside = company.model_copy(update={"data_dir": tmp_path / "anew"})
    beside.data_dir.mkdir()
    shutil.copy(company.warehouse_path, beside.warehouse_path)
    shutil.copytree(company.data_dir / "dbt", beside.data_dir / "dbt")
    with duckdb.connect(str(beside.warehouse_path)) as warehouse:
        delta.forget_built(warehouse)
    assert dbt_runner.build(beside, lambda node: None).broken == []
    with duckdb.connect() as connection:
        connection.execute(f"attach '{company.warehouse_path}' as ours (read_only)")
        connection.execute(f"attach '{beside.warehouse_path}' as anew (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'anew' "
            "and schema_name in ('intermediate', 'marts')"
        ).fetchall()
        assert len(tables) > 50
        for schema, table in tables:
            assert_same_rows(connection, f"ours.{schema}.{table}", f"anew.{schema}.{table}")


def test_a_morning_is_built_in_part(company: Settings, tmp_path: Path) -> None:
    load(company, MOMENT + dt.timedelta(hours=17), *MORNING)
    planned = dbt_runner.plan_increment(company, dbt_runner.read_manifest(company))
    assert planned is not None
    assert planned.steps["fct_lead_event"].script.count("delete from") == 1
    assert planned.steps["time_spine_day"].script == ""
    built = dbt_runner.build(company, lambda node: None)
    assert built.broken == []
    # Of every model and test there is a result, also of those that nothing was to be done for.
    said = {result["data"]["node_info"]["unique_id"] for result in built.results}
    nodes = dbt_runner.read_manifest(company)["nodes"].values()
    assert said == {node["unique_id"] for node in nodes if node["resource_type"] in ("model", "test")}
    infos = [result["data"]["node_info"] for result in built.results]
    # What is left out is told once, and dbt was not asked.
    assert len(infos) == len(said)
    statuses = {info["unique_id"].split(".")[-1]: info["node_status"] for info in infos}
    assert (statuses["dim_project"], statuses["stg_project"], statuses["fct_lead_event"]) == (
        "no-op",
        "no-op",
        "success",
    )
    # Dagster takes a model only after those that it is made of.
    places = {info["unique_id"]: place for place, info in enumerate(infos)}
    made_of = {node["unique_id"]: node["depends_on"]["nodes"] for node in nodes if node["unique_id"] in places}
    assert all(
        places[parent] < places[unique_id]
        for unique_id, parents in made_of.items()
        for parent in parents
        if parent in places
    )
    with duckdb.connect(str(company.warehouse_path), read_only=True) as warehouse:
        schemas = {name for (name,) in warehouse.execute("select schema_name from duckdb_schemas()").fetchall()}
        assert not schemas & {"increment", "before"}
        known = delta.read_built(warehouse)
        assert known is not None
        assert known.as_of == MOMENT + dt.timedelta(hours=17)
        differing = difference.read(warehouse)
    # What changed was written to the next marts file while other models were made.
    assert differing is not None
    assert {name for name, changed in differing.replaced.items() if changed != NO_ROW} <= (differing.begun or set())
    assert differing.rows == {}
    assert_as_if_built_anew(company, tmp_path)
    assert publish(company).report["patches"] == 1


def test_after_a_killed_build_the_next_one_is_right(company: Settings, tmp_path: Path) -> None:
    load(company, MOMENT + dt.timedelta(days=2), MORNING[0].replace("% 97", "% 83"), MORNING[4].replace("103", "71"))
    environment = os.environ | {"LOUPAN_DATA_DIR": str(company.data_dir)}
    killed = subprocess.run([sys.executable, "-c", KILLED_BUILD], env=environment, check=False)
    assert killed.returncode == 9
    load(company, MOMENT + dt.timedelta(days=3), MORNING[2].replace("41", "37"), MORNING[5].replace("53", "31"))
    assert dbt_runner.build(company, lambda node: None).broken == []
    assert_as_if_built_anew(company, tmp_path)
    # What the killed build had done is in no difference.
    assert publish(company).report["patches"] == 0


def test_records_that_became_part_of_an_import_make_their_model_anew(company: Settings, tmp_path: Path) -> None:
    """It turns out only when it is the model's turn; its tests, and who reads its rows, then look at all of them."""
    together = "UPDATE lead SET created_at = '2026-01-05 02:00:00.000000', updated_at = :now WHERE id % 9 = 0"
    load(company, MOMENT + dt.timedelta(days=3, hours=1), together)
    built = dbt_runner.build(company, lambda node: None)
    assert built.broken == []
    assert all(result["data"]["node_info"]["node_status"] in ("success", "pass", "no-op") for result in built.results)
    with duckdb.connect(str(company.warehouse_path), read_only=True) as warehouse:
        replaced = {name for (name,) in warehouse.execute("select name from difference.mart").fetchall()}
    assert "fct_visit" in replaced
    assert "fct_entry" not in replaced
    assert publish(company).report["patches"] > 0
    assert_as_if_built_anew(company, tmp_path)
