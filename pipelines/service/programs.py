"""The programs of the service, and supervisor's configuration for them."""

from __future__ import annotations

import configparser
import io
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from loupan import web_worker
from loupan.settings import PREFIX, Settings
from loupan.supervised import MARKER
from pipelines.service import balancer
from pipelines.service.place import Place

WEB, BALANCER, DAGSTER, DAEMON, CODE = "web", "balancer", "dagster", "daemon", "code"
SUPERVISOR = "supervisor"
# How long a refresh has to end when the service stops.
CODE_STOP_SECONDS = 60
# In the order in which they start, and the reverse of that in which they stop: first nobody reads, then no run is
# started, and last the run there may be has a minute to end.
PROGRAMS = (CODE, DAEMON, DAGSTER, WEB)
# The web app as several processes: told apart by the names that `loupan.web_worker` gives them.
SEVERAL = (CODE, DAEMON, DAGSTER, BALANCER, WEB)
USER = "loupan"
# As `dagster dev -m` names it, so that schedules keep their state between `loupan orchestrate` and the service.
LOCATION = "pipelines.definitions"
# Supervisor waits a second more after each failed start, without end: a full disk may take days to be noticed.
_FOR_EVER = 1_000_000


@dataclass(frozen=True)
class Program:
    """One supervised program.

    Attributes:
        name: as `loupan service` takes it.
        command: its arguments.
        start_seconds: how long it has to live to count as started.
        stop_seconds: how long it may take to stop before it is killed with all it started.
        stops_alone: whether it stops what it started by itself, when that has come to an end.
        group: of the programs that start and stop together with it; empty for one that stands alone.
        environment: variables of its own.
    """

    name: str
    command: Sequence[str]
    start_seconds: int
    stop_seconds: int
    stops_alone: bool = False
    group: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Addresses:
    """Where the service listens.

    Attributes:
        host: of the web app.
        port: of the web app.
        dagster_port: of Dagster's pages, on this machine alone.
    """

    host: str
    port: int
    dagster_port: int


def programs(settings: Settings, place: Place, addresses: Addresses) -> list[Program]:
    """Return the programs, in the order in which they start."""
    workspace = ["--workspace", str(place.workspace), "--log-format", "json"]
    level = settings.log_level
    after_code = [sys.executable, "-m", "pipelines.service.after", str(place.code_socket)]
    return [
        Program(
            CODE,
            # Its definitions can be loaded anew while a run goes on: that keeps the server it began with.
            [sys.executable, "-m", "dagster", "code-server", "start", "--socket", str(place.code_socket),
             "--module-name", LOCATION, "--location-name", LOCATION,
             "--use-python-environment-entry-point", "--log-format", "json", "--log-level", level],
            3,
            CODE_STOP_SECONDS,
            stops_alone=True,  # a refresh that is nearly done may end
        ),
        Program(
            DAEMON,
            [*after_code, sys.executable, "-m", "dagster._daemon", "run", *workspace, "--log-level", level],
            5,
            30,
        ),
        Program(
            DAGSTER,
            [*after_code, sys.executable, "-m", "dagster_webserver", "--host", "127.0.0.1",
             "--port", str(addresses.dagster_port), *workspace, "--dagster-log-level", level,
             *(["--path-prefix", settings.dagster_path] if settings.dagster_path else [])],
            5,
            20,
        ),
        *web_programs(settings, place, addresses.host, addresses.port),
    ]  # fmt: skip


def web_programs(settings: Settings, place: Place, host: str, port: int) -> list[Program]:
    """Return what serves the web app at an address: one process, or a balancer and several behind it.

    Raises:
        ServiceError: if there are to be several and the balancer is not installed.
    """
    serve = [sys.executable, "-c", "from loupan.cli import run; run()", "serve"]
    if settings.web_processes == 1:
        return [Program(WEB, [*serve, "--host", host, "--port", str(port)], 5, 30)]
    shared = web_worker.Shared(place.shared)
    # In the foreground and in one process; open pages end with the processes behind it.
    program = [balancer.executable(settings.web_processes), "-db", "-f", str(place.balancer_configuration)]
    return [
        Program(BALANCER, program, 1, 10),
        *(
            Program(
                name,
                [*serve, "--socket", str(place.worker_socket(name)), "--shared", str(place.shared)],
                5,
                30,
                group=WEB,
                environment={"PROMETHEUS_MULTIPROC_DIR": str(shared.metrics)},
            )
            for name in web_worker.names(settings.web_processes)
        ),
    ]


def prepare_web(settings: Settings, place: Place, host: str, port: int, *, is_to_terminal: bool = False) -> None:
    """Write what several web processes and their balancer need; nothing where there is one.

    Raises:
        ServiceError: if the balancer is not installed, or does not accept what it is told.
    """
    if settings.web_processes == 1:
        return
    program = balancer.executable(settings.web_processes)
    web_worker.Shared(place.shared).make()
    workers = web_worker.names(settings.web_processes)
    place.starting_page.write_bytes(balancer.starting_page().encode())
    text = balancer.configuration(place, host, port, workers, settings.session_hours, is_to_terminal=is_to_terminal)
    place.balancer_configuration.write_text(text, encoding="utf-8")
    balancer.check(program, place.balancer_configuration)


def workspace_text(place: Place) -> str:
    """Return Dagster's list of code locations."""
    server = {"socket": str(place.code_socket), "location_name": LOCATION}
    return yaml.safe_dump({"load_from": [{"grpc_server": server}]})


def _quoted(arguments: Sequence[str]) -> str:
    """Return a command as supervisor reads it: split like a shell's, after its own % is replaced."""
    quoted = " ".join("'" + argument.replace("'", "'\"'\"'") + "'" for argument in arguments)
    return quoted.replace("%", "%%")


def configuration(settings: Settings, place: Place, addresses: Addresses) -> str:
    """Return supervisor's configuration for the whole service."""
    environment = {f"{PREFIX}DAGSTER_PORT": str(addresses.dagster_port)}
    return configuration_of(settings, place, programs(settings, place, addresses), environment)


def configuration_of(
    settings: Settings,
    place: Place,
    listed: Sequence[Program],
    environment: Mapping[str, str],
    *,
    is_to_terminal: bool = False,
) -> str:
    """Return supervisor's configuration: a socket of our own for orders, nothing on the network.

    Args:
        settings: how much is logged.
        place: where files go.
        listed: the programs, in the order in which they start.
        environment: variables of all programs.
        is_to_terminal: whether programs write where the supervisor does, and not into logs.
    """

    def path(value: object) -> str:
        return str(value).replace("%", "%%")

    common = {MARKER: place.marker, "PYTHONUNBUFFERED": "1", **environment}

    def log(program: Program) -> dict[str, str]:
        if is_to_terminal:
            return {"stdout_logfile": "/dev/stdout", "stdout_logfile_maxbytes": "0"}
        return {
            "stdout_logfile": path(place.logs / f"{program.name}.log"),
            "stdout_logfile_maxbytes": f"{settings.log_megabytes}MB",
            "stdout_logfile_backups": str(settings.log_files),
        }

    password = secrets.token_urlsafe(24)
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "pidfile": path(place.pid_file),
        "logfile": path(place.logs / f"{SUPERVISOR}.log"),
        "logfile_maxbytes": f"{settings.log_megabytes}MB",
        "logfile_backups": str(settings.log_files),
        "loglevel": {"warning": "warn"}.get(settings.log_level, settings.log_level),
        "childlogdir": path(place.logs),
        "nocleanup": "true",
        "identifier": "loupan",
        "minfds": "256",
    }
    parser["unix_http_server"] = {
        "file": path(place.control_socket), "chmod": "0700", "username": USER, "password": password,
    }  # fmt: skip
    parser["supervisorctl"] = {"serverurl": f"unix://{place.control_socket}", "username": USER, "password": password}
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for number, program in enumerate(listed):
        parser[f"program:{program.name}"] = {
            "command": _quoted(program.command),
            "priority": str(100 * (number + 1)),
            "autorestart": "true",
            "startsecs": str(program.start_seconds),
            "startretries": str(_FOR_EVER),
            "stopwaitsecs": str(program.stop_seconds),
            "stopasgroup": "false" if program.stops_alone else "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            **log(program),
            "environment": ",".join(
                f'{name}="{path(value)}"' for name, value in {**common, **program.environment}.items()
            ),
        }
    for group in dict.fromkeys(program.group for program in listed if program.group):
        members = [(number, program.name) for number, program in enumerate(listed) if program.group == group]
        parser[f"group:{group}"] = {
            "programs": ",".join(name for _, name in members), "priority": str(100 * (members[0][0] + 1)),
        }  # fmt: skip
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
