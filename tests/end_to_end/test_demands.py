"""Demands as sales, property and customer service handle them, and the categories, in a real browser."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.steps import choose, closed, fill, press, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


# The estate at which the demonstration's property clerk works.
ESTATE = "滨江壹号"


def enter(page, *, category: tuple[str, ...], title: str, responsible: str | None = None):
    """Fill in the dialog of a new demand; return the estate that was chosen, and the number given."""
    press(page, "New demand")
    dialog = page.get_by_role("dialog")
    choose(dialog, "Customer")
    estate = choose(dialog, "Estate", ESTATE)
    for level, name in enumerate(category):
        choose(dialog, "Category" if level == 0 else "below", name)
    if responsible:
        choose(dialog, "Whose conduct", responsible)
    fill(dialog, re.compile("^Title"), title)
    press(dialog, "Record the demand")
    page.get_by_role("heading", name=re.compile(f"#\\d+ {re.escape(title)}")).wait_for(timeout=20_000)
    heading = page.get_by_role("heading", name=re.compile(f"#\\d+ {re.escape(title)}")).inner_text()
    return estate, int(re.search(r"#(\d+)", heading).group(1))


def note(page, button: str, text: str) -> None:
    press(page, re.compile(f"^{button}|{button}$"))
    dialog = page.get_by_role("dialog")
    fill(dialog, re.compile(""), text)
    press(dialog, re.compile("^Save"))
    closed(page)


@pytest.mark.function("2.ii")
def test_sales_record_a_demand_find_it_again_and_forward_it(signed_in):
    page = signed_in("sales", "demands")
    _, number = enter(page, category=("建议",), title="Lower the price of parking")
    press(page, "Forward")
    choose(page, "Department", "Customer service")
    choose(page, "Who", nth=0)
    press(page.get_by_role("dialog"), "Forward")
    closed(page)
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
    fill(page.get_by_role("dialog"), re.compile("What was promised"), "A lawn of 500 m²")
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
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
    press(page.get_by_role("dialog"), re.compile("^Save"))
    closed(page)
    page.get_by_text("★★★★☆").wait_for()


@pytest.mark.function("5.v")
def test_a_demand_is_assigned_to_a_named_person_and_its_progress_watched(signed_in):
    page = signed_in("service", "demands")
    _, number = enter(page, category=("投诉",), title="Bulb in the stairway")
    press(page, "Assign")
    choose(page, "Department", "Property")
    who = choose(page, "Who", nth=0).split(" · ")[0]
    press(page.get_by_role("dialog"), "Assign")
    closed(page)
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
    fill(page.get_by_role("dialog"), re.compile("Split into"), "客厅\n卧室")
    press(page.get_by_role("dialog"), re.compile("^Split"))
    closed(page)
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
