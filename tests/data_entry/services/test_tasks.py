"""Tasks: who may give, hand on, finish and check them, and in which order."""

import datetime as dt

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data_entry.schema.office import Task, TaskEvent
from data_entry.services import tasks
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError, Stale
from tests.data_entry.services.people import NOW


def give(office, giver="manager", to="amy", **values):
    with office.writing(giver) as work:
        return tasks.assign(work, title=values.pop("title", "Call back"), assignee_id=office.employee(to), **values).id


def step(office, login, name, key, *arguments):
    with office.writing(login) as work:
        return getattr(tasks, name)(work, key, *arguments)


def kinds(office, key):
    with Session(office.engine) as session:
        query = sa.select(TaskEvent.kind).where(TaskEvent.task_id == key).order_by(TaskEvent.id)
        return list(session.scalars(query))


def test_a_task_is_given_begun_done_checked(office):
    key = give(office, due_at=NOW + dt.timedelta(days=1))
    step(office, "amy", "start", key)
    step(office, "amy", "done", key, "called")
    step(office, "manager", "check", key)
    assert kinds(office, key) == ["assign", "start", "done", "check"]
    with office.reading("amy") as work:
        item, steps = tasks.one(work, key)
        assert (item.state, item.assigner, item.assignee) == ("checked", "Manager", "Amy")
        assert [s.event.note for s in steps] == [None, None, "called", None]


def test_who_may_give_to_whom(office):
    give(office, "manager", "amy")
    give(office, "sue", "amy")
    give(office, "boss", "pat")
    give(office, "amy", "amy")
    for giver, to in (("amy", "bob"), ("manager", "pat"), ("mara", "amy")):
        with pytest.raises(Forbidden):
            give(office, giver, to)
    office.leave("bob", dt.date(2026, 3, 1))
    with pytest.raises(Refused, match="Bob has left"):
        give(office, "manager", "bob")
    with pytest.raises(NotFound), office.writing("boss") as work:
        tasks.assign(work, title="x", assignee_id=10_000)


def test_the_words_and_the_day_are_checked(office):
    for values in ({"title": "  "}, {"title": "x" * 301}, {"title": "a\0b"}, {"due_at": NOW - dt.timedelta(hours=1)}):
        with pytest.raises(Invalid):
            give(office, **values)


def test_the_assignee_hands_it_on_and_still_sees_it(office):
    key = give(office)
    step(office, "amy", "delegate", key, office.employee("bob"), "I am away")
    with office.reading("amy") as work:
        assert tasks.one(work, key)[0].assignee == "Bob"
        assert tasks.allowed(work, tasks.one(work, key)[0].task) == {"comment"}
    with pytest.raises(Forbidden):
        step(office, "amy", "done", key)
    with pytest.raises(Refused, match="with this person already"):
        step(office, "bob", "delegate", key, office.employee("bob"))
    with pytest.raises(Forbidden, match="hand this task on to Pat"):
        step(office, "bob", "delegate", key, office.employee("pat"))
    step(office, "bob", "done", key)
    assert kinds(office, key) == ["assign", "delegate", "done"]


def test_others_neither_see_nor_touch_it(office):
    key = give(office)
    for login in ("bob", "mara", "pat"):
        for name, arguments in (("start", ()), ("done", ()), ("check", ()), ("comment", ("x",)), ("withdraw", ())):
            with pytest.raises((NotFound, Forbidden)):
                step(office, login, name, key, *arguments)
        with office.reading(login) as work, pytest.raises(NotFound):
            tasks.one(work, key)


def test_only_the_giver_checks_and_only_the_assignee_finishes(office):
    key = give(office)
    with pytest.raises(Forbidden):
        step(office, "manager", "done", key)
    with pytest.raises(Refused, match="not done yet"):
        step(office, "manager", "check", key)
    step(office, "amy", "done", key)
    with pytest.raises(Forbidden):
        step(office, "amy", "check", key)
    with pytest.raises(Forbidden):
        step(office, "boss", "check", key)
    step(office, "manager", "check", key)
    with pytest.raises(Refused, match="checked already"):
        step(office, "manager", "check", key)
    with pytest.raises(Forbidden):
        step(office, "amy", "reopen", key, "no")


def test_who_may_give_takes_the_place_of_a_giver_who_left(office):
    key = give(office)
    step(office, "amy", "done", key)
    office.leave("manager", dt.date(2026, 3, 1))
    step(office, "boss", "check", key)


def test_reopening_needs_a_word_and_begins_anew(office):
    key = give(office)
    with pytest.raises(Refused, match="open already"):
        step(office, "manager", "reopen", key, "again")
    step(office, "amy", "start", key)
    step(office, "amy", "done", key)
    with pytest.raises(Invalid):
        step(office, "manager", "reopen", key, " ")
    step(office, "manager", "reopen", key, "The customer was not called")
    with office.reading("amy") as work:
        assert tasks.one(work, key)[0].state == "assigned"
    step(office, "amy", "start", key)
    with pytest.raises(Refused, match="begun already"):
        step(office, "amy", "start", key)


def test_a_change_against_an_older_state_shows_both(office):
    key = give(office)
    with office.writing("manager") as work:
        tasks.change(work, key, title="Call twice", due_at=None, description=None, row_version=1)
    with pytest.raises(Stale) as stale, office.writing("manager") as work:
        tasks.change(work, key, title="Call three times", due_at=None, description=None, row_version=1)
    assert stale.value.mine["title"] == "Call three times"
    assert stale.value.theirs["title"] == "Call twice"


def test_lists(each_office):
    office = each_office
    late = give(office, due_at=NOW + dt.timedelta(hours=1), title="Late one")
    later = give(office, due_at=NOW + dt.timedelta(days=3), title="Later one")
    never = give(office, title="100% sure")
    office.clock.on(hours=2)
    with office.reading("amy") as work:
        items, total = tasks.listing(work, "mine")
        assert ([i.task.id for i in items], total) == ([late, later, never], 3)
        assert [i.is_overdue for i in items] == [True, False, False]
        assert [i.task.id for i in tasks.listing(work, "mine", search="0%")[0]] == [never]
        assert tasks.listing(work, "mine", offset=1, limit=1)[0][0].task.id == later
    step(office, "amy", "done", late)
    with office.reading("manager") as work:
        assert [i.task.id for i in tasks.listing(work, "to_check")[0]] == [late]
        assert tasks.listing(work, "given")[1] == 3
    step(office, "manager", "check", late)
    step(office, "manager", "withdraw", never)
    with office.reading("manager") as work:
        assert (tasks.listing(work, "given")[1], tasks.listing(work, "given", is_closed=True)[1]) == (1, 1)
        assert tasks.listing(work, "to_check")[1] == 0


def test_a_task_about_a_customer_needs_sight_of_the_customer(office):
    customer = office.customer("Li", owner="bob")
    with pytest.raises(NotFound):
        give(office, "amy", "amy", customer_id=customer)
    key = give(office, "manager", "amy", customer_id=customer)
    with office.reading("manager") as work:
        assert tasks.one(work, key)[0].customer == "Li"
    with office.reading("amy") as work:
        assert tasks.one(work, key)[0].customer == ""


MOVES = st.tuples(
    st.sampled_from(["manager", "amy", "bob", "boss"]),
    st.sampled_from(["start", "done", "check", "reopen", "delegate", "comment"]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVES, max_size=8))
def test_no_order_of_steps_breaks_the_states(office, moves):
    key = give(office)
    for login, name in moves:
        arguments = {"reopen": ("why",), "comment": ("word",), "delegate": (office.employee("bob"),)}.get(name, ())
        before = kinds(office, key)
        try:
            step(office, login, name, key, *arguments)
        except ServiceError:
            assert kinds(office, key) == before
        past = [kind for kind in kinds(office, key) if kind in ("done", "check", "reopen")]
        with Session(office.engine) as session:
            task = session.get(Task, key)
            assert task.checked_at is None or task.done_at is not None
            assert (task.done_at is not None) == (bool(past) and past[-1] != "reopen")
            assert (task.checked_at is not None) == (past[-1:] == ["check"])
