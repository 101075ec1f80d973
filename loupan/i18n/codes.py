"""Words for the codes that dimensions hold; names typed by people (projects, sources, employees) stay as they are."""

from __future__ import annotations

import pandas as pd

from loupan.i18n import Translator, marked

UNKNOWN = marked("Unknown")

DIMENSION_TITLES = {
    "project": marked("Project"),
    "source": marked("Source"),
    "department": marked("Department"),
    "employee": marked("Employee"),
    "employee_name": marked("Employee"),
    "plan": marked("Plan"),
    "activity": marked("Activity"),
    "market_type": marked("Market type"),
    "customer_class": marked("Customer class"),
    "age_band": marked("Age"),
    "income_band": marked("Income"),
    "education": marked("Education"),
    "gender": marked("Gender"),
    "personality": marked("Personality"),
    "intent_level": marked("Intention"),
    "customer_kind": marked("Kind of customer"),
    "fee_type": marked("Type of fee"),
    "occupation": marked("Occupation"),
    "district": marked("District"),
    "demand_category": marked("Demand category"),
    "demand_kind": marked("Kind of demand"),
    "channel": marked("Channel"),
    "severity": marked("Severity"),
    "phase": marked("Phase"),
    "reason": marked("Reason"),
    "competitor": marked("Competitor"),
    "attribution_model": marked("Attribution model"),
    "expense_category": marked("Expense category"),
    "crm_table": marked("Record type"),
    "crm_field": marked("Field"),
    "project_type": marked("Project type"),
    "payment_kind": marked("Kind of payment"),
    "layout": marked("Layout"),
    "survey": marked("Survey"),
    "competitor_project": marked("Competing estate"),
    "day": marked("Day"),
    "week": marked("Week"),
    "month": marked("Month"),
    "quarter": marked("Quarter"),
    "year": marked("Year"),
    "feature": marked("Customer feature"),
    "feature_value": marked("Value of the feature"),
}

_OWNERS = {
    "sales": marked("Sales"),
    "marketing": marked("Marketing"),
    "service": marked("Customer service"),
    "property": marked("Property management"),
    "data": marked("Data staff"),
}

_DATE_BASES = {
    "as_of": marked("As of the data's date"),
    "due_at": marked("Day the reply was due"),
    "entered_month": marked("Month the record was entered"),
    "due_on": marked("Day the payment was due"),
    "first_contract": marked("Day of the first contract"),
    "first_contract_at": marked("Day of the first contract"),
    "budget_on": marked("Day of the marketing plan"),
    "first_visit_at": marked("Day of the first visit"),
    "followed_up_at": marked("Day of the follow-up"),
    "happened_on": marked("Day it happened"),
    "incurred_on": marked("Day the expense was incurred"),
    "month": marked("Month of activity"),
    "month_on": marked("Month of the target"),
    "occurred_at": marked("Day it happened"),
    "opened_at": marked("Day the lead came in (cohort)"),
    "period_on": marked("Month billed"),
    "received_at": marked("Day it was received"),
    "received_on": marked("Day it was received"),
    "submitted_at": marked("Day of the answer"),
}

_CODES = {
    "source": {"unattributed": marked("Unattributed")},
    "plan": {"unattributed": marked("Unattributed")},
    "activity": {"unattributed": marked("Unattributed")},
    "market_type": {
        "online": marked("Online"),
        "media": marked("Media"),
        "outdoor": marked("Outdoor"),
        "event": marked("Event"),
        "channel": marked("Agency channel"),
        "referral": marked("Referral"),
        "direct": marked("Direct"),
        "other": marked("Other"),
        "unattributed": marked("Unattributed"),
    },
    "attribution_model": {
        "first": marked("First touch"),
        "last": marked("Last touch"),
        "last_non_direct": marked("Last non-direct touch"),
        "linear": marked("Linear"),
        "position": marked("Position (40/20/40)"),
        "time_decay": marked("Time decay"),
        "markov": marked("Markov chain"),
        "shapley": marked("Shapley value"),
    },
    "channel": {
        "phone": marked("Phone"),
        "visit": marked("Visit"),
        "app": marked("App"),
        "web": marked("Web"),
        "wechat": marked("WeChat"),
        "letter": marked("Letter"),
        "email": marked("E-mail"),
        "other": marked("Other"),
    },
    "severity": {
        "low": marked("Low"),
        "normal": marked("Normal"),
        "medium": marked("Medium"),
        "high": marked("High"),
        "urgent": marked("Urgent"),
        "critical": marked("Critical"),
    },
    "feature_value": {"true": marked("Yes"), "false": marked("No"), "other": marked("Other")},
    "gender": {"female": marked("Female"), "male": marked("Male"), "other": marked("Other")},
    "customer_kind": {"person": marked("Person"), "company": marked("Company")},
    "payment_kind": {
        "balance": marked("Balance"),
        "deposit": marked("Deposit"),
        "down_payment": marked("Down payment"),
        "instalment": marked("Instalment"),
        "mortgage": marked("Mortgage"),
        "refund": marked("Refund"),
    },
    "phase": {"sales": marked("Sales phase"), "property": marked("Property phase")},
    "demand_kind": {
        "complaint": marked("Complaint"),
        "suggestion": marked("Suggestion"),
        "service_request": marked("Service request"),
        "decoration": marked("Decoration"),
        "other": marked("Other"),
    },
}


def is_unknown(value: object) -> bool:
    """Say whether a dimension's value says that nothing is known."""
    return value is None or bool(pd.isna(value)) or str(value) in ("", "unknown")  # type: ignore[call-overload]


def value_label(t: Translator, dimension: str, value: object) -> str:
    """Return what a reader is shown for a value of a dimension; a missing one is named unknown."""
    if is_unknown(value):
        return t(UNKNOWN)
    message = _CODES.get(dimension, {}).get(str(value))
    return t(message) if message else str(value)


def date_basis(t: Translator, code: str) -> str:
    """Return which date puts a row into a period, in words."""
    return t(_DATE_BASES.get(code, code))


def owner_words(t: Translator, owner: str) -> str:
    """Return what the area that answers for a metric is called."""
    return t(_OWNERS.get(owner, owner))


def dimension_title(t: Translator, dimension: str) -> str:
    """Return a dimension's name for a table's head or a filter."""
    return t(DIMENSION_TITLES.get(dimension, marked("Name")))
