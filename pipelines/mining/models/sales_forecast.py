"""Contracts and contract amount of the months ahead, by project and in all."""

from __future__ import annotations

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Feature, Field, Marts, Output, Picture, Result
from pipelines.mining import monthly

CARD = Card(
    title=marked("Sales forecast"),
    purpose=marked(
        "Cash plans, targets and staffing of the next months: how many contracts and how much money to expect."
    ),
    action=marked(
        "Plan with the 80% interval, not with the line: be able to live with its lower end. Look at the table of past "
        "intervals first; where fewer held than promised, widen yours."
    ),
    data=marked(
        "Net contracts and net contract amount (ledger basis) of each complete month; the first month of records and "
        "the running month are left out."
    ),
    features=(
        Feature(
            marked("Months before, by project"),
            marked("Known when the month has ended; a cancellation counts in the month it happens."),
        ),
        Feature(
            marked("Days of the month and days around the Spring Festival"),
            marked("The calendar is known for years ahead."),
        ),
    ),
    excluded=marked("Targets and plans: a forecast that has seen the target cannot warn of missing it."),
    baseline=marked("The same month a year before, and the mean of the last twelve months."),
    fails=marked(
        "A launch, a new permit, a price cut or a new rule of the authorities changes sales at once; the forecast sees "
        "it only in the months that follow. It does not know how many units are left: see sell-through."
    ),
    abstains=marked(
        "With fewer than 24 complete months. Twelve months ahead are shown from 60 complete months on, else six."
    ),
    method=marked(
        "Exponential smoothing without and with damped trend, with calendar days, the two baselines and the mean of "
        "all five; at each month the one with the smallest past errors (rolling origin). Projects and company are "
        "made to agree by minimum-trace reconciliation. Intervals: split conformal on past errors. Hyndman & "
        "Athanasopoulos (2021); Wickramasuriya et al. (2019); Xu & Xie (2021)."
    ),
)  # fmt: skip
READS = ("fct_sales_posting", "dim_project")
ONCE_A_DAY = True

_CONTRACTS, _AMOUNT = marked("Contracts"), marked("Contract amount")
_AMOUNT_HELD = (
    marked("Contract amount, company: months held by 80% intervals; promised 80%"),
    marked("Contract amount, company: months held by 95% intervals; promised 95%"),
)
_CONTRACTS_HELD = (
    marked("Contracts, company: months held by 80% intervals; promised 80%"),
    marked("Contracts, company: months held by 95% intervals; promised 95%"),
)
# By whether single projects, too, are foretold better than by the mean of twelve months.
_SURE = {
    True: marked(
        "Company's contract amount: errors {naive}% smaller than with the same month a year before and {mean}% smaller "
        "than with the mean of twelve months, over {origins} past forecasts; more than chance. It beats both. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours."
    ),
    False: marked(
        "Company's contract amount: errors {naive}% smaller than with the same month a year before and {mean}% smaller "
        "than with the mean of twelve months, over {origins} past forecasts; more than chance. It beats both. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours. "
        "For contracts of single projects it is no better than the mean of twelve months."
    ),
}  # fmt: skip
_PERHAPS = {
    True: marked(
        "Company's contract amount: errors {naive}% smaller than with the same month a year before and {mean}% smaller "
        "than with the mean of twelve months, but {origins} past forecasts are too few to rule out chance. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours."
    ),
    False: marked(
        "Company's contract amount: errors {naive}% smaller than with the same month a year before and {mean}% smaller "
        "than with the mean of twelve months, but {origins} past forecasts are too few to rule out chance. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours. "
        "For contracts of single projects it is no better than the mean of twelve months."
    ),
}  # fmt: skip
_NO_BETTER = {
    True: marked(
        "Company's contract amount: no better than the simple rules (errors {naive_ratio}% of those with the same "
        "month a year before, {mean_ratio}% of those with the mean of twelve months; {origins} past forecasts). Use "
        "the simple rules. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours."
    ),
    False: marked(
        "Company's contract amount: no better than the simple rules (errors {naive_ratio}% of those with the same "
        "month a year before, {mean_ratio}% of those with the mean of twelve months; {origins} past forecasts). Use "
        "the simple rules. "
        "Its 80% intervals held {held_amount} of past months, those of contracts {held_contracts}: where that is less "
        "than 80%, widen yours. "
        "For contracts of single projects it is no better than the mean of twelve months."
    ),
}  # fmt: skip


def run(marts: Marts) -> Result:
    """Forecast both measures.

    Raises:
        Abstain: if there are too few complete months.
    """
    rows = marts.query(
        "select project_id, strftime(posted_on, '%Y-%m') as month, min(posted_on) as first_on, "
        "cast(sum(contracts_gross - contracts_cancelled) as double) as contracts, "
        "cast(sum(contract_amount_gross + contract_amount_amended - contract_amount_cancelled) as double) as amount, "
        "cast(sum(contracts_gross) as double) as signed, cast(sum(contract_amount_gross) as double) as signed_amount "
        "from fct_sales_posting where posting_kind in ('contract', 'contract_cancel', 'amend', 'swap') "
        "group by all order by all"
    )
    if rows.empty:
        raise Abstain(marked("There is no contract yet."))
    months = monthly.complete_months(rows["first_on"].min().date(), marts.as_of_on)
    horizon = monthly.horizon_of(months)
    keys, names = monthly.projects_of(marts, rows)
    price = rows["signed_amount"].sum() / max(rows["signed"].sum(), 1.0)
    contracts, amount = (
        monthly.make_forecast(monthly.by_project(rows, value, keys, months), months, horizon, unit)
        for value, unit in (("contracts", 1.0), ("amount", max(price, 1.0)))
    )
    by_project = monthly.sums_by_project(contracts, "contracts", names).merge(
        monthly.sums_by_project(amount, "amount", names), on="project"
    )
    by_month = monthly.months_by_project(contracts, "contracts", names).merge(
        monthly.months_by_project(amount, "amount", names), on=["project", "month"]
    )
    measures = [(_AMOUNT, amount), (_CONTRACTS, contracts)]
    is_better = monthly.is_better_for_projects(contracts)
    message, values = monthly.verdict(amount, _SURE[is_better], _PERHAPS[is_better], _NO_BETTER[is_better])
    values |= {"held_amount": monthly.share_held(amount), "held_contracts": monthly.share_held(contracts)}
    return Result(
        outputs=(
            Output(
                "amount", marked("Contract amount of the company, recorded and expected"),
                monthly.course(amount, "amount"), monthly.course_fields("amount", _AMOUNT, "currency"),
                Picture("lines", "month", "amount", "low95", "high95", "series"),
                marked("The band is the 95% interval. The projects' forecasts sum to the company's."),
            ),
            Output(
                "contracts", marked("Contracts of the company, recorded and expected"),
                monthly.course(contracts, "contracts"), monthly.course_fields("contracts", _CONTRACTS, "decimal"),
                Picture("lines", "month", "contracts", "low95", "high95", "series"),
            ),
            Output(
                "by_project", marked("Contracts expected of each project, all months ahead together"), by_project,
                {
                    "project": Field(marked("Project")),
                    "contracts": Field(_CONTRACTS, "decimal"),
                    "contracts_low": Field(marked("Contracts, 95% from"), "decimal"),
                    "contracts_high": Field(marked("Contracts, 95% to"), "decimal"),
                    "amount": Field(_AMOUNT, "currency"),
                    "amount_low": Field(marked("Amount, 95% from"), "currency"),
                    "amount_high": Field(marked("Amount, 95% to"), "currency"),
                },
                Picture("points", "project", "contracts", "contracts_low", "contracts_high"),
                marked("The order says nothing of how well a project sells: stock, price and age of projects differ."),
            ),
            Output(
                "by_project_and_month", marked("Expected by project and month"), by_month,
                {
                    "project": Field(marked("Project")),
                    "month": Field(marked("Month"), "month"),
                    "contracts": Field(_CONTRACTS, "decimal"),
                    "contracts_low80": Field(marked("Contracts, 80% from"), "decimal"),
                    "contracts_high80": Field(marked("Contracts, 80% to"), "decimal"),
                    "amount": Field(_AMOUNT, "currency"),
                    "amount_low80": Field(marked("Amount, 80% from"), "currency"),
                    "amount_high80": Field(marked("Amount, 80% to"), "currency"),
                },
            ),
            Output(
                "coverage", monthly.COVERAGE_TITLE, monthly.coverage(measures), monthly.COVERAGE_FIELDS,
                note=monthly.COVERAGE_NOTE,
            ),
            Output(
                "methods", monthly.METHODS_TITLE, monthly.methods(measures), monthly.METHOD_FIELDS,
                note=monthly.METHODS_NOTE,
            ),
        ),
        evaluation=(
            *(
                monthly.error_line(forecast, series, baseline, measure)
                for forecast, series, baseline, measure in (
                    (
                        amount, monthly.WHOLE, monthly.NAIVE,
                        marked("Contract amount, company: scaled error; baseline the same month a year before"),
                    ),
                    (
                        amount, monthly.WHOLE, monthly.MEAN,
                        marked("Contract amount, company: scaled error; baseline the mean of twelve months"),
                    ),
                    (
                        contracts, monthly.WHOLE, monthly.NAIVE,
                        marked("Contracts, company: scaled error; baseline the same month a year before"),
                    ),
                    (
                        contracts, monthly.WHOLE, monthly.MEAN,
                        marked("Contracts, company: scaled error; baseline the mean of twelve months"),
                    ),
                    (
                        contracts, monthly.PARTS, monthly.NAIVE,
                        marked("Contracts, each project: scaled error; baseline the same month a year before"),
                    ),
                    (
                        contracts, monthly.PARTS, monthly.MEAN,
                        marked("Contracts, each project: scaled error; baseline the mean of twelve months"),
                    ),
                )
            ),
            *monthly.coverage_lines(amount, _AMOUNT_HELD),
            *monthly.coverage_lines(contracts, _CONTRACTS_HELD),
        ),
        verdict=message,
        values=values,
    )  # fmt: skip
