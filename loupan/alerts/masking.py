"""Take out of technical texts what may be a person's data or a password: messages leave the house."""

from __future__ import annotations

import re

MOST = 300
"""So many characters of a technical text are told."""
_HIDDEN = "…"
_PATTERNS = (
    re.compile(r"(?<=://)\S*@"),  # user and password of an address
    re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),  # e-mail
    re.compile(r"'[^']*'|“[^”]*”|‘[^’]*’|「[^」]*」|`[^`]*`"),  # values, as databases quote them
    re.compile(r"(?<=\)=)\(.*?\)"),  # Key (phone)=(138…)
    re.compile(r"(?!\b\d{4}-\d\d-\d\d(?:T|\b))\+?(?<![\d-])\d[\d -]{5,}\d"),  # telephones, identity cards; no dates
)
_EXAMPLES = re.compile(r"\s*\(e\.g\. .*", re.DOTALL)


def masked(text: str) -> str:
    """Return the first line of a technical text, without what it quotes, addresses and long numbers."""
    line = text.strip().partition("\n")[0]
    for pattern in _PATTERNS:
        line = pattern.sub(_HIDDEN, line)
    return line if len(line) <= MOST else f"{line[:MOST]}{_HIDDEN}"


def without_examples(check: str) -> str:
    """Return what a failed check says, without the values that it gives as examples, and all that follows them."""
    return masked(_EXAMPLES.sub(f" {_HIDDEN}", check))
