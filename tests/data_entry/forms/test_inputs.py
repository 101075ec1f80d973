"""Whatever is typed into a form: a row, or a message in words; never an error of the program, never half a write."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import streamlit as st
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from data_entry import forms
from data_entry.access import SYSTEM
from data_entry.database import create_engine_for, create_schema
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.schema.customer import Feature
from data_entry.services import records
from data_entry.services.work import writing

pytestmark = pytest.mark.slow

TABLES = ("customer", "department", "project", "feature", "plan", "source", "vocabulary_term")
_TYPED = some.sampled_from(
    ["", " ", "0", "-1", "1e999", "１２３", "¥120万", "NaN", "2026-02-29", "a@b.cn", "a@b", "13800001234", "\x00",
     "\u202e", "🏠" * 60, "'; DROP TABLE customer; --", "{count}", "%s", "<b>", "**x** [y](z)", ":red[x]"]
)  # fmt: skip
TEXTS = _TYPED | some.text(some.characters(exclude_categories=["Cs"]), max_size=60)
DAYS = some.none() | some.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))

# What the script of the page draws, which Streamlit runs by its source alone.
STAGE: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def stage(tmp_path_factory: pytest.TempPathFactory):
    engine = create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('forms') / 'crm.sqlite'}")
    create_schema(engine)
    with writing(engine, SYSTEM) as work:
        for place, kind in enumerate(("text", "number", "date", "boolean"), 1):
            work.session.add(Feature(entity="customer", name=f"F *{kind}* [", data_type=kind, sequence=place))
    STAGE["desk"] = Desk(engine, SYSTEM, SYSTEM, "zh", "CNY", ZoneInfo("Asia/Shanghai"))
    yield
    engine.dispose()


def draw() -> None:
    """Draw a form as the dialog of a record does, and what becomes of it."""
    desk, table = STAGE["desk"], STAGE["table"]
    values = forms.fields(desk, table, key="form")
    if not st.button("Save"):
        return
    with forms.showing_errors(desk, table, "form") as outcome, desk.writing() as work:
        values.check()
        STAGE["made"] = records.create(work, table, {k: v for k, v in values.items() if v is not None})
    if outcome.ok:
        st.success("Saved")


def script() -> None:
    from tests.data_entry.forms.test_inputs import draw

    draw()


def count(table: str) -> int:
    with STAGE["desk"].engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(metadata.tables[table]))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=some.data())
def test_what_is_typed_is_kept_or_refused_in_words(data: some.DataObject) -> None:
    STAGE["table"] = table = data.draw(some.sampled_from(TABLES))
    page = AppTest.from_function(script, default_timeout=30).run()
    for field in (*page.text_input, *page.text_area):
        if not field.disabled and data.draw(some.booleans()):
            field.set_value(data.draw(TEXTS))
    for field in page.selectbox:
        if field.options and not field.disabled and data.draw(some.booleans()):
            field.select_index(data.draw(some.integers(0, len(field.options) - 1)))
    for field in page.date_input:
        if data.draw(some.booleans()):
            field.set_value(data.draw(DAYS))
    before = count(table)
    page.button[-1].click()
    page.run()
    assert not page.exception, page.exception[0].value
    if page.success:
        assert count(table) == before + 1
        with writing(STAGE["desk"].engine, SYSTEM) as work:
            assert records.get(work, table, STAGE["made"])
    else:
        assert page.error
        assert page.error[0].value.strip()
        assert count(table) == before
