"""The programs of the service, and supervisor's configuration for them."""

from __future__ import annotations

import configparser
import io
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from loupan.settings import PREFIX, Settings
from loupan.supervised import MARKER
from pipelines.service.place import Place

WEB, DAGSTER, DAEMON, CODE = "web", "dagster", "daemon", "code"
SUPERVISOR = "supervisor"
# How long a refresh has to end when the service stops.
CODE_STOP_SECONDS = 60
# In the order in which they start, and the reverse of that in which they stop: first nobody reads, then no run is
# started, and last the run there may be has a minute to end.
PROGRAMS = (CODE, DAEMON, DAGSTER, WEB)
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
    """

    name: str
    command: Sequence[str]
    start_seconds: int
    stop_seconds: int
    stops_alone: bool = False


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
    loupan = [sys.executable, "-c", "from loupan.cli import run; run()"]
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
        Program(WEB, [*loupan, "serve", "--host", addresses.host, "--port", str(addresses.port)], 5, 30),
    ]  # fmt: skip


def workspace_text(place: Place) -> str:
    """Return Dagster's list of code locations."""
    server = {"socket": str(place.code_socket), "location_name": LOCATION}
    return yaml.safe_dump({"load_from": [{"grpc_server": server}]})


def _quoted(arguments: Sequence[str]) -> str:
    """Return a command as supervisor reads it: split like a shell's, after its own % is replaced."""
    quoted = " ".join("'" + argument.replace("'", "'\"'\"'") + "'" for argument in arguments)
    return quoted.replace("%", "%%")


def configuration(settings: Settings, place: Place, addresses: Addresses) -> str:
    """Return supervisor's configuration: a socket of our own for orders, nothing on the network."""

    def path(value: object) -> str:
        return str(value).replace("%", "%%")

    environment = {MARKER: place.marker, f"{PREFIX}DAGSTER_PORT": addresses.dagster_port, "PYTHONUNBUFFERED": 1}
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
    for number, program in enumerate(programs(settings, place, addresses)):
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
            "stdout_logfile": path(place.logs / f"{program.name}.log"),
            "stdout_logfile_maxbytes": f"{settings.log_megabytes}MB",
            "stdout_logfile_backups": str(settings.log_files),
            "environment": ",".join(f'{name}="{value}"' for name, value in environment.items()),
        }
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
