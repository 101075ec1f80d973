"""The marts as a model sees them: whole tables of one refresh, to be read only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from loupan.errors import LoupanError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


class UnknownMart(LoupanError):
    """A model asks for a mart it did not name in READS."""


@dataclass(frozen=True)
class Marts:
    """The marts of a refresh.

    Attributes:
        folder: holds ``<mart>.parquet`` for each mart the models read.
        as_of: the moment the data speak of (aware, UTC); nothing later is in them.
        as_of_on: the last day of the company's calendar they speak of.
        reads: the marts this model may read.
    """

    folder: Path
    as_of: dt.datetime
    as_of_on: dt.date
    reads: tuple[str, ...]

    def frame(self, mart: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a mart as a data frame.

        Args:
            mart: its name.
            columns: those wanted; all by default.

        Raises:
            UnknownMart: if the model's READS does not name it.
        """
        if mart not in self.reads:
            raise UnknownMart(f"{mart} is not in READS ({', '.join(self.reads)}); name it there")
        chosen = ", ".join(f'"{column}"' for column in columns) if columns else "*"
        return self.query(f'select {chosen} from "{mart}"')  # noqa: S608 - names of our own tables

    def query(self, sql: str) -> pd.DataFrame:
        """Return the answer to a question in DuckDB's SQL over the marts named in READS.

        Raises:
            duckdb.Error: if the SQL is wrong or asks for another table.
        """
        return self._connection.execute(sql).df()

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        connection = duckdb.connect(":memory:")
        # DuckDB 2.0 gives wrong results for two different intervals on one column with this optimizer on.
        connection.execute("set disabled_optimizers = 'common_subexpressions'")
        connection.execute("set TimeZone = 'UTC'")
        for mart in self.reads:
            path = str(self.folder / f"{mart}.parquet").replace("'", "''")
            connection.execute(f"create view \"{mart}\" as from read_parquet('{path}')")
        return connection
