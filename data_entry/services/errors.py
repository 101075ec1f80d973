"""What services refuse, in words that can be shown in the reader's language.

A message is an English template, marked for the catalogue where it is raised; its values fill the ``{placeholders}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loupan.errors import LoupanError
from loupan.i18n import Translator, marked


class ServiceError(LoupanError):
    """A service refused; nothing was written.

    Args:
        message: English template, marked with `loupan.i18n.marked`.
        values: fill its placeholders.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self.message, self.values = message, values

    def text(self, t: Translator) -> str:
        """Return the message in a language."""
        return t(self.message, **self.values)


class Refused(ServiceError):
    """The rules of the business do not allow it; the message says why and what to do."""


class Forbidden(ServiceError):
    """The actor has no right to it."""


class PageForbidden(Forbidden):
    """The actor may not open a page."""

    def __init__(self) -> None:
        super().__init__(marked("You may not open this page. Ask an administrator if you need to."))


class NotFound(ServiceError):
    """There is no such row, or none the actor may see: the two are not told apart."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one value: the column, and a message as in `ServiceError`."""

    column: str
    message: str
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, t: Translator) -> str:
        """Return the message in a language."""
        return t(self.message, **self.values)


class Invalid(ServiceError):
    """Values do not fit; `problems` names each column and what is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.column}: {p.message.format(**p.values)}" for p in problems))
        self.problems = tuple(problems)

    def text(self, t: Translator) -> str:
        """Return the problems in a language, one after the other."""
        return t("; ").join(problem.text(t) for problem in self.problems)


class Stale(ServiceError):
    """Somebody else has changed the row since it was read.

    Attributes:
        mine: the values that were to be saved.
        theirs: the row as it stands now, by column, with its ``row_version``.
    """

    def __init__(self, message: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.mine, self.theirs = dict(mine), dict(theirs)
