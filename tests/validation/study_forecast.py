"""Do the intervals of forecasts hold what comes as often as they promise, and does no forecast claim to beat noise?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pipelines.mining import monthly
from tests.validation.company import make_company
from tests.validation.result import Result, coverage

PROJECTS, MONTHS, HORIZON = 6, 36, 6
_METHOD = "Sales forecast"
EXTENTS = (("the whole", monthly.WHOLE), ("each project", monthly.PARTS))


def of_seed(seed: int, length: int) -> pd.PeriodIndex:
    """Return months that begin at another time of the year with each seed."""
    return pd.period_range(pd.Period("2020-01", "M") + seed % 36, periods=length, freq="M")


def simulated(seed: int, *, is_noise: bool) -> np.ndarray:
    """Return monthly contracts of projects and their sum (projects + 1, months + horizon): negative binomial counts.

    With ``is_noise`` every month of a project is drawn alike; else the company's level wanders, autumn is strong, the
    new year weak, and projects rise or sink slowly.
    """
    rng = np.random.default_rng([seed, is_noise])
    length = MONTHS + HORIZON
    level = rng.uniform(6, 25, PROJECTS)[:, None]
    if is_noise:
        mean = np.repeat(level, length, axis=1)
    else:
        months = of_seed(seed, length)
        season = np.array([0.9, 0.8, 1.05, 1, 1.05, 0.95, 0.85, 0.9, 1.3, 1.2, 1.05, 0.95])[months.month - 1]
        market = np.exp(np.cumsum(rng.normal(0, 0.05, length)))
        slope = np.exp(rng.normal(0, 0.008, PROJECTS)[:, None] * np.arange(length))
        mean = level * season * market * slope
    shape = 12.0
    counts = rng.negative_binomial(shape, shape / (shape + mean)).astype(float)
    return np.vstack([counts, counts.sum(axis=0)])


def of_company(seed: int) -> tuple[np.ndarray, pd.PeriodIndex]:
    """Return monthly contracts of the planted company's projects and their sum, complete months only, and the months.

    The history ends at another time of the year with each seed: the seasons and the order of launches are planted
    alike in all companies, and what happens once in all of them would be one trial, not as many as there are seeds.
    """
    as_of = (pd.Period("2021-01", "M") + 7 * seed % 60).to_timestamp().date().replace(day=15)
    company = make_company(seed, 1.0, as_of)
    deals, clock = company.deals, company.world.clock
    index = pd.period_range(pd.Period(str(clock.start)[:7], "M") + 1, pd.Period(as_of, "M") - 1, freq="M")
    first, count = np.datetime64(index[0].start_time, "M"), len(index)
    y = np.zeros((len(company.estates.ids), count))
    signed = deals.is_signed & (deals.previous < 0)
    for moments, sign in ((deals.contract_at, 1), (deals.cancel_at, -1)):
        some = signed & ~np.isnat(moments)
        month = (moments[some].astype("datetime64[M]") - first).astype(int)
        kept = (month >= 0) & (month < count)
        np.add.at(y, (deals.estate[some][kept], month[kept]), sign)
    began = [int(np.flatnonzero(row)[0]) for row in y]
    for row, since in zip(y, began, strict=True):
        row[:since] = np.nan
    return np.vstack([y, np.nansum(y, axis=0)]), index


def tried(y: np.ndarray, index: pd.PeriodIndex) -> monthly.Forecast:
    """Forecast with the months of an index."""
    return monthly.make_forecast(y[:, : len(index)], index, HORIZON, 1.0)


def study(seeds: int) -> list[Result]:
    """Check coverage by months ahead, the claim of beating the baselines, and the error beside theirs."""
    results: list[Result] = []
    claims, gains = 0, {monthly.NAIVE: [], monthly.MEAN: []}
    for is_noise in (False, True):
        held = {(name, level): np.zeros((HORIZON, 2), int) for name, _ in EXTENTS for level in monthly.LEVELS}
        kind = "noise only" if is_noise else "season, wandering level"
        sums = {name: np.zeros(2, int) for name, _ in EXTENTS}
        for seed in range(seeds):
            y = simulated(seed, is_noise=is_noise)
            forecast = tried(y, of_seed(seed, MONTHS))
            _count(held, forecast, y[:, MONTHS:])
            for name, part in EXTENTS:
                _, low, high = forecast.sums(part)
                came = y[part, MONTHS:].sum(axis=1)
                sums[name] += [int(((low <= came) & (came <= high)).sum()), len(came)]
            if is_noise:
                claims += (
                    forecast.gain(monthly.WHOLE, monthly.NAIVE).is_sure
                    and forecast.gain(monthly.WHOLE, monthly.MEAN).is_sure
                )
            else:
                for baseline, found in gains.items():
                    found.append(forecast.gain(monthly.WHOLE, baseline).share)
        results += [
            coverage(_METHOD, f"{kind}, {name}: sum of {HORIZON} months, 95% interval", *counts.tolist(), groups=seeds)
            for name, counts in sums.items()
        ]
        results += _lines(kind, held, seeds)
    results.append(
        Result(
            _METHOD, "Claims to beat both simple rules where all months are alike", "at most 2.5 %",
            f"{claims / seeds:.1%} of {seeds} series",
            claims / seeds <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / seeds),
        )
    )  # fmt: skip
    for baseline, found in gains.items():
        results.append(
            Result(
                _METHOD, f"Errors against {baseline}, season and wandering level", "smaller",
                f"{np.mean(found):.0%} smaller (±{1.96 * np.std(found) / np.sqrt(seeds):.0%})",
                bool(np.mean(found) > 0),
            )
        )  # fmt: skip
    held = {(name, level): np.zeros((HORIZON, 2), int) for name, _ in EXTENTS for level in monthly.LEVELS}
    for seed in range(seeds):
        # The planted histories are too short to keep months back: what past intervals held is counted instead.
        forecast = tried(*of_company(seed))
        for name, level in held:
            held[name, level] += forecast.covered(dict(EXTENTS)[name], level)
    return results + _lines("planted company", held, seeds)


def _count(held, forecast, came) -> None:
    for name, part in EXTENTS:
        for level in monthly.LEVELS:
            low, high = forecast.intervals(part, level)
            inside = (low <= came[part]) & (came[part] <= high)
            held[name, level] += np.stack([inside.sum(axis=0), np.full(HORIZON, len(inside))], axis=1)


def _lines(kind: str, held, seeds: int) -> list[Result]:
    # The errors that calibrate are few and depend on each other: a little less than promised is what the method can do.
    lines = []
    for (name, level), counts in held.items():
        by_step = ", ".join(f"{inside / count:.0%}" for inside, count in counts)
        inside, count = counts.sum(axis=0)
        question = f"{kind}, {name}: {level:.0%} intervals"
        line = coverage(_METHOD, question, int(inside), int(count), level, slack=0.03, groups=seeds)
        lines.append(replace(line, found=f"{line.found}; 1–{HORIZON} months ahead: {by_step}"))
    return lines
