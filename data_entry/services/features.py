"""Features that people define themselves, and their values: columns of a form that need no column of a table.

Whoever may read a record may read its features, and whoever may change it may change them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.customer import Feature, FeatureValue
from data_entry.services import validation
from data_entry.services.errors import Invalid, Problem
from data_entry.services.tables import CLASSES, is_tree, models
from data_entry.services.work import Work
from loupan.i18n import marked

PREFIX = "feature:"
_ENTITIES = frozenset(metadata.tables["feature"].c.entity.type.enums)  # type: ignore[attr-defined]
_LONGEST = 500


def name_of(feature_id: int) -> str:
    """Return the name under which a feature stands among the values of a form."""
    return f"{PREFIX}{feature_id}"


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[int, Any]]:
    """Part the values of a form into those of the table's columns and those of features, by their keys."""
    columns = {name: value for name, value in values.items() if not name.startswith(PREFIX)}
    own = {int(name.removeprefix(PREFIX)): value for name, value in values.items() if name.startswith(PREFIX)}
    return columns, own


def features_for(work: Work, entity: str, class_id: int | None = None) -> list[Feature]:
    """Return the features a record is asked for: those of all, and those of its class and of the classes above it."""
    if entity not in _ENTITIES:
        return []
    classes: list[int] = []
    if class_id is not None and entity in CLASSES:
        table = metadata.tables[CLASSES[entity][1]]
        above: int | None = class_id
        while above is not None and above not in classes:
            classes.append(above)
            above = (
                work.session.scalar(sa.select(table.c.parent_id).where(table.c.id == above))
                if is_tree(table.name)
                else None
            )
    asked = sa.or_(Feature.class_id.is_(None), Feature.class_id.in_(classes))
    query = (
        sa.select(Feature)
        .where(Feature.entity == entity, Feature.deleted_at.is_(None), Feature.is_active, asked)
        .order_by(Feature.sequence.nulls_last(), Feature.id)
    )
    return list(work.session.scalars(query))


def options(feature: Feature) -> list[str]:
    """Return the choices a feature offers."""
    return list(dict.fromkeys(line.strip() for line in (feature.options or "").splitlines() if line.strip()))


def values(work: Work, entity: str, entity_id: int) -> dict[int, list[str]]:
    """Return the values of a record's features, as text, by the features' keys.

    Raises:
        NotFound: if there is no such record, or the actor may not see it.
    """
    work.get(models()[entity], entity_id, deleted=True)
    found: dict[int, list[str]] = {}
    for row in _rows(work, entity, entity_id):
        if row.value is not None:
            found.setdefault(row.feature_id, []).append(row.value)
    return found


def _rows(work: Work, entity: str, entity_id: int) -> Sequence[FeatureValue]:
    query = (
        sa.select(FeatureValue)
        .join(Feature, Feature.id == FeatureValue.feature_id)
        .where(
            Feature.entity == entity, FeatureValue.entity_id == entity_id,
            FeatureValue.deleted_at.is_(None), Feature.deleted_at.is_(None),
        )
        .order_by(FeatureValue.id)
    )  # fmt: skip
    return work.session.scalars(query).all()


def cleaned(
    work: Work, entity: str, class_id: int | None, given: Mapping[int, Any], before: Mapping[int, list[str]]
) -> dict[int, list[str]]:
    """Return the values of features as they are kept.

    Args:
        work: the transaction.
        entity: table of the record.
        class_id: the record's class.
        given: by the features' keys: a value, several, or None.
        before: the values as they stand; a choice that is offered no more may stay.

    Raises:
        Invalid: if something does not fit; the problems name `name_of` the feature.
    """
    asked = {feature.id: feature for feature in features_for(work, entity, class_id)}
    problems: list[Problem] = []
    found: dict[int, list[str]] = {}
    for key, feature in asked.items():
        if key not in given:
            if feature.is_required and not before.get(key):
                problems.append(Problem(name_of(key), marked("A value is needed here.")))
            continue
        several = given[key] if isinstance(given[key], (list, tuple, set)) else [given[key]]
        kept: list[str] = []
        try:
            for value in several:
                text = _kept(work, feature, value, before.get(key, []))
                if text is not None and text not in kept:
                    kept.append(text)
        except validation.Wrong as wrong:
            problems.append(Problem(name_of(key), wrong.message, wrong.values))
            continue
        if len(kept) > 1 and not feature.is_multi:
            problems.append(Problem(name_of(key), marked("Only one value is possible here.")))
        elif feature.is_required and not kept:
            problems.append(Problem(name_of(key), marked("A value is needed here.")))
        else:
            found[key] = kept
    if problems:
        raise Invalid(problems)
    return found


def _kept(work: Work, feature: Feature, value: Any, before: Sequence[str]) -> str | None:
    if validation.is_empty(value):
        return None
    match feature.data_type:
        case "number":
            number = validation.read_number(value)
            text = f"{number.normalize():f}"
        case "boolean":
            text = "true" if validation.read_flag(value) else "false"
        case "date":
            text = validation.read_day(value).isoformat()
        case "choice":
            text = validation.tidy(str(value)) or ""
            if text not in options(feature) and text not in before:
                raise validation.Wrong(marked("This is not one of the choices."))
        case _:
            text = validation.tidy(str(value)) or ""
    if len(text) > _LONGEST:
        raise validation.Wrong(marked("At most {count} characters; these are {actual}."), count=_LONGEST,
                               actual=len(text))  # fmt: skip
    return text


def save(work: Work, entity: str, entity_id: int, given: Mapping[int, Any]) -> None:
    """Set the values of a record's features; features not named stay as they are.

    Raises:
        Invalid: if something does not fit.
        NotFound, Forbidden: if the actor may not see or change the record.
    """
    row = work.get(models()[entity], entity_id)
    if row.created_by != work.actor.account_id or row.row_version > 1:
        work.require_with("update", row)
    class_id = getattr(row, CLASSES[entity][0]) if entity in CLASSES else None
    before: dict[int, list[FeatureValue]] = {}
    for old in _rows(work, entity, entity_id):
        before.setdefault(old.feature_id, []).append(old)
    texts = {key: [row.value for row in rows if row.value is not None] for key, rows in before.items()}
    for key, kept in cleaned(work, entity, class_id, given, texts).items():
        rows = before.get(key, [])
        missing = [text for text in kept if text not in texts.get(key, [])]
        for old in rows:
            if old.value in kept:
                continue
            if missing:
                old.value = missing.pop(0)
            else:
                old.deleted_at = work.now
        work.session.add_all(FeatureValue(feature_id=key, entity_id=entity_id, value=text) for text in missing)
    work.session.flush()
