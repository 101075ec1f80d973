"""What every part of the generator is given: the calendar, the words, the keys, random numbers, and the rows made."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from sample_data.clock import Clock
from sample_data.rows import Batch, Ids
from sample_data.truths import Truths
from sample_data.vocabulary import Words


@dataclass
class World:
    """The state shared by the parts while one company is made."""

    seed: int
    clock: Clock
    words: Words
    ids: Ids
    truths: Truths
    batch: Batch = field(init=False)

    def __post_init__(self) -> None:
        self.batch = Batch(self.ids)

    def new_batch(self) -> Batch:
        """Begin an empty batch and return it."""
        self.batch = Batch(self.ids)
        return self.batch

    def random(self, purpose: str, part: int = 0) -> np.random.Generator:
        """Return random numbers of their own for ``purpose`` in city company ``part``.

        A change in one purpose leaves the numbers of all others as they were.
        """
        return np.random.default_rng([self.seed, part, zlib.crc32(purpose.encode())])
