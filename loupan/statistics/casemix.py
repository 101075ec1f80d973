"""What each unit (person, project, source) reached against what its cases would lead one to expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.special import expit

from loupan.statistics import mixed_model
from loupan.statistics.intervals import ENOUGH, Dispersion, Floats, dispersion, poisson_exact
from loupan.statistics.mixed_model import MixedModel

# Without some of either outcome there is nothing to compare.
_LEAST_EVENTS = 5
_FARTHEST = 25.0
_HALVINGS = 45
_FOLDS, _GROUPS = 5, 10


@dataclass(frozen=True)
class Adjusted:
    """Units against what is expected of their cases; arrays by unit, in the order of `units`.

    Attributes:
        units: the units, sorted.
        inputs: what was adjusted for; those that have one level only are left out.
        is_proportion: whether events are out of trials; else they are per exposure.
        observed: events.
        exposure: trials, or what the rate is per.
        expected: events that the average unit would have with the same cases; their sum is that of the events.
        variance: of the events by chance alone.
        ratio, ratio_low, ratio_high: observed ÷ expected with its 95 % interval.
        rate, rate_low, rate_high: the rate the unit would have with everybody's cases (direct standardisation), with
            its 95 % interval; for Poisson that is the common rate × `ratio`.
        effect, covariance: of the units on the log-odds (log-rate) scale, pulled to the average as far as chance asks.
        spread: standard deviation of the units' true effects.
        mix: units × inputs; what the unit's cases add to the log-odds (log-rate) of the average case, by input.
    """

    units: tuple[str, ...]
    inputs: tuple[str, ...]
    is_proportion: bool
    observed: Floats
    exposure: Floats
    expected: Floats
    variance: Floats
    ratio: Floats
    ratio_low: Floats
    ratio_high: Floats
    rate: Floats
    rate_low: Floats
    rate_high: Floats
    effect: Floats
    covariance: Floats
    spread: float
    mix: Floats

    @property
    def common(self) -> float:
        """The rate over all."""
        return float(self.observed.sum() / self.exposure.sum())

    @property
    def has_enough(self) -> NDArray[np.bool_]:
        """Which units may be compared."""
        return np.asarray(self.exposure >= ENOUGH)

    def dispersion(self) -> Dispersion:
        """Test whether the units with enough cases differ from what is expected by more than chance."""
        return root_dispersion(*(a[self.has_enough] for a in (self.observed, self.expected, self.variance)))


def adjust(cells: pd.DataFrame, inputs: Sequence[str], *, is_proportion: bool) -> Adjusted | None:
    """Compare units after taking out what their cases differ in.

    Units and the levels of the inputs are fitted together (`mixed_model`), so that a unit which has most of the cases
    of one level does not pass its own effect on to that level. What is expected is the prediction without the effects
    of the units. Intervals of the ratio: Wilson's score interval on a shift of the unit's log-odds, or Garwood's of a
    Poisson count; what is not known about the inputs' effects is added by the squares of the distances (Zou and Donner
    2008, Statistics in Medicine 27:1693, equation 3).

    Args:
        cells: columns ``unit``, ``observed``, ``exposure`` and the inputs; missing values are a level of their own.
        inputs: what to take out; none for the crude comparison on the same scale.
        is_proportion: whether events are out of trials (logistic), else per exposure (Poisson).

    Returns:
        None where there are fewer than two units or too few events to tell anything.
    """
    data = _usable(cells, is_proportion)
    if data is None:
        return None
    unit, units = pd.factorize(data["unit"].astype(str), sort=True)
    used, codes = _codes(data, inputs)
    x, n = data["observed"].to_numpy(float), data["exposure"].to_numpy(float)
    model = mixed_model.fit([unit, *codes], x, n, is_proportion=is_proportion)
    of_unit = sparse.csr_array((np.ones(len(unit)), (unit, np.arange(len(unit)))), shape=(len(units), len(unit)))
    predictor = _levelled(model.predictor(0), n, float(x.sum()), is_proportion)
    observed, exposure = of_unit @ x, of_unit @ n
    mean = n * (expit(predictor) if is_proportion else np.exp(predictor))
    weight = mean * (1 - mean / n) if is_proportion else mean
    expected, variance = of_unit @ mean, of_unit @ weight
    low, high = _shift_interval(of_unit, predictor, n, observed, expected, is_proportion)
    shift = _shift(of_unit, predictor, n, observed, expected, is_proportion)
    error = stats.norm.ppf(0.975) * _offset_error(model, of_unit, weight, variance)
    low, high = _farther(shift, low, -error), _farther(shift, high, error)
    shifts = (shift, low, high)
    ratios = [_events(of_unit, predictor, n, s, is_proportion) / expected for s in shifts]
    rates = [_standardised(predictor, n, s, is_proportion) for s in shifts]
    effects = model.blocks[0]
    return Adjusted(
        units=tuple(units),
        inputs=used,
        is_proportion=is_proportion,
        observed=observed,
        exposure=exposure,
        expected=expected,
        variance=variance,
        ratio=observed / expected,
        ratio_low=ratios[1],
        ratio_high=ratios[2],
        rate=rates[0],
        rate_low=rates[1],
        rate_high=rates[2],
        effect=model.effects[effects],
        covariance=model.covariance[np.ix_(effects, effects)],
        spread=model.spreads[0],
        mix=_mix(model, codes, of_unit, n),
    )


def shares(cells: pd.DataFrame) -> Adjusted | None:
    """Compare units that share pools of events, each pool equally between those who take part in it.

    Given the pool's number, a unit's part is binomial with the chance 1 ÷ members. Pools with one member tell nothing
    and are left out.

    Args:
        cells: a row per unit and pool, columns ``unit``, ``pool`` and ``observed``.

    Returns:
        As `adjust`; the exposure is the events of the unit's pools, the rates are ratios. None where no pool with
        events has two members.
    """
    pools = cells.groupby("pool")["observed"].agg(["sum", "size"])
    data = cells.join(pools, on="pool")
    data = data[(data["size"] > 1) & (data["sum"] > 0)]
    if data["unit"].nunique() < 2:
        return None
    unit, units = pd.factorize(data["unit"].astype(str), sort=True)
    x, n = data["observed"].to_numpy(float), data["sum"].to_numpy(float)
    predictor = -np.log(data["size"].to_numpy(float) - 1)
    of_unit = sparse.csr_array((np.ones(len(unit)), (unit, np.arange(len(unit)))), shape=(len(units), len(unit)))
    mean = n * expit(predictor)
    observed, expected, variance = of_unit @ x, of_unit @ mean, of_unit @ (mean * (1 - mean / n))
    shift = _shift(of_unit, predictor, n, observed, expected, True)
    low, high = _shift_interval(of_unit, predictor, n, observed, expected, True)
    ratio_low, ratio_high = (_events(of_unit, predictor, n, s, True) / expected for s in (low, high))
    ratio = observed / expected
    return Adjusted(
        units=tuple(units),
        inputs=("pool",),
        is_proportion=False,
        observed=observed,
        exposure=of_unit @ n,
        expected=expected,
        variance=variance,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        rate=ratio,
        rate_low=ratio_low,
        rate_high=ratio_high,
        effect=shift,
        covariance=np.full((len(units), len(units)), np.nan),
        spread=float("nan"),
        mix=np.zeros((len(units), 1)),
    )


def root_dispersion(observed: Floats, expected: Floats, variance: Floats) -> Dispersion:
    """Test the spread of events around what is expected; square roots make the variance the same for all units."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return dispersion(2 * (np.sqrt(observed) - np.sqrt(expected)) * np.sqrt(expected / variance))


def ratio_limits(expected: Floats, level: float, share: float, factor: float = 1.0) -> tuple[Floats, Floats]:
    """Return the limits that observed ÷ expected keeps by chance when nothing but the cases differ.

    Normal limits of the square root, which is nearly normal from few events on (Spiegelhalter 2005, Statistics in
    Medicine 24:1185, appendix A.3), widened by √`factor`.

    Args:
        expected: events.
        level: 0.95 or 0.998.
        share: variance ÷ expected events: 1 for rates, about 1 − the rate for proportions.
        factor: over-dispersion.
    """
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(factor * share / expected) / 2
    return np.square(np.clip(1 - half, 0, None)), np.square(1 + half)


@dataclass(frozen=True)
class Calibration:
    """What was expected of cases that took no part in the fitting, against what happened; arrays by group.

    Attributes:
        expected: rate in groups of cases of about equal number, from the lowest expectation to the highest.
        observed: rate.
        events, exposure: behind `observed`.
        concordance: how often, of a case with the event and one without, the former had the higher expectation.
    """

    expected: Floats
    observed: Floats
    events: Floats
    exposure: Floats
    concordance: float


def calibration(cells: pd.DataFrame, inputs: Sequence[str], *, is_proportion: bool) -> Calibration | None:
    """Check the expectations on cases left out of the fit, a fifth at a time; arguments as in `adjust`."""
    data = _usable(cells, is_proportion)
    if data is None:
        return None
    used, codes = _codes(data, inputs)
    if not used:
        return None
    unit = pd.factorize(data["unit"].astype(str), sort=True)[0]
    x, n = data["observed"].to_numpy(float), data["exposure"].to_numpy(float)
    every = [unit, *codes]
    whole = mixed_model.fit(every, x, n, is_proportion=is_proportion)
    fold = np.random.default_rng(1).permutation(len(data)) % _FOLDS
    predictor = np.full(len(data), np.nan)
    for k in range(_FOLDS):
        rest, own = fold != k, fold == k
        if x[rest].sum() < _LEAST_EVENTS or not own.any():
            return None
        model = mixed_model.fit([c[rest] for c in every], x[rest], n[rest], is_proportion=is_proportion, like=whole)
        effects = model.effects.copy()
        effects[model.blocks[0]] = 0.0
        predictor[own] = whole.design[np.flatnonzero(own)] @ effects
    rate = expit(predictor) if is_proportion else np.exp(predictor)
    rate = rate * x.sum() / (n @ rate)
    order = np.argsort(rate, kind="stable")
    place = np.cumsum(n[order]) - n[order] / 2
    group = np.minimum((place / n.sum() * _GROUPS).astype(int), _GROUPS - 1)
    sums = [np.bincount(group, values[order], _GROUPS) for values in (n, n * rate, x)]
    filled = sums[0] > 0
    exposure, expected, events = (values[filled] for values in sums)
    return Calibration(
        expected / exposure, events / exposure, events, exposure, _concordance(rate, x, n - x if is_proportion else n)
    )


def _concordance(score: Floats, positive: Floats, negative: Floats) -> float:
    """Return the area under the ROC curve of weighted cases, ties counted half."""
    levels, place = np.unique(score, return_inverse=True)
    p, q = np.bincount(place, positive, len(levels)), np.bincount(place, negative, len(levels))
    below = np.cumsum(q) - q
    return float(p @ (below + q / 2) / (p.sum() * q.sum()))


def _usable(cells: pd.DataFrame, is_proportion: bool) -> pd.DataFrame | None:
    """Return the cells with exposure, or None where nothing can be told from them."""
    data = cells[(cells["exposure"] > 0) & cells["unit"].notna()]
    events = float(data["observed"].sum())
    others = float(data["exposure"].sum()) - events if is_proportion else np.inf
    if data["unit"].nunique() < 2 or min(events, others) < _LEAST_EVENTS:
        return None
    return data


def _codes(data: pd.DataFrame, inputs: Sequence[str]) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Return the inputs that have several levels, and their levels by cell; a missing value is a level."""
    found = {name: pd.factorize(data[name], use_na_sentinel=False) for name in inputs}
    used = tuple(name for name, (_, levels) in found.items() if len(levels) > 1)
    return used, [np.asarray(found[name][0]) for name in used]


def _levelled(predictor: Floats, exposure: Floats, total: float, is_proportion: bool) -> Floats:
    """Return the predictor moved as a whole so that the expected events add up to those observed."""
    every = sparse.csr_array(np.ones((1, len(predictor))))
    expected = _events(every, predictor, exposure, np.zeros(1), is_proportion)
    return predictor + _shift(every, predictor, exposure, np.array([total]), expected, is_proportion)[0]


def _events(
    of_unit: sparse.csr_array, predictor: Floats, exposure: Floats, shift: Floats, is_proportion: bool
) -> Floats:
    """Return each unit's expected events when its cells' predictor is shifted."""
    moved = predictor + of_unit.T @ np.clip(shift, -_FARTHEST, _FARTHEST)
    events = np.asarray(of_unit @ (exposure * (expit(moved) if is_proportion else np.exp(moved))))
    return np.where(np.isneginf(shift), 0.0, events)


def _shift(
    of_unit: sparse.csr_array,
    predictor: Floats,
    exposure: Floats,
    observed: Floats,
    expected: Floats,
    is_proportion: bool,
) -> Floats:
    """Return by how much each unit's predictor must move for its expected events to be those observed."""
    if not is_proportion:
        with np.errstate(divide="ignore"):
            return np.log(observed / expected)
    solved = _bisected(of_unit, predictor, exposure, lambda mean, variance: observed - mean)
    solved = np.where(observed <= 0, -np.inf, solved)
    return np.where(observed >= of_unit @ exposure - 1e-9, np.inf, solved)


def _shift_interval(
    of_unit: sparse.csr_array,
    predictor: Floats,
    exposure: Floats,
    observed: Floats,
    expected: Floats,
    is_proportion: bool,
) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each unit's shift, as if the expectation were known."""
    if not is_proportion:
        with np.errstate(divide="ignore"):
            low, high = poisson_exact(observed, expected)
            return np.log(low), np.log(high)
    z, total = stats.norm.ppf(0.975), of_unit @ exposure
    low = _bisected(of_unit, predictor, exposure, lambda mean, v: observed - mean - z * np.sqrt(v))
    high = _bisected(of_unit, predictor, exposure, lambda mean, v: observed - mean + z * np.sqrt(v))
    return np.where(observed <= 0, -np.inf, low), np.where(observed >= total - 1e-9, np.inf, high)


def _bisected(of_unit: sparse.csr_array, predictor: Floats, exposure: Floats, remaining) -> Floats:  # type: ignore[no-untyped-def]
    """Return the shift of each unit at which `remaining` (of mean and variance, falling) is 0."""
    low, high = np.full(of_unit.shape[0], -_FARTHEST), np.full(of_unit.shape[0], _FARTHEST)
    spread = of_unit.T.tocsr()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        chance = expit(predictor + spread @ middle)
        mean = of_unit @ (exposure * chance)
        is_below = remaining(mean, of_unit @ (exposure * chance * (1 - chance))) > 0
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return (low + high) / 2


def _offset_error(model: MixedModel, of_unit: sparse.csr_array, weight: Floats, variance: Floats) -> Floats:
    """Return the standard error of each unit's expectation on the log-odds (log-rate) scale.

    What moves all expectations alike is no part of it: they are levelled to the sum of events.
    """
    inputs = np.concatenate([[0], *model.blocks[1:]]).astype(int)
    design = model.design[:, inputs]
    means = (of_unit @ (design * weight[:, None])).toarray() / variance[:, None]
    means = means - (variance / variance.sum()) @ means
    covariance = model.covariance[np.ix_(inputs, inputs)]
    return np.sqrt(np.einsum("ui,ij,uj->u", means, covariance, means))


def _farther(shift: Floats, bound: Floats, error: Floats) -> Floats:
    """Move a bound away from the estimate by what another error adds, by the squares of the distances."""
    with np.errstate(invalid="ignore"):
        distance = np.sign(error) * np.hypot(bound - shift, error)
    moved = shift + distance
    # Where nothing, or everything, happened the estimate itself is infinite.
    return np.where(np.isfinite(shift), moved, bound + error)


def _standardised(predictor: Floats, exposure: Floats, shift: Floats, is_proportion: bool) -> Floats:
    """Return the rate that everybody's cases would have, were their predictor shifted as a unit's is."""
    total = exposure.sum()
    if not is_proportion:
        return np.asarray(np.exp(shift) * (exposure @ np.exp(predictor)) / total)
    # Equal predictors are many: their cells are one.
    levels, place = np.unique(np.round(predictor, 3), return_inverse=True)
    weight = np.bincount(place, exposure, len(levels)) / total
    return np.asarray(expit(levels[None, :] + shift[:, None]) @ weight)


def _mix(model: MixedModel, codes: Sequence[NDArray[np.int64]], of_unit: sparse.csr_array, exposure: Floats) -> Floats:
    """Return what each unit's cases add to the predictor of the average case, by input."""
    total = of_unit @ exposure
    added = []
    for block, code in zip(model.blocks[1:], codes, strict=True):
        effect = exposure * model.effects[block][code]
        added.append((of_unit @ effect) / total - effect.sum() / exposure.sum())
    return np.column_stack(added) if added else np.zeros((len(total), 0))
