"""The quality of entry on literal marts: who is asked about, what changed, and what must not be said."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain, Marts, Result
from loupan.mining.result import check
from pipelines.mining.models import data_entry_quality as model
from tests.pipelines.mining.literal import marts_of

AS_OF = dt.date(2026, 6, 30)


def rows(people: int = 8, each: int = 200, seed: int = 1) -> pd.DataFrame:
    """Make entries of people who all do alike: visits at any minute of working days, entered in time, one by one."""
    rng = np.random.default_rng(seed)
    count = people * each
    days = pd.bdate_range("2025-07-01", "2026-06-25")
    happened = pd.Series(days[rng.integers(0, len(days), count)]) + pd.to_timedelta(
        rng.integers(9 * 60, 17 * 60, count), unit="min"
    )
    entered = happened + pd.to_timedelta(rng.integers(1, 60 * 60 * 5, count), unit="s")
    return pd.DataFrame(
        {
            "crm_table": "lead_event",
            "record_id": np.arange(count),
            "project_id": pd.array(np.ones(count), "Int64"),
            "employee_id": pd.array(np.repeat(np.arange(people) + 1, each), "Int64"),
            "happened_at": happened,
            "entered_at": entered,
            "typed_number": np.nan,
            "is_late": rng.random(count) < 0.03,
        }
    )


def as_marts(folder: Path, entries: pd.DataFrame, fields: pd.DataFrame | None = None) -> Marts:
    if fields is None:
        fields = completeness([0.9] * 15)
    local = entries.assign(
        entry_id=entries["crm_table"] + "-" + entries["record_id"].astype(str),
        happened_on=entries["happened_at"].dt.normalize(),
        entered_on=entries["entered_at"].dt.normalize(),
    )
    frames = {
        "fct_entry": local,
        "fct_field_completeness": fields,
        "dim_employee": pd.DataFrame({"employee_id": range(1, 30), "employee_number": [f"E{n}" for n in range(1, 30)]}),
        "dim_project": pd.DataFrame({"project_id": [1], "project_name": ["North"]}),
    }
    return marts_of(folder, frames, model.READS, AS_OF)


def completeness(shares: list[float]) -> pd.DataFrame:
    """Make months of a field, up to the last whole one before the as-of's."""
    months = pd.period_range(end="2026-05", periods=len(shares), freq="M")
    return pd.DataFrame(
        {
            "project_id": 1,
            "crm_field": "lead.source_id",
            "month_on": [month.start_time.date() for month in months],
            "row_count": 200,
            "filled_count": [round(200 * share) for share in shares],
        }
    )


def found(result: Result, name: str) -> pd.DataFrame:
    (output,) = [output for output in check(result).outputs if output.name == name]
    return output.frame


def test_where_all_do_alike_nobody_is_asked_about(tmp_path: Path) -> None:
    result = model.run(as_marts(tmp_path, rows()))
    assert found(result, "questions").empty
    assert found(result, "fields").empty
    assert result.verdict == model.FLEETING
    assert result.values["questions"] == 0
    assert len(found(result, "late")) == 8


@pytest.mark.parametrize("pattern", ["late", "round_time", "weekend", "at_once"])
def test_a_habit_is_asked_about(tmp_path: Path, pattern: str) -> None:
    entries = rows()
    own = entries["employee_id"] == 3
    if pattern == "late":
        entries.loc[own, "is_late"] = np.arange(own.sum()) % 3 == 0
    elif pattern == "round_time":
        entries.loc[own, "happened_at"] = entries.loc[own, "happened_at"].dt.round("30min")
    elif pattern == "weekend":
        saturday = entries["happened_at"] + pd.to_timedelta(5 - entries["happened_at"].dt.day_of_week, unit="D")
        entries.loc[own, "entered_at"] = saturday[own]
    else:
        evening = entries["happened_at"].dt.to_period("M").dt.end_time.dt.floor("min")
        entries.loc[own, "entered_at"] = evening[own]
    questions = found(model.run(as_marts(tmp_path, entries)), "questions")
    named = questions[questions["what"] == model.PATTERNS[pattern]]
    assert named["employee"].tolist() == ["E3"]
    assert (named["share"] > named["expected"]).all()
    assert "employee" in questions


def test_a_habit_that_lasts_foretells(tmp_path: Path) -> None:
    entries = rows(people=12)
    for person in (2, 5, 7, 11):
        own = entries["employee_id"] == person
        entries.loc[own, "is_late"] = np.arange(own.sum()) % 3 == 0
    result = model.run(as_marts(tmp_path, entries))
    (line,) = result.evaluation
    assert line.model > 0
    assert (result.verdict == model.FOUND) == (line.low > 0)


def test_names_in_disorder_find_no_signal(tmp_path: Path) -> None:
    entries = rows()
    entries.loc[entries["employee_id"] == 3, "is_late"] = True
    entries["employee_id"] = entries["employee_id"].sample(frac=1, random_state=2).to_numpy()
    assert found(model.run(as_marts(tmp_path, entries)), "questions").empty


def test_a_field_that_is_filled_less_is_told(tmp_path: Path) -> None:
    result = model.run(as_marts(tmp_path, rows(), completeness([0.9] * 12 + [0.7] * 3)))
    (line,) = found(result, "fields").to_dict("records")
    assert (line["project"], line["crm_field"]) == ("North", "lead.source_id")
    assert line["before"] == pytest.approx(0.9)
    assert line["share"] == pytest.approx(0.7)
    assert line["low"] < -0.2 < line["high"]


def test_rows_of_no_one_and_of_other_years_do_not_count(tmp_path: Path) -> None:
    entries = rows()
    first = model.run(as_marts(tmp_path, entries))
    (tmp_path / "more").mkdir()
    old = rows(seed=2).assign(record_id=lambda f: f["record_id"] + 10_000)
    old[["happened_at", "entered_at"]] -= pd.Timedelta(days=800)
    nobody = rows(people=1, seed=3).assign(employee_id=pd.NA, record_id=lambda f: f["record_id"] + 20_000)
    more = pd.concat([entries, old, nobody.astype({"employee_id": "Int64"})], ignore_index=True)
    second = model.run(as_marts(tmp_path / "more", more.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(found(first, "late"), found(second, "late"))


def test_too_little_gives_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Abstain, match="Entries of 0 months"):
        model.run(as_marts(tmp_path, rows().head(0)))
    with pytest.raises(Abstain, match="Fewer than two people"):
        model.run(as_marts(tmp_path, rows(people=1)))
    no_fields = completeness([0.9]).head(0)
    assert found(model.run(as_marts(tmp_path, rows(), no_fields)), "fields").empty
