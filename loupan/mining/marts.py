"""The marts as a model sees them: whole tables of one refresh, to be read only."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from loupan.errors import LoupanError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


# Of what `Marts.sample` draws.
_SHARES = 1_000_000
_ANSWER = "_loupan_answer"


class UnknownMart(LoupanError):
    """A model asks for a mart it did not name in READS."""


@dataclass(frozen=True)
class Marts:
    """The marts of a refresh.

    Attributes:
        folder: holds ``<mart>.parquet`` for each mart that a company's own model reads.
        as_of: the moment the data speak of (aware, UTC); nothing later is in them.
        as_of_on: the last day of the company's calendar they speak of.
        reads: the marts this model may read.
        megabytes: most memory that DuckDB takes to answer; what needs more is put on the disk. None for DuckDB's own
            limit, most of the machine's.
        threads: that DuckDB answers with; None for as many as the machine has cores.
        database: DuckDB file of the marts that are not in the folder, in its schema ``marts``.
    """

    folder: Path
    as_of: dt.datetime
    as_of_on: dt.date
    reads: tuple[str, ...]
    megabytes: int | None = None
    threads: int | None = None
    database: Path | None = None

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

    def query(self, sql: str, *, categories: bool = False) -> pd.DataFrame:
        """Return the answer to a question in DuckDB's SQL over the marts named in READS.

        Counting and joining of millions of rows belongs here: DuckDB keeps to its limit of memory, a data frame of them
        does not.

        Args:
            sql: the question.
            categories: whether texts come as categories, in the order of the alphabet: of millions of rows they take a
                byte or two each instead of fifty.

        Raises:
            duckdb.Error: if the SQL is wrong or asks for another table.
        """
        if not categories:
            return self._connection.execute(sql).df()
        connection = self._connection
        connection.execute(f"create or replace temp table {_ANSWER} as {sql}")
        columns = []
        for number, (name, kind, *_) in enumerate(connection.execute(f"describe {_ANSWER}").fetchall()):
            if kind == "VARCHAR":
                texts = f"{_ANSWER}_{number}"
                connection.execute(f"drop type if exists {texts}")
                connection.execute(
                    f'create type {texts} as enum (select distinct "{name}" from {_ANSWER} where "{name}" is not null '  # noqa: S608 - names of columns
                    "order by 1)"
                )
                columns.append(f'cast("{name}" as {texts}) as "{name}"')
            else:
                columns.append(f'"{name}"')
        frame = connection.execute(f"select {', '.join(columns)} from {_ANSWER}").df()  # noqa: S608 - names of columns
        connection.execute(f"drop table {_ANSWER}")
        return frame

    def sample(self, mart: str, key: str, most: int) -> str:
        """Return a condition, for SQL, that about so many values of a key fulfil, always the same ones.

        A fit to millions of cases takes memory and hours, and is hardly surer than one to a hundred thousand. Whole
        values are drawn, so that the rows of one of them stay together; which ones hangs on nothing but themselves.

        Args:
            mart: a mart named in READS.
            key: its column that holds all the values.
            most: how many.

        Returns:
            ``true`` where there are no more than so many.
        """
        ((values,),) = self._connection.execute(f'select count(distinct "{key}") from "{mart}"').fetchall()  # noqa: S608
        if values <= most:
            return "true"
        return f'md5_number_lower(cast("{key}" as varchar)) % {_SHARES} < {round(_SHARES * most / values)}'

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        # Beside the marts, and gone with them; of this process, since two would write to files of one name.
        spill = self.folder / f".spill-{os.getpid()}"
        connection = duckdb.connect(":memory:", config={"temp_directory": str(spill)})
        if self.megabytes is not None:
            connection.execute(f"set memory_limit = '{self.megabytes}MiB'")
        if self.threads is not None:
            connection.execute(f"set threads = {self.threads}")
        # DuckDB 2.0 gives wrong results for two different intervals on one column with this optimizer on.
        connection.execute("set disabled_optimizers = 'common_subexpressions'")
        connection.execute("set TimeZone = 'UTC'")
        if self.database is not None:
            path = str(self.database).replace("'", "''")
            connection.execute(f"attach '{path}' as warehouse (read_only)")
        for mart in self.reads:
            copy = self.folder / f"{mart}.parquet"
            if self.database is not None and not copy.exists():
                source = f'warehouse.marts."{mart}"'
            else:
                source = "read_parquet('{}')".format(str(copy).replace("'", "''"))
            connection.execute(f'create view "{mart}" as from {source}')
        return connection
