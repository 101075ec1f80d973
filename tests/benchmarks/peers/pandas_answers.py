"""The questions answered by pandas from the tables of the CRM, column by column, with nothing of the dbt models.

``python -m tests.benchmarks.peers.pandas_answers CRM AS_OF ANSWERS``. `tests/reference` computes the same and more, row
by row in plain Python: written to be read, and no measure of pandas.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.peers.pandas_tables import read

ZONE = "Asia/Shanghai"
_BOOKED = ("contract", "booking", "small_booking")
_MILLION = 1_000_000
Rows = list[list[Any]]


def roots(keys: pd.Series, parents: pd.Series) -> pd.Series:
    """Return the end of the path that leads from each key over its parents; of a circle, the smallest key on it."""
    place = pd.Series(np.arange(len(keys)), index=keys.to_numpy())
    above = place.reindex(parents).to_numpy()
    parent = np.where(np.isnan(above), np.arange(len(keys)), above).astype(np.int64)
    end = parent
    for _ in range(len(keys).bit_length()):
        end = end[end]
    for start in np.flatnonzero(parent[end] != end):
        circle, at = [], end[start]
        while at not in circle:
            circle.append(at)
            at = parent[at]
        end[start] = min(circle, key=lambda one: keys.iloc[one])
    return pd.Series(keys.to_numpy()[end], index=keys.to_numpy())


def _local(moments: pd.Series) -> pd.Series:
    return moments.dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.tz_localize(None)


def _month(moments: pd.Series) -> pd.Series:
    return moments.dt.strftime("%Y-%m")


class Company:
    """What several questions rest on: merged customers, leads, deals and their events."""

    def __init__(self, tables: dict[str, pd.DataFrame], as_of: pd.Timestamp) -> None:
        self.tables, self.as_of = tables, as_of
        self.day = _local(pd.Series([as_of]))[0].normalize()
        customer = tables["customer"]
        self.survivor = roots(customer["id"], customer["merged_into_id"])
        self.leads = self._leads()
        self.events = self._deal_events()
        self.deals = self._deals()
        self.journeys = self._journeys()
        self.chains = self._chains()

    def until(self, table: str, column: str = "occurred_at") -> pd.DataFrame:
        """Return the rows of a table that happened by now."""
        frame = self.tables[table]
        return frame[frame[column] <= self.as_of]

    def _leads(self) -> pd.DataFrame:
        leads = self.until("lead", "opened_at").copy()
        leads["survivor"] = leads["customer_id"].map(self.survivor)
        leads = leads.dropna(subset="survivor").sort_values(["opened_at", "id"])
        leads["journey"] = leads.groupby(["survivor", "project_id"])["id"].transform("first")
        return leads

    def _deal_events(self) -> pd.DataFrame:
        deals = self.tables["deal"].set_index("id")
        events = self.until("deal_event")
        events = events[events["deal_id"].isin(deals.index)].sort_values(["deal_id", "occurred_at", "id"])
        events = events.reset_index(drop=True)
        events["swapped_from_id"] = events["deal_id"].map(deals["swapped_from_id"])
        deal, kind = events["deal_id"], events["kind"]
        events["sequence"] = events.groupby("deal_id").cumcount() + 1
        last = {
            name: events["sequence"].where(kind == name).groupby(deal).ffill() for name in (*_BOOKED, "cancel", "swap")
        }
        events["contract_sequence"] = last["contract"]
        price = events["amount"].where(kind.isin(["contract", "amend"]), 0.0)
        price = price.groupby([deal, last["contract"].fillna(0)]).cumsum()
        events["is_under_contract"] = last["contract"] > last["cancel"].fillna(0)
        events["amount_after"] = price.where(events["is_under_contract"], 0.0)
        is_new = events["swapped_from_id"].isna()
        events["posting"] = np.select(
            [
                (kind == "contract") & is_new,
                kind == "contract",
                (kind == "amend") & last["contract"].notna(),
                (kind == "cancel") & last["contract"].notna(),
            ],
            ["contract", "swap", "amend", "contract_cancel"],
            "",
        )
        before = last["contract"].fillna(last["booking"]).fillna(last["small_booking"])
        credited = events["sequence"].where(kind.isin(_BOOKED), before)
        people = events.set_index(["deal_id", "sequence"])["employee_id"]
        events["credited"] = people.reindex(pd.MultiIndex.from_arrays([deal, credited])).to_numpy()
        booked = pd.concat([last[name].fillna(0) for name in _BOOKED], axis=1).max(axis=1)
        events["is_cancelled"] = last["cancel"].fillna(0) > booked
        events["is_given_up"] = (last["swap"].fillna(0) > last["contract"]).where(
            last["contract"].notna(), last["swap"].notna()
        )
        return events

    def _deals(self) -> pd.DataFrame:
        deals = self.tables["deal"].set_index("id", drop=False).rename_axis(None)
        deals = deals[deals["customer_id"].isin(self.survivor.index)].copy()
        deals["survivor"] = deals["customer_id"].map(self.survivor)
        deals["chain"] = deals["id"].map(roots(self.tables["deal"]["id"], self.tables["deal"]["swapped_from_id"]))
        events = self.events
        at, kind = events["occurred_at"], events["kind"]
        by_deal = events["deal_id"]
        deals["first_event_at"] = at.groupby(by_deal).min()
        signed = at.where(kind == "contract").groupby(by_deal)
        first_contract = signed.min()
        last_contract, last_cancel = signed.max(), at.where(kind == "cancel").groupby(by_deal).max()
        final = events.groupby("deal_id").last()
        following = self.tables["deal"].dropna(subset="swapped_from_id")
        replaced_at = following["id"].map(first_contract).groupby(following["swapped_from_id"]).min()
        replaced = deals["id"].map(replaced_at)
        signed_last = deals["id"].map(last_contract)
        is_replaced = replaced.notna() & (signed_last.isna() | (replaced >= signed_last))
        deals["is_swapped"] = deals["id"].map(final["is_given_up"]).eq(True) | is_replaced
        deals["is_live"] = deals["id"].map(final["is_under_contract"]).eq(True) & ~deals["is_swapped"]
        deals["amount"] = deals["id"].map(final["amount_after"]).where(deals["is_live"], 0.0)
        deals["cancelled_at"] = deals["id"].map(last_cancel).where(deals["id"].map(final["is_cancelled"]).eq(True))
        deals["own_lead"] = deals["lead_id"].map(self.leads.set_index("id")["journey"])
        ordered = deals.assign(has_none=deals["own_lead"].isna()).sort_values(["has_none", "first_event_at", "id"])
        deals["lead"] = deals["own_lead"].fillna(ordered.groupby("chain")["own_lead"].transform("first"))
        return deals

    def _journeys(self) -> pd.DataFrame:
        journeys = self.leads[self.leads["id"] == self.leads["journey"]].set_index("id", drop=False).rename_axis(None)
        journeys["is_converted"] = self.deals.groupby("lead")["is_live"].any().reindex(journeys.index).eq(True)
        leads = self.until("lead_event")
        leads = leads[leads["kind"].isin(["lost", "reopened"])]
        cancels = self.events[self.events["kind"] == "cancel"]
        turns = pd.concat([
            leads.assign(lead=leads["lead_id"].map(self.leads.set_index("id")["journey"]), later=1),
            cancels.assign(lead=cancels["deal_id"].map(self.deals["lead"]), later=0),
        ])[["lead", "kind", "occurred_at", "later", "id"]].dropna(subset="lead")  # fmt: skip
        last = turns.sort_values(["occurred_at", "later", "id"]).groupby("lead").last().reindex(journeys.index)
        is_lost = ~journeys["is_converted"] & last["kind"].isin(["lost", "cancel"])
        journeys["lost_at"] = last["occurred_at"].where(is_lost)
        return journeys

    def _chains(self) -> pd.DataFrame:
        begun = self.deals.dropna(subset="first_event_at")
        by_chain = self.deals.groupby("chain")
        running = begun["cancelled_at"].isna() & ~begun["is_swapped"]
        chains = pd.DataFrame({
            "first_event_at": by_chain["first_event_at"].min(),
            "is_live": by_chain["is_live"].any(),
            "amount": by_chain["amount"].sum(),
            "cancelled_at": by_chain["cancelled_at"].max(),
        }).loc[begun["chain"].unique()]  # fmt: skip
        still = running.groupby(begun["chain"]).any().reindex(chains.index)
        chains["cancelled_at"] = chains["cancelled_at"].where(~still)
        root = self.deals.set_index("id").reindex(chains.index)
        for column in ("lead", "survivor", "project_id"):
            chains[column] = root[column]
        signed = self.events[self.events["kind"] == "contract"]
        chains["first_contract_at"] = (
            signed["occurred_at"].groupby(signed["deal_id"].map(self.deals["chain"])).min().reindex(chains.index)
        )
        return chains


def _names(tables: dict[str, pd.DataFrame], table: str, column: str) -> pd.Series:
    return tables[table].set_index("id")[column]


def _rows(frame: pd.DataFrame, by: Sequence[str], values: Sequence[str]) -> Rows:
    summed = frame.groupby(list(by), dropna=False)[list(values)].sum().reset_index()
    summed[list(by)] = summed[list(by)].astype(object).where(summed[list(by)].notna(), None)
    rows: Rows = summed[[*by, *values]].to_numpy(dtype=object).tolist()
    return rows


def conversion_rate(company: Company) -> Rows:
    """Converted leads and leads by month of entry and source."""
    journeys = company.journeys.assign(
        month=_month(_local(company.journeys["opened_at"])),
        source=company.journeys["source_id"].map(_names(company.tables, "source", "name")),
        converted=company.journeys["is_converted"].astype(int),
        leads=1,
    )
    return _rows(journeys, ["month", "source"], ["converted", "leads"])


def _demands(company: Company) -> pd.DataFrame:
    demands = company.until("demand", "received_at").copy()
    demands["kind"] = demands["demand_category_id"].map(_names(company.tables, "demand_category", "kind"))
    demands["is_withdrawn"] = demands["withdrawn_at"] <= company.as_of
    known = demands["kind"].notna() & demands["customer_id"].isin(company.survivor.index)
    return demands[known & demands["duplicate_of_id"].isna()]


def complaint_rate(company: Company) -> Rows:
    """Valid complaints and customer-months by month and project."""
    demands = _demands(company)
    valid = (demands["kind"] == "complaint") & ~demands["is_withdrawn"] & demands["is_founded"].ne(0)
    complaints = demands[valid]
    journeys, chains = company.journeys, company.chains
    alone = chains[chains["lead"].isna()]
    spells = pd.concat([
        journeys[["survivor", "project_id"]].assign(start=journeys["opened_at"], end=journeys["lost_at"]),
        alone[["survivor", "project_id"]].assign(start=alone["first_event_at"], end=alone["cancelled_at"]),
    ])  # fmt: skip
    start = _local(spells["start"])
    end = _local(spells["end"].fillna(company.as_of))
    first = start.dt.year * 12 + start.dt.month - 1
    length = (end.dt.year * 12 + end.dt.month - first).clip(lower=0).to_numpy()
    months = spells[["survivor", "project_id"]].loc[:].take(np.repeat(np.arange(len(spells)), length))
    number = np.repeat(first.to_numpy(), length) + np.arange(length.sum()) - np.repeat(length.cumsum() - length, length)
    months = months.assign(number=number).drop_duplicates()
    names = {n: f"{n // 12}-{n % 12 + 1:02}" for n in months["number"].unique()}
    facts = pd.concat([
        pd.DataFrame({"month": _month(_local(complaints["received_at"])), "project_id": complaints["project_id"],
                      "complaints": 1, "customer_months": 0}),
        pd.DataFrame({"month": months["number"].map(names), "project_id": months["project_id"],
                      "complaints": 0, "customer_months": 1}),
    ])  # fmt: skip
    facts["project"] = facts["project_id"].map(_names(company.tables, "project", "name"))
    return _rows(facts, ["month", "project"], ["complaints", "customer_months"])


def _postings(company: Company) -> pd.DataFrame:
    events = company.events
    by_deal = events.groupby("deal_id")
    own = by_deal["amount_after"].shift().where(by_deal["contract_sequence"].shift().notna())
    swaps = events[events["posting"] == "swap"].sort_values("occurred_at", kind="stable")
    old = events[["deal_id", "occurred_at", "sequence", "amount_after"]].sort_values(["occurred_at", "sequence"])
    given_up = pd.merge_asof(
        swaps[["id", "occurred_at", "swapped_from_id"]].astype({"swapped_from_id": "int64"}),
        old.rename(columns={"deal_id": "swapped_from_id"}).astype({"swapped_from_id": "int64"}),
        on="occurred_at", by="swapped_from_id",
    ).set_index("id")["amount_after"]  # fmt: skip
    before = own.fillna(events["id"].map(given_up)).fillna(0.0)
    amount = events["amount"].where(events["posting"] != "swap", events["amount"] - before)
    sign = np.where(events["posting"] == "contract_cancel", -1, 1)
    postings = events.assign(net=amount * sign)[events["posting"] != ""]
    return postings[postings["deal_id"].isin(company.deals.index)]


def contract_amount(company: Company) -> Rows:
    """Contract amount net of cancellations by month of posting."""
    postings = _postings(company)
    return _rows(postings.assign(month=_month(_local(postings["occurred_at"]))), ["month"], ["net"])


def contracts(company: Company) -> Rows:
    """Contracts net of cancellations by who is credited, shared deals by weight."""
    shares = company.tables["deal_share"]
    shares = shares[shares["deal_id"].isin(company.tables["deal"]["id"])]
    shares = shares.groupby(["deal_id", "employee_id"], as_index=False)["share"].sum()
    whole = shares.groupby("deal_id")["share"].transform("sum")
    shares["weight"] = (shares["share"] / whole * _MILLION).round().astype("int64")
    shares = shares.sort_values(["deal_id", "share", "employee_id"], ascending=[True, False, True])
    rest = _MILLION - shares.groupby("deal_id")["weight"].transform("sum")
    shares["weight"] += rest.where(shares.groupby("deal_id").cumcount() == 0, 0)
    postings = _postings(company)
    postings = postings[postings["posting"].isin(["contract", "contract_cancel"])][["deal_id", "posting", "credited"]]
    postings = postings.merge(shares[["deal_id", "employee_id", "weight"]], on="deal_id", how="left")
    who = postings["employee_id"].fillna(postings["credited"])
    sign = np.where(postings["posting"] == "contract", 1, -1)
    credited = pd.DataFrame({
        "employee": who.map(_names(company.tables, "employee", "number")),
        "contracts": postings["weight"].fillna(_MILLION) * sign,
    })  # fmt: skip
    return [[employee, value / _MILLION] for employee, value in _rows(credited, ["employee"], ["contracts"])]


def reply_timeliness_rate(company: Company) -> Rows:
    """Timely replies and replies due by who had the demand."""
    demands = _demands(company)
    events = company.until("demand_event").sort_values(["occurred_at", "id"])
    replies = events[events["kind"] == "reply"].groupby("demand_id")["occurred_at"].min()
    demands = demands.assign(reply_at=demands["id"].map(replies))
    judged_at = demands[["reply_at", "due_at"]].min(axis=1)
    judged_at.index = demands["id"]
    handed = events[events["kind"].isin(["assign", "forward"])]
    limit = handed["demand_id"].map(judged_at)
    handed = handed[limit.isna() | (handed["occurred_at"] <= limit)]
    handler = handed.drop_duplicates("demand_id", keep="last").set_index("demand_id")["to_employee_id"]
    due = demands[(demands["due_at"] <= company.as_of) & ~demands["is_withdrawn"]]
    facts = pd.DataFrame({
        "employee": due["id"].map(handler).map(_names(company.tables, "employee", "number")),
        "timely": (due["reply_at"] <= due["due_at"]).astype(int),
        "due": 1,
    })  # fmt: skip
    return _rows(facts, ["employee"], ["timely", "due"])


def collected_amount(company: Company) -> Rows:
    """Payments by month and project."""
    payments = company.tables["payment"]
    payments = payments[(payments["received_on"] <= company.day) & payments["is_void"].ne(1)]
    payments = payments[payments["deal_id"].isin(company.deals.index)]
    project = payments["deal_id"].map(company.deals["project_id"]).map(_names(company.tables, "project", "name"))
    facts = payments.assign(month=_month(payments["received_on"]), project=project)
    return _rows(facts, ["month", "project"], ["amount"])


def visits(company: Company) -> Rows:
    """Effective visits by month and who received them."""
    events = company.until("lead_event")
    events = events[(events["kind"] == "visit") & events["is_effective"].eq(1)]
    events = events[events["lead_id"].isin(company.leads["id"])]
    facts = events.assign(
        month=_month(_local(events["occurred_at"])),
        employee=events["employee_id"].map(_names(company.tables, "employee", "number")),
        visits=1,
    )
    return _rows(facts, ["month", "employee"], ["visits"])


def return_on_expense(company: Company) -> Rows:
    """Present amount of live sales, credited to the last touch before, and expense, by source."""
    live = company.chains[company.chains["is_live"] & company.chains["first_contract_at"].notna()]
    live = live.rename_axis("chain").reset_index()
    touches = company.until("touchpoint").rename(columns={"id": "touch", "source_id": "source"})
    touches = touches.assign(survivor=touches["customer_id"].map(company.survivor))
    paths = live.merge(touches[["survivor", "project_id", "touch", "source", "occurred_at"]])
    since = paths["first_event_at"] - pd.Timedelta(days=180)
    paths = paths[(paths["occurred_at"] <= paths["first_event_at"]) & (paths["occurred_at"] >= since)]
    last = paths.sort_values(["occurred_at", "touch"]).drop_duplicates("chain", keep="last").set_index("chain")
    names = _names(company.tables, "source", "name")
    source = live["chain"].map(last["source"].map(names)).where(live["chain"].isin(last.index), "unattributed")
    expense = company.tables["expense"]
    expense = expense[(expense["incurred_on"] <= company.day) & expense["status"].isin(["approved", "paid"])]
    spent = expense["activity_id"].map(_names(company.tables, "activity", "source_id")).map(names)
    facts = pd.concat([
        pd.DataFrame({"source": source, "attributed": live["amount"], "expense": 0.0}),
        pd.DataFrame({"source": spent, "attributed": 0.0, "expense": expense["amount"]}),
    ])  # fmt: skip
    return _rows(facts, ["source"], ["attributed", "expense"])


ANSWERS = (
    conversion_rate, complaint_rate, contract_amount, contracts, reply_timeliness_rate, collected_amount, visits,
    return_on_expense,
)  # fmt: skip


def main(crm: str, as_of: str, target: str) -> None:
    company = Company(read(crm), pd.Timestamp(as_of).tz_convert("UTC").tz_localize(None))
    answers = {ask.__name__: ask(company) for ask in ANSWERS}
    Path(target).write_text(json.dumps(answers, default=float), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
