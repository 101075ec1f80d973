"""One refresh, run through the Dagster job in this process."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from loupan.errors import LoupanError
from loupan.refresh_lock import refresh_lock
from loupan.refresh_state import INTERRUPTED, RefreshState, cancel_words, cancelled_by, now, read_state, write_state
from loupan.settings import Settings
from pipelines.dagster_records import set_aside_damaged
from pipelines.progress import Reporter
from pipelines.unchanged import note_unchanged, published_as_it_is
from pipelines.warehouse import disk_is_full


def refresh(
    settings: Settings,
    reporter: Reporter,
    *,
    full: bool = False,
    reload: Sequence[str] = (),
    as_of: dt.datetime | None = None,
    started_by: str = "",
) -> RefreshState:
    """Load, transform, check and publish.

    Args:
        settings: where everything lies.
        reporter: shows the progress.
        full: load all rows again instead of the changed ones.
        reload: tables of which all rows are loaded again.
        as_of: the moment the statistics speak of (aware); the present by default.
        started_by: who asked for it; empty for the command line.

    Returns:
        What became of it. ``outcome`` is ``published``, ``unchanged`` (it would publish again what is published),
        ``refused`` (checks failed) or ``error``.

    Raises:
        LoupanError: if nothing can be written, e.g. because the disk is full or Dagster's records are damaged.
    """
    try:
        with refresh_lock(settings.data_dir, lambda: reporter.step("Waiting for another refresh to end").finish()):
            moment = as_of or dt.datetime.now(dt.UTC)
            if not full and not reload and (snapshot := published_as_it_is(settings, moment, settings.source_seconds)):
                return note_unchanged(settings, snapshot, moment, started_by)
            config = {"full": full, "reload": list(reload), "as_of": as_of.isoformat() if as_of else None}
            return _run_on_whole_records(settings, reporter, config, started_by)
    except (OSError, sa.exc.DatabaseError) as error:
        # Dagster's own records are written beside ours; it does not say kindly what is wrong with them.
        raise LoupanError(_advice(settings, error)) from error


def _run_on_whole_records(
    settings: Settings, reporter: Reporter, config: dict[str, Any], started_by: str
) -> RefreshState:
    """Run, and once more if it failed because Dagster's records are damaged: nothing that is shown rests on them."""
    try:
        state = _run(settings, reporter, config, started_by)
        moved = set_aside_damaged(settings) if state.outcome == "error" else []
        if not moved:
            return state
    except Exception:
        moved = set_aside_damaged(settings)
        if not moved:
            raise
    state = _run(settings, reporter, config, started_by)
    places = ", ".join(map(str, moved))
    state.messages.append(
        f"Dagster's records of runs or schedules were damaged. They lie now at {places}; new ones were begun. Start "
        "`loupan orchestrate` anew if it runs."
    )
    write_state(settings, state)
    return state


def _advice(settings: Settings, error: OSError | sa.exc.DatabaseError) -> str:
    cause = getattr(error, "orig", None) or error
    stays = "what was published before stays."
    if "not a database" in str(cause) or "malformed" in str(cause):
        return (
            f"Dagster's records in {settings.dagster_home} are damaged ({cause}). Move that folder away and refresh "
            f"again: only the history of runs is lost, {stays}"
        )
    if (
        getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        or "disk is full" in str(cause)
        or disk_is_full(settings.warehouse_path)
    ):
        return f"The disk that holds {settings.data_dir} is full ({cause}). Free space and refresh again; {stays}"
    return (
        f"Loupan cannot write to {settings.data_dir}: {cause}. Check LOUPAN_DATA_DIR, its free space, and who may "
        f"write there, and refresh again; {stays}"
    )


def _run(settings: Settings, reporter: Reporter, config: dict[str, Any], started_by: str) -> RefreshState:
    import dagster as dg

    from pipelines.definitions import REFRESH, build_definitions
    from pipelines.instance import COMMAND, NO_RETRY, STARTED_BY_TAG, WAREHOUSE_TAG, prepare_home

    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    started_at = now()
    job = build_definitions(settings, reporter).resolve_job_def(REFRESH)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={WAREHOUSE_TAG: COMMAND} | NO_RETRY | ({STARTED_BY_TAG: started_by} if started_by else {}),
            run_config={
                "ops": {"raw_tables": {"config": config}},
                # The outcome says what matters; Dagster's log of every event stays in its own database.
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    state = read_state(settings)
    if state is None or state.refresh_id != result.run_id:
        # It failed before its first step: no resource, no data folder.
        state = RefreshState(result.run_id, started_at, "error", now(), error="the refresh could not start")
        write_state(settings, state)
    elif state.outcome == "running":
        # No step failed, and none came to an end: Ctrl-C, here or from who cancelled it.
        by = cancelled_by(settings, state.refresh_id)
        state.outcome, state.finished_at = "error" if by is None else "cancelled", now()
        why = INTERRUPTED if by is None else cancel_words(by)
        state.error = f"{why}; nothing was published, the next one begins anew"
        write_state(settings, state)
    return state
