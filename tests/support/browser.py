"""The browser that tests, benchmarks and the README's pictures look through."""

from __future__ import annotations

import shutil

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "chromium is not installed: see tests/support/system_packages.sh"


def executable() -> str | None:
    """Return the path of the browser, or None where there is none."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def launch(playwright):
    """Start it.

    Raises:
        FileNotFoundError: if there is none.
    """
    path = executable()
    if path is None:
        raise FileNotFoundError(MISSING)
    return playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
