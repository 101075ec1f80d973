"""The rule of annotations: who enters one is named by the system, not by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_entry.services.work import Work


def apply(
    work: Work, table: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Return who entered a new annotation; see `data_entry.services.rules`."""
    return {"employee_id": work.actor.employee_id} if before is None and after is not None else {}
