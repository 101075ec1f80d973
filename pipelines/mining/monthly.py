"""Monthly series by project, forecast and back-tested: what the forecasts of sales and of collections share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Evaluation, Field, Marts
from loupan.mining.result import Unit
from loupan.statistics.forecast import (
    BackTest,
    Floats,
    Gain,
    adjusted,
    back_test,
    gain,
    mean_of_last,
    scaled_error,
    seasonal_naive,
    smoothed,
)
from loupan.statistics.forecast import Method as SeriesMethod
from loupan.statistics.intervals import wilson

LEAST_MONTHS, MONTHS_FOR_A_YEAR = 24, 60
SHOWN_MONTHS = 24
LEVELS = (0.8, 0.95)
RECORDED, FORECAST = marked("Recorded"), marked("Forecast")
WHOLE, PARTS = slice(-1, None), slice(0, -1)
# Months of errors behind an interval before it is held against what came.
_ERRORS_TO_TEST = 11
# What the Spring Festival takes from the days around it; more of it, or none, foretold worse in the back-test.
_FESTIVAL_DEPTH = 0.3
NAIVE, MEAN = "seasonal_naive", "mean_of_last"
Method = tuple[str, Callable[[int], Floats]]


def complete_months(first_on: dt.date, as_of_on: dt.date) -> pd.PeriodIndex:
    """Return the months that are recorded from their first to their last day.

    The month of the first record began before it, and the month that is running has not ended.
    """
    last = pd.Period(as_of_on + dt.timedelta(days=1), "M") - 1
    return pd.period_range(pd.Period(first_on, "M") + 1, last, freq="M")


def projects_of(marts: Marts, rows: pd.DataFrame) -> tuple[list[int], list[str]]:
    """Return keys and names of the projects that rows are of, by key."""
    projects = marts.frame("dim_project").sort_values("project_id")
    projects = projects[projects["project_id"].isin(rows["project_id"])]
    return projects["project_id"].tolist(), projects["project_name"].tolist()


def by_project(rows: pd.DataFrame, value: str, projects: Sequence[int], months: pd.PeriodIndex) -> Floats:
    """Return a series for each project and their sum, the months before a project's first record empty.

    Args:
        rows: ``project_id``, ``month`` ("YYYY-MM") and the value, as many rows as there are.
        value: the column.
        projects: the order of the series.
        months: the columns.
    """
    table = rows.pivot_table(index="project_id", columns="month", values=value, aggfunc="sum")
    y = table.reindex(index=list(projects), columns=months.astype(str)).to_numpy(float).copy()
    begun = rows.groupby("project_id")["month"].min()
    for row, project in zip(y, projects, strict=True):
        since = np.asarray(months.astype(str) >= begun.get(project, "9999"))
        row[since] = np.nan_to_num(row[since])
    return np.vstack([y, np.nansum(y, axis=0)])


def horizon_of(months: pd.PeriodIndex) -> int:
    """Return how many months ahead the history carries.

    Raises:
        Abstain: if it carries none.
    """
    if len(months) < LEAST_MONTHS:
        raise Abstain(
            marked("A forecast needs {least} complete months; there are {months}."),
            least=LEAST_MONTHS,
            months=len(months),
        )
    return 12 if len(months) >= MONTHS_FOR_A_YEAR else 6


def usual_methods(y: Floats, months: pd.PeriodIndex, horizon: int) -> list[Method]:
    """Return what is tried on a monthly series, the two baselines first."""
    every = pd.period_range(months[0], periods=len(months) + horizon, freq="M")
    calendar = adjusted(smoothed, [(month.year, month.month) for month in every], _FESTIVAL_DEPTH)
    single: dict[str, SeriesMethod] = {
        NAIVE: seasonal_naive,
        MEAN: mean_of_last,
        "smoothing": smoothed,
        "trend": lambda known, ahead: smoothed(known, ahead, trend=True),
        "calendar": calendar,
    }

    def combined(known: Floats, ahead: int) -> Floats:
        return np.mean([method(known, ahead) for method in single.values()], axis=0)

    def at(method: SeriesMethod) -> Callable[[int], Floats]:
        return lambda known: method(y[:, :known], horizon)

    return [(name, at(method)) for name, method in (*single.items(), ("combined", combined))]


@dataclass(frozen=True)
class Forecast:
    """One measure's forecast.

    Attributes:
        y: the recorded series, the sum last.
        months: of its columns.
        tested: its back-test, the present forecast last.
        is_never_negative: whether intervals end at zero.
    """

    y: Floats
    months: pd.PeriodIndex
    tested: BackTest
    is_never_negative: bool

    @property
    def horizon(self) -> int:
        """Months ahead."""
        return int(self.tested.forecasts.shape[2])

    @property
    def ahead(self) -> list[str]:
        """The months ahead, "YYYY-MM"."""
        return [str(month) for month in pd.period_range(self.months[-1] + 1, periods=self.horizon, freq="M")]

    def intervals(self, series: slice, level: float) -> tuple[Floats, Floats]:
        """Return the bounds of the present forecast (series × horizon)."""
        half = self._half(len(self.tested.origins) - 1, series, level)
        return self._bounds(self.tested.forecasts[-1, series], half)

    def _half(self, place: int, series: slice, level: float) -> Floats:
        fitted = self.tested.calibration(place, series)
        return fitted.factor(level) * fitted.growth * self.tested.scale(self.tested.forecasts[place, series])

    def sums(self, series: slice) -> tuple[Floats, Floats, Floats]:
        """Return the sum of all months ahead with its 95 % interval, by series."""
        total = self.tested.forecasts[-1, series].sum(axis=1)
        scale = self.tested.scale(self.tested.forecasts[-1, series])
        half = self.tested.sums_factor(series, LEVELS[1]) * np.sqrt((scale**2).sum(axis=1))
        return total, *self._bounds(total, half)

    def _bounds(self, middle: Floats, half: Floats) -> tuple[Floats, Floats]:
        low = middle - half
        return np.maximum(low, 0.0) if self.is_never_negative else low, middle + half

    def covered(self, series: slice, level: float) -> list[tuple[int, int]]:
        """Return for each number of months ahead how many intervals of the past held what came, and of how many."""
        tested, found = self.tested, np.zeros((self.horizon, 2), int)
        for place, known in enumerate(tested.origins):
            if known < tested.origins[0] + _ERRORS_TO_TEST:
                continue
            error = np.where(tested.is_old[place, series, None], tested.errors[place, series], np.nan)
            held = np.abs(error) <= self._half(place, series, level)
            found += np.stack([(held & np.isfinite(error)).sum(axis=0), np.isfinite(error).sum(axis=0)], axis=1)
        return [(int(held), int(all_)) for held, all_ in found]

    def gain(self, series: slice, baseline: str) -> Gain:
        """Compare the errors of the back-test with a baseline's."""
        scales = self._scales()
        own, other = self.tested.losses(series, scales=scales), self.tested.losses(series, baseline, scales)
        known = np.isfinite(own) & np.isfinite(other)
        return gain(own[known], other[known], self.horizon)

    def mase(self, series: slice, method: str = "") -> float | None:
        """Return the mean absolute scaled error of the back-test, or of one method in it."""
        losses = self.tested.losses(series, method, self._scales())
        return float(np.nanmean(losses)) if np.isfinite(losses).any() else None

    def _scales(self) -> Floats:
        scales = np.array([scaled_error(row) for row in self.y])
        # A series of equal months has no scale of its own, and nothing to be wrong about.
        return np.where(np.isfinite(scales), scales, np.inf)


def make_forecast(
    y: Floats, months: pd.PeriodIndex, horizon: int, unit: float, further: Sequence[Method] = ()
) -> Forecast:
    """Forecast a measure and test how that would have done.

    Args:
        y: the series, the sum last.
        months: of its columns.
        horizon: months ahead.
        unit: size of one event in the units of the measure.
        further: methods beside the usual ones.
    """
    tested = back_test(y, horizon, [*usual_methods(y, months, horizon), *further], unit)
    return Forecast(y, months, tested, bool(np.nanmin(y) >= 0))


def course(forecast: Forecast, name: str) -> pd.DataFrame:
    """Return the whole company's recorded months and its forecast with intervals, as columns led by ``name``."""
    low80, high80 = forecast.intervals(WHOLE, LEVELS[0])
    low95, high95 = forecast.intervals(WHOLE, LEVELS[1])
    past = pd.DataFrame(
        {"month": forecast.months.astype(str)[-SHOWN_MONTHS:], "series": RECORDED, name: forecast.y[-1, -SHOWN_MONTHS:]}
    )
    coming = pd.DataFrame(
        {
            "month": forecast.ahead, "series": FORECAST, name: forecast.tested.forecasts[-1, -1],
            "low80": low80[0], "high80": high80[0], "low95": low95[0], "high95": high95[0],
        }
    )  # fmt: skip
    return pd.concat([past, coming], ignore_index=True)


def course_fields(name: str, label: str, unit: Unit) -> dict[str, Field]:
    """Return how a `course` is shown."""
    return {
        "month": Field(marked("Month"), "month"),
        "series": Field(marked("Series")),
        name: Field(label, unit),
        "low80": Field(marked("80% interval, from"), unit),
        "high80": Field(marked("80% interval, to"), unit),
        "low95": Field(marked("95% interval, from"), unit),
        "high95": Field(marked("95% interval, to"), unit),
    }


def sums_by_project(forecast: Forecast, name: str, projects: Sequence[str]) -> pd.DataFrame:
    """Return what each project is expected to bring in all months ahead together, with a 95 % interval."""
    total, low, high = forecast.sums(PARTS)
    frame = pd.DataFrame({"project": list(projects), name: total, f"{name}_low": low, f"{name}_high": high})
    return frame.sort_values([name, "project"], ascending=[False, True], ignore_index=True)


def months_by_project(forecast: Forecast, name: str, projects: Sequence[str]) -> pd.DataFrame:
    """Return the forecast of each project and month with its intervals."""
    columns: dict[str, Floats] = {name: forecast.tested.forecasts[-1, PARTS]}
    for level in LEVELS:
        low, high = forecast.intervals(PARTS, level)
        columns |= {f"{name}_low{level * 100:.0f}": low, f"{name}_high{level * 100:.0f}": high}
    return pd.DataFrame(
        {
            "project": np.repeat(np.array(projects, object), forecast.horizon),
            "month": np.tile(forecast.ahead, len(projects)),
            **{column: values.ravel() for column, values in columns.items()},
        }
    )


def coverage(forecasts: Sequence[tuple[str, Forecast]]) -> pd.DataFrame:
    """Return how often the intervals of the past held what came, by measure, extent and months ahead."""
    rows = []
    for measure, forecast in forecasts:
        for extent, series in ((marked("Whole company"), WHOLE), (marked("Each project"), PARTS)):
            narrow, wide = (forecast.covered(series, level) for level in LEVELS)
            for step, ((held80, count), (held95, _)) in enumerate(zip(narrow, wide, strict=True), start=1):
                rows.append(
                    {
                        "measure": measure, "extent": extent, "months_ahead": step, "cases": count,
                        "held80": held80 / count if count else None, "held95": held95 / count if count else None,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


METHOD_NAMES = {
    NAIVE: marked("Same month a year before"),
    MEAN: marked("Mean of the last twelve months"),
    "smoothing": marked("Exponential smoothing"),
    "trend": marked("Exponential smoothing with damped trend"),
    "calendar": marked("Exponential smoothing of days outside the Spring Festival"),
    "combined": marked("Mean of these five"),
    "instalments": marked("Instalments due, at the pace paid before, and those of expected contracts"),
}


def methods(forecasts: Sequence[tuple[str, Forecast]]) -> pd.DataFrame:
    """Return how well each method did by itself, and where it is the one taken now, by measure and method."""
    return pd.DataFrame(
        [
            {
                "measure": measure, "method": METHOD_NAMES[method],
                "company": forecast.mase(WHOLE, method), "projects": forecast.mase(PARTS, method),
                "taken": _TAKEN[method == forecast.tested.chosen[-1][1], method == forecast.tested.chosen[-1][0]],
            }
            for measure, forecast in forecasts
            for method in forecast.tested.every
        ]
    )  # fmt: skip


# By whether it is taken for the company and for the projects.
_TAKEN = {
    (True, True): marked("Company and projects"),
    (True, False): marked("Whole company"),
    (False, True): marked("Each project"),
    (False, False): None,
}
METHOD_FIELDS = {
    "measure": Field(marked("Measure")),
    "method": Field(marked("Method")),
    "company": Field(marked("Scaled error, company"), "number"),
    "projects": Field(marked("Scaled error, projects"), "number"),
    "taken": Field(marked("Taken now for")),
}
METHODS_TITLE = marked("Methods tried, by their errors in the past")
METHODS_NOTE = marked(
    "A scaled error of 1 is the usual difference to the same month a year before, in the months learnt from; smaller "
    "is better. How well it does, further down, is worse than the best line here: there the method had to be chosen "
    "before."
)
COVERAGE_TITLE = marked("Did intervals of the past hold what came?")
COVERAGE_NOTE = marked(
    "Held far less often than promised: trust the intervals less. Few past forecasts: the share is rough."
)
COVERAGE_FIELDS = {
    "measure": Field(marked("Measure")),
    "extent": Field(marked("Extent")),
    "months_ahead": Field(marked("Months ahead"), "count"),
    "cases": Field(marked("Past forecasts"), "count"),
    "held80": Field(marked("Held by 80% intervals"), "percent"),
    "held95": Field(marked("Held by 95% intervals"), "percent"),
}


HELD = (
    marked("Months of the company held by 80% intervals; promised 80%"),
    marked("Months of the company held by 95% intervals; promised 95%"),
)


def coverage_lines(forecast: Forecast, names: Sequence[str] = HELD) -> list[Evaluation]:
    """Return how often intervals held the company's months, all months ahead together.

    Args:
        forecast: of one measure.
        names: of the lines, one for each of `LEVELS`.
    """
    lines = []
    for level, measure in zip(LEVELS, names, strict=True):
        held, count = np.sum(forecast.covered(WHOLE, level), axis=0)
        if not count:
            continue
        # Forecasts of one month from several origins are worth about one.
        worth = count / forecast.horizon
        low, high = wilson(held / count * worth, worth)
        lines.append(Evaluation(measure, float(held / count), None, float(low), float(high), "nominal", "percent"))
    return lines


def share_held(forecast: Forecast) -> str:
    """Return, in words, how many of the company's past months 80 % intervals held; a dash if there are none."""
    held, count = np.sum(forecast.covered(WHOLE, LEVELS[0]), axis=0)
    return f"{100 * held / count:.0f}%" if count else "–"


def is_better_for_projects(forecast: Forecast) -> bool:
    """Return whether single projects were foretold with smaller errors than by the mean of twelve months."""
    own, mean = forecast.mase(PARTS), forecast.mase(PARTS, MEAN)
    return own is None or mean is None or own < mean


def error_line(forecast: Forecast, series: slice, baseline: str, measure: str) -> Evaluation:
    """Return the scaled error beside a baseline's."""
    return Evaluation(measure, forecast.mase(series), forecast.mase(series, baseline), better="low")


# By whether the errors are smaller than those of the better baseline: beyond chance, perhaps, not.
def verdict(forecast: Forecast, sure: str, perhaps: str, no_better: str) -> tuple[str, dict[str, str | int | float]]:
    """Return which of three sentences is true of the company's back-test, and what stands in its places."""
    naive, mean = forecast.gain(WHOLE, NAIVE), forecast.gain(WHOLE, MEAN)
    values: dict[str, str | int | float] = {
        "naive": f"{100 * naive.share:.0f}",
        "mean": f"{100 * mean.share:.0f}",
        "naive_ratio": f"{100 * (1 - naive.share):.0f}",
        "mean_ratio": f"{100 * (1 - mean.share):.0f}",
        "origins": int(np.isfinite(forecast.tested.losses(WHOLE)).sum()),
    }
    if naive.is_sure and mean.is_sure:
        return sure, values
    return (perhaps if min(naive.share, mean.share) > 0 else no_better), values
