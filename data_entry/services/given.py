"""Check what was handed to a service, and gather all that is wrong before refusing it.

given = Given()
title = given.text("title", title, 200, required=True)
given.check()
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

from data_entry.services.errors import Invalid, Problem
from loupan.i18n import marked

# Earlier than anything a living company enters; keeps deadlines and time zones within what a date can hold.
EARLIEST = dt.datetime(1970, 1, 1)
MOST_MONEY = Decimal("9999999999999999.99")
LARGEST_KEY = 2**63 - 1


class Given:
    """Collects problems of values; `check` raises them together."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, column: str, message: str, /, **values: object) -> None:
        """Note what is wrong with a value."""
        self.problems.append(Problem(column, message, values))

    def check(self) -> None:
        """Raise `Invalid` if anything was wrong."""
        if self.problems:
            raise Invalid(self.problems)

    def text(self, column: str, value: Any, length: int = 10_000, *, required: bool = False) -> str | None:
        """Return a text without blanks around it; None where it is empty."""
        value = str(value or "").strip()
        # Neither engine keeps them: PostgreSQL refuses NUL, no driver encodes half a character.
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            self.wrong(column, marked("This text has characters that cannot be kept."))
        elif len(value) > length:
            self.wrong(column, marked("At most {length} characters."), length=length)
        elif required and not value:
            self.wrong(column, marked("This is needed."))
        return value or None

    def choice(self, column: str, value: Any, choices: tuple[str, ...]) -> Any:
        """Return a value if it is one of the choices."""
        if value not in choices:
            self.wrong(column, marked("Choose one of the values offered."))
        return value

    def past(
        self, column: str, value: dt.datetime | None, now: dt.datetime, since: dt.datetime | None = None
    ) -> dt.datetime:
        """Return a moment (UTC without offset; `now` where it is None) that is not ahead, and not before another."""
        if value is None:
            return now
        if value.tzinfo is not None:
            try:
                value = value.astimezone(dt.UTC).replace(tzinfo=None)
            except OverflowError:
                value = dt.datetime.min
        if value > now:
            self.wrong(column, marked("This moment has not come yet."))
        elif value < EARLIEST:
            self.wrong(column, marked("This is too long ago."))
        elif since is not None and value < since:
            self.wrong(column, marked("This was before the demand arrived."))
        return value

    def day(self, column: str, value: dt.date | None, latest: dt.date | None = None) -> dt.date:
        """Return a day that is not after the latest one allowed."""
        if value is None:
            self.wrong(column, marked("This is needed."))
            return EARLIEST.date()
        if isinstance(value, dt.datetime):
            value = value.date()
        if latest is not None and value > latest:
            self.wrong(column, marked("This day has not come yet."))
        elif not EARLIEST.date() <= value <= dt.date(2999, 12, 31):
            self.wrong(column, marked("This day is out of range."))
        return value

    def money(self, column: str, value: Decimal | float | str | None, *, positive: bool = False) -> Decimal:
        """Return an amount of at most two decimals."""
        if value is None:
            self.wrong(column, marked("This is needed."))
            return Decimal(0)
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or abs(amount) > MOST_MONEY:
            self.wrong(column, marked("This is no amount."))
            return Decimal(0)
        if amount != amount.quantize(Decimal("0.01")):
            self.wrong(column, marked("At most two decimals."))
        elif positive and amount <= 0:
            self.wrong(column, marked("This must be more than nothing."))
        return amount

    def key(self, column: str, value: int | None, *, required: bool = True) -> Any:
        """Return a key that a database can be asked for."""
        if value is None and not required:
            return None
        if not isinstance(value, int) or not 0 < value <= LARGEST_KEY:
            self.wrong(column, marked("Choose one of the values offered."))
            return None
        return value
