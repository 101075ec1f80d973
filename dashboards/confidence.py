"""How far the entry of data can be trusted that a chart rests on, within the reader's scope, period and estates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dashboards.crm_words import column_words, table_words
from dashboards.memory import remembered
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.statistics.intervals import ENOUGH

FEATURE = "feature:"
HIGH, MEDIUM, LOW = "high", "medium", "low"
_ORDER = (HIGH, MEDIUM, LOW)
_MARKS = {HIGH: "●●●", MEDIUM: "●●○", LOW: "●○○"}
_WORDS = {
    HIGH: marked("Data entry: high confidence"),
    MEDIUM: marked("Data entry: medium confidence"),
    LOW: marked("Data entry: low confidence"),
}

# A share of what lacks a field is how far the share of any group may be off; late entries are missing from the last
# weeks and complete before.
_MISSING, _LATE, _KEPT_OUT = (0.05, 0.15), (0.10, 0.25), (0.01, 0.05)

_ABOUT_CUSTOMERS = {
    "gender": "customer.gender",
    "age_band": "customer.birth_on",
    "education": "customer.education",
    "occupation": "customer.occupation",
    "income_band": "customer.income_band",
    "personality": "customer.personality",
    "customer_class": "customer.customer_class_id",
}
_ABOUT_SOURCES = {"source": "lead.source_id", "market_type": "lead.source_id"}
# By the record that a number counts: the field that each dimension is read from, and the tables whose entry says when.
# Contracts credited to touchpoints, and expenses, have a source of their own: the owner of those metrics is marketing.
_FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("sales", "lead"): {
        **_ABOUT_SOURCES,
        **_ABOUT_CUSTOMERS,
        "employee": "lead.employee_id",
        "department": "lead.employee_id",
        "intent_level": "lead.intent_level",
        "reason": "lead_event.reason_id",
        "competitor": "lead_event.reason_id",
    },
    ("sales", "lead_event"): {**_ABOUT_SOURCES, **_ABOUT_CUSTOMERS},
    ("sales", "deal"): {**_ABOUT_SOURCES, **_ABOUT_CUSTOMERS, "reason": "deal_event.reason_id"},
    ("sales", "payment"): {**_ABOUT_SOURCES, **_ABOUT_CUSTOMERS},
    ("marketing", "deal"): _ABOUT_CUSTOMERS,
    ("marketing", "expense"): {"expense_category": "expense.expense_category_id"},
    ("service", "demand"): {**_ABOUT_CUSTOMERS, "channel": "demand.channel", "severity": "demand.severity"},
    ("service", "customer"): _ABOUT_CUSTOMERS,
}
_TABLES = {
    "lead": ("lead", "lead_event"),
    "lead_event": ("lead_event",),
    "deal": ("deal_event",),
    "payment": ("payment",),
    "demand": ("demand", "demand_event"),
    "expense": ("expense",),
}


@dataclass(frozen=True)
class Confidence:
    """A grade with its reasons.

    Attributes:
        grade: `HIGH`, `MEDIUM` or `LOW`.
        title: the grade in the reader's words.
        reasons: those that lower it, or all where it is high, as a sentence.
        sentence: both.
        short: the same in few words, where it is high.
    """

    grade: str
    title: str
    reasons: str
    sentence: str
    short: str

    @property
    def mark(self) -> str:
        """Three dots, as many of them full as the confidence deserves."""
        return _MARKS[self.grade]


def rests_on(view: View, metrics: Iterable[str], dimensions: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields and the tables whose entry decides what metrics by dimensions show."""
    fields: dict[str, None] = {}
    tables: dict[str, None] = {}
    wanted = tuple(dimensions)
    for metric in metrics:
        for part in view.gateway.parts(metric):
            definition, record = view.gateway.metric(part), view.gateway.record_of(part)
            if definition is None or record is None:
                continue
            tables |= dict.fromkeys(_TABLES.get(record, ()))
            known = _FIELDS.get((definition.owner, record), {})
            fields |= dict.fromkeys(known[name] for name in wanted if name in known)
            if "gender" in known:
                # What describes customers: features the company defined itself as well.
                names = (name.removeprefix(FEATURE) for name in wanted if name.startswith(FEATURE))
                fields |= dict.fromkeys(f"customer/{name}" for name in names)
    return tuple(fields), tuple(tables)


@remembered(1024)
def confidence(view: View, metrics: tuple[str, ...], dimensions: tuple[str, ...]) -> Confidence | None:
    """Grade the entry of what metrics by dimensions rest on.

    Args:
        view: the reader's; of its filters, the estates count.
        metrics: names.
        dimensions: what they are cut by, if anything; a feature of customers by `FEATURE` and its name.

    Returns:
        None where they rest on nothing that people type in, and where there is too little of it to say.
    """
    fields, tables = rests_on(view, metrics, dimensions)
    missing = [judgement for field in fields if (judgement := _missing(view, field))]
    judged = [
        *missing,
        *(judgement for table in tables if (judgement := _late(view, table))),
        *(judgement for table in tables if (judgement := _kept_out(view, table))),
    ]
    if not judged:
        return None
    grade = max((grade for grade, _ in judged), key=_ORDER.index)
    reasons = view.t("; ").join(text for own, text in judged if grade == HIGH or own != HIGH)
    short = view.t("Entered on time and completely") if missing else view.t("Entered on time")
    title, ended = view.t(_WORDS[grade]), view.t("{reasons}.", reasons=reasons)
    return Confidence(grade, title, ended, view.t(": ").join((title, ended)), short)


def _graded(share: float, bounds: tuple[float, float]) -> str:
    return HIGH if share < bounds[0] else MEDIUM if share < bounds[1] else LOW


def _rates(view: View, metric: str, by: str) -> dict[str, tuple[float, float]]:
    """Return rate and denominator of each value of a dimension, those of enough cases."""
    frame = view.ask(metric, by=(by,))
    if f"{metric}__denominator" not in frame:
        return {}
    return {
        str(name): (float(rate), float(n))
        for name, rate, n in zip(frame[by], frame[metric], frame[f"{metric}__denominator"], strict=True)
        if not is_missing(rate) and n >= ENOUGH
    }


@remembered(256)
def _completeness(view: View) -> dict[str, tuple[float, float]]:
    return _rates(view, "field_completeness", "crm_field")


@remembered(256)
def _lateness(view: View) -> dict[str, tuple[float, float]]:
    return _rates(view, "late_entry_rate", "crm_table")


def _missing(view: View, field: str) -> tuple[str, str] | None:
    known = _completeness(view).get(field)
    if known is None:
        return None
    table, _, column = field.partition("." if "." in field.partition("/")[0] else "/")
    share = 1 - known[0]
    text = view.t(
        "{share} of {records} have no “{field}”",
        share=view.formats.value(share, "percent"),
        records=view.within(table_words(view.t, table)),
        field=column_words(view.t, table, column),
    )
    return _graded(share, _MISSING), text


def _late(view: View, table: str) -> tuple[str, str] | None:
    known = _lateness(view).get(table)
    if known is None:
        return None
    text = view.t(
        "{share} of {records} were entered more than seven days late",
        share=view.formats.value(known[0], "percent"),
        records=view.within(table_words(view.t, table)),
    )
    return _graded(known[0], _LATE), text


def _kept_out(view: View, table: str) -> tuple[str, str] | None:
    """Judge what the checks kept out of the marts; whose it is nobody knows, so it is told to who sees everything."""
    if not view.gateway.scope.is_everything:
        return None
    kept_out = view.gateway.metrics.snapshot.report.get("quarantined", {}).get(table, 0)
    entered = view.gateway.ask(("records_entered",), ("crm_table",)) if kept_out else None
    if entered is None or entered.empty:
        return None
    passed = float(entered.loc[entered["crm_table"] == table, "records_entered"].sum())
    share = kept_out / (kept_out + passed)
    grade = _graded(share, _KEPT_OUT)
    if grade == HIGH:
        return None
    text = view.t(
        "{share} of {records} are kept out because of errors",
        share=view.formats.value(share, "percent"),
        records=view.within(table_words(view.t, table)),
    )
    return grade, text


@remembered(8)
def titles(view: View) -> dict[str, str]:
    """Return the dimensions that fields are known of, by what they are called; `FEATURE` for those of values."""
    named = {view.title(name): name for known in _FIELDS.values() for name in known}
    return named | {view.title("feature_value"): FEATURE}
