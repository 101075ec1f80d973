"""A work: what it leaves in the trail, what it refuses, and that it is whole or nothing."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data_entry.access import SYSTEM, Actor
from data_entry.database import DatabaseError, create_engine_for, create_schema
from data_entry.schema.customer import Customer
from data_entry.schema.deal import Deal, Payment
from data_entry.schema.estate import Project, Unit
from data_entry.schema.organisation import Account, AccountSession, AuditLog
from data_entry.services.errors import Forbidden, NotFound, Refused
from data_entry.services.work import Work, reading, writing
from tests.support.crm import create_crm

NOW = dt.datetime(2026, 6, 29, 17, 30)  # half past one on the 30th in Shanghai
ALL = frozenset({"all"})


def clock() -> dt.datetime:
    return NOW


@pytest.fixture
def clerk(crm: sa.Engine) -> Actor:
    """Somebody who may do everything, with an account."""
    with Session(crm) as session:
        session.add(Account(id=1, login="clerk"))
        session.commit()
    return Actor(1, login="clerk", permissions={("*", "*"): ALL})


@pytest.fixture
def clerk_on_postgresql(postgres_url: str) -> Iterator[tuple[sa.Engine, Actor]]:
    """A CRM on PostgreSQL and its clerk."""
    engine = create_engine_for(postgres_url)
    create_crm(engine)
    with Session(engine) as session:
        session.add(Account(id=1, login="clerk"))
        session.commit()
    yield engine, Actor(1, login="clerk", permissions={("*", "*"): ALL})
    engine.dispose()


def trail(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(AuditLog.__table__).order_by(AuditLog.id)).mappings()
        return [
            {name: json.loads(row[name]) if name in ("before", "after") and row[name] else row[name] for name in row}
            for row in rows
        ]


def add(engine: sa.Engine, who: Actor, row: Any) -> int:
    with writing(engine, who, clock) as work:
        return int(work.add(row).id)


def test_making_leaves_a_line_with_the_values(crm: sa.Engine, clerk: Actor) -> None:
    key = add(
        crm, clerk, Customer(name="王 🏠", birth_on=dt.date(1990, 2, 3), consent_at=dt.datetime(2026, 1, 2, 3, 4, 5, 6))
    )
    (line,) = trail(crm)
    assert (line["entity"], line["entity_id"], line["action"]) == ("customer", key, "create")
    assert (line["account_id"], line["at"], line["before"]) == (1, NOW, None)
    assert line["after"]["name"] == "王 🏠"
    assert line["after"]["birth_on"] == "1990-02-03"
    assert line["after"]["consent_at"] == "2026-01-02T03:04:05.000006"
    assert not {"row_version", "created_at", "updated_at", "id", "note"} & set(line["after"])
    with Session(crm) as session:
        row = session.get_one(Customer, key)
        assert (row.created_by, row.updated_by) == (1, 1)


def test_numbers_and_truth_values_stay_exact(crm: sa.Engine, clerk: Actor) -> None:
    with writing(crm, clerk, clock) as work:
        work.session.add_all([Project(id=1, name="p"), Customer(id=1, name="c")])
        work.session.flush()
        work.session.add(Deal(id=1, customer_id=1, project_id=1))
        work.session.flush()
        work.session.add(Payment(id=1, deal_id=1, received_on=dt.date(2026, 6, 1), amount=Decimal("1234567890123.45")))
    with writing(crm, clerk, clock) as work:
        payment = work.get(Payment, 1, "update")
        payment.amount, payment.is_void = Decimal("0.10"), True
    line = trail(crm)[-1]
    assert line["before"] == {"amount": "1234567890123.45", "is_void": False}
    assert line["after"] == {"amount": "0.10", "is_void": True}


def test_changing_deleting_and_restoring_leave_a_line_each(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Customer(name="old", phone="1"))
    with writing(crm, clerk, clock) as work:
        work.get(Customer, key, "update").name = "new"
    with writing(crm, clerk, clock) as work:
        work.get(Customer, key, "delete").deleted_at = NOW
    with writing(crm, clerk, clock) as work:
        work.get(Customer, key, "delete", deleted=True).deleted_at = None
    lines = trail(crm)[1:]
    assert [line["action"] for line in lines] == ["update", "delete", "restore"]
    assert lines[0]["before"] == {"name": "old"}
    assert lines[0]["after"] == {"name": "new"}
    assert lines[1]["after"] == {"deleted_at": NOW.isoformat()}
    assert lines[2]["after"] == {"deleted_at": None}


def test_nothing_changed_leaves_nothing(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Customer(name="same"))
    with writing(crm, clerk, clock) as work:
        work.get(Customer, key, "update").name = "same"
    assert len(trail(crm)) == 1
    with Session(crm) as session:
        assert session.get_one(Customer, key).row_version == 1


def test_secrets_are_said_to_have_changed_and_not_told(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Account(id=2, login="x", password_hash="$argon2id$first", oidc_subject="issuer subject"))
    with writing(crm, clerk, clock) as work:
        work.get(Account, key, "update").password_hash = "$argon2id$second"
    with crm.connect() as connection:
        written = " ".join(f"{b} {a}" for b, a in connection.execute(sa.select(AuditLog.before, AuditLog.after)))
    for secret in ("argon2id", "issuer"):
        assert secret not in written
    assert trail(crm)[-1]["after"] == {"password_hash": "•••"}


def test_sessions_and_the_trail_itself_leave_no_lines(crm: sa.Engine, clerk: Actor) -> None:
    opened = AccountSession(account_id=1, token_hash="0" * 64, started_at=NOW, last_seen_at=NOW, expires_at=NOW)
    key = add(crm, clerk, opened)
    with writing(crm, clerk, clock) as work:
        work.get(AccountSession, key, "update").last_seen_at = NOW + dt.timedelta(minutes=1)
    assert trail(crm) == []


def test_what_is_no_change_of_a_row_can_be_logged(crm: sa.Engine, clerk: Actor) -> None:
    with writing(crm, clerk, clock) as work:
        work.log(
            "export", "customer", None, rows=3, password_hash="secret", amount=Decimal("1.50"), day=dt.date(2026, 1, 2)
        )
    (line,) = trail(crm)
    assert line["action"] == "export"
    assert line["after"] == {"rows": 3, "password_hash": "•••", "amount": "1.50", "day": "2026-01-02"}


def test_an_error_undoes_everything_with_its_trail(crm: sa.Engine, clerk: Actor) -> None:
    def break_off() -> None:
        with writing(crm, clerk, clock) as work:
            work.add(Customer(name="half"))
            work.log("export", "customer", None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert trail(crm) == []
    with Session(crm) as session:
        assert session.scalars(sa.select(Customer)).all() == []


def test_a_refusal_of_the_database_is_a_refusal(crm: sa.Engine, clerk: Actor) -> None:
    for row in (Deal(customer_id=4711, project_id=1), Account(login="clerk")):
        with pytest.raises(Refused, match="The database refuses"), writing(crm, clerk, clock) as work:
            work.session.add(row)
    assert trail(crm) == []


def test_a_change_made_meanwhile_is_not_overwritten(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Customer(name="first"))

    def overtaken() -> None:
        with writing(crm, clerk, clock) as work:
            row = work.get(Customer, key, "update")
            # The other one's change, as it looks from within this transaction.
            work.session.execute(sa.text("UPDATE customer SET name = 'theirs' WHERE id = :key"), {"key": key})
            row.name = "mine"

    with pytest.raises(Refused, match="Somebody else"):
        overtaken()
    with Session(crm) as session:
        assert session.get_one(Customer, key).name == "first"


def test_a_locked_row_is_read_anew(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Customer(name="before"))
    with writing(crm, clerk, clock) as work:
        row = work.get(Customer, key)
        work.session.execute(sa.text("UPDATE customer SET name = 'after' WHERE id = :key"), {"key": key})
        assert row.name == "before"
        assert work.get(Customer, key, lock=True).name == "after"


def test_a_row_that_is_not_there_is_not_found(crm: sa.Engine, clerk: Actor) -> None:
    key = add(crm, clerk, Customer(name="gone", deleted_at=NOW))
    with reading(crm, clerk, clock) as work:
        for missing in (None, 0, -1, 4711, key):
            with pytest.raises(NotFound):
                work.get(Customer, missing)
        assert work.get(Customer, key, deleted=True).name == "gone"


def test_whoever_may_not_make_a_row_makes_none(crm: sa.Engine, clerk: Actor) -> None:
    reader = Actor(1, permissions={("customer", "read"): ALL})
    with pytest.raises(Forbidden):
        add(crm, reader, Customer(name="x"))
    own = Actor(1, employee_id=1, permissions={("customer", "read"): ALL, ("customer", "create"): frozenset({"own"})})
    with pytest.raises(Forbidden):
        add(crm, own, Customer(name="nobody's"))
    with Session(crm) as session:
        assert session.scalars(sa.select(Customer)).all() == []


def test_reading_writes_nothing(crm: sa.Engine, clerk: Actor) -> None:
    with reading(crm, clerk, clock) as work:
        work.session.add(Customer(name="x"))
        work.session.flush()
    with Session(crm) as session:
        assert session.scalars(sa.select(Customer)).all() == []


def test_readers_do_not_wait_for_a_writer(sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    with writing(engine, SYSTEM, clock) as work:
        work.add(Customer(name="not yet"))
        with reading(engine, SYSTEM, clock) as other:
            assert other.session.scalars(sa.select(Customer)).all() == []
    engine.dispose()


def test_an_unusable_database_is_named_without_its_password(tmp_path: Any) -> None:
    engine = create_engine_for(f"sqlite:///{tmp_path / 'no' / 'such.sqlite'}")
    with pytest.raises(DatabaseError, match=r"such\.sqlite"), reading(engine, 1, clock):
        pass
    engine.dispose()


def test_the_day_is_the_company_s(crm: sa.Engine) -> None:
    with reading(crm, SYSTEM, clock) as work:
        assert work.today == dt.date(2026, 6, 30)
        assert work.local(NOW).isoformat() == "2026-06-30T01:30:00+08:00"
        assert work.utc(dt.datetime(2026, 6, 30, 1, 30)) == NOW
        assert work.utc(dt.datetime(2026, 6, 29, 19, 30, tzinfo=ZoneInfo("Europe/Rome"))) == NOW


@pytest.fixture(scope="module")
def zones() -> Iterator[list[Work]]:
    names = ("Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe")
    with Session() as session:
        yield [Work(session, SYSTEM, NOW, ZoneInfo(name)) for name in names]


@given(st.datetimes(min_value=dt.datetime(1970, 1, 2), max_value=dt.datetime(2100, 1, 1)))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_every_moment_survives_the_way_to_local_time_and_back(zones: list[Work], moment: dt.datetime) -> None:
    for work in zones:
        assert work.utc(work.local(moment)) == moment


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_any_text_goes_into_the_trail_and_out_of_it(lite: sa.Engine, text: str) -> None:
    key = add(lite, SYSTEM, Customer(name="x", note=text or None))
    with lite.connect() as connection:
        after = connection.scalar(sa.select(AuditLog.after).where(AuditLog.entity_id == key))
    assert json.loads(str(after)).get("note") == (text or None)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    engine = create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('work') / 'crm.sqlite'}")
    create_schema(engine)
    yield engine
    engine.dispose()


def test_a_unit_is_tracked_like_any_row(crm: sa.Engine, clerk: Actor) -> None:
    from data_entry.schema.estate import Building

    with writing(crm, clerk, clock) as work:
        work.session.add(Project(id=1, name="p"))
        work.session.flush()
        work.session.add(Building(id=1, project_id=1, name="b"))
        work.session.flush()
        work.add(Unit(id=1, building_id=1, number="101", area_sqm=Decimal("89.50")))
    assert trail(crm)[-1]["after"] == {"building_id": 1, "number": "101", "area_sqm": "89.50", "status": "available"}


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1, 10**30])
def test_a_key_no_row_can_have_is_nobodys(crm: sa.Engine, clerk: Actor, key: int) -> None:
    with reading(crm, clerk, clock) as work, pytest.raises(NotFound):
        work.get(Customer, key)


def test_a_number_that_does_not_fit_is_refused_in_words(crm: sa.Engine, clerk: Actor) -> None:
    with pytest.raises(Refused, match="Check what was entered"), writing(crm, clerk, clock) as work:
        work.session.add(Customer(name="somebody", customer_class_id=2**70))
    with crm.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0


@pytest.mark.postgres
def test_a_nul_is_refused_in_words(clerk_on_postgresql: tuple[sa.Engine, Actor]) -> None:
    engine, who = clerk_on_postgresql
    with pytest.raises(Refused, match="Check what was entered"), writing(engine, who, clock) as work:
        work.session.add(Customer(name="a\x00b"))


@pytest.mark.postgres
def test_two_that_wait_for_each_other_end_with_one_told_so(clerk_on_postgresql: tuple[sa.Engine, Actor]) -> None:
    engine, who = clerk_on_postgresql
    keys = [add(engine, who, Customer(name=name)) for name in ("first", "second")]
    both_hold_one = threading.Barrier(2, timeout=30)
    outcomes: list[str] = []

    def take(order: list[int]) -> None:
        try:
            with writing(engine, who, clock) as work:
                work.get(Customer, order[0], lock=True).note = "mine"
                work.session.flush()
                both_hold_one.wait()
                work.get(Customer, order[1], lock=True).note = "mine"
        except Refused as refused:
            outcomes.append(refused.message)
        else:
            outcomes.append("written")

    threads = [threading.Thread(target=take, args=(order,)) for order in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes, key=len) == [
        "written",
        "Somebody else has changed the record meanwhile. Load it again and repeat your change.",
    ]
