"""Run dbt inside this process, on the project and folders that the settings name.

A process of its own would import dbt (3 s) and start a second Python for every command; in process, one import and
one partial parse serve the whole refresh.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.errors import DagsterExecutionInterruptedError
from filelock import FileLock

from loupan.errors import LoupanError
from loupan.settings import Settings
from pipelines import begun_marts, delta, difference, increment, recipe
from pipelines.contract import read_contract
from pipelines.increment import Increment
from pipelines.warehouse import open_warehouse

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

TARGET = "duckdb"
BUILD = ("build", "--exclude-resource-type", "unit_test")
# Names of the events that tell what became of a node.
RESULTS = ("LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult")
_MANIFEST, _SEMANTIC_MANIFEST = "manifest.json", "semantic_manifest.json"
_PARTIAL_PARSE = "partial_parse.msgpack"


class DbtError(LoupanError):
    """dbt could not parse or run the project; the message names the file or model."""


def target_path(settings: Settings) -> Path:
    """Folder of dbt's artifacts; one per target, because a change of target forces a full parse."""
    return settings.data_dir / "dbt" / TARGET


@contextmanager
def _artifacts(settings: Settings) -> Iterator[Path]:
    """Keep other processes from writing dbt's artifacts; yields their folder."""
    folder = target_path(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "artifacts.lock"):
        yield folder


@contextmanager
def _environment(warehouse: Path, memory: str, *, vacuum: bool) -> Iterator[None]:
    """Set what profiles.yml reads, and switch telemetry off, for the time of one invocation."""
    wanted = {"LOUPAN_WAREHOUSE_PATH": str(warehouse), "LOUPAN_WAREHOUSE_MEMORY": memory, "DO_NOT_TRACK": "1"}
    if not vacuum:
        wanted["LOUPAN_WAREHOUSE_VACUUM_TASKS"] = "0"
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _invoke(
    settings: Settings,
    command: list[str],
    *,
    manifest: Manifest | None = None,
    on_event: Callable[[Any], None] | None = None,
    variables: Mapping[str, Any] | None = None,
    vacuum: bool = False,
) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    project = str(settings.dbt_project_dir)
    arguments = [
        "--log-level", "none",
        "--log-level-file", "none",
        "--no-use-colors",
        *command,
        "--project-dir", project,
        "--profiles-dir", project,
        "--target", TARGET,
        "--target-path", str(target_path(settings)),
        "--log-path", str(target_path(settings)),
        "--vars", json.dumps({"time_zone": settings.time_zone, **(variables or {})}),
    ]  # fmt: skip
    try:
        # Parsing opens no warehouse, and for another path dbt would parse the whole project anew: its name will do.
        is_opened = command[0] != "parse"
        warehouse = settings.warehouse_path if is_opened else Path(settings.warehouse_path.name)
        with _environment(warehouse, settings.refresh_memory, vacuum=vacuum):
            result = dbtRunner(manifest=manifest, callbacks=[on_event] if on_event else []).invoke(arguments)
    finally:
        # dbt-duckdb keeps the warehouse open until the process ends; publishing has to attach it.
        DuckDBConnectionManager.close_all_connections()
    # Ctrl-C, as Python and as Dagster raise it.
    if isinstance(result.exception, KeyboardInterrupt | DagsterExecutionInterruptedError):
        raise result.exception
    if result.exception is not None:
        raise DbtError(f"dbt {command[0]} failed: {result.exception}") from result.exception
    return result.result


@dataclass(frozen=True)
class Parsed:
    """The project as dbt understands it."""

    manifest: Manifest
    artifact: Mapping[str, Any]  # manifest.json
    semantic_manifest: str  # semantic_manifest.json, as text


@cache
def parse(settings: Settings) -> Parsed:
    """Parse the project (partially, where a former parse left its state), once per process.

    Raises:
        DbtError: if the project cannot be parsed.
    """
    from dbt.parser.manifest import write_manifest

    with _artifacts(settings) as folder:
        for entry in folder.iterdir():
            if entry.suffix and entry.is_dir():
                # dbt overwrites files that it cannot read, but stops at a folder in their place.
                shutil.rmtree(entry)
        manifest = _invoke(settings, ["parse", "--no-write-json"])
        artifacts = _known_artifacts(folder)
        if artifacts is None:
            write_manifest(manifest, str(folder))
            artifacts = _read_artifacts(folder)
        return Parsed(manifest, *artifacts)


def _known_artifacts(folder: Path) -> tuple[Mapping[str, Any], str] | None:
    """Return what an earlier parse wrote of the project as it is; writing it takes half the time of such a parse.

    None if the project has changed since, or if a process was killed before both stood there whole.
    """
    try:
        # dbt writes its own state only where it found something changed.
        parsed_at = (folder / _PARTIAL_PARSE).stat().st_mtime_ns
        if any((folder / name).stat().st_mtime_ns < parsed_at for name in (_MANIFEST, _SEMANTIC_MANIFEST)):
            return None
        artifacts = _read_artifacts(folder)
        json.loads(artifacts[1])
    except (FileNotFoundError, ValueError):
        return None
    return artifacts


def _read_artifacts(folder: Path) -> tuple[Mapping[str, Any], str]:
    return (
        json.loads((folder / _MANIFEST).read_text(encoding="utf-8")),
        (folder / _SEMANTIC_MANIFEST).read_text(encoding="utf-8"),
    )


def read_manifest(settings: Settings) -> Mapping[str, Any]:
    """Return ``manifest.json`` as a dictionary."""
    return parse(settings).artifact


def compiled_sql(settings: Settings) -> dict[str, str]:
    """Return the compiled SELECT of every model, by its unique id."""
    manifest = parse(settings).manifest
    with _artifacts(settings):
        results = _invoke(settings, ["compile", "--no-introspect", "--no-write-json"], manifest=manifest)
    return {r.node.unique_id: r.node.compiled_code for r in results.results if r.node.resource_type == "model"}


@dataclass(frozen=True)
class Built:
    """What became of models and data tests."""

    results: list[Mapping[str, Any]]  # dbt's structured events of a result each, as dagster-dbt reads them
    broken: list[str]  # what dbt could not run, each with its message; a failed test is none


def build(settings: Settings, on_node: Callable[[str], None]) -> Built:
    """Build all models and run all data tests.

    Unit tests are left out: they test the code on literal rows, not the data, and run in the test suite. Where the load
    noted what changed since the last build, only what follows from it is made (:mod:`pipelines.increment`).

    Args:
        settings: where project, warehouse and artifacts lie.
        on_node: called with the name of each model and test that is done.

    Raises:
        DbtError: if dbt itself fails, e.g. because the warehouse cannot be opened.
    """
    from google.protobuf.json_format import MessageToDict

    results: list[Mapping[str, Any]] = []

    def on_event(message: Any) -> None:
        if message.info.name in RESULTS:
            results.append(MessageToDict(message, preserving_proto_field_name=True))
            node = message.data.node_info
            if (message.data.status, node.materialized, node.node_relation.schema) == ("OK", "table", "marts"):
                begun.add(node.node_relation.alias)
        elif message.info.name == "NodeFinished":
            on_node(message.data.node_info.node_name)

    parsed = parse(settings)
    published = forget_published(settings)
    planned = plan_increment(settings, parsed.artifact)
    variables = {"increment": planned.as_variable()} if planned else {}
    kept = [parsed.artifact["nodes"][unique_id] for unique_id in sorted(planned.kept)] if planned else []
    # Of what is named, and not of all tests that look at it as well.
    left_out = ["--indirect-selection", "empty", "--exclude", *(node["name"] for node in kept)] if kept else []
    for node in kept:
        results.append(_kept_result(node))
        on_node(node["name"])
    with _artifacts(settings), begun_marts.begin(settings, planned, published) as begun:
        # The results are returned: nothing to write.
        done = _invoke(
            settings,
            [*BUILD, "--no-write-json", "--threads", str(models_at_once(settings, planned)), *left_out],
            manifest=parsed.manifest,
            on_event=on_event,
            variables=variables,
            vacuum=planned is None or not planned.is_within_day,
        )
        # What failed a test is looked at again by the next build: it begins from the same state.
        if all(result.status in ("success", "pass", "warn") for result in done.results):
            note_built(settings, parsed.artifact, planned, published, begun.finish())
    # Dagster wants to hear of models after those that they are made of.
    places = {unique_id: place for place, unique_id in enumerate(increment.read_nodes(parsed.artifact))}
    results.sort(key=lambda result: places.get(result["data"]["node_info"]["unique_id"], len(places)))
    broken = [f"{r.node.name}: {(r.message or '').strip()}" for r in done.results if r.status == "error"]
    return Built(results, broken)


def models_at_once(settings: Settings, planned: Increment | None) -> int:
    """Return how many models are made at the same time; of a large company any two may need more than the memory.

    Within a day hardly any is made as a whole, and so much of the work is little that one core would wait for it.
    """
    if planned and planned.is_within_day:
        return 2
    try:
        is_large = settings.warehouse_path.stat().st_size > settings.refresh_memory_bytes
    except OSError:
        # dbt says what is wrong with it.
        return 1
    return 1 if is_large else 2


def _kept_result(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result of a model or test that an increment leaves out, in the form of dbt's events.

    The model stands as it is, which dbt calls a no-op; what its test found before holds on.
    """
    is_test = node["resource_type"] == "test"
    return {
        "info": {"name": "LogTestResult" if is_test else "LogModelResult", "invocation_id": ""},
        "data": {
            "node_info": {
                "unique_id": node["unique_id"],
                "node_name": node["name"],
                "resource_type": node["resource_type"],
                "materialized": node["config"]["materialized"],
                "node_status": "pass" if is_test else "no-op",
            },
        },
    }


def plan_increment(settings: Settings, manifest: Mapping[str, Any]) -> Increment | None:
    """Decide which part of the models the next build makes; None if all."""
    if not settings.warehouse_path.is_file():
        return None
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as connection:
        contract = read_contract(manifest)
        delta.create_tables(connection, contract)
        return increment.plan(
            connection, contract, manifest, recipe=recipe.of_models(settings), time_zone=settings.time_zone
        )


def forget_published(settings: Settings) -> str | None:
    """Return the snapshot that holds the models as they stand, and note that none does, as before any build."""
    if not settings.warehouse_path.is_file():
        return None
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as connection:
        return difference.forget_published(connection)


def note_built(
    settings: Settings,
    manifest: Mapping[str, Any],
    planned: Increment | None,
    published: str | None,
    begun: Collection[str] | None = None,
) -> None:
    """Note that the models follow from the rows that are loaded, and in what they differ from a snapshot.

    Args:
        settings: where the warehouse lies.
        manifest: dbt's, as a dictionary.
        planned: which part of the models was made; None if all.
        published: version of the snapshot that held the marts before, if any did.
        begun: names of the marts that are done in the marts file that was begun; None if there is none.
    """
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as connection:
        if planned and published:
            difference.note(connection, planned, published, begun)
        elif begun:
            difference.note_begun(connection, begun)
        (as_of,) = connection.execute("select as_of from raw.refresh").fetchall()[0]
        delta.note_built(connection, read_contract(manifest), delta.Built(as_of, recipe.of_models(settings)))
        # Not before: without twins, sums that hold the changes already would pass for those of the build before.
        increment.drop_twins(connection)
