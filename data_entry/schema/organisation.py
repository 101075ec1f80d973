"""Departments, positions, employees with their dated history, and the accounts that sign in."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from data_entry.schema import columns as col
from data_entry.schema.base import Record


class Department(Record):
    """A department; departments form a tree."""

    parent_id: Mapped[int | None] = col.ref(
        "department", "Department above this one; empty at the top.", required=False
    )
    name: Mapped[str] = col.text("Name.", required=True)


class Position(Record):
    """A position inside a department."""

    department_id: Mapped[int] = col.ref("department", "Department the position belongs to.")
    name: Mapped[str] = col.text("Name.", required=True)


class Employee(Record):
    """A member of staff, named in statistics by number and name."""

    number: Mapped[str] = col.text("Staff number.", 40, required=True, unique=True, label="Staff number")
    name: Mapped[str] = col.text("Name.", required=True, label="Full name")
    hired_on: Mapped[dt.date | None] = col.day("First day of employment.")
    left_on: Mapped[dt.date | None] = col.day("Last day of employment; empty while employed.")


class EmployeePosition(Record):
    """The position an employee held from one day to another."""

    employee_id: Mapped[int] = col.ref("employee", "Employee.")
    position_id: Mapped[int] = col.ref("position", "Position held.")
    from_on: Mapped[dt.date] = col.day("First day in the position.", required=True, label="First day")
    to_on: Mapped[dt.date | None] = col.day("Last day in the position (inclusive); empty while held.", label="Last day")
    __table_args__ = (sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),)


class EmployeeProject(Record):
    """An estate an employee works for, from one day to another; it decides what the scope `project` reaches."""

    ingested = False
    employee_id: Mapped[int] = col.ref("employee", "Employee.")
    project_id: Mapped[int] = col.ref("project", "Estate.")
    from_on: Mapped[dt.date] = col.day("First day.", required=True, label="First day")
    to_on: Mapped[dt.date | None] = col.day("Last day (inclusive); empty while it lasts.", label="Last day")
    __table_args__ = (sa.CheckConstraint("to_on >= from_on", name="dates_in_order"),)


class Account(Record):
    """A login."""

    ingested = False
    employee_id: Mapped[int | None] = col.ref("employee", "Employee who signs in with it.", required=False)
    login: Mapped[str] = col.text("Login name.", 100, required=True, unique=True, label="Login name")
    password_hash: Mapped[str | None] = col.text("Argon2 hash; never the password.", 255, personal=True)
    is_active: Mapped[bool] = col.flag("Whether the account may sign in.", default=True)
    locale: Mapped[str | None] = col.text("Language of the pages (en, zh_CN).", 10, label="Language")
    must_change_password: Mapped[bool] = col.flag(
        "Whether a new password is asked for at the next login.", default=False
    )
    password_changed_at: Mapped[dt.datetime | None] = col.moment("When the password was last changed.")
    failed_count: Mapped[int] = col.count(
        "Failed logins since the last good one.", required=True, server_default="0", label="Failed logins"
    )
    locked_until: Mapped[dt.datetime | None] = col.moment("Until when logins are refused after repeated failures.")
    last_login_at: Mapped[dt.datetime | None] = col.moment("When somebody last signed in with it.")
    oidc_subject: Mapped[str | None] = col.text(
        "Issuer and subject at the identity provider, once linked.",
        400,
        personal=True,
        unique=True,
        label="Single sign-on identity",
    )


class AccountSession(Record):
    """A signed-in browser."""

    ingested = False
    account_id: Mapped[int] = col.ref("account", "Account.")
    token_hash: Mapped[str] = col.text(
        "SHA-256 of the token in the cookie.", 64, required=True, personal=True, unique=True
    )
    method: Mapped[str] = col.choice(
        "How the account signed in.", "password", "oidc", default="password", label="Sign-in method"
    )
    started_at: Mapped[dt.datetime] = col.moment("When it began.", required=True)
    last_seen_at: Mapped[dt.datetime] = col.moment("When it was last used.", required=True)
    expires_at: Mapped[dt.datetime] = col.moment("When it ends whatever happens.", required=True)
    ended_at: Mapped[dt.datetime | None] = col.moment("When it was ended by logout or revocation; empty while open.")
    address: Mapped[str | None] = col.text(
        "Network address of the browser.", 64, personal=True, label="Network address"
    )
    user_agent: Mapped[str | None] = col.text("What the browser calls itself.", 300, personal=True, label="Browser")


class Role(Record):
    """A set of permissions given to accounts."""

    ingested = False
    name: Mapped[str] = col.text("Name.", 100, required=True, unique=True)
    landing_page: Mapped[str | None] = col.text("Page shown after login.", 100)


class AccountRole(Record):
    """A role held by an account."""

    ingested = False
    account_id: Mapped[int] = col.ref("account", "Account.", index=False)
    role_id: Mapped[int] = col.ref("role", "Role.")
    __table_args__ = (sa.UniqueConstraint("account_id", "role_id"),)


class RolePermission(Record):
    """What a role may do to which resource, and how far."""

    ingested = False
    role_id: Mapped[int] = col.ref("role", "Role.", index=False)
    resource: Mapped[str] = col.text("Resource, e.g. a table or a page.", 100, required=True)
    action: Mapped[str] = col.text("Action, e.g. read, create, update, delete, approve.", 40, required=True)
    scope: Mapped[str] = col.choice("How far the permission reaches.", "own", "department", "project", "all")
    __table_args__ = (sa.UniqueConstraint("role_id", "resource", "action", "scope"),)


class VocabularyTerm(Record):
    """A term offered where a field takes one of an agreed list of words, such as education or level of competition."""

    ingested = False
    field: Mapped[str] = col.text("Table and column the term is for, e.g. customer.education.", 100, required=True)
    value: Mapped[str] = col.text("Term.", required=True, label="Term")
    sequence: Mapped[int | None] = col.count("Place in the list, from 1.")
    is_active: Mapped[bool] = col.flag("Whether it is still offered.", default=True)
    __table_args__ = (sa.UniqueConstraint("field", "value"),)


class AuditLog(Record):
    """Who changed what: one row per change, never altered."""

    ingested = False
    account_id: Mapped[int | None] = col.ref("account", "Account that acted; empty for the system.", required=False)
    at: Mapped[dt.datetime] = col.moment("When.", required=True, label="Time")
    entity: Mapped[str] = col.text("Table of the changed row.", 100, required=True, label="Record type")
    entity_id: Mapped[int | None] = col.key("Key of the changed row.", required=False, label="Record")
    action: Mapped[str] = col.text("What was done.", 40, required=True)
    before: Mapped[str | None] = col.text("Values before, as JSON.", None, personal=True)
    after: Mapped[str | None] = col.text("Values after, as JSON.", None, personal=True)
    __table_args__ = (sa.Index("ix_audit_log_entity", "entity", "entity_id"), sa.Index("ix_audit_log_at", "at"))
