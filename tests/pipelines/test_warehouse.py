"""What opening the warehouse sets, and that it does what it is set for."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.warehouse import open_warehouse

ROW_GROUPS = "select count(distinct row_group_id) from pragma_storage_info('raw.many')"


def test_row_groups_that_lost_rows_are_put_together_by_builds_alone(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as warehouse:
        warehouse.execute("create table raw.many as select range as id from range(4 * 122880)")
    with open_warehouse(path) as warehouse:
        warehouse.execute("delete from raw.many where id % 10 <> 0")
    with open_warehouse(path) as warehouse:
        warehouse.execute("create table raw.one as select 1 as id")
    with duckdb.connect(str(path)) as as_dbt_does:
        assert as_dbt_does.execute(ROW_GROUPS).fetchall() == [(4,)]
        as_dbt_does.execute("create table raw.another as select 1 as id")
    with duckdb.connect(str(path)) as warehouse:
        assert warehouse.execute(ROW_GROUPS).fetchall() == [(1,)]
        assert warehouse.execute("select count(*) from raw.many").fetchall() == [(4 * 12288,)]
