"""Rows of the CRM that were kept out of the statistics: by what is published, and by a refresh that was refused.

What a refused refresh kept out is in no snapshot, yet it is what has to be mended first. It stands in
``<data_dir>/refused_rows.parquet`` until a refresh is published.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from loupan.errors import LoupanError
from loupan.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_COLUMNS = ["table_name", "row_key", "column_name", "rule", "value", "reason", "since"]
_TABLE = "quarantine_row"
_FILE = "refused_rows.parquet"


def tolerated(threshold: float, rows: int) -> int:
    """Return how many rows of a table may be kept out, or break a rule, before publishing is refused.

    Args:
        threshold: the setting ``quarantine_threshold``.
        rows: of the table, good and bad. One bad row always may be, unless none at all is tolerated.
    """
    return max(math.floor(threshold * rows), 1 if threshold > 0 else 0)


def published_rows(marts: duckdb.DuckDBPyConnection, limit: int = 1000, per_table: int | None = None) -> pd.DataFrame:
    """Return the rows kept out of a snapshot, one row per broken rule, in the order of tables and keys.

    Args:
        marts: its marts.
        limit: the most rows returned.
        per_table: the most rows of one table; None for no such limit.

    Returns:
        A data frame with table_name, row_key, column_name, rule, value, reason and since (naive UTC, the load that
        first kept it out; missing in snapshots of earlier versions); empty where nothing was ever kept out.
    """
    import pandas as pd

    # A warehouse that no pipeline of ours filled keeps nothing out.
    if not marts.execute("from duckdb_tables() where table_name = ?", [_TABLE]).fetchall():
        return pd.DataFrame(columns=_COLUMNS)
    return _first(marts.table(_TABLE), limit, per_table)


def refused_rows(settings: Settings, limit: int = 1000) -> pd.DataFrame | None:
    """Return the rows kept out by the last refresh that was refused, as `published_rows`.

    None where it kept none out, where a refresh was published since, or where none was ever refused.

    Raises:
        LoupanError: if the file that holds them is damaged.
    """
    path = _path(settings)
    if not path.exists():
        return None
    import duckdb

    with duckdb.connect() as connection:
        try:
            return _first(connection.read_parquet(str(path)), limit)
        except duckdb.Error as error:
            raise LoupanError(f"Cannot read {path}: {error}. Delete it; the next refresh writes it anew.") from error


def keep_refused_rows(settings: Settings, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Keep the rows that the refused refresh in the warehouse kept out, if any, for people to mend."""
    rows = warehouse.table(f"quarantine.{_TABLE}")
    if not rows.count("*").fetchall()[0][0]:
        forget_refused_rows(settings)
        return
    path = _path(settings)
    temporary = path.with_suffix(".tmp")
    rows.to_parquet(str(temporary))
    os.replace(temporary, path)


def forget_refused_rows(settings: Settings) -> None:
    """Forget what a refused refresh kept out: a later one was published."""
    _path(settings).unlink(missing_ok=True)


def _path(settings: Settings) -> Path:
    return settings.data_dir / _FILE


def _first(rows: duckdb.DuckDBPyRelation, limit: int, per_table: int | None = None) -> pd.DataFrame:
    if per_table is not None:
        place = "row_number() over (partition by table_name order by row_key, column_name, rule)"
        rows = rows.project(f"*, {place} as place").filter(f"place <= {per_table:d}")
    ordered = rows.order("table_name, row_key, column_name, rule, value, reason").limit(limit)
    return ordered.df().reindex(columns=_COLUMNS)
