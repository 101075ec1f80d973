"""Owners of units and their fees: dated ownership, bills that are made once, payments, arrears; services on offer."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_entry.schema.estate import Building, Unit
from data_entry.schema.service import FeeType, ServiceClass, ServiceItem
from data_entry.services import fees, owners, service_items
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError, Stale
from tests.data_entry.services.demand_company import TODAY, Company, company_on

FIRST = dt.date(2026, 1, 1)
BOUGHT = dt.date(2025, 5, 22)


@pytest.fixture
def company(crm_place: str) -> Iterator[Company]:
    with company_on(crm_place) as company:
        yield company


@pytest.fixture
def small(sqlite_url: str) -> Iterator[Company]:
    with company_on(sqlite_url) as company:
        yield company


def own(company: Company, unit: str, customer: str, day: dt.date = BOUGHT) -> None:
    with company.writing("property") as work:
        owners.add(work, getattr(company.key, unit), getattr(company.key, customer), day)


def generate(company: Company, fee: str = "property_fee", day: dt.date = FIRST, who: str = "property"):
    with company.writing(who) as work:
        return fees.generate(work, company.key.garden, getattr(company.key, fee), day)


class TestOwners:
    def test_those_missed_by_sales_are_suggested_and_adopted_once(self, company):
        k = company.key
        with company.reading("property") as work:
            found, total = owners.missed(work)
        # The cancelled deal's buyer is none; the contract was signed 300 days before, by the company's calendar.
        assert [(m.deal_id, m.customer_id, m.contract_on) for m in found] == [(k.deal, k.wang, BOUGHT)]
        assert total == 1
        with company.writing("property") as work:
            assert len(owners.adopt(work, [k.deal, k.cancelled])) == 1
            assert owners.adopt(work, [k.deal]) == []
        with company.reading("property") as work:
            assert owners.missed(work) == ([], 0)
            [owner], total = owners.search(work, "1 101")
        assert (owner.customer_id, owner.from_on, owner.name, total) == (k.wang, BOUGHT, "Wang", 1)

    def test_ownership_passes_on_a_day(self, company):
        k = company.key
        own(company, "unit_101", "wang")
        with pytest.raises(Refused, match="change of ownership"):
            own(company, "unit_101", "li")
        for customer, day, message in (
            (k.wang, TODAY, "already"), (k.li, BOUGHT, "later day"), (k.li, TODAY + dt.timedelta(days=1), "not come"),
        ):  # fmt: skip
            with company.writing("property") as work, pytest.raises(ServiceError, match=message):
                owners.change(work, k.unit_101, customer, day)
        with company.writing("property") as work, pytest.raises(Refused, match="no owner"):
            owners.change(work, k.unit_102, k.li, TODAY)
        with company.writing("service") as work:
            # Customer service reads owners of all estates and may record them.
            owners.change(work, k.unit_101, k.li, dt.date(2026, 2, 1))
        with company.reading("property") as work:
            now, before = owners.history(work, k.unit_101)
            assert (now.customer_id, now.from_on, now.to_on) == (k.li, dt.date(2026, 2, 1), None)
            assert (before.customer_id, before.to_on) == (k.wang, dt.date(2026, 1, 31))
            assert [o.name for o in owners.search(work)[0]] == ["Li"]
            assert [o.name for o in owners.search(work, with_former=True)[0]] == ["Li", "Wang"]
            assert owners.search(work, "wang", with_former=True)[1] == 1
            assert owners.search(work, project_id=k.tower)[1] == 0

    def test_an_ownership_can_end_without_a_successor(self, small):
        own(small, "unit_101", "wang")
        with small.writing("property") as work:
            [owner], _ = owners.search(work)
            with pytest.raises(Refused):
                owners.end(work, owner.id, BOUGHT - dt.timedelta(days=1))
            owners.end(work, owner.id, TODAY)
            with pytest.raises(Refused):
                owners.end(work, owner.id, TODAY)

    def test_somebody_new_becomes_customer_and_owner_at_once(self, small):
        k = small.key
        with small.writing("property") as work:
            owners.new_person(work, k.unit_102, {"name": "Newcomer", "phone": "13900001111"}, TODAY)
        with small.writing("property") as work, pytest.raises(Invalid):
            owners.new_person(work, k.unit_103, {"name": " "}, TODAY)
        with small.writing("property") as work, pytest.raises(Forbidden):
            owners.new_person(work, k.unit_tower, {"name": "Elsewhere"}, TODAY)
        with small.reading("property") as work:
            assert [o.name for o in owners.search(work, "newc")[0]] == ["Newcomer"]

    def test_sales_and_other_estates_are_out(self, small):
        k = small.key
        with small.writing("sales") as work, pytest.raises(Forbidden):
            owners.add(work, k.unit_101, k.wang, TODAY)
        with small.reading("sales") as work, pytest.raises(Forbidden):
            owners.search(work)
        with small.writing("property") as work, pytest.raises(Forbidden):
            owners.add(work, k.unit_tower, k.wang, TODAY)

    def test_two_who_add_an_owner_at_once(self, company):
        results = at_once(company, lambda i: own(company, "unit_103", ("wang", "li")[i]), 2)
        assert sorted(results) == ["done", "refused"]


def at_once(company: Company, job, people: int) -> list[str]:
    start, results = threading.Barrier(people), []

    def run(number: int) -> None:
        start.wait()
        try:
            job(number)
            results.append("done")
        except Refused:
            results.append("refused")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestBills:
    def test_preview_says_what_generating_does(self, company):
        k = company.key
        own(company, "unit_101", "wang")
        own(company, "unit_102", "li")
        with company.writing("admin") as work:
            work.get(Unit, k.unit_102).area_sqm = None
        with company.reading("property") as work:
            shown = fees.preview(work, k.garden, k.property_fee, FIRST)
        [bill] = shown.bills
        # 2.80 × 89.50 m² × 3 months
        assert (bill.unit, bill.customer_id, bill.owner, bill.amount) == ("1 101", k.wang, "Wang", Decimal("751.80"))
        assert (shown.ownerless, shown.unmeasured, shown.billed) == (["1 103"], ["1 102"], 0)
        assert (shown.until_on, shown.due_on, shown.total) == (dt.date(2026, 3, 31), dt.date(2026, 1, 31), bill.amount)
        assert [len(generate(company).bills), len(generate(company).bills)] == [1, 0]
        with company.reading("property") as work:
            assert fees.preview(work, k.garden, k.property_fee, FIRST).billed == 1
            [row], total, still_open = fees.bills(work)
        assert (row.amount, row.paid, row.due_on, total, still_open) == (
            Decimal("751.80"), 0, dt.date(2026, 1, 31), 1, Decimal("751.80")
        )  # fmt: skip
        assert len(generate(company, "parking").bills) == 2  # flat: needs no area

    def test_overlapping_periods_count_as_billed(self, small):
        own(small, "unit_101", "wang")
        assert len(generate(small).bills) == 1
        for day, made in ((dt.date(2025, 11, 1), 0), (dt.date(2026, 3, 1), 0), (dt.date(2026, 4, 1), 1)):
            assert len(generate(small, day=day).bills) == made, day

    def test_the_owner_of_the_first_day_is_billed_and_not_before_the_handover(self, small):
        k = small.key
        own(small, "unit_101", "wang")
        with small.writing("property") as work:
            owners.change(work, k.unit_101, k.li, dt.date(2026, 1, 2))
        assert [bill.customer_id for bill in generate(small).bills] == [k.wang]
        assert [bill.customer_id for bill in generate(small, day=dt.date(2026, 4, 1)).bills] == [k.li]
        with small.writing("admin") as work:
            work.get(Building, k.garden_building).handover_on = dt.date(2026, 7, 2)
        done = generate(small, day=dt.date(2026, 7, 1))
        assert (done.bills, done.not_handed_over) == ([], 3)

    def test_generating_at_once_makes_no_double(self, company):
        for unit, owner in (("unit_101", "wang"), ("unit_102", "li"), ("unit_103", "zhao")):
            if owner == "zhao":
                with company.writing("service") as work:
                    owners.add(work, company.key.unit_103, company.key.zhao, BOUGHT)
            else:
                own(company, unit, owner)
        assert at_once(company, lambda _: generate(company), 4) == ["done"] * 4
        with company.reading("property") as work:
            assert fees.bills(work)[1] == 3

    def test_what_cannot_be_generated(self, small):
        k = small.key
        for day in (dt.date(2026, 1, 2), dt.date(2030, 1, 1), None):
            with pytest.raises(Invalid):
                generate(small, day=day)
        own(small, "unit_101", "wang")
        for who in ("service", "sales", "executive"):
            with pytest.raises(Forbidden):
                generate(small, who=who)
        with small.writing("service") as work:
            owners.add(work, k.unit_tower, k.li, BOUGHT)
        with small.writing("property") as work, pytest.raises(Forbidden):
            fees.generate(work, k.tower, k.property_fee, FIRST)
        with small.writing("property") as work:
            work.get(FeeType, k.property_fee).rate = None
        with pytest.raises(Refused, match="no rate"):
            generate(small)
        with small.writing("property") as work:
            service_items.retire(work, FeeType, k.parking)
        with pytest.raises(Refused, match="any more"):
            generate(small, "parking")


class TestPayments:
    def bill(self, company: Company) -> int:
        own(company, "unit_101", "wang")
        generate(company)
        with company.reading("property") as work:
            return fees.bills(work)[0][0].id

    def pay(self, company: Company, key: int, amount, day: dt.date = TODAY, who: str = "property"):
        with company.writing(who) as work:
            return fees.pay(work, key, amount, day).id

    def test_part_rest_refund_and_void(self, company):
        key = self.bill(company)
        first = self.pay(company, key, "500")
        with pytest.raises(Refused, match=r"Only 251\.80 is open"):
            self.pay(company, key, Decimal("251.81"))
        with pytest.raises(Refused, match=r"Only 500\.00 was paid"):
            self.pay(company, key, -501)
        rest = self.pay(company, key, 251.80)
        with company.reading("property") as work:
            assert [fees.bills(work, state=state)[1] for state in ("all", "open", "overdue", "paid")] == [1, 0, 0, 1]
        with company.writing("property") as work, pytest.raises(Refused, match="Void the payments"):
            fees.withdraw(work, key)
        refund = self.pay(company, key, -600)
        with company.writing("property") as work, pytest.raises(Refused, match="refunded"):
            fees.void(work, first)
        with company.writing("property") as work:
            for payment in (refund, first, rest):
                fees.void(work, payment)
            with pytest.raises(Refused):
                fees.void(work, first)
            assert [p.is_void for p in fees.payments_of(work, key)] == [True] * 3
            fees.withdraw(work, key)
        with company.reading("property") as work:
            assert fees.bills(work)[1] == 0
        assert len(generate(company).bills) == 1

    def test_what_is_no_payment(self, small):
        key = self.bill(small)
        for amount in (0, "x", "0.001", float("nan"), float("inf"), None, "1e30"):
            with pytest.raises(Invalid):
                self.pay(small, key, amount)
        with pytest.raises(Invalid):
            self.pay(small, key, 1, TODAY + dt.timedelta(days=1))
        with pytest.raises(Forbidden):
            self.pay(small, key, 1, who="executive")
        with pytest.raises(NotFound):
            self.pay(small, key, 1, who="sales_2")

    def test_paying_at_once_never_pays_too_much(self, company):
        key = self.bill(company)
        assert sorted(at_once(company, lambda _: self.pay(company, key, 400), 3)) == ["done", "refused", "refused"]

    def test_arrears_by_owner_and_age(self, company):
        own(company, "unit_101", "wang")
        own(company, "unit_102", "li")
        for day in (dt.date(2025, 7, 1), dt.date(2025, 10, 1), FIRST, dt.date(2026, 4, 1)):
            generate(company, day=day)
        with company.reading("property") as work:
            rows, _, _ = fees.bills(work)
        oldest = next(r for r in rows if r.period_on == dt.date(2025, 7, 1) and r.customer_id == company.key.li)
        self.pay(company, oldest.id, "751.80")
        second = next(r for r in rows if r.period_on == dt.date(2025, 10, 1) and r.customer_id == company.key.li)
        self.pay(company, second.id, "0.10")
        with company.reading("property") as work:
            (wang, li), whole, people = fees.arrears(work)
            assert fees.arrears(work, project_id=company.key.tower) == ([], None, 0)
        bill = Decimal("751.80")
        # Due on 31 July, 31 October and 31 January; today is 18 March. The bill of April is not due.
        assert (wang.owner, wang.by_age) == ("Wang", (0, bill, bill, bill, 0))
        assert (li.owner, li.by_age) == ("Li", (0, bill, bill - Decimal("0.10"), 0, 0))
        assert whole.by_age == (0, 2 * bill, 2 * bill - Decimal("0.10"), bill, 0)
        assert (people, whole.bills, li.bills, wang.oldest_due_on) == (2, 5, 2, dt.date(2025, 7, 31))


class TestServiceItems:
    def test_add_change_retire(self, small):
        with small.writing("property") as work:
            cleaning = service_items.save(work, ServiceClass, {"name": "Cleaning"})
            item = service_items.save(
                work, ServiceItem,
                {"name": "Windows", "service_class_id": cleaning.id, "unit": "m²", "rate": "3.5", "description": "x"},
            )  # fmt: skip
            with pytest.raises(Invalid, match="taken"):
                service_items.save(work, ServiceItem, {"name": "Windows", "service_class_id": cleaning.id})
            service_items.save(work, ServiceItem, {"name": "Windows"})  # in no class
            version = item.row_version
            service_items.save(work, ServiceItem, {"rate": Decimal(4)}, item.id, version)
            with pytest.raises(Stale):
                service_items.save(work, ServiceItem, {"rate": Decimal(5)}, item.id, version)
            service_items.retire(work, ServiceItem, item.id)
            with pytest.raises(Refused):
                service_items.retire(work, ServiceItem, item.id)
            assert [(i.name, c) for i, c in service_items.items(work)] == [("Windows", None)]
            assert len(service_items.items(work, with_retired=True)) == 2
            service_items.retire(work, ServiceItem, item.id, is_active=True)
            assert [c.name for c in service_items.classes(work)] == ["Cleaning"]

    def test_what_does_not_fit(self, small):
        for kind, values in (
            (ServiceItem, {}), (ServiceItem, {"name": "x", "rate": -1}), (FeeType, {"name": "x", "period_months": 0}),
            (FeeType, {"name": "x", "basis": "y"}), (FeeType, {"name": "x", "payment_days": "z"}),
        ):  # fmt: skip
            with small.writing("property") as work, pytest.raises(Invalid):
                service_items.save(work, kind, values)
        with small.writing("sales") as work, pytest.raises(Forbidden):
            service_items.save(work, ServiceItem, {"name": "x"})


class TestFuzz:
    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        unit=st.one_of(st.integers(-1, 6), st.integers()), customer=st.one_of(st.integers(-1, 5), st.integers()),
        day=st.one_of(st.none(), st.dates(), st.dates(dt.date(2025, 1, 1), TODAY)), months=st.integers(-30, 30),
        amount=st.one_of(st.decimals(), st.floats(), st.text(max_size=8), st.integers()), name=st.text(max_size=20),
    )  # fmt: skip
    def test_a_row_or_a_message(self, small, unit, customer, day, months, amount, name):
        k = small.key
        jobs = (
            lambda w: owners.add(w, unit, customer, day),
            lambda w: owners.change(w, unit, customer, day),
            lambda w: owners.new_person(w, unit, {"name": name, "phone": name}, day),
            lambda w: fees.generate(w, k.garden, k.property_fee, fees.add_months(FIRST, months)),
            lambda w: fees.pay(w, customer, amount, day),
            lambda w: fees.void(w, customer),
            lambda w: service_items.save(w, ServiceItem, {"name": name, "rate": amount, "unit": name}),
        )
        for job in jobs:
            try:
                with small.writing("property") as work:
                    job(work)
            except ServiceError:
                continue
        with small.reading("admin") as work:
            for key in (k.unit_101, k.unit_102, k.unit_103):
                spans = owners.history(work, key)
                assert all(a.from_on > (b.to_on or dt.date.max) for a, b in pairwise(spans))
