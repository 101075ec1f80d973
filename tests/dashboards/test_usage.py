"""Which metrics a page shows is read from its code."""

import sys
from types import ModuleType

import pytest

from dashboards.pages import overview, sales
from dashboards.usage import metrics_shown, pages_showing

KNOWN = {"contract_amount", "contract_area", "complaint_rate", "collected_amount", "fee_billed", "leads"}

CODE = '''
from dashboards.pages import sales

_TILES = ("leads",)
_UNUSED = ("complaint_rate",)


def draw(view, tables):
    """Draw collected_amount."""
    card(view, _part, key="contract_area")
    card(view, sales.collected, key="collected")


def _part(view):
    return view.ask(*_TILES)
'''


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A module with a page in it."""
    path = tmp_path / "page.py"
    path.write_text(CODE)
    module = ModuleType("page_of_a_test")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def draw():
        """Stand for the page's function."""

    draw.__module__ = module.__name__
    return draw


def test_what_the_page_reaches_counts_and_nothing_else(page):
    assert metrics_shown(page, KNOWN) == {"leads", "collected_amount"}


def test_the_pages_there_are_show_what_they_show():
    assert set(sales.TILES) <= metrics_shown(sales.draw, set(sales.TILES))
    assert set(overview.TILES) <= metrics_shown(overview.draw, set(overview.TILES))
    assert {"changes", "property-fees"} == {page.path for page in pages_showing("fee_billed", KNOWN)}
    assert {"sales", "overview"} <= {page.path for page in pages_showing("contract_amount", KNOWN)}
    assert pages_showing("no such metric", KNOWN) == []
