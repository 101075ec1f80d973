"""Who watches a refresh from another process sees its steps and its log, and only those of this refresh."""

from __future__ import annotations

import pytest

from loupan import refresh_progress
from loupan.refresh_progress import (
    RefreshProgress,
    StepProgress,
    log_path,
    logs_dir,
    read_log,
    read_progress,
    write_log,
    write_progress,
)
from loupan.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path)


def test_progress_is_of_one_refresh(settings):
    assert read_progress(settings, "a") is None
    progress = RefreshProgress("a", [StepProgress("Loading the CRM", "2026-03-01T00:00:00+00:00", done=3, total=45)])
    write_progress(settings, progress)
    assert read_progress(settings, "a") == progress
    assert read_progress(settings, "b") is None
    (settings.data_dir / "refresh_progress.json").write_text("{half")
    assert read_progress(settings, "a") is None


def test_a_log_has_a_line_for_each_entry_and_old_logs_go(settings, monkeypatch):
    write_log(settings, "a", ["Loading the CRM", "lead:\nforged line"])
    lines = read_log(settings, "a").splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["Loading the CRM", "lead: forged line"]
    assert read_log(settings, "b") == ""
    monkeypatch.setattr(refresh_progress, "LOGS_KEPT", 3)
    for number in range(6):
        write_log(settings, f"run-{number}", ["x"])
    assert len(list(logs_dir(settings).glob("*.log"))) == 3
    assert read_log(settings, "run-5")


@pytest.mark.parametrize("name", ["../last_refresh", "a/b", "", "x" * 65, "a\x00b"])
def test_a_log_lies_in_its_folder(settings, name):
    with pytest.raises(ValueError, match="no name of a refresh"):
        log_path(settings, name)
    assert read_log(settings, name) == ""
