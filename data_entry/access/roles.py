"""The ready-made roles: what each may do, with which tables, how far. Administrators change them in the app.

A permission is an action on a resource in a scope. Resources are tables, and pages as ``page:<path>`` with the action
``open``; on a page of figures its scope says whose rows count. Actions on tables: ``read``, ``personal`` (read names,
phones, addresses and free text), ``create``, ``update``, ``delete`` (and restore), and those of the working processes:
``assign``, ``merge``, ``cancel``, ``approve``, ``issue``, ``run``, and on customers ``export`` and ``erase`` (hand
over, or erase for good, all that is held about a person), which administrators have and may give.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access.actor import EVERY
from data_entry.schema.organisation import AuditLog, Role, RolePermission

READ, WRITE = ("read",), ("read", "create", "update")
FULL = ("read", "create", "update", "delete")
PERSONAL = ("personal",)

ESTATES = ("project", "building", "unit", "unit_price")
ORGANISATION = ("department", "position", "employee", "employee_position", "employee_project")
CATEGORIES = (
    "customer_class", "feature", "source", "reason", "demand_category", "sla_policy", "plan_class", "activity_class",
    "expense_category", "service_class", "fee_type", "report_class", "approval_step", "vocabulary_term",
)  # fmt: skip
CUSTOMERS = ("customer", "customer_owner", "feature_value", "touchpoint")
LEADS = ("lead", "lead_event")
DEALS = ("deal", "deal_event", "deal_share", "payment_due", "payment")
DEMANDS = ("demand", "demand_event", "follow_up", "promise")
MARKETING = ("plan", "activity", "expense", "feedback")
COMPETITION = ("competitor", "competitor_project", "competitor_observation")
SURVEYS = ("survey", "survey_question", "survey_invitation", "survey_response", "survey_answer")
CARE = ("care_rule", "care_occasion")
FEES = ("fee_bill", "fee_payment")
SERVICES = ("service_item",)
TASKS = ("task", "task_event")
REPORTS = ("report", "approval_action")
KNOWLEDGE = ("article", "article_version")
DISCUSSION = ("thread", "post")
WORK = ("work_plan", "work_log")
# For everybody who reads statistics.
_MEANING = ("dictionary", "lineage")
_PAGE = "page:"
PLANNING = ("target", "annotation")
SETTINGS = (*CATEGORIES, *ORGANISATION, *ESTATES)

Grant = tuple[Iterable[str], Iterable[str], str]
"""Resources, actions, scope."""


def _pages(*paths: str, scope: str = "all") -> Grant:
    return tuple(f"{_PAGE}{path}" for path in paths), ("open",), scope


# Figures of sales for who leads a department in some estates.
_SALES_FIGURES = (
    "overview", "changes", "sales", "customer-structure", "conversion", "complaints", "staff", "models", "explore",
    "completeness",
)  # fmt: skip

# What everybody who works in the company does: read what is agreed, do the tasks given, write, discuss, plan.
_EVERYBODY: tuple[Grant, ...] = (
    ((*SETTINGS, *COMPETITION, *SERVICES, *KNOWLEDGE, *DISCUSSION, "annotation"), READ, "all"),
    (KNOWLEDGE, PERSONAL, "all"),
    (DISCUSSION, ("create", "personal"), "all"),
    (DISCUSSION, ("update", "delete"), "own"),
    (TASKS, (*WRITE, "personal"), "own"),
    (REPORTS, (*FULL, "personal", "approve"), "own"),
    (WORK, (*FULL, "personal"), "own"),
    (("saved_view",), FULL, "own"),
    (("attachment",), ("read", "create", "delete"), "own"),
    _pages("home", "tasks", "reports", "knowledge", "discussion", "work", "account", "estates"),
)


@dataclass(frozen=True)
class ReadyMade:
    """A role as it is delivered: its landing page and its grants."""

    landing_page: str
    grants: tuple[Grant, ...]


READY_MADE: dict[str, ReadyMade] = {
    "admin": ReadyMade("home", (((EVERY,), (EVERY,), "all"),)),
    "executive": ReadyMade(
        "overview",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, *LEADS, *DEALS, *DEMANDS, *MARKETING, *SURVEYS, *FEES, *CARE), READ, "all"),
            (TASKS, (*WRITE, "personal", "assign"), "all"),
            ((*REPORTS, *WORK), ("read", "personal", "update"), "all"),
            (REPORTS, ("approve",), "all"),
            (("expense",), ("approve",), "all"),
            (PLANNING, FULL, "all"),
            (("attachment",), READ, "all"),
            _pages(
                "overview", "changes", "sales", "customer-structure", "conversion", "complaints", "campaign-return",
                "property-fees", "staff", "models", "explore", "plans", "expenses", "surveys", "competition-analysis",
                "records", "targets",
            ),
            _pages(*_MEANING, "completeness"),
        ),
    ),
    "marketing": ReadyMade(
        "plans",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, *LEADS, *DEALS, *SURVEYS, "target"), READ, "all"),
            (("annotation",), FULL, "all"),
            ((*MARKETING, *COMPETITION), (*FULL, "personal"), "all"),
            (("expense",), ("approve",), "department"),
            (("source", "plan_class", "activity_class", "expense_category", "vocabulary_term"), WRITE, "all"),
            (("feature",), WRITE, "all"),
            (KNOWLEDGE, WRITE, "all"),
            (("attachment",), ("read", "create"), "all"),
            _pages(
                "plans", "expenses", "feedback", "competition-entry", "competition-analysis", "records", "categories",
                "overview",
                "changes", "sales", "customer-structure", "conversion", "campaign-return", "models", "explore",
                "targets",
            ),
            _pages(*_MEANING),
        ),
    ),
    "sales": ReadyMade(
        "customers",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, *LEADS, "promise"), (*WRITE, "personal"), "own"),
            (("deal", "deal_event", "payment_due", "payment", "deal_share"), WRITE, "own"),
            (("deal",), ("cancel",), "own"),
            (("demand", "demand_event"), (*WRITE, "personal", "assign"), "own"),
            (("follow_up",), ("read", "personal"), "own"),
            _pages("customers", "customer", "deals", "demands", "estate-board"),
            _pages("lead-list", scope="own"),
        ),
    ),
    "sales_manager": ReadyMade(
        "customers",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, *LEADS, *DEALS, "demand", "demand_event", "promise"), (*WRITE, "personal"), "department"),
            ((*CUSTOMERS, *LEADS, *DEALS, "demand", "demand_event", "promise"), (*WRITE, "personal"), "project"),
            (("follow_up",), ("read", "personal"), "department"),
            (("customer", "customer_owner"), ("assign", "merge"), "project"),
            (("customer", "customer_owner"), ("assign", "merge"), "department"),
            (("deal",), ("cancel", "approve"), "project"),
            (("deal",), ("cancel", "approve"), "department"),
            (("demand",), ("assign",), "project"),
            (("unit", "unit_price"), WRITE, "project"),
            (PLANNING, FULL, "project"),
            (TASKS, (*WRITE, "personal", "assign"), "department"),
            ((*REPORTS, *WORK), ("read", "personal", "update"), "department"),
            (("attachment",), READ, "department"),
            _pages("customers", "customer", "deals", "demands", "estate-board", "records", "targets"),
            _pages(*_SALES_FIGURES, "lead-list", scope="project"),
            _pages(*_SALES_FIGURES, "lead-list", scope="department"),
            _pages(*_MEANING),
        ),
    ),
    "property": ReadyMade(
        "owners",
        (
            *_EVERYBODY,
            (("customer", "unit_owner", "feature_value"), (*WRITE, "personal"), "project"),
            (("lead", "deal", "deal_event", "customer_owner"), READ, "project"),
            (("demand", "demand_event", "follow_up", "promise"), (*WRITE, "personal"), "project"),
            (("demand",), ("assign",), "project"),
            (FEES, (*WRITE, "run"), "project"),
            ((*SERVICES, "service_class", "fee_type"), WRITE, "all"),
            (TASKS, (*WRITE, "personal", "assign"), "department"),
            _pages("owners", "customer", "demands", "fees", "service-items", "records"),
            _pages("property-fees", scope="project"),
            _pages(*_MEANING),
        ),
    ),
    "service": ReadyMade(
        "demands",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, "unit_owner"), (*WRITE, "personal"), "all"),
            ((*LEADS, *DEALS), READ, "all"),
            (DEMANDS, (*WRITE, "personal", "assign"), "all"),
            ((*SURVEYS, *CARE), (*FULL, "personal", "issue", "run"), "all"),
            (("demand_category", "sla_policy", "vocabulary_term"), WRITE, "all"),
            (TASKS, (*WRITE, "personal", "assign"), "all"),
            (("attachment",), ("read", "create"), "all"),
            _pages("customers", "customer", "demands", "surveys", "care", "complaints", "models", "explore", "records",
                "categories"),
            _pages(*_MEANING),
        ),
    ),
    "data": ReadyMade(
        "data-status",
        (
            *_EVERYBODY,
            ((*CUSTOMERS, *LEADS, *DEALS, *DEMANDS, *MARKETING, *SURVEYS, *FEES, *CARE, *PLANNING), READ, "all"),
            (("import", "backup", "refresh"), ("run", "read"), "all"),
            _pages(
                "data-status", "overview", "changes", "sales", "customer-structure", "conversion", "complaints",
                "campaign-return", "property-fees", "staff", "models", "explore", "records", "backups", "refreshes",
            ),
            _pages(*_MEANING, "quarantine", "completeness"),
        ),
    ),
}  # fmt: skip


def ensure_roles(session: Session) -> list[str]:
    """Add the ready-made roles that are missing, and return their names; existing ones stay as they are.

    Deleted ones stay deleted, too: an administrator meant it. Only what came with a later version of the program, pages
    and tables, is granted to them. That is what no role was ever given: what is taken away stays as a deleted row.
    """
    known = {role.name: role for role in session.scalars(sa.select(Role))}
    old = set(session.scalars(sa.select(RolePermission.resource).distinct()))
    added = {
        name: Role(name=name, landing_page=ready_made.landing_page)
        for name, ready_made in READY_MADE.items()
        if name not in known
    }
    session.add_all(added.values())
    session.flush()
    rows = [
        {"role_id": role.id, "resource": resource, "action": action, "scope": scope}
        for name, role in (known | added).items()
        if name in READY_MADE and role.deleted_at is None
        for resource, action, scope in sorted(_grants(READY_MADE[name]))
        if name in added or resource not in old
    ]
    if rows:
        # At once: there are over a thousand.
        session.execute(sa.insert(RolePermission), rows)
        if known:  # a CRM that is just made begins with them
            _leave_a_trail(session, rows)
    return list(added)


def _leave_a_trail(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Say in the trail which role was granted what: a line for each role, not for each of its permissions."""
    granted: dict[int, set[str]] = {}
    for row in rows:
        granted.setdefault(row["role_id"], set()).add(row["resource"])
    now = dt.datetime.now(dt.UTC)
    session.execute(
        sa.insert(AuditLog),
        [
            {"at": now, "entity": "role", "entity_id": role, "action": "granted",
             "after": json.dumps({"resources": sorted(resources)})}
            for role, resources in granted.items()
        ],
    )  # fmt: skip


def _grants(ready_made: ReadyMade) -> set[tuple[str, str, str]]:
    return {
        (resource, action, scope)
        for resources, actions, scope in ready_made.grants
        for resource in resources
        for action in actions
    }
