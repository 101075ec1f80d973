"""`docs/security.md` speaks of files and tests that exist, and what it says is never done is not done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
PACKAGES = ("loupan", "data_entry", "pipelines", "dashboards", "sample_data")
_ENDINGS = ("py", "md", "html", "txt", "toml", "yml")
NAMED = sorted(set(re.findall(rf"`([\w./-]+\.(?:{'|'.join(_ENDINGS)})(?:::\w+)*)`", PAGE)))
ROWS = re.findall(r"^\| ([\d.–, ]+) \| (.+) \| ([✓◐✗–]) \| (.+) \|$", PAGE, re.MULTILINE)

# Places that run code or fill templates, each with what makes it safe.
RUNS_CODE = {
    ("dashboards/sign_in.py", "get_template"),  # a file of ours, values escaped
    ("dashboards/public_survey.py", "get_template"),  # the same
    ("dashboards/report/mail.py", "get_template"),  # the same
    ("dashboards/report/typeset.py", "compile"),  # a file of ours; what is reported comes beside it as JSON
    ("loupan/metrics/aggregates.py", "compile"),  # the same as the next
    ("loupan/metrics/plan.py", "compile"),  # MetricFlow's SQL, from names that the manifest has
    ("pipelines/mining/worker.py", "exec_module"),  # the company's own models: trusted, as the page says
}
_CODE = {"eval", "exec", "compile", "exec_module", "from_string", "get_template", "Template", "system", "popen"}


@cache
def _names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return frozenset(found)


def test_the_page_names_enough() -> None:
    assert len(ROWS) > 100
    assert len([name for name in NAMED if "::" in name]) > 60


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there(name: str) -> None:
    file, _, test = name.partition("::")
    paths = [base / file for base in (REPOSITORY, REPOSITORY / "tests") if (base / file).is_file()]
    assert paths, f"there is no {file}"
    if test:
        assert test in _names_in(paths[0]), f"{paths[0]} has no {test}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_a_requirement_that_is_met_has_evidence_and_one_that_is_not_a_reason(row: tuple[str, ...]) -> None:
    _, _, state, evidence = row
    assert len(evidence) > 3
    if state == "✗":
        assert not evidence.startswith("`"), "say why"


@cache
def _calls() -> list[tuple[str, str, ast.Call]]:
    return list(_found_calls())


def _found_calls() -> Iterator[tuple[str, str, ast.Call]]:
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    yield path.relative_to(REPOSITORY).as_posix(), name, node


def _of(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def test_no_text_of_users_is_run_as_code_or_template() -> None:
    found = {(file, name) for file, name, call in _calls() if name in _CODE and _of(call) not in ("re", "sa", "ast")}
    assert found == RUNS_CODE


def test_nothing_switches_a_protection_off() -> None:
    for file, name, call in _calls():
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("verify") != "False", f"{file}: certificates are looked at"
        assert given.get("shell") != "True", f"{file}: no shell"
        assert "unsafe_allow_html" not in given, f"{file}: st.html with escaped texts does the same, seen at a glance"
        assert "unsafe_allow_javascript" not in given, file
        if name == "Environment":
            assert given.get("autoescape") == "True", file
        if name in ("load", "loads"):
            assert _of(call) not in ("yaml", "marshal", "shelve"), file


def test_only_what_models_have_learnt_is_pickled() -> None:
    files = {file for file, name, call in _calls() if _of(call) in ("pickle", "joblib", "cloudpickle")}
    assert all(file.startswith("pipelines/mining/") for file in files), files
