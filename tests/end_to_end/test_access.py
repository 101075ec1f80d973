"""Each role signs in, lands on its page, and reaches no page that is not its own."""

import re

import pytest

from data_entry.access.roles import READY_MADE

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.function("1.i.2")
@pytest.mark.parametrize("role", READY_MADE)
def test_a_role_lands_on_its_page(signed_in, office, role):
    page = signed_in(role)
    page.wait_for_url(re.compile(rf"{office}/{READY_MADE[role].landing_page}(\\?|$)"))
    assert page.locator(".lp-who b").inner_text()
