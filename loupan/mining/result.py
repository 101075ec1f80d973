"""What a model gives back: tables to be published, how they are shown, and how well it did on data kept from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from loupan.errors import LoupanError

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000_000
Unit = Literal["text", "count", "number", "decimal", "percent", "currency", "ratio", "days", "date", "month"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Abstain(Exception):
    """The data cannot carry a result; the text says, in words, what is missing and when there will be one.

    Args:
        reason: an English template, translated where it is shown.
        values: what stands in its places.
    """

    def __init__(self, reason: str, **values: str | int | float) -> None:
        super().__init__(reason.format(**values))
        self.reason, self.values = reason, values


class UnsoundResult(LoupanError):
    """A model gave something that cannot be published."""


@dataclass(frozen=True)
class Field:
    """One column of a table that is shown.

    Attributes:
        label: its heading, in English, translated where it is shown.
        unit: how its values are written; ``text`` for names and codes, of which those of a dimension are named.
    """

    label: str
    unit: Unit = "text"


@dataclass(frozen=True)
class Picture:
    """How a table is drawn.

    Attributes:
        kind: ``bars`` by a name, ``lines`` over months (over numbers if the unit of ``x`` is one), ``points`` with
            intervals by a name.
        x, y: the columns drawn; of ``bars`` and ``points``, ``x`` holds the names. Several columns that name a row
            together are joined by ``+``, here and in ``group``: ``project+theme``.
        low, high: columns of an interval around ``y``.
        group: column whose values are drawn as lines of their own.
    """

    kind: Literal["bars", "lines", "points"]
    x: str
    y: str
    low: str = ""
    high: str = ""
    group: str = ""


@dataclass(frozen=True)
class Output:
    """A table of results.

    A reader who may see only some projects or people sees the rows whose column ``project_id`` or ``employee_id``
    (keys), else ``project`` or ``employee`` (name, staff number), is among those; a table without such a column is
    shown only to who may see everything.

    Attributes:
        name: small letters, digits and underscores; unique in the model.
        title: what it shows.
        frame: the rows.
        fields: the columns shown, in order; other columns are published and not shown.
        picture: how it is drawn; None for a table only.
        note: a sentence under it.
    """

    name: str
    title: str
    frame: pd.DataFrame
    fields: Mapping[str, Field] = field(default_factory=dict)
    picture: Picture | None = None
    note: str = ""


@dataclass(frozen=True)
class Evaluation:
    """How well a model did on data it had not seen, beside the baseline.

    Attributes:
        measure: what was measured, in English.
        model, baseline: the values; None where it could not be measured.
        low, high: 95 % interval of the model's value.
        better: whether high or low values are good.
        unit: how the values are written.
    """

    measure: str
    model: float | None
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    better: Literal["high", "low", "nominal"] = "high"
    unit: Unit = "number"


@dataclass(frozen=True)
class Result:
    """Everything a model found.

    Attributes:
        outputs: its tables.
        evaluation: measured on data later than what it learnt from.
        verdict: in one sentence, whether it beats its baseline; an English template with ``values``.
        values: what stands in the verdict's places.
    """

    outputs: Sequence[Output]
    evaluation: Sequence[Evaluation] = ()
    verdict: str = ""
    values: Mapping[str, str | int | float] = field(default_factory=dict)


def check(result: object) -> Result:
    """Return a result that can be published.

    Raises:
        UnsoundResult: naming what is wrong with it.
    """
    import pandas as pd

    if not isinstance(result, Result):
        raise UnsoundResult(f"run() gave {type(result).__name__}; give back a loupan.mining.Result")
    names = [output.name for output in result.outputs]
    if len(set(names)) < len(names):
        raise UnsoundResult(f"two outputs have the same name: {', '.join(names)}")
    for output in result.outputs:
        if not NAME.fullmatch(output.name):
            raise UnsoundResult(f"output {output.name!r}: use small letters, digits and underscores, 41 at most")
        frame = output.frame
        if not isinstance(frame, pd.DataFrame):
            raise UnsoundResult(f"output {output.name!r} holds {type(frame).__name__}; give a pandas DataFrame")
        columns = [str(column) for column in frame.columns]
        if wrong := [column for column in columns if not NAME.fullmatch(column)]:
            raise UnsoundResult(f"output {output.name!r}: columns {wrong} need names of small letters and underscores")
        if len(set(columns)) < len(columns):
            raise UnsoundResult(f"output {output.name!r}: two columns have the same name")
        drawn = output.picture
        wanted = [*output.fields]
        if drawn is not None:
            wanted += filter(None, (*drawn.x.split("+"), drawn.y, drawn.low, drawn.high, *drawn.group.split("+")))
        if missing := sorted({*wanted} - {*columns}):
            raise UnsoundResult(
                f"output {output.name!r} has no column {', '.join(missing)}; it has {', '.join(columns)}"
            )
        if len(frame) > MOST_ROWS:
            raise UnsoundResult(f"output {output.name!r} has {len(frame):,} rows; at most {MOST_ROWS:,} are published")
    return result
