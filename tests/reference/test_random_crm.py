"""The random companies keep every rule of the schema and hold the hard cases they are made for."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from tests.reference.random_crm import WINDOW, RandomCrm, random_crm


@pytest.mark.parametrize("seed", range(3))
def test_a_company_keeps_every_rule_of_the_schema(seed: int, sqlite_url: str) -> None:
    company = random_crm(seed)
    engine = create_engine_for(sqlite_url)
    create_schema(engine)
    with engine.begin() as connection:
        # Rows come in no order: references are checked at the commit.
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for table in metadata.sorted_tables:
            if table.name in company.tables:
                connection.execute(table.insert(), company.tables[table.name].to_dict("records"))
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(metadata.tables["lead"])) > 0
    engine.dispose()


def test_the_same_seed_makes_the_same_company() -> None:
    first, second = random_crm(7), random_crm(7)
    assert first.as_of == second.as_of
    assert all(frame.equals(second.tables[name]) for name, frame in first.tables.items())


def live(company: RandomCrm, table: str) -> pd.DataFrame:
    frame = company.tables[table]
    return frame[frame["deleted_at"].isna()]


def test_deleting_a_row_deletes_what_hangs_on_it() -> None:
    for seed in range(10):
        company = random_crm(seed)
        for table in company.tables:
            for key in metadata.tables[table].foreign_keys:
                parents = (
                    set(live(company, key.column.table.name)["id"])
                    if key.column.table.name in company.tables
                    else set()
                )
                assert set(live(company, table)[key.parent.name].dropna()) <= parents, (table, key.parent.name)


def test_every_hard_case_comes_up() -> None:
    seen: set[str] = set()
    for seed in range(40):
        company = random_crm(seed)
        seen |= hard_cases(company)
    assert seen == {
        "merge chain", "merge circle", "leads that collapse", "equal lead times", "swap", "swap of a swap",
        "booking swapped",
        "swap then cancel", "signed again", "booking cancelled", "amend", "events at the same moment",
        "event after the as-of", "deal without a lead", "shares", "missing margin", "reply at the deadline",
        "reopened", "touchpoint at the edge", "touchpoint at the deal", "midnight", "withdrawn later", "deleted",
    }  # fmt: skip


def hard_cases(company: RandomCrm) -> set[str]:
    """Return the names of the hard cases that a company holds."""
    table = {name: frame[frame["deleted_at"].isna()] for name, frame in company.tables.items()}
    into = dict(zip(table["customer"]["id"], table["customer"]["merged_into_id"], strict=True))
    swapped_from = dict(zip(table["deal"]["id"], table["deal"]["swapped_from_id"], strict=True))
    events = table["deal_event"].sort_values(["deal_id", "occurred_at", "id"])
    kinds = events.groupby("deal_id")["kind"].agg(list)
    first_event = events.groupby("deal_id")["occurred_at"].min()
    deals = table["deal"].set_index("id")
    touchpoints = table["touchpoint"].merge(
        deals.join(first_event.rename("first_event_at")), on=["customer_id", "project_id"], suffixes=("", "_deal")
    )
    age = pd.to_datetime(touchpoints["first_event_at"]) - pd.to_datetime(touchpoints["occurred_at"])
    replies = table["demand_event"].merge(table["demand"], left_on="demand_id", right_on="id")
    lead_pairs = table["lead"].groupby(["customer_id", "project_id"])
    return {
        name
        for name, holds in {
            "merge chain": any(target is not None and into.get(target) is not None for target in into.values()),
            "merge circle": any(
                target is not None and into.get(target) == customer for customer, target in into.items()
            ),
            "leads that collapse": (lead_pairs.size() > 1).any(),
            "equal lead times": (lead_pairs["opened_at"].nunique() < lead_pairs.size()).any(),
            "swap": any(source is not None for source in swapped_from.values()),
            "swap of a swap": any(source and swapped_from.get(source) for source in swapped_from.values()),
            "booking swapped": any("swap" in names and "contract" not in names for names in kinds),
            "swap then cancel": any(swapped_from.get(deal) and "cancel" in names for deal, names in kinds.items()),
            "signed again": any(names.count("contract") > 1 for names in kinds),
            "booking cancelled": any("cancel" in names and "contract" not in names for names in kinds),
            "amend": any("amend" in names for names in kinds),
            "events at the same moment": events.duplicated(["deal_id", "occurred_at"]).any(),
            "event after the as-of": (events["occurred_at"] > company.as_of).any(),
            "deal without a lead": table["deal"]["lead_id"].isna().any(),
            "shares": len(table["deal_share"]) > 0,
            "missing margin": table["project"]["gross_margin_rate"].isna().any(),
            "reply at the deadline": (
                (replies["kind"] == "reply") & (replies["occurred_at"] == replies["due_at"])
            ).any(),
            "reopened": (replies["kind"] == "reopen").any(),
            "touchpoint at the edge": (age == WINDOW).any(),
            "touchpoint at the deal": (age == dt.timedelta(0)).any(),
            "midnight": events["occurred_at"].map(lambda moment: moment.time() == dt.time(16)).any(),
            "withdrawn later": (table["demand"]["withdrawn_at"].dropna() > company.as_of).any(),
            "deleted": any(len(frame) > len(table[name]) for name, frame in company.tables.items()),
        }.items()
        if holds
    }
