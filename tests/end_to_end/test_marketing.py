"""Marketing in a real browser: plans, activities, expenses with receipts, feedback, competitors, guidance."""

import re

import pytest
from playwright.sync_api import expect

from tests.end_to_end.steps import choose, fill, settle
from tests.support.small_files import PDF

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Machines that run tests are busy.
expect.set_options(timeout=60_000)


def at(signed_in, *args, **query):
    """Open a page that may take its time: machines that run tests are busy."""
    page = signed_in(*args, **query)
    page.set_default_timeout(90_000)
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')", timeout=90_000)
    return page


def dialog_of(page):
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible(timeout=90_000)
    settle(page)
    return dialog


def fill_day(page, scope, label, day):
    """Type a date into its parts, which take the digits one after the other."""
    field = scope.get_by_test_id("stDateInput").filter(has_text=label).first
    field.locator("[role=spinbutton], input").first.click()
    page.keyboard.type(day.replace("-", ""))
    page.keyboard.press("Escape")  # the calendar, which would lie over the buttons
    settle(page)


def said(page, text):
    expect(page.get_by_test_id("stToast").filter(has_text=text).first).to_be_visible(timeout=90_000)


def save(page, dialog):
    dialog.get_by_role("button", name=re.compile(r"\bSave\b")).first.click()
    expect(dialog).to_be_hidden(timeout=90_000)
    settle(page)


@pytest.mark.function("4.iv")
def test_a_plan_is_made_and_shows_its_budget(signed_in):
    page = at(signed_in, "marketing", "plans")
    page.get_by_role("button", name="New plan").click()
    dialog = dialog_of(page)
    fill(dialog, re.compile("^Name"), "Spring fair E2E")
    fill(dialog, re.compile("^Budget"), "120000")
    save(page, dialog)
    fill(page, re.compile("^Search"), "Spring fair E2E")
    expect(page.get_by_text("Budget: ¥120K").first).to_be_visible()


@pytest.mark.function("4.v")
def test_an_activity_stays_within_its_plan(signed_in):
    page = at(signed_in, "marketing", "plans", id=1)
    page.get_by_role("button", name="New activity").click()
    dialog = dialog_of(page)
    fill(dialog, re.compile("^Name"), "Stand E2E")
    fill_day(page, dialog, "First day", "2020-01-01")
    dialog.get_by_role("button", name=re.compile(r"\bSave\b")).first.click()
    expect(dialog.get_by_text("This is outside of the plan").first).to_be_visible(timeout=90_000)


@pytest.mark.function("4.vi")
def test_an_expense_goes_from_entry_with_its_receipt_to_approval(signed_in):
    page = at(signed_in, "marketing", "expenses")
    page.get_by_role("button", name="New expense").click()
    dialog = dialog_of(page)
    fill(dialog, re.compile("^Amount"), "876.54")
    choose(dialog, "Expense category", "广告费")
    fill(dialog, re.compile("^Description"), "Leaflets E2E")
    dialog.get_by_role("button", name=re.compile(r"\bSave\b")).first.click()
    expect(page.get_by_text("Receipts")).to_be_visible(timeout=90_000)
    settle(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Submit", exact=True).click()
    expect(dialog.get_by_text("needs a receipt").first).to_be_visible(timeout=90_000)
    upload = dialog.locator("input[type=file]")
    upload.set_input_files({"name": "evil.pdf", "mimeType": "application/pdf", "buffer": b"<html><script>1</script>"})
    dialog.get_by_role("button", name="Attach", exact=True).click()
    expect(dialog.get_by_text("Files of this kind are not taken").first).to_be_visible(timeout=90_000)
    settle(page)
    dialog.locator("input[type=file]").set_input_files(
        {"name": "发票 E2E.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    dialog.get_by_role("button", name="Attach", exact=True).click()
    link = dialog.get_by_role("link", name="发票 E2E.pdf")
    expect(link).to_be_visible(timeout=90_000)
    settle(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "发票 E2E.pdf"
    address = link.get_attribute("href")
    dialog.get_by_role("button", name="Submit", exact=True).click()
    said(page, "Submitted")

    chief = at(signed_in, "executive", "expenses")
    chief.get_by_text(re.compile("To approve")).first.click()
    settle(chief)
    chief.get_by_role("button", name=re.compile("Open")).or_(chief.locator("tbody tr")).first.click()
    dialog = dialog_of(chief)
    expect(dialog.get_by_text("¥876.54").or_(dialog.get_by_text("876.54")).first).to_be_visible()
    dialog.get_by_role("button", name="Approve", exact=True).click()
    said(chief, "Approved")

    seller = at(signed_in, "sales", "customers")
    answer = seller.request.get(page.url.split("/expenses")[0] + address)
    assert answer.status == 404
    assert b"%PDF" not in answer.body()


@pytest.mark.function("4.vi")
def test_statistics_of_expenses(signed_in):
    page = at(signed_in, "marketing", "expenses")
    page.get_by_text("Statistics", exact=True).click()
    settle(page)
    for title in ("Spent by month", "Spent by category", "Spent by plan", "Spent by estate"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


@pytest.mark.function("4.vii")
def test_feedback_of_a_non_customer_moves_the_statistics(signed_in):
    page = at(signed_in, "marketing", "feedback")
    facts = page.locator(".lp-facts dd").first
    before = int(facts.inner_text().replace(",", ""))
    page.get_by_role("button", name="New feedback").click()
    dialog = dialog_of(page)
    fill(dialog, re.compile("^Respondent"), "Passer-by E2E")
    fill(dialog, re.compile("^Rating"), "4")
    fill(dialog, re.compile("^Content"), "Nice stand")
    save(page, dialog)
    expect(page.locator(".lp-facts dd").first).to_have_text(f"{before + 1:,}", timeout=90_000)


@pytest.mark.function("1.ii.5-6")
def test_a_feature_to_compare_is_asked_for_at_once(signed_in):
    page = at(signed_in, "marketing", "competition-entry")
    page.get_by_role("button", name="New feature to compare").click()
    dialog = dialog_of(page)
    fill(dialog, re.compile("^Name"), "Parking ratio E2E")
    save(page, dialog)
    expect(page.get_by_role("textbox", name="Parking ratio E2E")).to_be_visible(timeout=90_000)


@pytest.mark.function("4.ii")
def test_an_observation_has_source_date_and_author(signed_in):
    page = at(signed_in, "marketing", "competition-entry")
    price = page.get_by_role("textbox", name=re.compile("均价"))
    price.fill("23456")
    page.get_by_role("textbox", name="Web address of the source").fill("javascript:alert(1)")
    page.get_by_role("button", name="Save the observation").click()
    expect(page.get_by_text("beginning with http").first).to_be_visible(timeout=90_000)
    page.get_by_role("textbox", name="Web address of the source").fill("https://example.com/e2e")
    page.get_by_role("button", name="Save the observation").click()
    said(page, "Values recorded: 1")
    settle(page)
    expect(page.get_by_text("https://example.com/e2e").first).to_be_visible(timeout=90_000)


@pytest.mark.function("4.iii")
def test_the_guidance_is_previewed_and_published(signed_in):
    page = at(signed_in, "marketing", "competition-analysis")
    expect(page.get_by_role("region", name="Newest observations")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    page.get_by_role("tab", name="Guidance for sales").click()
    settle(page)
    expect(page.get_by_text("What this rests on").first).to_be_visible()
    page.get_by_role("button", name="Publish in both languages").click()
    said(page, re.compile("Published as version|Nothing has changed"))
    settle(page)
    page.get_by_role("tab", name="Guidance for sales").click()
    page.get_by_role("button", name=re.compile("中文, version")).click()
    settle(page)
    expect(page.get_by_text("销售应对指引").first).to_be_visible(timeout=90_000)


@pytest.mark.function("4.iii")
def test_sales_may_not_open_the_analysis(signed_in):
    page = at(signed_in, "sales", "competition-analysis")
    expect(page.get_by_role("button", name="Publish in both languages")).to_have_count(0)
