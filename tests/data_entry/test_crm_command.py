"""``loupan crm`` as it is typed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from loupan.settings import get_settings
from tests.conftest import Run


def test_init_and_migrate(run: Run) -> None:
    code, _, err = run("crm", "migrate")
    assert (code, "loupan crm init" in err) == (1, True)
    assert not get_settings().data_dir.exists()
    code, out, _ = run("crm", "init")
    assert (code, "Created the CRM at sqlite:///" in out) == (0, True)
    assert "has its schema already" in run("crm", "init")[1]
    assert "The CRM is at version" in run("crm", "migrate")[1]


@pytest.mark.parametrize("command", [["crm", "init"], ["crm", "migrate"], ["sample", "--scale", "0.01"]])
def test_a_database_of_another_version(run: Run, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "var" / "crm.sqlite"
    run("crm", "init")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0815'")
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert f"{path} was made by another version of Loupan" in err
    assert "0815" in err


@pytest.mark.parametrize("command", [["crm", "init"], ["sample", "--scale", "0.01"]])
def test_a_database_in_memory(run: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setenv("LOUPAN_CRM_URL", "sqlite://")
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert "in memory" in err
