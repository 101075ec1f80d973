"""Whether this process is one of a running service."""

from __future__ import annotations

import os

# Every process of a service carries it, and hands it on to those it starts.
MARKER = "LOUPAN_SUPERVISED_BY"


def is_supervised() -> bool:
    """Say whether `loupan service` started this process, or one that started it."""
    return MARKER in os.environ
