"""A warehouse in memory whose models are built by increments, as dbt builds them, without a dbt run."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import duckdb
import pandas as pd

from loupan import aggregate_patch, aggregates
from loupan.aggregate_tables import Aggregate
from loupan.marts_file import copy_marts, patch_marts
from pipelines import delta, difference, increment
from pipelines.contract import Contract, read_contract
from pipelines.increment import Step
from tests.reference.changes import Rows, change, frames_of, rows_of
from tests.reference.random_crm import random_crm
from tests.support.same_rows import assert_same_rows
from tests.support.warehouse import Model, Warehouse, manifest

RECIPE = "recipe"
LINKS = (
    ("customer", "merged_into_id"),
    ("demand", "duplicate_of_id"),
    ("promise", "deal_id"),
    ("promise", "demand_id"),
)
# How many rows change between two builds: mostly so few that most customers have no part in it.
CHANGES = (0, 0, 1, 3, 20)
PASSED = (dt.timedelta(0), dt.timedelta(minutes=1), dt.timedelta(hours=9), dt.timedelta(days=1), dt.timedelta(days=40))


class IncrementalWarehouse(Warehouse):
    """Notes what changes in raw, as the load does, and builds what follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.artifact = json.loads(manifest().manifest_json)
        self.contract: Contract = read_contract(self.artifact)
        delta.create_tables(self.con, self.contract)
        self.aggregates_patched = 0

    def change(self, tables: Mapping[str, pd.DataFrame], as_of: dt.datetime) -> None:
        """Replace the raw rows, and note which differ."""
        names = [table.name for table in self.contract.tables]
        for name in names:
            self.con.execute(f"create or replace temp table was_{name} as from raw.{name}")
        self.load(tables, as_of)
        for name in names:
            for gone, come, is_old in ((f"was_{name}", f"raw.{name}", True), (f"raw.{name}", f"was_{name}", False)):
                self.con.execute(
                    f"insert into delta.{name} select *, {is_old} from (from {gone} except all from {come})"
                )

    def build_increment(self, until: str | None = None) -> dict[str, Step] | None:
        """Build what follows from the changes; return the steps, None if everything was built.

        ``until`` names the model before which the build is killed.
        """
        published = difference.forget_published(self.con)
        # Here the customers are so few that nearly all are concerned.
        with mock.patch.object(increment, "MOST_CUSTOMERS", 1.0):
            planned = increment.plan(self.con, self.contract, self.artifact, recipe=RECIPE, time_zone=self.time_zone)
        if planned is None:
            for schema in ("staging", "intermediate", "marts"):
                self.con.execute(f"create schema if not exists {schema}")
        for model in manifest(self.time_zone).models:
            if model.name == until:
                return None if planned is None else dict(planned.steps)
            try:
                self._take(model, planned.steps.get(model.alias) if planned else None)
            except duckdb.Error as error:
                raise RuntimeError(f"{model.name}: {error}") from error
        if planned and published:
            difference.note(self.con, planned, published)
        (as_of,) = self.rows("select as_of from raw.refresh")[0]
        delta.note_built(self.con, self.contract, delta.Built(as_of, RECIPE))
        increment.drop_twins(self.con)
        return None if planned is None else dict(planned.steps)

    def publish(self, folder: Path) -> bool:
        """Write the marts to a file, and check it; return whether that was done by patching a copy of the last one."""
        differing, number = difference.read(self.con), len(list(folder.iterdir()))
        target = folder / f"{number}.duckdb"
        if differing:
            shutil.copy(folder / differing.base, target)
            patch_marts(self.con, target, "1GB", differing)
        else:
            copy_marts(self.con, target, "1GB")
        self.con.execute(f"attach '{target}' as published")
        for (mart,) in self.rows("select table_name from information_schema.tables where table_schema = 'marts'"):
            assert_same_rows(self.con, f"marts.{mart}", f"published.{mart}")
        before = None
        if differing:
            self.con.execute(f"attach '{folder / differing.base}' as before (read_only)")
            before = aggregates.Before.of(differing, "before", "memory")
        self._add_aggregates(before)
        difference.note_published(self.con, target.name)
        for catalogue in ("published", *(["before"] if differing else [])):
            self.con.execute(f"detach {catalogue}")
        return differing is not None

    def _add_aggregates(self, before: aggregates.Before | None) -> None:
        """Add the aggregates to what is published, and compare them with such as are made anew."""
        patch = aggregate_patch.Patcher.patch

        def noted(patcher: aggregate_patch.Patcher, aggregate: Aggregate, cut: int | None) -> None:
            try:
                patch(patcher, aggregate, cut)
            except duckdb.Error as error:
                raise AssertionError(f"{aggregate.table} cannot be brought up to date: {error}") from error
            self.aggregates_patched += 1

        semantic = json.loads(manifest(self.time_zone).semantic_json)
        (last_day,) = self.rows(f"select timezone('{self.time_zone}', timezone('UTC', as_of))::date from raw.refresh")[
            0
        ]
        cut = aggregates.cut_of(last_day)
        with (
            mock.patch.multiple(aggregate_patch, _LARGE=0, _MOST_ROWS=1.0),
            mock.patch.object(aggregate_patch.Patcher, "patch", noted),
            self.con.cursor() as connection,
        ):
            connection.execute("use published")
            made = aggregates.make(connection, semantic, cut, before)
            connection.execute("attach ':memory:' as anew")
            connection.execute("use anew")
            assert made == aggregates.make(connection, semantic, cut)
            for table in aggregates.tables_of(made):
                assert_same_rows(connection, f"published.{table}", f"anew.{table}")
            connection.execute("use memory")
            connection.execute("detach anew")

    def _take(self, model: Model, step: Step | None) -> None:
        is_anew = step is None or (step.anew_if and self.rows(step.anew_if)[0][0])
        if is_anew:
            self.con.execute(f"create or replace {model.kind} {model.schema}.{model.alias} as {model.sql}")
        if step is None or not step.script:
            return
        script = step.then_anew
        if not is_anew:
            script = step.script.replace("{after}", _read_instead(model.sql, step.after))
            script = script.replace("{before}", _read_instead(model.sql, step.before)).replace("{whole}", model.sql)
        self.con.execute("begin")
        self.con.execute(script)
        self.con.execute("commit")


def _read_instead(query: str, replacements: Mapping[str, str]) -> str:
    for relation, other in replacements.items():
        query = query.replace(relation, other)
    return query


def differences(one: Warehouse, other: Warehouse) -> list[str]:
    """Say of which tables of the models the rows differ, by a bit or more."""
    found = []
    for model in manifest(one.time_zone).models:
        if model.kind != "table":
            continue
        theirs = other.con.table(f"{model.schema}.{model.alias}")
        one.con.register("theirs", theirs.to_arrow_table())
        for side, left, right in (
            ("too many", f"{model.schema}.{model.alias}", "theirs"),
            ("missing", "theirs", f"{model.schema}.{model.alias}"),
        ):
            rows = one.rows(f"select * from (from {left} except all from {right}) limit 3")
            if rows:
                found.append(f"{model.alias} {side}: {rows}")
        one.con.unregister("theirs")
    return found


def built_tables() -> list[str]:
    """Names of the models that are tables."""
    return [model.name for model in manifest().models if model.kind == "table"]


def _part(rows: Rows, rng: random.Random) -> None:
    """Undo most of what links customers: where each is linked to all others, a change concerns everybody."""
    for table, column in LINKS:
        for row in rows[table].values():
            if rng.random() < 0.9:
                row[column] = None


@dataclass
class Life:
    """What became of the days of a company.

    Attributes:
        increments: days that were built by increments.
        patches: days that were published by patching what was published before.
        aggregates: tables of aggregates that were brought up to date.
    """

    increments: int = 0
    patches: int = 0
    aggregates: int = 0


def live_through(
    seed: int, days: Sequence[tuple[int, dt.timedelta, str | None]], folder: Path, customers: int = 100
) -> Life:
    """Let a random company live, and compare the models and what is published of them after each day.

    Args:
        seed: of the company and its changes.
        days: how many rows change, how far the as-of moves, and before which model the build is killed, if any; it is
            then not compared.
        folder: for what is published, empty.
        customers: about so many.
    """
    rng = random.Random(seed)
    company = random_crm(seed, customers)
    as_of = company.as_of
    warehouse = IncrementalWarehouse()
    rows = rows_of(company.tables, warehouse.contract)
    _part(rows, rng)
    warehouse.change(frames_of(rows, warehouse.contract), as_of)
    assert warehouse.build_increment() is None
    warehouse.publish(folder)
    life = Life()
    for count, passed, killed_before in days:
        change(rows, warehouse.contract, rng, as_of, count)
        as_of += passed
        tables = frames_of(rows, warehouse.contract)
        warehouse.change(tables, as_of)
        life.increments += warehouse.build_increment(killed_before) is not None
        if killed_before is None:
            anew = Warehouse()
            anew.load(tables, as_of)
            anew.build()
            found = differences(warehouse, anew)
            assert not found, "; ".join(found)
            life.patches += warehouse.publish(folder)
    life.aggregates = warehouse.aggregates_patched
    return life
