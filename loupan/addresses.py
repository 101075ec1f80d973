"""Secrets of the environment within the addresses of messages, so that no file holds them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote

from dotenv import dotenv_values

from loupan.settings import ENV_ENCODING, ENV_FILE

_VARIABLE = re.compile(r"\$\{(\w*)\}")


def environment() -> Mapping[str, str | None]:
    """Return the variables that addresses may name: those of ``.env``, and over them the environment's."""
    return {**dotenv_values(ENV_FILE, encoding=ENV_ENCODING), **os.environ}


def names_in(address: str) -> list[str]:
    """Return the variables that an address names as ``${NAME}``."""
    return _VARIABLE.findall(address)


def filled_in(address: str, known: Mapping[str, str | None]) -> str:
    """Put variables into an address.

    One that is the whole address is taken as it stands, a part of one is quoted, so that a password may hold any
    character. One that is not set is empty.
    """
    names = names_in(address)
    if len(names) == 1 and address.strip() == f"${{{names[0]}}}":
        return known.get(names[0]) or ""
    return _VARIABLE.sub(lambda match: quote(known.get(match[1]) or "", safe=""), address)
