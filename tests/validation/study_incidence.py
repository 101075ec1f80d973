"""Shares that sign by a day, of leads that are partly too young to tell: do the bands hold what is planted?

The truth is that of the superpopulation: the same leads, with their sources, owners and dates of entry, drawn anew many
times. Two ends of the history are looked at, so that the course of the seasons is not the same.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from loupan.statistics.incidence import Course, Estimate, Incidence, continued, course_of
from loupan.statistics.intervals import ENOUGH, Floats
from sample_data.company import Company
from sample_data.journey import Journeys, draw_journeys
from sample_data.rows import Ids
from sample_data.truths import Truths
from sample_data.world import World
from tests.validation.company import make_company
from tests.validation.result import Result, coverage

SCALE = 0.3
REDRAWN = 30
HORIZONS = (30, 90, 180)
YOUNG, YEAR, BEFORE = 60, 365, 730
# Days by which the history ends earlier.
ENDS = (0, 200)
_DAY = np.timedelta64(86_400, "s")
_METHOD, _NAIVE = "Cumulative incidence (Aalen–Johansen)", "Rate to date"
_CHAINED = "Cumulative incidence continued by older leads' risks"


@dataclass
class _Found:
    """What the seeds gave for one question: how often the band held the truth, and by how much the share was off."""

    hits: list[bool] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)

    def add(self, found: Estimate, truth: float) -> None:
        if found.is_known:
            self.hits.append(found.low <= truth <= found.high)
            self.add_share(found.share, truth)

    def add_share(self, share: float, truth: float) -> None:
        self.errors.append(100 * (share - truth))
        self.truths.append(100 * truth)


def study(seeds: int) -> list[Result]:
    """Return how the estimates of young and of all leads compare with the truth over that many companies."""
    found: dict[tuple[str, int], _Found] = defaultdict(_Found)
    for seed in range(seeds):
        company = make_company(seed, SCALE)
        planted = _days_to_contract_anew(company, seed)
        for earlier in ENDS:
            _compare(found, company, planted, earlier)
    lines = []
    for horizon in HORIZONS:
        lines += _lines(_METHOD, f"a year's leads, signed by day {horizon}", found["year", horizon], seeds)
    lines += _lines(_METHOD, "each source with 30 leads or more, by day 90", found["source", 90], seeds, 0.02)
    for horizon in (90, 180):
        lines += _lines(_CHAINED, f"leads of the last {YOUNG} days, by day {horizon}", found["young", horizon], seeds)
    naive = found["naive", 180]
    lines.append(
        Result(
            _NAIVE,
            f"leads of the last {YOUNG} days, against those that sign by day 180: bias",
            "far too low",
            _points(naive),
            np.mean(naive.errors) < -0.2 * np.mean(naive.truths),
        )
    )
    killed = found["kaplan-meier", 180]
    lines.append(
        Result(
            "1 − Kaplan–Meier, losses as if unseen",
            "a year's leads, by day 180: bias",
            "too high, which is why it is not used",
            _points(killed),
            np.mean(killed.errors) > 0.1 * np.mean(killed.truths),
        )
    )
    return lines


def _lines(method: str, question: str, found: _Found, seeds: int, slack: float = 0.01) -> list[Result]:
    """Return coverage and bias; bias may be a twentieth of the truth, beyond what so few seeds leave open."""
    error = np.std(found.errors) / np.sqrt(len(found.errors))
    return [
        coverage(method, f"{question}: 95% band", sum(found.hits), len(found.hits), slack=slack, groups=seeds),
        Result(
            method,
            f"{question}: bias",
            "none",
            _points(found),
            bool(abs(np.mean(found.errors)) <= 0.05 * np.mean(found.truths) + 3 * error),
        ),
    ]


def _points(found: _Found) -> str:
    error = 1.96 * np.std(found.errors) / np.sqrt(len(found.errors))
    return f"{np.mean(found.errors):+.2f} points of {np.mean(found.truths):.1f}% (simulation error ±{error:.2f})"


def _days_to_contract_anew(company: Company, seed: int) -> Floats:
    """Return days to contract of each lead (a column) in each of many courses its company might have taken as well."""
    other = copy.copy(company)
    drawn = []
    for turn in range(REDRAWN):
        world = company.world
        other.world = World(1_000_003 * (turn + 1) + seed, world.clock, world.words, Ids(), Truths())
        drawn.append(_days_to_contract(other, draw_journeys(other)))
    return np.array(drawn)


def _days_to_contract(company: Company, journeys: Journeys) -> Floats:
    return np.asarray((journeys.contract_at - company.leads.opened_at[journeys.lead]) / _DAY, dtype=float)


def _compare(found: dict[tuple[str, int], _Found], company: Company, planted: Floats, earlier: int) -> None:
    """Compare what is known some days before the end of the history with the truth."""
    leads = _seen(company, company.world.clock.now - earlier * _DAY)
    with np.errstate(invalid="ignore"):
        truths = {horizon: (planted <= horizon).mean(axis=0) for horizon in HORIZONS}

    def truth(chosen: pd.DataFrame, horizon: int) -> float:
        return float(truths[horizon][chosen.index].mean())

    year = leads[leads["age"] <= YEAR]
    young = leads[leads["age"] <= YOUNG]
    curve, unseen = Incidence(_course(year)), Incidence(_course(year.replace({"outcome": {"lost": "undecided"}})))
    chained = Incidence(continued(_course(young), _course(leads[leads["age"] <= BEFORE])))
    for horizon in HORIZONS:
        found["year", horizon].add(curve.at(horizon), truth(year, horizon))
        found["kaplan-meier", horizon].add(unseen.at(horizon), truth(year, horizon))
        found["young", horizon].add(chained.at(horizon), truth(young, horizon))
        found["naive", horizon].add_share(float((young["outcome"] == "signed").mean()), truth(young, horizon))
    for _, group in year.groupby("source"):
        if len(group) >= ENOUGH:
            found["source", 90].add(Incidence(_course(group)).at(90), truth(group, 90))


def _seen(company: Company, at: np.datetime64) -> pd.DataFrame:
    """Return the leads opened by a moment, as they stood then: source, age, outcome, days as in the mart."""
    lead = company.journeys.lead
    opened = company.leads.opened_at[lead]
    signed_at = company.journeys.contract_at
    events = pd.DataFrame({name: company.batch.rows("lead_event")[name] for name in ("lead_id", "kind", "occurred_at")})
    turns = events[events["kind"].isin(["lost", "reopened"]) & (events["occurred_at"] <= at)]
    last = turns.sort_values("occurred_at", kind="stable").groupby("lead_id").last()
    standing = last.loc[last["kind"] == "lost", "occurred_at"].reindex(company.leads.ids[lead])
    lost_at = standing.to_numpy().astype("datetime64[s]")
    is_signed = signed_at <= at
    ended_at = np.where(is_signed, signed_at, np.where(np.isnat(lost_at), at, lost_at))
    leads = pd.DataFrame(
        {
            "source": company.leads.source[lead],
            "age": (at - opened) / _DAY,
            "outcome": np.where(is_signed, "signed", np.where(np.isnat(lost_at), "undecided", "lost")),
            "days": np.maximum(np.ceil((ended_at - opened) / _DAY), 0),
        }
    )
    return leads[leads["age"] > 0]


def _course(leads: pd.DataFrame) -> Course:
    groups = {outcome: group["days"].to_numpy() for outcome, group in leads.groupby("outcome")}
    days = [groups.get(outcome, np.array([])) for outcome in ("signed", "lost", "undecided")]
    signed, lost, undecided = ((found, np.ones(len(found))) for found in days)
    return course_of(signed, lost, undecided)
