"""What models ask of the marts: samples that stay the same, and texts as categories."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from loupan.mining import Marts


@pytest.fixture
def marts(tmp_path: Path) -> Marts:
    leads = pd.DataFrame(
        {
            "lead_id": np.repeat(np.arange(20_000), 2),
            "source": np.tile(["Web", None, "Fair", "it's"], 10_000),
            "opened_on": pd.Timestamp("2026-01-01"),
            "amount": 1.5,
        }
    )
    leads.to_parquet(tmp_path / "fct_lead.parquet", index=False)
    leads.rename(columns={"amount": "paid"}).to_parquet(tmp_path / "fct_payment.parquet", index=False)
    as_of = dt.datetime(2026, 6, 30, 16, tzinfo=dt.UTC)
    return Marts(tmp_path, as_of, as_of.date(), ("fct_lead", "fct_payment"), megabytes=256, threads=1)


def test_a_sample_is_of_whole_values_and_always_the_same(marts: Marts) -> None:
    some = marts.sample("fct_lead", "lead_id", 5_000)
    drawn = marts.query(f"select lead_id from fct_lead where {some} order by lead_id")["lead_id"]
    assert drawn.nunique() == pytest.approx(5_000, rel=0.05)
    assert (drawn.value_counts() == 2).all()
    # Neither the first nor every fourth, and the same in another mart.
    assert drawn.drop_duplicates().diff().dropna().nunique() > 10
    elsewhere = marts.query(f"select lead_id from fct_payment where {some} order by lead_id")["lead_id"]
    assert elsewhere.tolist() == drawn.tolist()


def test_where_there_are_few_all_are_drawn(marts: Marts) -> None:
    assert marts.sample("fct_lead", "lead_id", 20_000) == "true"


def test_texts_come_as_categories_and_all_else_as_ever(marts: Marts) -> None:
    sql = 'select lead_id, source, opened_on, amount, 3 as "a b" from fct_lead order by lead_id desc, source'
    plain, categories = marts.query(sql), marts.query(sql, categories=True)
    assert categories["source"].cat.categories.tolist() == ["Fair", "Web", "it's"]
    pd.testing.assert_frame_equal(categories.assign(source=categories["source"].astype("str")), plain)
    # Again, with other texts and with none at all.
    again = marts.query("select upper(source) as source from fct_lead where source is null", categories=True)
    assert again["source"].isna().all()
    assert isinstance(again["source"].dtype, pd.CategoricalDtype)


def test_questions_keep_to_their_memory(marts: Marts) -> None:
    (limit, threads), = marts.query(
        "select current_setting('memory_limit') as m, current_setting('threads') as t"
    ).to_numpy().tolist()  # fmt: skip
    assert (limit, threads) == ("256.0 MiB", 1)
    with pytest.raises(duckdb.Error):
        marts.query("from dim_project")
