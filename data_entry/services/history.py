"""What happened to a record: who changed what, when, from which value to which."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.customer import Feature, FeatureValue
from data_entry.schema.organisation import Account, AuditLog, Employee
from data_entry.services.captions import captions
from data_entry.services.features import name_of
from data_entry.services.tables import is_personal, model, target
from data_entry.services.work import Work

_LONGEST = 500


@dataclass(frozen=True)
class Changed:
    """A value before and after: as JSON has it, a reference by what it is called.

    Attributes:
        column: name of the column, or ``feature:<key>``.
        before, after: the values.
        is_masked: whether they are not shown, for want of the right to personal data.
    """

    column: str
    before: Any
    after: Any
    is_masked: bool = False


@dataclass(frozen=True)
class Change:
    """One act: what was done, by whom, when.

    Attributes:
        at: the moment, UTC without offset.
        who: the employee's name or the login; empty for the system.
        action: create, update, delete, restore, or what a service has called it.
        changes: the values, in the order of the table's columns.
    """

    at: dt.datetime
    who: str
    action: str
    changes: tuple[Changed, ...]


def history(work: Work, table: str, key: int, limit: int = 200) -> list[Change]:
    """Return what happened to a record and its features, the latest first.

    Raises:
        NotFound: if there is no such record, or the actor may not see it.
    """
    row = work.get(model(table), key, deleted=True)
    sees_all = work.may_with("personal", row)
    own = sa.and_(AuditLog.entity == table, AuditLog.entity_id == key)
    described = (
        sa.select(FeatureValue.id)
        .join(Feature, Feature.id == FeatureValue.feature_id)
        .where(Feature.entity == table, FeatureValue.entity_id == key)
    )
    of_features = sa.and_(AuditLog.entity == "feature_value", AuditLog.entity_id.in_(described))
    query = (
        sa.select(AuditLog, Account.login, Employee.name)
        .outerjoin(Account, Account.id == AuditLog.account_id)
        .outerjoin(Employee, Employee.id == Account.employee_id)
        .where(sa.or_(own, of_features) if table != "feature_value" else own)
        .order_by(AuditLog.at.desc(), AuditLog.id.desc())
        .limit(limit)
    )
    lines = [(line, name or login or "") for line, login, name in work.session.execute(query)]
    feature_ids = dict(
        work.session.execute(
            sa.select(FeatureValue.id, FeatureValue.feature_id).where(
                FeatureValue.id.in_([line.entity_id for line, _ in lines if line.entity == "feature_value"])
            )
        ).all()
    )
    acts = [(line, who, _values(line.before), _values(line.after)) for line, who in lines]
    names = _names(work, table, [values for line, _, *both in acts if line.entity == table for values in both])
    result = []
    for line, who, before, after in acts:
        if line.entity == "feature_value":
            changes: tuple[Changed, ...] = (
                Changed(name_of(feature_ids.get(line.entity_id or 0, 0)), before.get("value"), after.get("value")),
            )
            if line.action == "delete":
                continue
        else:
            changes = tuple(
                _changed(table, column, before, after, names, sees_all) for column in _order(table, before, after)
            )
        result.append(Change(line.at, who, line.action, changes))
    return result


def _values(text: str | None) -> dict[str, Any]:
    try:
        values = json.loads(text) if text else {}
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def changed_values(line: AuditLog) -> tuple[Changed, ...]:
    """Return the values of a line of the trail as they are kept: references are keys."""
    before, after = _values(line.before), _values(line.after)
    return tuple(Changed(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after]))


def _order(table: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    known = [column.name for column in metadata.tables[table].c]
    shown = {*before, *after} - {"deleted_at"}
    return sorted(shown, key=lambda name: (known.index(name) if name in known else len(known), name))


def _names(work: Work, table: str, values: Sequence[dict[str, Any]]) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for column in metadata.tables[table].c:
        parent = target(column)
        if parent is not None:
            keys = [v[column.name] for v in values if isinstance(v.get(column.name), int)]
            found[column.name] = captions(work, parent, keys)
    return found


def _changed(
    table: str,
    column: str,
    before: dict[str, Any],
    after: dict[str, Any],
    names: dict[str, dict[int, str]],
    sees_all: bool,
) -> Changed:
    columns = metadata.tables[table].c
    if column in columns and is_personal(columns[column]) and not sees_all:
        return Changed(column, None, None, is_masked=True)

    def shown(value: Any) -> Any:
        if isinstance(value, int) and column in names:
            return names[column].get(value, f"#{value}")
        return value[:_LONGEST] if isinstance(value, str) else value

    return Changed(column, shown(before.get(column)), shown(after.get(column)))
