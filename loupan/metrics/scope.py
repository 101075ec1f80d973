"""Which rows a reader may see. The gateway adds it to every question; what it cannot bound, it does not answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """The rows that count for a reader.

    Attributes:
        reach: pairs of dimension and values. A row counts when it has an accepted value of any of them; with no pair,
            or with pairs of no values, no row does. None: every row counts.
    """

    reach: tuple[tuple[str, tuple[str, ...]], ...] | None

    @classmethod
    def of(cls, reach: Mapping[str, Iterable[str]]) -> Scope:
        """Return the scope of the rows that have one of these values of one of these dimensions."""
        return cls(tuple((name, tuple(sorted(set(values)))) for name, values in sorted(reach.items())))

    @property
    def is_everything(self) -> bool:
        """Whether every row counts."""
        return self.reach is None

    @property
    def is_nothing(self) -> bool:
        """Whether no row can count."""
        return self.reach is not None and not any(values for _, values in self.reach)

    @property
    def dimensions(self) -> frozenset[str]:
        """The dimensions that bound the rows; empty where nothing does."""
        return frozenset(name for name, _ in self.reach or ())


EVERYTHING = Scope(None)
