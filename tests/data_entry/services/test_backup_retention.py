"""Which backups are kept, of many days, and that the newest one known to be whole always is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from data_entry.database import create_engine_for
from data_entry.services import backup
from data_entry.services.backup import shelf
from data_entry.services.backup.retention import Shelved, surplus
from loupan import backups
from loupan.settings import Settings
from tests.support.crm import create_crm

NOW = dt.datetime(2026, 6, 30, 18, tzinfo=dt.UTC)  # 1 July, two in the morning, in Shanghai


def policy(**values: int) -> Settings:
    none = {"keep_backups": 1, "keep_daily_backups": 0, "keep_weekly_backups": 0, "keep_monthly_backups": 0}
    return Settings(data_dir=Path("/nowhere"), backup_max_days=values.pop("backup_max_days", 4000), **(none | values))


def of(*moments: str) -> list[Shelved]:
    made = [Shelved(Path(f"/b/{text}"), dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)) for text in moments]
    return sorted(made, key=lambda each: each.made_at, reverse=True)


def kept(shelved: list[Shelved], settings: Settings, proven: tuple[str, ...] = ()) -> list[str]:
    gone = {path for path, _ in surplus(shelved, settings, NOW, proven)}
    return [each.path.name for each in shelved if each.path not in gone]


def test_of_each_day_the_last_by_the_company_clock() -> None:
    # 17:00 UTC is one o'clock of the next day in Shanghai.
    shelved = of("2026-06-28T03:00", "2026-06-28T17:00", "2026-06-29T03:00", "2026-06-29T15:00", "2026-06-30T17:00")
    assert kept(shelved, policy(keep_daily_backups=3)) == ["2026-06-30T17:00", "2026-06-29T15:00", "2026-06-28T03:00"]


def test_of_each_week_and_month_the_last() -> None:
    days = [dt.date(2026, 6, 30) - dt.timedelta(days=n) for n in range(100)]
    shelved = of(*(f"{day}T02:00" for day in days))
    # ISO weeks end on a Sunday; 28 June is one.
    assert kept(shelved, policy(keep_weekly_backups=3)) == ["2026-06-30T02:00", "2026-06-28T02:00", "2026-06-21T02:00"]
    assert kept(shelved, policy(keep_monthly_backups=3)) == [
        "2026-06-30T02:00", "2026-05-31T02:00", "2026-04-30T02:00",
    ]  # fmt: skip


def test_days_without_a_backup_do_not_count() -> None:
    shelved = of("2026-06-30T02:00", "2026-05-10T02:00", "2026-01-10T02:00")
    assert len(kept(shelved, policy(keep_daily_backups=3))) == 3


def test_what_is_too_old_goes_whatever_is_to_be_kept() -> None:
    shelved = of("2026-06-30T02:00", "2026-06-01T02:00", "2025-06-01T02:00")
    assert kept(shelved, policy(keep_backups=9, backup_max_days=60)) == ["2026-06-30T02:00", "2026-06-01T02:00"]


def test_the_newest_known_to_be_whole_stays_however_old() -> None:
    shelved = of("2026-06-30T02:00", "2026-06-01T02:00", "2025-06-01T02:00", "2025-05-01T02:00")
    proven = ("2025-06-01T02:00", "2025-05-01T02:00")
    assert kept(shelved, policy(backup_max_days=60), proven) == ["2026-06-30T02:00", "2025-06-01T02:00"]


def test_those_made_before_a_restore_are_not_thinned_out_but_end() -> None:
    shelved = of("2026-06-30T02:00", "2026-06-01T02:00", "2025-06-01T02:00")
    safety = [Shelved(each.path, each.made_at, is_safety=True) for each in shelved]
    assert kept(safety, policy(backup_max_days=60)) == ["2026-06-30T02:00", "2026-06-01T02:00"]


@given(
    st.lists(st.integers(0, 400 * 24), min_size=1, max_size=80, unique=True),
    st.tuples(*(st.integers(low, 10) for low in (1, 0, 0, 0))),
    st.integers(1, 300),
    st.data(),
)
def test_the_rules_hold_for_any_shelf(
    hours: list[int], numbers: tuple[int, ...], days: int, data: st.DataObject
) -> None:
    moments = [NOW - dt.timedelta(hours=each) for each in sorted(hours)]
    shelved = [Shelved(Path(f"/b/{n}"), moment) for n, moment in enumerate(moments)]
    names = ("keep_backups", "keep_daily_backups", "keep_weekly_backups", "keep_monthly_backups")
    settings = policy(**dict(zip(names, numbers, strict=True)), backup_max_days=days)
    proven = data.draw(st.sets(st.sampled_from([each.path.name for each in shelved])))
    left = kept(shelved, settings, tuple(proven))
    young = [each.path.name for each in shelved if each.made_at >= NOW - dt.timedelta(days=days)]
    sure = next((each.path.name for each in shelved if each.path.name in proven), None)
    assert sure is None or sure in left
    assert set(young[: numbers[0]]) <= set(left)
    assert set(left) <= {*young, sure}
    assert len(left) <= sum(numbers) + 1
    # What is kept once is kept when asked again.
    assert kept([each for each in shelved if each.path.name in left], settings, tuple(proven)) == left


@pytest.fixture
def crm(tmp_path: Path) -> sa.Engine:
    engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
    create_crm(engine)
    return engine


def test_deletions_are_written_down_and_half_written_files_go(crm: sa.Engine, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", keep_backups=1, keep_daily_backups=0, keep_weekly_backups=0, keep_monthly_backups=0
    )
    first = backup.create(crm, settings)
    (settings.backups_dir / ".loupan-20260101-000000.zip.part").write_bytes(b"half")
    (settings.backups_dir / "notes.txt").write_text("mine", encoding="utf-8")
    second = backup.create(crm, settings)
    assert {path.name for path in settings.backups_dir.iterdir()} == {second.name, ".lock", "notes.txt"}
    history = backups.read_history(settings)
    assert [(each.backup, each.reason) for each in history.deleted] == [(first.name, "beyond those that are kept")]
    assert list(history.backups) == [second.name]


def test_a_whole_one_outlives_later_ones_found_damaged(crm: sa.Engine, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", keep_backups=1, keep_daily_backups=0, keep_weekly_backups=0, keep_monthly_backups=0
    )
    good = backup.create(crm, settings)
    later = [settings.backups_dir / f"loupan-2099010{n}-000000.zip" for n in (1, 2)]
    for path in later:
        path.write_bytes(b"no backup")
        with pytest.raises(backup.BackupError):
            backup.check(settings, path)
    shelf.prune(settings, settings.backups_dir, NOW)
    assert set(shelf.paths(settings.backups_dir)) == {good, later[1]}
