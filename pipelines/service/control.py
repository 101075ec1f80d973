"""Orders to a running service, through supervisor's own interface on its socket."""

from __future__ import annotations

import configparser
import json
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx
from supervisor.xmlrpc import Faults, SupervisorTransport

from loupan.settings import Settings
from pipelines.service.place import LOOPBACK, ServiceError, place_of, running_pid
from pipelines.service.programs import PROGRAMS

_READY_SECONDS = 15.0


@dataclass(frozen=True)
class ProgramState:
    """How a program does.

    Attributes:
        name: the program.
        state: in supervisor's words: RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL.
        pid: number of its process, None where there is none.
        seconds: how long it has been in that state.
        note: what is wrong, where something is.
    """

    name: str
    state: str
    pid: int | None
    seconds: int
    note: str


def _proxy(settings: Settings) -> Any:
    if running_pid(settings) is None:
        raise ServiceError(f"No service runs on {settings.data_dir}. Start it with `loupan service start`.")
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.read(place_of(settings).configuration, encoding="utf-8")
    try:
        section = parser["supervisorctl"]
        transport = SupervisorTransport(section["username"], section["password"], section["serverurl"])
    except KeyError as error:
        raise ServiceError("The service is just starting. Try again in a moment.") from error
    # The address is not used: the transport knows the socket.
    return cast(Any, xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)).supervisor


def _ask(settings: Settings, method: str, *arguments: Any) -> Any:
    try:
        return getattr(_proxy(settings), method)(*arguments)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == Faults.SHUTDOWN_STATE:
            raise ServiceError(
                "The service is stopping. `loupan service logs supervisor` tells how far it is."
            ) from fault
        raise ServiceError(f"The supervisor refuses: {fault.faultString}.") from fault
    except (OSError, xmlrpc.client.ProtocolError) as error:
        raise ServiceError(
            f"The supervisor does not answer at {place_of(settings).control_socket}: {error}. It may be starting or "
            "stopping; try again in a moment."
        ) from error


def states(settings: Settings) -> list[ProgramState]:
    """Return how the programs do, in the order in which they start.

    Raises:
        ServiceError: if no service runs, or it does not answer.
    """
    found = {info["name"]: info for info in _ask(settings, "getAllProcessInfo")}
    return [
        ProgramState(
            name,
            info["statename"],
            info["pid"] or None,
            max(0, info["now"] - (info["start"] if info["pid"] else info["stop"] or info["start"])),
            info["spawnerr"],
        )
        for name in PROGRAMS
        if (info := found.get(name))
    ]


def readiness(settings: Settings) -> dict[str, str]:
    """Return what keeps readers from what they are promised, by part; empty where nothing does."""
    try:
        told = json.loads(place_of(settings).addresses.read_text(encoding="utf-8"))
        # Asked as this machine itself, on whatever address it listens: the reasons are for nobody else.
        host = LOOPBACK if told["host"] in ("0.0.0.0", "::") else told["host"]  # noqa: S104
        name = f"[{host}]" if ":" in host else host
        answer = httpx.get(
            f"http://{name}:{told['port']}/readyz",
            headers={"host": "localhost"},
            timeout=_READY_SECONDS,
            trust_env=False,
        ).json()
        lacking = {part: reason for part, reason in answer.get("parts", {}).items() if reason != "good"}
        return {} if answer["ready"] else lacking or {"web": "is not ready"}
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        return {"web": "does not answer yet"}


def restart(settings: Settings, chosen: Sequence[str] = PROGRAMS) -> None:
    """Stop programs in order, and start them again.

    Raises:
        ServiceError: if there is no such program or no service, or one does not come up.
    """
    unknown = set(chosen) - set(PROGRAMS)
    if unknown:
        raise ServiceError(f"There is no program {', '.join(sorted(unknown))}. There are: {', '.join(PROGRAMS)}.")
    by_name = {state.name: state for state in states(settings)}
    for name in reversed([name for name in PROGRAMS if name in chosen]):
        if by_name[name].state not in ("STOPPED", "EXITED", "FATAL"):
            _ask(settings, "stopProcess", name, True)
    for name in PROGRAMS:
        if name in chosen:
            _ask(settings, "startProcess", name, True)


def wait_for_end(settings: Settings, seconds: float) -> bool:
    """Wait until no service runs; say whether that came true in time."""
    deadline = time.monotonic() + seconds
    while running_pid(settings) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
