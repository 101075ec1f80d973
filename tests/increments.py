"""Let many random companies live, and compare what increments built with what is built anew.

    python -m tests.increments 200 [FIRST_SEED]

Ends with status 1 if any table differs.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from tests.support.increments import CHANGES, PASSED, built_tables, live_through
from tests.support.shared import begin_run


def main(companies: int, first: int = 0) -> int:
    """Return how many companies ended in other tables."""
    differ = increments = patches = aggregates = 0
    for seed in range(first, first + companies):
        rng = random.Random(-seed)
        days = [
            (
                rng.choice(CHANGES),
                rng.choice(PASSED),
                rng.choice(built_tables()) if rng.random() < 0.2 else None,
            )
            for _ in range(rng.randrange(1, 6))
        ]
        try:
            with tempfile.TemporaryDirectory() as folder:
                life = live_through(seed, days, Path(folder))
            increments, patches = increments + life.increments, patches + life.patches
            aggregates += life.aggregates
        except AssertionError as difference:
            differ += 1
            print(f"company {seed}, {days}: {difference}")
    print(
        f"{companies} companies, {increments} increments, {patches} patched snapshots, "
        f"{aggregates} aggregates brought up to date, {differ} that differ"
    )
    return differ


if __name__ == "__main__":
    begin_run()
    sys.exit(1 if main(*map(int, sys.argv[1:])) else 0)
