"""One writer of the warehouse at a time, whoever launched the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from loupan.refresh_lock import refresh_lock
from pipelines.instance import COMMAND, fail_dead_runs, forget_old_runs


class WarehouseLock(dg.ConfigurableResource):
    """Held for the whole run, because the in-process executor makes a run's resources once; a second run waits."""

    data_dir: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[WarehouseLock]:
        """Wait for the lock, hold it while the run lasts."""
        log = context.log or dg.get_dagster_logger()
        with refresh_lock(Path(self.data_dir), lambda: log.info("Another refresh is running; this one waits for it.")):
            if context.instance is not None and context.run is not None:
                fail_dead_runs(context.instance, COMMAND, except_run=context.run.run_id)
                forget_old_runs(context.instance)
            yield self
