"""Every word a page shows exists in every language, in one catalogue only."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from babel.messages.pofile import denormalize, read_po

import dashboards
import data_entry
import loupan
import pipelines
from data_entry.schema import labels
from loupan.i18n import CATALOGUES, LANGUAGES, translator
from loupan.settings import get_settings


def written_in_the_code():
    """The first arguments of t() and marked(), wherever they stand, also within f-strings."""
    for package in (dashboards, data_entry, loupan, pipelines):
        for path in Path(package.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and node.args):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                first = node.args[0]
                if name in ("t", "marked") and isinstance(first, ast.Constant):
                    yield first.value


def written_in_templates():
    """The first arguments of t() in the pages in front of the gate."""
    for path in (Path(dashboards.__file__).parent / "templates").glob("*.html"):
        yield from re.findall(r'\bt\("([^"]*)"', path.read_text(encoding="utf-8"))


def definitions_of_metrics():
    """What the metrics say of themselves: each that is no helper can be a key figure on the page Explore."""
    for path in (get_settings().dbt_project_dir / "models").rglob("*.yml"):
        for metric in yaml.safe_load(path.read_text(encoding="utf-8")).get("metrics") or ():
            if not metric["config"]["meta"].get("hidden"):
                yield metric["description"].strip()


# Further words that pages show: a generator of English texts each.
SOURCES = [written_in_the_code, written_in_templates, definitions_of_metrics, labels.messages]


@pytest.fixture(scope="module")
def wanted():
    return {message for source in SOURCES for message in source()}


@pytest.fixture(scope="module", params=CATALOGUES)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def translations(language):
    """The messages of all catalogues of a language, each with the name of its file."""
    found = []
    for path in sorted(CATALOGUES[language].glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=CATALOGUES[language].name, abort_invalid=True)
        found += [(path.name, message) for message in catalogue if message.id]
    return found


def test_no_message_is_missing(wanted, translations):
    assert sorted(wanted - {message.id for _, message in translations if message.string}) == []


def test_no_message_is_left_over(wanted, translations):
    assert [(name, message.id) for name, message in translations if message.id not in wanted] == []


def test_a_message_stands_in_one_place_only(language):
    # Read as text: Babel joins messages that a file has twice without a word.
    text = "\n".join(path.read_text(encoding="utf-8") for path in CATALOGUES[language].glob("*.po"))
    times = Counter(denormalize(entry) for entry in re.findall(r'^msgid ((?:".*"\n)+)', text, re.MULTILINE))
    assert [message for message, number in times.items() if message and number > 1] == []


def test_placeholders_are_the_same(translations):
    for name, message in translations:
        fields = [sorted(re.findall(r"{(\w+)}", text)) for text in (message.id, message.string)]
        assert fields[0] == fields[1], (name, message.id)


def test_nothing_is_fuzzy(translations):
    assert [(name, message.id) for name, message in translations if message.fuzzy] == []


def test_every_catalogue_is_read(language, translations):
    translate = translator(language)
    assert [name for name, message in translations if translate(message.id) != message.string] == []


def test_an_unknown_message_stays_english():
    for language in LANGUAGES:
        assert translator(language)("No such message {x}", x=1) == "No such message 1"


def test_what_is_shown_as_plain_text_has_no_marks_of_markdown():
    wrong = []
    for package in (dashboards, data_entry, loupan):
        for path in Path(package.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                # `ui.message` escapes what it is given.
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "message":
                    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                    wrong += [f"{path.name}: {text}" for text in texts if isinstance(text, str) and "`" in text]
    assert wrong == []
