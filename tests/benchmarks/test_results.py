"""The benchmark's results: kept, judged, rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import DOCS, main
from tests.benchmarks.machine import describe
from tests.benchmarks.page import rendered
from tests.benchmarks.parts import PARTS
from tests.benchmarks.result import Measured, Result, ResultsError, Table, merged, read, write
from tests.benchmarks.targets import TARGETS, Finding, judged

_TABLE = Table("A refresh", ("work", "rows", "seconds"), (("full | all", 1_234_567, 8.256), ("floor", None, 5.0)))


def result(part: str = "refresh", scale: float = 1, source: str = "sqlite", **figures: float) -> Result:
    return Result(part, scale, source, "2026-06-30T16:00Z", {"processor": "A, 2 cores"}, Measured((_TABLE,), figures))


def finding(figure: str, *results: Result) -> Finding:
    (found,) = (found for found in judged(results) if found.target.figure == figure and found.target.most != 1)
    return found


def test_results_are_kept_as_they_were(tmp_path: Path) -> None:
    results = [result(full_to_floor=1.25), result("pages", source="", errors_at_50_sessions=0)]
    path = tmp_path / "performance.json"
    assert read(path) == []
    write(path, results)
    assert read(path) == results


def test_a_later_result_replaces_that_of_the_same_scale_and_source_alone() -> None:
    old = [result(full_to_floor=2), result(scale=10, full_to_floor=3), result("pages", source="")]
    kept = merged(old, [result(full_to_floor=1)], list(PARTS))
    assert [(r.part, r.scale, r.measured.figures) for r in kept] == [
        ("refresh", 1, {"full_to_floor": 1}),
        ("refresh", 10, {"full_to_floor": 3}),
        ("pages", 1, {}),
    ]


def test_a_damaged_file_of_results_is_named(tmp_path: Path) -> None:
    path = tmp_path / "performance.json"
    path.write_text('[{"part": 1}]')
    with pytest.raises(ResultsError, match=r"performance\.json holds no results of the benchmark .* Delete it"):
        read(path)


def test_a_promise_is_met_or_not_where_it_was_given() -> None:
    met = finding("incremental_to_full", result(scale=100, incremental_to_full=0.2))
    assert (met.verdict, met.value, met.source) == ("met", 0.2, "sqlite")
    assert finding("incremental_to_full", result(scale=100, incremental_to_full=0.21)).verdict == "**not met**"
    # The scale it was promised for counts, whatever was measured at others.
    both = (result(scale=10, incremental_to_full=0.1), result(scale=100, incremental_to_full=0.5))
    assert finding("incremental_to_full", *both).value == 0.5


def test_what_was_measured_at_another_scale_only_is_said_to_be() -> None:
    assert finding("most_gib", result(scale=10, most_gib=1)).verdict == "met at this scale"
    assert finding("most_gib").verdict == "not measured"


@pytest.mark.parametrize(("seconds", "verdict"), [(100, "met"), (101, "**not met**")])
def test_growth_compares_seconds_with_rows(seconds: float, verdict: str) -> None:
    name = "full_without_models_seconds"
    small = result(scale=10, raw_rows=1_000, **{name: 10})
    large = result(scale=300, raw_rows=10_000, **{name: seconds})
    (found,) = (found for found in judged([small, large]) if found.target.figure == name)
    assert (found.value, found.verdict) == (seconds / 100, verdict)
    elsewhere = replace(small, machine={"processor": "B, 2 cores"})
    for others in ([], [elsewhere]):
        (alone,) = (found for found in judged([large, *others]) if found.target.figure == name)
        assert alone.verdict == "not measured"


def test_the_page_tells_every_promise_and_every_table() -> None:
    results = [result(scale=100, full_without_models_to_floor=1.2), result("pages", source="")]
    page = rendered(results)
    for target in TARGETS:
        assert f"| {target.name} |" in page
    assert "| A full refresh by its floor, without models of statistics | ≤ 1.3 × at scale 100 | 1.2 × | 0.92 |" in page
    assert "`python -m tests.benchmarks refresh --scale 100 --source sqlite`, 2026-06-30 16:00 UTC." in page
    assert "| full &#124; all | 1,234,567 | 8.3 |\n| floor | – | 5.0 |" in page
    assert page.count("**A refresh**") == 2
    assert "| processor | A, 2 cores |" in page


def test_several_machines_are_told_apart() -> None:
    other = Result("pages", 1, "", "2026-07-01T00:00Z", {"processor": "B, 8 cores"}, Measured((_TABLE,)))
    page = rendered([result(), other])
    assert "| processor | B, 8 cores | A, 2 cores |" in page
    assert "2026-06-30 16:00 UTC, machine B." in page


def test_what_else_ran_is_told() -> None:
    busy = Result("pages", 1, "", "2026-07-01T00:00Z", {}, Measured((_TABLE,)), load=1.25)
    assert "2026-07-01 00:00 UTC, while 1.2 processes of others wanted each core." in rendered([busy])


def test_the_page_of_the_project_is_what_its_results_render() -> None:
    results = read(DOCS / "performance.json")
    assert (DOCS / "performance.md").read_text(encoding="utf-8") == rendered(results)


def test_the_machine_is_described() -> None:
    machine = describe()
    assert "cores" in machine["processor"]
    assert machine["memory"].endswith("GiB")
    assert machine["duckdb"].split(".")[0].isdigit()


def test_parts_are_named_and_unknown_ones_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["refresh", "flights"])
    assert "flights: choose from refresh, " in capsys.readouterr().err
