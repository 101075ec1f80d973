"""When a period of a metric has had its time, so that it can be set beside earlier ones."""

from __future__ import annotations

from datetime import date, timedelta

# Most contracts come within half a year; what a younger cohort has reached to date is bound to change.
MATURE_AFTER = timedelta(days=180)
TO_DATE_METRICS = frozenset(
    {
        "booking_rate",
        "conversion_rate",
        "days_to_contract",
        "gross_conversion_rate",
        "loss_rate",
        "small_booking_rate",
        "visit_rate",
    }
)
# A contract may be cancelled long after it was signed.
_UNTIL_CANCELLED = frozenset({"cancel_rate"})
# What becomes of a demand is known after a while; its month is compared when that is over.
_HANDLED_AFTER = timedelta(days=60)
_HANDLING = frozenset({"follow_up_rate", "reopen_rate", "resolution_hours", "resolution_rate"})
# What was typed in late counts on the day it tells of: the last month seems in time until most of it has come in.
_ENTERED_AFTER = timedelta(days=30)
ENTERED_LATE = frozenset({"late_entries", "late_entry_rate"})


def young_from(as_of_on: date) -> str:
    """Return the first month (YYYY-MM) whose cohort has not had half a year yet.

    Args:
        as_of_on: the last company day the snapshot has data of.
    """
    return f"{as_of_on - MATURE_AFTER:%Y-%m}"


def settled_until(metric: str, as_of_on: date) -> date:
    """Return the last day on which a period may end to be set beside earlier ones: it has had its time.

    Args:
        metric: its name.
        as_of_on: the last company day the snapshot has data of.
    """
    if metric in TO_DATE_METRICS or metric in _UNTIL_CANCELLED:
        return date.fromisoformat(f"{young_from(as_of_on)}-01") - timedelta(days=1)
    if metric in ENTERED_LATE:
        return as_of_on - _ENTERED_AFTER
    return as_of_on - (_HANDLED_AFTER if metric in _HANDLING else timedelta())
