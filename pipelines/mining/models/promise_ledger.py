"""What became of the promises of the sales period: kept, broken, overdue, open, and complained about later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.foresight import compared, log_losses
from loupan.statistics.intervals import ENOUGH, wilson
from loupan.statistics.shrinkage import beta_binomial

READS = ("fct_promise", "dim_project", "dim_employee")

CARD = Card(
    title=marked("Ledger of promises"),
    purpose=marked(
        "Shows sales managers, property and customer service what was promised to buyers, what became of it, and which "
        "promises are due next, so that they are kept before somebody complains."
    ),
    action=marked(
        "Settle the overdue promises first, then those due next: keep them, or agree on something else with the "
        "customer, and mark the outcome. Where rates differ between people, talk about what may be promised, not "
        "about the person."
    ),
    data=marked("Promises recorded by the as-of with their outcome, and the valid complaints linked to them."),
    features=(
        Feature(marked("Outcome, day to be kept by, who promised"), marked("As recorded with the promise.")),
        Feature(
            marked("Complaint that followed"),
            marked("The demand linked to the promise; likely ones, not linked yet, are listed apart and not counted."),
        ),
    ),
    excluded=marked("The words of a promise and the customer's name: they stay in the CRM."),
    baseline=marked("One common rate for everybody."),
    fails=marked(
        "Only recorded promises are there: who records none looks faultless. An outcome has no date, so recent "
        "promises, mostly open, count in no rate. A promise without a day is never overdue."
    ),
    abstains=marked("When no promise is recorded."),
    method=marked(
        "Wilson intervals; rates of people and projects shrunken towards the common rate (beta-binomial); time to "
        "complaint by Kaplan and Meier (1958), promises without one counted as long as they have been watched."
    ),
)

_DAYS = (30, 60, 90, 180, 365)
_SPLIT, _LEAST_LATER = 0.6, 30
_STATES = {"overdue": marked("Overdue"), "open": marked("Open")}


def run(marts: Marts) -> Result:
    """Write the ledger."""
    promises = _promises(marts)
    if promises.empty:
        raise Abstain(marked("No promise is recorded. Salespeople record them with the customer, in the CRM."))
    settled = promises[promises["state"].isin(("kept", "broken"))]
    waiting = _waiting(promises, marts)
    measure, is_better = _evaluation(settled)
    return Result(
        outputs=(
            Output(
                "waiting",
                marked("Promises to be kept, those overdue first"),
                waiting,
                {
                    "promise": Field(marked("Promise no.")),
                    "customer": Field(marked("Customer no.")),
                    "project": Field(marked("Project")),
                    "employee": Field(marked("Promised by")),
                    "made_on": Field(marked("Promised on"), "date"),
                    "due_on": Field(marked("To be kept by"), "date"),
                    "state": Field(marked("State")),
                    "days_late": Field(marked("Days overdue"), "days"),
                    "days_left": Field(marked("Days left"), "days"),
                },
                note=marked("Those without a day stand last, the oldest first."),
            ),
            _rates("projects", "project", marked("By project"), promises),
            _rates("people", "employee", marked("By who promised"), promises),
            _complaints(promises, marts),
            Output(
                "to_link",
                marked("Complaints that may go back to a promise: check and link them"),
                _likely(promises),
                {
                    "promise": Field(marked("Promise no.")),
                    "demand": Field(marked("Demand no.")),
                    "project": Field(marked("Project")),
                    "employee": Field(marked("Promised by")),
                    "made_on": Field(marked("Promised on"), "date"),
                },
                note=marked("Later valid complaints of the same customer and project about the person who promised."),
            ),
        ),
        evaluation=(measure,),
        verdict=_verdict(measure, is_better),
        values={
            "kept": int((settled["state"] == "kept").sum()),
            "settled": len(settled),
            "overdue": int((promises["state"] == "overdue").sum()),
            "waiting": len(waiting),
            "complained": int(promises["has_complaint"].sum()),
        },
    )


def _verdict(measure: Evaluation, is_better: bool) -> str:
    if measure.model is None:
        return marked(
            "{kept} of {settled} settled promises were kept; {overdue} of the {waiting} others are overdue, "
            "{complained} of all ended in a complaint. Too few are settled to compare people."
        )
    if is_better:
        return marked(
            "{kept} of {settled} settled promises were kept; {overdue} of the {waiting} others are overdue, "
            "{complained} of all ended in a complaint. Who promised tells something about whether it is kept."
        )
    return marked(
        "{kept} of {settled} settled promises were kept; {overdue} of the {waiting} others are overdue, {complained} "
        "of all ended in a complaint. No difference between people could be shown; these promises are too few to rule "
        "one out."
    )


def _promises(marts: Marts) -> pd.DataFrame:
    return marts.query(
        """
        select promise.promise_id, promise.customer_id, promise.project_id, project.project_name as project,
            promise.employee_id, employee.employee_number as employee, promise.made_on, promise.due_on, promise.state,
            promise.has_complaint, promise.days_to_complaint, promise.likely_demand_id, promise.made_at
        from fct_promise as promise
        left join dim_project as project using (project_id)
        left join dim_employee as employee on promise.employee_id = employee.employee_id
        order by promise.made_at, promise.promise_id
        """
    )


def _waiting(promises: pd.DataFrame, marts: Marts) -> pd.DataFrame:
    found = promises[promises["state"].isin(_STATES)].copy()
    days = (pd.Timestamp(marts.as_of_on) - pd.to_datetime(found["due_on"])).dt.days
    # What was due on the last day is overdue as soon as that day is over, which it is at midnight.
    found["days_late"] = days.clip(lower=1).where(found["state"] == "overdue")
    found["days_left"] = (-days).where(found["state"] == "open")
    found["promise"], found["customer"] = found["promise_id"].astype(str), found["customer_id"].astype(str)
    found = found.sort_values(["due_on", "made_on", "promise_id"], na_position="last", kind="stable")
    found["state"] = found["state"].map(_STATES)
    columns = [
        "promise", "customer", "project_id", "project", "employee_id", "employee", "made_on", "due_on", "state",
        "days_late", "days_left",
    ]  # fmt: skip
    return found[columns].reset_index(drop=True)


def _likely(promises: pd.DataFrame) -> pd.DataFrame:
    found = promises[promises["likely_demand_id"].notna()].copy()
    found["promise"] = found["promise_id"].astype(str)
    found["demand"] = found["likely_demand_id"].astype("int64").astype(str)
    return found[
        ["promise", "demand", "project_id", "project", "employee_id", "employee", "made_on"]
    ].reset_index(drop=True)  # fmt: skip


def _rates(name: str, column: str, title: str, promises: pd.DataFrame) -> Output:
    """Count what became of promises by project or person, in the order of names or staff numbers: nobody is ranked."""
    key = f"{column}_id"
    table = promises.dropna(subset=[key]).groupby([key, column], sort=True)
    counts = table["state"].value_counts().unstack(fill_value=0).reindex(
        columns=["kept", "broken", "overdue", "open"], fill_value=0
    )  # fmt: skip
    frame = counts.assign(made=counts.sum(axis=1), complained=table["has_complaint"].sum()).reset_index()
    frame = frame.sort_values([column, key], kind="stable").reset_index(drop=True)
    settled = frame["kept"] + frame["broken"]
    shrunken = beta_binomial(frame["kept"], settled)
    frame["settled"] = settled
    # What rests on fewer is not shown as a rate of its own.
    frame["kept_rate"] = (frame["kept"] / settled).where(settled >= ENOUGH)
    low, high = wilson(frame["kept"], settled)
    frame["kept_low"], frame["kept_high"] = low, high
    frame["likely_rate"], frame["likely_low"], frame["likely_high"] = shrunken.rate, shrunken.low, shrunken.high
    frame["complaint_rate"] = (frame["complained"] / frame["made"]).where(frame["made"] >= ENOUGH)
    return Output(
        name,
        title,
        frame,
        {
            column: Field(marked("Project") if column == "project" else marked("Promised by")),
            "made": Field(marked("Promises"), "count"),
            "kept": Field(marked("Kept"), "count"),
            "broken": Field(marked("Broken"), "count"),
            "overdue": Field(marked("Overdue"), "count"),
            "open": Field(marked("Open"), "count"),
            "kept_rate": Field(marked("Kept, of those settled"), "percent"),
            "likely_rate": Field(marked("Likely rate of keeping"), "percent"),
            "likely_low": Field(marked("From"), "percent"),
            "likely_high": Field(marked("To"), "percent"),
            "complained": Field(marked("Ended in a complaint"), "count"),
            "complaint_rate": Field(marked("Complaints, of all promises"), "percent"),
        },
        Picture("points", column, "likely_rate", "likely_low", "likely_high"),
        marked(
            "In the order of names or staff numbers. Rates of their own are shown from 30 on; the likely rate takes "
            "luck out by pulling small numbers towards the common rate."
        ),
    )


def _complaints(promises: pd.DataFrame, marts: Marts) -> Output:
    """Return by when how many promises had ended in a complaint, those watched for a shorter time counted as such."""
    from statsmodels.duration.survfunc import SurvfuncRight

    as_of = pd.Timestamp(marts.as_of).tz_convert(None)
    watched = (as_of - pd.to_datetime(promises["made_at"])) / pd.Timedelta(days=1)
    has = promises["has_complaint"].to_numpy(bool)
    days = np.where(has, promises["days_to_complaint"], watched).astype(float)
    rows = []
    if has.any():
        curve = SurvfuncRight(np.maximum(days, 1e-6), has.astype(int))
        times, survival, errors = (
            np.asarray(x, float) for x in (curve.surv_times, curve.surv_prob, curve.surv_prob_se)
        )
        for day in _DAYS:
            under_watch = int((days >= day).sum())
            place = int(np.searchsorted(times, day, side="right")) - 1
            if under_watch < ENOUGH:
                break
            share, low, high = _share(survival[place], errors[place]) if place >= 0 else (0.0, 0.0, np.nan)
            rows.append((day, under_watch, share, low, high))
    return Output(
        "complaints",
        marked("How many promises end in a complaint, and when"),
        pd.DataFrame(rows, columns=["after", "watched", "share", "low", "high"]),
        {
            "after": Field(marked("Days after the promise"), "days"),
            "watched": Field(marked("Promises still watched"), "count"),
            "share": Field(marked("Ended in a complaint"), "percent"),
            "low": Field(marked("From"), "percent"),
            "high": Field(marked("To"), "percent"),
        },
        note=marked("Shown as long as 30 promises are under watch."),
    )


def _share(survival: float, error: float) -> tuple[float, float, float]:
    """Return one minus survival with its interval on the log-log scale (Kalbfleisch and Prentice 1980, p. 15)."""
    if not 0 < survival < 1:
        return 1 - survival, np.nan, np.nan
    half = 1.959964 * error / (survival * np.log(survival))
    ends = sorted(1 - survival ** np.exp(side * half) for side in (-1, 1))
    return 1 - survival, float(ends[0]), float(ends[1])


def _evaluation(settled: pd.DataFrame) -> tuple[Evaluation, bool]:
    """Foresee the later promises by who made them; say whether that is better than one rate for all."""
    title = marked("How far off the outcome of later promises was foreseen (log loss)")
    settled = settled.dropna(subset=["employee_id"])
    cut = int(_SPLIT * len(settled))
    earlier, later = settled.iloc[:cut], settled.iloc[cut:]
    kept = (earlier["state"] == "kept").to_numpy()
    if len(later) < _LEAST_LATER or len(earlier) < _LEAST_LATER or not 0 < kept.sum() < len(kept):
        return Evaluation(title, None, better="low"), False
    common = float(kept.mean())
    by_person = earlier.assign(kept=kept).groupby("employee_id")["kept"].agg(["sum", "count"])
    rates = pd.Series(beta_binomial(by_person["sum"], by_person["count"]).rate, by_person.index)
    foreseen = later["employee_id"].map(rates).fillna(common).to_numpy(np.float64)
    outcome = (later["state"] == "kept").to_numpy()
    found = compared(log_losses(foreseen, outcome), log_losses(common, outcome))
    return Evaluation(title, found.model, found.baseline, found.low, found.high, "low"), found.is_better
