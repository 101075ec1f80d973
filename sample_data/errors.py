"""What can be wrong with what the generator is asked for; each message says how to mend it."""

from __future__ import annotations

from loupan.errors import LoupanError


class SampleArgumentError(LoupanError, ValueError):
    """An argument has a value that cannot be used."""


class CrmNotEmpty(LoupanError):
    """The CRM database already holds company data; sample data would mix with it."""


class CrmNotReady(LoupanError):
    """The CRM database stands at an older version than the program."""
