"""What a reader has asked to see. It lives in the URL, as codes, so that a link or a change of language keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dashboards.gateway import FILTERS, Gateway, Period, Question, Restrictions
from loupan.formats import Formats, is_missing
from loupan.i18n import Translator, marked, translator
from loupan.i18n.codes import DIMENSION_TITLES, dimension_title
from loupan.metrics.course import is_estimate
from loupan.metrics.gateway import Records
from loupan.metrics.maturity import ENTERED_LATE, TO_DATE_METRICS, settled_until, young_from
from loupan.metrics.periods import FREQUENCIES, labels

PERIODS = {"3m": 3, "6m": 6, "12m": 12, "24m": 24, "36m": 36}
DEFAULT_PERIOD = "12m"
ALL_TIME = "all"
YEAR_TO_DATE = "ytd"
PREVIOUS, YEAR_BEFORE, NO_COMPARISON = "previous", "year", "none"
COMPARISONS = {
    PREVIOUS: marked("Period before"),
    YEAR_BEFORE: marked("Same period last year"),
    NO_COMPARISON: marked("Nothing"),
}
_CUSTOM_PERIOD = re.compile(r"((?:19|20)\d\d-(?:0[1-9]|1[0-2]))\.\.((?:19|20)\d\d-(?:0[1-9]|1[0-2]))")


@dataclass(frozen=True)
class View:
    """Everything that decides what a chart shows; equal views give equal charts.

    Attributes:
        gateway: the snapshot's metrics.
        language: a key of `loupan.i18n.LANGUAGES`.
        theme: ``light`` or ``dark``.
        period: the days shown.
        where: chosen values per dimension: those of the filters of every page (`FILTERS`), and those that a page adds.
            A dimension of which nothing is chosen is absent.
        compare: what key figures are compared with, one of `COMPARISONS`.
    """

    gateway: Gateway
    language: str
    theme: str
    period: Period
    where: Restrictions = ()
    compare: str = PREVIOUS

    @property
    def t(self) -> Translator:
        """The translator of the reader's language."""
        return translator(self.language)

    @property
    def formats(self) -> Formats:
        """Writes numbers and dates for the reader."""
        return Formats(self.language, self.gateway.currency)

    @property
    def comparison(self) -> Period | None:
        """The days that the period is compared with, None for none."""
        if self.compare == NO_COMPARISON:
            return None
        return self.period.year_before() if self.compare == YEAR_BEFORE else self.period.previous()

    @property
    def as_of_on(self) -> date:
        """The last company day the snapshot has data of."""
        return company_date(self.gateway)

    def label(self, metric: str) -> str:
        """Return a metric's name in the reader's language."""
        found = self.gateway.metric(metric)
        if found is None:
            return metric.replace("_", " ").capitalize()
        return (found.label_zh if self.language == "zh" else found.label) or found.label

    def within(self, name: str) -> str:
        """Return a metric's or dimension's name as it stands within a sentence: in English without the capital."""
        return name[:1].lower() + name[1:] if self.language == "en" and name[1:2].islower() else name

    def heading(self, words: str, *dimensions: str) -> str:
        """Return the heading of what is shown by a dimension, by two, or by none."""
        titles = [self.within(self.title(name)) for name in dimensions]
        if not titles:
            return words
        if len(titles) == 1:
            return self.t("{metric} by {dimension}", metric=words, dimension=titles[0])
        return self.t("{metric} by {rows} and {columns}", metric=words, rows=titles[0], columns=titles[1])

    def unit(self, metric: str) -> str:
        """Return a metric's unit."""
        found = self.gateway.metric(metric)
        return found.unit if found else "count"

    def write(self, value: float | None, metric: str) -> str:
        """Write a value of a metric."""
        return self.formats.value(value, self.unit(metric))

    def left_out(self, number: int) -> str:
        """Say how many a picture has no room for, or nothing if it has room for all."""
        return self.t("{number} more are not drawn; the table has all.", number=number) if number > 0 else ""

    def ask(
        self,
        *metrics: str,
        by: Sequence[str] = (),
        where: Mapping[str, Sequence[str]] | None = None,
        without: Sequence[str] = (),
        period: Period | None = None,
        all_time: bool = False,
    ) -> pd.DataFrame:
        """Ask the gateway for metrics in the period and under the filters that apply to all of them.

        Args:
            metrics: names.
            by: dimensions to cut by.
            where: further restrictions, such as one feature; left out where one of the metrics has no such
                dimension.
            without: filters to leave aside, to show the chosen beside the others.
            period: other days than the view's.
            all_time: no restriction to any days.
        """
        filters = {
            name: values for name, values in self.where if name not in without and name in self.applicable(*metrics)
        }
        # What is a state as of the data's date is in no period, or only by chance in the last.
        all_time = all_time or all(self.is_state(metric) for metric in metrics)
        known = self.gateway.dimensions(*metrics)
        further = {name: values for name, values in (where or {}).items() if name in known}
        return self.gateway.ask(metrics, by, {**filters, **further}, None if all_time else period or self.period)

    def narrowed(self, where: Restrictions) -> View:
        """Return the view of fewer rows, as far as a metric knows the dimensions: for what is chosen on a page."""
        return replace(self, where=(*self.where, *where)) if where else self

    def about(self, metric: str) -> View:
        """Return the view without the filters that cannot be put on a metric: for what that metric is made of."""
        return replace(self, where=tuple(f for f in self.where if f[0] in self.applicable(metric)))

    def value(self, metric: str, *, period: Period | None = None) -> float | None:
        """Ask for a metric as one number, in other days than the view's if so told; None where there is none."""
        frame = self.ask(metric, period=period)
        if metric not in frame or frame.empty or is_missing(frame[metric].iloc[0]):
            return None
        return float(frame[metric].iloc[0])

    def rows(self, part: str, by: Sequence[str]) -> Records:
        """Return the rows a metric is made of, in the period and under the filters that apply to it.

        Args:
            part: one of the gateway's `parts` of a metric.
            by: what is told of each row beside the key of its record.
        """
        applicable = self.applicable(part)
        where = tuple((name, values) for name, values in self.where if name in applicable)
        return self.gateway.rows(part, Question((), tuple(by), where, None if self.is_state(part) else self.period))

    def ask_before(self, metric: str, grain: str) -> pd.DataFrame | None:
        """Ask for a metric by period in the days compared with.

        Returns:
            None where nothing is compared, and where it would mislead: a state has no earlier value, young cohorts have
            had less time than old ones.
        """
        if self.comparison is None or self.is_state(metric) or self.is_maturing(metric):
            return None
        return self.ask(metric, by=(grain,), period=self.comparison)

    def is_state(self, metric: str) -> bool:
        """Say whether a metric tells how things stand as of the data's date, whatever the period."""
        found = self.gateway.metric(metric)
        return found is not None and found.date_basis == "as_of"

    def is_estimate(self, metric: str, *by: str) -> bool:
        """Say whether a metric is a rate of counted cases, which has an interval; not a state, nor a share of money.

        Args:
            metric: its name.
            by: dimensions it is cut by; where its denominator lacks one, and so counts whole in each group, the groups
                are parts of one rate and no samples beside each other.
        """
        found = self.gateway.metric(metric)
        if found is None or not is_estimate(found, self.gateway.definitions()):
            return False
        return self.gateway.dimensions(str(found.denominator)) >= set(by)

    def title(self, dimension: str) -> str:
        """Return what a dimension is called, as the pages' words say it, else the semantic layer."""
        found = None if dimension in DIMENSION_TITLES else self.gateway.dimension(dimension)
        if found is None:
            return dimension_title(self.t, dimension)
        return found.label_zh if self.language == "zh" else found.label

    def applicable(self, *metrics: str) -> frozenset[str]:
        """Return the filters, of every page or of this one, that can be put on all the metrics."""
        return self.gateway.filterable(*metrics) & {*FILTERS, *dict(self.where)}

    def ignored(self, *metrics: str) -> tuple[str, ...]:
        """Return the filters of every page the reader has set that cannot be put on these metrics."""
        return tuple(name for name, _ in self.where if name in FILTERS and name not in self.applicable(*metrics))

    @property
    def young_from(self) -> str:
        """The first month (YYYY-MM) whose cohort has not had half a year yet."""
        return young_from(self.as_of_on)

    def is_maturing(self, metric: str) -> bool:
        """Say whether the period ends with what is bound to change: cohorts still young, late entries still to come."""
        if metric in ENTERED_LATE:
            return self.period.end > self.settled_until(metric)
        return metric in TO_DATE_METRICS and f"{self.period.end:%Y-%m}" >= self.young_from

    def settled_until(self, metric: str) -> date:
        """Return the last day on which a period may end to be set beside earlier ones: it has had its time."""
        return settled_until(metric, self.as_of_on)

    def is_over(self, label: str, grain: str = "month") -> bool:
        """Say whether a period of a grain, as the gateway labels it (a month is YYYY-MM), is complete in the data."""
        return bool(pd.Period(label, freq=FREQUENCIES[grain]).end_time.date() <= self.as_of_on)

    def earlier(self, number: int, grain: str = "month") -> Period:
        """Return the view's period lengthened by so many periods of a grain before it."""
        first = pd.Period(self.period.start, freq=FREQUENCIES[grain]) - number
        return Period(first.start_time.date(), self.period.end)

    def spans(self, grain: str) -> pd.PeriodIndex:
        """Return the days, weeks, months, quarters or years that the period touches."""
        return pd.period_range(self.period.start, self.period.end, freq=FREQUENCIES[grain])

    def periods(self, grain: str) -> list[str]:
        """Return the days, weeks, months, quarters or years that the period touches, as the gateway labels them."""
        return labels(self.spans(grain), grain)

    def months(self) -> list[str]:
        """Return the months of the period, as YYYY-MM."""
        return self.periods("month")


def company_date(gateway: Gateway) -> date:
    """Return the last company day a snapshot has data of; an as-of of midnight ends the day before."""
    return (gateway.as_of - timedelta(seconds=1)).astimezone(ZoneInfo(gateway.time_zone)).date()


def last_months(number: int, last: date) -> Period:
    """Return the period of that many calendar months, the month of `last` included, that ends on `last`."""
    return Period((pd.Timestamp(last).replace(day=1) - pd.DateOffset(months=number - 1)).date(), last)


def period_of(code: str, last: date, first: date) -> Period | None:
    """Read a period's code.

    Args:
        code: ``12m`` and its like, ``ytd``, ``all``, or two months ``2026-01..2026-10``.
        last: the day on which a period counted back from now ends.
        first: the first day with data, where ``all`` begins.

    Returns:
        The period, or None when the code means nothing or the months are in the wrong order.
    """
    if code in PERIODS:
        return last_months(PERIODS[code], last)
    if code == YEAR_TO_DATE:
        return Period(last.replace(month=1, day=1), last)
    if code == ALL_TIME:
        return Period(min(first, last).replace(day=1), last)
    if match := _CUSTOM_PERIOD.fullmatch(code):
        start = date.fromisoformat(f"{match[1]}-01")
        end = (pd.Timestamp(f"{match[2]}-01") + pd.offsets.MonthEnd(0)).date()
        return Period(start, min(end, last) if start <= last else end) if start <= end else None
    return None
