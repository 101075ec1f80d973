"""The inputs of a form, one per column, by what the column holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
import streamlit as st

from data_entry.forms.errors import problem_text, show_problem
from data_entry.forms.picking import pick
from data_entry.forms.words import MASKED, is_money, label, shown, vocabulary_name
from data_entry.pages.desk import Desk
from data_entry.schema import metadata
from data_entry.schema.base import ExactNumeric, UtcDateTime
from data_entry.schema.customer import Feature
from data_entry.schema.labels import choice_label
from data_entry.schema.organisation import VocabularyTerm
from data_entry.services import features as custom
from data_entry.services.captions import Condition
from data_entry.services.errors import Invalid, Problem
from data_entry.services.tables import CLASSES, MANAGED, SETTABLE, own_columns, required, target, vocabularies
from data_entry.services.validation import FIRST_DAY, LAST_DAY, Wrong, read
from data_entry.services.work import Work
from loupan import ui
from loupan.i18n import marked

_CONTACT = frozenset({"phone", "email", "address"})
_GROUPS = (
    (marked("Basics"), lambda c: True),
    (marked("Contact"), lambda c: c.name in _CONTACT),
    (marked("Amounts"), lambda c: isinstance(c.type, ExactNumeric)),
    (marked("Dates"), lambda c: isinstance(c.type, (sa.Date, UtcDateTime))),
    (marked("In words"), lambda c: isinstance(c.type, sa.Text) or getattr(c.type, "length", 0) in (300, 500)),
    (marked("From other systems"), lambda c: c.name == "external_ref"),
)  # fmt: skip


class Values(dict[str, Any]):
    """Values of a form by column, typed as the columns hold them; what cannot be read stays as typed.

    Attributes:
        problems: what is wrong with those.
        changed: the columns whose value is not the one the form began with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Problem] = []
        self.changed: set[str] = set()

    def check(self) -> None:
        """Raise `Invalid` if something could not be read."""
        if self.problems:
            raise Invalid(self.problems)

    @property
    def ok(self) -> bool:
        """Whether everything could be read."""
        return not self.problems


def form_columns(table: str, columns: Sequence[str] | None, *, is_new: bool) -> list[sa.Column]:
    """Return the columns of a form: those named, else all that people fill in."""
    own = {column.name: column for column in own_columns(table)}
    if columns is not None:
        return [own[name] for name in columns if name in own]
    managed = MANAGED.get(table, frozenset())
    return [c for c in own.values() if not (is_new and (c.name in managed or c.name == "external_ref"))]


def fields(
    desk: Desk,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    key: str,
    row: Mapping[str, Any] | None = None,
    where: Mapping[str, Condition] | None = None,
    features: bool | None = None,
) -> Values:
    """Draw the inputs of a form and return their values.

    Inside `st.form` name columns without foreign keys only: picking a row needs the server in between.

    Args:
        desk: the reader.
        table: name of the table.
        columns: which, in this order and without headings; None for all, in groups.
        defaults: values to begin with, by column.
        key: of the widgets.
        row: the row that is changed; None for a new one.
        where: conditions on the rows that a foreign key offers, by column.
        features: whether the record's own features are asked for; by default with all columns.
    """
    values = Values()
    begin = {**(defaults or {}), **(row or {})}
    masked = (row or {}).get("masked", ())
    chosen = form_columns(table, columns, is_new=row is None)
    with desk.reading() as work:
        terms = _terms(work, table, chosen)

    def draw(column: sa.Column) -> None:
        _field(
            desk,
            table,
            column,
            begin,
            values,
            key,
            row,
            masked,
            terms.get(column.name, []),
            (where or {}).get(column.name),
        )

    if columns is not None:
        _grid(chosen, draw)
    else:
        for title, group in _grouped(chosen):
            if title == _GROUPS[-1][0]:
                with st.expander(desk.t(title)):
                    _grid(group, draw)
                continue
            if title != _GROUPS[0][0]:
                ui.section(desk.t(title))
            _grid(group, draw)
    if features if features is not None else columns is None:
        _features(desk, table, values, begin, key, row)
    return values


def _grouped(columns: Sequence[sa.Column]) -> list[tuple[str, list[sa.Column]]]:
    groups: dict[str, list[sa.Column]] = {title: [] for title, _ in _GROUPS}
    for column in columns:
        title = next(title for title, fits in reversed(_GROUPS) if fits(column))
        groups[title].append(column)
    filled = [(title, group) for title, group in groups.items() if group]
    # A short form needs no headings but the one of what comes from elsewhere.
    if sum(len(group) for _, group in filled) <= 6:
        first = [c for c in columns if c.name != "external_ref"]
        rest = groups[_GROUPS[-1][0]]
        return [(_GROUPS[0][0], first), *([(_GROUPS[-1][0], rest)] if rest else [])]
    return filled


def _grid(columns: Sequence[sa.Column], draw: Callable[[sa.Column], None]) -> None:
    """Draw short fields two in a row, long ones alone."""
    pending: list[sa.Column] = []

    def flush() -> None:
        if pending:
            for cell, column in zip(ui.columns(1, 1), pending, strict=False):
                with cell:
                    draw(column)
            pending.clear()

    for column in columns:
        if isinstance(column.type, sa.Text) or getattr(column.type, "length", 0) in (300, 500):
            flush()
            draw(column)
            continue
        pending.append(column)
        if len(pending) == 2:
            flush()
    flush()


def _terms(work: Work, table: str, columns: Sequence[sa.Column]) -> dict[str, list[str]]:
    names = {f"{table}.{c.name}": c.name for c in columns if c.info.get("vocabulary")}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    if names:
        query = (
            sa.select(VocabularyTerm.field, VocabularyTerm.value)
            .where(VocabularyTerm.field.in_(names), VocabularyTerm.is_active, VocabularyTerm.deleted_at.is_(None))
            .order_by(VocabularyTerm.sequence.nulls_last(), VocabularyTerm.id)
        )
        for field, value in work.session.execute(query):
            found[names[field]].append(value)
    # Words already in use are offered as well.
    rows = metadata.tables[table]
    for name, offered in found.items():
        used = sa.select(rows.c[name]).where(rows.c[name].is_not(None), rows.c.deleted_at.is_(None))
        latest = used.order_by(rows.c.id.desc()).limit(500).subquery()
        words: list[str] = list(work.session.scalars(sa.select(latest.c[0]).distinct().limit(50)))
        offered.extend(sorted(set(words) - set(offered)))
    return found


def _field(
    desk: Desk, table: str, column: sa.Column, begin: Mapping[str, Any], values: Values, key: str,
    row: Mapping[str, Any] | None, masked: Sequence[str], terms: Sequence[str], where: Condition | None,
) -> None:  # fmt: skip
    name = column.name
    title = _title(desk, table, column)
    help_text = desk.t(column.comment) if column.comment else None
    if name in masked:
        st.text_input(title, MASKED, key=f"{key}_{name}", disabled=True, help=desk.t(marked("You may not see this.")))
        return
    value = begin.get(name)
    settable = SETTABLE.get((table, name))
    if row is not None and value is None and name in MANAGED.get(table, ()):
        return
    if row is not None and (name in MANAGED.get(table, ()) or (settable and value not in settable)):
        text = shown(desk, table, name, value, begin.get(f"{name}_caption"))
        st.text_input(title, text, key=f"{key}_{name}", disabled=True, help=help_text)
        return
    if value is None and row is None and column.server_default is not None:
        value = _default(column)
    raw, first = _input(desk, table, column, title, value, f"{key}_{name}", help_text, terms, where, begin)
    typed = raw
    problem = None
    if isinstance(raw, str):
        try:
            typed = read(_Zone(desk), column, raw)
        except Wrong as wrong:
            problem = Problem(name, wrong.message, wrong.values)
            values.problems.append(problem)
    values[name] = typed
    if raw != first:
        values.changed.add(name)
    if problem is not None:
        st.markdown(f":red[{ui.plain(problem_text(desk, problem))}]")
    else:
        show_problem(key, name)


class _Zone:
    """What reading a moment needs of a work."""

    def __init__(self, desk: Desk) -> None:
        self.zone = desk.zone

    def utc(self, local: dt.datetime) -> dt.datetime:
        """See `Work.utc`."""
        aware = local if local.tzinfo else local.replace(tzinfo=self.zone)
        return aware.astimezone(dt.UTC).replace(tzinfo=None)


def _title(desk: Desk, table: str, column: sa.Column) -> str:
    text = label(desk, table, column.name)
    if is_money(column):
        text = f"{text} ({desk.formats.currency_sign})"
    # As it is: our own words hold no Markdown, and an escaped label is read out with its backslashes.
    return f"{text} *" if required(column) else text


def _default(column: sa.Column) -> Any:
    text = getattr(column.server_default, "arg", None)
    if isinstance(column.type, sa.Boolean):
        return isinstance(text, sa.sql.elements.True_)
    if isinstance(text, str):
        return int(text) if isinstance(column.type, sa.Integer) else text
    return None


def _input(  # noqa: PLR0911, PLR0912 - one branch for each kind of value
    desk: Desk, table: str, column: sa.Column, title: str, value: Any, key: str, help_text: str | None,
    terms: Sequence[str], where: Condition | None, begin: Mapping[str, Any],
) -> tuple[Any, Any]:  # fmt: skip
    """Draw one input; return its value and the one it began with."""
    kind, name = column.type, column.name
    parent = target(column)
    if table == "feature" and name == "class_id":
        entity = st.session_state.get(key.removesuffix("class_id") + "entity", begin.get("entity"))
        parent = CLASSES[entity][1] if entity in CLASSES else None
        if parent is None:
            return None, value
        key = f"{key}_{entity}"
    if parent is not None:
        return pick(desk, parent, title, value, key=key, where=where, help=help_text), value
    if (table, name) == ("vocabulary_term", "field"):
        names = {field: vocabulary_name(desk, field) for field in vocabularies()}
        offered = sorted(names, key=names.__getitem__)
        return _select(desk, title, offered, value, key, help_text, names.__getitem__), value
    if isinstance(kind, sa.Boolean):
        if not column.nullable:
            return st.checkbox(title, bool(value), key=key, help=help_text), bool(value)
        words = {True: desk.t("Yes"), False: desk.t("No")}
        return _select(desk, title, [True, False], value, key, help_text, words.__getitem__), value
    if isinstance(kind, sa.Enum):
        choices = list(kind.enums)
        settable = SETTABLE.get((table, name))
        if settable:
            choices = [c for c in choices if c in settable]
        return _select(desk, title, choices, value, key, help_text, lambda c: desk.t(choice_label(c))), value
    if isinstance(kind, sa.Date):
        day = st.date_input(
            title, value, min_value=FIRST_DAY, max_value=LAST_DAY, key=key, help=help_text, format="YYYY-MM-DD"
        )
        return day, value
    if isinstance(kind, UtcDateTime):
        local = None
        if isinstance(value, dt.datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
            local = aware.astimezone(desk.zone).replace(tzinfo=None, second=0, microsecond=0)
        moment = st.datetime_input(
            title, local, min_value=dt.datetime(1900, 1, 1), max_value=dt.datetime(2200, 12, 31, 23, 59), key=key,
            help=help_text, format="YYYY-MM-DD", step=60,
        )  # fmt: skip
        if moment == local:  # the seconds that the input does not show stay
            return value, value
        return moment.replace(tzinfo=desk.zone) if moment is not None else None, value
    if column.info.get("vocabulary"):
        offered = [*terms, *([value] if value and value not in terms else [])]
        picked = st.selectbox(
            title, offered, index=offered.index(value) if value else None, key=key, help=help_text,
            accept_new_options=True, placeholder=desk.t(marked("Choose or write")),
        )  # fmt: skip
        return picked or None, value
    text = _as_text(column, value)
    if isinstance(kind, sa.Text):
        return st.text_area(title, text, key=key, help=help_text, height=110), text
    length = getattr(kind, "length", None)
    kind_of_text = {"phone": "phone", "email": "email"}.get(name, "default")
    # Without a placeholder of its own a telephone number is shown as one of the United States.
    typed = st.text_input(  # type: ignore[call-overload]
        title, text, key=key, help=help_text, max_chars=length, type=kind_of_text, placeholder=""
    )
    return typed, text


def _as_text(column: sa.Column, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(column.type, ExactNumeric):
        text = f"{Decimal(str(value)):,.{column.type.scale}f}"
        return text if is_money(column) or "." not in text else text.rstrip("0").rstrip(".")
    return str(value)


def _select(
    desk: Desk, title: str, choices: Sequence[Any], value: Any, key: str, help_text: str | None,
    words: Callable[[Any], str],
) -> Any:  # fmt: skip
    index = list(choices).index(value) if value in choices else None
    return st.selectbox(
        title, choices, index=index, format_func=words, key=key, help=help_text, placeholder=desk.t(marked("Choose"))
    )


def _features(
    desk: Desk, table: str, values: Values, begin: Mapping[str, Any], key: str, row: Mapping[str, Any] | None
) -> None:
    """Draw the features that people have defined for records of this kind and class."""
    class_column = CLASSES[table][0] if table in CLASSES else None
    class_id = values.get(class_column, begin.get(class_column)) if class_column else None
    with desk.reading() as work:
        asked = custom.features_for(work, table, class_id)
        before = custom.values(work, table, row["id"]) if row is not None and asked else {}
    if not asked:
        return
    ui.section(desk.t(marked("More about this record")))
    cells: list[Any] = []
    for feature in asked:
        if not cells:
            cells = list(ui.columns(1, 1))
        with cells.pop(0):
            name = custom.name_of(feature.id)
            first = before.get(feature.id) or _list(begin.get(name))
            raw = _feature(desk, feature, first, f"{key}_{name}")
            values[name] = raw
            if raw != first:
                values.changed.add(name)
            show_problem(key, name)


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]


def _feature(desk: Desk, feature: Feature, before: list[str], key: str) -> list[str]:
    title = ui.plain(f"{feature.name} *" if feature.is_required else feature.name)
    offered = list(dict.fromkeys([*custom.options(feature), *before]))
    placeholder = desk.t(marked("Choose"))
    if feature.is_multi:
        is_free = feature.data_type != "choice"
        return list(
            st.multiselect(
                title, offered, before, key=key, accept_new_options=is_free,
                placeholder=desk.t(marked("Choose or write")) if is_free else placeholder,
            )
        )  # fmt: skip
    first = before[0] if before else None
    match feature.data_type:
        case "choice":
            picked = st.selectbox(
                title, offered, index=offered.index(first) if first else None, key=key, placeholder=placeholder
            )
            return [picked] if picked else []
        case "boolean":
            words = {"true": desk.t("Yes"), "false": desk.t("No")}
            index = list(words).index(first) if first in words else None
            picked = st.selectbox(
                title, list(words), index=index, key=key, format_func=words.__getitem__, placeholder=placeholder
            )
            return [picked] if picked else []
        case "date":
            try:
                day = dt.date.fromisoformat(first) if first else None
            except ValueError:
                day = None
            picked_day = st.date_input(
                title, day, min_value=FIRST_DAY, max_value=LAST_DAY, key=key, format="YYYY-MM-DD"
            )
            return [picked_day.isoformat()] if isinstance(picked_day, dt.date) else []
        case _:
            text = st.text_input(title, first or "", key=key, max_chars=500)
            return [text] if text and text.strip() else []
