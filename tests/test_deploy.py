"""The examples of deployment name settings, commands and files that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from loupan.cli import COMMANDS
from loupan.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
UNIT = DEPLOY / "systemd" / "loupan.service"


@pytest.mark.parametrize(
    "path", sorted(path for path in DEPLOY.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_examples_name_settings_that_there_are(path: Path) -> None:
    named = set(re.findall(r"\bLOUPAN_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    assert named - SETTINGS <= {"LOUPAN_NAME"}  # the compose file's own


@pytest.mark.parametrize("path", [UNIT, DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", ROOT / "README.md"])
def test_examples_call_commands_that_there_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('", "', " ").replace("exec loupan loupan", "loupan")
    called = re.findall(r"(?:^|[\s/`\"])loupan ([a-z]+)", text)
    assert {name for name in called if name in COMMANDS} or path.name == "README.md"
    if path == UNIT or path.name == "Dockerfile":
        assert "service start" in text


def test_the_unit_is_one_to_systemd(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "loupan.service"
    # The program is elsewhere on a machine that installs it.
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/loupan/.venv/bin/loupan", "/bin/true"))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rated = subprocess.run(
        [analyze, "security", "--offline=true", str(unit)], capture_output=True, text=True, check=False
    )
    found = re.search(r"exposure level for loupan.service: ([\d.]+)", rated.stdout)
    assert found
    assert float(found[1]) < 2


def test_the_compose_file_holds_together() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = composed["services"]
    for service in services.values():
        assert set(service.get("networks", [])) <= set(composed["networks"])
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(composed["volumes"])
        assert set(service.get("depends_on", {})) <= set(services)
    assert "ports" not in services["loupan"]
    assert "ports" not in services["postgres"]
    assert composed["networks"]["back"]["internal"] is True
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / part).exists() for part in source.split())
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {f"!{part}" for source in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
            for part in source.split()} <= set(ignored)  # fmt: skip
