"""What spending on a channel brings: saturating responses of several channels, learnt from how leads divide among them.

In month t the leads y of all channels divide as a multinomial with log-odds α_c + β_c·s(A/k), where A is the spend
that still works in that month (`carried_over`), k a scale of the channel and s one of two curves (`saturated`). The
number of leads of all channels together is taken as given: whatever moves all channels at once (season, launches,
prices) so says nothing of the spend, and needs no model. Each next amount brings less while β is between 0 and 1.

The fit is Bayesian by Laplace's approximation (Tierney and Kadane 1986, JASA 81:82), averaged over a grid of
carry-over, scale and curve by their evidence. Coefficients are drawn towards a common mean, and that towards 0: without
information there is no effect. Counts that scatter more than chance, or hang together from month to month, weigh less
(quasi-likelihood, Wedderburn 1974; Bartlett 1935 for the serial correlation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

CARRY_OVER = (0.0, 0.3, 0.6)
"""Shares of last month's effect that still work in this one, of which the fit takes the average."""
SCALES = (0.25, 1.0, 4.0)
"""Scales of saturation, in times of a channel's usual spend."""
SPREAD_OF_COEFFICIENTS, SPREAD_OF_MEAN = 0.2, 0.3
"""Prior standard deviations of a channel's β around the common mean, and of that mean around 0. Published elasticities
average 0.12 in the short run and 0.24 in the long (Sethuraman, Tellis and Briesch 2011, J. Marketing Research 48:457);
where spend equals the scale, the elasticity is half of β under both curves."""
CURVES = (False, True)
"""Whether the curve is bounded."""
_STEPS, _ENOUGH_PROGRESS = 50, 1e-9


def carried_over(spend: Floats, share: float) -> Floats:
    """Return the spend at work in each month (geometric adstock, Broadbent 1979, J. Market Research Society 21:295).

    Args:
        spend: months × channels.
        share: of a month's working spend that works in the next month too.

    Returns:
        (1 − share)·spend + share·(that of the month before), of the same shape and, where spend is steady, of the same
        size; the months before the first are taken to be like the first.
    """
    working = np.empty_like(spend, dtype=float)
    for month, row in enumerate(spend):
        working[month] = row if month == 0 else (1 - share) * row + share * working[month - 1]
    return working


def saturated(ratio: Floats, is_bounded: NDArray[np.bool_] | bool) -> Floats:
    """Return s(A/k): log(1 + A/k), a power of the spend, or 2A/(A + k), the curve of Hill (Jin et al. 2017, Google).

    Args:
        ratio: working spend over its scale.
        is_bounded: whether no spend, however large, goes beyond a bound (the second).
    """
    return np.where(is_bounded, 2 * ratio / (1 + ratio), np.log1p(ratio))


@dataclass(frozen=True)
class Response:
    """What was learnt of the channels, as draws from the posterior.

    Attributes:
        coefficients: draws × channels that money is spent on; β.
        scales: draws × the same channels; k in money.
        carry_over: one per draw.
        is_bounded: one per draw; which of the curves of `saturated`.
        leads: leads a month of each of those channels at ``spend``.
        spend: present monthly spend.
        dispersion: variance of the counts over what chance alone gives, at least 1.
    """

    coefficients: Floats
    scales: Floats
    carry_over: Floats
    is_bounded: NDArray[np.bool_]
    leads: Floats
    spend: Floats
    dispersion: float

    def leads_at(self, spend: Floats) -> Floats:
        """Return the leads a month at a steady monthly spend, draws × channels.

        Args:
            spend: one per channel.
        """
        bounded = self.is_bounded[:, None]
        grown = saturated(spend / self.scales, bounded) - saturated(self.spend / self.scales, bounded)
        return np.asarray(self.leads * np.exp(self.coefficients * grown))

    def next_leads(self, spend: Floats) -> Floats:
        """Return the leads a month that each further unit of money brings at a spend, draws × channels."""
        beyond = self.scales + spend
        slope = np.where(self.is_bounded[:, None], 2 * self.scales / beyond**2, 1 / beyond)
        return np.asarray(self.leads_at(spend) * self.coefficients * slope)


@dataclass(frozen=True)
class _Mode:
    """The most probable parameters under one carry-over and scale."""

    parameters: Floats
    covariance: Floats
    evidence: float
    shares: Floats


@dataclass(frozen=True)
class _Place:
    """One place of the grid."""

    share: float
    scale: float
    is_bounded: bool

    def design(self, spend: Floats, usual: Floats) -> Floats:
        """Return the regressors of channels with a usual spend, NaN for those without."""
        paid = np.isfinite(usual)
        working = carried_over(spend, self.share)[:, paid] / (self.scale * usual[paid])
        return _design(saturated(working, self.is_bounded), paid)


def _design(level: Floats, has_spend: NDArray[np.bool_]) -> Floats:
    """Return the regressors, months × channels × parameters: intercepts of all channels but the first, then the βs."""
    channels, paid = len(has_spend), np.flatnonzero(has_spend)
    design = np.zeros((len(level), channels, channels - 1 + len(paid)))
    design[:, np.arange(1, channels), np.arange(channels - 1)] = 1
    # Around its mean, so that intercepts and coefficients hardly hang together.
    design[:, paid, channels - 1 + np.arange(len(paid))] = level - level.mean(axis=0)
    return design


def _precision(channels: int, paid: int) -> Floats:
    """Return the inverse of the prior's covariance; the intercepts are left all but free."""
    covariance = SPREAD_OF_COEFFICIENTS**2 * np.eye(paid) + SPREAD_OF_MEAN**2
    precision = 1e-4 * np.eye(channels - 1 + paid)
    precision[channels - 1 :, channels - 1 :] = np.linalg.inv(covariance)
    return precision


def shares_of(design: Floats, parameters: Floats) -> Floats:
    """Return how leads divide, months × channels."""
    odds = design @ parameters
    odds -= odds.max(axis=1, keepdims=True)
    weights = np.exp(odds)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _mode(leads: Floats, design: Floats, precision: Floats, weight: float, start: Floats | None = None) -> _Mode:
    """Find the most probable parameters by Newton's steps, halved where they go too far."""
    totals = leads.sum(axis=1)

    def goal(parameters: Floats, shares: Floats) -> float:
        fit = float(np.sum(leads * np.log(np.maximum(shares, 1e-300))))
        return weight * fit - 0.5 * float(parameters @ precision @ parameters)

    parameters = np.zeros(design.shape[2]) if start is None else start
    shares = shares_of(design, parameters)
    reached = goal(parameters, shares)
    for _ in range(_STEPS):
        gradient = weight * np.einsum("tc,tcp->p", leads - totals[:, None] * shares, design) - precision @ parameters
        step = np.linalg.solve(_curvature(design, shares, totals, precision, weight), gradient)
        for halving in range(12):
            tried = parameters + step / 2**halving
            tried_shares = shares_of(design, tried)
            if (found := goal(tried, tried_shares)) >= reached:
                break
        progress, reached = found - reached, max(found, reached)
        if progress < 0:
            break
        parameters, shares = tried, tried_shares
        if progress < _ENOUGH_PROGRESS * (1 + abs(reached)):
            break
    curvature = _curvature(design, shares, totals, precision, weight)
    evidence = reached + 0.5 * np.linalg.slogdet(precision)[1] - 0.5 * np.linalg.slogdet(curvature)[1]
    return _Mode(parameters, np.asarray(np.linalg.inv(curvature)), float(evidence), shares)


def _curvature(design: Floats, shares: Floats, totals: Floats, precision: Floats, weight: float) -> Floats:
    mean = np.einsum("tc,tcp->tp", shares, design)
    flat = (design * np.sqrt(totals[:, None] * shares)[:, :, None]).reshape(-1, design.shape[2])
    weighted_mean = mean * np.sqrt(totals)[:, None]
    return np.asarray(weight * (flat.T @ flat - weighted_mean.T @ weighted_mean) + precision)


def _dispersion(leads: Floats, shares: Floats, parameters: int, design: Floats) -> float:
    """Return how much more the counts scatter than chance gives, their hanging together in time included."""
    expected = leads.sum(axis=1, keepdims=True) * shares
    pearson = np.divide(leads - expected, np.sqrt(expected), out=np.zeros_like(expected), where=expected > 0)
    freedom = max(1, leads.shape[0] * (leads.shape[1] - 1) - parameters)
    spread = max(1.0, float((pearson**2).sum()) / freedom)
    regressors = design[:, :, leads.shape[1] - 1 :].sum(axis=2)
    serial = _serial(pearson) * _serial(regressors)
    return spread * (1 + serial) / (1 - serial)


def _serial(series: Floats) -> float:
    """Return the correlation of months with those before, over all columns; never negative."""
    total = float((series**2).sum())
    return float(np.clip((series[1:] * series[:-1]).sum() / total, 0, 0.9)) if total > 0 else 0.0


def usual_spend(spend: Floats) -> Floats:
    """Return the median of each channel's months with any spend; NaN for channels without."""
    with np.errstate(invalid="ignore"):
        return np.array([np.median(column[column > 0]) if (column > 0).any() else np.nan for column in spend.T])


def _modes(leads: Floats, spend: Floats, carry_over: tuple[float, ...]) -> tuple[list[_Mode], list[_Place], float]:
    """Return the fits of the whole grid, their places in it, and the dispersion that all share."""
    usual = usual_spend(spend)
    precision = _precision(spend.shape[1], int(np.isfinite(usual).sum()))
    grid = [_Place(share, scale, curve) for share in carry_over for scale in SCALES for curve in CURVES]
    designs = [place.design(spend, usual) for place in grid]
    plain = [_mode(leads, design, precision, 1.0) for design in designs]
    best = int(np.argmax([mode.evidence for mode in plain]))
    dispersion = _dispersion(leads, plain[best].shares, len(precision), designs[best])
    again = [
        _mode(leads, design, precision, 1 / dispersion, mode.parameters)
        for design, mode in zip(designs, plain, strict=True)
    ]
    return again, grid, dispersion


def _weights(modes: list[_Mode]) -> Floats:
    evidence = np.array([mode.evidence for mode in modes])
    weights = np.exp(evidence - evidence.max())
    return np.asarray(weights / weights.sum())


def fit(
    leads: Floats,
    spend: Floats,
    present: Floats,
    present_leads: Floats,
    *,
    draws: int = 2000,
    seed: int = 0,
    carry_over: tuple[float, ...] = CARRY_OVER,
) -> Response:
    """Learn the responses of all channels that money was ever spent on.

    Args:
        leads: months × channels, counts; channels without spend tell what the month was like.
        spend: months × channels, money; at least one channel with, and two in all.
        present: monthly spend of the paid channels as it is now.
        present_leads: leads a month of those channels as they are now.
        draws, seed: of the posterior.
        carry_over: the grid of carried-over shares.

    Returns:
        The responses, of the channels with any spend in their order.

    Raises:
        ValueError: if the shapes differ, or there is nothing to compare.
    """
    leads, spend = np.asarray(leads, float), np.asarray(spend, float)
    if leads.shape != spend.shape or leads.ndim != 2 or leads.shape[1] < 2 or not (spend > 0).any():
        raise ValueError("leads and spend must be of the same months and channels, two or more, and one of them paid")
    modes, grid, dispersion = _modes(leads, spend, carry_over)
    usual = usual_spend(spend)
    usual = usual[np.isfinite(usual)]
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(modes), draws, p=_weights(modes)))
    first = leads.shape[1] - 1
    parts, scales, carried, bounded = [], [], [], []
    for number, times in zip(*np.unique(chosen, return_counts=True), strict=True):
        mode, place = modes[number], grid[number]
        parts.append(rng.multivariate_normal(mode.parameters[first:], mode.covariance[first:, first:], times))
        scales.append(np.tile(place.scale * usual, (times, 1)))
        carried.append(np.full(times, place.share))
        bounded.append(np.full(times, place.is_bounded))
    return Response(
        np.concatenate(parts), np.concatenate(scales), np.concatenate(carried),
        np.concatenate(bounded), np.asarray(present_leads, float), np.asarray(present, float), dispersion,
    )  # fmt: skip


@dataclass(frozen=True)
class Foresight:
    """How well later months were foretold, each month by what was known before it.

    Attributes:
        months: how many months were foretold.
        model, mean, recent: log-likelihood per 100 leads of the model, of each channel's mean share of all earlier
            months, and of the twelve months before.
        gain, low, high: the model's over the better of the two, with its 95 % interval over months.
    """

    months: int
    model: float
    mean: float
    recent: float
    gain: float
    low: float
    high: float

    @property
    def is_better(self) -> bool:
        """Whether the model foretells better than both simple rules, beyond chance."""
        return self.low > 0


def foresight(leads: Floats, spend: Floats, *, least: int = 12, step: int = 3) -> Foresight:
    """Foretell how the leads of each later month divide, learning anew every ``step`` months.

    The interval is that of the mean difference over months (Diebold and Mariano 1995, J. Business & Economic Statistics
    13:253, one month ahead).

    Args:
        leads, spend: months × channels.
        least: months to learn from before the first is foretold.
        step: months between two fits.
    """
    leads, spend = np.asarray(leads, float), np.asarray(spend, float)
    months, channels = leads.shape
    first = max(least, months // 2)
    logs: list[tuple[float, float, float, float]] = []
    for start in range(first, months, step):
        end = min(start + step, months)
        usual = usual_spend(spend[:start])
        if not np.isfinite(usual).any() or channels < 2:
            continue
        modes, grid, _ = _modes(leads[:start], spend[:start], CARRY_OVER)
        told = np.zeros((end - start, channels))
        for weight, mode, place in zip(_weights(modes), modes, grid, strict=True):
            whole = place.design(spend[:end], usual)
            # The intercepts belong to regressors around the mean of the months learnt from.
            whole -= whole[:start].mean(axis=0) * (np.arange(whole.shape[2]) >= channels - 1)
            told += weight * shares_of(whole, mode.parameters)[start:]
        mean = _smoothed(leads[:start])
        for month in range(start, end):
            recent, counts = _smoothed(leads[max(0, month - 12) : month]), leads[month]
            said, of_mean, of_recent = (float(counts @ np.log(s)) for s in (told[month - start], mean, recent))
            logs.append((said, of_mean, of_recent, float(counts.sum())))
    if not logs or sum(log[3] for log in logs) == 0:
        nan = float("nan")
        return Foresight(0, nan, nan, nan, nan, nan, nan)
    model, mean_, recent_, total = np.array(logs).T
    per_100 = 100 / total.sum()
    rival = mean_ if mean_.sum() >= recent_.sum() else recent_
    difference = (model - rival) * per_100 * len(logs)
    error = float(difference.std(ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else float("inf")
    reach = float(stats.t.ppf(0.975, max(1, len(logs) - 1))) * error
    gain = float(difference.mean())
    return Foresight(
        len(logs), float(model.sum() * per_100), float(mean_.sum() * per_100), float(recent_.sum() * per_100),
        gain, gain - reach, gain + reach,
    )  # fmt: skip


def _smoothed(leads: Floats) -> Floats:
    counts = leads.sum(axis=0) + 0.5
    return np.asarray(counts / counts.sum())


@dataclass(frozen=True)
class Following:
    """Whether spend follows demand: then what looks like its effect may be its cause.

    Attributes:
        slope: how much more is spent (in logs) after a month with one standard deviation more leads than usual.
        p_value: two-sided.
        rows: months × channels it rests on.
    """

    slope: float
    p_value: float
    rows: int


def follows_demand(leads: Floats, spend: Floats) -> Following:
    """Test whether the spend on a channel goes by the leads it had the month before.

    Regression of log(1 + spend ÷ usual spend) on the channel's leads of the month before (in logs, beyond what is usual
    of the channel and of the month), its spend of the two months before, and effects of channel and month, with errors
    clustered by month (Granger 1969, Econometrica 37:424; Cameron and Miller 2015, J. Human Resources 50:317).
    Demand that moves spend within the same month leaves no such trace.

    Args:
        leads, spend: months × channels.
    """
    usual = usual_spend(spend)
    paid = np.isfinite(usual)
    months = len(spend)
    if paid.sum() < 2 or months < 8:
        return Following(float("nan"), float("nan"), 0)
    level = np.log1p(spend[:, paid] / usual[paid])
    demand = _within(np.log(leads[:, paid] + 0.5))
    scale = demand.std()
    if scale == 0:
        return Following(float("nan"), float("nan"), 0)
    wanted = _within(level[2:])
    regressors = np.stack([_within(part) for part in (demand[1:-1] / scale, level[1:-1], level[:-2])], axis=-1)
    flat = regressors.reshape(-1, 3)
    crossed = np.linalg.pinv(flat.T @ flat)
    slopes = crossed @ flat.T @ wanted.ravel()
    errors = wanted - regressors @ slopes
    scores = np.einsum("tc,tcp->tp", errors, regressors)
    clusters = len(scores)
    variance = crossed @ (scores.T @ scores) @ crossed * clusters / (clusters - 1)
    deviation = float(np.sqrt(max(variance[0, 0], 0)))
    p = float(2 * stats.t.sf(abs(slopes[0]) / deviation, clusters - 1)) if deviation > 0 else float("nan")
    return Following(float(slopes[0]), p, wanted.size)


def _within(values: Floats) -> Floats:
    """Return values beyond what is usual of their row and of their column."""
    return np.asarray(values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean())


def allocate(response: Response, worth: Floats, low: Floats, high: Floats, *, steps: int = 400) -> Floats:
    """Divide the present budget anew so that what is expected of it is worth the most.

    With responses that flatten, giving each next step to the channel where it is worth the most is best (Fox 1966,
    Operations Research 14:275). Coefficients outside of 0 to 1, which would not flatten, count as 0 and 1 here.

    Args:
        response: of the channels.
        worth: of a lead, draws × channels.
        low, high: bounds of each channel's monthly spend; the present one lies within them.
        steps: how finely the budget is divided.

    Returns:
        Monthly spend per channel; it adds up to the present one.
    """
    low, high = np.asarray(low, float), np.asarray(high, float)
    total = float(response.spend.sum())
    room, left = high - low, total - float(low.sum())
    if left <= 0 or not (room > 0).any():
        return response.spend.copy()
    step = left / steps
    # Few draws tell the mean curve well enough.
    chosen = slice(None, None, max(1, len(worth) // 200))
    held = Response(
        np.clip(response.coefficients[chosen], 0, 1), response.scales[chosen], response.carry_over[chosen],
        response.is_bounded[chosen], response.leads, response.spend, response.dispersion,
    )  # fmt: skip

    def value(spend: Floats) -> Floats:
        return np.asarray((held.leads_at(spend) * worth[chosen]).mean(axis=0))

    given = low.copy()
    reached, ahead = value(given), value(np.minimum(given + step, high))
    for _ in range(steps + len(low)):
        free = np.minimum(step, np.minimum(high - given, total - given.sum()))
        if free.max() <= 1e-9 * total:
            break
        gain = np.where(free > 1e-9 * total, (ahead - reached) / np.maximum(free, 1e-300), -np.inf)
        best = int(np.argmax(gain))
        given[best] += free[best]
        reached[best] = ahead[best]
        after = np.minimum(given + step, high)
        ahead[best] = value(after)[best]
    return given


def months_to_learn(
    elasticity: float, change: float, leads: float, dispersion: float, *, level: float = 0.05, power: float = 0.8
) -> float:
    """Return how many months a channel's spend must be varied until its effect shows.

    Half of the months, drawn by lot, have the spend raised by ``change``, half lowered. The two means of log leads are
    compared: N = 4 (z₁₋α⁄₂ + z_power)² σ² ÷ effect² months in all (Lehr 1992, Statistics in Medicine 11:1099, is its
    rule of thumb), with σ² = dispersion ÷ leads and effect = elasticity · log((1 + change) ÷ (1 − change)).

    Args:
        elasticity: per cent of leads for a per cent of spend.
        change: between 0 and 1.
        leads: expected in a month.
        dispersion: variance of the counts over what chance alone gives.
        level, power: of the test.
    """
    effect = elasticity * np.log((1 + change) / (1 - change))
    if leads <= 0 or effect <= 0:
        return float("inf")
    reach = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power)
    return float(4 * reach**2 * dispersion / leads / effect**2)
