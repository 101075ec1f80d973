"""Lead scoring on small literal marts: states as they stood, no look ahead, owners, reasons that add up, abstaining."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain, Marts
from loupan.mining.result import check
from pipelines.mining.models import lead_score
from tests.validation.study_lead_score import shuffled, simulated

AS_OF = dt.datetime(2026, 6, 30, 16, tzinfo=dt.UTC)
LEAD = {
    "lead_id": 1, "customer_id": 10, "project_id": 100, "source_id": 5, "employee_id": 7, "intent_level": "A",
    "opened_at": "2026-05-01", "first_contract_at": None,
}  # fmt: skip
EVENT = {
    "lead_id": 1, "customer_id": 10, "project_id": 100, "recorded_in": "lead_event", "event_kind": "call",
    "is_effective": True, "source_id": None,
}  # fmt: skip
TYPES = {
    "fct_lead": dict.fromkeys(("opened_at", "first_contract_at"), "datetime64[us]"),
    "fct_lead_event": {"occurred_at": "datetime64[us]", "is_effective": "boolean", "source_id": "Int64"},
    "fct_customer_ownership": dict.fromkeys(("from_at", "to_at"), "datetime64[us]") | {"project_id": "Int64"},
}


def marts_of(folder: Path, leads=(), events=(), owners=()) -> Marts:
    """Write marts of rows that differ from the usual ones in what is given."""
    frames = {
        "fct_lead": pd.DataFrame([{**LEAD, **lead} for lead in leads], columns=[*LEAD]),
        "fct_lead_event": pd.DataFrame(
            [{**EVENT, "event_number": n, **event} for n, event in enumerate(events)],
            columns=[*EVENT, "event_number", "occurred_at"],
        ),
        "fct_customer_ownership": pd.DataFrame(
            [
                {"customer_owner_id": n, "from_at": "2026-01-01", "to_at": None, **owner}
                for n, owner in enumerate(owners)
            ],
            columns=["customer_owner_id", "customer_id", "project_id", "employee_id", "from_at", "to_at"],
        ),
        "dim_source": pd.DataFrame(
            {"source_id": [5, 6], "source_name": ["Street", "Fair"], "market_type": ["other", "event"]}
        ),
        "dim_project": pd.DataFrame({"project_id": [100], "project_name": ["North"]}),
        "dim_customer": pd.DataFrame({"customer_id": [10], "customer_class": ["First home"]}),
        "dim_employee": pd.DataFrame({"employee_id": [7, 8, 9], "employee_number": ["E7", "E8", "E9"]}),
    }
    for name, frame in frames.items():
        frame.astype(TYPES.get(name, {})).to_parquet(folder / f"{name}.parquet", index=False)
    return Marts(folder, AS_OF, AS_OF.date(), lead_score.READS)


def at(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)


def test_a_lead_is_told_as_it_stood(tmp_path):
    events = [
        {"occurred_at": "2026-04-20", "event_kind": "touchpoint", "recorded_in": "touchpoint", "source_id": 6},
        {"occurred_at": "2026-05-02"},
        {"occurred_at": "2026-05-03", "is_effective": False},
        {"occurred_at": "2026-05-05", "event_kind": "visit"},
        {"occurred_at": "2026-05-06", "event_kind": "visit", "is_effective": None},
        {"occurred_at": "2026-05-08", "event_kind": "qualified"},
        {"occurred_at": "2026-05-09", "event_kind": "small_booking", "recorded_in": "deal_event"},
        {"occurred_at": "2026-05-20", "event_kind": "booking", "recorded_in": "deal_event"},
    ]
    marts = marts_of(tmp_path, [{"first_contract_at": "2026-06-10"}], events)
    early, late = lead_score.states(marts, [at("2026-05-04"), at("2026-05-11")]).to_dict("records")
    assert (early["visits"], early["calls"], early["calls_in_vain"]) == (0, 1, 1)
    assert pd.isna(early["booking"])
    assert (early["days_open"], early["days_quiet"]) == (3, 1)
    assert early["met_event"]
    assert not early["met_online"]
    assert (late["visits"], late["visits_in_vain"], late["days_since_visit"], late["is_qualified"]) == (1, 1, 6, True)
    assert (late["booking"], late["days_since_booking"], late["days_quiet"]) == ("small_booking", 2, 2)
    assert early["signed"]
    assert late["signed"]
    assert (late["source"], late["project"], late["customer_class"]) == ("Street", "North", "First home")
    # The day it signed, it is no open lead any more.
    assert lead_score.states(marts, [at("2026-06-10")]).empty


@pytest.mark.parametrize(
    ("turns", "is_open"),
    [
        ([("2026-05-02", "lost")], False),
        ([("2026-05-02", "lost"), ("2026-05-04", "reopened")], True),
        ([("2026-05-02", "lost"), ("2026-05-02", "reopened")], True),
        ([("2026-05-20", "lost")], True),
        ([("2026-05-02", "lost"), ("2026-05-20", "reopened")], False),
        ([("2026-05-02", "cancel"), ("2026-05-02", "reopened")], True),
        ([("2026-05-02", "reopened"), ("2026-05-02", "cancel")], True),
    ],
)
def test_losses_and_reopenings_decide_as_in_the_figures(tmp_path, turns, is_open):
    events = [
        {"occurred_at": day, "event_kind": kind, "recorded_in": "deal_event" if kind == "cancel" else "lead_event"}
        for day, kind in turns
    ]
    marts = marts_of(tmp_path, [{}], events)
    assert (len(lead_score.states(marts, [at("2026-05-10")])) == 1) == is_open


def test_nothing_later_than_the_moment_is_seen(tmp_path):
    events = [{"occurred_at": "2026-05-02"}, {"occurred_at": "2026-05-03", "event_kind": "visit"}]
    later = [
        {"occurred_at": "2026-05-11", "event_kind": kind}
        for kind in ("call", "visit", "lost", "reopened", "booking", "qualified", "asked_again", "touchpoint")
    ]
    moments = [at("2026-05-10")]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before = lead_score.states(marts_of(tmp_path / "a", [{}], events), moments)
    after = lead_score.states(marts_of(tmp_path / "b", [{"first_contract_at": "2026-12-31"}], events + later), moments)
    pd.testing.assert_frame_equal(before, after)


def test_the_list_is_that_of_who_looks_after_the_lead_today(tmp_path):
    owners = [
        {"customer_id": 10, "project_id": 100, "employee_id": 8, "to_at": "2026-05-01"},
        {"customer_id": 10, "project_id": 100, "employee_id": 9},
        {"customer_id": 10, "project_id": None, "employee_id": 7},
        {"customer_id": 11, "project_id": None, "employee_id": 8},
    ]
    leads = [
        {},
        {"lead_id": 2, "customer_id": 11},
        {"lead_id": 3, "customer_id": 12},
        {"lead_id": 4, "customer_id": 13, "employee_id": None},
    ]
    marts = marts_of(tmp_path, leads, [{"occurred_at": "2026-05-02"}], owners)
    found = lead_score._with_owner(marts, lead_score.states(marts, [AS_OF])).set_index("lead_id")
    assert found["employee"].to_dict() == {1: "E9", 2: "E8", 3: "E7", 4: pytest.approx(np.nan, nan_ok=True)}


def test_reasons_are_exact_parts_of_the_log_odds():
    past, moments = simulated(1)
    tested, known = lead_score.evaluate(past, moments)
    model = lead_score.fit(known, known)
    parts = model.parts(tested)
    odds = np.log(model.chance(tested) / (1 - model.chance(tested)))
    assert parts.sum(axis=1).to_numpy() + model.line(model.intercept) == pytest.approx(odds)
    deviations = parts - parts.mean()
    assert deviations.sum(axis=1).to_numpy() + odds.mean() == pytest.approx(odds)
    told = lead_score._reasons(deviations)
    # Calls in favour are left out: they are the salesperson's own doing.
    largest = deviations.assign(**{lead_score.CALLS: deviations[lead_score.CALLS].clip(upper=0)}).abs().max(axis=1)
    first = np.log(told["times_1"].astype(float)).abs()
    assert first[first.notna()].to_numpy() == pytest.approx(largest[first.notna()].to_numpy())
    assert (largest[first.isna()] < 0.1).all()
    for k in (1, 2, 3):
        assert not ((told[f"reason_{k}"] == lead_score.CALLS) & (told[f"times_{k}"].astype(float) > 1)).any()


def test_many_projects_are_learnt_from_as_few_are(monkeypatch):
    """Beyond so many columns the matrix is sparse and the fit another one of scikit-learn's."""
    past, moments = simulated(1)
    dense, known = lead_score.evaluate(past, moments)
    monkeypatch.setattr(lead_score, "_MOST_DENSE", 0)
    sparse, _ = lead_score.evaluate(past, moments)
    assert not isinstance(lead_score._design(known, lead_score._levels(known))[0], np.ndarray)
    # The dense one stops at a tolerance that leaves about 0.002.
    assert sparse["chance"].to_numpy() == pytest.approx(dense["chance"].to_numpy(), abs=4e-3)


def test_of_many_leads_some_are_learnt_from_and_always_the_same(tmp_path):
    events = [{"lead_id": n, "occurred_at": "2026-05-02"} for n in range(0, 400, 2)]
    marts = marts_of(tmp_path, [{"lead_id": n} for n in range(400)], events)
    assert lead_score.drawn(marts, 400) == ("fct_lead", "fct_lead_event")
    moments = [at("2026-05-10"), at("2026-05-20")]
    found, everything = (
        lead_score.states(marts, moments, *lead_score.drawn(marts, 100)),
        lead_score.states(marts, moments),
    )
    assert 60 < found["lead_id"].nunique() < 140
    # Each of them at every moment, as it is told among all.
    whole = everything[everything["lead_id"].isin(found["lead_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, whole)


def test_a_new_value_and_a_missing_one_are_no_error():
    past, moments = simulated(2)
    tested, known = lead_score.evaluate(past, moments)
    model = lead_score.fit(known, known)
    strange = tested.head(3).assign(source="brand new", intent_level=None, customer_class=None)
    assert np.isfinite(model.chance(strange)).all()


def test_the_same_rows_in_any_order_give_the_same(tmp_path):
    past, moments = simulated(3)
    tested, _ = lead_score.evaluate(past, moments)
    again, _ = lead_score.evaluate(past.sample(frac=1, random_state=1).sort_values(["moment", "lead_id"]), moments)
    assert again["chance"].to_numpy() == pytest.approx(tested["chance"].to_numpy())
    assert lead_score.judged(tested) == lead_score.judged(tested)


def test_shuffled_outcomes_beat_nothing():
    past, moments = simulated(4)
    tested, _ = lead_score.evaluate(shuffled(past, 4), moments)
    lines, verdict, values = lead_score.judged(tested)
    assert not values["is_better"]
    assert verdict.startswith("Does not beat the baseline")
    assert lines[0].low <= 0.5 <= lines[0].high


def test_it_tells_leads_from_times_they_were_looked_at_and_those_without_a_booking():
    past, moments = simulated(4)
    tested, _ = lead_score.evaluate(past, moments)
    lines, verdict, values = lead_score.judged(tested)
    assert values["n"] == f"{tested['lead_id'].nunique():,}"
    assert values["moments"] == lead_score.TEST
    assert "{moments}" in verdict
    booked = tested.assign(booking="booking")
    # Where all hold one, nothing is said of those without.
    assert len(lead_score.judged(booked)[0]) == len(lines) - 2
    unbooked = tested.assign(booking=None)
    assert [line.model for line in lead_score.judged(unbooked)[0]][5] == pytest.approx(lines[0].model)


@pytest.mark.parametrize(("times", "misses"), [(0.3, 1), (1.0, 0), (3.0, -1)])
def test_it_says_when_leads_without_a_booking_sign_less_or_more_often_than_promised(times, misses):
    past, moments = simulated(4)
    tested, _ = lead_score.evaluate(past, moments)
    tested = tested.assign(chance=(tested["chance"] * times).clip(upper=0.99), booking=None)
    _, verdict, values = lead_score.judged(tested)
    assert verdict == lead_score._VERDICTS[bool(values["is_better"]), misses]
    assert ("{unbooked}" in verdict) == (misses != 0)


def test_sensitive_attributes_and_people_are_not_looked_at():
    past, moments = simulated(5)
    _, known = lead_score.evaluate(past, moments)
    looked_at = {name for _, name in lead_score.fit(known, known).columns}
    assert not [
        name
        for name in looked_at
        for word in ("gender", "age_band", "income", "education", "occupation", "personality", "employee", "owner")
        if word in name
    ]


def test_it_abstains_in_words(tmp_path):
    lost = {"occurred_at": "2026-05-02", "event_kind": "lost"}
    cases = {
        lead_score._NO_LEADS: ([], []),
        lead_score._NO_LOSSES: ([{}], [{"occurred_at": "2026-05-02"}]),
        lead_score._TOO_SHORT: ([{}], [lost]),
        lead_score._TOO_FEW: ([{"opened_at": "2023-01-01"}], [lost]),
    }
    for number, (reason, (leads, events)) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(Abstain) as abstained:
            lead_score.train(marts_of(folder, leads, events))
        assert abstained.value.reason == reason


def test_a_result_can_be_published(tmp_path):
    past, moments = simulated(6)
    tested, known = lead_score.evaluate(past, moments)
    lines, verdict, values = lead_score.judged(tested)
    learnt = lead_score.Learnt(
        lead_score.fit(known, known),
        lines,
        verdict,
        values,
        lead_score.reliability(tested["signed"], tested["chance"]),
        1,
    )
    marts = marts_of(tmp_path, [{}, {"lead_id": 2, "customer_id": 11}], [{"occurred_at": "2026-06-29"}])
    result = check(lead_score.run(marts, learnt))
    leads = result.outputs[0].frame
    assert leads["chance"].between(0, 1).all()
    assert leads["priority"].is_monotonic_decreasing
    assert not {"owner", "name", "age_band"} & {*leads.columns}
    (tmp_path / "none").mkdir()
    with pytest.raises(Abstain):
        lead_score.run(marts_of(tmp_path / "none", [{}], [{"occurred_at": "2026-05-02", "event_kind": "lost"}]), learnt)
