"""Ask Dagster on this machine what it will do and when, and switch its schedules, through its GraphQL interface."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from loupan.errors import LoupanError
from loupan.i18n import marked
from loupan.settings import Settings

# To load the definitions anew may mean to parse the dbt project.
TIMEOUT_SECONDS, RELOAD_SECONDS = 20.0, 180.0
# Of an hourly schedule that rests on holidays, the next time may be a hundred hours away.
_NEXT = 120

_OVERVIEW = """
query($next: Int!) {
  repositoriesOrError {
    ... on RepositoryConnection {
      nodes {
        name
        location { name }
        schedules {
          name cronSchedule scheduleState { id status ticks(limit: 1) { status timestamp skipReason } }
          futureTicks(limit: $next) { results { timestamp } }
        }
        sensors { name sensorState { id status ticks(limit: 1) { status timestamp skipReason } } }
      }
    }
    ...Problem
  }
  instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } }
}
"""
# What every answer may be instead of what was asked for.
_PROBLEM = "\nfragment Problem on PythonError { message causes { message } }"
_SELECTOR = "repositoryName: $repository, repositoryLocationName: $location"
_SWITCHES = {
    ("schedule", True): f"""mutation($repository: String!, $location: String!, $name: String!) {{
      done: startSchedule(scheduleSelector: {{{_SELECTOR}, scheduleName: $name}}) {{
        __typename ...Problem ... on UnauthorizedError {{ message }} }} }}""",
    ("sensor", True): f"""mutation($repository: String!, $location: String!, $name: String!) {{
      done: startSensor(sensorSelector: {{{_SELECTOR}, sensorName: $name}}) {{
        __typename ...Problem ... on UnauthorizedError {{ message }} }} }}""",
    ("schedule", False): """mutation($id: String!) {
      done: stopRunningSchedule(id: $id) { __typename ...Problem } }""",
    ("sensor", False): """mutation($id: String!) {
      done: stopSensor(id: $id) { __typename ...Problem } }""",
}
_RELOAD = """
mutation($location: String!) {
  done: reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ...Problem } }
    ...Problem
  }
}
"""


_SILENT = marked("Dagster does not answer. Start it with `loupan service`, or set LOUPAN_DAGSTER_PORT.")
_EMPTY = marked("Dagster runs, but has not loaded the definitions (yet). Look at its page Deployment.")


class DagsterError(LoupanError):
    """Dagster does not run on this machine, or could not do what it was asked for."""


@dataclass(frozen=True)
class Automation:
    """A schedule or a sensor, as it stands in Dagster.

    Attributes:
        kind: which of the two.
        name: in Dagster.
        is_on: whether it runs by itself.
        state_id: Dagster's key of that.
        cron: when, in the company's time zone; empty for a sensor.
        next: when it will run, the next few times; aware, in UTC.
        said: why it did nothing the last time; empty if it did something, or never ran.
    """

    kind: Literal["schedule", "sensor"]
    name: str
    is_on: bool
    state_id: str
    cron: str = ""
    next: tuple[dt.datetime, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Orchestration:
    """What Dagster runs by itself.

    Attributes:
        repository, location: where Dagster keeps our definitions.
        automations: all schedules and sensors.
        sleeping: required daemons without which nothing runs by itself, by their Dagster names.
    """

    repository: str
    location: str
    automations: tuple[Automation, ...]
    sleeping: tuple[str, ...]


class Dagster:
    """Dagster's web server on this machine."""

    def __init__(self, settings: Settings) -> None:
        self._address = f"http://127.0.0.1:{settings.dagster_port}{settings.dagster_path}/graphql"

    def _ask(self, query: str, variables: Mapping[str, Any], timeout: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        try:
            # The machine's proxy is no way to the machine itself.
            with httpx.Client(timeout=timeout, trust_env=False) as client:
                answer = client.post(self._address, json={"query": query + _PROBLEM, "variables": variables})
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterError(_SILENT) from error
        if found.get("errors") or not found.get("data"):
            raise DagsterError(f"Dagster did not understand a question: {found.get('errors')}")
        return dict(found["data"])

    def orchestration(self) -> Orchestration:
        """Return what runs by itself.

        Raises:
            DagsterError: if Dagster does not answer, or has not loaded our definitions.
        """
        found = self._ask(_OVERVIEW, {"next": _NEXT})
        nodes = found["repositoriesOrError"].get("nodes") or []
        if not nodes:
            raise DagsterError(
                "Dagster runs, but has not loaded Loupan's definitions (yet). Look at its page Deployment."
            )
        here = nodes[0]
        return Orchestration(
            here["name"],
            here["location"]["name"],
            (
                *(_automation("schedule", line, line["scheduleState"]) for line in here["schedules"]),
                *(_automation("sensor", line, line["sensorState"]) for line in here["sensors"]),
            ),
            tuple(
                daemon["daemonType"]
                for daemon in found["instance"]["daemonHealth"]["allDaemonStatuses"]
                if daemon["required"] and not daemon["healthy"]
            ),
        )

    def switch(self, here: Orchestration, automation: Automation, *, is_on: bool) -> None:
        """Turn a schedule or a sensor on or off; Dagster remembers it when it starts again.

        Raises:
            DagsterError: if Dagster does not do it.
        """
        named = {"repository": here.repository, "location": here.location, "name": automation.name}
        variables = named if is_on else {"id": automation.state_id}
        self._require_done(self._ask(_SWITCHES[automation.kind, is_on], variables)["done"])

    def reload(self, here: Orchestration) -> None:
        """Let Dagster read our definitions anew, the plan of refreshes with them.

        Raises:
            DagsterError: if Dagster cannot load them.
        """
        done = self._ask(_RELOAD, {"location": here.location}, RELOAD_SECONDS)["done"]
        self._require_done(done.get("locationOrLoadError") or done)

    @staticmethod
    def _require_done(answer: dict[str, Any]) -> None:
        if answer.get("message") or answer["__typename"].endswith("Error"):
            # The last cause is what somebody can mend; those before it say where Dagster met it.
            causes = [cause["message"] for cause in answer.get("causes") or ()]
            said = (causes or [answer.get("message") or answer["__typename"]])[-1]
            raise DagsterError(f"Dagster refused: {said.strip()}")


def _automation(kind: Literal["schedule", "sensor"], line: dict[str, Any], state: dict[str, Any]) -> Automation:
    last = (state.get("ticks") or [{}])[0]
    return Automation(
        kind,
        line["name"],
        state["status"] == "RUNNING",
        state["id"],
        line.get("cronSchedule") or "",
        tuple(
            dt.datetime.fromtimestamp(tick["timestamp"], dt.UTC)
            for tick in (line.get("futureTicks") or {}).get("results", ())
        ),
        last.get("skipReason") or "",
    )
