"""What a run of Dagster's says, in our logs: the kind of each event, without the messages of exceptions."""

from __future__ import annotations

import logging

import dagster as dg
from dagster._core.execution import context_creation_job
from dagster._core.log_manager import LOG_RECORD_EVENT_ATTR, LOG_RECORD_METADATA_ATTR

LOG = logging.getLogger(__name__)


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        told = getattr(record, LOG_RECORD_METADATA_ATTR, {})
        event = getattr(record, LOG_RECORD_EVENT_ATTR, None)
        # What our own steps say is ours; Dagster's own messages quote exceptions.
        said = told.get("orig_message") if event is None else event.event_type_value
        where = {"run": told.get("run_id"), "job": told.get("job_name"), "step": told.get("step_key")}
        error = getattr(getattr(event, "event_specific_data", None), "error", None)
        extra = {**where, "error_type": error.cls_name} if error is not None else where
        LOG.log(record.levelno, "%s", said, extra={name: value for name, value in extra.items() if value})


@dg.logger(None, "Writes a run's events to Loupan's logs.")
def run_log(context: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger of a run."""
    logger = logging.Logger(__name__)
    logger.addHandler(_Forward())
    return logger


def log_runs_like_everything() -> None:
    """Let runs of this process write to our logs instead of coloured text.

    Dagster lets a run's configuration name its loggers, but offers no way to say which a run has that names none.
    """
    context_creation_job.default_system_loggers = lambda instance: [(run_log, {})]
