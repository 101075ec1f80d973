"""The office in a browser: tasks, reports, knowledge, discussion, plans and logs, surveys and care."""

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.database import create_engine_for
from data_entry.schema.customer import Customer
from data_entry.schema.office import ApprovalStep, ReportClass
from data_entry.schema.organisation import Role, VocabularyTerm
from data_entry.schema.service import CareRule, SurveyAnswer, SurveyResponse
from tests.end_to_end.steps import choose, closed, fill, press, settle, unfold
from tests.support.installation import data_dir_at

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def crm(office):
    engine = create_engine_for(f"sqlite:///{data_dir_at(office) / 'crm.sqlite'}")
    yield engine
    engine.dispose()


def view(page, name):
    page.get_by_role("radio", name=name).click()
    settle(page)


def name_of(page):
    return page.locator(".lp-who b").inner_text()


def sees(page, text):
    page.locator("[data-testid=stMain]").get_by_text(text).first.wait_for()


@pytest.mark.function("2.vi")
@pytest.mark.function("3.vi")
@pytest.mark.function("7.b")
@pytest.mark.parametrize("role", ["sales", "property"])
def test_a_task_is_given_done_and_checked(signed_in, role):
    title = f"Group purchase talk, {role}"
    person = name_of(signed_in(role, "tasks"))
    boss = signed_in("executive", "tasks")
    press(boss, "New task")
    fill(boss, "What is to be done", title)
    choose(boss, "To be done by", person)
    press(boss, "Save")
    closed(boss)
    page = signed_in(role, "tasks")
    fill(page, "Search in titles", title)
    press(page, title)
    press(page, "Begin")
    sees(page, "In work")
    press(page, "Done")
    fill(page, "What was done", "Met them twice")
    press(page, "Report it done")
    closed(page)
    sees(page, "Done, not checked")
    boss = signed_in("executive", "home")
    sees(boss, "Done, waiting for your check")
    boss = signed_in("executive", "tasks")
    view(boss, "Given by me")
    fill(boss, "Search in titles", title)
    press(boss, title)
    sees(boss, "Met them twice")
    press(boss, "Accept")
    sees(boss, f"{name_of(boss)} checked it")


@pytest.mark.function("2.vii")
@pytest.mark.function("7.a")
@pytest.mark.function("1.iii.2")
def test_a_report_is_returned_mended_and_approved(signed_in, crm):
    with Session(crm) as session:
        flow = ReportClass(name="Site report")
        session.add(flow)
        session.flush()
        role = session.scalar(sa.select(Role.id).where(Role.name == "executive"))
        session.add(ApprovalStep(report_class_id=flow.id, sequence=1, role_id=role))
        session.commit()
    page = signed_in("sales", "reports")
    press(page, "New report")
    choose(page, "Class", "Site report")
    page.get_by_label("Title", exact=True).fill("Weekend visitors")
    page.get_by_label("Text (Markdown)", exact=True).fill("## Visitors\n\n31 families <b>came</b>")
    press(page, "Save and submit")
    sees(page, "On its way")
    sees(page, "31 families <b>came</b>")
    boss = signed_in("executive", "reports")
    press(boss, "Weekend visitors")
    boss.get_by_label("A word to it; needed to send it back").fill("Which sources?")
    press(boss, "Send back to the author")
    sees(boss, "Sent back")
    page = signed_in("sales", "reports")
    view(page, "Written by me")
    press(page, "Weekend visitors")
    sees(page, "Which sources?")
    press(page, "Change")
    page.get_by_label("Text (Markdown)", exact=True).fill("31 families came, most by referral")
    press(page, "Save and submit")
    sees(page, "On its way")
    boss = signed_in("executive", "home")
    sees(boss, "Reports waiting for your decision")
    press(boss, "Weekend visitors")
    press(boss, "Approve")
    sees(boss, f"approved by {name_of(boss)}")


@pytest.mark.function("1.i.4")
@pytest.mark.function("1.i.6")
@pytest.mark.function("1.iii.2")
def test_an_administrator_sorts_categories_and_builds_a_flow(signed_in):
    page = signed_in("admin", "categories", of="expense_category")
    press(page, "New category at the top")
    fill(page, "New categories", "Sponsoring\nTrips")
    press(page, "Add them")
    page.get_by_role("row").filter(has_text="Trips").get_by_role("button").first.click()
    settle(page)
    choose(page, "Stands below", "Sponsoring")
    press(page, "Move")
    page.get_by_role("row").filter(has_text="\u2003Trips").first.wait_for()
    view(page, "Knowledge base")
    press(page, "New category")
    fill(page, "New categories", "House rules")
    press(page, "Add them")
    page.get_by_role("row").filter(has_text="House rules").get_by_role("button").first.click()
    settle(page)
    fill(page, "Name", "Staff rules")
    press(page, "Rename in every article")
    page.get_by_role("row").filter(has_text="Staff rules").first.wait_for()
    view(page, "Reports")
    press(page, "New class of reports")
    fill(page, "Name", "AA visit")
    press(page, "Save")
    for role in ("Executive", "Customer service"):
        page.get_by_role("button", name="Add a step").first.click()
        settle(page)
        page.get_by_role("dialog").get_by_text("A role", exact=True).click()
        settle(page)
        choose(page, "Role", role)
        press(page, "Add")
    flow = page.locator("[class*=st-key-lp_card_steps_]").first
    assert [text.split()[0] for text in flow.locator("strong").all_inner_texts()] == ["Executive", "Customer"]
    unfold(flow.get_by_role("button", name="Change").last, page.get_by_role("button", name="Up", exact=True))
    press(page, "Up")
    assert [text.split()[0] for text in flow.locator("strong").all_inner_texts()] == ["Customer", "Executive"]
    unfold(flow.get_by_role("button", name="Change").last, page.get_by_role("button", name="Take out", exact=True))
    press(page, "Take out")
    page.get_by_test_id("stDialog").get_by_role("button", name="Take out").click()
    settle(page)
    assert flow.locator("strong").all_inner_texts() == ["Customer service"]


@pytest.mark.function("1.iii.5")
@pytest.mark.function("4.ix")
@pytest.mark.function("2.iv-v")
@pytest.mark.function("3.v")
def test_an_article_is_written_in_a_category_revised_and_found(signed_in, crm):
    with Session(crm) as session:
        session.add(VocabularyTerm(field="article.category", value="Handover rules"))
        session.commit()
    page = signed_in("marketing", "knowledge")
    press(page, "New article")
    page.get_by_label("Title", exact=True).fill("Keys and meters")
    choose(page, "Category", "Handover rules")
    page.get_by_label("Text (Markdown)", exact=True).fill("# Keys\n\nRead the meters.")
    press(page, "Save")
    sees(page, "Read the meters.")
    press(page, "Write a new version")
    page.get_by_label("Text (Markdown)", exact=True).fill("# Keys\n\nRead the meters twice, with the owner.")
    press(page, "Save as a new version")
    sees(page, "twice, with the owner")
    page.get_by_text("Compare with another version").click()
    page.locator(".lp-difference ins").first.wait_for()
    assert "Read the meters." in page.locator(".lp-difference del").inner_text()
    for role in ("sales", "property"):
        page = signed_in(role, "knowledge")
        fill(page, "Search in titles and texts", "meters owner")
        press(page, "Keys and meters")
        sees(page, "twice, with the owner")
        assert not page.get_by_role("button", name="Write a new version").count()


@pytest.mark.function("2.viii")
@pytest.mark.function("3.vii")
@pytest.mark.function("4.x")
def test_a_thread_is_shared_across_departments(signed_in):
    page = signed_in("sales", "discussion")
    press(page, "New thread")
    fill(page, "Title", "Lifts on Saturday")
    fill(page, "Your post", "The lifts stood still for an hour.")
    press(page, "Begin the thread")
    closed(page)
    sees(page, "The lifts stood still")
    for role, words in (("property", "They are mended."), ("marketing", "We tell the visitors.")):
        page = signed_in(role, "discussion")
        fill(page, "Search in threads", "lifts still")
        press(page, "Lifts on Saturday")
        fill(page, "Your post", words)
        press(page, "Post")
        sees(page, words)


@pytest.mark.function("7.c")
def test_a_log_is_written_and_reviewed(signed_in):
    page = signed_in("sales", "work")
    person = name_of(page)
    page.get_by_label("What you did").fill("Six calls, two visits")
    press(page, "Save the log")
    page.locator(".lp-quoted", has_text="Six calls, two visits").wait_for()
    view(page, "Work plans")
    page.get_by_label(re.compile("What you plan, from")).fill("Two contracts")
    press(page, "Save the plan")
    page.locator(".lp-quoted", has_text="Two contracts").wait_for()
    boss = signed_in("executive", "work")
    view(boss, "Logs of my people")
    choose(boss, "Whose", person)
    press(boss, "Review")
    fill(boss, "What you say of it", "Well done")
    press(boss, "Save the review")
    closed(boss)
    page = signed_in("sales", "work")
    sees(page, "Well done")


@pytest.mark.function("5.iii")
def test_a_survey_is_built_issued_answered_and_counted(signed_in, browser, crm):
    page = signed_in("service", "surveys")
    press(page, "New survey")
    fill(page, "Name, as those asked see it", "After the handover")
    press(page, "Save")
    closed(page)
    sees(page, "After the handover")
    view(page, "Questions")
    press(page, "Add a question")
    fill(page, "Wording", "How content are you?")
    press(page, "Save")
    closed(page)
    sees(page, "How content are you?")
    view(page, "Issue")
    press(page, "Make a public link")
    link = page.locator("[data-testid=stCode] code").first.inner_text().strip()
    assert "/survey/" in link
    visitor = browser.new_context(viewport={"width": 390, "height": 800}, locale="zh-CN").new_page()
    visitor.goto(link)
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 390
    visitor.locator("label", has_text="5").click()
    visitor.get_by_role("button", name="提交答卷").click()
    visitor.get_by_text("谢谢").wait_for()
    visitor.context.close()
    with Session(crm) as session:
        response = session.scalars(sa.select(SurveyResponse).order_by(SurveyResponse.id.desc())).first()
        given = session.scalars(sa.select(SurveyAnswer).where(SurveyAnswer.survey_response_id == response.id)).one()
        assert (given.value_number, response.customer_id) == (5, None)
    view(page, "Record answers")
    page.get_by_role("radio", name="2", exact=True).click()
    press(page, "Record the answers")
    view(page, "Results")
    sees(page, "50.0% of 2 answers are 4 or 5")


@pytest.mark.function("5.iv")
def test_who_is_due_for_a_greeting_becomes_a_task(signed_in, crm):
    today = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    page = signed_in("service", "care")
    view(page, "Rules")
    offered = page.locator(".st-key-care_add_new_year").get_by_role("button")
    if offered.count():
        offered.click()
        offered.wait_for(state="detached")
    sees(page, "New Year’s Day")
    with Session(crm) as session:
        customer = session.scalars(
            sa.select(Customer).where(Customer.merged_into_id.is_(None), Customer.deleted_at.is_(None)).limit(1)
        ).one()
        customer.birth_on = today.replace(year=1988) if (today.month, today.day) != (2, 29) else dt.date(1988, 2, 29)
        name = customer.name
        if not session.scalar(sa.select(sa.func.count()).select_from(CareRule).where(CareRule.calendar == "birthday")):
            session.add(CareRule(name="Birthday", calendar="birthday", lead_days=3))
        session.commit()
    page = signed_in("service", "care")
    press(page, "Bring the list up to date")
    sees(page, name)


@pytest.mark.function("7.b")
@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1440), ("zh", "dark", 390)])
def test_today_fits_the_screen_and_leads_on(signed_in, language, theme, width):
    page = signed_in("service", "home", language=language, theme=theme, width=width)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.locator("[class*=st-key-home_row_tasks]").first.get_by_role("button").click()
    page.wait_for_url(re.compile(r"/tasks\?.*id=\d+"))
