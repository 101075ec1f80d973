"""No text of ours runs in a spreadsheet."""

import pytest

from loupan.spreadsheet import inert, is_active

ACTIVE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\tx",
    "  =HYPERLINK(0)",
    "\u200b=1",
    "\ufeff@x",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
]
HARMLESS = ["", "3#楼", "a=b", "−5%", "–", "8.9%–10.6%", "滨江一号", "'=1"]


@pytest.mark.parametrize("text", ACTIVE)
def test_what_begins_a_formula_is_made_inert(text):
    assert is_active(text)
    assert inert(text) == f"'{text}"
    assert not is_active(inert(text))


@pytest.mark.parametrize("text", HARMLESS)
def test_all_else_stays_as_it_is(text):
    assert inert(text) == text
