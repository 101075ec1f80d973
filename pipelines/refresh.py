"""One refresh, run through the Dagster job in this process."""

from __future__ import annotations

import datetime as dt
import os

import sqlalchemy as sa

from loupan.errors import LoupanError
from loupan.refresh_state import RefreshState, now, read_state, write_state
from loupan.settings import Settings
from pipelines.progress import Reporter


def refresh(
    settings: Settings, reporter: Reporter, *, full: bool = False, as_of: dt.datetime | None = None
) -> RefreshState:
    """Load, transform, check and publish.

    Args:
        settings: where everything lies.
        reporter: shows the progress.
        full: load all rows again instead of the changed ones.
        as_of: the moment the statistics speak of (aware); the present by default.

    Returns:
        What became of it. ``outcome`` is ``published``, ``refused`` (checks failed) or ``error``.

    Raises:
        LoupanError: if nothing can be written, e.g. because the disk is full.
    """
    try:
        return _run(settings, reporter, full, as_of)
    except (OSError, sa.exc.OperationalError) as error:
        # Dagster's own records are written on the same disk as ours; it does not say so kindly when it is full.
        raise LoupanError(
            f"Loupan cannot write to {settings.data_dir}: {getattr(error, 'orig', None) or error}. Is the disk full? "
            "Free space and refresh again; what was published before stays."
        ) from error


def _run(settings: Settings, reporter: Reporter, full: bool, as_of: dt.datetime | None) -> RefreshState:
    import dagster as dg

    from pipelines.definitions import REFRESH, build_definitions
    from pipelines.instance import prepare_home

    os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
    started_at = now()
    job = build_definitions(settings, reporter).resolve_job_def(REFRESH)
    config = {"full": full, "as_of": as_of.isoformat() if as_of else None}
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={
                "ops": {"raw_tables": {"config": config}},
                # The outcome says what matters; Dagster's log of every event stays in its own database.
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    state = read_state(settings)
    if state is None or state.refresh_id != result.run_id:
        # It failed before its first step: no resource, no lock, no data folder.
        state = RefreshState(result.run_id, started_at, "error", now(), error="the refresh could not start")
        write_state(settings, state)
    return state
