"""The machine that something was measured on, and what ran beside it."""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import psutil

# Those that speed depends on.
_PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "pandas", "streamlit", "metricflow", "sqlalchemy")
_GIB = 2**30


def describe() -> dict[str, str]:
    """Return processor, memory, disk, system and versions, by name."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / _GIB:.0f} GiB",
        "disk": _disk(Path(tempfile.gettempdir())),
        "system": _system(),
        "Python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def load() -> float:
    """Return how many processes wanted to run in the last minute, on the average, for each core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def _disk(folder: Path) -> str:
    """Return the file system that a folder lies on, its size, and whether the disk below it turns."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    mount = max(mounts, key=lambda part: len(part.mountpoint))
    size = psutil.disk_usage(str(folder)).total / _GIB
    turns = Path("/sys/class/block") / Path(mount.device).name / "queue" / "rotational"
    told = turns.read_text(encoding="utf-8").strip() if turns.exists() else ""
    kind = {"0": ", solid state", "1": ", turning"}.get(told, "")
    return f"{mount.fstype}, {size:.0f} GiB{kind}"


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = platform.system()
    return f"{name}, kernel {platform.release()}"
