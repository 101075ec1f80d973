"""The style sheet of every page."""

import re
from pathlib import Path

from loupan import ui

STYLE = Path(ui.__file__).with_name("style.css").read_text(encoding="utf-8")


def test_what_charts_draw_changes_no_other_style():
    """A :has() makes the browser compute all styles anew with each label that a chart measures: 2.5 s of 5 a page."""
    on_screen, _, on_paper = STYLE.partition("@media print {")
    assert on_paper
    on_paper, _, behind = on_paper.partition("\n}\n")
    assert ":has(" in on_paper
    assert not re.findall(r"\S*:has\(\S*", on_screen + behind)
