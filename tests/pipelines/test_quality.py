"""The suites on the loaded tables: what passes, what blocks, and what is looked at again."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from loupan.settings import Settings
from pipelines.expectations import Expected, expected_rows
from pipelines.quality import CheckResult, QualityError, Suites, check_loaded, raised
from tests.pipelines.loads import CONTRACT, LooseCrm, load


class Refresh:
    """Loads and checks one loose CRM."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, quarantine_threshold=0.1)  # type: ignore[call-arg]
        folder.mkdir(parents=True, exist_ok=True)
        self.crm = LooseCrm(f"sqlite:///{folder / 'crm.sqlite'}")

    def run(self, *, full: bool = False) -> dict[str, CheckResult]:
        report = load(self.crm.url, self.settings.warehouse_path, full=full)
        return {result.table: result for result in check_loaded(CONTRACT, self.settings, report)}


@pytest.fixture
def refresh(tmp_path: Path) -> Refresh:
    made = Refresh(tmp_path / "data")
    for key in range(1, 41):
        made.crm.insert("customer", key)
        made.crm.insert("payment", key, rating="5", from_on="2024-01-01", to_on="2024-01-02")
    made.crm.insert("employee", 1)
    made.crm.insert("lead", 1)
    return made


def failed(results: dict[str, CheckResult]) -> dict[str, list[str]]:
    return {
        table: [text.split(":")[0] for text in result.failed] for table, result in results.items() if not result.passed
    }


def test_good_rows_pass_and_are_not_looked_at_twice(refresh: Refresh) -> None:
    first = refresh.run()
    assert list(first) == [table.name for table in CONTRACT.tables]
    assert failed(first) == {}
    assert first["payment"].observed == {"rows": 40, "checked": 40, "quarantined": 0}
    second = refresh.run()
    assert {result.message for result in second.values()} == {"Nothing changed since all checks last passed."}
    refresh.crm.update("payment", 1, at="2024-05-02 00:00:00", rating="4")
    assert refresh.run()["payment"].observed["checked"] == 1


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("rating", "6", "rating BETWEEN 1 AND 5"),
        ("to_on", "2023-12-31", "to_on >= from_on"),
        ("from_on", "0001-01-01", "from_on lies in the years 1900 to 2199"),
        ("amount", "a lot", "all values can be read as their declared types"),
        ("amount", None, "all required values are there"),
    ],
)
def test_a_rule_broken_too_often_blocks(refresh: Refresh, column: str, value: str | None, says: str) -> None:
    for key in range(1, 5):
        refresh.crm.update("payment", key, at="2024-05-01 00:00:00", **{column: value})
    assert failed(refresh.run()) == {}, "4 of 40 rows are the tenth that is tolerated"
    refresh.crm.update("payment", 5, at="2024-05-01 00:00:00", **{column: value})
    result = refresh.run()["payment"]
    assert (result.passed, result.blocking) == (False, True)
    # Only the fifth was looked at, but they are counted together.
    assert result.failed == ["rows stay out of quarantine: not so for 5 of 40, at most 4 may"]
    assert any(text.startswith(says) for text in refresh.run(full=True)["payment"].failed)
    # Nothing has changed, but nothing has been mended either.
    assert failed(refresh.run()).keys() == {"payment"}
    refresh.crm.update("payment", 5, at="2024-05-01 00:00:00", amount="1", rating="1", from_on=None, to_on=None)
    assert failed(refresh.run()) == {}


def test_keys_and_enumerations(refresh: Refresh) -> None:
    for key in range(1, 7):
        refresh.crm.insert("customer", key, kind="robot", at="2024-04-30 00:00:00")
    assert failed(refresh.run()) == {
        "customer": ["id is unique", "kind is one of person, company", "rows stay out of quarantine"]
    }


def test_orphans_block_the_table_they_stand_in(refresh: Refresh) -> None:
    refresh.run()
    # One bad lead is tolerated; the payments that fall with it are too many.
    refresh.crm.update("lead", 1, at="2024-05-02 00:00:00", opened_at="soon")
    results = refresh.run()
    assert failed(results) == {"payment": ["rows stay out of quarantine", "rows refer to rows that exist"]}
    assert failed(refresh.run()).keys() == {"payment"}
    refresh.crm.update("lead", 1, at="2024-05-03 00:00:00", opened_at="2024-01-01")
    assert failed(refresh.run()) == {}


def test_a_table_that_lost_most_of_its_rows_blocks_until_it_is_accepted(refresh: Refresh) -> None:
    refresh.run()
    for key in range(1, 22):
        refresh.crm.delete("payment", key)
    results = refresh.run()
    assert failed(results) == {"payment": ["the table keeps at least half of its rows"]}
    assert "47.5% are left" in results["payment"].message
    assert "refresh --full" in results["payment"].message
    assert failed(refresh.run()).keys() == {"payment"}
    assert failed(refresh.run(full=True)) == {}
    assert failed(refresh.run()) == {}


def test_soft_deleted_rows_are_not_judged(refresh: Refresh) -> None:
    for key in range(1, 30):
        refresh.crm.update("payment", key, at="2024-05-02 00:00:00", amount="x", deleted_at="2024-05-02 00:00:00")
    assert failed(refresh.run()) == {}


def test_no_bad_row_is_tolerated_at_a_threshold_of_nothing(refresh: Refresh) -> None:
    refresh.settings = refresh.settings.model_copy(update={"quarantine_threshold": 0})
    assert failed(refresh.run()) == {}
    refresh.crm.update("payment", 1, at="2024-05-02 00:00:00", rating="6")
    assert failed(refresh.run()) == {"payment": ["rating BETWEEN 1 AND 5", "rows stay out of quarantine"]}


def test_a_sample_stands_for_a_large_load(refresh: Refresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.quality.SAMPLE_ROWS", 20)
    for key in range(1, 41):
        refresh.crm.update("payment", key, at="2024-05-02 00:00:00", rating="6")
    assert "rating BETWEEN 1 AND 5" in failed(refresh.run())["payment"]


def test_data_docs_tell_all_and_ask_no_other_host(refresh: Refresh) -> None:
    refresh.crm.update("payment", 1, at="2024-05-02 00:00:00", amount="<script>alert(1)</script>", rating="6")
    refresh.run()
    page = (refresh.settings.data_docs_dir / "index.html").read_text(encoding="utf-8")
    assert all(table.name in page for table in CONTRACT.tables)
    assert "4 of 4 tables keep all that is expected of them." in page
    assert re.findall(r"(?:https?:)?//[a-z]", page) == []
    assert "<script" not in page
    # A table that is checked alone keeps the others on the page.
    refresh.crm.update("lead", 1, at="2024-05-03 00:00:00")
    refresh.run()
    assert "rating BETWEEN 1 AND 5" in (refresh.settings.data_docs_dir / "index.html").read_text(encoding="utf-8")


def test_an_error_of_the_machinery_is_no_failed_expectation() -> None:
    expected = [Expected("ExpectColumnValuesToBeBetween", {"a": "a"}, "a", {"min_value": 1, "max_value": 2})]
    with pytest.raises(QualityError, match="expect_column_values_to_be_between raised"):
        Suites().check("broken", pd.DataFrame({"a": [object(), object()]}), expected, 0)
    assert raised({"raised_exception": False, "exception_message": None}) is None
    assert raised({("metric",): {"raised_exception": True, "exception_message": "x"}}) == "x"
    assert raised(None) is None


@pytest.mark.parametrize(("allowed", "holds"), [(0, False), (1, False), (2, True), (9, True)])
def test_rows_that_break_a_rule_are_counted_and_shown_also_where_they_are_tolerated(allowed: int, holds: bool) -> None:
    frame = pd.DataFrame({"whole": [1, 2, 3, 4, 5], "broken": [1, 6, 7, None, 2], "empty": [None] * 5})
    limits = {"min_value": 1, "max_value": 5}
    expected = [Expected("ExpectColumnValuesToBeBetween", {name: name}, name, limits) for name in frame]
    whole, broken, empty = Suites().check("few", frame, expected, allowed)
    assert (whole.holds, whole.checked, whole.unexpected, whole.examples) == (True, 5, 0, ())
    assert (broken.holds, broken.checked, broken.unexpected, broken.examples) == (holds, 4, 2, (6, 7))
    assert (empty.holds, empty.checked, empty.unexpected) == (True, 0, 0)


def test_nothing_to_look_at_breaks_no_rule() -> None:
    limits, order = {"min_value": 1, "max_value": 5}, {"or_equal": True, "ignore_row_if": "either_value_is_missing"}
    expected = [
        Expected("ExpectColumnValuesToBeBetween", {"a": "a"}, "a", limits),
        Expected("ExpectColumnPairValuesAToBeGreaterThanB", {"a": "a", "b": "b"}, "a >= b", order),
    ]
    no_rows = pd.DataFrame({"a": [], "b": []}, dtype="float64")
    never_both = pd.DataFrame({"a": [None, 1.0], "b": [1.0, None]})
    for frame in (no_rows, never_both):
        _, pair = Suites().check("few", frame, expected, 0)
        assert (pair.holds, pair.checked, pair.unexpected) == (True, 0, 0)
    assert Suites().check("few", no_rows, [], 0) == []


def test_one_frame_is_not_taken_for_another() -> None:
    suites = Suites()
    expected = [Expected("ExpectColumnValuesToBeUnique", {"a": "a"}, "a is unique")]
    assert suites.check("first", pd.DataFrame({"a": [1, 2]}), expected, 0)[0].holds
    assert not suites.check("second", pd.DataFrame({"a": [1, 1]}), expected, 0)[0].holds


def test_checks_of_the_contract_become_expectations_of_their_kind() -> None:
    payment = {one.says: one.type for one in expected_rows(CONTRACT.by_name["payment"])}
    assert payment["to_on >= from_on"] == "ExpectColumnPairValuesAToBeGreaterThanB"
    assert payment["rating BETWEEN 1 AND 5"] == "ExpectColumnValuesToBeBetween"
    customer = {one.says: one.type for one in expected_rows(CONTRACT.by_name["customer"])}
    assert customer["merged_into_id <> id"] == "ExpectColumnValuesToBeInSet"
