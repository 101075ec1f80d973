"""Of a model's results a reader sees the rows that the scope of the page reaches, by the keys the scope is made of."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from loupan.metrics import EVERYTHING, Scope
from loupan.mining.published import output_table, read_output
from loupan.snapshot import Snapshot


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Results of three leads, by names and by keys; two estates have one name."""
    found = Snapshot("20260630T000000000000Z", tmp_path)
    with duckdb.connect(str(found.marts_path)) as connection:
        connection.execute(
            "create table dim_project as from (values (1, 'North'), (2, 'Lake'), (3, 'Lake')) t(project_id, project_name)"
        )
        connection.execute(
            "create table dim_employee as from (values (7, 'E7'), (8, 'E8')) t(employee_id, employee_number)"
        )
        rows = "(values (1, 'North', 'E7', 1), (2, 'Lake', 'E8', 2), (3, 'Lake', null, 3)) t(lead, project, employee, project_id)"
        connection.execute(f"create table {output_table('m', 'named')} as select lead, project, employee from {rows}")
        connection.execute(f"create table {output_table('m', 'keyed')} as from {rows}")
        connection.execute(f"create table {output_table('m', 'unbounded')} as select lead from {rows}")
    return found


def seen(snapshot: Snapshot, output: str, scope: Scope) -> list[int] | None:
    rows = read_output(snapshot, "m", output, scope)
    return None if rows is None else sorted(rows["lead"])


@pytest.mark.parametrize(
    ("reach", "named", "keyed"),
    [
        ({"employee_id": ["7"]}, [1], [1]),
        ({"project_id": ["1"]}, [1], [1]),
        ({"project_id": ["1"], "employee_id": ["8"]}, [1, 2], [1, 2]),
        # One of two estates of that name: the name does not tell whose row it is, the key does.
        ({"project_id": ["2"]}, [], [2]),
        ({"project_id": ["2", "3"]}, [2, 3], [2, 3]),
        ({"employee_id": []}, [], []),
        ({"employee_id": ["7'; drop table dim_project; --"]}, [], []),
    ],
)
def test_rows_within_reach_are_seen(
    snapshot: Snapshot, reach: dict[str, list[str]], named: list[int], keyed: list[int]
) -> None:
    assert seen(snapshot, "named", Scope.of(reach)) == named
    assert seen(snapshot, "keyed", Scope.of(reach)) == keyed


def test_what_cannot_be_bounded_is_seen_by_who_sees_everything(snapshot: Snapshot) -> None:
    assert seen(snapshot, "unbounded", EVERYTHING) == [1, 2, 3]
    assert seen(snapshot, "unbounded", Scope.of({"employee_id": ["7"]})) is None
    assert seen(snapshot, "named", Scope.of({})) is None
