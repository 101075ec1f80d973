"""Whatever is typed into a form: a row, or a message in words; never an error of the program, never half a write."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from data_entry.schema.customer import Feature
from data_entry.schema.lead import Source
from data_entry.schema.marketing import ExpenseCategory, Plan
from tests.data_entry.services.demand_company import company_on

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("form_script.py")
TABLES = ("customer", "lead", "demand", "expense", "fee_type", "unit")
_HOSTILE = st.sampled_from(
    ["", " ", "0", "-1", "1", "1e999", "-0.00", "１２３", "1,234.5", "¥120万", "NaN", "2026-02-29", "a@b.cn", "a@b",
     "13800001234", "\x00", "x\x00y", "\u202e", "🏠" * 60, "x" * 100_001, "9" * 400, "'; DROP TABLE customer; --",
     "{count}", "%s", "<script>alert(1)</script>", "**x** [y](z)", ":red[x]", "$x$", "../../etc/passwd"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)  # fmt: skip
# Which option of a list, counted round.
_PLACE = st.integers(0, 999)
_DAY = st.dates(dt.date(2024, 1, 1), dt.date(2026, 3, 1))
_MOMENT = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 3, 1))
_NO_DAY = st.sampled_from([None, dt.date(1, 1, 1), dt.date(1899, 12, 31), dt.date(9999, 12, 31)])


def several(values: st.SearchStrategy) -> st.SearchStrategy[list]:
    """As many as the fields of a kind in one form, about; what is drawn must not depend on the form."""
    return st.lists(values, min_size=8, max_size=8)


# Some forms hold nothing hostile of a kind: where all fields do, every form is refused for its first.
TEXTS = several(_HOSTILE) | several(_HOSTILE | st.just("12")) | several(st.just("12")) | several(st.just(""))
PLACES = several(_PLACE) | several(_PLACE | st.none())
DAYS = several(_DAY) | several(_NO_DAY | st.dates())
MOMENTS = several(_MOMENT) | several(st.none() | st.datetimes())


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("forms") / "crm.sqlite"
    with company_on(f"sqlite:///{path}") as company:
        with Session(company.engine) as session:
            session.add_all([Source(name="Fair"), ExpenseCategory(name="Ads")])
            session.add(Plan(name="Spring", start_on=dt.date(2026, 3, 1)))
            for place, kind in enumerate(("text", "number", "date", "boolean"), 1):
                session.add(Feature(entity="customer", name=f"F *{kind}* [", data_type=kind, sequence=place))
            session.commit()
        yield path


@pytest.fixture(scope="module")
def open_form(crm: Path) -> Callable[[str], AppTest]:
    """Open the form of a table, once: each new app looks through all installed packages, which takes a second."""

    @cache
    def open_(table: str) -> AppTest:
        page = AppTest.from_file(str(SCRIPT), default_timeout=60)
        page.query_params["crm"] = f"sqlite:///{crm}"
        page.query_params["table"] = table
        return page.run()

    return open_


def test_what_is_typed_is_kept_or_refused_in_words(crm: Path, open_form: Callable[[str], AppTest]) -> None:
    kept: Counter[str] = Counter()

    @settings(
        max_examples=250,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        table=st.sampled_from(TABLES),
        texts=TEXTS,
        places=PLACES,
        ticks=several(st.booleans()),
        days=DAYS,
        moments=MOMENTS,
    )
    def submit(table: str, texts: list, places: list, ticks: list, days: list, moments: list) -> None:
        page = open_form(table)
        boxes = [box for box in page.selectbox if box.options and not box.disabled]
        for box, place in zip(boxes, cycle(places), strict=False):
            box.set_value(None if place is None else value_of(box, box.options[place % len(box.options)]))
        for fields, values in (
            ([*page.text_input, *page.text_area], texts),
            (page.checkbox, ticks),
            (page.date_input, days),
            (page.datetime_input, moments),
        ):
            for field, value in zip(fields, cycle(values), strict=False):
                field.set_value(value)
        with closing(sqlite3.connect(crm)) as watch:
            version, rows = asked(watch, "PRAGMA data_version"), asked(watch, f"SELECT count(*) FROM {table}")
            page.button(key="save").click().run()
            assert not page.exception, page.exception[0].value
            if page.success:
                assert asked(watch, f"SELECT count(*) FROM {table}") == rows + 1
                assert asked(watch, f"SELECT max(id) FROM {table}") == int(page.success[0].value)
                kept[table] += 1
            else:
                assert page.error[0].value.strip()
                assert asked(watch, "PRAGMA data_version") == version, "something was written all the same"

    submit()
    assert kept.total() > 20, "next to nothing was taken: the inputs no longer fit the forms"


def value_of(box: Selectbox, option: str) -> object:
    """The value behind an option: the key of a row, which are small here, a yes or no, or the word itself."""
    for key in range(60):
        with suppress(AttributeError, KeyError, TypeError):  # the options are words
            if box.format_func(key) == option:
                return bool(key) if option in ("Yes", "No") else key
    return option


def asked(watch: sqlite3.Connection, query: str) -> int:
    return int(watch.execute(query).fetchone()[0])
