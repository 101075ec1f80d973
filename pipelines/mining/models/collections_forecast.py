"""Money collected in the months ahead, from instalments due and from contracts still to be signed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.collection import NEVER, Ledger, allocated, share_paid
from loupan.statistics.forecast import Floats, mean_of_last, smoothed
from pipelines.mining import monthly

CARD = Card(
    title=marked("Collections forecast"),
    purpose=marked("Cash planning: how much customers will pay in each of the next months, by project and in all."),
    action=marked(
        "Plan payments of your own with the lower end of the 80% interval. Go after what is overdue first: little "
        "of what is late by months came in by itself."
    ),
    data=marked(
        "Payments that are not void, refunds included, by the day received; the instalments agreed in contracts, "
        "those not yet due included; complete months only."
    ),
    features=(
        Feature(
            marked("Instalments of signed contracts"),
            marked("Agreed with the contract, with amount and due day."),
        ),
        Feature(
            marked("Pace at which instalments were paid before"),
            marked("Share of what was owed that came in, by months since it was due; from the months before only."),
        ),
        Feature(marked("Contract amounts of the months before"), marked("For the contracts still to be signed.")),
    ),
    excluded=marked("Who the customer is: the forecast is of sums, not of persons."),
    baseline=marked("The same month a year before, and the mean of the last twelve months."),
    fails=marked(
        "A bank that stops paying out mortgages, or a change in how contracts are paid, is seen only in the months "
        "that follow. Payments are not booked to instalments: the oldest is taken as paid first. An instalment plan "
        "that was changed later counts in past forecasts as it stands now."
    ),
    abstains=marked(
        "With fewer than 24 complete months of payments. Without instalments only the series themselves are used."
    ),
    method=marked(
        "Chain ladder on what is owed (Mack 1993): share paid by months since due, plus the usual course of "
        "payments of new contracts, plus refunds as in the last year; held against exponential smoothing and the "
        "baselines in the past (rolling origin), the best taken. Projects and company agree by minimum-trace "
        "reconciliation (Wickramasuriya et al. 2019). Intervals: split conformal on past errors (Xu & Xie 2021)."
    ),
)  # fmt: skip
READS = ("fct_payment", "fct_instalment", "fct_sales_posting", "dim_project")
ONCE_A_DAY = True

_COLLECTED = marked("Collected")
_SURE = marked(
    "Money collected by the company: errors {naive}% smaller than with the same month a year before and {mean}% "
    "smaller than with the mean of twelve months, over {origins} past forecasts; more than chance. It beats both."
)
_PERHAPS = marked(
    "Money collected by the company: errors {naive}% smaller than with the same month a year before and {mean}% "
    "smaller than with the mean of twelve months, but {origins} past forecasts are too few to rule out chance."
)
_NO_BETTER = marked(
    "Money collected by the company: no better than the simple rules (errors {naive_ratio}% of those with the same "
    "month a year before, {mean_ratio}% of those with the mean of twelve months; {origins} past forecasts). Use the "
    "simple rules."
)


def run(marts: Marts) -> Result:
    """Forecast what is collected.

    Raises:
        Abstain: if there are too few complete months.
    """
    rows = marts.query(
        "select project_id, strftime(received_on, '%Y-%m') as month, min(received_on) as first_on, "
        "cast(sum(collected_amount) as double) as collected from fct_payment group by all order by all"
    )
    if rows.empty:
        raise Abstain(marked("No payment is recorded yet."))
    months = monthly.complete_months(rows["first_on"].min().date(), marts.as_of_on)
    horizon = monthly.horizon_of(months)
    keys, names = monthly.projects_of(marts, rows)
    y = monthly.by_project(rows, "collected", keys, months)
    books = Books.of(marts, keys, months, y)
    further = [("instalments", lambda t: books.expected(t, horizon).sum(axis=0))] if books.has_instalments else []
    forecast = monthly.make_forecast(y, months, horizon, max(float(np.nanmean(np.abs(y[:-1]))) / 10, 1.0), further)
    by_project = monthly.sums_by_project(forecast, "collected", names).merge(books.owed(names), on="project")
    message, values = monthly.verdict(forecast, _SURE, _PERHAPS, _NO_BETTER)
    outputs = [
        Output(
            "collected", marked("Collected by the company, recorded and expected"),
            monthly.course(forecast, "collected"), monthly.course_fields("collected", _COLLECTED, "currency"),
            Picture("lines", "month", "collected", "low95", "high95", "series"),
            marked("The band is the 95% interval. The projects' forecasts sum to the company's."),
        ),
        Output(
            "by_project", marked("Expected of each project, all months ahead together"), by_project,
            {
                "project": Field(marked("Project")),
                "collected": Field(_COLLECTED, "currency"),
                "collected_low": Field(marked("95% interval, from"), "currency"),
                "collected_high": Field(marked("95% interval, to"), "currency"),
                "overdue": Field(marked("Overdue"), "currency"),
                "long_overdue": Field(marked("Overdue for three months or more"), "currency"),
                "coming_due": Field(marked("Owed and due later"), "currency"),
            },
            Picture("points", "project", "collected", "collected_low", "collected_high"),
            marked("The table also tells what is overdue and owed at the end of the last complete month."),
        ),
        Output(
            "by_project_and_month", marked("Expected by project and month"),
            monthly.months_by_project(forecast, "collected", names),
            {
                "project": Field(marked("Project")),
                "month": Field(marked("Month"), "month"),
                "collected": Field(_COLLECTED, "currency"),
                "collected_low80": Field(marked("80% interval, from"), "currency"),
                "collected_high80": Field(marked("80% interval, to"), "currency"),
                "collected_low95": Field(marked("95% interval, from"), "currency"),
                "collected_high95": Field(marked("95% interval, to"), "currency"),
            },
        ),
        Output(
            "coverage", monthly.COVERAGE_TITLE, monthly.coverage([(_COLLECTED, forecast)]), monthly.COVERAGE_FIELDS,
            note=monthly.COVERAGE_NOTE,
        ),
        Output(
            "methods", monthly.METHODS_TITLE, monthly.methods([(_COLLECTED, forecast)]), monthly.METHOD_FIELDS,
            note=monthly.METHODS_NOTE,
        ),
    ]  # fmt: skip
    if books.has_instalments:
        parts = books.expected(len(months), horizon)[:, -1]
        outputs.insert(1, Output(
            "origin", marked("Where the money is to come from"),
            pd.DataFrame({"month": forecast.ahead, "signed": parts[0], "new": parts[1], "other": parts[2]}),
            {
                "month": Field(marked("Month"), "month"),
                "signed": Field(marked("From signed contracts"), "currency"),
                "new": Field(marked("From contracts still to be signed"), "currency"),
                "other": Field(marked("Refunds and other"), "currency"),
            },
            note=marked("By instalments; where another method did better in the past, the forecast above differs."),
        ))  # fmt: skip
    return Result(
        outputs=outputs,
        evaluation=(
            *(
                monthly.error_line(forecast, series, baseline, measure)
                for series, baseline, measure in (
                    (
                        monthly.WHOLE, monthly.NAIVE,
                        marked("Collected, company: scaled error; baseline the same month a year before"),
                    ),
                    (
                        monthly.WHOLE, monthly.MEAN,
                        marked("Collected, company: scaled error; baseline the mean of twelve months"),
                    ),
                    (
                        monthly.PARTS, monthly.NAIVE,
                        marked("Collected, each project: scaled error; baseline the same month a year before"),
                    ),
                    (
                        monthly.PARTS, monthly.MEAN,
                        marked("Collected, each project: scaled error; baseline the mean of twelve months"),
                    ),
                )
            ),
            *monthly.coverage_lines(forecast),
        ),
        verdict=message,
        values=values,
    )  # fmt: skip


class Books:
    """What is owed and what was paid, month by month, as it could be known at each of them.

    Attributes:
        ledger: the instalments.
        collected: net receipts, projects × months.
        signed: contract amounts signed, projects × months.
        has_instalments: whether there are any.
    """

    def __init__(self, dues: pd.DataFrame, payments: pd.DataFrame, signed: Floats, collected: Floats, now: int) -> None:
        """Read the books.

        Args:
            dues: ``chain``, ``group``, ``contract``, ``end``, ``due`` (months from 0 on) and ``amount``.
            payments: ``chain``, ``group``, ``paid`` (month) and ``amount``, those received only.
            signed, collected: projects × months.
            now: number of months.
        """
        owed = dues[dues["amount"] > 0].reset_index(drop=True)
        pieces = allocated(owed, payments)
        pieces = pieces[pieces["paid"] < now]
        paid = np.zeros((len(owed), now))
        np.add.at(paid, (pieces["instalment"].astype(int), pieces["paid"].astype(int)), pieces["amount"])
        group, contract, end, due = (owed[name].to_numpy(np.int64) for name in ("group", "contract", "end", "due"))
        self.ledger = Ledger(group, contract, end, due, owed["amount"].to_numpy(float), paid)
        self.has_instalments = not owed.empty
        self.collected, self.signed = np.nan_to_num(collected), signed
        received = payments.merge(
            dues.groupby("chain", as_index=False)["contract"].min(), on="chain", how="left"
        ).fillna({"contract": NEVER})
        received = received[received["paid"] < now]
        self._received = {column: received[column].to_numpy(np.int64) for column in ("group", "paid", "contract")}
        self._amount = received["amount"].to_numpy(float)

    @classmethod
    def of(cls, marts: Marts, projects: list[int], months: pd.PeriodIndex, y: Floats) -> Books:
        """Read the books from the marts; what came before the first month counts as of the first."""
        group = {project: place for place, project in enumerate(projects)}

        def month(days: pd.Series) -> pd.Series:
            ends = pd.to_datetime(days)
            return (ends.dt.year - months[0].year) * 12 + ends.dt.month - months[0].month

        dues = marts.query(
            "select deal_chain_id as chain, project_id, contract_on, ended_on, due_on, "
            "cast(due_amount as double) as amount from fct_instalment order by payment_due_id"
        )
        payments = marts.query(
            "select deal_chain_id as chain, any_value(project_id) as project_id, received_on, "
            "cast(sum(collected_amount) as double) as amount from fct_payment "
            "group by payment_id, chain, received_on having amount > 0 order by received_on, payment_id"
        )
        signed = marts.query(
            "select project_id, strftime(posted_on, '%Y-%m') as month, cast(sum(contract_amount_gross) as double) "
            "as signed from fct_sales_posting where posting_kind = 'contract' group by all order by all"
        )
        for frame in (dues, payments):
            frame["group"] = frame["project_id"].map(group)
        dues, payments = dues.dropna(subset="group"), payments.dropna(subset="group")
        return cls(
            dues.assign(
                contract=month(dues["contract_on"]),
                end=month(dues["ended_on"]).fillna(NEVER),
                due=month(dues["due_on"]),
            ),
            payments.assign(paid=np.maximum(month(payments["received_on"]), 0)),
            np.nan_to_num(monthly.by_project(signed, "signed", projects, months)[:-1]),
            y[:-1],
            len(months),
        )

    def expected(self, known: int, horizon: int) -> Floats:
        """Return what was to be expected after ``known`` months (3 × projects and their sum × horizon).

        The three parts: instalments of contracts signed by then, payments of contracts still to be signed, and refunds
        and deposits of others.
        """
        groups = len(self.collected)
        signed = self.ledger.runoff(known, horizon, groups)
        contracts = np.maximum(smoothed(self.signed[:, :known], horizon), 0.0)
        shares = self._shares(known, horizon)
        new = np.stack([(contracts[:, : step + 1] * shares[step::-1]).sum(axis=1) for step in range(horizon)], axis=1)
        of_contracts = self._received["contract"] < known
        attached = np.zeros((groups, known))
        some = of_contracts & (self._received["paid"] < known)
        np.add.at(attached, (self._received["group"][some], self._received["paid"][some]), self._amount[some])
        other = mean_of_last(self.collected[:, :known] - attached, horizon)
        return np.stack([np.vstack([part, part.sum(axis=0)]) for part in (signed, new, other)])

    def _shares(self, known: int, horizon: int) -> Floats:
        """Return which share of a contract's amount is paid in each month from its own on."""
        contract, paid = self._received["contract"], self._received["paid"]
        some = (contract >= 0) & (contract < known) & (paid < known)
        table = np.zeros((known, max(horizon, known)))
        # What was paid before the contract counts with it.
        since = np.maximum(paid[some] - contract[some], 0)
        np.add.at(table, (contract[some], since), self._amount[some])
        return share_paid(self.signed[:, :known].sum(axis=0), table, known, horizon)

    def owed(self, projects: list[str]) -> pd.DataFrame:
        """Return what each project's customers owe now: overdue, overdue for long, and due later."""
        ledger, now = self.ledger, self.collected.shape[1]
        owed = ledger.owed(now)

        def total(some: np.ndarray) -> Floats:
            return np.asarray(np.bincount(ledger.group[some], owed[some], len(projects)), float)

        return pd.DataFrame(
            {
                "project": projects,
                "overdue": total(ledger.due < now),
                "long_overdue": total(ledger.due < now - 3),
                "coming_due": total(ledger.due >= now),
            }
        )
