"""Splitting a category of demands loses no history: in the marts, old and new demands count in the category above."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from data_entry.services import categories, demands
from tests.data_entry.services.demand_company import NOW, company_on
from tests.support.warehouse import Warehouse, sources

pytestmark = pytest.mark.slow


def raw_rows(engine: sa.Engine) -> dict[str, list[dict]]:
    """The tables as the pipeline loads them."""
    with engine.connect() as crm:
        return {
            table: [dict(row._mapping) for row in crm.execute(sa.text(f"SELECT {', '.join(columns)} FROM {table}"))]
            for table, columns in (
                (table, [f'"{c}"' for c in columns if not c.startswith("_")])
                for table, columns in sources().items()
                if table != "refresh"
            )
        }


@pytest.mark.function("1.i.5")
def test_old_demands_count_where_they_hang_and_new_ones_in_the_category_above(sqlite_url):
    with company_on(sqlite_url) as company:
        k = company.key

        def enter(category_id: int) -> None:
            with company.writing("service") as work:
                demands.enter(
                    work, customer_id=k.wang, project_id=k.garden, demand_category_id=category_id, phase="property",
                    title="Drips",
                )  # fmt: skip

        enter(k.leak)
        with company.writing("service") as work:
            pipe, roof = (row.id for row in categories.split(work, categories.DEMANDS, k.leak, ["Pipe", "Roof"]))
        enter(pipe)
        enter(roof)
        enter(roof)
        warehouse = Warehouse()
        warehouse.load(raw_rows(company.engine), as_of=NOW)
        warehouse.build()
    counted = dict(
        warehouse.rows(
            "select demand_category_name, count(distinct demand_id) from marts.fct_demand_category"
            " join marts.dim_demand_category as c on counted_category_id = c.demand_category_id group by 1"
        )
    )
    assert counted == {"Complaint": 4, "Quality": 4, "Leak": 4, "Pipe": 1, "Roof": 2}
