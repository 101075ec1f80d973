"""Read the mapping files of an import and run them.

A mapping is one SQL file per target table, named after it: ``lead.sql`` holds one SELECT that returns rows of ``lead``.
"""

# ruff: noqa: S608 - a mapping is SQL by nature; what it may do is fenced in by the connection.

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from data_entry.services.import_data.contract import NOT_IMPORTED, SYSTEM_COLUMNS, contract_of, importable_tables
from data_entry.services.import_data.conversion import quoted
from data_entry.services.import_data.report import ImportFailed, Problem
from data_entry.services.import_data.source_files import SourceFiles, plain_message

ROW = "_row"


@dataclass(frozen=True)
class Mapping:
    """One mapping file."""

    table: str
    path: Path
    sql: str

    @property
    def file(self) -> str:
        """The name of the file, as reports tell it."""
        return self.path.name


def read_mappings(folder: Path) -> tuple[list[Mapping], list[Problem]]:
    """Return the mappings of a folder, each after those its foreign keys point to, and what is wrong with the names.

    Raises:
        ImportFailed: if the folder does not exist or holds no SQL file.
    """
    if not folder.is_dir():
        raise ImportFailed(f"The mapping folder {folder} does not exist")
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise ImportFailed(f"{folder} holds no SQL file; put one in per table, named after it (lead.sql)")
    order = importable_tables()
    mappings, problems = [], []
    for path in paths:
        if path.stem in order:
            try:
                mappings.append(Mapping(path.stem, path, path.read_text(encoding="utf-8-sig")))
            except (OSError, UnicodeError) as error:
                problems.append(Problem(path.name, "sql_error", f"the file cannot be read: {error}"))
        elif path.stem in NOT_IMPORTED:
            reason = "accounts, permissions, the audit log and attachments belong to the CRM and are not imported"
            problems.append(Problem(path.name, "unknown_table", reason, value=path.stem))
        else:
            reason = f"there is no table {path.stem!r}" + _did_you_mean(path.stem, order)
            problems.append(Problem(path.name, "unknown_table", reason, value=path.stem))
    mappings.sort(key=lambda mapping: order.index(mapping.table))
    return mappings, problems


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _sql_problem(mapping: Mapping, error: Exception, files: SourceFiles, lines_before: int = 0) -> Problem:
    """Tell an SQL error by file and line; ``lines_before`` stand before the mapping in what DuckDB was given."""
    message = str(error)
    line = re.search(r"^LINE (\d+):", message, re.MULTILINE)
    text = plain_message(error)
    missing = re.search(r"Table with name (\S+) does not exist", message)
    if isinstance(error, duckdb.PermissionException):
        refused = re.search(r'Cannot access (?:file|directory) "([^"]*)"', message)
        what = f"{refused.group(1)!r} is refused" if refused else text
        text = f"a mapping may read only files below {files.folder}: {what}"
    elif missing:
        text = f"there is no {missing.group(1)!r}: {files.why_missing(missing.group(1))}"
    elif isinstance(error, duckdb.BinderException):
        text += files.csv_doubts(mapping.sql)
    elif read := re.search(r"^ *file = (.+)$", message, re.MULTILINE):
        text = f"{Path(read.group(1)).name} cannot be read: {text}"
    return Problem(mapping.file, "sql_error", text, line=int(line.group(1)) - lines_before if line else None)


def _wrong_columns(mapping: Mapping, columns: list[tuple[str, str]], files: SourceFiles) -> list[Problem]:
    """Return what is wrong with the columns (name, DuckDB type) of a mapping's result."""
    contract = contract_of(mapping.table)
    problems = []
    seen: set[str] = set()
    for column, sql_type in columns:
        name = column.lower()
        if name in seen:
            problems.append(Problem(mapping.file, "duplicate_column", "is returned twice", column=column))
        elif name not in contract.columns:
            if name in SYSTEM_COLUMNS:
                reason = "is kept by the CRM itself and cannot be imported"
            elif f"{name.removesuffix('_id')}_ref" in contract.references:
                reason = f"return {name.removesuffix('_id')}_ref instead: the external_ref of the row it points to"
            else:
                reason = f"{mapping.table} has no such column" + _did_you_mean(name, contract.columns)
                reason += files.csv_doubts(mapping.sql)
            problems.append(Problem(mapping.file, "unknown_column", reason, column=column))
        elif re.match(r"STRUCT|MAP|UNION|.*\]$", sql_type):
            reason = f"is not one value but a list or structure ({sql_type})"
            problems.append(Problem(mapping.file, "wrong_type", reason, column=column))
        seen.add(name)
    for name, target in (contract.values | contract.references).items():
        if target.must_be_mapped and name not in seen:
            reason = f"every row of {mapping.table} needs it, but the SELECT does not return it"
            problems.append(Problem(mapping.file, "missing_column", reason, column=name))
    return problems


def run_mapping(mapping: Mapping, files: SourceFiles) -> list[Problem]:
    """Run one mapping into the table ``mapped.<table>`` (its columns, and ``_row`` from 1); return what is wrong."""
    connection = files.connection
    try:
        statements = connection.extract_statements(mapping.sql)
    except duckdb.Error as error:
        return [_sql_problem(mapping, error, files)]
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        return [Problem(mapping.file, "sql_error", f"a mapping is one SELECT; this file holds {kinds}")]
    sql = files.anchored(mapping.sql)
    try:
        described = connection.execute(f"describe (\n{sql}\n)").fetchall()
    except duckdb.Error as error:
        return [_sql_problem(mapping, error, files, 1)]
    wrong = _wrong_columns(mapping, [(str(row[0]), str(row[1])) for row in described], files)
    if wrong:
        return wrong
    try:
        create = f"create table mapped.{quoted(mapping.table)} as"
        connection.execute(f"{create} select row_number() over () as {ROW}, * from (\n{sql}\n)").fetchall()
    except duckdb.Error as error:
        return [_sql_problem(mapping, error, files, 1)]
    return []
