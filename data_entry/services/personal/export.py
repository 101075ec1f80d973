"""Hand over everything that is held about one customer: for the person to read, and for another program."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from data_entry.schema import metadata
from data_entry.schema.customer import Customer
from data_entry.schema.labels import choice_label, column_label, table_plural
from data_entry.services.captions import captions
from data_entry.services.errors import NotFound
from data_entry.services.files import FileStore
from data_entry.services.identity import group_ids
from data_entry.services.personal.belongings import Rows, chunks, rows_about
from data_entry.services.personal.service import EXPORT
from data_entry.services.tables import target
from data_entry.services.work import SECRET, Work
from loupan.formats import NO_DATA
from loupan.i18n import Translator, marked
from loupan.settings import Settings, get_settings

# What the machinery keeps of every row.
_LEFT_OUT = frozenset({"row_version", "updated_by", "created_by"})
_FIRST = ("customer", "feature_value", "lead", "deal")
_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; margin: 0 0 1rem; }}
th, td {{ border: 1px solid #ccc; padding: 0.2rem 0.5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }}
th {{ width: 16rem; font-weight: 600; background: #f5f5f5; }}
</style></head><body><h1>{title}</h1><p>{about}</p>{body}</body></html>
"""


@dataclass(frozen=True)
class Export:
    """An archive with ``person.json``, ``person.html`` and the attached files."""

    content: bytes
    rows: int
    files: int
    missing: int


def export(work: Work, customer_id: int, t: Translator, language: str, settings: Settings | None = None) -> Export:
    """Return all that is held about a customer and the records merged with it; leaves a line in the trail.

    Secrets (hashes of links) and which account entered a row are left out; staff appear by name and number.

    Args:
        work: must be able to write.
        customer_id: number of the customer's record.
        t: translator of the readable form.
        language: its language.
        settings: where attached files are; those in force by default.

    Raises:
        NotFound: if there is no such customer for the actor.
        Forbidden: if the actor may not hand personal data over, or not read it.
    """
    customer = work.get(Customer, customer_id, EXPORT)
    work.require_with("personal", customer)
    connection = work.session.connection()
    ids = group_ids(work.session, customer.id)
    rows = rows_about(connection, ids)
    tables = {name: list(_rows(work, name, rows)) for name in _in_order(rows)}
    store = FileStore((settings or get_settings()).attachments_dir)
    buffer, missing = io.BytesIO(), 0
    title = t(marked("What is held about customer {number}"), number=customer.id)
    about = t(
        marked("Made on {moment}. Records: {records}. The same stands in person.json for programs."),
        moment=f"{work.local(work.now):%Y-%m-%d %H:%M}", records=", ".join(f"#{key}" for key in ids),
    )  # fmt: skip
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in tables.get("attachment", ()):
            try:
                archive.writestr(
                    f"attachments/{each.values['id']}-{each.values['file_name']}", store.get(each.values["sha256"])
                )
            except NotFound:
                missing += 1
        archive.writestr("person.json", _as_json(work, ids, tables))
        body = "".join(_section(name, listed, t) for name, listed in tables.items())
        page = _PAGE.format(language=language, title=html.escape(title), about=html.escape(about), body=body)
        archive.writestr("person.html", page)
    count = sum(map(len, tables.values()))
    work.log(EXPORT, "customer", customer.id, rows=count)
    return Export(buffer.getvalue(), count, len(tables.get("attachment", ())) - missing, missing)


@dataclass(frozen=True)
class _Row:
    """A row with what its references are called, by column."""

    table: str
    values: Mapping[str, Any]
    called: Mapping[str, str]


def _in_order(rows: Rows) -> list[str]:
    return [*(name for name in _FIRST if name in rows), *sorted(rows.keys() - set(_FIRST))]


def _rows(work: Work, name: str, rows: Rows) -> Iterator[_Row]:
    table = metadata.tables[name]
    columns = [c for c in table.c if c.name not in _LEFT_OUT and c.name not in SECRET]
    found = [
        row._asdict()
        for part in chunks(rows[name])
        for row in work.session.connection().execute(
            sa.select(*columns).where(table.c.id.in_(part)).order_by(table.c.id)
        )
    ]
    called: dict[str, dict[int, str]] = {}
    for column in columns:
        other = "feature" if (name, column.name) == ("feature_value", "feature_id") else target(column)
        if other is not None and other not in rows and other != "account":
            called[column.name] = captions(work, other, [row[column.name] for row in found])
    for row in found:
        names = {
            column: texts[row[column]]
            for column, texts in called.items()
            if row[column] is not None and row[column] in texts
        }
        yield _Row(name, row, names)


def _as_json(work: Work, ids: Sequence[int], tables: Mapping[str, Sequence[_Row]]) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, dt.datetime):
            return value.replace(tzinfo=dt.UTC).isoformat()
        return (
            value.isoformat()
            if isinstance(value, dt.date)
            else format(value, "f")
            if isinstance(value, Decimal)
            else value
        )

    return json.dumps(
        {
            "made_at": work.now.replace(tzinfo=dt.UTC).isoformat(timespec="seconds"),
            "customer_numbers": list(ids),
            "tables": {
                name: [
                    {column: plain(value) for column, value in row.values.items()}
                    | {f"{column} (name)": text for column, text in row.called.items()}
                    for row in listed
                ]
                for name, listed in tables.items()
            },
        },
        ensure_ascii=False,
        indent=1,
    )


def _section(name: str, rows: Sequence[_Row], t: Translator) -> str:
    return f"<h2>{html.escape(t(table_plural(name)))}</h2>" + "".join(_facts(row, t) for row in rows)


def _facts(row: _Row, t: Translator) -> str:
    cells = []
    for column, value in row.values.items():
        if value is None or value == "":
            continue
        is_choice = isinstance(metadata.tables[row.table].c[column].type, sa.Enum)
        text = row.called.get(column) or (t(choice_label(value)) if is_choice else _text(value, t))
        label = html.escape(t(column_label(row.table, column)))
        cells.append(f"<tr><th>{label}</th><td>{html.escape(text)}</td></tr>")
    return f"<table>{''.join(cells)}</table>"


def _text(value: Any, t: Translator) -> str:
    if isinstance(value, bool):
        return t("Yes") if value else t("No")
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return format(value, "f") if isinstance(value, Decimal) else str(value) or NO_DATA
