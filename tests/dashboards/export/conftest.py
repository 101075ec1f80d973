"""A reader's view of the sample company."""

from datetime import date

import pytest

from dashboards.gateway import Period, open_gateway
from dashboards.view import View
from loupan.metrics import EVERYTHING
from loupan.settings import get_settings
from tests.support.installation import sample_installation

PERIOD = Period(date(2025, 7, 1), date(2026, 6, 30))


@pytest.fixture(scope="session")
def gateway():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPAN_DATA_DIR", str(sample_installation()))
        get_settings.cache_clear()
        found = open_gateway(EVERYTHING)
    get_settings.cache_clear()
    return found


@pytest.fixture(scope="session")
def view_in(gateway):
    """The last twelve months in a language, with filters."""

    def view(language="en", **where):
        chosen = tuple((name, tuple(values)) for name, values in where.items())
        return View(gateway, language, "light", PERIOD, chosen)

    return view


@pytest.fixture(scope="session")
def view(view_in):
    return view_in()
