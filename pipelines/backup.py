"""The scheduled backup of the CRM.

The load reads the CRM from outside and imports nothing of its program; so does this job, which calls the command.
"""

import subprocess
import sys

import dagster as dg

BACKUP = "backup"
_COMMAND = [sys.executable, "-c", "from loupan.cli import run; run()", "backup", "create"]


@dg.op(description="Runs `loupan backup create`.")
def make_backup(context: dg.OpExecutionContext) -> None:
    """Make a backup.

    Raises:
        Failure: with what the command said, if it failed.
    """
    done = subprocess.run(_COMMAND, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    if done.returncode:
        raise dg.Failure(description=done.stderr.strip() or f"`loupan backup create` ended with {done.returncode}")
    context.log.info(done.stdout.strip())


@dg.job(
    name=BACKUP,
    description="Copy the CRM with its attached files into one file.",
    executor_def=dg.in_process_executor,
)
def backup_job() -> None:
    """Make a backup."""
    make_backup()
