"""The runbook is true: its commands are executed, in its order, on a company of their own with PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loupan.settings import REPOSITORY
from tests.support.installation import LOUPAN, sample_installation
from tests.support.postgres import missing_programs, running_server

pytestmark = pytest.mark.slow

PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
_DATABASE = "postgresql://loupan:secret@db.example.com/loupan"
_MINUTES = 60


def blocks() -> dict[str, str]:
    """Return the commands of each section that is executed, in the order of the page."""
    found: dict[str, str] = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        commands = re.findall(r"^```sh\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
        if commands:
            found[title] = "".join(commands)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def database() -> Iterator[str]:
    missing = missing_programs()
    if missing:
        pytest.skip(missing)
    with running_server() as server:
        yield server.create_database()


def test_the_runbook_runs(database: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")} | {
        "PATH": f"{LOUPAN.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LOUPAN_DATA_DIR": str(tmp_path / "data"),
        "LOUPAN_DAGSTER_PORT": str(_free_port()),
        # They have tests of their own, and would take a third of the time of each refresh.
        "LOUPAN_WITHOUT_MODELS": "*",
        "ADMIN_PASSWORD": "correct horse battery",
    }
    # What dbt knows of the project need not be found out again.
    shutil.copytree(sample_installation() / "dbt", tmp_path / "data" / "dbt")
    port = str(_free_port())
    # What a section exports holds in those after it, as in the shell of whoever follows the page.
    kept = ""
    for title, commands in blocks().items():
        text = commands.replace(_DATABASE, database).replace(":8501", f":{port}")
        text = re.sub(r"^loupan service &", f"loupan service start --port {port} &", text, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", kept + text],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=9 * _MINUTES, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{title}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, f"{title}\n{done.stderr}"
        kept += "".join(f"{line}\n" for line in text.splitlines() if line.startswith("export "))
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")
    assert list((tmp_path / "data" / "backups").glob("*.zip.age"))


def test_pages_it_leads_to_exist() -> None:
    for name in re.findall(r"\]\(([a-z_]+\.md)\)", PAGE):
        assert (REPOSITORY / "docs" / name).is_file(), name
    for name in re.findall(r"`(deploy/[a-z/._]+)`", PAGE):
        assert (REPOSITORY / name).exists(), name
