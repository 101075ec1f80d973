"""What a model gives back: tables to be published, how they are shown, and how well it did on data kept from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from loupan.errors import LoupanError

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000_000
Unit = Literal["text", "count", "number", "decimal", "percent", "currency", "ratio", "days", "date", "month"]
Kind = Literal["bars", "lines", "points"]
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

    kind: Kind
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
    """Return a result that can be published and shown.

    Raises:
        UnsoundResult: naming what is wrong with it.
    """
    if not isinstance(result, Result):
        raise UnsoundResult(f"run() gave {type(result).__name__}; give back a loupan.mining.Result")
    if wrong := [type(line).__name__ for line in result.evaluation if not isinstance(line, Evaluation)]:
        raise UnsoundResult(f"the evaluation holds {', '.join(wrong)}; give loupan.mining.Evaluation")
    if wrong := [type(output).__name__ for output in result.outputs if not isinstance(output, Output)]:
        raise UnsoundResult(f"the outputs hold {', '.join(wrong)}; give loupan.mining.Output")
    names = [output.name for output in result.outputs]
    if len(set(names)) < len(names):
        raise UnsoundResult(f"two outputs have the same name: {', '.join(names)}")
    check_message(result.verdict, result.values)
    for output in result.outputs:
        _check_output(output)
    return result


def check_message(template: object, values: object) -> None:
    """Say whether a message can be put together.

    Raises:
        UnsoundResult: if it is no text, or its places and values do not fit.
    """
    try:
        str(template).format(**values) if values else None  # type: ignore[arg-type]
    except (TypeError, ValueError, LookupError) as error:
        raise UnsoundResult(f"the text {template!r} does not fit its values {values!r}: {error}") from error
    if not isinstance(template, str):
        raise UnsoundResult(f"{template!r} is no text")


def _check_output(output: Output) -> None:
    import pandas as pd

    told, frame = f"output {output.name!r}", output.frame
    if not isinstance(output.name, str) or not NAME.fullmatch(output.name) or "__" in output.name:
        raise UnsoundResult(f"{told}: use small letters, digits and single underscores, 41 at most")
    if not isinstance(frame, pd.DataFrame):
        raise UnsoundResult(f"{told} holds {type(frame).__name__}; give a pandas DataFrame")
    if not isinstance(output.title, str) or not isinstance(output.note, str):
        raise UnsoundResult(f"{told}: title and note are texts")
    columns = [str(column) for column in frame.columns]
    if not columns:
        raise UnsoundResult(f"{told} has no columns; give them also where there are no rows")
    if wrong := [column for column in columns if not NAME.fullmatch(column)]:
        raise UnsoundResult(f"{told}: columns {wrong} need names of small letters and underscores")
    if len(set(columns)) < len(columns):
        raise UnsoundResult(f"{told}: two columns have the same name")
    if len(frame) > MOST_ROWS:
        raise UnsoundResult(f"{told} has {len(frame):,} rows; at most {MOST_ROWS:,} are published")
    _check_shown(output, told, columns)


def _check_shown(output: Output, told: str, columns: list[str]) -> None:
    """Refuse what could not be shown, now rather than on the page."""
    units = get_args(Unit)
    for name, shown in output.fields.items():
        if not isinstance(shown, Field) or not isinstance(shown.label, str) or shown.unit not in units:
            raise UnsoundResult(f"{told}: {name!r} is shown as {shown!r}; give a Field with one of {', '.join(units)}")
    drawn = output.picture
    wanted = [*output.fields]
    if drawn is not None:
        if not isinstance(drawn, Picture) or drawn.kind not in get_args(Kind):
            raise UnsoundResult(f"{told}: its picture is {drawn!r}; give a Picture of {', '.join(get_args(Kind))}")
        wanted += filter(None, (*drawn.x.split("+"), drawn.y, drawn.low, drawn.high, *drawn.group.split("+")))
    if missing := sorted({*wanted} - {*columns}):
        raise UnsoundResult(f"{told} has no column {', '.join(missing)}; it has {', '.join(columns)}")
    if drawn is not None and drawn.kind == "lines":
        places = [*drawn.x.split("+"), *filter(None, drawn.group.split("+"))]
        if output.frame.duplicated(places).any():
            raise UnsoundResult(f"{told}: its lines have two values at one place; name the lines with group")
    for name, shown in output.fields.items():
        _check_values(output.frame[name].dropna(), shown.unit, f"{told}: column {name!r}")


def _check_values(values: pd.Series, unit: str, told: str) -> None:
    import pandas as pd

    try:
        if unit == "month" and not values.astype(str).str.fullmatch(r"\d{4}-(0[1-9]|1[0-2])").all():
            raise ValueError("has others than months written like 2026-06")
        if unit == "date":
            pd.to_datetime(values)
        elif unit not in ("text", "month"):
            values.astype(float)
    except (TypeError, ValueError) as error:
        raise UnsoundResult(f"{told} is shown as {unit}: {error}") from error
