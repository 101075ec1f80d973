"""The schema's words and values in the reader's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime
from data_entry.schema.customer import Feature
from data_entry.schema.labels import choice_label, column_label, table_label, table_plural
from data_entry.services import validation
from data_entry.services.tables import vocabularies
from loupan.formats import NO_DATA

MASKED = "•••"


def table_name(desk: Desk, table: str) -> str:
    """Return what one row of a table is called."""
    return desk.t(table_label(table))


def table_names(desk: Desk, table: str) -> str:
    """Return what the rows of a table are called."""
    return desk.t(table_plural(table))


def label(desk: Desk, table: str, column: str) -> str:
    """Return what a column is called."""
    return desk.t(column_label(table, column))


def vocabulary_name(desk: Desk, field: str) -> str:
    """Return what a vocabulary, named ``table.column``, is called."""
    table, _, column = field.partition(".")
    return f"{table_name(desk, table)}: {label(desk, table, column)}"


def is_money(column: sa.Column) -> bool:
    """Say whether a column holds an amount in the company's currency."""
    return isinstance(column.type, ExactNumeric) and (column.type.precision, column.type.scale) == (18, 2)


def shown_feature(desk: Desk, feature: Feature, values: Sequence[str]) -> str:
    """Write the values of a feature that people defined, kept as text, for the reader; a dash for none."""

    def word(text: str) -> str:
        try:
            match feature.data_type:
                case "boolean":
                    return desk.t("Yes") if validation.read_flag(text) else desk.t("No")
                case "date":
                    return desk.formats.day(dt.date.fromisoformat(text))
                case "number":
                    return f"{Decimal(text):,f}"
        except (ValueError, ArithmeticError):  # kept before the feature became what it is
            pass
        return text

    return desk.t(", ").join(map(word, values)) or NO_DATA


def shown(  # noqa: PLR0911 - one branch for each kind of value
    desk: Desk, table: str, column: str, value: Any, caption: str | None = None
) -> str:
    """Write a value for the reader: a dash for none, references by what they are called.

    Args:
        desk: the reader.
        table: name of the table.
        column: name of the column.
        value: as the column holds it, or as JSON has it.
        caption: what the row that the value points to is called.
    """
    if value is None or value == "":
        return NO_DATA
    if caption is not None:
        return caption
    kind = metadata.tables[table].c[column].type
    if (table, column) == ("vocabulary_term", "field") and value in vocabularies():
        return vocabulary_name(desk, str(value))
    if isinstance(kind, sa.Boolean):
        return desk.t("Yes") if value else desk.t("No")
    if isinstance(kind, sa.Enum):
        return desk.t(choice_label(str(value)))
    try:
        if isinstance(kind, sa.Date):
            return desk.formats.day(value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)[:10]))
        if isinstance(kind, UtcDateTime):
            moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
            return desk.formats.moment(moment, str(desk.zone))
        if isinstance(kind, ExactNumeric):
            number = Decimal(str(value))
            text = f"{number:,.{kind.scale}f}"
            if is_money(metadata.tables[table].c[column]):
                sign = desk.formats.currency_sign
                return f"−{sign}{text[1:]}" if number < 0 else f"{sign}{text}"
            return text.rstrip("0").rstrip(".") if "." in text else text
    except (ValueError, ArithmeticError):
        return str(value)
    if isinstance(kind, sa.Integer) and not isinstance(value, bool) and column not in ("id", "entity_id"):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return str(value)
