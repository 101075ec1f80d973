"""What the sales services check of single values: amounts, moments, reasons, employees."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from data_entry.schema.deal import Reason
from data_entry.schema.organisation import Employee, EmployeeProject
from data_entry.services.errors import Forbidden, Invalid, Problem
from data_entry.services.work import Work
from loupan.i18n import marked

_CENT = Decimal("0.01")
# DECIMAL(18,2) holds sixteen digits before the point.
_TOO_MUCH = Decimal(10) ** 16
_EARLIEST = dt.datetime(1990, 1, 1)


def invalid(column: str, message: str, **values: object) -> Invalid:
    """Return the error that says what is wrong with one value."""
    return Invalid([Problem(column, message, values)])


def signed_amount(value: Any, column: str = "amount") -> Decimal:
    """Return an amount of money in cents' precision, of either sign.

    Raises:
        Invalid: if it is no number, has fractions of a cent, or is too large to be kept.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise invalid(column, marked("Enter an amount."))
    if abs(number) >= _TOO_MUCH:
        raise invalid(column, marked("The amount is too large."))
    rounded = number.quantize(_CENT)
    if rounded != number:
        raise invalid(column, marked("Enter an amount with at most two decimals."))
    return rounded


def amount(value: Any, column: str = "amount") -> Decimal:
    """Return an amount of money above zero; see `signed_amount`."""
    number = signed_amount(value, column)
    if number <= 0:
        raise invalid(column, marked("The amount must be above zero."))
    return number


def happened_at(work: Work, moment: dt.datetime | None, not_before: dt.datetime | None = None) -> dt.datetime:
    """Return a moment that somebody entered as the CRM keeps it; None is the present.

    Args:
        work: the open work.
        moment: wall-clock time of the company (naive), or an aware moment.
        not_before: what must have happened earlier, as the CRM keeps it.

    Raises:
        Invalid: if it lies in the future, or before `not_before`.
    """
    if moment is None:
        at = work.now
    else:
        try:
            at = work.utc(moment)
        except (OverflowError, ValueError):
            at = dt.datetime.min
    if at < _EARLIEST:
        raise invalid("occurred_at", marked("Enter a day and a time."))
    if at > work.now:
        raise invalid("occurred_at", marked("This lies in the future."))
    if not_before is not None and at < not_before:
        # The form takes minutes: what happened within the same minute follows what was recorded in it.
        if at >= not_before.replace(second=0, microsecond=0):
            return not_before
        shown = f"{work.local(not_before):%Y-%m-%d %H:%M}"
        raise invalid("occurred_at", marked("This lies before the step before it, {moment}."), moment=shown)
    return at


def reason_of(work: Work, reason_id: int | None, kind: str) -> Reason:
    """Return the reason of a loss or a cancellation, which must be given.

    Args:
        work: the open work.
        reason_id: key of the reason.
        kind: ``loss`` or ``cancel``.

    Raises:
        Invalid: if there is none of this kind.
    """
    reason = work.session.get(Reason, reason_id) if reason_id is not None else None
    if reason is None or reason.deleted_at is not None or reason.kind != kind:
        raise invalid("reason_id", marked("Choose a reason."))
    return reason


def acting_employee(work: Work, employee_id: int | None) -> int | None:
    """Return the employee to be recorded as who acted: the actor, or somebody the actor may act for.

    Raises:
        Forbidden: if the actor may not act for that employee.
    """
    if employee_id is None or employee_id == work.actor.employee_id:
        return work.actor.employee_id
    require_colleague(work, employee_id, work.actor.scopes("update", "deal") | work.actor.scopes("update", "lead"))
    return employee_id


def require_colleague(work: Work, employee_id: int, scopes: frozenset[str]) -> Employee:
    """Return an employed colleague whom scopes reach.

    Raises:
        Invalid: if there is no such employee, or the employee has left.
        Forbidden: if the scopes do not reach the employee.
    """
    employee = work.session.get(Employee, employee_id)
    if employee is None or employee.deleted_at is not None:
        raise invalid("employee_id", marked("Choose an employee."))
    if employee.left_on is not None and employee.left_on < work.today:
        raise invalid("employee_id", marked("{employee} has left the company."), employee=employee.name)
    reached = "all" in scopes or ("department" in scopes and employee_id in work.actor.colleague_ids)
    if not reached and "project" in scopes:
        reached = employee_id in work.actor.colleague_ids or bool(
            work.session.scalar(
                sa.select(sa.literal(1)).where(
                    EmployeeProject.employee_id == employee_id,
                    EmployeeProject.project_id.in_(work.actor.project_ids),
                    EmployeeProject.deleted_at.is_(None),
                    EmployeeProject.from_on <= work.today,
                    sa.or_(EmployeeProject.to_on.is_(None), EmployeeProject.to_on >= work.today),
                )
            )
        )
    if not reached:
        raise Forbidden(marked("You may not act for this employee."))
    return employee
