"""A standalone Spark cluster of two workers and its Connect server, all from the wheel in Spark's own environment.

with spark_cluster(venv, folder) as address:
    ...  # LOUPAN_SPARK_REMOTE=address
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

WORKERS = 2
_PATIENCE = 120.0  # seconds for a part to listen
_HOST = "127.0.0.1"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0


@contextmanager
def _part(command: list[str], environment: dict[str, str], log: Path, port: int) -> Iterator[None]:
    """Run one process of the cluster until the end of the block; it and all that it started are gone afterwards."""
    with log.open("w", encoding="utf-8") as said:
        process = psutil.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            until = time.monotonic() + _PATIENCE
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command} does not listen: {log.read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.2)
            yield
        finally:
            everyone = [process, *process.children(recursive=True)] if process.is_running() else []
            for each in everyone:
                with suppress(psutil.NoSuchProcess):
                    each.terminate()
            _, alive = psutil.wait_procs(everyone, timeout=20)
            for each in alive:
                each.kill()


@contextmanager
def spark_cluster(venv: Path, folder: Path) -> Iterator[str]:
    """Yield the address of the Connect server of a cluster that ends with the block.

    Args:
        venv: Spark's environment.
        folder: for logs and what the workers keep; made if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (home,) = (venv / "lib").glob("python3*/site-packages/pyspark")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    environment |= {
        "SPARK_HOME": str(home),
        "PYSPARK_PYTHON": str(venv / "bin" / "python"),
        "SPARK_LOCAL_IP": _HOST,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }
    master, connect = _free_port(), _free_port()
    url = f"spark://{_HOST}:{master}"
    java = str(home / "bin" / "spark-class")
    at = ["--host", _HOST, "--webui-port", "0"]
    with ExitStack() as parts:
        parts.enter_context(
            _part(
                [java, "org.apache.spark.deploy.master.Master", *at, "--port", str(master)],
                environment,
                folder / "master.log",
                master,
            )
        )
        for number in range(WORKERS):
            port = _free_port()
            room = ["--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"worker_{number}")]
            parts.enter_context(
                _part(
                    [java, "org.apache.spark.deploy.worker.Worker", *at, "--port", str(port), *room, url],
                    environment,
                    folder / f"worker_{number}.log",
                    port,
                )
            )
        server = [
            str(home / "bin" / "spark-submit"),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
            "--master", url,
            "--driver-memory", "1g",
            "--executor-memory", "1g",
            "--conf", f"spark.connect.grpc.binding.address={_HOST}",
            "--conf", f"spark.connect.grpc.binding.port={connect}",
            "--conf", "spark.ui.enabled=false",
            "--conf", "spark.sql.catalogImplementation=in-memory",
            "--conf", f"spark.sql.warehouse.dir={folder / 'warehouse'}",
        ]  # fmt: skip
        # To Spark's scripts the server is a daemon too, and one that plans queries.
        roomy = environment | {"SPARK_DAEMON_MEMORY": "1g"}
        parts.enter_context(_part(server, roomy, folder / "connect.log", connect))
        yield f"sc://{_HOST}:{connect}"
