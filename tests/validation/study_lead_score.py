"""Lead scoring: chances come true, come near to the best there could be, beat the baseline; and nothing from "
"nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from pipelines.mining.models import lead_score
from pipelines.mining.models.lead_score import MOMENTS, STEP_DAYS, evaluate, judged
from tests.validation.result import Result, coverage

_LEADS = 2_400
# Moments at which each lead is seen.
_SEEN = 3
_METHOD = "Lead scoring"
_LAST = pd.Timestamp("2026-05-01")
MOMENTS_OF_STUDY = [_LAST - pd.Timedelta(days=STEP_DAYS * k) for k in range(MOMENTS)]


def simulated(seed: int) -> tuple[pd.DataFrame, list[pd.Timestamp]]:
    """Return leads at past moments as `lead_score.states` does, with the planted chance in ``truth``."""
    random = np.random.default_rng(seed)
    lead = np.repeat(np.arange(_LEADS), _SEEN)
    first = random.integers(0, MOMENTS - _SEEN + 1, _LEADS)
    number = first[lead] + np.tile(np.arange(_SEEN), _LEADS)
    n = len(lead)
    source, project = random.integers(0, 12, _LEADS)[lead], random.integers(0, 6, _LEADS)[lead]
    intent = random.choice(5, _LEADS, p=[0.1, 0.26, 0.32, 0.2, 0.12])[lead]
    age = random.exponential(40, _LEADS)[lead] + STEP_DAYS * np.tile(np.arange(_SEEN), _LEADS)
    quiet = np.minimum(random.exponential(20, n), age)
    visits = random.poisson(0.5, n)
    since_visit = np.where(visits > 0, np.minimum(quiet + random.exponential(10, n), age), np.nan)
    is_booked = random.random(n) < 0.03
    since_booking = np.where(is_booked, random.exponential(12, n), np.nan)
    event = random.random(_LEADS)[lead] < 0.2
    # Effects of the same size as the sample company's; the shapes of age and silence are not the model's own.
    truth = special.expit(
        -3.0
        + np.array([0.1, 0, -0.75, -0.3, -0.5, -0.6, -0.35, 0.35, 0.8, 0.6, 0.5, -0.3])[source]
        + np.linspace(-0.3, 0.3, 6)[project]
        + np.array([1.1, 0.4, -0.2, -0.9, 0.0])[intent]
        + 1.2 * np.exp(-age / 30)
        - 0.9 * np.sqrt(quiet / 30)
        + 0.8 * (visits > 0)
        + 0.2 * np.minimum(visits, 3)
        + 2.0 * is_booked
        + 0.4 * event
    )
    frame = pd.DataFrame(
        {
            "moment": [MOMENTS_OF_STUDY[MOMENTS - 1 - k] for k in number],
            "lead_id": lead, "project": [f"p{k}" for k in project], "source": [f"s{k}" for k in source],
            "intent_level": np.array(["A", "B", "C", "D", None], object)[intent],
            "customer_class": np.array(["x", "y"], object)[random.integers(0, 2, _LEADS)[lead]],
            "days_open": age, "days_quiet": quiet, "days_since_visit": since_visit, "visits": visits,
            "visits_in_vain": random.poisson(0.1, n), "calls": random.poisson(1.3, n),
            "calls_in_vain": random.poisson(0.6, n),
            "booking": np.where(is_booked, "booking", None), "days_since_booking": since_booking,
            "asked_again": random.poisson(0.1, n), "was_lost": random.random(n) < 0.05,
            "is_qualified": (visits > 0) & (random.random(n) < 0.6),
            **{f"met_{m}": event if m == "event" else random.random(n) < 0.1 for m in lead_score.MARKET_TYPES},
            "signed": random.random(n) < truth, "truth": truth,
        }
    )  # fmt: skip
    return frame.sort_values(["moment", "lead_id"], ignore_index=True), MOMENTS_OF_STUDY


def shuffled(past: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return leads of whom it has nothing to do with them whether they signed."""
    random = np.random.default_rng([seed, 1])
    # Whole leads, so that what comes of a lead at several moments still belongs together.
    other = random.permutation(past["lead_id"].max() + 1)
    came = past.groupby("lead_id")["signed"].mean()
    chance = past["lead_id"].map(pd.Series(came.to_numpy()[other], came.index))
    return past.assign(signed=random.random(len(past)) < chance, truth=float(past["signed"].mean()))


def study(seeds: int) -> list[Result]:
    """Score simulated companies, and such whose outcomes were shuffled."""
    slopes, ratios, gaps, better, gains = [], [], [], 0, []
    hits, false_praise = 0, 0
    for seed in range(seeds):
        past, moments = simulated(seed)
        tested, _ = evaluate(past, moments)
        lines, _, values = judged(tested)
        auc, *_, ratio, slope = lines
        slopes.append(slope.model)
        ratios.append(ratio.model)
        oracle = lead_score.Scored.of(tested["signed"], past.loc[tested.index, "truth"]).auc()
        gaps.append(oracle - (auc.model or 0))
        gains.append((auc.model or 0) - (auc.baseline or 0))
        better += bool(values["is_better"])
        nothing, _ = evaluate(shuffled(past, seed), moments)
        lines, _, values = judged(nothing)
        low, high = lines[0].low, lines[0].high
        hits += low is not None and high is not None and low <= 0.5 <= high
        false_praise += bool(values["is_better"])
    slope, ratio = float(np.mean(slopes)), float(np.mean(ratios))
    # As far as so few seeds can tell.
    slack, more = (3 * float(np.std(found) / np.sqrt(seeds)) for found in (slopes, ratios))
    return [
        Result(_METHOD, "Calibration slope on later leads", "1 (±0.1)", f"{slope:.3f}", abs(slope - 1) <= 0.1 + slack),
        Result(_METHOD, "Signed ÷ promised on later leads", "1 (±0.03)", f"{ratio:.3f}", abs(ratio - 1) <= 0.03 + more),
        Result(
            _METHOD, "AUC below that of the planted chances", "at most 0.03", f"{np.mean(gaps):.3f}",
            bool(np.mean(gaps) <= 0.03),
        ),
        Result(
            _METHOD, "Says that it beats age and intention, where it does", "at least 90%",
            f"{better / seeds:.1%} (AUC {np.mean(gains):+.3f})", better / seeds >= 0.9 - 0.9 / np.sqrt(seeds),
        ),
        coverage(_METHOD, "Interval of the AUC holds 0.5 where outcomes are shuffled", hits, seeds, slack=0.02),
        Result(
            _METHOD, "Says that it beats the baseline, where outcomes are shuffled", "at most 2.5%",
            f"{false_praise / seeds:.1%}", false_praise / seeds <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / seeds),
        ),
    ]  # fmt: skip
