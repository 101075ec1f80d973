"""The life of a deal: what it allows and what it refuses, and how the unit follows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data_entry.schema.competition import CompetitorObservation, CompetitorProject
from data_entry.schema.deal import Deal, DealEvent, DealShare, PaymentDue
from data_entry.services import deals, estates, leads
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError
from tests.data_entry.services.sales_company import (
    CANCEL,
    FLOOR,
    LIST,
    LOSS,
    MANAGER,
    STRANGER,
    WANG,
    ZHAO,
    Company,  # noqa: F401 - fixtures,
)


@pytest.fixture
def lead(company) -> int:
    return company.lead()


@pytest.fixture
def lead_on_each(company_on_each) -> int:
    return company_on_each.lead()


def begin(company, lead, stage="booking", value=50_000, who=WANG, **parts) -> int:
    parts.setdefault("unit_id", 1)
    with company.write(who) as work:
        return deals.open_deal(work, lead, stage, value, **parts).id


def signed(company, lead, unit_id=1, price=LIST) -> int:
    return begin(company, lead, "contract", price, unit_id=unit_id)


def do(company, what, *args, who=WANG, **parts):
    with company.write(who) as work:
        return what(work, *args, **parts)


def kinds(company, deal):
    with Session(company.engine) as session:
        return [
            (e.kind, e.amount)
            for e in session.scalars(sa.select(DealEvent).where(DealEvent.deal_id == deal).order_by(DealEvent.id))
        ]


def test_from_small_booking_to_contract(company_on_each, lead_on_each):
    company, lead = company_on_each, lead_on_each
    deal = begin(company, lead, "small_booking", "5000.50")
    assert company.status(1) == "reserved"
    do(company, deals.advance, deal, "booking", 50_000)
    assert company.status(1) == "booked"
    do(company, deals.advance, deal, "contract", LIST)
    assert company.status(1) == "sold"
    assert kinds(company, deal) == [
        ("small_booking", Decimal("5000.50")), ("booking", Decimal(50_000)), ("contract", LIST),
    ]  # fmt: skip
    with company.read() as work:
        assert leads.state_of(work, lead).state == "converted"
    for stage in ("small_booking", "booking", "contract"):
        with pytest.raises(Refused):
            do(company, deals.advance, deal, stage, 1)


def test_stages_may_be_skipped_but_not_repeated(company, lead):
    deal = begin(company, lead, "small_booking", 1000)
    do(company, deals.advance, deal, "contract", LIST)
    with pytest.raises(Refused):
        do(company, deals.advance, deal, "booking", 1000)
    with pytest.raises(Invalid):
        do(company, deals.advance, deal, "cancel", 1000)
    with pytest.raises(Invalid):
        begin(company, lead, "swap")


@pytest.mark.parametrize("value", [0, -1, "0.001", "x", None, "NaN", "Infinity", 10**16, "1e20"])
def test_amounts_that_are_none(company, lead, value):
    with pytest.raises(Invalid):
        begin(company, lead, value=value)
    assert company.status(1) == "available"


@pytest.mark.parametrize(("unit", "words"), [(20, "permit"), (21, "withheld"), (22, "another estate")])
def test_units_that_cannot_be_sold(company, lead, unit, words):
    with pytest.raises(Refused, match=words):
        begin(company, lead, unit_id=unit)
    with pytest.raises(Invalid):
        begin(company, lead, unit_id=None)
    with pytest.raises(NotFound):
        begin(company, lead, unit_id=999)


def test_the_permit_counts_on_the_day(company):
    company.now = dt.datetime(2026, 2, 27)
    lead = company.lead()
    company.now = dt.datetime(2026, 3, 5)
    with pytest.raises(Refused, match="permit"):
        begin(company, lead, occurred_at=dt.datetime(2026, 2, 28, 23, 59))
    begin(company, lead, occurred_at=dt.datetime(2026, 3, 1, 0, 0))


def test_a_unit_is_sold_once(company_on_each, lead_on_each):
    company, lead = company_on_each, lead_on_each
    other = company.lead(ZHAO, "李二", "13900000002")
    deal = begin(company, lead, "small_booking", 1000)
    for stage, value in (("small_booking", 1000), ("booking", 1000), ("contract", LIST)):
        with pytest.raises(Refused, match="reserved"):
            begin(company, other, stage, value, who=ZHAO)
    do(company, deals.advance, deal, "booking", 1000)
    with pytest.raises(Refused, match="booked"):
        begin(company, other, who=ZHAO)
    do(company, deals.advance, deal, "contract", LIST)
    with pytest.raises(Refused, match="sold"):
        begin(company, other, who=ZHAO)
    do(company, deals.cancel, deal, CANCEL)
    begin(company, other, who=ZHAO)
    assert company.status(1) == "booked"


def test_a_small_booking_may_choose_later_and_change(company, lead):
    deal = begin(company, lead, "small_booking", 1000, unit_id=None)
    with pytest.raises(Invalid):
        do(company, deals.advance, deal, "booking", 1000)
    do(company, deals.advance, deal, "booking", 1000, unit_id=1)
    do(company, deals.advance, deal, "contract", LIST, unit_id=2)
    assert (company.status(1), company.status(2)) == ("available", "sold")


def test_a_price_below_the_floor_needs_the_manager(company, lead):
    with pytest.raises(Refused, match="lowest price"):
        signed(company, lead, price=FLOOR - 1)
    deal = signed(company, lead, price=FLOOR)
    with pytest.raises(Refused, match="lowest price"):
        do(company, deals.amend, deal, -1)
    do(company, deals.amend, deal, -1, who=MANAGER)
    with Session(company.engine) as session:
        assert session.execute(sa.text("select count(*) from audit_log where action = 'approve'")).scalar() == 1


def test_a_cancellation_demands_a_reason_and_takes_all_back(company, lead):
    deal = signed(company, lead)
    for reason, value in ((None, LIST), (LOSS, LIST), (CANCEL, LIST - 1), (CANCEL, -5), (CANCEL, LIST + 1)):
        with pytest.raises(Invalid):
            do(company, deals.cancel, deal, reason, value)
    do(company, deals.amend, deal, "500.25")
    do(company, deals.cancel, deal, CANCEL)
    assert kinds(company, deal)[-1] == ("cancel", LIST + Decimal("500.25"))
    assert company.status(1) == "available"
    with company.read() as work:
        assert leads.state_of(work, lead).state == "lost"
    for what in (deals.cancel, deals.amend):
        with pytest.raises(Refused, match="cancelled"):
            do(company, what, deal, CANCEL)
    with pytest.raises(Refused, match="cancelled"):
        do(company, deals.advance, deal, "contract", LIST)


def test_a_booking_may_keep_some_of_the_deposit(company, lead):
    deal = begin(company, lead, value=1000)
    with pytest.raises(Invalid):
        do(company, deals.cancel, deal, CANCEL, 1001)
    do(company, deals.cancel, deal, CANCEL, 400, keeps_looking=True)
    with company.read() as work:
        assert leads.state_of(work, lead).state == "open"
    begin(company, lead)


def test_a_swap_ends_one_deal_and_begins_another(company_on_each, lead_on_each):
    company, lead = company_on_each, lead_on_each
    deal = signed(company, lead)
    do(company, deals.share_out, deal, {WANG: "0.6", ZHAO: "0.4"})
    plan = deals.draft_plan("instalments", LIST, dt.date(2026, 3, 2))
    do(company, deals.set_plan, deal, plan)
    with pytest.raises(Invalid):
        do(company, deals.swap, deal, 1, LIST)
    with pytest.raises(Refused, match="withheld"):
        do(company, deals.swap, deal, 21, LIST)
    company.later(30)
    new = do(company, deals.swap, deal, 2, LIST + 100).id
    assert kinds(company, deal)[-1] == ("swap", 0)
    assert kinds(company, new) == [("contract", LIST + 100)]
    assert (company.status(1), company.status(2)) == ("available", "sold")
    with Session(company.engine) as session:
        row = session.get_one(Deal, new)
        assert (row.swapped_from_id, row.lead_id) == (deal, lead)
        shares = session.scalars(sa.select(DealShare).where(DealShare.deal_id == new))
        assert {s.employee_id: s.share for s in shares} == {WANG: Decimal("0.6"), ZHAO: Decimal("0.4")}
    with company.read() as work:
        # The first instalment was due before the swap and stays; the rest is owed on the new deal.
        total, _ = deals.to_plan(work, new)
        assert total == LIST + 100 - plan[0][1]
        assert leads.state_of(work, lead).state == "converted"
    with pytest.raises(Refused, match="given up"):
        do(company, deals.swap, deal, 3, LIST)
    do(company, deals.set_plan, new, deals.draft_plan("lump_sum", total, dt.date(2026, 4, 2)))
    with company.read() as work:
        assert deals.money(work, new).gap == 0


def test_amendments(company, lead):
    booked = begin(company, lead)
    with pytest.raises(Refused, match="no contract"):
        do(company, deals.amend, booked, 5)
    do(company, deals.advance, booked, "contract", LIST)
    for value in (0, "x", -LIST, "0.001"):
        with pytest.raises(Invalid):
            do(company, deals.amend, booked, value)
    do(company, deals.amend, booked, -1000)
    with company.read() as work:
        assert deals.state_of(work, booked).price == LIST - 1000


def test_shares_sum_to_one(company, lead):
    deal = signed(company, lead)
    for shares in ({WANG: 1, ZHAO: "0.5"}, {WANG: 0}, {WANG: "0.5"}, {99: 1}, {WANG: "x"}, {WANG: 2, ZHAO: -1}):
        with pytest.raises(Invalid):
            do(company, deals.share_out, deal, shares)
    third = Decimal("0.333333")
    for shares in ({WANG: third, ZHAO: third, MANAGER: 1 - 2 * third}, {ZHAO: 1}, {}, {WANG: "0.5", ZHAO: "0.5"}):
        kept = do(company, deals.share_out, deal, shares)
        assert {row.employee_id: row.share for row in kept} == {k: Decimal(v) for k, v in shares.items()}


@given(cents=st.integers(1, 10**12), template=st.sampled_from(sorted(deals.PLANS)))
def test_a_drafted_plan_sums_to_the_price(cents, template):
    price = Decimal(cents) / 100
    plan = deals.draft_plan(template, price, dt.date(2026, 1, 1))
    assert sum(value for _, value in plan) == price
    assert all(value == value.quantize(Decimal("0.01")) for _, value in plan)


def test_a_plan_sums_to_the_price_and_replaces_the_one_before(company, lead):
    deal = signed(company, lead)
    day = dt.date(2026, 4, 1)
    for plan in ([(day, LIST - 1)], [(dt.date(2026, 3, 1), LIST)], [(day, LIST), (day, 0)], [], [(None, LIST)]):
        with pytest.raises(Invalid):
            do(company, deals.set_plan, deal, plan)
    do(company, deals.set_plan, deal, [(day, LIST)])
    do(company, deals.set_plan, deal, deals.draft_plan("mortgage", LIST, day))
    with Session(company.engine) as session:
        live = session.scalars(sa.select(PaymentDue).where(PaymentDue.deleted_at.is_(None))).all()
        assert (len(live), sum(due.amount for due in live)) == (2, LIST)
    do(company, deals.amend, deal, 1000)
    with company.read() as work:
        assert deals.money(work, deal).gap == 1000


def test_payments(company_on_each, lead_on_each):
    company, lead = company_on_each, lead_on_each
    deal = signed(company, lead)
    for value, kind, day in (
        (0, "deposit", None), (5, "gift", None), (-5, "deposit", None), (5, "refund", None), (5, None, None),
        (5, "deposit", dt.date(2026, 3, 3)),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            do(company, deals.pay, deal, value, kind, day)
    first = do(company, deals.pay, deal, 400_000, "down_payment").id
    with pytest.raises(Refused, match="price"):
        do(company, deals.pay, deal, 600_001, "mortgage")
    with pytest.raises(Refused, match="paid"):
        do(company, deals.pay, deal, -400_001, "refund")
    do(company, deals.void_payment, first)
    with pytest.raises(Refused):
        do(company, deals.void_payment, first)
    do(company, deals.pay, deal, LIST, "mortgage")
    do(company, deals.cancel, deal, CANCEL)
    with pytest.raises(Refused, match="cancelled"):
        do(company, deals.pay, deal, 1, "mortgage")
    do(company, deals.pay, deal, -LIST, "refund")
    with company.read() as work:
        assert deals.money(work, deal).paid == 0


def test_moments_follow_each_other(company, lead):
    company.later(5)
    deal = begin(company, lead, occurred_at=dt.datetime(2026, 3, 4, 12, 0))
    for moment in (dt.datetime(2026, 3, 4, 11, 59), dt.datetime(2026, 3, 7, 10, 1)):
        with pytest.raises(Invalid):
            do(company, deals.advance, deal, "contract", LIST, occurred_at=moment)
    do(company, deals.cancel, deal, CANCEL, keeps_looking=True, occurred_at=dt.datetime(2026, 3, 5, 12, 0))
    other = company.lead(name="B", phone=None, opened_at=dt.datetime(2026, 3, 2, 12, 0))
    with pytest.raises(Refused, match="another customer"):
        begin(company, other, occurred_at=dt.datetime(2026, 3, 5, 11, 0))
    begin(company, other, occurred_at=dt.datetime(2026, 3, 5, 12, 0))


def test_who_may_not_reach_a_deal(company, lead):
    deal = signed(company, lead)
    for who in (ZHAO, STRANGER):
        for call in (
            lambda w: deals.cancel(w, deal, CANCEL), lambda w: deals.amend(w, deal, 1), lambda w: deals.money(w, deal),
            lambda w: deals.pay(w, deal, 1, "deposit"), lambda w: deals.swap(w, deal, 2, LIST),
            lambda w: deals.open_deal(w, lead, "booking", 1, unit_id=2),
        ):  # fmt: skip
            with company.write(who) as work, pytest.raises((NotFound, Forbidden)):
                call(work)


def test_the_board_and_its_prices(company_on_each, lead_on_each):
    company, lead = company_on_each, lead_on_each
    begin(company, lead)
    with company.read() as work:
        first, second = estates.board(work, 1)
        assert (first.has_permit, second.has_permit) == (True, False)
        assert [floor for floor, _ in first.floors] == [9, 6, 5, 4, 3, 2, 1]
        held = [place for place in first.places if place.deal_id]
        assert [(p.unit.id, p.unit.status, p.customer, p.price_per_sqm) for p in held] == [
            (1, "booked", "陈一", Decimal(12346))
        ]
        assert [unit.id for unit, _ in estates.sellable(work, 1)] == [2, 3, 4, 5, 6]
    with company.read(ZHAO) as work:
        assert [place.customer for block in estates.board(work, 1) for place in block.places if place.customer] == []
        assert 1 not in [unit.id for unit, _ in estates.sellable(work, 1)]
    with company.write() as work, pytest.raises(Forbidden):
        estates.set_price(work, 2, LIST)
    with pytest.raises(Invalid):
        do(company, estates.set_price, 2, LIST, LIST + 1, who=MANAGER)
    company.later()
    do(company, estates.set_price, 2, LIST + 1, FLOOR, who=MANAGER)
    do(company, estates.set_price, 2, LIST + 2, None, who=MANAGER)
    with company.read() as work:
        assert [(p.list_price, p.valid_from_on) for p in estates.prices(work, 2)] == [
            (LIST + 2, dt.date(2026, 3, 3)), (LIST, dt.date(2026, 1, 1)),
        ]  # fmt: skip
    with pytest.raises(Refused):
        do(company, estates.set_status, 1, "withheld", who=MANAGER)
    do(company, estates.set_status, 3, "withheld", who=MANAGER)
    do(company, estates.set_status, 3, "available", who=MANAGER)
    with pytest.raises(Invalid):
        do(company, estates.set_status, 3, "sold", who=MANAGER)


def test_deals_are_listed_by_stage(company_on_each):
    company = company_on_each
    keys = [company.lead(name=f"N{n}", phone=f"1380000040{n}") for n in range(4)]
    first = begin(company, keys[0])
    sold = signed(company, keys[1], 2)
    do(company, deals.amend, sold, 500)
    gone = begin(company, keys[2], unit_id=3)
    do(company, deals.cancel, gone, CANCEL)
    do(company, deals.swap, sold, 4, LIST)
    with company.read() as work:
        rows, counts = deals.listing(work, "ended")
        assert counts == {"small_booking": 0, "booking": 1, "contract": 1, "ended": 2}
        assert {row.deal.id for row in rows} == {gone, sold}
        rows, _ = deals.listing(work, "booking", text="101")
        assert [(row.deal.id, row.customer, row.unit) for row in rows] == [(first, "N0", "1 101")]
        assert deals.listing(work, "booking", text="%")[0] == []
    with company.read(ZHAO) as work:
        assert sum(deals.listing(work, "booking")[1].values()) == 0


def test_estates_side_by_side(company_on_each):
    company = company_on_each
    with company.read() as work:
        found = estates.comparison(work, 1)
        assert (found.own.units, found.own.available, found.own.sold) == (8, 7, 0)
        (rival,) = found.rivals
        assert (rival.estate.name, rival.company) == ("Lake View", "Rival Homes")
        seen = rival.seen[1]
        assert (seen.value, seen.observed_on, seen.observer) == ("12500", dt.date(2026, 2, 20), "Service")
        assert found.seen == {}


def test_our_own_estate_is_none_of_its_rivals(company_on_each):
    company = company_on_each
    with Session(company.engine) as session:
        session.add(CompetitorProject(id=9, name="Ours", own_project_id=1, is_own=True))
        session.flush()
        session.add(CompetitorObservation(competitor_project_id=9, feature_id=1, value="13000",
                                          observed_on=dt.date(2026, 2, 20)))  # fmt: skip
        session.commit()
    with company.read() as work:
        found = estates.comparison(work, 1)
        assert [rival.estate.name for rival in found.rivals] == ["Lake View"]
        assert found.seen[1].value == "13000"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("open", "advance", "cancel", "swap", "amend", "lost", "reopened", "pay", "plan")),
        st.sampled_from((1, 2, 3, 20)),
        st.sampled_from(("small_booking", "booking", "contract")),
        st.sampled_from((Decimal("1000.00"), LIST, FLOOR - 1, Decimal(0), Decimal("-5000"))),
    ),
    min_size=4, max_size=14,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_tried_units_follow_their_deals(company, steps):
    lead = company.lead(name="N", phone=None, wishes={}) if not hasattr(company, "tried") else company.tried
    company.tried = lead
    for step, unit, stage, value in steps:
        company.later(0.1)
        with Session(company.engine) as session:
            deal = session.scalar(sa.select(sa.func.max(Deal.id))) or 0
        calls = {
            "open": lambda w, u=unit, s=stage, v=value: deals.open_deal(w, lead, s, v, unit_id=u),
            "advance": lambda w, u=unit, s=stage, v=value, d=deal: deals.advance(w, d, s, v, unit_id=u),
            "cancel": lambda w, d=deal: deals.cancel(w, d, CANCEL),
            "swap": lambda w, u=unit, v=value, d=deal: deals.swap(w, d, u, v),
            "amend": lambda w, v=value, d=deal: deals.amend(w, d, v),
            "lost": lambda w: leads.record(w, lead, "lost", reason_id=LOSS),
            "reopened": lambda w: leads.record(w, lead, "reopened"),
            "pay": lambda w, v=value, d=deal: deals.pay(w, d, v, "refund" if v < 0 else "deposit"),
            "plan": lambda w, v=value, d=deal, n=company: deals.set_plan(w, d, [(n.now.date(), v)]),
        }
        try:
            with company.write() as work:
                calls[step](work)
        except ServiceError:
            pass
    with company.read(MANAGER) as work:
        for unit in (1, 2, 3, 20):
            held = deals.holder_of(work, unit)
            expected = deals.UNIT_STATUS[held[1].stage] if held else "available"
            assert company.status(unit) == expected
        live = work.session.scalars(sa.select(Deal)).all()
        holding = [d.unit_id for d in live if deals.state_of(work, d.id).is_active and d.unit_id]
        assert len(holding) == len(set(holding))
