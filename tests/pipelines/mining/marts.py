"""Small marts, written as a refresh writes them for the models."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd

from loupan.mining import Marts


def written(folder: Path, as_of_on: dt.date, **frames: pd.DataFrame) -> Marts:
    """Write marts as Parquet and return them as a model sees them."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for name, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f"copy (from frame) to '{folder / name}.parquet' (format parquet)")
            connection.unregister("frame")
    as_of = dt.datetime.combine(as_of_on, dt.time(16), dt.UTC)
    return Marts(folder, as_of, as_of_on, tuple(frames))
