"""What the services write is what the metrics say: a sale from small booking to swap and cancellation."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.services import customers, deals, leads
from tests.data_entry.services.sales_company import CANCEL, ESTATE, LIST, LOSS, MANAGER, WANG, ZHAO
from tests.support.gateway import metrics_of
from tests.support.warehouse import Warehouse, sources


def load(company, warehouse):
    """Load the CRM into the raw schema as the pipeline would, and build the marts."""
    rows = {}
    with company.engine.connect() as connection:
        for name, columns in sources().items():
            table = metadata.tables.get(name)
            if table is not None:
                shared = [table.c[column] for column in columns if column in table.c]
                rows[name] = [dict(row) for row in connection.execute(sa.select(*shared)).mappings()]
    warehouse.load({name: found for name, found in rows.items() if found}, as_of=company.now)
    warehouse.build()


@pytest.mark.slow
def test_a_sale_moves_the_numbers(company, tmp_path):  # noqa: PLR0915 - one story
    lead = company.lead(wishes={"intent_level": "A"})
    other = company.lead(ZHAO, "李二", "13900000002")
    third = company.lead(ZHAO, "王三", "13700000003")
    with company.write() as work:
        leads.record(work, lead, "visit", is_effective=True)
    company.later(1)
    with company.write() as work:
        deal = deals.open_deal(work, lead, "small_booking", 5000, unit_id=1).id
    company.later(1)
    with company.write() as work:
        deals.advance(work, deal, "booking", 50_000)
    company.later(30)
    with company.write() as work:
        deals.advance(work, deal, "contract", LIST)
        deals.set_plan(work, deal, deals.draft_plan("lump_sum", LIST, work.today))
        deals.share_out(work, deal, {WANG: "0.75", ZHAO: "0.25"})
    company.later(1)
    with company.write() as work:
        deals.amend(work, deal, 1000)
    company.later(4)
    with company.write() as work:
        new = deals.swap(work, deal, 2, LIST + 50_000).id
        total, day = deals.to_plan(work, new)
        deals.set_plan(work, new, deals.draft_plan("lump_sum", total, day))
        deals.pay(work, new, 100_000, "down_payment")
    # A second customer buys and gives up; a third is lost; a duplicate of the first one is merged.
    with company.write(ZHAO) as work:
        given_up = deals.open_deal(work, other, "contract", LIST, unit_id=3).id
        leads.record(work, third, "lost", reason_id=LOSS)
        twin = customers.enter(work, {"name": "陈一"}, despite_duplicates=True, project_id=ESTATE).id
    with company.write(ZHAO) as work:
        leads.open_lead(work, twin, ESTATE)
    first = company.customer_of(lead)
    with company.write(MANAGER) as work:
        customers.merge(work, twin, first)
    company.later(40)
    with company.write(ZHAO) as work:
        deals.cancel(work, given_up, CANCEL)
    company.later(1)

    warehouse = Warehouse()
    load(company, warehouse)
    folder = tmp_path / "published"
    folder.mkdir()
    metrics = metrics_of(warehouse, folder)

    def ask(name, **options):
        frame = metrics.query([name], **options)
        return float(frame[name].iloc[0])

    expected = {
        "leads": 3, "visits": 1, "small_bookings": 1, "bookings": 1, "contracts_gross": 2, "contracts_cancelled": 1,
        "contracts": 1, "contract_amount_gross": 2 * float(LIST), "contract_amount_cancelled": float(LIST),
        # The amendment, and the difference that the swap made to the amended price.
        "contract_amount_amended": 1000 + (50_000 - 1000), "contract_amount": float(LIST) + 50_000,
        "contract_amount_restated": float(LIST) + 50_000, "lost_leads": 2, "open_leads": 0, "collected_amount": 100_000,
    }  # fmt: skip
    assert {name: ask(name) for name in expected} == expected
    assert ask("conversion_rate") == pytest.approx(1 / 3)
    # Both plans together are the present price; what was due of the first one stays due.
    assert warehouse.rows("select sum(amount) from raw.payment_due where deleted_at is null") == [(LIST + 50_000,)]
    by_person = metrics.query(["contract_amount"], by=["employee"])
    shares = {str(row.employee): float(row.contract_amount) for row in by_person.itertuples()}
    assert shares == {
        "E1": pytest.approx((float(LIST) + 50_000) * 0.75),
        "E2": pytest.approx((float(LIST) + 50_000) * 0.25),
    }
    assert dt.datetime(2026, 5, 1) < company.now
