"""What a study of a method found, and the error of a simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        method: what was studied.
        question: what was asked of it.
        expected: what it promises, in words or as a number.
        found: what the seeds gave.
        holds: whether found agrees with expected, within what so many seeds can tell.
    """

    method: str
    question: str
    expected: str
    found: str
    holds: bool


# From the number of seeds to the lines of the table.
Study = Callable[[int], list[Result]]


def coverage(
    method: str,
    question: str,
    hits: int,
    trials: int,
    level: float = 0.95,
    *,
    slack: float = 0.0,
    groups: int | None = None,
) -> Result:
    """Compare how often an interval held the truth with its nominal level.

    Args:
        method, question: what stands in the table.
        hits: intervals that held the truth.
        trials: all intervals.
        level: the nominal level.
        slack: how far below the level the method may lie by its own account (an approximation, a discrete count).
        groups: number of independent seeds, where intervals of one seed depend on each other; trials by default.

    Returns:
        A line that holds if the coverage is no further below the level than slack and three standard errors.
    """
    error = float(np.sqrt(level * (1 - level) / (groups or trials)))
    found = hits / trials
    return Result(
        method,
        question,
        f"{level:.1%}" + (f" (at least {level - slack:.1%})" if slack else ""),
        f"{found:.1%} of {trials:,} intervals (simulation error ±{1.96 * error:.1%})",
        found >= level - slack - 3 * error,
    )
