"""The state of the dbt project: what a snapshot was made by, and what the program at hand would make."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

_PARTS = ("models/**/*.sql", "models/**/*.yml", "macros/**/*.sql", "dbt_project.yml")


@cache
def fingerprint(folder: Path) -> str:
    """Return 16 hexadecimal digits that tell one state of a dbt project from another, by what decides on its marts."""
    summed = sha256()
    for path in sorted({path for part in _PARTS for path in folder.glob(part)}):
        content = path.read_bytes()
        summed.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return summed.hexdigest()[:16]
