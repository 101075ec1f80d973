"""Records of every table: listed, entered, changed, restored; features without code; rows in bulk."""

import datetime as dt
import io
import re

import pytest
from openpyxl import Workbook

from tests.end_to_end.steps import choose, fill, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WAIT = 60_000
ESTATES = [
    ("Name", "区域", "Sales opened on"),
    ("Uploaded Terrace", "East", dt.date(2026, 5, 1)),
    ("上传雅苑", None, None),
]


def open_form(page, name=None):
    """Open the form of a row, or of a new record."""
    if name is None:
        page.get_by_role("button", name=re.compile("New")).click()
    else:
        page.get_by_role("row").filter(has_text=name).get_by_role("button").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("^(check)? ?Save")).wait_for(timeout=WAIT)
    settle(page)
    return dialog


def save(page, dialog):
    dialog.get_by_role("button", name=re.compile("Save")).first.click()
    dialog.wait_for(state="detached", timeout=WAIT)
    settle(page)


def search(page, words):
    page.get_by_placeholder("Part of a name or number").fill(words)
    page.get_by_role("row").filter(has_text=words).first.wait_for(timeout=WAIT)
    settle(page)


def workbook(rows):
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(file)
    return file.getvalue()


def test_a_list_is_sorted_searched_and_opened_by_key(signed_in):
    page = signed_in("admin", "records", table="customer")
    page.get_by_role("button", name="Customer name").click()
    page.wait_for_selector("th[aria-sort=ascending]", timeout=WAIT)
    settle(page)
    name = page.locator("tbody th").nth(1).inner_text()
    page.locator("tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text(name).first.wait_for(timeout=WAIT)
    page.get_by_role("dialog").get_by_role("tab", name="History").click()
    page.get_by_role("dialog").get_by_text(re.compile("Entered|imported")).first.wait_for(timeout=WAIT)


@pytest.mark.function("1.ii.1-2")
def test_a_feature_defined_here_appears_in_the_customer_form(signed_in):
    page = signed_in("admin", "records", table="feature")
    dialog = open_form(page)
    choose(dialog, "Applies to", "Customer")
    fill(dialog, "Name", "Favourite sport")
    save(page, dialog)
    page = signed_in("admin", "records", table="customer")
    name = page.locator("tbody th").first.inner_text()
    dialog = open_form(page, name)
    fill(dialog, "Favourite sport", "Tennis")
    save(page, dialog)
    dialog = open_form(page, name)
    assert dialog.get_by_role("textbox", name="Favourite sport").input_value() == "Tennis"
    dialog.get_by_role("tab", name="History").click()
    dialog.get_by_text("Tennis").first.wait_for(timeout=WAIT)


@pytest.mark.function("1.i.1")
def test_a_department_is_entered_below_another_and_deleted_and_restored(signed_in):
    page = signed_in("admin", "records", table="department")
    dialog = open_form(page)
    fill(dialog, "Name", "Test department")
    save(page, dialog)
    dialog = open_form(page, "Test department")
    dialog.get_by_text("Delete this record").click()
    dialog.get_by_role("button", name=re.compile("Delete$")).click()
    dialog.wait_for(state="detached", timeout=WAIT)
    settle(page)
    assert page.get_by_role("row").filter(has_text="Test department").count() == 0
    page.get_by_text("Deleted", exact=True).first.click()
    page.get_by_role("row").filter(has_text="Test department").get_by_role("button").first.click(timeout=WAIT)
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Restore$")).click(timeout=WAIT)
    page.get_by_role("dialog").wait_for(state="detached", timeout=WAIT)
    page = signed_in("admin", "records", table="department")
    page.get_by_role("row").filter(has_text="Test department").first.wait_for(timeout=WAIT)


def test_a_stale_save_shows_both_versions(signed_in):
    pages = [signed_in("admin", "records", table="source") for _ in range(2)]
    name = pages[0].locator("tbody th").first.inner_text().strip("└ \u2003")
    dialogs = [open_form(page, name) for page in pages]
    fill(dialogs[0], "Name", f"{name} one")
    fill(dialogs[1], "Name", f"{name} two")
    save(pages[0], dialogs[0])
    dialogs[1].get_by_role("button", name=re.compile("Save")).first.click()
    dialogs[1].get_by_text(f"Theirs: {name} one").wait_for(timeout=WAIT)
    dialogs[1].get_by_text(f"Yours: {name} two").wait_for(timeout=WAIT)
    dialogs[1].get_by_role("button", name="Save this choice").click()
    pages[1].get_by_role("row").filter(has_text=f"{name} two").first.wait_for(timeout=WAIT)


def test_what_is_wrong_is_said_at_the_field_in_the_readers_language(signed_in):
    page = signed_in("admin", "records", table="customer", language="zh")
    page.get_by_role("button", name=re.compile("新建")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=re.compile("保存")).wait_for(timeout=WAIT)
    fill(dialog, "电话", "abc")
    dialog.get_by_text("这不是有效的电话号码。").wait_for(timeout=WAIT)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("project", marks=pytest.mark.function("1.i.3")),
        pytest.param("demand_category", marks=pytest.mark.function("1.i.5")),
        pytest.param("expense_category", marks=pytest.mark.function("1.i.6")),
        pytest.param("plan_class", marks=pytest.mark.function("1.ii.3-4")),
        pytest.param("competitor", marks=pytest.mark.function("1.ii.5-6")),
        pytest.param("report_class", marks=pytest.mark.function("1.iii.2")),
        pytest.param("fee_type", marks=pytest.mark.function("1.iii.3-4")),
    ],
)
def test_a_setting_is_entered_and_found_again(signed_in, table):
    page = signed_in("admin", "records", table=table)
    dialog = open_form(page)
    fill(dialog, "Name", f"Entered {table}")
    if table == "demand_category":
        choose(dialog, "Kind", "Complaint")
    save(page, dialog)
    page.get_by_role("row").filter(has_text=f"Entered {table}").first.wait_for(timeout=WAIT)


@pytest.mark.function("1.i.4")
def test_a_category_of_the_knowledge_base_is_a_term(signed_in):
    page = signed_in("admin", "records", table="vocabulary_term")
    dialog = open_form(page)
    choose(dialog, "Field", "Article: Category")
    fill(dialog, re.compile("Term|Value"), "Company archive")
    save(page, dialog)
    page.get_by_role("row").filter(has_text="Company archive").first.wait_for(timeout=WAIT)


@pytest.mark.function("1.i.3", "2.i")
def test_rows_pasted_or_of_a_file_are_previewed_then_written(signed_in):
    page = signed_in("admin", "imports")
    field = page.get_by_label("Cells copied from a spreadsheet, with the line of column names")
    field.fill("Customer name\t电话\nPasted Person\t138 0000 0099\nWrong\tabc\n")
    field.press("Control+Enter")
    page.get_by_text("This is not a telephone number.").first.wait_for(timeout=WAIT)
    page.get_by_role("button", name="Write 1 rows, leave out the 1 refused").click()
    page.get_by_text("1 rows are written.").wait_for(timeout=WAIT)
    settle(page)
    choose(page, "Rows of", "Projects")
    page.get_by_role("tab", name="Upload").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "estates.xlsx", "mimeType": "application/octet-stream", "buffer": workbook(ESTATES)}
    )
    page.get_by_role("button", name="Write all 2 rows").click()
    page.get_by_text("2 rows are written.").wait_for(timeout=WAIT)
    page = signed_in("admin", "records", table="customer")
    search(page, "Pasted Person")
    page = signed_in("admin", "records", table="project")
    page.get_by_role("row").filter(has_text="Uploaded Terrace").first.wait_for(timeout=WAIT)
    page.get_by_role("row").filter(has_text="上传雅苑").first.wait_for(timeout=WAIT)
