"""Build the marts on Spark: raw tables out as Parquet files, dbt in an environment of Spark's own, marts back.

Spark wants other versions of libraries than the rest, so dbt runs there as a process of its own. Everything before and
after – loading, checks of raw rows, publishing, dashboards – works on the warehouse and does not notice.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import psutil

from loupan.settings import PREFIX, Settings
from pipelines import delta, difference
from pipelines.dbt_runner import BUILD, RESULTS, Built, DbtError, read_manifest
from pipelines.sql import literal, name

TARGET = "spark"
LOG = "dbt.log"
OLDEST_JAVA = 17
_RUN = "run-"
# Rows of one file of a raw table; so many can be read at once.
_FILE_SIZE = "256MB"
_ENDING_SECONDS = 20


class SparkError(DbtError):
    """Spark cannot be used; the message says what is missing and how to get it."""

    is_impersonal = True


def build(settings: Settings, on_node: Callable[[str], None]) -> Built:
    """Build all models and run all data tests on Spark, and take the marts back into the warehouse.

    Args:
        settings: where project and warehouse lie, and which Spark to use.
        on_node: called with the name of each model and test that is done.

    Raises:
        SparkError: if Spark's environment or Java is missing, or the shared folder cannot be written.
        DbtError: if dbt itself fails.
    """
    dbt = _executable(settings)
    with _run_folder(settings) as folder:
        _put_raw(settings.warehouse_path, folder / "raw")
        built = _run_dbt(settings, dbt, folder, on_node)
        if not built.broken:
            _take_marts(settings.warehouse_path, folder / "tables", read_manifest(settings))
    return built


def _executable(settings: Settings) -> Path:
    """Return dbt of Spark's environment, after a look at what it needs."""
    dbt = settings.spark_venv / "bin" / "dbt"
    if not dbt.exists():
        raise SparkError(
            f"Spark's environment is missing: there is no {dbt}. Run `make spark`, name its folder in "
            "LOUPAN_SPARK_VENV, or set LOUPAN_ENGINE=duckdb."
        )
    if not settings.spark_remote:
        check_java()
    return dbt


def check_java() -> None:
    """Look for the Java that Spark runs on.

    Raises:
        SparkError: if there is none, or too old a one.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = f"Install Java {OLDEST_JAVA} (on Debian: openjdk-17-jre-headless), or set LOUPAN_ENGINE=duckdb."
    try:
        command = [java or "java", "-version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        where = f"JAVA_HOME names {home}, where none runs" if home else "there is none on the PATH"
        raise SparkError(f"Spark needs Java: {where}. {advice}") from error
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version and int(version[1]) < OLDEST_JAVA:
        raise SparkError(f"Spark needs Java {OLDEST_JAVA} or newer, and {java} is version {version[1]}. {advice}")


@contextmanager
def _run_folder(settings: Settings) -> Iterator[Path]:
    """Make the folder of this run, and remove what killed ones left; a lock of the refresh keeps others away."""
    shared = settings.spark_work_dir
    try:
        shared.mkdir(parents=True, exist_ok=True)
        for left in shared.glob(f"{_RUN}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_RUN, dir=shared))
    except OSError as error:
        raise SparkError(f"Spark's folder {shared} cannot be written: {error}. Check LOUPAN_SPARK_DIR.") from error
    try:
        # The workers of a cluster may run as another user.
        folder.chmod(0o777 if settings.spark_remote else 0o700)
        for part in ("raw", "tables", "scratch"):
            (folder / part).mkdir()
            (folder / part).chmod(0o777 if settings.spark_remote else 0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_raw(warehouse_path: Path, folder: Path) -> None:
    with duckdb.connect(str(warehouse_path), read_only=True) as warehouse:
        tables = warehouse.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
        for (table,) in tables:
            warehouse.execute(
                f"copy {name('raw', table)} to {literal(str(folder / table))} "
                f"(format parquet, file_size_bytes '{_FILE_SIZE}')"
            )


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    """Return what the process may know: nothing of the CRM and its passwords."""
    ours = {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    known = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name not in ours}
    known |= {
        "DO_NOT_TRACK": "1",
        "PYSPARK_PYTHON": str(settings.spark_venv / "bin" / "python"),
        "LOUPAN_SPARK_RAW": str(folder / "raw"),
        "LOUPAN_SPARK_TABLES": str(folder / "tables"),
        "LOUPAN_SPARK_SCRATCH": str(folder / "scratch"),
        "LOUPAN_SPARK_MEMORY": settings.spark_memory,
        "LOUPAN_SPARK_PARTITIONS": str(settings.spark_partitions),
    }
    if settings.spark_remote:
        return known | {"SPARK_REMOTE": settings.spark_remote}
    # Spark listens for its own parts: nobody else's.
    return known | {"SPARK_LOCAL_IP": "127.0.0.1"}


def _run_dbt(settings: Settings, dbt: Path, folder: Path, on_node: Callable[[str], None]) -> Built:
    target = settings.data_dir / "dbt" / TARGET
    target.mkdir(parents=True, exist_ok=True)
    project = str(settings.dbt_project_dir)
    command = [
        str(dbt),
        "--log-format", "json",
        "--log-level-file", "none",
        *BUILD,
        "--project-dir", project,
        "--profiles-dir", project,
        "--target", TARGET,
        "--target-path", str(target),
        "--log-path", str(target),
        "--vars", json.dumps({"time_zone": settings.time_zone}),
    ]  # fmt: skip
    (target / "run_results.json").unlink(missing_ok=True)
    results: list[Mapping[str, Any]] = []
    errors: list[str] = []
    with (
        (target / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603
            command,
            env=_environment(settings, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                event = _event(line)
                if event is None:
                    log.write(line)
                    continue
                if event["info"]["name"] in RESULTS:
                    results.append(event)
                    on_node(event["data"]["node_info"]["node_name"])
                elif event["info"]["level"] == "error":
                    errors.append(event["info"]["msg"])
        except BaseException:
            # Cancelled: Spark's own process ends with the one that started it.
            _end(process)
            raise
    outcomes = _outcomes(target)
    if outcomes is None:
        told = next(
            (" ".join(error.split()) for error in errors if error.strip()), f"it ended with {process.returncode}"
        )
        raise DbtError(f"dbt build failed on Spark: {told[:500]}. More stands in {target / LOG}.")
    return Built(results, [f"{node}: {message}" for node, status, message in outcomes if status == "error"])


def _event(line: str) -> dict[str, Any] | None:
    """Return the event that a line of dbt's output holds; None for what others have printed."""
    try:
        event = json.loads(line)
        return event if "name" in event["info"] else None
    except (ValueError, TypeError, KeyError):
        return None


def _outcomes(target: Path) -> list[tuple[str, str, str]] | None:
    """Return name, status and message of each node; None if dbt came to no end."""
    try:
        run = json.loads((target / "run_results.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return [
        (result["unique_id"].split(".")[2], result["status"], " ".join((result["message"] or "").split()))
        for result in run["results"]
    ]


def _end(process: subprocess.Popen[str]) -> None:
    """End dbt and wait for Java too, which goes on writing to the run's folder until it has ended."""
    started = []
    with suppress(psutil.Error):
        started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    _, left = psutil.wait_procs(started, timeout=_ENDING_SECONDS)
    for each in left:
        with suppress(psutil.Error):
            each.kill()


def _take_marts(warehouse_path: Path, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Copy the marts into the warehouse, all or none, with the types that their YAML declares."""
    marts = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts" and (folder / node["alias"]).is_dir()
    ]
    with duckdb.connect(str(warehouse_path)) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        warehouse.execute("begin")
        warehouse.execute("create schema if not exists marts")
        for node in marts:
            files = literal(str(folder / node["alias"] / "*.parquet"))
            columns = ", ".join(
                f"cast({name(column['name'])} as {column['data_type']}) as {name(column['name'])}"
                for column in node["columns"].values()
            )
            mart = name("marts", node["alias"])
            warehouse.execute(f"create or replace table {mart} as from read_parquet({files}) select {columns}")
        # What DuckDB builds next goes on from none of these.
        delta.forget_built(warehouse)
        difference.forget_published(warehouse)
        warehouse.execute("commit")
