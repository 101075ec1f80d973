"""What content security policies are made of."""

from __future__ import annotations

import base64
import re
from hashlib import sha256

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


def inline_script_hashes(page: str) -> str:
    """Return the sources that let the scripts within a page run as they stand, and no others."""
    return " ".join(
        f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(page)
    )
