"""What a metric's course says: the limits of its ordinary variation over the periods shown, and the signals beyond."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboards.memory import remembered
from dashboards.view import NO_COMPARISON, View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.metrics import course
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
        """Return the lower limit of each period shown; None where it is not judged or cannot go below."""
        # What cannot be negative cannot go below a limit of 0 either.
        least = 0.0 if not (self.values < 0).any() else -np.inf
        return self._of_judged(lambda limits: np.where(limits.lower > least, limits.lower, np.nan))

    def upper(self) -> list[float | None]:
        """Return the upper limit of each period shown; None where it is not judged or cannot go beyond."""
        most = 1.0 if self.limits is not None and self.limits.kind == Kind.PROPORTIONS else np.inf
        return self._of_judged(lambda limits: np.where(limits.upper < most, limits.upper, np.nan))

    def centre(self) -> list[float | None]:
        """Return the centre for each period shown; None where it is not judged."""
        return self._of_judged(lambda limits: np.full(len(self.values), limits.centre))

    def _of_judged(self, part: Callable[[Limits], Floats]) -> list[float | None]:
        if self.limits is None:
            return [None] * self.shown
        values = np.where(np.isfinite(self.values), part(self.limits), np.nan)[-self.shown :]
        return [None if np.isnan(value) else float(value) for value in values]

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
    """Return the course of one metric within its limits; see `controls_of`."""
    return controls_of(view, (metric,), grain).get(metric)


def controls_of(view: View, metrics: Sequence[str], grain: str = "month") -> Mapping[str, Control]:
    """Return the courses of metrics that are asked for together over the view's periods, within their limits.

    The centre rests on up to 24 complete periods before those shown, so that a change is not part of what it is
    measured against; where fewer than a dozen came before, on all there are. See docs/statistics/control.md.

    Returns:
        One by the name of each metric; what has no course of its own, or no data, is left out.
    """
    # What is drawn around it makes no difference to it.
    return _controls_of(replace(view, theme="light", language="en", compare=NO_COMPARISON), tuple(metrics), grain)


def controls_by(view: View, metric: str, grain: str, dimension: str) -> Mapping[object, Control]:
    """Return the courses of a metric by the values of a dimension, None for no value; see `controls_of`."""
    if not _has_course(view, metric, grain):
        return {}
    wide = replace(view, period=view.earlier(BASELINE, grain))
    frame = wide.ask(metric, by=(grain, dimension))
    if frame.empty or metric not in frame:
        return {}
    return {
        None if is_missing(value) else value: _judged(view, wide, metric, grain, part)
        for value, part in frame.groupby(dimension, dropna=False)
    }


@remembered(512)
def _controls_of(view: View, metrics: tuple[str, ...], grain: str) -> Mapping[str, Control]:
    if not any(_has_course(view, metric, grain) for metric in metrics):
        return {}
    wide = replace(view, period=view.earlier(BASELINE, grain))
    frame = wide.ask(*metrics, by=(grain,))
    if frame.empty:
        return {}
    return {
        metric: _judged(view, wide, metric, grain, frame)
        for metric in metrics
        if metric in frame and _has_course(view, metric, grain)
    }


def _has_course(view: View, metric: str, grain: str) -> bool:
    """Say whether a metric can be charted by periods of a grain."""
    definition = view.gateway.metric(metric)
    return definition is not None and grain in GRAINS and course.has_course(definition)


def _judged(view: View, wide: View, metric: str, grain: str, frame: pd.DataFrame) -> Control:
    """Return a metric's course from its values by period in the wider view, which begins with the baseline."""
    definition = view.gateway.metric(metric)
    if definition is None:
        raise KeyError(metric)
    periods, shown = wide.periods(grain), len(view.periods(grain))
    data = frame.dropna(subset=[grain]).set_index(grain).reindex(periods)
    found = course.judged(definition, view.gateway.definitions(), data, _whole(view, wide, metric, grain), shown)
    return Control(
        metric,
        grain,
        periods=tuple(periods),
        shown=shown,
        values=found.values,
        limits=found.limits,
        refusal=found.refusal,
        signals=tuple(s for s in reversed(found.signals) if s.end >= len(periods) - shown),
        has_cases=found.has_cases,
        since=periods[found.since],
        until=periods[found.until],
    )


def _whole(view: View, wide: View, metric: str, grain: str) -> NDArray[np.bool_]:
    """Say which periods are over, comparable, and not cut by the first day of the records or of the view."""
    spans = wide.spans(grain)
    starts, ends = spans.start_time, spans.end_time.normalize()
    first, begins = view.gateway.span()[0], pd.Timestamp(view.period.start)
    # The month in which recording began is seldom a whole one.
    recorded = pd.Timestamp.max if first is None else pd.Timestamp(first) + pd.DateOffset(months=1)
    is_cut = (starts < begins) & (ends >= begins)
    return np.asarray((starts >= recorded) & ~is_cut & (ends <= pd.Timestamp(view.settled_until(metric))))


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


def basis(view: View, found: Control) -> str:
    """Say what the limits that are drawn rest on, or why there are none."""
    t, write = view.t, view.formats.period_label
    if found.limits is None:
        words = _REFUSED[found.refusal or Refusal.FEW_POINTS]
        if found.refusal == Refusal.FEW_POINTS and found.has_cases:
            words = _FEW_WITH_CASES
        return t(words, count=t(_COUNTS[found.grain], number=FEWEST), cases=ENOUGH)
    since, until = write(found.since), write(found.until)
    parts = [t("Thin lines: average and limits of {since} – {until}.", since=since, until=until)]
    if found.limits.is_correlated:
        parts.append(t("Neighbouring periods are alike: limits are wider, and many in a row are no signal."))
    elif found.limits.is_dispersed:
        parts.append(t("The limits are wider: the rates vary by more than chance."))
    return " ".join(parts)


def basis_of_all(view: View, found: Sequence[Control]) -> str:
    """Say what the limits of several courses rest on, or why there are none."""
    limited = [course for course in found if course.limits is not None]
    if not limited:
        return basis(view, found[0])
    write = view.formats.period_label
    since, until = min(course.since for course in limited), max(course.until for course in limited)
    return view.t("Signals against the average of {since} – {until}.", since=write(since), until=write(until))
