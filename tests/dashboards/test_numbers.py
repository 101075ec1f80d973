"""Every number that a page of figures shows is the one that ``loupan metrics query`` gives."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.export.exhibit import Exhibit
from dashboards.menu import DASHBOARDS
from dashboards.names import names_of
from dashboards.seat import stand_in
from data_entry.access import SYSTEM
from loupan.formats import is_missing
from loupan.metrics import Metrics, open_current
from loupan.ui.drawing import MONTHS, WORDS
from tests.dashboards import page_script
from tests.support.installation import sample_installation

pytestmark = pytest.mark.slow

# What a page can be asked for beside what it shows by itself.
CHOICES = {
    "complaints": [{"rate": "follow_up_satisfaction"}],
    "sales": [{"cut": "employee"}, {"cut": "customer_class", "measure": "contracts"}, {"cut": "source"}],
    "campaign-return": [{"model": "first", "by": "market_type"}, {"by": "plan", "effect": "attributed_amount"}],
    "conversion": [{"cut": "employee"}, {"cut": "age_band", "window": "90"}],
    "property-fees": [{"by": "project"}],
    "customer-structure": [{"about": "income_band"}],
    "explore": [
        {"m": ["leads", "conversion_rate"], "by": ["source"], "w.gender": ["female"]},
        {"m": ["contract_amount"], "by": ["month"]},
    ],
}
# Numbers compared at least; pages of tables about the data have none.
LEAST = {"overview": 50, "sales": 100, "customer-structure": 20, "conversion": 300, "complaints": 100, "staff": 20}
LEAST |= {"campaign-return": 100, "property-fees": 30, "explore": 30, "completeness": 30}
PAGES = {page.path: page for pages in DASHBOARDS.values() for page in pages}


def exhibits_of(path: str, choices: dict[str, str]) -> list[Exhibit]:
    run = AppTest.from_file(page_script.__file__, default_timeout=120)
    for name, value in {"page": path, "lang": "en", **choices}.items():
        run.query_params[name] = value
    with stand_in(SYSTEM):
        run.run()
    assert not run.exception
    return [*run.session_state["lp_shown"].values()] if "lp_shown" in run.session_state else []


def asked(metrics: Metrics, exhibit: Exhibit, metric: str, dimension: str) -> dict[str, float | None]:
    """Ask the gateway itself, by the words that the exhibit shows for the dimension's values."""
    view, is_state = exhibit.view, exhibit.view.is_state(metric)
    has = {known.name for known in metrics.dimensions(metric)}
    where = {name: [*values] for name, values in view.where if name in has}
    days = {} if is_state else {"start": view.period.start, "end": view.period.end}
    rows = metrics.records([metric], [dimension], where, **days)
    write = str if dimension == "month" else names_of(view, dimension)
    return {write(row[dimension]): None if row[metric] is None else float(row[metric]) for row in rows}


@pytest.mark.parametrize("path", list(PAGES))
def test_what_is_shown_is_what_the_gateway_answers(path: str, use) -> None:
    use(sample_installation())
    metrics, compared = open_current(), 0
    for choices in ({}, *CHOICES.get(path, [])):
        for exhibit in exhibits_of(path, choices):
            drawing = exhibit.drawing
            heads, *others = drawing.columns or [None]
            if heads is None:
                continue
            names = [*(known.name for known in metrics.dimensions()), "employee"]
            titles = {exhibit.view.title(name): name for name in names}
            dimension = "month" if heads.unit == MONTHS else drawing.dimension or titles.get(heads.title, "")
            if not dimension or heads.unit not in (WORDS, MONTHS):
                continue
            for column in others:
                has = {known.name for known in metrics.dimensions(column.metric)} if column.metric else set()
                # A feature is asked for by its name as well, which only the page knows.
                is_cut_again = column.title != exhibit.view.label(column.metric)
                if dimension not in has or dimension == "feature_value" or is_cut_again:
                    continue
                wanted = asked(metrics, exhibit, column.metric, dimension)
                for name, value in zip(heads.values, column.values, strict=True):
                    # Several summed up, and months in which nothing happened, are no row of the answer.
                    if name in wanted:
                        # What is cancelled hangs below the axis.
                        number = None if wanted[name] is None else abs(wanted[name])
                        shown = None if is_missing(value) else pytest.approx(abs(value))
                        # Where no expense is recorded, that does not make what it brought free.
                        if shown is None and number == 0:
                            continue
                        assert number == shown, (choices, exhibit.title, column.title, name)
                        compared += 1
    assert compared >= LEAST.get(path, 0)
