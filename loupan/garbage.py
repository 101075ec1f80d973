"""Keep Python's garbage collector out of the way of a command that imports much and ends soon."""

from __future__ import annotations

import atexit
import gc

# New objects until the youngest are looked at, looks at the young until the middle-aged are, and those until all are.
# Found by measurement: the same peak memory as Python's own (700, 10, 10); with far higher numbers it doubles.
THRESHOLDS = (50_000, 10, 2)


def collect_rarely() -> None:
    """Collect garbage rarely until the process ends, and not at all at its end.

    At scale 1 a fifth of a refresh went into looking for garbage among the objects that libraries leave on the heap
    (dbt, Dagster and Great Expectations make millions), and into tearing them down. Not for servers: they find
    cycles later than they should.
    """
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)
