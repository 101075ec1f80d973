"""``loupan service``: everything that an installation runs, under one supervisor."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict
from typing import Annotated

import typer

from loupan import logs, web_worker
from loupan.console import Format, OutputFormat, visible, write_rows
from loupan.settings import Settings, get_settings
from pipelines.service.place import LOOPBACK, ServiceError, held, place_of, require_free, running_pid
from pipelines.service.programs import (
    BALANCER,
    PROGRAMS,
    SUPERVISOR,
    WEB,
    Addresses,
    configuration,
    prepare_web,
    workspace_text,
)
from pipelines.service.tail import follow, last_lines

app = typer.Typer(help="Run web app and Dagster under one supervisor.", invoke_without_command=True)

# `systemctl status` says so of a service that does not run.
NOT_RUNNING = 3
# What all programs may take together to stop, with some to spare.
_STOP_SECONDS = 150
_OTHER_LOGS = (SUPERVISOR, logs.REFRESH)
_ALL = f"One of {', '.join(PROGRAMS)}"
_OF_SEVERAL = f"or {BALANCER}, web-1, web-2 and so on where LOUPAN_WEB_PROCESSES is more than one; all by default."
_PROGRAM = typer.Argument(metavar="PROGRAM", help=f"{_ALL}, {_OF_SEVERAL}")


@app.callback()
def service(context: typer.Context) -> None:
    """Run web app and Dagster under one supervisor; without a subcommand, start."""
    if context.invoked_subcommand is None:
        start()


@app.command()
def start(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the web app.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address of the web app. Others than this machine's belong behind a proxy with HTTPS.")
    ] = LOOPBACK,
    dagster_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"Port of Dagster's pages, on {LOOPBACK}; LOUPAN_DAGSTER_PORT by default."),
    ] = None,
) -> None:
    """Run web app, Dagster's pages, daemon and code server in the foreground, until SIGTERM or Ctrl-C."""
    settings = get_settings()
    place = place_of(settings)
    dagster_port = dagster_port or settings.dagster_port
    if port == dagster_port:
        raise ServiceError(f"Web app and Dagster cannot both listen on port {port}. Choose another --dagster-port.")
    with held(settings):
        place.make()
        logs.to_file(place.logs / f"{SUPERVISOR}.log", settings, program=SUPERVISOR)
        from pipelines.instance import bury_dead_runs, prepare_home
        from pipelines.service import supervision

        # What a killed service left would hold the ports, the warehouse and the runs.
        supervision.end_strays(place)
        require_free(host, port, "--port")
        require_free(LOOPBACK, dagster_port, "--dagster-port")
        _write(settings, Addresses(host, port, dagster_port))
        os.environ["DAGSTER_HOME"] = str(prepare_home(settings))
        bury_dead_runs(settings)
        typer.echo(
            f"Loupan is starting on http://{host}:{port}, Dagster on http://{LOOPBACK}:{dagster_port} (this machine "
            f"alone); logs are in {place.logs}. Stop with Ctrl-C or `loupan service stop`."
        )
        supervision.run(place, settings)
    typer.echo("Stopped.")


def _write(settings: Settings, addresses: Addresses) -> None:
    place = place_of(settings)
    prepare_web(settings, place, addresses.host, addresses.port)
    place.write_configuration(configuration(settings, place, addresses))
    place.addresses.write_text(json.dumps(asdict(addresses)), encoding="utf-8")
    place.workspace.write_text(workspace_text(place), encoding="utf-8")


@app.command()
def status(output_format: Format = OutputFormat.TABLE) -> None:
    """Show how the programs do, and what keeps readers from what they are promised.

    Exit code 0: all is well. 1: something is not. 3: no service runs.
    """
    settings = get_settings()
    if running_pid(settings) is None:
        typer.echo(f"No service runs on {settings.data_dir}.", err=True)
        raise typer.Exit(NOT_RUNNING)
    from pipelines.service import control

    found = control.states(settings)
    rows = [
        {
            "program": state.name,
            "state": state.state.lower(),
            "pid": state.pid,
            "seconds": state.seconds,
            "note": state.note or None,
        }
        for state in found
    ]
    write_rows(["program", "state", "pid", "seconds", "note"], rows, output_format)
    lacking = control.readiness(settings)
    for part, reason in lacking.items():
        typer.secho(f"{part}: {visible(reason)}", fg="yellow", err=True)
    if lacking or any(state.state != "RUNNING" for state in found):
        raise typer.Exit(1)


@app.command()
def stop(
    now: Annotated[
        bool, typer.Option("--now", help="Kill what runs instead of waiting; a refresh that runs publishes nothing.")
    ] = False,
) -> None:
    """Stop the service and wait for its end: readers first, then schedules; a refresh has a minute to end."""
    settings = get_settings()
    pid = running_pid(settings)
    if pid is None:
        typer.echo(f"No service runs on {settings.data_dir}.")
        return
    _signal(pid, signal.SIGTERM)
    if now:
        time.sleep(1.5)  # supervisor looks once a second, and has to have seen the first
        _signal(pid, signal.SIGTERM)
    from pipelines.service.control import wait_for_end

    if not wait_for_end(settings, _STOP_SECONDS):
        raise ServiceError(
            f"The service (process {pid}) has not stopped within {_STOP_SECONDS} s. See `loupan service logs "
            f"{SUPERVISOR}`, or stop it with `loupan service stop --now`."
        )
    typer.echo("Stopped.")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise ServiceError(f"The service (process {pid}) belongs to another user; stop it as that user.") from error


@app.command()
def restart(chosen: Annotated[list[str] | None, _PROGRAM] = None) -> None:
    """Stop programs and start them again, under the same supervisor; several web processes one after the other."""
    from pipelines.service import control

    control.restart(get_settings(), tuple(chosen or ()))
    typer.echo("Restarted.")


@app.command("reload")
def reload_definitions() -> None:
    """Load jobs, schedules and models anew without stopping a run that goes on."""
    settings = get_settings()
    if running_pid(settings) is None:
        raise ServiceError(f"No service runs on {settings.data_dir}. Start it with `loupan service start`.")
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    try:
        DagsterGrpcClient(socket=str(place_of(settings).code_socket)).reload_code(timeout=120)
    except DagsterUserCodeUnreachableError as error:
        raise ServiceError(
            "The code server does not answer, or the definitions cannot be loaded. See `loupan service logs code`."
        ) from error
    typer.echo("Loaded anew.")


def _logs(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return what may be asked for → the names of its logs."""
    known: dict[str, tuple[str, ...]] = {name: (name,) for name in (*PROGRAMS, *_OTHER_LOGS)}
    if settings.web_processes == 1:
        return known
    workers = web_worker.names(settings.web_processes)
    return {**known, WEB: workers, BALANCER: (BALANCER,), **{name: (name,) for name in workers}}


@app.command("logs")
def show_logs(
    program: Annotated[
        str | None,
        typer.Argument(metavar="PROGRAM", help=f"{_ALL}, {', '.join(_OTHER_LOGS)}, {_OF_SEVERAL}"),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 20,
    do_follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
) -> None:
    """Show the last lines of the logs."""
    settings = get_settings()
    known = _logs(settings)
    if program is not None and program not in known:
        raise ServiceError(f"There is no log of {program!r}. There are: {', '.join(known)}.")
    wanted = known[program] if program else dict.fromkeys(name for names in known.values() for name in names)
    paths = [place_of(settings).logs / f"{name}.log" for name in wanted]
    for path in paths:
        for line in last_lines(path, lines):
            _show(path.stem, line, is_named=program is None)
    if do_follow:
        for path, line in follow(paths):
            _show(path.stem, line, is_named=program is None)


def _show(name: str, line: str, *, is_named: bool) -> None:
    typer.echo(f"{name:<10} {line}" if is_named else line)
