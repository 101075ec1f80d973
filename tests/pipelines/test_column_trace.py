"""Where columns and rows come from, on literal queries."""

from __future__ import annotations

import pytest
from sqlglot import exp, parse_one
from sqlglot.schema import MappingSchema

from loupan.lineage import ROWS, Column
from pipelines.column_trace import Origins, Trace

TABLES = {
    "lead": {"id": "bigint", "customer_id": "bigint", "opened_at": "timestamp", "deleted_at": "timestamp"},
    "deal": {"id": "bigint", "lead_id": "bigint", "kind": "varchar", "at": "timestamp"},
    "tag": {"lead_id": "bigint", "words": "varchar[]"},
}


def trace(query: str) -> Trace:
    schema = MappingSchema(dialect="duckdb")
    for name, columns in TABLES.items():
        schema.add_table(exp.to_table(f"raw.{name}"), columns, dialect="duckdb")
    keys = {("raw", name): f"raw/{name}" for name in TABLES}
    return Trace(parse_one(query, dialect="duckdb"), keys, schema, "duckdb")


def names(columns: set[Column]) -> set[str]:
    return {f"{column.table.removeprefix('raw/')}.{column.column}" for column in columns}


def both(origins: Origins) -> tuple[set[str], set[str]]:
    return names(origins.values), names(origins.conditions)


def test_a_value_comes_from_all_columns_of_its_expression() -> None:
    query = trace("select case when kind = 'contract' then at end as signed_at, 1 as one from raw.deal")
    assert both(query.column("signed_at")) == ({"deal.kind", "deal.at"}, set())
    assert both(query.column("one")) == (set(), set())
    assert both(query.rows()) == (set(), {f"deal.{ROWS}"})


def test_a_condition_decides_which_rows_there_are() -> None:
    query = trace(
        "with live as (select * from raw.lead where deleted_at is null) "
        "select live.id from live join raw.deal on deal.lead_id = live.id "
        "qualify row_number() over (partition by live.customer_id order by deal.at) = 1"
    )
    assert both(query.column("id")) == ({"lead.id"}, set())
    assert names(query.rows().conditions) == {
        f"lead.{ROWS}", f"deal.{ROWS}", "lead.deleted_at", "deal.lead_id", "lead.id", "lead.customer_id", "deal.at",
    }  # fmt: skip


def test_an_optional_table_decides_what_stands_beside_a_row_and_nothing_else() -> None:
    query = trace(
        "with signed as (select lead_id, min(at) as first_at from raw.deal where kind = 'contract' group by lead_id) "
        "select lead.id, signed.first_at from raw.lead left join signed on signed.lead_id = lead.id"
    )
    assert both(query.column("first_at")) == ({"deal.at"}, {f"deal.{ROWS}", "deal.kind", "deal.lead_id", "lead.id"})
    assert both(query.column("id")) == ({"lead.id"}, set())
    assert names(query.rows().conditions) == {f"lead.{ROWS}"}


def test_both_sides_of_a_union_count_by_the_place_of_the_column() -> None:
    query = trace(
        "select id, opened_at as moment from raw.lead where customer_id > 0 union all select lead_id, at from raw.deal"
    )
    assert both(query.column("moment")) == ({"lead.opened_at", "deal.at"}, set())
    assert names(query.rows().conditions) == {f"lead.{ROWS}", f"deal.{ROWS}", "lead.customer_id"}


def test_a_subquery_speaks_of_the_query_around_it() -> None:
    query = trace(
        "select id from raw.lead where exists (select 1 from raw.deal where deal.lead_id = lead.id and kind = 'x')"
    )
    assert names(query.rows().conditions) >= {f"deal.{ROWS}", "deal.lead_id", "deal.kind", "lead.id"}


@pytest.mark.parametrize("column", ["node", "word"])
def test_circles_and_unfolded_lists_come_to_an_end(column: str) -> None:
    query = trace(
        "with recursive walk as (select id as node, customer_id as above from raw.lead "
        "union select walk.node, lead.customer_id from walk join raw.lead on lead.id = walk.above) "
        "select walk.node, unnest(tag.words) as word from walk join raw.tag on tag.lead_id = walk.node"
    )
    assert names(query.column(column).values) == ({"lead.id"} if column == "node" else {"tag.words"})
