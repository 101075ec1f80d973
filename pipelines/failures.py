"""Record what went wrong when a step of a refresh fails."""

from __future__ import annotations

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from loupan.refresh_state import cancel_words, cancelled_by, now, read_state, write_state
from loupan.settings import Settings
from pipelines.publish import failed_checks, record_refusal
from pipelines.warehouse import says_damage, set_aside


def _said(error: BaseException | None) -> str:
    """Return what is to be said of an error."""
    said = getattr(error, "description", None) or str(error) or type(error).__name__
    if isinstance(error, MemoryError) or "Out of Memory" in said or "can't start new thread" in said:
        # DuckDB's own advice is for whoever writes its settings.
        return (
            f"Memory ran out ({said.splitlines()[0]}). Close other programs or give this machine more memory, and "
            "refresh again; what was published before stays."
        )
    return said


def build_failure_hook(settings: Settings) -> dg.HookDefinition:
    """Return the hook that records a failed step in the state of the refresh."""

    @dg.failure_hook
    def record_failure(context: dg.HookContext) -> None:
        """Write the failed step into the refresh's state, unless publishing was refused (recorded already).

        dagster-dbt lets a failed data test stop the run before it comes to publishing; that is a refusal, no error.
        """
        state = read_state(settings)
        if state is None or state.refresh_id != context.run_id or state.outcome != "running":
            return
        by = cancelled_by(settings, context.run_id)
        if by is not None:
            # What was at work when the signal came may have made an error of its own of it.
            state.outcome, state.finished_at, state.error = "cancelled", now(), cancel_words(by)
            write_state(settings, state)
            return
        error = context.op_exception
        if isinstance(error, DagsterAssetCheckFailedError):
            failed, _ = failed_checks(context.instance, context.run_id, expected=())
            record_refusal(settings, state, failed)
            return
        state.outcome, state.finished_at = "error", now()
        state.error = _said(error)
        if says_damage(state.error):
            # Found where the load reads nothing: it would be found again by every refresh.
            aside = set_aside(settings.warehouse_path)
            state.error += f" The warehouse lies now at {aside}; the next refresh builds a new one from the CRM."
        write_state(settings, state)

    return record_failure
