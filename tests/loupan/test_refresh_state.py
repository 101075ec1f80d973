"""The history of refreshes: published, refused, stopped and killed."""

from __future__ import annotations

import json

from loupan import refresh_state
from loupan.refresh_lock import refresh_lock
from loupan.refresh_state import (
    RefreshState,
    last_refresh,
    note_cancel,
    read_history,
    read_state,
    settle,
    write_state,
)
from loupan.settings import get_settings


def start(number: int) -> str:
    return f"2026-03-{number:02d}T06:00:00+00:00"


def test_every_refresh_that_has_ended_stays_in_the_history() -> None:
    settings = get_settings()
    assert read_history(settings) == []
    for number, outcome in ((1, "published"), (2, "refused"), (3, "error")):
        state = RefreshState(str(number), start(number))
        write_state(settings, state)
        assert len(read_history(settings)) == number - 1
        state.outcome = outcome  # type: ignore[assignment]
        state.rows, state.failed_checks = {"lead": number}, ["raw/lead: bad"] * (outcome == "refused")
        write_state(settings, state)
        write_state(settings, state)
    history = read_history(settings)
    assert [(s.refresh_id, s.outcome, s.rows) for s in history] == [
        ("1", "published", {"lead": 1}), ("2", "refused", {"lead": 2}), ("3", "error", {"lead": 3}),
    ]  # fmt: skip
    assert history[1].failed_checks == ["raw/lead: bad"]


def test_who_was_killed_is_written_down_by_the_next() -> None:
    settings = get_settings()
    write_state(settings, RefreshState("killed", start(1)))
    write_state(settings, RefreshState("next", start(2)))
    (killed,) = read_history(settings)
    assert (killed.refresh_id, killed.outcome, killed.error) == ("killed", "error", "the refresh was interrupted")


def test_the_history_does_not_grow_for_ever_and_damage_ends_no_refresh(monkeypatch) -> None:
    settings = get_settings()
    monkeypatch.setattr(refresh_state, "_REMEMBERED", 3)
    monkeypatch.setattr(refresh_state, "_DAYS_REMEMBERED", 2)
    for number in range(1, 8):
        write_state(settings, RefreshState(str(number), start(number), "published"))
        write_state(settings, RefreshState(f"later {number}", start(number), "published"))
        write_state(settings, RefreshState(f"refused {number}", start(number), "refused"))
    kept = ["later 5", "later 6", "7", "later 7", "refused 7"]
    assert [state.refresh_id for state in read_history(settings)] == kept
    (settings.data_dir / "refresh_history.json").write_text("[{")
    assert read_history(settings) == []
    write_state(settings, RefreshState("6", start(6), "refused"))
    assert [state.refresh_id for state in read_history(settings)] == ["6"]


def test_snapshots_from_before_there_was_a_history_count() -> None:
    settings = get_settings()
    folder = settings.snapshots_dir / "20260301T070000000000Z"
    folder.mkdir(parents=True)
    report = {"started_at": start(1), "rows": {"lead": 5}, "quarantined": {"lead": 1}, "as_of": start(1)}
    (folder / "report.json").write_text(json.dumps(report))
    (settings.snapshots_dir / "20260302T070000000000Z").mkdir()
    write_state(settings, RefreshState("new", start(3), "published", version="20260303T070000000000Z"))
    assert [(s.started_at, s.outcome, s.rows, s.quarantined) for s in read_history(settings)] == [
        (start(1), "published", {"lead": 5}, {"lead": 1}), (start(3), "published", {}, {}),
    ]  # fmt: skip


def test_an_interrupted_refresh_is_told_from_a_running_and_a_cancelled_one(settings):
    write_state(settings, RefreshState("a", start(1)))
    with refresh_lock(settings.data_dir):
        pass
    assert last_refresh(settings).outcome == "error"
    assert last_refresh(settings).error == refresh_state.INTERRUPTED
    note_cancel(settings, "a", "E00001 Li")
    assert (last_refresh(settings).outcome, last_refresh(settings).error) == ("cancelled", "cancelled by E00001 Li")
    assert read_state(settings).outcome == "running"
    settle(settings)
    assert read_state(settings).outcome == "cancelled"
    assert [state.outcome for state in read_history(settings)] == ["cancelled"]
    # Another one that stops by itself was not cancelled by anybody.
    write_state(settings, RefreshState("b", start(2)))
    assert last_refresh(settings).error == refresh_state.INTERRUPTED
