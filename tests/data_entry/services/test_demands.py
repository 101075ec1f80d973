"""Demands: what may be entered, which step makes sense when, who may do it, and the work list."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_entry.schema.customer import Customer
from data_entry.schema.demand import Demand, DemandEvent
from data_entry.services import categories, demand_list, demands, promises
from data_entry.services.demand_list import Filters
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, ServiceError, Stale
from tests.data_entry.services.demand_company import NOW, Company, company_on

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def company(crm_place: str) -> Iterator[Company]:
    with company_on(crm_place) as company:
        yield company


@pytest.fixture
def small(sqlite_url: str) -> Iterator[Company]:
    """On one engine, where the rule does not depend on it."""
    with company_on(sqlite_url) as company:
        yield company


def enter(company: Company, who: str = "service", days: float = 0, **values) -> int:
    k = company.key
    base = {
        "customer_id": k.wang, "project_id": k.garden, "demand_category_id": k.leak, "phase": "property",
        "title": "Water on the ceiling", "severity": "normal", "channel": "phone", "unit_id": k.unit_101,
    }  # fmt: skip
    with company.writing(who, days) as work:
        return demands.enter(work, **(base | values)).id


def do(company: Company, step, demand_id: int, *args, who: str = "service", days: float = 0, **values):
    with company.writing(who, days) as work:
        return step(work, demand_id, *args, **values)


def stage(company: Company, demand_id: int) -> str:
    with company.reading("service") as work:
        return demand_list.lines(work, [demand_id])[0].stage


def loaded(company: Company, demand_id: int) -> Demand:
    with company.reading("admin") as work:
        return work.get(Demand, demand_id)


class TestEntry:
    @pytest.mark.parametrize(
        ("category", "severity", "received", "reply", "resolve"),
        [
            ("leak", "normal", NOW, 300, None),  # the nearest category above that has one, the newest valid
            ("leak", "low", NOW, 5000, None),  # there the one for this very severity
            ("leak", "urgent", NOW, 300, None),  # a nearer category goes before the severity farther up
            ("complaint", "urgent", NOW, 60, 360),
            ("complaint", None, NOW, 1440, 10_000),
            ("suggestion", "normal", NOW, 2880, None),
            # Midnight in Shanghai is 16:00 UTC: the policy of 1 March holds from then on, not from UTC's midnight.
            ("quality", "normal", dt.datetime(2026, 2, 28, 15, 59), 600, None),
            ("quality", "normal", dt.datetime(2026, 2, 28, 16, 0), 300, None),
            ("leak", "normal", dt.datetime(2024, 12, 31, 12), None, None),
        ],
    )
    def test_deadlines_are_those_of_the_nearest_policy_valid_that_day(
        self, small, category, severity, received, reply, resolve
    ):
        key = enter(small, demand_category_id=getattr(small.key, category), severity=severity, received_at=received)
        row = loaded(small, key)
        assert row.due_at == (reply and received + dt.timedelta(minutes=reply))
        assert row.resolve_due_at == (resolve and received + dt.timedelta(minutes=resolve))

    def test_what_does_not_fit_is_named_by_column(self, small):
        k = small.key
        for values, columns in (
            ({"title": " ", "phase": "now"}, {"title", "phase"}),
            ({"received_at": NOW + HOUR}, {"received_at"}),
            ({"received_at": dt.datetime(1, 1, 1)}, {"received_at"}),
            ({"demand_category_id": k.retired}, {"demand_category_id"}),
            ({"unit_id": k.unit_tower}, {"unit_id"}),
            ({"severity": "x" * 41}, {"severity"}),
            ({"title": "nul\x00", "description": "half \ud800"}, {"title", "description"}),
            ({"customer_id": 2**70, "project_id": -1}, {"customer_id", "project_id"}),
        ):
            with pytest.raises(Invalid) as error:
                enter(small, **values)
            assert {problem.column for problem in error.value.problems} == columns
        for column in ("customer_id", "project_id", "responsible_employee_id", "service_item_id"):
            with pytest.raises(NotFound):
                enter(small, **{column: 999_999})

    def test_a_category_below_one_out_of_use_is_out_of_use(self, small):
        do(small, categories.use, categories.DEMANDS, small.key.quality, False)
        with pytest.raises(Invalid):
            enter(small)
        with small.writing("service") as work, pytest.raises(Refused):
            categories.split(work, categories.DEMANDS, small.key.quality, ["Cracks"])

    def test_a_merged_customer_is_entered_as_the_survivor(self, small):
        with small.writing("service") as work:
            work.get(Customer, small.key.zhao).merged_into_id = small.key.wang
        assert loaded(small, enter(small, customer_id=small.key.zhao)).customer_id == small.key.wang

    def test_sales_enter_for_their_own_customers_only(self, small):
        key = enter(small, "sales", phase="sales")
        assert loaded(small, key).created_by == small.key.account_sales
        with pytest.raises(NotFound):
            enter(small, "sales", customer_id=small.key.li, unit_id=None)
        # About another estate as well, and find it again.
        key = enter(small, "sales", project_id=small.key.tower, unit_id=None)
        with small.reading("sales") as work:
            assert demand_list.lines(work, [key])
        with pytest.raises(Forbidden):
            enter(small, "executive")

    def test_property_staff_enter_for_their_estate_only(self, small):
        enter(small, "property")
        with pytest.raises(Forbidden):
            enter(small, "property", project_id=small.key.tower, unit_id=None)

    def test_corrections_leave_the_deadline_and_refuse_a_stale_copy(self, small):
        key = enter(small)
        row = loaded(small, key)
        do(small, demands.correct, key, row.row_version, {"demand_category_id": small.key.suggestion, "title": "B"})
        after = loaded(small, key)
        assert (after.demand_category_id, after.title, after.due_at) == (small.key.suggestion, "B", row.due_at)
        with pytest.raises(Stale) as error:
            do(small, demands.correct, key, row.row_version, {"title": "C"})
        assert error.value.mine == {"title": "C"}
        assert error.value.theirs["title"] == "B"
        for values in ({"demand_category_id": small.key.retired}, {"unit_id": small.key.unit_tower}, {"title": ""}):
            with pytest.raises(Invalid):
                do(small, demands.correct, key, after.row_version, values)
        # What has gone out of use since stays, when something else is corrected.
        do(small, categories.use, categories.DEMANDS, small.key.suggestion, False)
        do(small, demands.correct, key, after.row_version, {"demand_category_id": small.key.suggestion, "title": "D"})


class TestSteps:
    def test_from_entry_to_follow_up(self, company):
        key = enter(company, days=-3)
        k = company.key
        assert stage(company, key) == "new"
        with pytest.raises(Refused, match="Reply to the customer"):
            do(company, demands.follow_up, key, was_reached=True, satisfaction=5)
        do(company, demands.assign, key, k.service, days=-2.9)
        assert stage(company, key) == "given"
        do(company, demands.forward, key, k.property, note="please look", days=-2.8)
        do(company, demands.reply, key, "We come tomorrow", who="property", days=-2.5)
        assert stage(company, key) == "replied"
        do(company, demands.resolve, key, "Sealed", who="property", days=-2)
        assert stage(company, key) == "resolved"
        for step in (demands.reply, demands.resolve):
            with pytest.raises(Refused, match="resolved by then"):
                do(company, step, key, "again")
        for step in (demands.assign, demands.forward):
            with pytest.raises(Refused, match="resolved by then"):
                do(company, step, key, k.property)
        do(company, demands.reopen, key, "Drips again", days=-1)
        assert stage(company, key) == "given"
        with pytest.raises(Refused, match="Only a resolved"):
            do(company, demands.reopen, key, "twice")
        do(company, demands.resolve, key, "New pipe", who="property", days=-0.5)
        do(company, demands.follow_up, key, was_reached=False)
        do(company, demands.follow_up, key, was_reached=True, satisfaction=4, comment="fine")
        with company.reading("service") as work:
            story = demand_list.timeline(work, key)
        assert [m.kind for m in story] == [
            "assign", "forward", "reply", "resolve", "reopen", "resolve", "follow_up", "follow_up"
        ]  # fmt: skip
        assert (story[1].who, story[1].to, story[1].note) == ("Service", "Property", "please look")

    def test_yesterdays_reply_may_be_entered_today_but_not_into_a_resolved_time(self, small):
        key = enter(small, days=-10)
        do(small, demands.assign, key, small.key.property, days=-5)
        do(small, demands.reply, key, "by telephone", occurred_at=NOW - dt.timedelta(days=7))
        do(small, demands.resolve, key, "done", days=-3)
        do(small, demands.reopen, key, "no", days=-2)
        with pytest.raises(Refused):
            do(small, demands.reply, key, "while it was resolved", occurred_at=NOW - dt.timedelta(days=2.5))
        with pytest.raises(Refused):
            do(small, demands.resolve, key, "would make the later one senseless", occurred_at=NOW - 4 * 24 * HOUR)
        for moment in (NOW + HOUR, NOW - dt.timedelta(days=11)):
            with pytest.raises(Invalid):
                do(small, demands.reply, key, "when?", occurred_at=moment)
        with pytest.raises(Invalid):
            do(small, demands.reply, key, "  ")

    def test_whom_it_can_be_given_to(self, small):
        key, k = enter(small), small.key
        for step, who, message in (
            (demands.assign, k.gone, "does not work here"),
            (demands.forward, k.service_2, "same department"),
        ):
            with pytest.raises(Invalid, match=message):
                do(small, step, key, who)
        with pytest.raises(NotFound):
            do(small, demands.assign, key, 999_999)
        do(small, demands.assign, key, k.service_2)
        with pytest.raises(Invalid, match="already"):
            do(small, demands.assign, key, k.service_2)

    def test_sales_pass_on_to_service_what_they_cannot_answer(self, small):
        key = enter(small, "sales", phase="sales")
        do(small, demands.forward, key, small.key.service, who="sales")
        do(small, demands.reply, key, "Answered by the developer")
        with small.reading("sales") as work:
            assert [m.note for m in demand_list.timeline(work, key)][-1] == "Answered by the developer"
        # Sales may see the follow-up, not record it.
        with pytest.raises(Forbidden):
            do(small, demands.follow_up, key, who="sales", was_reached=True, satisfaction=5)

    def test_others_customers_demands_are_not_there_for_sales(self, small):
        key = enter(small, customer_id=small.key.li, unit_id=None)
        for step, values in (
            (demands.reply, ("x",)), (demands.resolve, ("x",)), (demands.assign, (small.key.sales,)),
            (demands.withdraw, ()), (demands.judge, (False,)),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                do(small, step, key, *values, who="sales")
        with pytest.raises(Forbidden):
            do(small, demands.reply, key, "x", who="executive")

    def test_nobody_decides_about_a_complaint_about_themselves(self, small):
        key = enter(small, responsible_employee_id=small.key.sales)
        first = enter(small, days=-1)
        for step, values in ((demands.judge, (False,)), (demands.withdraw, ()), (demands.mark_duplicate, (first,))):
            with pytest.raises(Forbidden):
                do(small, step, key, *values, who="sales")
        version = loaded(small, key).row_version
        with pytest.raises(Forbidden):
            do(small, demands.correct, key, version, {"responsible_employee_id": None}, who="sales")
        do(small, demands.reply, key, "I am sorry", who="sales")
        do(small, demands.judge, key, False)
        assert loaded(small, key).is_founded is False

    def test_satisfaction_needs_somebody_reached(self, small):
        key = enter(small, days=-1)
        do(small, demands.reply, key, "x", days=-0.5)
        for values in (
            {"was_reached": False, "satisfaction": 3}, {"was_reached": True, "satisfaction": 0},
            {"was_reached": True, "satisfaction": 6}, {"was_reached": None},
            {"was_reached": True, "satisfaction": True},
        ):  # fmt: skip
            with pytest.raises(Invalid):
                do(small, demands.follow_up, key, **values)
        with pytest.raises(Refused):
            do(small, demands.follow_up, key, was_reached=True, occurred_at=NOW - dt.timedelta(days=0.6))

    def test_imported_events_out_of_order_do_not_block(self, small):
        key = enter(small, days=-9)
        with small.writing("admin") as work:
            for kind, days in (("reopen", 8), ("reply", 7), ("resolve", 6), ("reply", 5), ("resolve", 4)):
                work.add(DemandEvent(demand_id=key, kind=kind, occurred_at=NOW - dt.timedelta(days=days)))
        with pytest.raises(Refused):
            do(small, demands.reply, key, "x")
        with pytest.raises(Refused):
            do(small, demands.reply, key, "x", occurred_at=NOW - dt.timedelta(days=5.5))
        do(small, demands.reopen, key, "x")
        do(small, demands.resolve, key, "x")


class TestVerdicts:
    def test_a_withdrawn_demand_takes_no_steps_until_reinstated(self, small):
        key = enter(small, days=-2)
        do(small, demands.reply, key, "x", days=-1)
        with pytest.raises(Refused):
            do(small, demands.withdraw, key, occurred_at=NOW - dt.timedelta(days=1.5))
        do(small, demands.withdraw, key)
        assert stage(small, key) == "withdrawn"
        for step, values in ((demands.reply, ("x",)), (demands.withdraw, ()), (demands.judge, (True,))):
            with pytest.raises(Refused, match="withdrew"):
                do(small, step, key, *values)
        do(small, demands.reinstate, key)
        do(small, demands.reply, key, "x")
        with pytest.raises(Refused):
            do(small, demands.reinstate, key)

    def test_duplicates_point_to_the_first_of_all(self, company):
        a, b, c = (enter(company, days=-day) for day in (3, 2, 1))
        do(company, demands.mark_duplicate, c, b)
        do(company, demands.mark_duplicate, b, a)
        assert [loaded(company, key).duplicate_of_id for key in (a, b, c)] == [None, a, a]
        d = enter(company)
        do(company, demands.mark_duplicate, d, c)
        assert loaded(company, d).duplicate_of_id == a
        for first, second in ((a, a), (a, d), (d, b)):
            with pytest.raises(Refused):
                do(company, demands.mark_duplicate, first, second)
        with pytest.raises(Refused, match=f"demand {a}"):
            do(company, demands.reply, b, "x")

    def test_a_duplicate_is_of_the_same_customer_or_unit_and_later(self, small):
        k = small.key
        first = enter(small, days=-2)
        other = enter(small, customer_id=k.li, unit_id=k.unit_102)
        with pytest.raises(Refused, match="same customer"):
            do(small, demands.mark_duplicate, other, first)
        neighbour = enter(small, customer_id=k.li)
        do(small, demands.mark_duplicate, neighbour, first)
        late = enter(small)
        with pytest.raises(Refused, match="came later"):
            do(small, demands.mark_duplicate, first, late)


class TestRaces:
    def test_of_two_who_resolve_at_once_one_is_refused(self, company):
        key = enter(company, days=-1)
        start, results = threading.Barrier(4), []

        def resolve() -> None:
            start.wait()
            try:
                do(company, demands.resolve, key, "done")
                results.append("done")
            except Refused:
                results.append("refused")

        threads = [threading.Thread(target=resolve) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["done", "refused", "refused", "refused"]

    def test_marking_duplicates_crosswise_makes_no_ring(self, company):
        a, b = enter(company, days=-1), enter(company)
        start, results = threading.Barrier(2), []

        def mark(first: int, second: int) -> None:
            start.wait()
            try:
                do(company, demands.mark_duplicate, first, second)
                results.append("done")
            except Refused:
                results.append("refused")

        threads = [threading.Thread(target=mark, args=pair) for pair in ((a, b), (b, a))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["done", "refused"]


class TestWorkList:
    def test_buckets_follow_the_next_deadline(self, company):
        k = company.key
        late = enter(company, received_at=NOW - 6 * HOUR)  # due 5 h after: an hour ago
        soon = enter(company, received_at=NOW - 4 * HOUR)
        later = enter(company, demand_category_id=k.suggestion)
        never = enter(company, received_at=dt.datetime(2024, 6, 1))
        answered = enter(company, demand_category_id=k.complaint, severity="urgent", days=-1)
        do(company, demands.reply, answered, "x", days=-0.99)  # now waits for the settlement, due 18 h ago
        resolved = enter(company, days=-2)
        do(company, demands.resolve, resolved, "x")
        closed = enter(company, days=-2)
        do(company, demands.withdraw, closed)
        expected = {
            "open": [answered, late, soon, later, never], "overdue": [answered, late], "today": [soon],
            "later": [later], "undated": [never], "resolved": [resolved], "closed": [closed],
            "all": [later, soon, late, answered, closed, resolved, never],
        }  # fmt: skip
        with company.reading("service") as work:
            for view, keys in expected.items():
                found = [line.id for line in demand_list.page_of(work, Filters(view=view))]
                assert (set(found), len(found)) == (set(keys), len(keys)), view
                if view != "all":
                    assert found == keys
                assert demand_list.count_of(work, Filters(view=view)) == len(keys)
            counts = demand_list.counts_of(work, Filters(view="all"))
            assert counts == {"open": 5, "overdue": 2, "today": 1, "later": 1, "undated": 1}
            assert [line.id for line in demand_list.page_of(work, Filters(), page=1, size=2)] == [soon, later]

    def test_mine_my_departments_nobodys_and_what_i_gave_away(self, company):
        k = company.key
        mine, colleagues, nobodys, given_away = (enter(company) for _ in range(4))
        do(company, demands.assign, mine, k.service)
        do(company, demands.assign, colleagues, k.service, who="service_2")
        do(company, demands.assign, colleagues, k.service_2, who="service_2")
        do(company, demands.forward, given_away, k.property)
        with company.reading("service") as work:
            found = {
                whose: {line.id for line in demand_list.page_of(work, Filters(whose=whose))}
                for whose in demand_list.WHOSE
            }
            loads = {load.name: load.open for load in demand_list.loads(work, Filters())}
        assert found == {
            "all": {mine, colleagues, nobodys, given_away}, "mine": {mine}, "department": {mine, colleagues},
            "unassigned": {nobodys}, "given": {mine, given_away},
        }  # fmt: skip
        assert loads == {"Service": 1, "Service_2": 1, "Property": 1, None: 1}
        with company.reading("executive") as work:
            assert demand_list.page_of(work, Filters(whose="mine")) == []

    def test_filters_and_search(self, company):
        k = company.key
        leak = enter(company, title="100% wet_", responsible_employee_id=k.sales)
        other = enter(company, customer_id=k.li, unit_id=None, demand_category_id=k.suggestion, phase="sales")
        with company.reading("service") as work:

            def found(**values):
                return {line.id for line in demand_list.page_of(work, Filters(**values))}

            assert found(category_id=k.complaint) == {leak}
            assert found(kind="suggestion") == found(phase="sales") == found(customer_id=k.li) == {other}
            assert found(responsible_id=k.sales) == found(text="0% WET_") == found(text=f"#{leak}") == {leak}
            assert found(text="li") == {other}
            assert found(text="%") == {leak}
            assert found(text="%%") == found(text="\x00") == found(text="9" * 60) == set()
            with pytest.raises(Invalid):
                found(view="nonsense")

    def test_who_may_not_read_personal_data_sees_no_words(self, small):
        key = enter(small, title="secret")
        do(small, demands.reply, key, "secret too")
        with small.reading("executive") as work:
            [line] = demand_list.page_of(work, Filters())
            assert (line.title, line.customer) == (None, None)
            assert [m.note for m in demand_list.timeline(work, key)] == [None]
            assert demand_list.page_of(work, Filters(text="secret")) == []

    def test_sales_see_their_customers_demands_only(self, small):
        own = enter(small)
        enter(small, customer_id=small.key.li, unit_id=None)
        with small.reading("sales") as work:
            assert [line.id for line in demand_list.page_of(work, Filters(view="all"))] == [own]


class TestCategories:
    def test_splitting_moves_nothing_and_counts_above(self, small):
        k = small.key
        old = enter(small)
        with small.writing("service") as work:
            pipe, roof = categories.split(work, categories.DEMANDS, k.leak, ["Pipe", "Roof"])
            assert (pipe.kind, roof.parent_id) == ("complaint", k.leak)
        new = enter(small, demand_category_id=pipe.id)
        with small.reading("service") as work:
            assert {line.id for line in demand_list.page_of(work, Filters(category_id=k.leak))} == {old, new}
            counts = {b.name: (b.direct, b.whole, b.depth) for b in categories.branches(work, categories.DEMANDS)}
        assert counts["Leak"] == (1, 2, 2)
        assert counts["Pipe"] == (1, 1, 3)
        assert counts["Complaint"] == (0, 2, 0)
        for names in (["Pipe"], ["New", "New"], [""], []):
            with small.writing("service") as work, pytest.raises(Invalid):
                categories.split(work, categories.DEMANDS, k.leak, names)
        with small.writing("sales") as work, pytest.raises(Forbidden):
            categories.split(work, categories.DEMANDS, k.leak, ["Wall"])


LATER_ON = dt.date(2030, 1, 1)


class TestPromises:
    def test_recorded_in_sales_shown_beside_the_later_complaint(self, company):
        k = company.key
        with company.writing("sales", -100) as work:
            promise = promises.record(
                work, customer_id=k.wang, text="A lawn of 500 m²", deal_id=k.deal, due_on=LATER_ON
            )
            assert (promise.unit_id, promise.employee_id) == (k.unit_101, k.sales)
        key = enter(company)
        with company.writing("property") as work:
            [shown] = promises.about(work, customer_id=k.wang, unit_id=k.unit_101)
            assert (shown.text, shown.who, shown.is_kept) == ("A lawn of 500 m²", "Sales", None)
            assert shown.due_on == LATER_ON
            promises.link(work, promise.id, key)
            promises.mark(work, promise.id, False)
        with company.reading("service") as work:
            [shown] = promises.about(work, unit_id=k.unit_101)
            assert (shown.is_kept, shown.demand_id) == (False, key)
        with company.reading("sales_2") as work:
            assert promises.about(work, customer_id=k.wang) == []

    def test_links_that_make_no_sense_are_refused(self, small):
        k = small.key
        early = enter(small, days=-5)
        with small.writing("sales", -1) as work:
            promise = promises.record(work, customer_id=k.wang, text="x").id
            with pytest.raises(Invalid):
                promises.record(work, customer_id=k.wang, text=" ")
            with pytest.raises(Invalid):
                promises.record(work, customer_id=k.wang, text="x", made_at=NOW)
            with pytest.raises(Invalid):
                promises.record(work, customer_id=k.wang, text="x", due_on=work.today - dt.timedelta(days=1))
        strangers = enter(small, customer_id=k.li, unit_id=None)
        with small.writing("service") as work:
            with pytest.raises(Refused, match="before"):
                promises.link(work, promise, early)
            with pytest.raises(Refused, match="another customer"):
                promises.link(work, promise, strangers)
            with pytest.raises(Invalid):
                promises.record(work, customer_id=k.li, text="x", deal_id=k.deal)


ANY_TEXT = st.one_of(st.none(), st.text(max_size=60), st.characters(codec=None).map(str))
ANY_KEY = st.one_of(st.none(), st.integers(-5, 40), st.integers(-(2**70), 2**70))
ANY_MOMENT = st.one_of(st.none(), st.datetimes(), st.datetimes(timezones=st.timezones()))


class TestFuzz:
    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_a_row_or_a_message_whatever_is_entered(self, small, data):
        draw = data.draw
        columns = (
            "customer_id", "project_id", "demand_category_id", "unit_id", "responsible_employee_id", "service_item_id",
        )  # fmt: skip
        values = {column: draw(ANY_KEY) for column in columns if draw(st.booleans())}
        values |= {
            column: draw(ANY_TEXT)
            for column in ("title", "phase", "severity", "channel", "description")
            if draw(st.booleans())
        }
        values["received_at"] = draw(ANY_MOMENT)
        try:
            key = enter(small, **values)
        except ServiceError:
            key = draw(ANY_KEY)
        for _ in range(4):
            step = draw(
                st.sampled_from(
                    [demands.assign, demands.forward, demands.reply, demands.resolve, demands.reopen, demands.withdraw]
                )
            )
            given_values = {"occurred_at": draw(ANY_MOMENT)}
            if step in (demands.assign, demands.forward):
                given_values["to_employee_id"] = draw(ANY_KEY)
            if step is not demands.withdraw:
                given_values["note"] = draw(ANY_TEXT)
            try:
                do(small, step, key, who=draw(st.sampled_from(["service", "property", "sales"])), **given_values)
            except ServiceError:
                continue
        with small.reading("admin") as work:
            for demand_id in work.session.scalars(sa.select(Demand.id).order_by(Demand.id.desc()).limit(1)):
                demands.replay(demands.steps_of(work, demand_id))
