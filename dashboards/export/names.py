"""What files are called."""

from __future__ import annotations

import re
from datetime import date

_LONGEST = 80


def file_name(title: str, as_of: date, ending: str) -> str:
    """Return a name that says what a file shows and as of when, without signs that file systems refuse.

    Args:
        title: what is shown.
        as_of: the last day the data is of.
        ending: without the dot.
    """
    plain = " ".join(re.sub(r'[\x00-\x1f<>:"/\\|?*]', " ", title).split())[:_LONGEST].strip(". ") or "Loupan"
    return f"{plain} {as_of:%Y-%m-%d}.{ending}"
