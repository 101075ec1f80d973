"""Helpers that declare CRM columns, one per kind of value.

A column's ``comment`` is its one definition: it becomes the database comment, the description of the
dbt source, and the help text of the form. ``info["personal"]`` marks columns that hold (or, as free
text, may hold) personal data: these never leave the CRM database. ``info["sensitive"]`` marks a column
that is loaded because a statistic is made of it, but whose values are shown nowhere, not even in quarantine.
``label`` is what forms call the column, where its name does not say it; see `data_entry.schema.labels`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

from data_entry.schema.base import BigInt, ExactNumeric, UtcDateTime


def _info(label: str | None, **marks: bool) -> dict[str, Any]:
    return marks | ({"label": label} if label else {})


def ref(target: str, comment: str, *, required: bool = True, index: bool = True, label: str | None = None) -> Any:
    """Declare a foreign key to ``target.id``, indexed unless another index of the table begins with it."""
    return mapped_column(
        BigInt,
        sa.ForeignKey(f"{target}.id"),
        nullable=not required,
        index=index,
        comment=comment,
        info=_info(label),
    )


def text(
    comment: str,
    length: int | None = 200,
    *,
    required: bool = False,
    personal: bool = False,
    vocabulary: bool = False,
    label: str | None = None,
    **kw: Any,
) -> Any:
    """Declare a text column; ``length=None`` for unbounded text.

    With ``vocabulary`` the form offers the terms kept in ``vocabulary_term`` for this field.
    """
    column_type = sa.Text() if length is None else sa.String(length)
    info = _info(label, personal=personal, vocabulary=vocabulary)
    return mapped_column(column_type, nullable=not required, comment=comment, info=info, **kw)


def choice(
    comment: str, *values: str, required: bool = True, default: str | None = None, label: str | None = None
) -> Any:
    """Declare a column that takes one of ``values``, held by a CHECK constraint."""
    return mapped_column(
        sa.Enum(*values, native_enum=False, create_constraint=True, length=40, name="choice_" + values[0]),
        nullable=not required,
        server_default=default,
        comment=comment,
        info=_info(label),
    )


def flag(comment: str, *, default: bool | None = None, label: str | None = None) -> Any:
    """Declare a boolean; without a default it may be empty (not yet known)."""
    return mapped_column(
        sa.Boolean(create_constraint=False),
        nullable=default is None,
        server_default=None if default is None else (sa.true() if default else sa.false()),
        comment=comment,
        info=_info(label),
    )


def moment(comment: str, *, required: bool = False, personal: bool = False, label: str | None = None, **kw: Any) -> Any:
    """Declare a UTC timestamp."""
    return mapped_column(
        UtcDateTime, nullable=not required, comment=comment, info=_info(label, personal=personal), **kw
    )


def day(comment: str, *, required: bool = False, sensitive: bool = False, label: str | None = None, **kw: Any) -> Any:
    """Declare a date of the company's time zone."""
    return mapped_column(sa.Date, nullable=not required, comment=comment, info=_info(label, sensitive=sensitive), **kw)


def money(comment: str, *, required: bool = True, label: str | None = None) -> Any:
    """Declare an amount in the company currency, exact to the cent."""
    return mapped_column(ExactNumeric(18, 2), nullable=not required, comment=comment, info=_info(label))


def number(comment: str, precision: int, scale: int, *, required: bool = False, label: str | None = None) -> Any:
    """Declare an exact decimal."""
    return mapped_column(ExactNumeric(precision, scale), nullable=not required, comment=comment, info=_info(label))


def count(comment: str, *, required: bool = False, label: str | None = None, **kw: Any) -> Any:
    """Declare a whole number."""
    return mapped_column(sa.Integer, nullable=not required, comment=comment, info=_info(label), **kw)


def key(comment: str, *, required: bool = True, label: str | None = None) -> Any:
    """Declare a key of a row whose table is named by another column (no foreign key is possible)."""
    return mapped_column(BigInt, nullable=not required, comment=comment, info=_info(label))
