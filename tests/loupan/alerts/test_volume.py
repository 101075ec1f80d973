"""The number of rows against its own history: planted falls and jumps are found, ordinary loads are not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from loupan.alerts.volume import oddities
from loupan.refresh_state import RefreshState

START = dt.datetime(2026, 1, 1, 22, tzinfo=dt.UTC)


def history(added: list[int], *, first: int = 10_000, hours: float = 24, table: str = "lead") -> list[RefreshState]:
    """Published refreshes, each with so many rows more than the one before."""
    states, rows = [], first
    for number, more in enumerate([0, *added]):
        rows += more
        moment = (START + dt.timedelta(hours=hours * number)).isoformat()
        states.append(RefreshState(str(number), moment, "published", moment, moment, rows={table: rows}))
    return states


def days(number: int, mean: float, seed: int = 0) -> list[int]:
    return [int(n) for n in np.random.default_rng(seed).poisson(mean, number)]


def test_ordinary_days_are_silent() -> None:
    assert oddities(history(days(30, 100)), 8) == []


def test_a_day_without_new_rows_is_told() -> None:
    (odd,) = oddities(history([*days(30, 100), 0]), 8)
    assert (odd.table, odd.step, odd.added, odd.steps) == ("lead", "day", 0, 28)
    assert 0 < odd.low < odd.usual < odd.high
    assert odd.usual == pytest.approx(100, abs=10)


def test_rows_that_are_gone_are_told() -> None:
    (odd,) = oddities(history([*days(30, 100), -2_000]), 8)
    assert (odd.added, odd.rows) == (-2_000, odd.rows)
    assert odd.rows < 13_000


def test_a_load_many_times_the_usual_is_told() -> None:
    (odd,) = oddities(history([*days(30, 100), 1_500]), 8)
    assert odd.added == 1_500


def test_a_table_that_gains_a_few_a_day_is_judged_by_the_week() -> None:
    # A day without a row is nothing; a week without one is.
    few = days(70, 5, seed=2)
    assert oddities(history([*few, 0]), 8) == []
    (odd,) = oddities(history([*few, *[0] * 7]), 8)
    assert (odd.step, odd.added) == ("week", 0)
    assert odd.usual == pytest.approx(35, abs=8)


def test_little_history_is_silent() -> None:
    assert oddities([], 8) == []
    assert oddities(history([100] * 7 + [0]), 8) == []
    assert len(oddities(history([100] * 8 + [0]), 8)) == 1


def test_weekends_are_no_falls() -> None:
    weeks = [100, 98, 103, 101, 97, 2, 0] * 6
    for length in range(28, len(weeks)):
        assert oddities(history(weeks[:length]), 8) == [], length


def test_imports_in_bursts_are_no_jumps_until_one_is_larger_than_ever() -> None:
    bursts = [0, 0, 0, 900, 0, 0, 0, 0, 1_200, 0, 0, 700, 0, 0, 0, 0]
    assert oddities(history([*bursts, 1_500]), 8) == []
    (odd,) = oddities(history([*bursts, 5_000]), 8)
    assert odd.added == 5_000


def test_refreshes_every_ten_minutes_are_taken_by_the_day() -> None:
    # 3 rows per refresh, as 432 a day.
    often = [3] * (6 * 24 * 12)
    assert oddities(history(often, hours=1 / 6), 8) == []
    (odd,) = oddities(history([*often, *[0] * (6 * 24)], hours=1 / 6), 8)
    assert odd.added == pytest.approx(0, abs=80)


def test_refreshes_that_were_not_published_do_not_count() -> None:
    states = history([*days(30, 100), 0])
    states[-1].outcome = "refused"
    assert oddities(states, 8) == []


def test_a_new_table_and_one_that_is_gone_are_silent() -> None:
    states = history(days(30, 100))
    states[-1].rows["new"] = 5
    states[-2].rows["gone"] = 5
    assert oddities(states, 8) == []


def test_false_alarms_are_rare() -> None:
    """Of loads that vary by chance alone, with days alike or with weekends, one in hundreds is told."""
    judged = told = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        mean = rng.choice([3, 20, 150]) * (np.where(np.arange(60) % 7 < 5, 1.0, 0.3) if seed % 2 else np.ones(60))
        # Twice as much variance as chance: days are not alike.
        added = [int(n) for n in rng.poisson(mean * rng.gamma(8, 1 / 8, 60))]
        for length in range(20, 60, 4):
            judged += 1
            told += len(oddities(history(added[:length]), 8))
    assert judged == 400
    assert told <= 4
