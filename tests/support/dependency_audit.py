"""``python -m tests.support.dependency_audit``: whether a known vulnerability is in what we depend on (`make lint`).

A finding fails. Where the service of advisories cannot be asked, as on a machine without internet, that is said plainly
and does not fail: nothing was found out either way. Further arguments go to pip-audit.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[2] / "requirements"
REQUIREMENTS = _FOLDER / "run.txt"
# What is installed where Loupan runs, one environment each.
LOCK_FILES = (REQUIREMENTS, _FOLDER / "spark.txt")
# The lock file holds every package in its version: nothing is to be resolved, and pip is asked nothing.
_AUDIT = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json")
_UNREACHABLE = re.compile(r"connect|timed? ?out|unreachable|resolve|service|HTTP|SSL|proxy", re.IGNORECASE)
_ADDRESS = re.compile(r"\w+://\S+|\b[\w-]+(\.[\w-]+)+(?=[:/])\S*")
_SHOWN = 5


def audit(requirements: Path = REQUIREMENTS, *options: str) -> tuple[int, str]:
    """Run pip-audit over a lock file; return the exit code and what to say."""
    done = subprocess.run(
        [sys.executable, *_AUDIT, "-r", str(requirements), *options], capture_output=True, text=True, check=False
    )
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _without_an_answer(done.stderr)
    return verdict(dependencies)


def verdict(dependencies: list[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit code and what to say of pip-audit's answer."""
    found = [
        f"{package['name']} {package['version']}: {flaw['id']}, "
        f"mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for package in dependencies
        for flaw in package.get("vulns", ())
    ]
    skipped = [package["name"] for package in dependencies if "skip_reason" in package]
    looked_at = len(dependencies) - len(skipped)
    if found:
        return 1, "\n".join([f"Dependency audit: {len(found)} known vulnerabilities.", *found])
    if not looked_at:
        return (
            0,
            f"Dependency audit not possible: none of {len(skipped)} packages is known to the service of advisories.",
        )
    if skipped:
        shown = ", ".join(skipped[:_SHOWN]) + (" …" if len(skipped) > _SHOWN else "")
        return 0, f"Dependency audit: {looked_at} packages without known vulnerability; not looked at: {shown}"
    return 0, f"Dependency audit: {looked_at} packages without known vulnerability."


def _without_an_answer(errors: str) -> tuple[int, str]:
    errors = "\n".join(line for line in errors.splitlines() if not line.startswith("WARNING"))
    if _UNREACHABLE.search(errors):
        return 0, "Dependency audit not possible: the service of advisories cannot be reached."
    # Without addresses: which index somebody uses is nobody else's business.
    return 2, f"Dependency audit failed: {_ADDRESS.sub('…', errors).strip() or 'pip-audit said nothing'}"


def main() -> int:
    """Say what was found; returns the worst exit code."""
    worst = 0
    for lock_file in LOCK_FILES:
        code, text = audit(lock_file, *sys.argv[1:])
        (sys.stderr if code else sys.stdout).write(f"{lock_file.name}: {text}\n")
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
