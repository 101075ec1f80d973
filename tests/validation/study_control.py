"""How often control limits cry wolf where nothing changes, and how soon they show a project that worsens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from loupan.statistics.control import (
    BASELINE,
    RUN,
    Kind,
    Limits,
    Refusal,
    Rule,
    individuals,
    proportions,
    rates,
    signals,
)
from loupan.statistics.intervals import ENOUGH, Floats
from sample_data.company import Company
from tests.validation.company import leads_of, make_company
from tests.validation.result import Result

JUDGED = 12
_METHOD = "Control limits"
# With limits known beyond doubt: of independent normal points, and of twelve months with the seven before them.
_POINTS, _SERIES = 0.0027, 0.07
_PER_SEED = 10
_BEFORE = np.arange(BASELINE + JUDGED) < BASELINE
_Course = tuple[Floats, Limits | Refusal]


def study(seeds: int) -> list[Result]:
    """Return what simulated courses and those of sample companies give."""
    rngs = [np.random.default_rng([seed, 5]) for seed in range(seeds)]
    results = [_average_run_length(rngs)]
    for words, make, most_points, most_series in _IN_CONTROL:
        courses = [make(rng) for rng in rngs for _ in range(_PER_SEED)]
        results.append(_false_alarms(words, courses, most_points, most_series))
    results.append(_alike(rngs))
    return [*results, *_companies(seeds)]


def _month_on_month(rng: np.random.Generator) -> Floats:
    return rng.uniform(0.7, 1.3, len(_BEFORE))


def _normal(rng: np.random.Generator) -> _Course:
    values = 100 + 15 * rng.standard_normal(len(_BEFORE))
    return values, individuals(values, _BEFORE)


def _counts(rng: np.random.Generator) -> _Course:
    values = rng.poisson(20, len(_BEFORE)).astype(float)
    return values, individuals(values, _BEFORE, is_count=True)


def _skewed(rng: np.random.Generator) -> _Course:
    values = rng.lognormal(15, 0.3, len(_BEFORE))
    return values, individuals(values, _BEFORE)


def _few(rng: np.random.Generator) -> _Course:
    exposure = 300 * _month_on_month(rng)
    events = rng.poisson(0.01 * exposure)
    return events / exposure, rates(events, exposure, _BEFORE)


def _binomial(rng: np.random.Generator) -> _Course:
    cases = np.round(200 * _month_on_month(rng))
    events = rng.binomial(cases.astype(int), 0.1)
    return events / cases, proportions(events, cases, _BEFORE)


def _dispersed(rng: np.random.Generator) -> _Course:
    """Months of thousands of cases whose true share differs a little from one to the next."""
    cases = np.round(5000 * _month_on_month(rng))
    events = rng.binomial(cases.astype(int), rng.beta(80, 720, len(cases)))
    return events / cases, proportions(events, cases, _BEFORE)


# What is simulated, how, and the share of points beyond limits and of series with any signal that is still as promised.
_IN_CONTROL: tuple[tuple[str, Callable[[np.random.Generator], _Course], float, float], ...] = (
    ("amounts, normal (XmR)", _normal, 0.006, 0.14),
    ("counts of 20 a month (XmR)", _counts, 0.007, 0.16),
    ("amounts, skewed: lognormal, σ 0.3 (XmR)", _skewed, 0.02, 0.25),
    ("rates of 3 events a month (u)", _few, 0.003, 0.12),
    ("shares of 200 cases a month (p)", _binomial, 0.004, 0.12),
    ("shares of 5,000 cases, over-dispersed (p')", _dispersed, 0.006, 0.14),
)


def _judged(course: _Course) -> tuple[int, bool]:
    """Return how many of the judged points lie beyond the limits, and whether there is any signal among them."""
    values, limits = course
    if isinstance(limits, Refusal):
        return 0, False
    found = [signal for signal in signals(values, limits) if signal.end >= len(values) - JUDGED]
    return sum(signal.rule == Rule.BEYOND for signal in found), bool(found)


def _false_alarms(words: str, courses: list[_Course], most_points: float, most_series: float) -> Result:
    judged = [_judged(course) for course in courses]
    points, series = sum(p for p, _ in judged) / JUDGED / len(judged), float(np.mean([any_ for _, any_ in judged]))
    error = 3 * np.sqrt(most_series / len(judged))
    return Result(
        _METHOD,
        f"False alarms in twelve months after 24 in which nothing changes: {words}",
        f"points beyond {_POINTS:.2%}, series with a signal {_SERIES:.0%} were limits known; from 24 months at most "
        f"{most_points:.1%} and {most_series:.0%}",
        f"{points:.2%} and {series:.1%} of {len(judged):,} series",
        points <= most_points + error / JUDGED and series <= most_series + error,
    )


def _average_run_length(rngs: list[np.random.Generator]) -> Result:
    """Of points judged by limits that are known."""
    length, ends = 1500, []
    sure = np.full(length, 3.0)
    limits = Limits(Kind.INDIVIDUALS, 0.0, sure / 3, -sure, sure, length, 1.0, 0.0, False, False)
    for rng in rngs:
        found = signals(rng.standard_normal(length), limits)
        first = min((s.start + RUN - 1 if s.rule == Rule.RUN else s.start for s in found), default=length)
        ends.append(first + 1)
    mean, error = float(np.mean(ends)), float(np.std(ends)) / np.sqrt(len(ends))
    return Result(
        _METHOD,
        "Points up to the first false alarm, of one beyond the limits or eight in a row, limits known",
        "152.7 (Champ and Woodall 1987)",
        f"{mean:.0f} ± {1.96 * error:.0f}",
        abs(mean - 152.73) < 3 * error,
    )


def _alike(rngs: list[np.random.Generator]) -> Result:
    """Of months that take after the one before, with and without the allowance for it."""
    shares = []
    for is_allowed in (True, False):
        alarms = []
        # The same courses both times.
        for rng in [np.random.default_rng([seed, 6]) for seed in range(len(rngs))]:
            for _ in range(_PER_SEED):
                values = np.zeros(60 + len(_BEFORE))
                for t in range(1, len(values)):
                    values[t] = 0.7 * values[t - 1] + rng.standard_normal()
                course = values[60:]
                limits = individuals(course, _BEFORE)
                if not is_allowed and isinstance(limits, Limits):
                    half = 3 * limits.sigma
                    limits = replace(
                        limits, lower=limits.centre - half, upper=limits.centre + half, is_correlated=False
                    )
                alarms.append(_judged((course, limits))[1])
        shares.append(float(np.mean(alarms)))
    allowed, plain = shares
    return Result(
        _METHOD,
        "Series with a signal where nothing changes but each month takes after the one before (correlation 0.7)",
        "far fewer with the allowance for it than without",
        f"{allowed:.0%} with it, {plain:.0%} without",
        allowed < 0.75 * plain,
    )


def _companies(seeds: int) -> list[Result]:
    """Of sample companies, of whose projects one worsens over the last twelve months."""
    in_all, in_sales, conversions = _Found(), _Found(), []
    for seed in range(1, seeds + 1):
        company = make_company(seed, 1.0)
        worsening = company.world.truths.parameters["worsening_project"]["project"]
        in_all.add(complaints_by_month(company), worsening)
        in_sales.add(sales_complaints_by_month(company), worsening)
        conversions += _conversions(company)
    return [
        Result(
            _METHOD,
            "Sample company, complaints per 100 customer-months by project (u, u'): signals upwards in the year "
            "in which one worsens threefold, by steps",
            "in that project in at least 90% of companies; others change as well, when their owners move in",
            str(in_all),
            in_all.power >= 0.9,
        ),
        Result(
            _METHOD,
            "The same of complaints in the sales phase per lead and day of work, which of others do not change",
            "in that project in at least 80% of companies, in others in no more than 12%",
            str(in_sales),
            in_sales.power >= 0.8 and float(np.mean(in_sales.others)) <= 0.12,
        ),
        _false_alarms(
            "share of a project's leads that ever sign, in sample companies (p, p')", conversions, 0.006, 0.14
        ),
    ]


class _Found:
    """Whether signals upwards were found in projects, and after how many months in the one that worsens."""

    def __init__(self) -> None:
        self.shown: list[bool] = []
        self.months: list[int] = []
        self.others: list[bool] = []

    def add(self, data: pd.DataFrame, worsening: str) -> None:
        for project, part in data.groupby("project"):
            limits = rates(part["complaints"], part["exposure"], _BEFORE)
            if isinstance(limits, Refusal):
                continue
            course = (part["complaints"] / part["exposure"]).to_numpy()
            found = [s for s in signals(course, limits) if s.end >= BASELINE and s.is_high]
            if project != worsening:
                self.others.append(bool(found))
                continue
            self.shown.append(bool(found))
            ends = [max(s.start + RUN - 1 if s.rule == Rule.RUN else s.start, BASELINE) for s in found]
            self.months += [min(ends) + 1 - BASELINE] if ends else []

    @property
    def power(self) -> float:
        return float(np.mean(self.shown))

    def __str__(self) -> str:
        return (
            f"{self.power:.0%} of {len(self.shown)} companies, at the median in month {np.median(self.months):.0f} of "
            f"{JUDGED}; {np.mean(self.others):.0%} of {len(self.others):,} other projects"
        )


def complaints_by_month(company: Company) -> pd.DataFrame:
    """Return complaints and customer-months (``exposure``) of each project and month: 36, the last cut by a day.

    Every master complaint counts; a lead runs from its opening to its loss, else to the end, as in the marts.
    """
    leads, clock = company.leads, company.world.clock
    events = company.batch.rows("lead_event")
    is_end = np.isin(events["kind"], ["lost", "reopened"])
    ends = pd.DataFrame({name: events[name][is_end] for name in ("lead_id", "kind", "occurred_at")})
    last = ends.sort_values("occurred_at", kind="stable").groupby("lead_id").last()
    lost_at = last[last["kind"] == "lost"]["occurred_at"].reindex(leads.ids).to_numpy(dtype="datetime64[s]")
    opened = leads.opened_at.astype("datetime64[M]")
    until = np.where(np.isnat(lost_at), clock.now, lost_at).astype("datetime64[M]")
    return _by_month(
        company,
        company.demands.duplicate_of < 0,
        lambda project, month: (leads.is_head & (leads.estate == project) & (opened <= month) & (until >= month)).sum(),
    )


def sales_complaints_by_month(company: Company) -> pd.DataFrame:
    """Return complaints of the sales phase, and lead-days (``exposure``), of each project and month.

    A lead counts for each day of the month on which it is worked on: so the generator draws them.
    """
    leads, now = company.leads, company.world.clock.now
    last = np.minimum(company.worked_until + np.timedelta64(20, "D"), now - 1)
    last = np.maximum(last, leads.opened_at + 1)

    def exposure(project: int, month: np.datetime64) -> float:
        begins, ends = (moment.astype("datetime64[s]") for moment in (month, month + 1))
        within = (np.minimum(last, ends) - np.maximum(leads.opened_at, begins)).astype(float)
        return float(np.clip(within, 0, None)[leads.estate == project].sum()) / 86_400

    return _by_month(company, ~company.demands.is_property & (company.demands.promise < 0), exposure)


def _by_month(company: Company, counts: Floats, exposure: Callable[[int, np.datetime64], float]) -> pd.DataFrame:
    demands, today = company.demands, np.datetime64(company.world.clock.today, "M")
    about = counts & (company.master.categories.kind[demands.category] == "complaint")
    received = demands.received_at.astype("datetime64[M]")
    found = pd.DataFrame(
        [
            (name, (about & (demands.estate == place) & (received == month)).sum(), exposure(place, month))
            for place, name in enumerate(company.estates.names)
            for month in np.arange(today - (BASELINE + JUDGED - 1), today + 1)
        ],
        columns=["project", "complaints", "exposure"],
    )
    # Months before a project opened, and with few customers, do not enter.
    return found.assign(exposure=found["exposure"].where(found["exposure"] >= ENOUGH))


def _conversions(company: Company) -> list[_Course]:
    """Return the share of each project's leads of a month that ever sign: the same in every month but for their mix."""
    leads = leads_of(company)
    month = leads["opened_at"].to_numpy().astype("datetime64[M]")
    last = np.datetime64(company.world.clock.today, "M")
    months = np.arange(last - (BASELINE + JUDGED - 1), last + 1)
    courses = []
    for _, part in leads.groupby("project"):
        own = pd.Series(part["eventually"].to_numpy(float)).groupby(month[part.index])
        signed, cases = (own.agg(how).reindex(months).to_numpy(float) for how in ("sum", "count"))
        cases = np.where(cases >= ENOUGH, cases, np.nan)
        courses.append((signed / cases, proportions(signed, cases, _BEFORE)))
    return courses
