"""Keep Python's garbage collector out of the way of a command that imports much."""

from __future__ import annotations

import gc

# New objects until the youngest are looked at, looks at the young until the middle-aged are, and those until all are.
# Found by measurement: the same peak memory as Python's own (700, 10, 10); with far higher numbers it doubles.
THRESHOLDS = (50_000, 10, 2)


def collect_rarely() -> None:
    """Collect garbage rarely from here on.

    At scale 1 a tenth of a refresh went into looking for garbage among the objects that libraries leave on the heap
    (dbt, Dagster and Great Expectations make millions). Not for servers: cycles are found later.
    """
    gc.set_threshold(*THRESHOLDS)
