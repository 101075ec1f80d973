"""Customer segments on small companies: planted ones are found, shuffled ones are not, and nothing later leaks in."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from pipelines.mining.models import customer_segments
from tests.pipelines.mining.literal import marts_of, typed

TODAY = dt.date(2026, 6, 30)
QUESTIONS = {
    1: ("Purpose", ("Own home", "Investment")),
    2: ("Layout", ("Large", "Small")),
    3: ("Loan", ("false", "true")),
}
ANSWER = {
    "customer_id": "int64", "feature_id": "int64", "feature_name": "object", "feature_value": "object",
    "answer_number": "int64",
}  # fmt: skip


def company(seed=1, customers=900, shuffled=False, buys=0.2):
    """Families and investors: each answers as its kind, comes by its own channel, and investors sign more often."""
    rng = np.random.default_rng(seed)
    kind = rng.random(customers) < 0.4
    key = np.arange(1, customers + 1)

    def answers(pair):
        own = rng.random(customers) < 0.85
        value = np.where(own, kind, rng.random(customers) < 0.5)
        return np.array(pair, dtype=object)[(rng.permutation(value) if shuffled else value).astype(int)]

    opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 880, customers), unit="D")
    signs = rng.random(customers) < np.where(kind, buys, 0.05)
    lead = pd.DataFrame(
        {
            "lead_id": key, "customer_id": key, "project_id": 1 + key % 2,
            "source_id": answers((1, 2)).astype(int), "intent_level": answers(("B", "C")),
            "opened_at": opened, "opened_on": opened,
            "days_to_contract": np.where(signs, rng.uniform(20, 90, customers), np.nan),
        }
    )  # fmt: skip
    rows = [
        (customer, feature, name, value, 1)
        for feature, (name, pair) in QUESTIONS.items()
        for customer, value in zip(key, answers(pair), strict=True)
        if rng.random() < 0.8
    ]
    signed = lead[signs]
    return {
        "fct_lead": lead,
        "fct_customer_answer": typed(ANSWER, rows),
        "fct_deal_chain": pd.DataFrame(
            {
                "lead_id": signed["lead_id"],
                "is_live": True,
                "contract_amount_restated": rng.uniform(1e6, 3e6, len(signed)),
            }
        ),
        # Nothing that a customer must not be treated by is even there.
        "dim_customer": pd.DataFrame({"customer_id": key, "customer_class": None}).astype({"customer_class": "object"}),
        "dim_source": pd.DataFrame({"source_id": [1, 2], "market_type": ["online", "channel"]}),
        "dim_project": pd.DataFrame({"project_id": [1, 2], "project_name": ["North", "Lake"]}),
    }


def found_in(folder, frames):
    result = check(customer_segments.run(marts_of(folder, frames, customer_segments.READS, TODAY)))
    return result, {output.name: output.frame for output in result.outputs}


def test_planted_segments_are_found_and_described(tmp_path):
    result, found = found_in(tmp_path, company())
    segments = found["segments"].set_index("segment")
    assert result.values["segments"] == 2
    assert segments["share"].tolist() == pytest.approx([0.6, 0.4], abs=0.06)
    profile = found["profile"].set_index(["segment", "trait"])["value"]
    assert profile["A", "Purpose"] == "Own home"
    assert profile["B", "Purpose"] == "Investment"
    assert profile["B", "Loan"] == "Yes"
    assert profile["B", "Market type"] == "Agency channel"
    assert segments.loc["B", "conversion"] > segments.loc["A", "conversion"]
    assert set(found["projects"]["project"]) == {"North", "Lake"}


def test_visits_are_not_looked_at():
    # Who has come is nearer to signing: a segment of visitors would foresee what is known already.
    assert "fct_visit" not in customer_segments.READS


def test_shuffled_answers_make_no_segments(tmp_path):
    with pytest.raises(Abstain, match="No groups could be shown"):
        found_in(tmp_path, company(shuffled=True))


def test_what_came_later_does_not_move_the_segments(tmp_path):
    frames = company()
    changed = dict(frames)
    changed["fct_lead"] = frames["fct_lead"].assign(days_to_contract=np.nan)
    changed["fct_deal_chain"] = frames["fct_deal_chain"].head(0)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, before = found_in(tmp_path / "a", frames)
    _, after = found_in(tmp_path / "b", changed)
    pd.testing.assert_frame_equal(before["profile"], after["profile"])
    pd.testing.assert_frame_equal(before["projects"], after["projects"])


def test_the_order_of_rows_does_not_matter(tmp_path):
    frames = company()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in frames.items()}
    _, before = found_in(tmp_path / "a", frames)
    _, after = found_in(tmp_path / "b", shuffled)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(frame, after[name])


def test_questions_with_several_answers_are_left_out(tmp_path):
    frames = company()
    more = frames["fct_customer_answer"].query("feature_id == 1").head(3).assign(answer_number=2)
    frames["fct_customer_answer"] = pd.concat([frames["fct_customer_answer"], more], ignore_index=True)
    _, found = found_in(tmp_path, frames)
    assert "Purpose" not in set(found["profile"]["trait"])


def test_too_few_customers_are_told(tmp_path):
    with pytest.raises(Abstain, match="described well enough"):
        found_in(tmp_path, company(customers=200))


def test_an_empty_company_is_told(tmp_path):
    empty = {name: frame.head(0) for name, frame in company().items()}
    with pytest.raises(Abstain, match="Only 0 customers"):
        found_in(tmp_path, empty)
