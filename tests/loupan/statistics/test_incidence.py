"""The cumulative incidence against a published example, closed formulas, lifelines and statsmodels."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from statsmodels.duration.survfunc import CumIncidenceRight

from loupan.statistics.incidence import Course, Incidence, continued, course_of
from loupan.statistics.intervals import wilson

EVENT, RIVAL, OPEN = 1, 2, 0
CASES = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([EVENT, RIVAL, OPEN])), min_size=1, max_size=80)


def course(cases: list[tuple[int, int]]) -> Course:
    """The course of cases as (day, what became of it)."""
    groups = []
    for wanted in (EVENT, RIVAL, OPEN):
        days = [day for day, became in cases if became == wanted]
        groups.append((days, np.ones(len(days))))
    return course_of(*groups)


def test_a_published_example():
    # Satagopan and others 2004, British Journal of Cancer 91:1229, table 2: 305 patients with breast cancer, the months
    # of the first nine; the others were followed longer. Printed in per cent; its cumulative column adds rounded steps.
    first = [(7, OPEN), (10, EVENT), (14, OPEN), (16, EVENT), (18, RIVAL), (23, EVENT), (24, OPEN), (26, RIVAL)]
    found = course([*first, (27, EVENT), *[(60, OPEN)] * 296])
    at = [10, 16, 18, 23, 26, 27]
    assert [found.at_risk[day] for day in at] == [304, 302, 301, 300, 298, 297]
    curve = Incidence(found)
    assert [round(100 * (curve.share[day] - curve.share[day - 1]), 1) for day in (10, 16, 23, 27)] == [0.3] * 4
    assert 100 * curve.at(27).share == pytest.approx(1.2, abs=0.15)
    assert [round(100 * curve.undecided[day], 1) for day in at] == [99.7, 99.3, 99.0, 98.7, 98.3, 98.0]


def test_standard_errors_agree_with_stata():
    # The example in statsmodels' tests; its standard errors are those of Stata's stcompet.
    days = [1, 1, 2, 4, 4, 4, 6, 6, 7, 8, 9, 9, 9, 1, 2, 2, 4, 4]
    became = [1, 1, 1, 2, 2, 2, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    for event, share, error in ((1, 0.17037037, 0.08976251), (2, 0.20740741, 0.10610391), (3, 0.26666667, 0.12787781)):
        cases = [(d, EVENT if b == event else RIVAL if b else OPEN) for d, b in zip(days, became, strict=True)]
        curve = Incidence(course(cases))
        assert curve.share[9] == pytest.approx(share)
        assert math.sqrt(curve.variance[9]) == pytest.approx(error)


@given(CASES)
def test_it_agrees_with_statsmodels(cases):
    became = np.array([b for _, b in cases])
    if not (became == RIVAL).any():
        return
    with np.errstate(all="ignore"):
        theirs = CumIncidenceRight(np.array([d for d, _ in cases]), became)
    curve = Incidence(course(cases))
    at = theirs.times.astype(int)
    assert curve.share[at] == pytest.approx(theirs.cinc[0], abs=1e-12)
    known = np.isfinite(theirs.cinc_se[0])
    assert curve.variance[at][known] == pytest.approx(theirs.cinc_se[0][known] ** 2, abs=1e-10)


@given(st.lists(st.sampled_from([EVENT, RIVAL, OPEN]), min_size=2, max_size=60))
def test_it_agrees_with_lifelines_where_no_days_are_tied(became):
    days = np.arange(1, len(became) + 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        theirs = AalenJohansenFitter().fit(days, became, event_of_interest=EVENT)
    curve = Incidence(course([*zip(days.tolist(), became, strict=True)]))
    assert curve.share == pytest.approx(theirs.cumulative_density_["CIF_1"].to_numpy(), abs=1e-12)
    variance = theirs.variance_.to_numpy()
    known = np.isfinite(variance)
    assert curve.variance[known] == pytest.approx(variance[known], abs=1e-12)


@given(CASES)
def test_without_rivals_it_is_one_minus_kaplan_meier(cases):
    cases = [(day, OPEN if became == RIVAL else became) for day, became in cases]
    fitted = KaplanMeierFitter().fit([d for d, _ in cases], [b for _, b in cases])
    curve = Incidence(course(cases))
    theirs = fitted.survival_function_at_times(range(len(curve.share))).to_numpy()
    assert curve.share == pytest.approx(1 - theirs, abs=1e-12)
    assert curve.undecided == pytest.approx(theirs, abs=1e-12)


@given(CASES)
def test_where_all_have_ended_it_is_the_plain_share(cases):
    ended = [(day, became or RIVAL) for day, became in cases]
    curve = Incidence(course(ended))
    assert curve.known_until == math.inf
    for day in (0, 7, 40, 1000):
        share = sum(became == EVENT and at <= day for at, became in ended) / len(ended)
        found = curve.at(day)
        assert found.share == pytest.approx(share, abs=1e-12)
        place = min(day, len(curve.share) - 1)
        assert curve.variance[place] == pytest.approx(share * (1 - share) / len(ended), abs=1e-12)


@given(CASES, st.lists(st.tuples(st.integers(0, 40), st.sampled_from([EVENT, RIVAL, OPEN])), max_size=80))
def test_what_is_told_makes_sense(cases, others):
    for curve in (Incidence(course(cases)), Incidence(continued(course(cases), course(others)))):
        low, high = curve.band
        assert np.all(np.diff(curve.share) >= -1e-12)
        assert np.all(curve.share + curve.undecided <= 1 + 1e-9)
        assert np.all((low >= 0) & (low <= curve.share + 1e-9) & (curve.share <= high + 1e-9) & (high <= 1))
        assert math.isnan(curve.at(-1).share)
        if math.isfinite(curve.known_until):
            assert not curve.at(int(curve.known_until) + 1).is_known
        half = curve.half_time()
        if half is not None:
            assert curve.share[half] >= curve.eventual.share / 2 - 1e-9
            assert half == 0 or curve.share[half - 1] < curve.eventual.share / 2


def test_groups_count_as_many_single_cases():
    rng = np.random.default_rng(1)
    cases = [*zip(rng.integers(0, 30, 500).tolist(), rng.integers(0, 3, 500).tolist(), strict=True)]
    single = Incidence(course(cases))
    counted = [
        ([*range(30)], [sum(c == (day, became) for c in cases) for day in range(30)]) for became in (EVENT, RIVAL, OPEN)
    ]
    grouped = Incidence(course_of(*counted))
    assert grouped.share == pytest.approx(single.share)
    assert grouped.variance == pytest.approx(single.variance)


def test_a_curve_ends_where_too_few_are_followed():
    # Ten of twenty were followed for 50 days, the others for 100.
    curve = Incidence(course([(50, OPEN)] * 11 + [(100, OPEN)] * 9))
    assert curve.known_until == 50
    assert curve.at(50).is_known
    assert not curve.at(51).is_known
    assert Incidence(course([(50, OPEN)] * 11 + [(100, OPEN)] * 10)).known_until == 100
    # Few at risk because most have ended, none because it is out of sight: the share is that of all.
    few = Incidence(course([(20, EVENT)] * 6 + [(30, RIVAL)] * 30 + [(400, OPEN)] * 4))
    assert few.at(365).share == pytest.approx(6 / 40)
    assert not few.at(401).is_known


def test_without_an_event_the_interval_has_a_width():
    curve = Incidence(course([(90, OPEN)] * 50))
    found = curve.at(60)
    assert (found.share, found.low) == (0, 0)
    assert found.high == pytest.approx(wilson([0], [50])[1][0])
    everybody = Incidence(course([(3, EVENT)] * 50)).at(10)
    assert (everybody.share, everybody.high) == (1, 1)
    assert everybody.low == pytest.approx(wilson([50], [50])[0][0])


def test_nothing_gives_nothing():
    nothing = course([])
    curve = Incidence(nothing)
    assert (nothing.size, curve.known_until, curve.half_time()) == (0, -1, None)
    assert not curve.at(0).is_known
    assert not curve.eventual.is_known
    assert Incidence(continued(nothing, nothing)).known_until == -1


def test_days_and_numbers_must_be_such():
    with pytest.raises(ValueError, match="pairs"):
        course_of(([-1], [1]), ([], []), ([], []))
    with pytest.raises(ValueError, match="pairs"):
        course_of(([1], [math.nan]), ([], []), ([], []))
    with pytest.raises(ValueError, match="pairs"):
        course_of(([1, 2], [1]), ([], []), ([], []))


def test_a_young_course_goes_on_as_the_others_did():
    # Of those still in play after day 30, a quarter sign on day 40 among the others, the rest are lost on day 50.
    others = course([(40, EVENT)] * 25 + [(50, RIVAL)] * 75)
    young = course([(10, EVENT)] * 20 + [(20, RIVAL)] * 20 + [(30, OPEN)] * 60)
    whole = Incidence(continued(young, others))
    assert whole.at(30).share == pytest.approx(0.2)
    assert whole.at(60).share != whole.at(60).share, "nobody was followed for 60 days"
    assert whole.share[-1] == pytest.approx(0.2 + 0.6 * 0.25)
    # By the delta method for independent shares: 0.2 + 0.6 of 100 and 0.25 of 100.
    own = 0.2 * 0.8 + 0.25**2 * 0.6 * 0.4 - 2 * 0.25 * 0.2 * 0.6
    assert whole.variance[-1] == pytest.approx((own + 0.6**2 * 0.25 * 0.75) / 100)
    # A course that is known to its end stays as it is.
    assert continued(others, young) is others


def test_half_of_those_who_come_at_all():
    assert Incidence(course([(10, EVENT)] * 5 + [(20, EVENT)] * 5 + [(90, RIVAL)] * 90)).half_time() == 10
    # Still rising where the curve ends: how many come at all cannot be told.
    rising = Incidence(course([(day, EVENT) for day in range(1, 60)] + [(60, OPEN)] * 100))
    assert not rising.eventual.is_known
    assert rising.half_time() is None
