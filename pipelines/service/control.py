"""Orders to a running service, through supervisor's own interface on its socket."""

from __future__ import annotations

import configparser
import json
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from supervisor.xmlrpc import Faults, SupervisorTransport

from loupan.settings import Settings
from pipelines.service.balancer import Orders
from pipelines.service.place import LOOPBACK, ServiceError, place_of, running_pid
from pipelines.service.programs import BALANCER, SEVERAL

_READY_SECONDS = 15.0
# On a machine that is busy with other things.
_STARTED_SECONDS = 300.0


@dataclass(frozen=True)
class ProgramState:
    """How a program does.

    Attributes:
        name: the program.
        group: of programs that start and stop together; its name where it stands alone.
        state: in supervisor's words: RUNNING, STARTING, BACKOFF, STOPPING, STOPPED, EXITED, FATAL.
        pid: number of its process, None where there is none.
        seconds: how long it has been in that state.
        note: what is wrong, where something is.
    """

    name: str
    group: str
    state: str
    pid: int | None
    seconds: int
    note: str

    @property
    def is_one_of_several(self) -> bool:
        """Whether other processes do the same meanwhile."""
        return self.name != self.group

    @property
    def address(self) -> str:
        """What supervisor calls it."""
        return f"{self.group}:{self.name}"


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
    found = [
        ProgramState(
            info["name"],
            info["group"],
            info["statename"],
            info["pid"] or None,
            max(0, info["now"] - (info["start"] if info["pid"] else info["stop"] or info["start"])),
            info["spawnerr"],
        )
        for info in _ask(settings, "getAllProcessInfo")
        if info["group"] in SEVERAL
    ]
    # Of ten processes and more the second comes before the tenth.
    return sorted(found, key=lambda state: (SEVERAL.index(state.group), len(state.name), state.name))


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


def restart(settings: Settings, chosen: Sequence[str] = ()) -> None:
    """Stop programs in order, and start them again.

    Several processes that serve the web app are restarted one after the other if they are chosen: the others serve
    meanwhile, and nobody is refused.

    Args:
        settings: name the data folder.
        chosen: names of programs, or of groups of them; none for all.

    Raises:
        ServiceError: if there is no such program or no service, or one does not come up.
    """
    listed = states(settings)
    known = dict.fromkeys(name for state in listed for name in (state.group, state.name))
    unknown = set(chosen) - set(known)
    if unknown:
        raise ServiceError(f"There is no program {', '.join(sorted(unknown))}. There are: {', '.join(known)}.")
    picked = [state for state in listed if not chosen or {state.group, state.name} & set(chosen)]
    in_turn = [state for state in picked if chosen and BALANCER not in chosen and state.is_one_of_several]
    at_once = [state for state in picked if state not in in_turn]
    for state in reversed(at_once):
        _stop(settings, state)
    for state in at_once:
        _ask(settings, "startProcess", state.address, True)
    for state in in_turn:
        _restart_behind_balancer(settings, state)


def _stop(settings: Settings, state: ProgramState) -> None:
    if state.state not in ("STOPPED", "EXITED", "FATAL"):
        _ask(settings, "stopProcess", state.address, True)


def _restart_behind_balancer(settings: Settings, state: ProgramState) -> None:
    """Restart a process while the balancer leads readers to the others; its pages come back there."""
    balancer = Orders(place_of(settings))
    balancer.close(state.name)
    try:
        _stop(settings, state)
        _ask(settings, "startProcess", state.address, True)
        _wait_for_health(place_of(settings).worker_socket(state.name), state.name)
    finally:
        balancer.open(state.name)
    if not balancer.wait_until_up(state.name, _READY_SECONDS):
        raise ServiceError(
            f"The balancer does not find {state.name} again. See `loupan service logs balancer`; the processes after "
            "it were not restarted."
        )


def _wait_for_health(socket: Path, name: str) -> None:
    deadline = time.monotonic() + _STARTED_SECONDS
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), timeout=_READY_SECONDS) as client:
        while True:
            try:
                if client.get("http://localhost/healthz").is_success:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{name} has not come up within {_STARTED_SECONDS:g} s. See `loupan service logs {name}`; the "
                    "processes after it were not restarted."
                )
            time.sleep(0.2)


def wait_for_end(settings: Settings, seconds: float) -> bool:
    """Wait until no service runs; say whether that came true in time."""
    deadline = time.monotonic() + seconds
    while running_pid(settings) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
