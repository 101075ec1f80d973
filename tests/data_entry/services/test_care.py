"""Customer care: the days, the due list, and the tasks."""

import datetime as dt
from types import SimpleNamespace

import holidays
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM
from data_entry.schema.customer import Customer, CustomerClass
from data_entry.schema.deal import Deal, DealEvent
from data_entry.schema.office import Task
from data_entry.schema.service import CareOccasion
from data_entry.services import care, tasks
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from data_entry.services.work import writing
from loupan.i18n import translator
from tests.data_entry.services.people import TODAY


def rule(office, **values):
    with office.writing("sue") as work:
        return care.save_rule(work, **{"name": "Greeting", "calendar": "gregorian", **values}).id


def run(office, until=TODAY + dt.timedelta(days=30), login="sue"):
    with office.writing(login) as work:
        return care.generate_due(work, until)


def occasions(office):
    with Session(office.engine) as session:
        query = sa.select(CareOccasion.customer_id, CareOccasion.occurs_on).order_by(
            CareOccasion.occurs_on, CareOccasion.customer_id
        )
        return [tuple(row) for row in session.execute(query)]


def of(calendar, month, day):
    return SimpleNamespace(calendar=calendar, month=month, day=day)


def test_festivals_agree_with_the_public_holidays():
    # Two sources that know nothing of each other.
    for year in range(2008, 2030):
        official = holidays.country_holidays("CN", years=year, language="en_US")
        first: dict[str, dt.date] = {}
        for day, names in sorted(official.items()):
            for name in names.split("; "):
                first.setdefault(name, day)
        assert care.lunar_day(year, 1, 1) == first["Chinese New Year (Spring Festival)"]
        assert care.lunar_day(year, 5, 5) == first["Dragon Boat Festival"]
        assert care.lunar_day(year, 8, 15) == first["Mid-Autumn Festival"]


def test_hard_days_of_both_calendars():
    # 2023 has a second month 2 after the regular one; 2025 a second month 6.
    assert care.lunar_day(2023, 2, 15) == dt.date(2023, 3, 6)
    assert care.lunar_day(2025, 6, 1) == dt.date(2025, 6, 25)
    # The last day of the year, whether month 12 has 30 days (2023) or 29 (2024).
    assert care.lunar_day(2023, 12, 30) == dt.date(2024, 2, 9)
    assert care.lunar_day(2024, 12, 30) == dt.date(2025, 1, 28)
    assert care.in_year(2, 29, 2024) == dt.date(2024, 2, 29)
    assert care.in_year(2, 29, 2026) == dt.date(2026, 2, 28)
    assert list(care.festivals(of("lunar", 12, 30), dt.date(2026, 1, 1), dt.date(2027, 12, 31))) == [
        dt.date(2026, 2, 16),
        dt.date(2027, 2, 5),
    ]
    assert list(care.festivals(of("lunar", 1, 1), dt.date(2150, 1, 1), dt.date(2150, 12, 31))) == []
    born = dt.date(2000, 2, 29)
    assert list(care.returns(born, dt.date(2024, 1, 1), dt.date(2026, 12, 31))) == [
        dt.date(2024, 2, 29),
        dt.date(2025, 2, 28),
        dt.date(2026, 2, 28),
    ]
    assert list(care.returns(born, dt.date(2000, 1, 1), dt.date(2000, 12, 31))) == []


def test_rules_are_checked(office):
    for values in (
        {"month": 2, "day": 30},
        {"month": 13, "day": 1},
        {"month": 1, "day": None},
        {"calendar": "lunar", "month": 1, "day": 31},
        {"calendar": "odd"},
        {"month": 1, "day": 1, "lead_days": 91},
        {"month": 1, "day": 1, "name": " "},
        {"month": 1, "day": 1, "customer_class_id": 99},
    ):
        with pytest.raises(Invalid):
            rule(office, **values)
    with pytest.raises(Forbidden), office.writing("amy") as work:
        care.save_rule(work, name="x", calendar="birthday")


def test_ready_made_rules_are_offered_once(office):
    with office.writing("sue") as work:
        offered = [entry.key for entry, _ in care.offered(work, TODAY)]
        assert {"spring_festival", "national_day", "birthday"} <= set(offered)
        assert care.add_ready_made(work, "national_day", translator("zh")).name == "国庆节"
        assert "national_day" not in [entry.key for entry, _ in care.offered(work, TODAY)]
        with pytest.raises(Refused):
            care.add_ready_made(work, "national_day", translator("en"))


def test_the_due_list_is_made_once(each_office):
    office = each_office
    rule(office, calendar="birthday", lead_days=3)
    soon = office.customer("Li", owner="amy", birth_on=dt.date(1980, 3, 12))
    late = office.customer("Wang", owner="bob", birth_on=dt.date(1990, 3, 30))
    alone = office.customer("Zhao", birth_on=dt.date(1970, 3, 11))
    office.customer("Qian", birth_on=dt.date(1970, 7, 1))
    assert run(office) == care.Generated(3, 1)
    assert run(office) == care.Generated(0, 0)
    assert occasions(office) == [
        (alone, dt.date(2026, 3, 11)),
        (soon, dt.date(2026, 3, 12)),
        (late, dt.date(2026, 3, 30)),
    ]
    with office.reading("amy") as work:
        (item,) = tasks.listing(work, "mine")[0]
        assert (item.task.title, item.task.customer_id, item.customer) == ("Greeting", soon, "Li")
        assert work.local(item.task.due_at).replace(tzinfo=None) == dt.datetime(2026, 3, 12, 18)
    office.clock.on(days=18)  # now the lead time of the later one has begun
    assert run(office, dt.date(2026, 4, 1)) == care.Generated(0, 1)


def test_merged_customers_are_greeted_once(office):
    kept, merged = office.customer("Li", birth_on=dt.date(1980, 3, 12)), office.customer("Li")
    with Session(office.engine) as session:
        duplicate = session.get(Customer, merged)
        duplicate.merged_into_id, duplicate.birth_on = kept, dt.date(1980, 3, 12)
        session.commit()
    made = rule(office, calendar="birthday")
    rule(office, month=3, day=15)
    # The duplicate was greeted before it was merged.
    office.add(CareOccasion(care_rule_id=made, customer_id=merged, occurs_on=dt.date(2026, 3, 12)))
    assert run(office).occasions == 1
    assert occasions(office) == [(merged, dt.date(2026, 3, 12)), (kept, dt.date(2026, 3, 15))]


def test_anniversaries_are_of_the_first_contract_that_was_kept(office):
    li, wang = office.customer("Li"), office.customer("Wang")
    first, second, gone = office.add(
        Deal(customer_id=li, project_id=1), Deal(customer_id=li, project_id=1), Deal(customer_id=wang, project_id=1)
    )
    # 16:30 UTC is the next day in Shanghai.
    office.add(
        DealEvent(deal_id=first, kind="contract", occurred_at=dt.datetime(2024, 3, 14, 16, 30), amount=1),
        DealEvent(deal_id=second, kind="contract", occurred_at=dt.datetime(2025, 3, 20), amount=1),
        DealEvent(deal_id=gone, kind="contract", occurred_at=dt.datetime(2024, 3, 20), amount=1),
        DealEvent(deal_id=gone, kind="cancel", occurred_at=dt.datetime(2024, 4, 20), amount=1),
    )
    rule(office, calendar="anniversary")
    run(office)
    assert occasions(office) == [(li, dt.date(2026, 3, 15))]


def test_classes_include_those_below(office):
    (top,) = office.add(CustomerClass(name="Owners"))
    (below,) = office.add(CustomerClass(name="VIP", parent_id=top))
    inside = office.customer("Li", customer_class_id=below)
    office.customer("Wang")
    rule(office, month=3, day=15, customer_class_id=top)
    run(office)
    assert [customer for customer, _ in occasions(office)] == [inside]


def test_who_may_run_it_and_how_far(office):
    rule(office, month=3, day=15)
    for login in ("amy", "mara", "boss"):
        with pytest.raises(Forbidden):
            run(office, login=login)
    for until in (TODAY - dt.timedelta(days=1), TODAY + dt.timedelta(days=400)):
        with pytest.raises(Invalid):
            run(office, until)
    office.customer("Li", owner="amy")
    with writing(office.engine, SYSTEM, office.clock) as work:
        assert care.generate_due(work, TODAY + dt.timedelta(days=7)) == care.Generated(1, 1)


def test_a_greeting_without_owner_waits_and_one_is_left_out(office):
    rule(office, month=3, day=15)
    li, wang = office.customer("Li"), office.customer("Wang", owner="bob")
    office.leave("bob", dt.date(2026, 3, 1))
    run(office)
    with office.reading("sue") as work:
        items, total = care.due_list(work, TODAY + dt.timedelta(days=30))
        assert (total, [(i.customer, i.task, i.owner) for i in items]) == (2, [("Li", None, ""), ("Wang", None, "")])
        first, second = (i.occasion.id for i in items)
    with pytest.raises(Refused, match="Nobody looks after"), office.writing("sue") as work:
        care.make_task(work, first)
    with office.writing("sue") as work:
        care.make_task(work, first, office.employee("amy"))
        care.dismiss(work, second)
    with pytest.raises(Refused), office.writing("sue") as work:
        care.make_task(work, first, office.employee("amy"))
    assert run(office) == care.Generated(0, 0)
    with office.writing("sue") as work:
        care.dismiss(work, first)
    with Session(office.engine) as session:
        assert session.scalars(sa.select(Task)).one().deleted_at is not None
    for login in ("amy", "mara"):
        with pytest.raises((Forbidden, NotFound)), office.writing(login) as work:
            care.dismiss(work, first)
    assert {li, wang} == {customer for customer, _ in occasions(office)}
