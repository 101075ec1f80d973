"""What is remembered between runs of the script: answers and drawings of the snapshot in force, and of no other."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_CLEAR: list[Callable[[], None]] = []


def remembered(most: int = 64) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep a function's last results until another snapshot comes into force; its arguments must be hashable.

    Results are shared between readers: nobody may change them.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        cached = lru_cache(maxsize=most)(function)
        _CLEAR.append(cached.cache_clear)
        return cached  # type: ignore[return-value]

    return decorate


def forget() -> None:
    """Drop all results, and with them the last references to the snapshots they came from."""
    for clear in _CLEAR:
        clear()
