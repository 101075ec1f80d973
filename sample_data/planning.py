"""Targets by estate and month, set with a plausible error about what came of it, and the events that charts mark."""

from __future__ import annotations

import numpy as np

from sample_data import vocabulary as v
from sample_data.company import Company
from sample_data.organisation import PLANNER
from sample_data.rows import NONE, Array

# What is attained of a target, about.
ATTAINED = (0.85, 1.15)
# Targets are round numbers: cents of the value, so that a count of 5 is 500.
ROUNDED_TO = {
    "contract_amount": 100_000_000, "contracts": 100, "collected_amount": 100_000_000, "leads": 500, "visits": 500,
}  # fmt: skip
# Months on whose results the target of a month to come rests.
RECENT_MONTHS = 6
POLICY_DAYS_AGO = 410


def make_planning(company: Company) -> None:
    """Add targets from the opening of each estate to the end of the year, and annotations."""
    _add_targets(company)
    _add_annotations(company)


def _add_targets(company: Company) -> None:
    clock, estates = company.world.clock, company.estates
    rng = company.random("target")
    first = clock.start.astype("datetime64[M]")
    last = clock.today.astype("datetime64[Y]").astype("datetime64[M]") + 11
    months = np.arange(first, last + 1)
    running = (clock.today.astype("datetime64[M]") - first).astype(int)
    opened = (estates.opened_on.astype("datetime64[M]") - first).astype(int)
    set_for = np.arange(len(months)) >= opened[:, None]
    for metric, actual in _actuals(company, len(months)).items():
        # The running month has hardly begun: like those to come, it is planned after the last ones.
        actual[:, running:] = actual[:, max(0, running - RECENT_MONTHS) : running].mean(axis=1, keepdims=True)
        usual = np.maximum(actual.mean(axis=1, keepdims=True), 1)
        expected = np.where(actual > 0.2 * usual, actual, usual)
        aim = expected / rng.uniform(*ATTAINED, expected.shape)
        unit = ROUNDED_TO[metric]
        value = np.maximum(np.round(aim / unit), 1).astype(np.int64) * unit
        estate, month = np.nonzero(set_for)
        agreed = months[month].astype("datetime64[D]") - 12
        company.batch.add(
            "target",
            np.minimum(agreed.astype("datetime64[s]") + 15 * 3600, clock.now - np.timedelta64(7200, "s")),
            project_id=estates.ids[estate],
            month_on=months[month].astype("datetime64[D]"),
            metric=metric,
            value=value[set_for],
        )


def _actuals(company: Company, count: int) -> dict[str, Array]:
    """Return what came of each metric by estate and month: amounts in cents, counts times 100."""
    batch = company.batch
    first = company.world.clock.start.astype("datetime64[M]")
    ids = company.estates.ids

    def by_month(project: Array, moments: Array, value: Array) -> Array:
        table = np.zeros((len(ids), count))
        month = (moments.astype("datetime64[M]") - first).astype(int)
        known = (month >= 0) & (month < count) & (project != NONE)
        np.add.at(table, (np.searchsorted(ids, project[known]), month[known]), value[known])
        return table

    lead, visit, deal = batch.rows("lead"), batch.rows("lead_event"), batch.rows("deal")
    event, payment = batch.rows("deal_event"), batch.rows("payment")

    def project_of(parent: dict[str, Array], keys: Array) -> Array:
        order = np.argsort(parent["id"], kind="stable")
        return np.asarray(parent["project_id"][order][np.searchsorted(parent["id"][order], keys)])

    visits = (visit["kind"] == "visit") & (visit["is_effective"] == 1)
    sign = np.select([event["kind"] == "contract", event["kind"] == "cancel"], [1, -1], 0)
    signed = np.unique(event["deal_id"][event["kind"] == "contract"])
    sign = np.where(np.isin(event["deal_id"], signed), sign, 0)
    of_event, of_payment = project_of(deal, event["deal_id"]), project_of(deal, payment["deal_id"])
    paid = np.where(payment["is_void"] == 1, 0, payment["amount"])
    return {
        "contract_amount": by_month(of_event, event["occurred_at"], sign * event["amount"].astype(float)),
        "contracts": by_month(of_event, event["occurred_at"], sign * 100.0),
        "collected_amount": by_month(of_payment, payment["received_on"], paid.astype(float)),
        "leads": by_month(lead["project_id"], lead["opened_at"], np.full(len(lead["id"]), 100.0)),
        "visits": by_month(
            project_of(lead, visit["lead_id"]), visit["occurred_at"], np.where(visits, 100.0, 0.0)
        ),
    }  # fmt: skip


def _add_annotations(company: Company) -> None:
    """Mark the launch of each phase of an estate, and, once for all, a change of policy."""
    clock, estates, words = company.world.clock, company.estates, company.world.words
    rows: list[tuple[int, np.datetime64, str, str]] = []
    for estate, key in enumerate(estates.ids.tolist()):
        permits = estates.permit_on[estates.building_estate == estate]
        for phase, day in enumerate(np.unique(permits[~np.isnat(permits)]), start=1):
            rows.append((key, day, "launch", words(v.PHASE_OPENS).format(phase=phase)))
    if company.size.index == 0:
        rows.append((NONE, clock.today - POLICY_DAYS_AGO, "policy", words(v.LOWER_DOWN_PAYMENT)))
    project, day, kind, title = zip(*rows, strict=True)
    days = np.array(day, "datetime64[D]")
    company.batch.add(
        "annotation",
        np.minimum(days.astype("datetime64[s]") + 10 * 3600, clock.now - np.timedelta64(3600, "s")),
        project_id=np.array(project, dtype=np.int64),
        happened_on=days,
        kind=list(kind),
        title=list(title),
        # The marketing director, who came first.
        employee_id=company.staff.ids[[company.staff.of(PLANNER)[0].employee] * len(rows)],
    )
