"""``loupan sample``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from data_entry.database import create_engine_for, create_schema, head_version, schema_version
from loupan.settings import get_settings
from sample_data.errors import CrmNotEmpty, SampleArgumentError
from sample_data.generator import TRUTHS_FILE
from sample_data.sample_command import app


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def crm_in_data_dir() -> None:
    create_schema(create_engine_for(get_settings().crm_database_url))


@pytest.mark.usefixtures("crm_in_data_dir")
def test_fills_the_crm_once() -> None:
    said = run("--scale", "0.01", "--as-of", "2026-06-30")
    assert "400 leads" in said
    truths = json.loads((get_settings().data_dir / TRUTHS_FILE).read_text(encoding="utf-8"))
    assert truths["made_with"]["as_of"] == "2026-06-30"
    with pytest.raises(CrmNotEmpty):
        run("--scale", "0.01", "--as-of", "2026-06-30")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scale", "0.001"), "0.01 to 1000"),
        (("--scale", "nan"), "0.01 to 1000"),
        (("--as-of", "30.6.2026"), "YYYY-MM-DD"),
        (("--as-of", "9999-01-01"), "1995-01-01 to 2060-12-31"),
        (("--seed", "-1"), "0 or more"),
        (("--language", "fr"), "zh or en"),
    ],
)
def test_options_that_cannot_be_used_are_explained(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(SampleArgumentError, match=message):
        run(*arguments)
    assert not get_settings().data_dir.exists()


def test_the_schema_is_made_where_there_is_none() -> None:
    run("--scale", "0.01", "--as-of", "2026-06-30")
    assert schema_version(create_engine_for(get_settings().crm_database_url)) == head_version()
