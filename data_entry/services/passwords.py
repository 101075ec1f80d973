"""Passwords: how they are kept, which are good enough, and how a one-time one is made."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data_entry.services.errors import Invalid, Problem
from loupan.i18n import marked

SHORTEST, LONGEST = 12, 200
# Without characters that are mistaken for each other when read aloud or copied by hand.
_ONE_TIME_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
# What is tried first everywhere, as far as it is long enough to pass the rule of length; compared without digits,
# signs and case at the end, so that `Password2026!` is found as well.
_COMMON_WORDS = """
    password passw0rd p@ssword p@ssw0rd iloveyou qwertyuiop qwerty qwertyui asdfghjkl zxcvbnm qazwsxedc qazwsx qweasdzxc
    welcome welcometo administrator admin adminadmin letmein letmeinnow changeme changemenow default football baseball
    basketball superman princess sunshine monkey dragon trustno woaini woaiwojia wodemima nihao beijing shanghai
    shenzhen guangzhou loupan loupanloupan fangchan dichan abcdefghij abcdefghijk abcdefgh abcabcabc
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password, with its parameters and salt."""
    return _HASHER.hash(password)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe())


def is_right(password: str, kept: str | None) -> bool:
    """Say whether a password fits a hash; takes as long where there is none."""
    try:
        return _HASHER.verify(kept or _nobodys(), password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Say whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def one_time_password() -> str:
    """Return a random password of 80 bits, in groups, to be handed over and changed at the first login."""
    return "-".join("".join(secrets.choice(_ONE_TIME_ALPHABET) for _ in range(4)) for _ in range(4))


def _core(text: str) -> str:
    return text.casefold().strip(" 0123456789!@#$%^&*()-_=+.,;:?~")


def check_password(password: str, names: Sequence[str], previous_hash: str | None) -> None:
    """Refuse a password that is easily guessed.

    Args:
        password: the new one.
        names: what it must not be: the login, the person's name.
        previous_hash: hash of the one it replaces.

    Raises:
        Invalid: with what is wrong with it.
    """
    problem: Problem | None = None
    if len(password) < SHORTEST:
        problem = _problem(marked("The password needs at least {number} characters."), number=SHORTEST)
    elif len(password) > LONGEST:
        problem = _problem(marked("The password may have at most {number} characters."), number=LONGEST)
    elif len(set(password)) < 4 or not _core(password) or _core(password) in _COMMON:
        problem = _problem(marked("This password is among the first that anybody would try. Choose another."))
    elif any(name and _core(name) and _core(password) == _core(name) for name in names):
        problem = _problem(marked("The password must not be the login or the name."))
    elif previous_hash is not None and is_right(password, previous_hash):
        problem = _problem(marked("The new password is the old one. Choose another."))
    if problem:
        raise Invalid([problem])


def _problem(message: str, **values: object) -> Problem:
    return Problem("password", message, values)
