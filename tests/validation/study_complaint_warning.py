"""The early warning of complaints: does it find the project that worsens, how early, and is it quiet otherwise."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from pipelines.mining.models.complaint_warning import History, alarms, scanned
from tests.validation.result import Result

_METHOD = "Early warning of complaints"
_PROJECTS, _PERIODS = 8, 45
_SHARES = np.array([0.46, 0.20, 0.08, 0.02, 0.16, 0.08])
# Complaints per customer-month by the time since the handover, in months, as the sample company has them about.
_RATES = {0: 0.18, 1: 0.12, 3: 0.07, 6: 0.06}
_LAST_ON = dt.date(2026, 6, 30)
_WORSE, _FINAL, _MONTHS = 1, 3.0, 12


def _owners(rng: np.random.Generator, month: int, is_handing_over: bool) -> np.ndarray:
    """Return owners by time since the handover (the keys of the rates) of a project whose buildings come in turns."""
    settled = 60 + 4 * month
    new = 60 if is_handing_over else 0
    return np.array([new, new, new // 2, settled]) + rng.integers(0, 3, 4)


def _history(rng: np.random.Generator, *, worsens: bool, spread: float = 0.0, hands_over: bool = False) -> History:
    """Draw 45 periods of a company of eight projects; the second worsens over the last twelve months."""
    months, ages = [], []
    totals = np.zeros((_PROJECTS, _PERIODS), dtype=np.int64)
    first = pd.Period(_LAST_ON, "M") - 43
    for project in range(_PROJECTS):
        for number in range(44):
            month_on = (first + number).start_time
            # Half of the projects hand a building over in the last three months.
            there = _owners(rng, number, hands_over and project % 2 == 0 and number >= 41)
            months += [(project, "property", month_on, age, n) for age, n in zip(_RATES, there, strict=True)]
            days = np.arange(month_on.days_in_month)
            back = (pd.Timestamp(_LAST_ON) - month_on).days - days
            mean = there * np.array([*_RATES.values()]) / len(days)
            for age, rate in zip(_RATES, mean, strict=True):
                ago = back / 30.44
                factor = np.ones(len(days))
                if worsens and project == _WORSE:
                    factor += (_FINAL - 1) * np.clip(np.ceil(_MONTHS - ago), 0, _MONTHS) / _MONTHS
                if spread:
                    factor = factor * rng.gamma(1 / spread, spread)
                events = rng.poisson(rate * factor)
                ages += [(age, month_on)] * int(events.sum())
                place = _PERIODS - 1 - back // 28
                np.add.at(totals[project], place[place >= 0], events[place >= 0])
    cells = pd.DataFrame(
        [(p, "property", np.nan if t < 0 else t) for p in range(_PROJECTS) for t in range(-1, len(_SHARES))],
        columns=["project_id", "phase", "category_id"],
    )
    themes = np.moveaxis(rng.multinomial(totals, _SHARES / _SHARES.sum()), 2, 1)
    series = np.concatenate([totals[:, None], themes], axis=1).reshape(-1, _PERIODS).astype(float)
    said = pd.DataFrame(ages, columns=["age", "received_on"]).assign(phase="property")
    table = pd.DataFrame(months, columns=["project_id", "phase", "month_on", "age", "months"])
    return History(cells, series, table, said, _LAST_ON)


def _projects(history: History, origin: int = 0) -> set[int]:
    return set(history.cells["project_id"].to_numpy()[alarms(scanned(history, origin))])


def study(seeds: int) -> list[Result]:
    """Scan companies in which nothing changes, one project worsens, or buildings are handed over."""
    # Waves of a month outlast a period of four weeks: their periods are no longer independent, as the method assumes.
    steady = {
        "chance alone": ({}, 0.10),
        "waves of a month": ({"spread": 0.1}, 0.15),
        "handovers": ({"hands_over": True}, 0.10),
    }
    results = []
    for name, (options, most) in steady.items():
        loud = sum(
            bool(_projects(_history(np.random.default_rng(seed), worsens=False, **options))) for seed in range(seeds)
        )
        error = np.sqrt(most * (1 - most) / seeds)
        results.append(
            Result(
                _METHOD,
                f"Companies in which nothing changes ({name}): scans with any false alarm",
                f"at most {most:.0%}",
                f"{loud / seeds:.1%} (simulation error ±{1.96 * error:.1%})",
                loud / seeds <= most + 3 * error,
            )
        )
    found, shares, first = 0, [], []
    for seed in range(seeds):
        history = _history(np.random.default_rng(seed), worsens=True)
        where = history.cells["project_id"].to_numpy()[alarms(scanned(history))]
        found += _WORSE in where
        shares.append(float((where != _WORSE).mean()) if len(where) else 0.0)
        # Thirteen periods are twelve months: the scan after so many of them is the first that warned.
        warned = next((13 - origin for origin in range(12, -1, -1) if _WORSE in _projects(history, origin)), np.inf)
        first.append(warned * 28 / 30.44)
    false = float(np.mean(shares))
    return [
        *results,
        Result(
            _METHOD,
            "The project whose complaints grow to the threefold in twelve months is warned of at their end",
            "at least 90 % of companies",
            f"{found / seeds:.1%}",
            found / seeds >= 0.9,
        ),
        Result(
            _METHOD,
            "How long after the growth began the first warning comes (median)",
            "before the end of the twelve months",
            f"{np.median(first):.1f} months; within nine months in {np.mean(np.array(first) <= 9):.0%}",
            bool(np.median(first) < 12),
        ),
        Result(
            _METHOD,
            "Share of false ones among the warnings where one project worsens",
            "at most 10 %",
            f"{false:.1%}",
            false <= 0.1 + 3 * float(np.std(shares)) / np.sqrt(seeds),
        ),
    ]
