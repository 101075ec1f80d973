"""Reading the contract from dbt's manifest, and loading the real CRM schema by it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.schema.base import UtcDateTime
from loupan.settings import get_settings
from pipelines.contract import Column, Contract, ContractError, load_contract, read_contract
from pipelines.dbt_runner import read_manifest
from tests.pipelines.loads import CONTRACT, contents, load, rows, table


def source(name: str, columns: dict[str, dict[str, Any]], **meta: Any) -> dict[str, Any]:
    return {
        "name": name,
        "original_file_path": f"models/{name}.yml",
        "config": {"meta": {"key": "id", "cursor": "updated_at", **meta}},
        "columns": columns,
    }


def column(data_type: str, **meta: Any) -> dict[str, Any]:
    return {"data_type": data_type, "config": {"meta": meta}}


BASICS = {"id": column("BIGINT", required=True), "updated_at": column("TIMESTAMP")}


def read(*sources: dict[str, Any]) -> Contract:
    return read_contract({"sources": {str(number): one for number, one in enumerate(sources)}})


def test_rules_are_read_from_the_manifest() -> None:
    contract = read(
        source(
            "lead",
            {
                **BASICS,
                "kind": column("varchar", required=True, accepted_values=["a", "b"]),
                "amount": column("DECIMAL(18, 2)"),
                "parent_id": column("BIGINT", references="lead"),
                "number": column("VARCHAR", unique=True),
            },
            checks={"positive": "amount > 0"},
        ),
        source("refresh", {"as_of": column("TIMESTAMP")}, written_by="ingest"),
    )
    assert list(contract.by_name) == ["lead"]
    lead = contract.by_name["lead"]
    assert (lead.key, lead.cursor, lead.checks) == ("id", "updated_at", (("positive", "amount > 0"),))
    assert lead.by_name["kind"] == Column("kind", "VARCHAR", required=True, accepted_values=("a", "b"))
    assert lead.by_name["amount"].decimal == (18, 2)
    assert lead.references == (("parent_id", "lead"),)
    assert lead.by_name["number"].unique
    assert lead.deleted_at is None


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "no source table"),
        ([source("lead", {"id": column("JSONB"), **BASICS, "x": column("JSONB")})], "data_type 'JSONB'"),
        ([source("lead", {"id": column("BIGINT")})], "cursor 'updated_at' is not among its columns"),
        ([source("lead", {**BASICS, "x_id": column("BIGINT", references="x")})], "which is no source table"),
        ([source("lead", BASICS), source("lead", BASICS)], "same name"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(sources: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        read(*sources)


def test_a_missing_or_damaged_manifest_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with pytest.raises(ContractError, match="dbt parse"):
        load_contract(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ContractError, match="dbt parse"):
        load_contract(path)
    path.write_text(json.dumps({"sources": {"1": source("lead", BASICS)}}), encoding="utf-8")
    assert [one.name for one in load_contract(path).tables] == ["lead"]


def test_parents_come_first_and_circles_stand_together() -> None:
    def child(name: str, *parents: str) -> Any:
        return table(name, *(Column(f"{parent}_id", "BIGINT", references=parent) for parent in parents))

    contract = Contract((child("a", "b"), child("b", "c"), child("c", "b", "d"), child("d"), child("e", "e", "a")))
    assert [[one.name for one in component] for component in contract.components] == [["d"], ["b", "c"], ["a"], ["e"]]
    assert contract.with_descendants({"a"}) == {"a", "e"}
    assert contract.with_descendants({"d"}) == {"a", "b", "c", "d", "e"}
    assert [[one.name for one in component] for component in CONTRACT.components][-1] == ["payment"]


def some_value(kind: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(kind, sa.Enum):
        return kind.enums[0]
    values = {
        sa.Boolean: True,
        sa.Integer: 1,
        sa.Date: dt.date(2024, 3, 1),
        sa.String: "楼",
        sa.DateTime: dt.datetime(2024, 2, 29, 12, 30, 15, 123456),
        UtcDateTime: dt.datetime(2024, 2, 29, 12, 30, 15, 123456),
    }
    return next((value for known, value in values.items() if isinstance(kind, known)), "0.50")


def fill(engine: sa.Engine, contract: Contract) -> None:
    """One row in every loaded table, referring to the others, as both engines store them."""
    with engine.begin() as connection:
        for target in metadata.sorted_tables:
            if target.name not in contract.by_name:
                continue
            row: dict[str, Any] = {"id": 1}
            for described in target.columns:
                if described.name == "id" or described.foreign_keys or described.server_default is not None:
                    continue
                row[described.name] = some_value(described.type)
            row["updated_at"] = row["created_at"] = dt.datetime(2024, 3, 1, 8, 0, 0, 500)
            row["deleted_at"] = None
            for described in target.columns:
                if described.foreign_keys:
                    parent = next(iter(described.foreign_keys)).column.table
                    refers = parent is not target and parent.name in contract.by_name
                    row[described.name] = 1 if refers else None
            connection.execute(target.insert(), row)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_real_schema_loads_alike_from_both_engines(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    contract = read_contract(read_manifest(get_settings()))
    assert "customer" in contract.by_name
    assert "refresh" not in contract.by_name
    loaded = {}
    for url in (sqlite_url, postgres_url):
        engine = create_engine_for(url)
        create_schema(engine)
        fill(engine, contract)
        engine.dispose()
        warehouse = tmp_path / f"{len(loaded)}.duckdb"
        report = load(url, warehouse, contract=contract)
        assert report.quarantined == 0, rows(warehouse, "select * from quarantine.quarantine_row")
        assert {one.accepted for one in report.tables.values()} == {1}
        assert load(url, warehouse, contract=contract).changed_tables == []
        found = contents(warehouse, contract)
        loaded[url] = {name: table_rows for name, table_rows in found.items() if not name.startswith("landing.")}
    assert loaded[sqlite_url] == loaded[postgres_url]
