"""The rows of any table: listed, made, changed, deleted, restored, within the rights of whoever asks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.services import features, records
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError, Stale
from data_entry.services.tables import areas
from tests.data_entry.services.desks import account, account_with, reads, writes


@pytest.fixture
def admin(crm: sa.Engine) -> int:
    return account(crm, "admin", "admin", "Chen Jing")


def _problems(error: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return {problem.column: problem.message for problem in error.value.problems}


def test_every_table_is_listed_searched_sorted_and_captioned(crm: sa.Engine, admin: int) -> None:
    with reads(crm, admin) as work:
        for table in (name for names in areas().values() for name in names):
            for column in metadata.tables[table].c:
                assert records.list_rows(work, table, search="a #7 138", sort=column.name, descending=True).total == 0
            assert records.options(work, table, "a 1") == []


def test_a_row_is_made_read_changed_and_its_history_tells_who(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        key = records.create(work, "customer", {"name": " 王芳\x00 ", "phone": "+86 138-0000 1234"})
    with writes(crm, admin) as work:
        records.update(work, "customer", key, {"kind": "company", "birth_on": "1980年5月6日"}, 1)
    with reads(crm, admin) as work:
        row = records.get(work, "customer", key)
        acts = records.history(work, "customer", key)
    assert (row["name"], row["phone"], row["kind"], row["birth_on"]) == (
        "王芳", "13800001234", "company", dt.date(1980, 5, 6),
    )  # fmt: skip
    assert [(act.action, act.who) for act in acts] == [("update", "Chen Jing"), ("create", "Chen Jing")]
    assert {(c.column, c.before, c.after) for c in acts[0].changes} == {
        ("kind", "person", "company"), ("birth_on", None, "1980-05-06"),
    }  # fmt: skip


def test_a_stale_save_carries_both_versions_and_writes_nothing(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        key = records.create(work, "project", {"name": "A"})
    with writes(crm, admin) as work:
        records.update(work, "project", key, {"district": "North"}, 1)
    with pytest.raises(Stale) as error, writes(crm, admin) as work:
        records.update(work, "project", key, {"district": "South"}, 1)
    assert error.value.mine == {"district": "South"}
    assert error.value.theirs["district"] == "North"
    with writes(crm, admin) as work:
        records.update(work, "project", key, error.value.mine, error.value.theirs["row_version"])
        assert records.get(work, "project", key)["district"] == "South"


WRONG: list[tuple[str, dict[str, Any], set[str]]] = [
    ("employee", {"number": "", "name": "x"}, {"number"}),
    ("employee", {"number": "E" * 41, "name": "x"}, {"number"}),
    ("employee", {"number": "1", "name": "x", "hired_on": "2026-02-30"}, {"hired_on"}),
    ("employee", {"number": "1", "name": "x", "hired_on": "2026-02-03", "left_on": "2026-01-01"}, {"left_on"}),
    ("customer", {"phone": "no", "email": "a@b", "kind": "cat", "birth_on": "1800-01-01"},
     {"phone", "email", "kind", "birth_on"}),
    ("customer", {"customer_class_id": 99}, {"customer_class_id"}),
    ("customer", {"merged_into_id": 1}, {"merged_into_id"}),
    ("customer", {"colour": "red"}, {"colour"}),
    ("project", {"name": "x", "gross_margin_rate": "1.5"}, {"gross_margin_rate"}),
    ("project", {"name": "x", "gross_margin_rate": "0.12345"}, {"gross_margin_rate"}),
    ("project", {"name": "x", "gross_margin_rate": "NaN"}, {"gross_margin_rate"}),
    ("care_rule", {"name": "x", "calendar": "lunar", "month": 13, "day": 0}, {"month", "day"}),
    ("feature", {"name": "x", "entity": "unit", "class_id": 1}, {"class_id"}),
    ("fee_type", {"name": "x", "rate": "1e40", "period_months": 2**31}, {"rate", "period_months"}),
    ("expense", {"amount": "3", "incurred_on": "2026-01-01", "status": "approved"}, {"status"}),
    ("target", {"month_on": "2026-03-15", "metric": "cash", "value": "-1"},
     {"project_id", "month_on", "metric", "value"}),
    ("annotation", {"happened_on": "2026-03-15", "kind": "x", "employee_id": 1}, {"kind", "title", "employee_id"}),
]  # fmt: skip


def test_what_does_not_fit_is_said_at_its_column(crm: sa.Engine, admin: int) -> None:
    for table, values, wrong in WRONG:
        with pytest.raises(Invalid) as error, writes(crm, admin) as work:
            records.create(work, table, values)
        assert set(_problems(error)) == wrong, values


def test_numbers_and_moments_are_read_as_people_write_them(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A", "opened_on": "２０２６/３/１"})
        customer = records.create(work, "customer", {"name": "B"})
        lead = records.create(
            work, "lead",
            {"customer_id": customer, "project_id": project, "opened_at": "2026-03-01 08:30",
             "budget": "１，２００，０００．５０", "intended_area_sqm": "98.5 m²"},
        )  # fmt: skip
        row = records.get(work, "lead", lead)
        assert row["opened_at"] == dt.datetime(2026, 3, 1, 0, 30)
        assert (row["budget"], row["intended_area_sqm"]) == (Decimal("1200000.50"), Decimal("98.50"))
        records.update(work, "lead", lead, {"budget": "120万"}, None)
        assert records.get(work, "lead", lead)["budget"] == Decimal(1_200_000)


def test_a_tree_cannot_become_a_ring(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        top = records.create(work, "department", {"name": "Top"})
        middle = records.create(work, "department", {"name": "Middle", "parent_id": top})
        low = records.create(work, "department", {"name": "Low", "parent_id": middle})
        assert records.caption(work, "department", low) == "Top / Middle / Low"
        assert records.path(work, "department", low) == [top, middle, low]
    for parent in (top, low):
        with pytest.raises(Invalid) as error, writes(crm, admin) as work:
            records.update(work, "department", top, {"parent_id": parent}, None)
        assert set(_problems(error)) == {"parent_id"}


def test_what_must_be_unique_is_said_before_the_database_refuses(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A"})
        building = records.create(work, "building", {"project_id": project, "name": "1"})
        records.create(work, "employee", {"number": "7", "name": "x"})
    with pytest.raises(Invalid) as error, writes(crm, admin) as work:
        records.create(work, "building", {"project_id": project, "name": "1"})
    assert _problems(error) == {"name": "There is one like this already."}
    with pytest.raises(Invalid), writes(crm, admin) as work:
        records.create(work, "employee", {"number": "7", "name": "y"})
    with writes(crm, admin) as work:
        records.delete(work, "building", building)
    with pytest.raises(Invalid) as error, writes(crm, admin) as work:
        records.create(work, "building", {"project_id": project, "name": "1"})
    assert "deleted" in _problems(error)["name"]


def test_deleting_takes_what_points_to_the_row_and_restoring_brings_it_back(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A"})
        building = records.create(work, "building", {"project_id": project, "name": "1"})
        unit = records.create(work, "unit", {"building_id": building, "number": "101"})
        gone = records.create(work, "unit", {"building_id": building, "number": "102"})
        feature = records.create(work, "feature", {"entity": "unit", "name": "View"})
        records.update(work, "unit", unit, {features.name_of(feature): "Lake"}, None)
    with writes(crm, admin) as work:
        records.delete(work, "unit", gone)
    with writes(crm, admin) as work:
        work.now += dt.timedelta(minutes=1)
        assert records.dependents(work, "project", project) == {"building": 1, "unit": 1, "feature_value": 1}
        assert records.delete(work, "project", project) == 4
    with reads(crm, admin) as work:
        assert records.list_rows(work, "unit").total == 0
        assert records.list_rows(work, "unit", deleted=True).total == 2
        with pytest.raises(NotFound):
            records.get(work, "building", building)
    with pytest.raises(Refused, match="Restore that first"), writes(crm, admin) as work:
        records.restore(work, "unit", unit)
    with writes(crm, admin) as work:
        assert records.restore(work, "project", project) == 4
        assert [row["id"] for row in records.list_rows(work, "unit").rows] == [unit]
        assert features.values(work, "unit", unit) == {feature: ["Lake"]}
    with pytest.raises(Refused), writes(crm, admin) as work:
        records.restore(work, "project", project)


def test_nothing_is_deleted_beyond_reach(crm: sa.Engine, admin: int) -> None:
    clerk = account_with(crm, "clerk", {("project", "read"): "all", ("project", "delete"): "all"})
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A"})
        records.create(work, "building", {"project_id": project, "name": "1"})
    with pytest.raises(Refused, match="may not delete"), writes(crm, clerk) as work:
        records.delete(work, "project", project)
    with reads(crm, admin) as work:
        assert records.get(work, "project", project)["deleted_at"] is None


def test_personal_data_is_masked_unless_the_row_is_within_reach_of_it(crm: sa.Engine, admin: int) -> None:
    reader = account_with(crm, "reader", {("customer", "read"): "all", ("customer", "update"): "all"})
    with writes(crm, admin) as work:
        key = records.create(work, "customer", {"name": "王芳", "phone": "13800001234", "occupation": "teacher"})
    with reads(crm, reader) as work:
        row = records.get(work, "customer", key)
        assert (row["name"], row["phone"], row["birth_on"], row["occupation"]) == (None, None, None, "teacher")
        assert "phone" in row["masked"]
        assert records.caption(work, "customer", key) == f"#{key}"
        for search in ("王芳", "1380000", "1234"):
            assert records.list_rows(work, "customer", search=search).total == 0
        assert records.list_rows(work, "customer", filters={"phone": "13800001234"}).total == 0
        assert records.list_rows(work, "customer", search="teacher", sort="phone").total == 1
        assert [o.caption for o in records.options(work, "customer")] == [f"#{key}"]
        created = records.history(work, "customer", key)[0]
        assert {c.column: c.is_masked for c in created.changes}["phone"] is True
        assert all(c.after is None for c in created.changes if c.is_masked)
    with writes(crm, reader) as work:
        records.update(work, "customer", key, {"name": None, "occupation": "nurse"}, None)
    with reads(crm, admin) as work:
        row = records.get(work, "customer", key)
        assert (row["name"], row["occupation"]) == ("王芳", "nurse")
        assert records.list_rows(work, "customer", search="+86 138-0000").total == 1


def test_only_rows_within_reach_are_listed_picked_or_pointed_to(crm: sa.Engine, admin: int) -> None:
    seller = account(crm, "seller", "sales", "Lin")
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A"})
        customer = records.create(work, "customer", {"name": "Secret"})
    with reads(crm, seller) as work:
        assert records.list_rows(work, "customer").total == 0
        assert records.options(work, "customer", "Secret") == []
        assert records.caption(work, "customer", customer) == f"#{customer}"
        for refused in (lambda: records.get(work, "customer", customer), lambda: records.history(work, "customer", 1)):
            with pytest.raises(NotFound):
                refused()
    values = {"customer_id": customer, "project_id": project, "opened_at": "2026-03-01"}
    with pytest.raises(Invalid) as error, writes(crm, seller) as work:
        records.create(work, "lead", values)
    assert set(_problems(error)) == {"customer_id"}
    with pytest.raises(Forbidden), writes(crm, seller) as work:
        records.create(work, "project", {"name": "B"})
    with reads(crm, seller) as work, pytest.raises(Forbidden):
        records.list_rows(work, "survey")


def test_tables_of_other_services_are_refused(crm: sa.Engine, admin: int) -> None:
    for table in ("audit_log", "account", "account_session", "role", "lead_event", "deal_event", "no"):
        _refuses(crm, admin, table)


def _refuses(crm: sa.Engine, admin: int, table: str) -> None:
    with writes(crm, admin) as work:
        for call in (
            lambda: records.list_rows(work, table), lambda: records.get(work, table, 1),
            lambda: records.create(work, table, {}), lambda: records.update(work, table, 1, {}, 1),
            lambda: records.delete(work, table, 1), lambda: records.restore(work, table, 1),
            lambda: records.history(work, table, 1),
        ):  # fmt: skip
            with pytest.raises(ServiceError):
                call()


def test_a_sold_unit_is_not_set_free_by_hand(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        project = records.create(work, "project", {"name": "A"})
        building = records.create(work, "building", {"project_id": project, "name": "1"})
        unit = records.create(work, "unit", {"building_id": building, "number": "1"})
        records.update(work, "unit", unit, {"status": "withheld"}, None)
        with pytest.raises(Invalid):
            records.update(work, "unit", unit, {"status": "sold"}, None)
        records.update(work, "unit", unit, {"status": "sold"}, None, by_service=True)
        with pytest.raises(Invalid):
            records.update(work, "unit", unit, {"status": "available"}, None)


def test_pages_follow_each_other_without_gaps(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        for number in range(23):
            records.create(work, "source", {"name": f"S{number % 3}"})
    with reads(crm, admin) as work:
        seen = [
            row["id"]
            for page in range(5)
            for row in records.list_rows(work, "source", sort="name", page=page, size=5).rows
        ]
        assert len(seen) == len(set(seen)) == 23
        last = records.list_rows(work, "source", page=99, size=5)
    assert (last.page, last.pages, len(last.rows)) == (4, 5, 3)


def test_features_of_a_class_are_asked_for_and_kept(crm: sa.Engine, admin: int) -> None:
    with writes(crm, admin) as work:
        top = records.create(work, "customer_class", {"name": "Person"})
        owner = records.create(work, "customer_class", {"name": "Owner", "parent_id": top})
        hobby = records.create(
            work, "feature",
            {"entity": "customer", "name": "Hobby", "data_type": "choice", "options": "Golf\nTea", "is_multi": True,
             "class_id": top},
        )  # fmt: skip
        size = records.create(
            work, "feature",
            {"entity": "customer", "name": "Family", "data_type": "number", "is_required": True, "class_id": owner},
        )  # fmt: skip
        assert [f.id for f in features.features_for(work, "customer")] == []
        assert [f.id for f in features.features_for(work, "customer", owner)] == [hobby, size]
    with pytest.raises(Invalid) as error, writes(crm, admin) as work:
        records.create(work, "customer", {"name": "A", "customer_class_id": owner})
    assert set(_problems(error)) == {features.name_of(size)}
    with writes(crm, admin) as work:
        key = records.create(
            work, "customer",
            {"name": "A", "customer_class_id": owner, features.name_of(hobby): ["Tea", "Golf"],
             features.name_of(size): "３"},
        )  # fmt: skip
        assert features.values(work, "customer", key) == {hobby: ["Tea", "Golf"], size: ["3"]}
        records.update(work, "customer", key, {features.name_of(hobby): ["Golf"]}, 1)
        assert features.values(work, "customer", key)[hobby] == ["Golf"]
        assert records.get(work, "customer", key)["row_version"] == 2
    for wrong in ({hobby: ["Chess"]}, {size: "many"}, {size: ["1", "2"]}, {size: None}):
        with pytest.raises(Invalid), writes(crm, admin) as work:
            features.save(work, "customer", key, wrong)
