"""Every function that staff carry out has a page and a test in a browser, and the table that says so is up to date."""

from __future__ import annotations

from tests import functions_table as table

IDS = {function for functions in table.FUNCTIONS.values() for function in functions}


def test_every_function_has_a_page() -> None:
    assert IDS - set(table.pages()) == set()


def test_the_menu_and_the_tests_speak_of_functions_that_exist() -> None:
    others = {f"6.{number}" for number in ("i", "ii", "iii", "iv", "v", "vi", "vii")}
    assert set(table.pages()) | set(table.tests()) <= IDS | others


def test_every_function_has_a_test_in_a_browser() -> None:
    assert IDS - set(table.tests()) == set()


def test_the_table_is_up_to_date() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.text(), "run `make docs`"
