"""Marts of literal rows for the tests of models."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from loupan.mining import Marts


def marts_of(folder: Path, frames: Mapping[str, pd.DataFrame], reads: Sequence[str], as_of_on: dt.date) -> Marts:
    """Write frames as the marts of a refresh whose last day is over, and return them."""
    assert set(frames) == set(reads)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    as_of = dt.datetime.combine(as_of_on, dt.time(16), dt.UTC)
    return Marts(folder, as_of, as_of_on, tuple(reads))


def typed(columns: Mapping[str, str], rows: Sequence[Sequence[object]] = ()) -> pd.DataFrame:
    """Return a frame with types, also of no rows: missing numbers and moments stay missing."""
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))


def written(folder: Path, as_of_on: dt.date, **frames: pd.DataFrame) -> Marts:
    """Write the marts that are given, and no others."""
    return marts_of(folder, frames, tuple(frames), as_of_on)
