"""Addresses that somebody made up: each parameter of a page of figures holds harm, and the page is drawn as without."""

from __future__ import annotations

import pytest

from dashboards.gateway import FILTERS
from tests.support.installation import sample_installation
from tests.support.pages import drawn, values_of

pytestmark = pytest.mark.slow

HARM = (
    "' OR 1=1 --", "'; DROP TABLE mart_conversion; --", "1) UNION SELECT * FROM read_csv('/etc/passwd') --",
    "{{ 7 * 7 }}", "{project_key}", "<script>alert(1)</script>", "../../etc/passwd", "\x00", "\ud7ff\u202e", "",
    "9" * 400, "%", "*", "null", "nan", "-1", "9999-99-99..0000-00-00", "2026-06-31..2026-06-01",
)  # fmt: skip
# Beside the filters, what pages read from their address.
_OTHERS = ("period", "compare", "view", "by", "of", "id", "metric", "table", "feature", "q", "model", "x")


def test_no_address_breaks_a_question_or_widens_it(use) -> None:
    use(sample_installation())
    plain = values_of(drawn(lang="en"))
    assert plain
    names = (*FILTERS, *_OTHERS)
    # Every parameter holds another harm in each round.
    for turn in range(0, len(HARM), 4):
        address = {name: HARM[(place + turn) % len(HARM)] for place, name in enumerate(names)}
        assert values_of(drawn(lang="en", **address)) == plain, address
    # Each parameter several times, the first of them one that is there (HTTP parameter pollution).
    several = {name: ["' OR 1=1 --", "x"] for name in (*FILTERS, "period", "compare")}
    assert values_of(drawn(lang="en", **several)) == plain
    assert "alert(1)</script>" not in drawn(lang="<script>alert(1)</script>", period="all", project="<script>alert(1)")
