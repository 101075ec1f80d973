"""Rows of CRM tables held as columns, from their making to their writing.

Conventions of a column, so that whole columns are computed at once and no float ever touches money:

- keys, counts: ``int64``; empty = ``NONE``
- decimals (money, areas, shares): ``int64`` in units of the column's last decimal (cents, 0.01 m²); empty = ``NONE``
- moments: ``datetime64[s]`` in the **company's local time**; the writer turns them into UTC; empty = ``NaT``
- dates: ``datetime64[D]``; empty = ``NaT``
- booleans: ``int64`` 0 or 1; empty = ``NONE``
- text: ``object`` arrays of ``str`` or ``None``
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NONE = np.iinfo(np.int64).min
NO_MOMENT = np.datetime64("NaT", "s")
NO_DAY = np.datetime64("NaT", "D")
ONE_DAY = 86_400


def where_known(known: Array, values: Any) -> Array:
    """Return integer ``values`` where ``known``, else ``NONE``."""
    return np.where(known, values, NONE).astype(np.int64)


def text_where(known: Array, values: Array) -> Array:
    """Return text ``values`` where ``known``, else ``None``."""
    result = np.array(values, dtype=object)
    result[~np.asarray(known)] = None
    return result


def pick_text(rng: np.random.Generator, is_good: Array, good: Array, poor: Array) -> Array:
    """Draw a text for each row, from ``good`` or from ``poor`` words."""
    count = len(is_good)
    return np.where(is_good, good[rng.integers(0, len(good), count)], poor[rng.integers(0, len(poor), count)])


def _empty(dtype: np.dtype[Any], count: int) -> Array:
    if dtype.kind == "M":
        return np.full(count, np.datetime64("NaT"), dtype=dtype)
    if dtype.kind == "O":
        return np.full(count, None, dtype=object)
    return np.full(count, NONE, dtype=np.int64)


def _column(values: Any, count: int) -> Array:
    """Bring a scalar, list or array to a column of ``count`` values in one of the conventional types."""
    if values is None or isinstance(values, str):
        return np.full(count, values, dtype=object)
    array = np.asarray(values)
    if array.dtype.kind in "US":
        array = array.astype(object)
    elif array.dtype.kind in "biu":
        array = array.astype(np.int64)
    elif array.dtype.kind == "f":
        raise TypeError("floats are not written: round them to whole units first")
    if array.ndim == 0:
        return np.full(count, array[()], dtype=array.dtype)
    if len(array) != count:
        raise ValueError(f"column of {len(array)} values in a table of {count} rows")
    return array


class Ids:
    """Hands out the keys of every table, counting up from 1."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    def take(self, table: str, count: int) -> Array:
        """Return the next ``count`` keys of ``table``."""
        first = self.last.get(table, 0) + 1
        self.last[table] = first + count - 1
        return np.arange(first, first + count, dtype=np.int64)


class Batch:
    """The rows of one piece of the company, by table, not yet written."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._pieces: dict[str, list[dict[str, Array]]] = {}

    def add(self, table: str, created_at: Any, *, updated_at: Any = None, **columns: Any) -> Array:
        """Add rows to ``table`` and return their keys.

        Args:
            table: name of the table.
            created_at: moment of entry, local time; a scalar or one per row.
            updated_at: moment of the last change; default: never changed.
            columns: the other columns, at least one of them an array; scalars are repeated. A column ``id`` overrides
                the running key.
        """
        count = next(len(v) for v in columns.values() if isinstance(v, (np.ndarray, list, tuple)))
        if count == 0:
            return np.empty(0, dtype=np.int64)
        rows = {name: _column(values, count) for name, values in columns.items()}
        rows["id"] = rows["id"] if "id" in rows else self._ids.take(table, count)
        created = _column(created_at, count).astype("datetime64[s]")
        changed = created if updated_at is None else _column(updated_at, count).astype("datetime64[s]")
        changed = np.where(np.isnat(changed), created, np.maximum(created, changed))
        rows["created_at"], rows["updated_at"] = created, changed
        rows["deleted_at"] = np.full(count, NO_MOMENT)
        rows["row_version"] = 1 + (changed > created).astype(np.int64)
        self._pieces.setdefault(table, []).append(rows)
        return rows["id"]

    def reserve(self, table: str, count: int) -> Array:
        """Return keys for rows that are added later, with their ``id`` given."""
        return self._ids.take(table, count)

    def rows(self, table: str) -> dict[str, Array]:
        """Return the columns of ``table``, all pieces joined (and keep them joined); empty dict if it has none."""
        pieces = self._pieces.get(table, [])
        if len(pieces) > 1:
            names = list(dict.fromkeys(name for piece in pieces for name in piece))
            dtypes = {name: next(p[name].dtype for p in pieces if name in p) for name in names}
            joined = {
                name: np.concatenate(
                    [p[name] if name in p else _empty(dtypes[name], len(p["id"])) for p in pieces], dtype=dtypes[name]
                )
                for name in names
            }
            self._pieces[table] = pieces = [joined]
        return pieces[0] if pieces else {}

    def tables(self) -> Iterator[str]:
        """Yield the names of the tables that have rows."""
        yield from list(self._pieces)
