"""Every word a page shows exists in every language."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from babel.messages.pofile import read_po

import dashboards
import loupan
from dashboards.pages import campaign_return, complaints, conversion, overview
from loupan.i18n import LANGUAGES, translator
from loupan.settings import get_settings

PACKAGES = [Path(package.__file__).parent for package in (dashboards, loupan)]
CATALOGUE = Path(loupan.__file__).parent / "i18n" / "zh_CN.po"


def messages():
    """The first arguments of t() and marked(), wherever they stand, also within f-strings."""
    for path in sorted(path for package in PACKAGES for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in ("t", "marked") and isinstance(first, ast.Constant):
                yield first.value


def definitions():
    """What the metrics shown as key figures say of themselves."""
    shown = {*overview._TILES, *conversion._TILES, *complaints._TILES, *campaign_return._TILES}
    for path in (get_settings().dbt_project_dir / "models").rglob("*.yml"):
        for metric in yaml.safe_load(path.read_text(encoding="utf-8")).get("metrics") or ():
            if metric["name"] in shown:
                yield metric["description"].strip()


@pytest.fixture(scope="module")
def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_CN", abort_invalid=True)


def test_no_message_is_missing(catalogue):
    wanted = {*messages(), *definitions()}
    missing = sorted(message for message in wanted if not (found := catalogue.get(message)) or not found.string)
    assert not missing, f"Add to {CATALOGUE}: {missing}"


def test_no_message_is_left_over(catalogue):
    wanted = {*messages(), *definitions()}
    assert sorted(m.id for m in catalogue if m.id and m.id not in wanted) == []


def test_placeholders_are_the_same(catalogue):
    for message in catalogue:
        if message.id:
            fields = [sorted(re.findall(r"{(\w+)}", text)) for text in (message.id, message.string)]
            assert fields[0] == fields[1], message.id


def test_nothing_is_fuzzy(catalogue):
    assert [m.id for m in catalogue if m.id and m.fuzzy] == []


def test_an_unknown_message_stays_english():
    for language in LANGUAGES:
        assert translator(language)("No such message {x}", x=1) == "No such message 1"
