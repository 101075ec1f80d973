"""What a metric's course says: the limits of its ordinary variation over the periods shown, and the signals beyond."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dashboards.memory import remembered
from dashboards.view import NO_COMPARISON, View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.metrics import Metric
from loupan.statistics import control
from loupan.statistics.control import BASELINE, FEWEST, Kind, Limits, Refusal, Rule, Signal
from loupan.statistics.intervals import ENOUGH, Floats

# Days have their weekdays and years are too few.
GRAINS = ("week", "month", "quarter")
MOST = 3
"""So many signals are told beside a chart; its table has all."""
_REFUSED = {
    Refusal.FEW_POINTS: marked("No limits: they need {count} that are over."),
    Refusal.FEW_CASES: marked("No limits: too few cases."),
    Refusal.CONSTANT: marked("No limits: the values do not vary."),
}
_FEW_WITH_CASES = marked("No limits: they need {count} that are over and have {cases} cases or more.")
_COUNTS = {"week": marked("{number} weeks"), "month": marked("{number} months"), "quarter": marked("{number} quarters")}
_BEYOND = {
    True: marked("{period}: {value}, above the upper limit of {limit}."),
    False: marked("{period}: {value}, below the lower limit of {limit}."),
}
_JUST_BEYOND = {
    True: marked("{period}: {value}, just above the upper limit."),
    False: marked("{period}: {value}, just below the lower limit."),
}
_RUN_ON = {
    True: marked("{count} in a row above the average of {average}, from {first} on."),
    False: marked("{count} in a row below the average of {average}, from {first} on."),
}
_RUN_OVER = {
    True: marked("{count} in a row above the average of {average}, {first} – {last}."),
    False: marked("{count} in a row below the average of {average}, {first} – {last}."),
}
_IN_TABLE = {
    (Rule.BEYOND, True): marked("above the upper limit"),
    (Rule.BEYOND, False): marked("below the lower limit"),
    (Rule.RUN, True): marked("in a row above the average"),
    (Rule.RUN, False): marked("in a row below the average"),
}


@dataclass(frozen=True)
class Control:
    """A metric's course within its limits.

    Attributes:
        metric: what is charted.
        grain: of the periods.
        periods: labels, those of the baseline that came before first.
        shown: how many of them, the last, are those of the view.
        values: one per period, as the gateway gives them; NaN where it is not judged.
        limits: in the unit of the values; None where they are refused.
        refusal: why.
        signals: those that reach into the periods shown, the latest first.
        has_cases: whether a period needs so many cases to be judged.
        since, until: the first and the last period that the centre rests on.
    """

    metric: str
    grain: str
    periods: tuple[str, ...]
    shown: int
    values: Floats
    limits: Limits | None
    refusal: Refusal | None
    signals: tuple[Signal, ...]
    has_cases: bool
    since: str
    until: str

    def lower(self) -> list[float | None]:
        """Return the lower limit of each period shown; None where there is none to go below."""
        if self.limits is None:
            return [None] * self.shown
        # What cannot be negative cannot go below a limit of 0 either.
        least = 0.0 if np.nanmin(self.values) >= 0 else -np.inf
        return [None if np.isnan(v) or v <= least else float(v) for v in self.limits.lower[-self.shown :]]

    def upper(self) -> list[float | None]:
        """Return the upper limit of each period shown; None where there is none to go beyond."""
        if self.limits is None:
            return [None] * self.shown
        most = 1.0 if self.limits.kind == Kind.PROPORTIONS else np.inf
        return [None if np.isnan(v) or v >= most else float(v) for v in self.limits.upper[-self.shown :]]

    def centre(self) -> list[float | None]:
        """Return the centre for each period shown."""
        return [None if self.limits is None else self.limits.centre] * self.shown

    def marked(self, rule: Rule) -> list[int]:
        """Return the positions, among the periods shown, that signals of a rule hold."""
        before = len(self.periods) - self.shown
        places = {place for s in self.signals if s.rule == rule for place in range(s.start, s.end + 1)}
        return sorted(place - before for place in places if place >= before and not np.isnan(self.values[place]))

    @property
    def last(self) -> int:
        """The position of the last period that is judged, -1 where none is."""
        judged = np.flatnonzero(np.isfinite(self.values))
        return int(judged[-1]) if len(judged) else -1


def control_of(view: View, metric: str, grain: str = "month") -> Control | None:
    """Return the limits and signals of a metric over the view's periods; None for what has no course of its own.

    The centre rests on up to 24 complete periods before those shown, so that a change is not part of what it is
    measured against; where fewer than a dozen came before, on all there are. See docs/statistics/control.md.
    """
    # What is drawn around it makes no difference to it.
    return _control_of(replace(view, theme="light", language="en", compare=NO_COMPARISON), metric, grain)


def controls_of(view: View, metric: str, grain: str, dimension: str) -> dict[object, Control]:
    """Return the limits and signals of a metric by the values of a dimension; see `control_of`."""
    definition = view.gateway.metric(metric)
    if not _has_course(view, definition, grain) or definition is None:
        return {}
    wide = replace(view, period=view.earlier(BASELINE, grain))
    frame = wide.ask(metric, by=(grain, dimension))
    if metric not in frame:
        return {}
    return {
        None if is_missing(value) else value: _judged(view, definition, grain, wide.periods(grain), part)
        for value, part in frame.groupby(dimension, dropna=False)
    }


@remembered(512)
def _control_of(view: View, metric: str, grain: str) -> Control | None:
    definition = view.gateway.metric(metric)
    if not _has_course(view, definition, grain) or definition is None:
        return None
    wide = replace(view, period=view.earlier(BASELINE, grain))
    frame = wide.ask(metric, by=(grain,))
    return _judged(view, definition, grain, wide.periods(grain), frame) if metric in frame else None


def _has_course(view: View, definition: Metric | None, grain: str) -> bool:
    """Say whether a metric can be charted: a state has no course, and a target is what people want it to be."""
    return definition is not None and grain in GRAINS and not definition.is_set and not view.is_state(definition.name)


def _judged(view: View, definition: Metric, grain: str, periods: list[str], frame: pd.DataFrame) -> Control:
    metric, shown = definition.name, len(view.periods(grain))
    data = frame.dropna(subset=[grain]).set_index(grain).reindex(periods)
    values: Floats = data[metric].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    has_begun = np.arange(len(values)) >= (int(np.argmax(~np.isnan(values))) if (~np.isnan(values)).any() else 0)
    if definition.is_additive:
        values[has_begun & np.isnan(values)] = 0.0
    enters = has_begun & [_enters(view, metric, period, grain) for period in periods]
    numerator, denominator = (
        data[f"{metric}__{part}"].astype(float).fillna(0).to_numpy() if definition.is_ratio else None
        for part in ("numerator", "denominator")
    )
    has_cases = denominator is not None and view.unit(str(definition.denominator)) == "count"
    if denominator is not None and has_cases:
        enters &= denominator >= ENOUGH
    values[~enters] = np.nan
    enters = np.isfinite(values)
    before = np.arange(len(values)) < len(values) - shown
    baseline = enters & before if (enters & before).sum() >= FEWEST else enters
    scale = 1.0
    if view.is_estimate(metric) and numerator is not None and denominator is not None:
        chart = control.proportions if definition.unit == "percent" else control.rates
        scale = definition.scale
        found = chart(np.where(enters, numerator, np.nan), np.where(enters, denominator, np.nan), baseline)
    else:
        found = control.individuals(values, baseline, is_count=definition.unit == "count")
    limits = None if isinstance(found, Refusal) else _scaled(found, scale)
    signals = control.signals(values, limits) if limits else []
    known = [period for period, is_in in zip(periods, baseline, strict=True) if is_in] or [periods[0]]
    return Control(
        metric,
        grain,
        periods=tuple(periods),
        shown=shown,
        values=values,
        limits=limits,
        refusal=found if isinstance(found, Refusal) else None,
        signals=tuple(s for s in reversed(signals) if s.end >= len(values) - shown),
        has_cases=has_cases,
        since=known[0],
        until=known[-1],
    )


def _scaled(limits: Limits, scale: float) -> Limits:
    return replace(
        limits,
        centre=limits.centre * scale,
        sigma=limits.sigma * scale,
        lower=limits.lower * scale,
        upper=limits.upper * scale,
    )


def _enters(view: View, metric: str, period: str, grain: str) -> bool:
    """Say whether a period is whole: over, comparable, and not cut by the first day of the records or of the view."""
    days, first = view.days(period, grain), view.gateway.span()[0]
    is_cut = days.start < view.period.start <= days.end
    # The month in which recording began is seldom a whole one.
    has_records = first is not None and days.start >= (pd.Timestamp(first) + pd.DateOffset(months=1)).date()
    return has_records and not is_cut and view.is_over(period, grain) and view.is_settled(metric, period, grain)


def told(view: View, found: Control, name: str = "") -> list[str]:
    """Return the signals of a course as sentences, the latest first.

    Args:
        view: the reader's view.
        found: the course.
        name: what the sentences begin with where several courses are told of; or empty.
    """
    sentences = [_sentence(view, found, signal) for signal in found.signals]
    return [view.t("{name}, {sentence}", name=name, sentence=s) if name else s for s in sentences]


def _sentence(view: View, found: Control, signal: Signal) -> str:
    t, write = view.t, view.formats.period_label
    if signal.rule == Rule.BEYOND:
        limits: Limits | None = found.limits
        bound = np.nan if limits is None else (limits.upper if signal.is_high else limits.lower)[signal.end]
        value, limit = (view.write(float(v), found.metric) for v in (found.values[signal.end], bound))
        # Of two numbers that are written alike nobody sees which is the larger.
        words = (_JUST_BEYOND if value == limit else _BEYOND)[signal.is_high]
        return t(words, period=write(found.periods[signal.end]), value=value, limit=limit)
    number = int(np.isfinite(found.values[signal.start : signal.end + 1]).sum())
    words = (_RUN_ON if signal.end == found.last else _RUN_OVER)[signal.is_high]
    return t(
        words,
        count=t(_COUNTS[found.grain], number=number),
        average=view.write(found.limits.centre if found.limits else None, found.metric),
        first=write(found.periods[signal.start]),
        last=write(found.periods[signal.end]),
    )


def in_table(view: View, found: Control) -> list[str]:
    """Return what signals say of each period shown, empty where nothing."""
    texts = []
    before = len(found.periods) - found.shown
    for place in range(before, len(found.periods)):
        if np.isnan(found.values[place]):
            texts.append("")
            continue
        words = dict.fromkeys(_IN_TABLE[s.rule, s.is_high] for s in found.signals if s.start <= place <= s.end)
        texts.append(view.t("; ").join(map(view.t, words)))
    return texts


def basis(view: View, found: Control, *, is_drawn: bool) -> str:
    """Say what the limits rest on, or why there are none."""
    t, write = view.t, view.formats.period_label
    if found.limits is None:
        words = _REFUSED[found.refusal or Refusal.FEW_POINTS]
        if found.refusal == Refusal.FEW_POINTS and found.has_cases:
            words = _FEW_WITH_CASES
        return t(words, count=t(_COUNTS[found.grain], number=FEWEST), cases=ENOUGH)
    words = (
        marked("Thin lines: average and limits of {since} – {until}.")
        if is_drawn
        else marked("Signals against the average of {since} – {until}.")
    )
    parts = [t(words, since=write(found.since), until=write(found.until))]
    if found.limits.is_correlated:
        parts.append(t("Neighbouring periods are alike: limits are wider, and many in a row are no signal."))
    elif found.limits.is_dispersed:
        parts.append(t("The limits are wider: the rates vary by more than chance."))
    return " ".join(parts)
