"""A key figure beside an earlier one: its change as it is written, or why none can be told."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.gateway import Period
from dashboards.view import View
from loupan.metrics.maturity import TO_DATE_METRICS


@dataclass(frozen=True)
class Compared:
    """A metric in the view's period beside earlier days.

    Attributes:
        value, before: the metric in either; None where there is none.
        change: as it is written; None where none can be told.
        reason: why not, in the reader's words; empty where there is a change.
        direction: 1 for risen, -1 for fallen, 0 where what is written is no change.
        is_good: whether that is wanted; None where it is neither.
    """

    value: float | None
    before: float | None
    change: str | None
    reason: str
    direction: int = 0
    is_good: bool | None = None

    @property
    def arrow(self) -> str:
        """The direction as a sign."""
        return {1: "↑", -1: "↓"}.get(self.direction, "→")


def compared(view: View, metric: str, before: Period | None) -> Compared:
    """Set a metric beside the same of earlier days.

    Args:
        view: the reader's view.
        metric: a metric the gateway knows.
        before: the earlier days; None for no comparison.
    """
    definition = view.gateway.metrics.describe(metric)
    value = view.value(metric)
    earlier = None if before is None or view.is_state(metric) else view.value(metric, period=before)
    # Older cohorts have had longer to decide: set beside them, young ones would always look worse.
    change = None if view.is_maturing(metric) else view.formats.change(value, earlier, definition.unit)
    if change is None or value is None or earlier is None:
        return Compared(value, earlier, None, _reason(view, metric, before))
    # What is written decides, not the bare numbers: an arrow beside 0.0 % would puzzle.
    if not any(digit in change for digit in "123456789"):
        return Compared(value, earlier, change, "")
    has_risen = value > earlier
    is_judged = definition.better in ("higher", "lower")
    is_good = has_risen == (definition.better == "higher") if is_judged else None
    return Compared(value, earlier, change, "", 1 if has_risen else -1, is_good)


def _reason(view: View, metric: str, before: Period | None) -> str:
    if not view.gateway.is_recorded(metric):
        return view.t("not recorded")
    if view.is_state(metric):
        return view.t("as of the data's date")
    if before is None:
        return view.t("not compared")
    if not view.is_maturing(metric):
        return view.t("no comparison")
    return view.t("cohorts still maturing") if metric in TO_DATE_METRICS else view.t("late entries still to come")


def attained(view: View, metric: str) -> float | None:
    """Return how much of a metric's target the period has reached, None where none is set."""
    ratio = f"{metric}_attainment"
    # Of a part of the result, the share in a target for the whole would say nothing.
    return view.value(ratio) if view.gateway.has(ratio) and view.about(ratio) == view.about(metric) else None
