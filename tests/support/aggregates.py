"""Aggregates of a snapshot that were brought up to date are those that would be made anew."""

from __future__ import annotations

import json

import duckdb

from loupan import aggregates
from loupan.snapshot import Snapshot
from tests.support.same_rows import assert_same_rows


def assert_aggregates_as_made_anew(snapshot: Snapshot) -> None:
    """Make the aggregates of a snapshot once more, beside it, and compare every row."""
    told = json.loads(snapshot.aggregates_path.read_text(encoding="utf-8"))
    manifest = json.loads(snapshot.semantic_manifest_path.read_text(encoding="utf-8"))
    with duckdb.connect(config={"disabled_optimizers": "common_subexpressions"}) as connection:
        connection.execute(f"attach '{snapshot.marts_path}' as marts (read_only)")
        assert aggregates.make(connection, manifest, told["cut"]) == told
        for table in aggregates.tables_of(told):
            assert_same_rows(connection, f"marts.{table}", table)
