"""The ledger of promises on literal rows."""

import datetime as dt

import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from pipelines.mining.models import promise_ledger
from tests.pipelines.mining.literal import marts_of, typed

TODAY = dt.date(2026, 6, 30)
COLUMNS = {
    "promise_id": "int64", "customer_id": "int64", "project_id": "Int64", "employee_id": "Int64",
    "made_at": "datetime64[us]", "made_on": "datetime64[us]",
    "due_on": "datetime64[us]", "state": "object", "has_complaint": "bool",
    "days_to_complaint": "float64", "likely_demand_id": "Int64",
}  # fmt: skip


def promise(key, state, *, person=1, project=1, made="2026-01-01", due=None, days=None, likely=None):
    return (key, 100 + key, project, person, made, made, due, state, days is not None, days, likely)


def ledger(folder, rows):
    frames = {
        "fct_promise": typed(COLUMNS, rows),
        "dim_project": pd.DataFrame({"project_id": [1, 2], "project_name": ["North", "Lake"]}),
        "dim_employee": pd.DataFrame({"employee_id": [1, 2], "employee_number": ["E1", "E2"]}),
    }
    result = check(promise_ledger.run(marts_of(folder, frames, promise_ledger.READS, TODAY)))
    return result, {output.name: output.frame for output in result.outputs}


def test_overdue_promises_come_first_then_those_due_next(tmp_path):
    result, found = ledger(
        tmp_path,
        [
            promise(1, "open", due="2026-07-10"),
            promise(2, "overdue", due="2026-06-29", project=None, person=None),
            promise(3, "open"),
            promise(4, "overdue", due="2026-05-01"),
            promise(5, "kept", due="2026-01-01"),
        ],
    )
    waiting = found["waiting"]
    assert waiting["promise"].tolist() == ["4", "2", "1", "3"]
    assert waiting["days_late"].tolist()[:2] == [60, 1]
    assert waiting["days_left"].tolist()[2] == 10
    assert not {"customer_name", "text"} & set(waiting)
    assert result.values["overdue"] == 2
    assert "Too few" in result.verdict


def test_what_was_due_on_the_last_day_is_overdue_by_a_day(tmp_path):
    result, found = ledger(tmp_path, [promise(1, "overdue", due="2026-06-30"), promise(2, "overdue", due="2026-06-29")])
    waiting = found["waiting"].set_index("promise")
    assert (waiting.loc["1", "state"], waiting.loc["1", "days_late"]) == ("Overdue", 1)
    assert (waiting.loc["2", "state"], waiting.loc["2", "days_late"]) == ("Overdue", 1)
    assert result.values["overdue"] == 2
    assert found["people"]["overdue"].sum() == 2


def test_rates_of_fewer_than_thirty_are_not_shown_and_nobody_is_ranked(tmp_path):
    rows = [promise(key, "kept" if key % 4 else "broken", person=1) for key in range(1, 41)]
    rows += [promise(key, "kept", person=2, project=2) for key in range(41, 51)]
    _, found = ledger(tmp_path, rows)
    people = found["people"].set_index("employee")
    assert people.loc["E1", "kept_rate"] == pytest.approx(0.75)
    assert pd.isna(people.loc["E2", "kept_rate"])
    # Ten of ten are no proof of a hundred percent.
    assert 0.75 < people.loc["E2", "likely_rate"] < 1
    assert people.loc["E2", "likely_low"] < people.loc["E2", "likely_rate"] < people.loc["E2", "likely_high"]
    assert list(people.index) == ["E1", "E2"]
    assert set(found["projects"]["project"]) == {"North", "Lake"}


def test_promises_under_watch_count_as_long_as_they_are_watched(tmp_path):
    # Forty made half a year ago, of which ten ended in a complaint after 20 days; forty made ten days ago.
    rows = [promise(key, "broken", days=20.0) for key in range(1, 11)]
    rows += [promise(key, "kept") for key in range(11, 41)]
    rows += [promise(key, "open", made="2026-06-20") for key in range(41, 81)]
    _, found = ledger(tmp_path, rows)
    complaints = found["complaints"].set_index("after")
    # Of the forty that were watched for 20 days a quarter, not of all eighty an eighth.
    assert complaints.loc[30, "share"] == pytest.approx(0.25)
    assert complaints.loc[30, "low"] < 0.25 < complaints.loc[30, "high"]
    assert 365 not in complaints.index


def test_likely_complaints_are_listed_to_be_linked(tmp_path):
    _, found = ledger(tmp_path, [promise(1, "kept", likely=77), promise(2, "kept")])
    assert found["to_link"][["promise", "demand"]].to_numpy().tolist() == [["1", "77"]]


def test_no_difference_between_people_is_claimed_or_denied_where_outcomes_are_shuffled(tmp_path):
    rows = [
        promise(key, "kept" if (key * 7919) % 5 else "broken", person=1 + key % 2, made=f"2025-{1 + key // 28:02}-01")
        for key in range(1, 300)
    ]
    result, _ = ledger(tmp_path, rows)
    assert "No difference between people could be shown" in result.verdict


def test_a_company_without_promises_is_told_so(tmp_path):
    with pytest.raises(Abstain, match="No promise is recorded"):
        ledger(tmp_path, [])


@pytest.mark.parametrize("state", ["kept", "broken", "open", "overdue"])
def test_one_promise_is_no_exception(tmp_path, state):
    result, _ = ledger(tmp_path, [promise(1, state)])
    assert result.evaluation[0].model is None
