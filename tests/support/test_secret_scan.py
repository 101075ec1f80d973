"""The scan for secrets finds one in a tracked file, tells where and not what, and forgives what is known to be none."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from hashlib import sha1
from pathlib import Path

from tests.support.secret_scan import BASELINE, new_secrets, tracked

CLEAN = "a = 1\n"


def _repository(folder: Path, **files: str) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_a_secret_in_a_tracked_file_is_found_and_not_repeated(tmp_path: Path) -> None:
    # Made here: written down, the scan would find it in this file.
    value = secrets.token_hex(20)
    repository = _repository(
        tmp_path, kept=f'api_{"key"} = "{value}"\n', other=CLEAN, loose=f'pass{"word"} = "{value}"'
    )
    subprocess.run(["git", "add", "kept.py", "other.py"], cwd=repository, check=True)
    files = tracked(repository)
    assert files == ["kept.py", "other.py"], "what is not tracked is nobody's business"
    found = new_secrets(repository, files, BASELINE)
    assert found
    assert all(re.match(r"kept\.py:1: ", line) for line in found)
    assert value not in "".join(found)


def test_what_was_looked_through_is_forgiven_wherever_it_moves(tmp_path: Path) -> None:
    repository = _repository(tmp_path, kept="\n\n" + 'url = "postgresql://user:pass' + 'word@host/db"\n')
    known = json.loads(BASELINE.read_text(encoding="utf-8")) | {"results": {}}
    baseline = tmp_path / "baseline.json"
    baseline.write_text(json.dumps(known))
    assert len(new_secrets(repository, ["kept.py"], baseline)) == 1
    known["results"] = {
        "kept.py": [
            {"type": "Basic Auth Credentials", "filename": "kept.py", "line_number": 1, "is_verified": False,
             "hashed_secret": sha1(b"password").hexdigest()}
        ]
    }  # fmt: skip
    baseline.write_text(json.dumps(known))
    assert new_secrets(repository, ["kept.py"], baseline) == []


def test_without_a_repository_nothing_is_tracked(tmp_path: Path) -> None:
    assert tracked(tmp_path) == []


def test_the_baseline_holds_hashes_that_somebody_has_looked_at() -> None:
    text = BASELINE.read_text(encoding="utf-8")
    entries = [entry for found in json.loads(text)["results"].values() for entry in found]
    assert entries
    assert all(re.fullmatch(r"[0-9a-f]{40}", entry["hashed_secret"]) for entry in entries)
    assert all(entry["is_secret"] is False for entry in entries)
    assert "://" not in text
    assert not re.search(r"\b[\w-]+\.(org|com|io|net|cn)\b", text), "no host of a package registry, nor any other"
