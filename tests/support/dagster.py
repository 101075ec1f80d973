"""Dagster's GraphQL, as its pages use it."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

MINUTES = 60


class Dagster:
    """Dagster's GraphQL, as its UI uses it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def wait_for_location(self) -> Any:
        deadline = time.monotonic() + 3 * MINUTES
        while time.monotonic() < deadline:
            try:
                found = self.ask(
                    "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } "
                    "jobs { name } schedules { name scheduleState { status } } } } } }"
                )["repositoriesOrError"]
                if found.get("nodes"):
                    return found["nodes"][0]
            except OSError:
                pass
            time.sleep(1)
        raise AssertionError("Dagster did not load the definitions")

    def launch(self, repository: Any, job: str, config: dict[str, Any]) -> str:
        selector = {
            "repositoryLocationName": repository["location"]["name"],
            "repositoryName": repository["name"],
            "jobName": job,
        }
        launched = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { runId } } } }",
            p={"selector": selector, "runConfigData": config},
        )["launchRun"]
        return str(launched["run"]["runId"])

    def wait_for_run(self, run_id: str) -> str:
        deadline = time.monotonic() + 5 * MINUTES
        while time.monotonic() < deadline:
            status = self.ask("query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
            if status["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return str(status["runOrError"]["status"])
            time.sleep(1)
        raise AssertionError("the run did not end")

    def freshness(self) -> str:
        """Wait until Dagster's daemon has looked at how fresh the snapshot is, and return what it found."""
        deadline = time.monotonic() + 3 * MINUTES
        while time.monotonic() < deadline:
            asset = self.ask(
                '{ assetNodeOrError(assetKey: {path: ["snapshot"]}) { ... on AssetNode '
                "{ freshnessStatusInfo { freshnessStatus } } } }"
            )["assetNodeOrError"]
            found = (asset.get("freshnessStatusInfo") or {}).get("freshnessStatus", "UNKNOWN")
            if found != "UNKNOWN":
                return str(found)
            time.sleep(1)
        raise AssertionError("nobody looked at the freshness")
