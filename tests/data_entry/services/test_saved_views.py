"""Saved views: whose they are, who sees them, and that they hold codes alone."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.schema.organisation import Role, RolePermission
from data_entry.services import saved_views
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused

ADDRESS = {"period": ["6m"], "project": ["River Bay", "Hill & Lake = 50%"], "lang": ["zh"]}


def save(office, login="boss", name="Mine", path="sales", address=ADDRESS):
    with office.writing(login) as work:
        return saved_views.save(work, name=name, path=path, address=address).id


def seen(office, login):
    with office.reading(login) as work:
        return [(item.name, item.path, item.is_own) for item in saved_views.listing(work)]


def share(office, key, login="boss", is_shared=True):
    with office.writing(login) as work:
        saved_views.share(work, key, is_shared)


def test_a_view_comes_back_as_it_was_saved(each_office):
    save(each_office, name="  June \n review ")
    with each_office.reading("boss") as work:
        (item,) = saved_views.listing(work)
    assert (item.name, item.path, item.is_shared, item.is_own, item.owner) == (
        "June review",
        "sales",
        False,
        True,
        "Boss",
    )
    assert item.address == ADDRESS


def test_an_own_view_is_the_owners_alone(office):
    save(office)
    assert seen(office, "boss") == [("Mine", "sales", True)]
    assert seen(office, "mara") == seen(office, "admin") == []


def test_a_shared_view_is_seen_by_who_may_open_its_page(office):
    key = save(office, path="complaints")
    share(office, key)
    # Marketing has no page of complaints, nor has sales.
    assert [login for login in ("manager", "sue", "mara", "amy") if seen(office, login)] == ["manager", "sue"]
    share(office, key, is_shared=False)
    assert seen(office, "manager") == []


def test_only_the_owner_changes_a_view(office):
    key = save(office)
    share(office, key)
    for login in ("mara", "manager", "admin"):
        with pytest.raises(NotFound), office.writing(login) as work:
            saved_views.rename(work, key, "Theirs")
        with pytest.raises(NotFound), office.writing(login) as work:
            saved_views.delete(work, key)
        with pytest.raises(NotFound), office.writing(login) as work:
            saved_views.share(work, key, False)
    with office.writing("boss") as work:
        saved_views.rename(work, key, "Renamed")
    assert seen(office, "mara") == [("Renamed", "sales", False)]
    with office.writing("boss") as work:
        saved_views.delete(work, key)
    assert seen(office, "boss") == seen(office, "mara") == []


def test_the_same_name_is_the_same_view(office):
    key = save(office)
    assert save(office, address={"period": ["3m"]}) == key
    assert save(office, path="overview") != key
    with office.reading("boss") as work:
        assert [dict(item.address) for item in saved_views.listing(work) if item.key == key] == [{"period": ["3m"]}]


@pytest.mark.parametrize("path", ["property-fees", "../login", "", "sales?x=1", "a" * 101])
def test_a_page_that_one_may_not_open_takes_no_view(office, path):
    with pytest.raises(Forbidden):
        save(office, "mara", path=path)


def test_no_page_of_that_form_even_for_who_may_do_everything(office):
    with pytest.raises(Forbidden):
        save(office, "admin", path="https://elsewhere")


def test_a_view_goes_with_the_right_to_its_page(office):
    save(office, "manager", path="staff")
    with Session(office.engine) as session:
        role = session.scalars(sa.select(Role).where(Role.name == "sales_manager")).one()
        session.execute(
            sa.delete(RolePermission).where(RolePermission.role_id == role.id, RolePermission.resource == "page:staff")
        )
        session.commit()
    assert seen(office, "manager") == []


def test_names_and_filters_have_limits(office, monkeypatch):
    for name in ("", "  ", "x" * 101, "a\0b"):
        with pytest.raises(Invalid):
            save(office, name=name)
    with pytest.raises(Invalid):
        save(office, address={"project": ["x" * 4_000]})
    monkeypatch.setattr(saved_views, "MOST", 2)
    save(office, name="One")
    save(office, name="Two")
    with pytest.raises(Refused, match="You have 2 saved views"):
        save(office, name="Three")
    save(office, name="One", address={"period": ["all"]})
