"""What speed and memory are promised, and whether what was measured keeps it; why not stands beside each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.benchmarks.result import Result


@dataclass(frozen=True)
class Target:
    """A promise about a figure of a part.

    Attributes:
        name: what is promised, as a reader says it.
        part: the part that measures it.
        figure: its name among the part's figures.
        most: the largest value that keeps the promise.
        unit: of the figure; ``×`` for a ratio.
        scale: of the company it is promised for, None where the scale does not matter.
        why: why it is not met, or not measured there.
    """

    name: str
    part: str
    figure: str
    most: float
    unit: str
    scale: float | None = None
    why: str = ""

    def findings(self, results: Sequence[Result]) -> Iterator[Finding]:
        """Yield what is known of the promise: one finding for each source it was measured with, or that it was not."""
        measured = [r for r in results if r.part == self.part and self.figure in r.measured.figures]
        for source in sorted({result.source for result in measured}):
            nearest = self._nearest([result for result in measured if result.source == source])
            yield Finding(self, nearest.measured.figures[self.figure], nearest.scale, source)
        if not measured:
            yield Finding(self)

    def _nearest(self, results: Sequence[Result]) -> Result:
        if self.scale is None:
            return max(results, key=lambda result: result.measured_at)
        return min(results, key=lambda result: (abs(result.scale - (self.scale or 0)), -result.scale))


@dataclass(frozen=True)
class Growth(Target):
    """The promise that time grows no faster than rows, from the first scale of ``scales`` to the last.

    Its figure is how often the time is the smaller one's, by how often the rows are; what was measured of the scales
    between is used where the last was not. Both are of one machine: another may be faster by as much as that.
    """

    scales: tuple[float, float] = (10, 300)

    def findings(self, results: Sequence[Result]) -> Iterator[Finding]:
        """Yield a finding for each source with two scales."""
        measured = [r for r in results if r.part == self.part and self.figure in r.measured.figures]
        found = False
        for source in sorted({result.source for result in measured}):
            low, high = self.scales
            of_source = [result for result in measured if result.source == source and low <= result.scale <= high]
            of_source.sort(key=lambda result: result.scale)
            beside = [result for result in of_source if result.machine == of_source[-1].machine]
            if len(beside) > 1:
                found = True
                yield Finding(self, self._growth(beside[0], beside[-1]), beside[-1].scale, source)
        if not found:
            yield Finding(self)

    def _growth(self, first: Result, last: Result) -> float:
        a, b = first.measured.figures, last.measured.figures
        return (b[self.figure] / a[self.figure]) / (b["raw_rows"] / a["raw_rows"])


@dataclass(frozen=True)
class Finding:
    """What is known of a promise; value and scale are None where nothing was measured."""

    target: Target
    value: float | None = None
    scale: float | None = None
    source: str = ""

    @property
    def is_where_promised(self) -> bool:
        """Whether it was measured at the scale it is promised for."""
        return self.value is not None and self.target.scale in (None, self.scale)

    @property
    def is_met(self) -> bool:
        """Whether what was measured is within the promise."""
        return self.value is not None and self.value <= self.target.most

    @property
    def verdict(self) -> str:
        """Met or not, or not measured."""
        if self.value is None:
            return "not measured"
        word = "met" if self.is_met else "**not met**"
        return word if self.is_where_promised else f"{word} at this scale"


TARGETS: tuple[Target, ...] = (
    Target("A full refresh by its floor, without models of statistics", "refresh", "full_without_models_to_floor",
           1.3, "×", 100,
           "Marts are written a second time, for the snapshot; the rest are typing by rules, checks, tests, aggregates"
           " and, at small scales, start-up. The floor takes nearly twice the memory that a refresh is allowed; with as"
           " much as a refresh it takes longer itself, see the table."),
    Target("Peak memory of any refresh", "refresh", "most_gib", 6, "GiB", 100),
    Growth("Seconds of a full refresh by rows, from scale 10 to 300", "refresh", "full_without_models_seconds",
           1, "×", 300),
    Target("An incremental refresh after 0.1 % changed rows by a full one", "refresh", "incremental_to_full",
           0.2, "×", 100,
           "Publishing reads and writes the whole file of the last snapshot, a few models are read as a whole, and dbt"
           " takes its time for each model."),
    Target("A refresh with nothing changed", "refresh", "unchanged_seconds", 5, "s", 100),
    Target("95th percentile of the slowest page's queries, uncached", "reading", "slowest_page_p95_ms",
           150, "ms", 300),
    Target("Errors while 50 sessions work", "pages", "errors_at_50_sessions", 0, "errors", 100),
    Target("Cold start of `loupan --help`", "install", "help_seconds", 0.3, "s"),
)  # fmt: skip


def judged(results: Iterable[Result]) -> list[Finding]:
    """Return what is known of every promise."""
    known = list(results)
    return [finding for target in TARGETS for finding in target.findings(known)]
