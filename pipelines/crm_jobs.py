"""What the CRM does by itself: its backup, the greetings that come due, and the board report.

The load reads the CRM from outside and imports nothing of its program; so do these jobs, which call the command.
"""

import subprocess
import sys

import dagster as dg

_LOUPAN = [sys.executable, "-c", "from loupan.cli import run; run()"]


def _command_job(name: str, description: str, *arguments: str) -> dg.JobDefinition:
    command = f"loupan {' '.join(arguments)}"

    @dg.op(name=f"run_{name}", description=f"Runs `{command}`.")
    def run(context: dg.OpExecutionContext) -> None:
        done = subprocess.run([*_LOUPAN, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - fixed
        if done.returncode:
            raise dg.Failure(description=done.stderr.strip() or f"`{command}` ended with {done.returncode}")
        context.log.info(done.stdout.strip())

    @dg.job(name=name, description=description, executor_def=dg.in_process_executor)
    def job() -> None:
        run()

    return job


BACKUP = _command_job("backup", "Copy the CRM with its attached files into one file.", "backup", "create")
DRILL = _command_job("backup_drill", "Restore the newest backup on trial and compare it.", "backup", "drill")
CARE = _command_job("care", "Write down who is due for a greeting, and make the tasks.", "care", "generate")
REPORT = _command_job("board_report", "Send the board reports that are due.", "report", "send", "--if-any")
