"""A small sample of what ``python -m tests.faults`` does at length, and whether its judgement can be trusted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.__main__ import FAULTS, Laboratory, line
from tests.faults.company import Company, crm_digests, differing_marts, lost_rows
from tests.faults.day import live_through
from tests.faults.load import Load, Published, Seen, judge
from tests.faults.trial import Fault, Outcome, Trial, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    # Not in pytest's folder: Dagster's sockets lie within, whose paths may have 107 characters.
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-"))
        yield Laboratory(Path(folder), stack)


def _strike(laboratory: Laboratory, fault: Fault, seed: int = 1) -> Outcome:
    company, prepared = laboratory.company(fault)
    return run(fault, company, prepared, seed)


def test_what_is_promised_holds(laboratory: Laboratory) -> None:
    name = "kill-dbt"
    outcome = _strike(laboratory, FAULTS[name])
    assert outcome.problems == []
    assert outcome.lost == []
    assert outcome.healed
    assert line(FAULTS[name], [outcome]).startswith(f"| {FAULTS[name].title} | 1 | 0 | 0 | 1 of 1 |")


def _lose_a_row(trial: Trial) -> None:
    # Of a table that no statistic rests on: the marts alone would not show it.
    trial.company.change_crm("DELETE FROM touchpoint WHERE id = (SELECT min(id) FROM touchpoint)")
    (trial.company.temporary / "left").touch()
    trial.expect(False, "something")


def test_what_is_lost_or_left_or_wrong_is_noticed(laboratory: Laboratory) -> None:
    fault = replace(FAULTS["kill-dbt"], inject=_lose_a_row)
    outcome = _strike(laboratory, fault)
    assert outcome.lost == ["touchpoint"]
    said = "\n".join(outcome.problems)
    assert "something" in said
    assert "left: " in said
    assert " | 1 | 1 | 1 | " in line(fault, [outcome])


def test_a_morning_of_schedules_with_a_refresh_that_is_killed(laboratory: Laboratory) -> None:
    company, prepared = laboratory.company(FAULTS["kill-dbt"])
    day = live_through(company, prepared, seed=318, most=1)
    assert day.problems == []
    assert day.faults == {"killed": 1}
    assert day.ended == {"error": 1, "published": 1}  # tried again, as a whole


def test_tables_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    assert differing_marts({"a": ("1", "2"), "b": ("1", "2")}, {"a": ("1", "3"), "c": ("1", "2")}) == ["b", "c"]
    company = Company(tmp_path)
    company.clear()
    company.data_dir.mkdir()
    company.change_crm("CREATE TABLE t (x)", "INSERT INTO t VALUES (1), (2)", "CREATE TABLE u (x)")
    before = crm_digests(company.url)
    company.change_crm("UPDATE t SET x = '2' WHERE x = 2")
    assert lost_rows(before, crm_digests(company.url)) == ["t"]


def test_mixed_and_old_pages_are_told_from_good_ones() -> None:
    published = [Published("one", 0, 0.0), Published("two", 1, 10.0), Published("three", 2, 20.0)]
    good = [Seen(1, "one", {100}), Seen(9, "two", {101}), Seen(11, "two", {101}), Seen(25, "three", {102})]
    load = Load(1)
    judge(load, good, published)
    assert (load.mixed, load.stale, load.versions) == (0, 0, 3)
    for bad, mixed, stale in (
        (Seen(12, "two", {101, 100}), 1, 0),  # two parts of one page
        (Seen(12, "two", {100}), 1, 0),  # the moment of one snapshot, the numbers of another
        (Seen(12, "another", {101}), 1, 0),
        (Seen(21, "two", {101}), 0, 1),
    ):
        load = Load(1)
        judge(load, [*good, bad], published)
        assert (load.mixed, load.stale) == (mixed, stale), bad
