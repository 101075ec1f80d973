"""What the tables and columns of the CRM are called in the reader's language."""

from __future__ import annotations

from data_entry.schema import metadata
from data_entry.schema.labels import column_label, table_plural
from loupan.i18n import Translator


def table_words(t: Translator, table: str) -> str:
    """Return what the rows of a table are called; a table the CRM does not have keeps its name."""
    return t(table_plural(table)) if table in metadata.tables else table


def column_words(t: Translator, table: str, column: str) -> str:
    """Return what a column is called; one the CRM does not have keeps its name."""
    is_known = table in metadata.tables and column in metadata.tables[table].c
    return t(column_label(table, column)) if is_known else column


def field_words(t: Translator, field: str) -> str:
    """Return what a field of the metrics is called (``table.column``, ``table/feature``), with its records."""
    table, _, column = field.partition("." if "." in field.partition("/")[0] else "/")
    return f"{column_words(t, table, column)} · {table_words(t, table)}"
