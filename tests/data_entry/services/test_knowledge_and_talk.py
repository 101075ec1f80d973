"""Knowledge base, discussion, plans and logs."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_entry.pages.parts import markdown
from data_entry.schema.office import WorkLog, WorkPlan
from data_entry.services import discussion, knowledge, work_plans
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused, Stale
from tests.data_entry.services.people import TODAY


def write(office, title="Receiving visitors", body="Greet, ask, explain.", login="mara"):
    with office.writing(login) as work:
        return knowledge.write(work, category="Training", title=title, body=body).id


def test_versions_are_kept_and_searched_by_the_newest(each_office):
    office = each_office
    key = write(office)
    other = write(office, "Guide to prices", "Discounts of 5% and visitors' questions")
    with office.writing("mara") as work:
        knowledge.revise(work, key, based_on=1, body="Greet, ask, show.", title="Receiving guests")
    with office.reading("amy") as work:
        assert [(v.version, name) for v, name in knowledge.versions(work, key)] == [(2, "Mara"), (1, "Mara")]
        assert knowledge.one(work, key, 1)[1].body == "Greet, ask, explain."

        def found(words):
            return [item.article.id for item in knowledge.search(work, words)[0]]

        assert found("explain") == []  # an older version says so
        assert found("SHOW guests") == [key]
        assert found("5%") == [other]
        assert found("%") == [other]
        assert found("_") == []
        assert found("visitors") == [other]
        assert set(found("")) == {key, other}
    lines = knowledge.difference("a\nb", "a\nc")
    assert [(line.change, line.text) for line in lines] == [("", "a"), ("-", "b"), ("+", "c")]


def test_title_hits_come_first(office):
    in_text = write(office, "One", "about parking")
    in_title = write(office, "Parking", "words")
    with office.reading("pat") as work:
        assert [f.article.id for f in knowledge.search(work, "parking")[0]] == [in_title, in_text]
        assert knowledge.categories(work) == ["Training"]


def test_two_writers_do_not_overwrite_each_other(office):
    key = write(office)
    with office.writing("mara") as work:
        knowledge.revise(work, key, based_on=1, body="Second")
    with pytest.raises(Stale) as stale, office.writing("mara") as work:
        knowledge.revise(work, key, based_on=1, body="Also second")
    assert (stale.value.mine["body"], stale.value.theirs["body"]) == ("Also second", "Second")
    with pytest.raises(Refused, match="Nothing has changed"), office.writing("mara") as work:
        knowledge.revise(work, key, based_on=2, body="Second")


def test_who_writes_and_who_archives(office):
    key = write(office)
    for login in ("amy", "pat", "boss"):
        with pytest.raises(Forbidden):
            write(office, login=login)
        with pytest.raises(Forbidden), office.writing(login) as work:
            knowledge.revise(work, key, based_on=1, body="x")
    with office.writing("admin") as work:
        knowledge.archive(work, key)
    with office.reading("amy") as work:
        assert knowledge.search(work)[1] == 0
        with pytest.raises(NotFound):
            knowledge.one(work, key)
        with pytest.raises(Forbidden):
            knowledge.search(work, archived=True)
    with office.writing("admin") as work:
        assert knowledge.search(work, archived=True)[1] == 1
        knowledge.bring_back(work, key)


def test_a_generated_document_is_the_next_version_of_its_article(office):
    with office.writing("mara") as work:
        first = knowledge.publish(work, category="Guidance", title="Market", body="One", generated_from="{}")
        assert knowledge.publish(work, category="Guidance", title="Market", body="One").id == first.id
        second = knowledge.publish(work, category="Guidance", title="Market", body="Two")
        assert (second.article_id, second.version) == (first.article_id, 2)


def test_markdown_is_shown_without_html_and_without_loading_anything():
    text = markdown("# Head\n<script>x</script> ![plan](https://out.side/p.png) [a](javascript:b)\n\n|a|\n|-|\n|1|")
    assert "<script" not in text
    assert "<img" not in text
    assert "javascript:" not in text.replace("[a](javascript:b)", "")
    assert "<h3>Head</h3>" in text
    assert "<table>" in text
    assert "href='https://out.side/p.png'" in text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>\"'&![]()#*`|\\/:=-\n aimgscriptonerror", max_size=80))
def test_no_text_becomes_a_tag_of_its_own(text):
    shown = markdown(text).lower()
    for tag in ("<script", "<img", "<iframe", "<style", "<svg"):
        assert tag not in shown


def test_threads_are_for_all_or_for_a_department(each_office):
    office = each_office
    with office.reading("amy") as work:
        sales = next(key for key, name in discussion.open_departments(work).items() if name == "Sales")
        assert "Marketing" not in discussion.open_departments(work).values()
    with office.writing("amy") as work:
        discussion.begin(work, title="For everybody", body="Hello 100%")
        inner = discussion.begin(work, title="Weekend", body="Two more, please", department_id=sales).id
    for login, number in (("bob", 2), ("boss", 2), ("mara", 1), ("admin", 2)):
        with office.reading(login) as work:
            assert (login, discussion.listing(work)[1]) == (login, number)
    with office.reading("mara") as work:
        assert discussion.listing(work, "0%")[1] == 1
        assert discussion.listing(work, "please")[1] == 0
        with pytest.raises(NotFound):
            discussion.one(work, inner)
    with pytest.raises(NotFound), office.writing("mara") as work:
        discussion.post(work, inner, "x")
    with pytest.raises(Invalid), office.writing("mara") as work:
        discussion.begin(work, title="x", body="y", department_id=sales)


def test_people_change_and_take_back_their_own_posts_only(office):
    with office.writing("amy") as work:
        thread = discussion.begin(work, title="T", body="First").id
        post = discussion.one(work, thread)[2][0][0].id
    with pytest.raises((Forbidden, NotFound)), office.writing("bob") as work:
        discussion.edit(work, post, "x")
    with pytest.raises((Forbidden, NotFound)), office.writing("bob") as work:
        discussion.take_back(work, post)
    with office.writing("amy") as work:
        discussion.edit(work, post, "Second", 1)
    with pytest.raises(Stale), office.writing("amy") as work:
        discussion.edit(work, post, "Third", 1)
    with office.writing("amy") as work:
        discussion.take_back(work, post)
    with office.reading("bob") as work:
        assert discussion.one(work, thread)[2] == []


def test_one_plan_per_period_and_one_log_per_day(office):
    wednesday = dt.date(2026, 3, 4)
    with office.writing("amy") as work:
        first = work_plans.plan(work, period="week", day=wednesday, text="Visit")
        second = work_plans.plan(work, period="week", day=wednesday + dt.timedelta(days=4), text="Visit and call")
        assert (first.id, second.period_on, second.text) == (second.id, dt.date(2026, 3, 2), "Visit and call")
        work_plans.plan(work, period="quarter", day=wednesday, text="Sell")
        assert work_plans.first_day("quarter", dt.date(2026, 12, 31)) == dt.date(2026, 10, 1)
        work_plans.log(work, day=TODAY, text="Called")
        work_plans.log(work, day=TODAY, text="Called twice", row_version=1)
    with pytest.raises(Invalid), office.writing("amy") as work:
        work_plans.log(work, day=TODAY + dt.timedelta(days=1), text="x")
    with pytest.raises(Stale), office.writing("amy") as work:
        work_plans.log(work, day=TODAY, text="Called three times", row_version=1)


def test_the_supervisor_reviews_and_nobody_reviews_an_own_log(office):
    with office.writing("amy") as work:
        log = work_plans.log(work, day=TODAY, text="Called").id
    with office.writing("manager") as work:
        own = work_plans.plan(work, period="month", day=TODAY, text="Lead").id
    with office.reading("manager") as work:
        assert set(work_plans.supervised(work).values()) == {"Amy", "Bob"}
        assert work_plans.without_log(work, TODAY) == ["Bob"]
        assert [i.row.id for i in work_plans.listing(work, WorkLog, whose="to_review")[0]] == [log]
    for login in ("bob", "mara", "sue"):
        with pytest.raises((Forbidden, NotFound)), office.writing(login) as work:
            work_plans.review(work, WorkLog, log, "Good")
    for login, model, key in (("amy", WorkLog, log), ("manager", WorkPlan, own)):
        with pytest.raises(Forbidden), office.writing(login) as work:
            work_plans.review(work, model, key, "Good")
    with office.writing("manager") as work:
        work_plans.review(work, WorkLog, log, "Good")
    with office.writing("boss") as work:
        work_plans.review(work, WorkPlan, own, "More visits")
    with pytest.raises(Refused, match="reviewed"), office.writing("amy") as work:
        work_plans.log(work, day=TODAY, text="Something else")
    with office.reading("amy") as work:
        (item,) = work_plans.listing(work, WorkLog)[0]
        assert (item.row.review, item.reviewer) == ("Good", "Manager")
