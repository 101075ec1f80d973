"""Let mapping SQL read the files of one folder, and nothing else.

DuckDB itself enforces the limit: file access is off except below the folder (symbolic links are followed before the
check), extensions cannot be loaded, Python objects are out of sight, and the configuration is locked.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import duckdb
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from data_entry.services.import_data.conversion import literal, quoted
from data_entry.services.import_data.report import ImportFailed

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
JSON_ENDINGS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
PARQUET_ENDINGS = (".parquet",)
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
ENDINGS = (*CSV_ENDINGS, *JSON_ENDINGS, *PARQUET_ENDINGS, *WORKBOOK_ENDINGS)

# The functions whose first argument names files.
_READERS = frozenset(
    [
        "read_csv",
        "read_csv_auto",
        "sniff_csv",
        "read_json",
        "read_json_auto",
        "read_json_objects",
        "read_json_objects_auto",
        "read_ndjson",
        "read_ndjson_auto",
        "read_ndjson_objects",
        "read_parquet",
        "parquet_scan",
        "parquet_metadata",
        "parquet_schema",
        "read_text",
        "read_blob",
        "glob",
    ]
)


_UNREADABLE = (
    duckdb.Error,
    CalamineError,
    UnicodeError,
    LookupError,
    OSError,
    EOFError,  # this and the next: of a damaged .gz
    zlib.error,
    pa.ArrowException,
)


def plain_message(error: Exception) -> str:
    """Return an error in one line, without the settings of the CSV reader that DuckDB appends."""
    text = re.split(r"\n\s*(?:Possible |file = |LINE \d+:)", str(error))[0]
    if "not utf-8 encoded" in text:
        text += " Name its encoding with --encoding, e.g. gb18030."
    return " ".join(text.split())


def view_name(path: Path, sheet: str | None = None) -> str:
    """Return the name by which mapping SQL finds a file: ``sub/my leads.csv`` is ``sub__my_leads``.

    ``path`` is relative to the source folder.
    """
    ending = _ending(path)
    stem = path.as_posix()[: len(path.as_posix()) - len(ending)]
    parts = [*stem.split("/"), *([sheet] if sheet is not None else [])]
    return "__".join(re.sub(r"\W+", "_", part).strip("_") for part in parts)


def _ending(path: Path) -> str:
    """Return the ending that says how to read the file, '' if none does."""
    name = path.name.lower()
    return next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.endswith(ending)), "")


def _column_names(header: Sequence[Any]) -> list[str]:
    """Name the columns of a sheet after its first row; unnamed ones by position, repeated ones numbered."""
    names: list[str] = []
    for position, cell in enumerate(header, start=1):
        name = str(cell).strip() or f"column_{position}"
        taken = {known.lower() for known in names}
        candidate, repeat = name, 1
        while candidate.lower() in taken:
            candidate, repeat = f"{name}_{repeat}", repeat + 1
        names.append(candidate)
    return names


def _cell_text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)


def _sheet_column(cells: Sequence[Any]) -> pa.Array:
    """Return a column of a sheet: numbers and dates as such if the whole column holds nothing else, otherwise text.

    A spreadsheet knows only binary fractions: a column of whole ones is taken as whole numbers, so that a key reads
    ``12`` and not ``12.0``.
    """
    filled = [None if cell == "" else cell for cell in cells]
    kinds = {type(cell) for cell in filled if cell is not None}
    if kinds == {bool}:
        return pa.array(filled, pa.bool_())
    if kinds and kinds <= {int, float}:
        if all(cell is None or float(cell).is_integer() for cell in filled):
            return pa.array([None if cell is None else int(cell) for cell in filled], pa.int64())
        return pa.array(filled, pa.float64())
    if kinds == {dt.date}:
        return pa.array(filled, pa.date32())
    if kinds and kinds <= {dt.date, dt.datetime}:
        moments = [
            dt.datetime.combine(cell, dt.time()) if type(cell) is dt.date else cell  # a datetime is a date as well
            for cell in filled
        ]
        return pa.array(moments, pa.timestamp("us"))
    return pa.array([_cell_text(cell) for cell in filled], pa.string())


def _sheet_table(workbook: CalamineWorkbook, sheet: str) -> pa.Table:
    """Read one sheet; its first row that is not empty names the columns."""
    rows = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
    if not rows:
        return pa.table({"column_1": pa.array([], pa.string())})
    names = _column_names(rows[0])
    body = [row for row in rows[1:] if any(cell != "" for cell in row)]
    columns = list(zip(*body, strict=True)) if body else [()] * len(names)
    return pa.table([_sheet_column(column) for column in columns], names=names)


class SourceFiles:
    """The data files of one folder, as views of a DuckDB connection that can read nothing else."""

    def __init__(self, folder: Path, encoding: str, scratch: Path) -> None:
        self.folder = folder
        self._encoding = encoding
        self._scratch = scratch
        self.connection = self._sandbox()
        self._files: dict[str, list[Path]] = {}
        self._made: set[str] = set()
        self._left_out: dict[str, str] = {}
        self._doubtful: dict[str, tuple[Path, list[str]]] = {}
        for path in sorted(folder.rglob("*")):
            name = view_name(path.relative_to(folder)).lower()
            if not _ending(path) or not path.is_file():
                continue
            # DuckDB would refuse it by itself, the reader of workbooks would not.
            if path.resolve().is_relative_to(folder):
                self._files.setdefault(name, []).append(path)
            else:
                self._left_out[name] = (
                    f"a mapping may read only files below {folder}: {path.name} is a link that leaves it"
                )

    def _sandbox(self) -> duckdb.DuckDBPyConnection:
        allowed = ", ".join(literal(f"{folder}/") for folder in (self.folder, self._scratch))
        connection = duckdb.connect(":memory:")
        for statement in (
            "set global TimeZone = 'UTC'",
            # DuckDB 2.0 computes some date expressions wrongly with it.
            "set global disabled_optimizers = 'common_subexpressions'",
            "set autoinstall_known_extensions = false",
            "set autoload_known_extensions = false",
            "set python_enable_replacements = false",
            f"set temp_directory = {literal(str(self._scratch / 'spill'))}",
            f"set allowed_directories = [{allowed}]",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            connection.execute(statement)
        return connection

    @property
    def names(self) -> list[str]:
        """The names of all views, those of sheets only once their workbook was opened."""
        return sorted((set(self._files) | self._made) - set(self._left_out))

    def why_missing(self, name: str) -> str:
        """Say why there is no view of this name, or which names there are."""
        if name.lower() in self._left_out:
            return self._left_out[name.lower()]
        close = difflib.get_close_matches(name.lower(), self.names, n=1, cutoff=0.6)
        files = ", ".join(self.names) or "none that can be read"
        return f"the files of {self.folder} are {files}" + (f"; did you mean {close[0]!r}?" if close else "")

    def provide(self, statements: Sequence[str]) -> None:
        """Make the views that the SQL mentions; the other files are not even opened."""
        mentioned = "\n".join(statements).lower()
        for name, paths in self._files.items():
            if name not in mentioned:
                continue
            if len(paths) > 1:
                self._left_out[name] = (
                    f"{name} could be {' or '.join(path.name for path in paths)}: rename one, or name the file in the "
                    f"SQL, e.g. read_csv('{paths[0].relative_to(self.folder).as_posix()}')"
                )
                continue
            try:
                self._make(name, paths[0])
            except _UNREADABLE as error:
                self._left_out[name] = f"{paths[0].name} cannot be read: {plain_message(error)}"

    def _make(self, name: str, path: Path) -> None:
        ending = _ending(path)
        if ending in WORKBOOK_ENDINGS:
            self._make_sheets(path)
            return
        if ending in CSV_ENDINGS:
            if self._is_blank(path):
                self._left_out[name] = f"{path.name} is empty: it has not even a header that names its columns"
                return
            # All text: what a key or telephone number looks like is kept (leading zeros), types follow later.
            reader = f"read_csv({self._readable(path)}, all_varchar = true)"
        elif ending in JSON_ENDINGS:
            reader = f"read_json({literal(str(path))})"
        else:
            reader = f"read_parquet({literal(str(path))})"
        self.connection.execute(f"create view {quoted(name)} as from {reader}")
        self._made.add(name)
        columns = [str(row[0]) for row in self.connection.execute(f"describe {quoted(name)}").fetchall()]
        # What DuckDB makes of lines that differ in length, or of a delimiter it does not know.
        if ending in CSV_ENDINGS and (len(columns) == 1 or columns[0] == "column0"):
            self._doubtful[name] = path, columns

    def _text_of(self, path: Path) -> TextIO:
        if path.suffix.lower() == ".gz":
            return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="")
        return path.open(encoding=self._encoding, errors="replace", newline="")

    def _is_blank(self, path: Path) -> bool:
        with self._text_of(path) as file:
            return not any(block.strip("\ufeff \t\r\n") for block in iter(lambda: file.read(1 << 16), ""))

    def csv_doubts(self, statement: str) -> str:
        """Say which CSV files of the SQL can hardly have been read as they were meant, and why; '' if none."""
        return "".join(
            f"; {path.name} was read as {', '.join(map(repr, columns))}: {self._why_doubtful(path)}"
            for name, (path, columns) in self._doubtful.items()
            if name in statement.lower()
        )

    def _why_doubtful(self, path: Path) -> str:
        with self._text_of(path) as file, suppress(csv.Error):  # a quotation mark that nothing closes
            header = next(line for line in file if line.strip())
            delimiter = max(",;\t|", key=header.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            line_of_length: dict[int, int] = {}
            for row in filter(None, reader):
                line_of_length.setdefault(len(row), reader.line_num)
                if len(line_of_length) == 2:
                    (length, line), (other_length, other_line) = line_of_length.items()
                    return (
                        f"line {other_line} has {other_length} values and line {line} has {length} (by {delimiter!r}); "
                        "mend the lines"
                    )
        reader_sql = f"read_csv({literal(path.relative_to(self.folder).as_posix())}, delim = '…', all_varchar = true)"
        return f"its delimiter, header or quotation marks are not clear; mend it, or say how to read it: {reader_sql}"

    def _make_sheets(self, path: Path) -> None:
        workbook = CalamineWorkbook.from_path(path)
        relative = path.relative_to(self.folder)
        for sheet in workbook.sheet_names:
            name = view_name(relative, sheet).lower()
            table = _sheet_table(workbook, sheet)
            self.connection.register(name, table)
            self._made.add(name)
            if len(workbook.sheet_names) == 1:
                self.connection.register(view_name(relative).lower(), table)
        if len(workbook.sheet_names) > 1:
            sheets = ", ".join(view_name(relative, sheet).lower() for sheet in workbook.sheet_names)
            self._left_out[view_name(relative).lower()] = f"{path.name} has several sheets: {sheets}"

    def _readable(self, path: Path) -> str:
        """Return the SQL literal of a UTF-8 copy where the file is in another encoding, else of the file."""
        if self._encoding == "utf-8" or path.suffix.lower() == ".gz":
            return literal(str(path))
        copy = self._scratch / f"{view_name(path.relative_to(self.folder))}{path.suffix}"
        with (
            path.open(encoding=self._encoding, newline="") as source,
            copy.open("w", encoding="utf-8", newline="") as out,
        ):
            while block := source.read(1 << 20):
                out.write(block)
        return literal(str(copy))

    def anchored(self, statement: str) -> str:
        """Return one statement, up to its semicolon, with its relative file names made absolute below the folder.

        DuckDB would take them as relative to the folder the command was started in. Concerned are texts in the first
        argument of a reading function (``read_csv('a.csv')``, also in a list) and after FROM or JOIN.
        """
        text = statement.encode()
        tokens = [(start, kind.name) for start, kind in duckdb.tokenize(statement)]
        ends = [start for start, _ in tokens[1:]] + [len(text)]
        pieces: list[bytes] = []
        written = 0
        depth = 0
        reader_depth: int | None = None  # of the parenthesis whose first argument is being read
        previous = ""
        for (start, kind), end in zip(tokens, ends, strict=True):
            if kind == "comment":
                continue
            word = text[start:end].decode().strip()
            if word == ";":
                text = text[:start]
                break
            if word == "(":
                depth += 1
                if previous.lower() in _READERS:
                    reader_depth = depth
            elif word == ")":
                depth -= 1
                if reader_depth is not None and depth < reader_depth:
                    reader_depth = None
            elif word == "[":
                depth += 1
            elif word == "]":
                depth -= 1
            elif word == "," and depth == reader_depth:
                reader_depth = None
            elif self._names_a_file(word, kind, previous, in_reader=reader_depth is not None):
                pieces += [text[written:start], self._absolute(word).encode()]
                written = start + len(word.encode())
            previous = word
        return b"".join([*pieces, text[written:]]).decode()

    @staticmethod
    def _names_a_file(word: str, kind: str, previous: str, *, in_reader: bool) -> bool:
        follows_from = previous.lower() in {"from", "join"}
        if kind == "string_const" and word.startswith("'"):
            return follows_from or (in_reader and previous in {"(", "[", ","})
        return kind == "identifier" and word.startswith('"') and follows_from and bool(_ending(Path(word[1:-1])))

    def _absolute(self, text: str) -> str:
        name = text[1:-1].replace(text[0] * 2, text[0])
        if "://" in name or Path(name).is_absolute():
            return text
        return literal(str(self.folder / name))


@contextmanager
def open_source_files(folder: Path, encoding: str = "utf-8") -> Iterator[SourceFiles]:
    """Open the data files below a folder.

    Args:
        folder: where the exported files are.
        encoding: of the CSV files that are read by view name, e.g. ``gb18030`` for an export in Chinese Windows.

    Raises:
        ImportFailed: if the folder or the encoding does not exist.
    """
    if not folder.is_dir():
        raise ImportFailed(f"The source folder {folder} does not exist")
    try:
        "".encode(encoding)
    except LookupError as error:
        raise ImportFailed(f"There is no text encoding {encoding!r}; use a name like utf-8 or gb18030") from error
    with tempfile.TemporaryDirectory(prefix="loupan-import-") as scratch:
        files = SourceFiles(folder.resolve(), encoding.lower().replace("utf8", "utf-8"), Path(scratch).resolve())
        try:
            yield files
        finally:
            files.connection.close()
