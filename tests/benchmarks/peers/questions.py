"""The questions that every tool answers, and how answers are compared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from loupan.metrics import Metrics

Group = tuple[str | None, ...]
Answer = dict[Group, tuple[float, ...]]
Answers = dict[str, Answer]
_A_CENT, _TOLERANCE = 0.01, 1e-9


@dataclass(frozen=True)
class Question:
    """A metric by dimensions, and the same as SQL on the marts.

    Attributes:
        metric: its name; also that of the question.
        by: the dimensions.
        rows: SQL that gives one row per fact with the dimensions and what is summed, ``{marts}`` before each table.
        measures: SQL of what is asked for: a number, or numerator and denominator.
        where: what the metric is filtered by, besides.
    """

    metric: str
    by: tuple[str, ...]
    rows: str
    measures: tuple[str, ...]
    where: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def sql(self, marts: str) -> str:
        """Return the question as one aggregate SELECT; ``marts`` is the schema with its point, or nothing."""
        by = ", ".join(self.by)
        measured = ", ".join(f"{measure} as value_{n}" for n, measure in enumerate(self.measures))
        return f"select {by}, {measured} from ({self.rows.format(marts=marts)}) as facts group by {by}"


QUESTIONS: tuple[Question, ...] = (
    Question(
        "conversion_rate",
        ("month", "source"),
        "select strftime(opened_on, '%Y-%m') as month, source_name as source, is_converted"
        " from {marts}fct_lead left join {marts}dim_source using (source_id)",
        ("sum(case when is_converted then 1 else 0 end)", "count(*)"),
    ),
    Question(
        "complaint_rate",
        ("month", "project"),
        "select strftime(received_on, '%Y-%m') as month, project_name as project, 1 as complaints, 0 as customer_months"
        " from {marts}fct_demand left join {marts}dim_project using (project_id) where is_valid_complaint union all"
        " select strftime(month_on, '%Y-%m'), project_name, 0, 1"
        " from {marts}fct_customer_month left join {marts}dim_project using (project_id)",
        ("sum(complaints)", "sum(customer_months)"),
    ),
    Question(
        "contract_amount",
        ("month",),
        "select strftime(posted_on, '%Y-%m') as month,"
        " contract_amount_gross + contract_amount_amended - contract_amount_cancelled as amount"
        " from {marts}fct_sales_posting",
        ("sum(amount)",),
    ),
    Question(
        "contracts",
        ("employee",),
        "select employee_number as employee, contracts_gross - contracts_cancelled as contracts"
        " from {marts}fct_sales_posting left join {marts}dim_employee using (employee_id)",
        ("sum(contracts)",),
    ),
    Question(
        "reply_timeliness_rate",
        ("employee",),
        "select employee_number as employee, is_reply_timely from {marts}fct_demand"
        " left join {marts}dim_employee on handler_employee_id = employee_id where is_reply_due",
        ("sum(case when is_reply_timely then 1 else 0 end)", "count(*)"),
    ),
    Question(
        "collected_amount",
        ("month", "project"),
        "select strftime(received_on, '%Y-%m') as month, project_name as project, collected_amount"
        " from {marts}fct_payment left join {marts}dim_project using (project_id)",
        ("sum(collected_amount)",),
    ),
    Question(
        "visits",
        ("month", "employee"),
        "select strftime(visited_on, '%Y-%m') as month, employee_number as employee"
        " from {marts}fct_visit left join {marts}dim_employee using (employee_id)",
        ("count(*)",),
    ),
    Question(
        "return_on_expense",
        ("source",),
        "select source_name as source, amount as attributed, 0 as expense"
        " from {marts}fct_attribution left join {marts}dim_source using (source_id)"
        " where attribution_model = 'last' and first_contract_on is not null union all"
        " select source_name, 0, amount"
        " from {marts}fct_expense_by_model left join {marts}dim_source using (source_id)"
        " where attribution_model = 'last'",
        ("sum(attributed)", "sum(expense)"),
        {"attribution_model": ("last",)},
    ),
)


def asked(metrics: Metrics, question: Question) -> Answer:
    """Return our answer: numerator and denominator of a ratio, else the number."""
    records = metrics.records([question.metric], by=question.by, where=question.where or None)
    terms = (
        (question.metric,)
        if len(question.measures) == 1
        else (f"{question.metric}__numerator", f"{question.metric}__denominator")
    )
    return answer(([*(record[name] for name in question.by), *(record[term] for term in terms)] for record in records),
                  len(question.by))  # fmt: skip


def answer(rows: Iterable[Sequence[Any]], groups: int) -> Answer:
    """Return rows as an answer: the first columns are groups; a group that counts nothing is left out."""
    found = {tuple(row[:groups]): tuple(float(value or 0) for value in row[groups:]) for row in rows}
    return {group: values for group, values in found.items() if any(values)}


def read_answers(path: Path) -> Answers:
    """Return what a tool wrote: a JSON object of lists of rows, by question."""
    groups = {question.metric: len(question.by) for question in QUESTIONS}
    written: dict[str, list[list[Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: answer(rows, groups[name]) for name, rows in written.items()}


def differences(expected: Answers, found: Answers) -> list[str]:
    """Return a sentence for every question that is answered otherwise: counts exactly, money to the cent."""
    told = []
    for name, answers in found.items():
        wrong = [group for group in {**expected[name], **answers} if not _same(expected[name], answers, group)]
        if wrong:
            first = wrong[0]
            told.append(
                f"{name}: {len(wrong)} of {len(expected[name])} groups, as {first}:"
                f" {answers.get(first)} instead of {expected[name].get(first)}"
            )
    return told


def _same(expected: Answer, found: Answer, group: Group) -> bool:
    if group not in expected or group not in found:
        return False
    return all(
        math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_A_CENT / 2)
        for a, b in zip(expected[group], found[group], strict=True)
    )


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; exact numbers as text."""
    return str(value) if isinstance(value, Decimal) else value
