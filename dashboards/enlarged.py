"""Charts for readers at a distance."""

from __future__ import annotations

from typing import Any

from loupan.ui.drawing import Finished


def enlarged(figure: Finished, factor: float, at_least: int = 0) -> Finished:
    """Return a figure with letters and height multiplied; the given one stays as it is.

    Args:
        figure: any of ours.
        factor: what to multiply by.
        at_least: the height not to go below, in pixels.
    """
    grown = _with_larger_letters(figure.to_dict(), factor)
    grown["layout"]["height"] = max(round(figure.layout.height * factor), at_least)
    return Finished(grown)


def _with_larger_letters(part: Any, factor: float) -> Any:
    if isinstance(part, dict):
        return {
            name: _larger_font(value, factor) if name.endswith("font") else _with_larger_letters(value, factor)
            for name, value in part.items()
        }
    if isinstance(part, list | tuple):
        return [_with_larger_letters(value, factor) for value in part]
    return part


def _larger_font(font: dict[str, Any], factor: float) -> dict[str, Any]:
    return {**font, "size": font["size"] * factor} if "size" in font else font
