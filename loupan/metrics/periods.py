"""Days, weeks, months, quarters and years, as pandas counts them and as the gateway labels them."""

from __future__ import annotations

import pandas as pd

FREQUENCIES = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
_PATTERNS = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y-Q%q", "year": "%Y"}


def labels(spans: pd.PeriodIndex, grain: str) -> list[str]:
    """Return periods as the gateway labels them: a week by its Monday."""
    return [(span.start_time if grain == "week" else span).strftime(_PATTERNS[grain]) for span in spans]
