"""Colours as the typesetter reads them."""

from __future__ import annotations

import re

_PARTS = re.compile(r"rgba?\(\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*(?:,\s*([\d.]+)\s*)?\)")


def hexadecimal(colour: str, opacity: float = 1.0) -> str:
    """Return ``#rrggbb`` or ``#rrggbbaa`` of a colour of Plotly's (``#rrggbb``, ``rgb(…)``, ``rgba(…)``).

    Returns:
        Empty for what cannot be seen at all.
    """
    if found := _PARTS.fullmatch(colour):
        red, green, blue, alpha = found.groups()
        opacity *= float(alpha) if alpha is not None else 1.0
        colour = "#" + "".join(f"{round(float(part)):02x}" for part in (red, green, blue))
    if opacity <= 0:
        return ""
    return colour if opacity >= 1 else f"{colour}{round(255 * opacity):02x}"
