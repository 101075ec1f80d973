"""Pages drawn without a browser."""

from __future__ import annotations

import re

from streamlit.testing.v1 import AppTest

from dashboards.seat import stand_in
from dashboards.server import SCRIPT
from data_entry.access import SYSTEM, Actor


def run_page(actor: Actor = SYSTEM, **query: str | list[str]) -> AppTest:
    """Run the start page as somebody sees it, with the address's choices."""
    run = AppTest.from_file(str(SCRIPT), default_timeout=120)
    for name, value in query.items():
        run.query_params[name] = value
    with stand_in(actor):
        run.run()
    assert not run.exception
    return run


def drawn(actor: Actor = SYSTEM, **query: str | list[str]) -> str:
    """Return the text of the start page as somebody sees it, with the address's choices."""
    run = run_page(actor, **query)
    return "\n".join(element.value for kind in ("html", "markdown", "subheader", "code") for element in run.get(kind))


def values_of(text: str) -> dict[str, str]:
    """Return key figure → what is written under it."""
    return dict(re.findall(r"data-metric='(\w+)'><p class='lp-value'>([^<]*)</p>", text))
