"""The forecasts of sales and collections on small marts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from loupan.mining import Abstain
from loupan.mining.result import check
from pipelines.mining.models import collections_forecast, sales_forecast
from pipelines.mining.monthly import complete_months
from tests.pipelines.mining.literal import written

AS_OF = dt.date(2026, 6, 30)
PROJECTS = pd.DataFrame({"project_id": [1, 2, 3], "project_name": ["Oak", "Elm", "Ash"]})


def postings(months: int, seed: int = 0) -> pd.DataFrame:
    """Contracts of two projects up to June 2026; the second opened half a year later."""
    rng = np.random.default_rng(seed)
    rows = []
    for month in pd.period_range(end="2026-06", periods=months + 1, freq="M"):
        for project in (1, 2):
            if project == 2 and month < pd.Period("2026-06", "M") - months + 6:
                continue
            for _ in range(rng.poisson(9)):
                rows.append((project, month.start_time.date() + dt.timedelta(days=int(rng.integers(0, 28)))))
    frame = pd.DataFrame(rows, columns=["project_id", "posted_on"])
    amount = 2e6 + 1e5 * rng.integers(0, 9, len(frame))
    zero = np.zeros(len(frame))
    return frame.assign(
        posting_kind="contract", contracts_gross=1.0, contracts_cancelled=zero, contract_amount_gross=amount,
        contract_amount_amended=zero, contract_amount_cancelled=zero,
    )  # fmt: skip


def money(sold: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Instalments (30 % after a week, the rest after two months), and payments of them on the day."""
    parts = []
    for share, days in ((0.3, 7), (0.7, 60)):
        parts.append(
            pd.DataFrame(
                {
                    "deal_chain_id": sold.index, "project_id": sold["project_id"], "contract_on": sold["posted_on"],
                    "due_on": pd.to_datetime(sold["posted_on"]) + pd.Timedelta(days=days),
                    "due_amount": sold["contract_amount_gross"] * share,
                }
            )
        )  # fmt: skip
    dues = pd.concat(parts, ignore_index=True)
    dues["due_on"] = dues["due_on"].dt.date
    dues["ended_on"] = pd.Series([None] * len(dues), dtype="datetime64[ns]")
    dues["payment_due_id"] = dues.index
    paid = dues[dues["due_on"] <= AS_OF]
    payments = pd.DataFrame(
        {
            "payment_id": paid["payment_due_id"], "deal_chain_id": paid["deal_chain_id"],
            "project_id": paid["project_id"],
            "received_on": paid["due_on"], "collected_amount": paid["due_amount"],
        }
    )  # fmt: skip
    return dues, payments


def sales(tmp_path, frame, as_of_on=AS_OF):
    return sales_forecast.run(written(tmp_path, as_of_on, fct_sales_posting=frame, dim_project=PROJECTS))


def collections(tmp_path, sold, dues, payments, as_of_on=AS_OF):
    return collections_forecast.run(
        written(
            tmp_path, as_of_on, fct_sales_posting=sold, dim_project=PROJECTS, fct_instalment=dues, fct_payment=payments
        )
    )


def outputs(result):
    return {output.name: output.frame for output in check(result).outputs}


def test_only_complete_months_count():
    assert [*complete_months(dt.date(2026, 1, 31), AS_OF).astype(str)] == [
        "2026-02",
        "2026-03",
        "2026-04",
        "2026-05",
        "2026-06",
    ]
    assert complete_months(dt.date(2026, 1, 31), dt.date(2026, 6, 29))[-1] == pd.Period("2026-05", "M")
    assert len(complete_months(dt.date(2026, 6, 1), AS_OF)) == 0


def test_projects_sum_to_the_company_and_those_that_sold_nothing_are_left_out(tmp_path):
    found = outputs(sales(tmp_path, postings(36)))
    coming = found["contracts"][found["contracts"]["series"] == "Forecast"]
    by_month = found["by_project_and_month"].groupby("month")["contracts"].sum()
    assert coming["month"].tolist() == ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]
    assert by_month.to_numpy() == pytest.approx(coming["contracts"].to_numpy())
    assert coming["contracts"].to_numpy() == pytest.approx(18, rel=0.35)
    assert set(found["by_project"]["project"]) == {"Oak", "Elm"}
    for low, high in (("low95", "low80"), ("low80", "contracts"), ("contracts", "high80"), ("high80", "high95")):
        assert (coming[low] <= coming[high]).all()
    assert set(found["coverage"]["months_ahead"]) == {1, 2, 3, 4, 5, 6}


def test_the_verdict_says_what_intervals_held_and_how_single_projects_did(tmp_path):
    result = sales(tmp_path, postings(36))
    lines = {line.measure: line for line in result.evaluation}
    for measure, place in (("Contract amount", "held_amount"), ("Contracts", "held_contracts")):
        held = lines[f"{measure}, company: months held by 80% intervals; promised 80%"]
        assert f"{100 * held.model:.0f}%" == result.values[place]
        assert f"{{{place}}}" in result.verdict
    projects = lines["Contracts, each project: scaled error; baseline the mean of twelve months"]
    is_said = "single projects it is no better" in result.verdict
    assert is_said == (projects.model >= projects.baseline)


def test_the_running_month_is_forecast_and_what_it_has_so_far_changes_nothing(tmp_path):
    frame = postings(36)
    half = frame[frame["posted_on"] <= dt.date(2026, 6, 12)]
    before = frame[frame["posted_on"] < dt.date(2026, 6, 1)]
    one = outputs(sales(tmp_path / "a", half, dt.date(2026, 6, 12)))["contracts"]
    other = outputs(sales(tmp_path / "b", before, dt.date(2026, 6, 12)))["contracts"]
    pd.testing.assert_frame_equal(one, other)
    assert one["month"].tolist()[-6] == "2026-06"


def test_rows_in_any_order_give_the_same(tmp_path):
    frame = postings(36)
    one, other = sales(tmp_path / "a", frame), sales(tmp_path / "b", frame.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(outputs(one)["amount"], outputs(other)["amount"])


def test_shuffled_months_are_not_claimed_to_be_foreseen(tmp_path):
    frame = postings(48)
    months = np.random.default_rng(5).permutation(48)
    days = pd.to_datetime(frame["posted_on"])
    place = (days.dt.year - 2022) * 12 + days.dt.month - 7
    moved = place.map(lambda m: pd.Period("2022-07", "M") + int(months[m]) if 0 <= m < 48 else None)
    frame["posted_on"] = [
        old if pd.isna(new) else new.start_time.date() for old, new in zip(frame["posted_on"], moved, strict=True)
    ]
    assert "more than chance" not in sales(tmp_path, frame).verdict


@pytest.mark.parametrize("months", [0, 3, 23])
def test_too_short_a_history_abstains(tmp_path, months):
    frame = postings(months) if months else postings(1).iloc[:0]
    with pytest.raises(Abstain) as told:
        sales(tmp_path, frame)
    assert ("There is no contract yet." if not months else f"there are {months}") in str(told.value)


def test_collections_follow_the_instalments(tmp_path):
    sold = postings(36)
    found = outputs(collections(tmp_path, sold, *money(sold)))
    taken = found["methods"].set_index("method")["taken"].dropna()
    assert "Instalments due, at the pace paid before, and those of expected contracts" in taken.index
    coming = found["collected"][found["collected"]["series"] == "Forecast"].set_index("month")["collected"]
    origin = found["origin"].set_index("month")
    # Of June's contracts all of the second part comes in August, of May's in July.
    assert origin.loc["2026-07":"2026-08", "signed"].min() > 2 * origin.loc["2026-10", "signed"]
    assert coming.to_numpy() == pytest.approx(18 * 2.4e6, rel=0.35)


def test_collections_without_instalments_use_the_series_alone(tmp_path):
    sold = postings(30)
    dues, payments = money(sold)
    result = collections(tmp_path, sold, dues.iloc[:0], payments)
    assert "origin" not in outputs(result)
    assert "Use the simple rules" in result.verdict or "errors" in result.verdict


def test_later_payments_change_no_earlier_expectation(tmp_path):
    sold = postings(36)
    dues, payments = money(sold)
    early = payments["received_on"] < dt.date(2026, 1, 1)

    def books(frame, folder):
        marts = written(
            tmp_path / folder,
            AS_OF,
            fct_sales_posting=sold,
            dim_project=PROJECTS,
            fct_instalment=dues,
            fct_payment=frame,
        )
        months = pd.period_range("2023-07", "2026-06", freq="M")
        y = np.zeros((3, 36))
        return collections_forecast.Books.of(marts, [1, 2], months, y).expected(30, 6)

    assert np.array_equal(books(payments, "all")[:2], books(payments[early], "early")[:2])


def test_no_payments_abstain(tmp_path):
    sold = postings(30)
    dues, payments = money(sold)
    with pytest.raises(Abstain):
        collections(tmp_path / "none", sold, dues, payments.iloc[:0])
    with pytest.raises(Abstain):
        collections(tmp_path / "short", sold, dues, payments[payments["received_on"] > dt.date(2025, 3, 1)])
