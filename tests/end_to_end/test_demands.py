"""Demands as sales, property and customer service handle them, and the categories, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.conftest import settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def choose(page, label: str, option: str | None = None, *, nth: int = 0) -> str:
    """Choose from a list: the option of a text, else the nth; return what was chosen."""
    place = page.locator("[role=dialog]") if page.locator("[role=dialog]").count() else page
    box = place.get_by_role("combobox", name=re.compile(re.escape(label))).last
    box.click()
    if option:
        box.fill(option)
    options = page.get_by_role("option")
    wanted = options.filter(has_text=option).first if option else options.nth(nth)
    wanted.wait_for()
    text = wanted.inner_text()
    wanted.click()
    settle(page)
    return text


def press(page, name: str, *, within: str = "body") -> None:
    page.locator(within).get_by_role("button", name=re.compile(name)).first.click()
    settle(page)


def said(page, text: str) -> None:
    page.get_by_text(re.compile(text)).first.wait_for(timeout=20_000)


# The estate at which the demonstration's property clerk works.
ESTATE = "滨江壹号"


def enter(page, *, category: tuple[str, ...], title: str, responsible: str | None = None):
    """Fill in the dialog of a new demand; return the estate that was chosen, and the number given."""
    press(page, "New demand")
    choose(page, "Customer")
    estate = choose(page, "Estate", ESTATE)
    for level, name in enumerate(category):
        choose(page, "Category" if level == 0 else "below", name)
    if responsible:
        choose(page, "Whose conduct", responsible)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("^Title")).fill(title)
    dialog.get_by_label(re.compile("^Title")).press("Tab")
    settle(page)
    press(page, "Record the demand", within="[role=dialog]")
    page.get_by_role("heading", name=re.compile(f"#\\d+ {re.escape(title)}")).wait_for(timeout=20_000)
    heading = page.get_by_role("heading", name=re.compile(f"#\\d+ {re.escape(title)}")).inner_text()
    return estate, int(re.search(r"#(\d+)", heading).group(1))


def note(page, button: str, text: str) -> None:
    press(page, f"^{button}|{button}$")
    area = page.get_by_role("dialog").get_by_role("textbox").first
    area.fill(text)
    area.press("Tab")
    settle(page)
    press(page, "^Save", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)


@pytest.mark.function("2.ii")
def test_sales_record_a_demand_find_it_again_and_forward_it(signed_in):
    page = signed_in("sales", "demands")
    _, number = enter(page, category=("建议",), title="Lower the price of parking")
    press(page, "Forward")
    choose(page, "Department", "Customer service")
    choose(page, "Who", nth=0)
    press(page, "Forward", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    page.get_by_text(re.compile("forwarded it to")).wait_for()
    press(page, "Back to the list")
    page.get_by_label("Search", exact=True).fill("price of parking")
    page.get_by_label("Search", exact=True).press("Enter")
    settle(page)
    page.get_by_role("button", name=re.compile(f"#{number} ")).or_(page.get_by_text(f"#{number} ")).first.wait_for()
    page = signed_in("service", "demands", id=number)
    note(page, "Reply", "Parking will cost less from May on")
    page = signed_in("sales", "demands", id=number)
    page.get_by_text("Parking will cost less from May on").wait_for()


@pytest.mark.function("3.ii")
def test_property_staff_settle_a_complaint_beside_the_promises_of_the_sales_period(signed_in):
    page = signed_in("property", "demands")
    _, number = enter(page, category=("投诉",), title="The lawn is smaller than promised")
    press(page, "Record a promise")
    area = page.get_by_role("dialog").get_by_label("What was promised")
    area.fill("A lawn of 500 m²")
    area.press("Tab")
    settle(page)
    press(page, "^Save", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    page.get_by_text("A lawn of 500 m²").first.wait_for()
    press(page, "It was broken")
    page.get_by_text("Broken", exact=True).first.wait_for()
    note(page, "Reply", "We look into it")
    note(page, "Resolve", "The lawn is laid anew")
    page.get_by_text("settled it").wait_for()
    assert page.get_by_role("button", name="Resolve").count() == 0
    note(page, "Reopen", "Half of it only")
    note(page, "Resolve", "All of it")
    page.get_by_text("opened it again").wait_for()
    # Beside the demand stand the others of the customer.
    page.get_by_text("Other demands of the customer and the unit").wait_for()
    assert number


@pytest.mark.function("5.ii")
def test_customer_service_replies_and_asks_how_content_the_customer_is(signed_in):
    page = signed_in("service", "demands")
    enter(page, category=("投诉", "工程质量"), title="Water on the ceiling")
    note(page, "Reply", "A plumber comes tomorrow")
    press(page, "Follow up")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("star")).or_(dialog.locator("[data-testid=stFeedback] button")).nth(
        3
    ).click()
    settle(page)
    press(page, "^Save", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    page.get_by_text("★★★★☆").wait_for()


@pytest.mark.function("5.v")
def test_a_demand_is_assigned_to_a_named_person_and_its_progress_watched(signed_in):
    page = signed_in("service", "demands")
    _, number = enter(page, category=("投诉",), title="Bulb in the stairway")
    press(page, "Assign")
    choose(page, "Department", "Property")
    who = choose(page, "Who", nth=0).split(" · ")[0]
    press(page, "Assign", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    page.get_by_text(re.compile(f"gave it to {who}")).wait_for()
    press(page, "Back to the list")
    page.get_by_text("Who has what").first.click()
    settle(page)
    page.get_by_text(who).first.click()
    settle(page)
    page.get_by_text("Open demands by who has them now", exact=False).wait_for()
    page = signed_in("property", "demands", id=number)
    note(page, "Reply", "Changed")


@pytest.mark.function("1.i.5")
def test_a_category_is_split_further_without_losing_history(signed_in):
    page = signed_in("service", "demands")
    page.get_by_text("Categories", exact=True).click()
    settle(page)
    row = page.get_by_role("row").filter(has_text="墙面空鼓").first
    before = row.inner_text().split()
    page.get_by_text("墙面空鼓").first.click()
    settle(page)
    area = page.get_by_role("dialog").get_by_label("Split into")
    area.fill("客厅\n卧室")
    area.press("Tab")
    settle(page)
    press(page, "^Split", within="[role=dialog]")
    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    page.get_by_text("客厅").first.wait_for()
    assert page.get_by_role("row").filter(has_text="墙面空鼓").first.inner_text().split() == before
    enter(page, category=("投诉", "工程质量", "墙面空鼓", "卧室"), title="Hollow wall in the bedroom")
    press(page, "Back to the list")
    page.get_by_text("Categories", exact=True).click()
    settle(page)
    after = page.get_by_role("row").filter(has_text="墙面空鼓").first.inner_text().split()
    # One more with those below, as many here as before.
    assert int(after[3]) == int(before[3]) + 1
    assert after[2] == before[2]
