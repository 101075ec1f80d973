"""What an import did, and what kept it from doing more."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loupan.console import csv_cell
from loupan.errors import LoupanError

# Examples kept of one kind of problem in one column; the counts stay complete, the reject files hold every row.
EXAMPLES_PER_KIND = 1000


class ImportFailed(LoupanError):
    """The import could not run at all (folders, database, settings); the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a mapping or with a row it delivers.

    ``row`` counts the rows of the mapping's result from 1; it is None where the mapping itself is wrong, which no
    import gets past. ``line`` is the line of the SQL file, known for SQL errors only. ``value`` is shown as delivered,
    since it is needed to mend the source: it may be personal data and belongs on the screen and in report files only,
    never in a log.
    """

    file: str
    kind: str
    reason: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    external_ref: str | None = None
    line: int | None = None


@dataclass(slots=True)
class TableOutcome:
    """Rows of one target table, by what becomes of them."""

    table: str
    file: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0
    """Rows with a problem: not loaded."""
    left_deleted: int = 0
    """Rows that somebody deleted in the CRM: they stay deleted."""
    not_in_export: int = 0
    """Live rows of earlier imports that this export does not hold: left alone."""


@dataclass(slots=True)
class ImportReport:
    """The outcome of one import.

    The counts of ``tables`` say what was done if ``committed``, else what would have been done with the good rows.
    ``problem_count`` counts all problems; ``problems`` holds up to 1,000 of each kind and column.
    """

    tables: list[TableOutcome] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    committed: bool = False
    dry_run: bool = False
    skip_bad: bool = False
    reject_files: list[Path] = field(default_factory=list)

    @property
    def bad_rows(self) -> int:
        """Rows with a problem, over all tables."""
        return sum(outcome.bad for outcome in self.tables)

    @property
    def succeeded(self) -> bool:
        """Whether the import did what was asked: everything loaded, or everything good with ``skip_bad``."""
        return not self.mapping_is_wrong and (self.skip_bad or not self.problem_count)

    @property
    def mapping_is_wrong(self) -> bool:
        """Whether a mapping itself is wrong, so that nothing can be loaded, bad rows skipped or not."""
        return any(problem.row is None for problem in self.problems)


def open_private(path: Path) -> int:
    """Create ``path`` for writing so that only its owner can read it: rows and reports may hold personal data."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def check_report_name(path: Path) -> None:
    """Raise ImportFailed if a report cannot be written under this name: before the work, not after it."""
    if path.suffix not in (".csv", ".json"):
        raise ImportFailed(f"The report {path} must end in .csv or .json")


def write_report(report: ImportReport, path: Path) -> None:
    """Write the problems to a .csv file, or problems and counts to a .json file.

    Raises:
        ImportFailed: for another file name ending, or where the file cannot be written.
    """
    fields = ["file", "line", "row", "column", "value", "external_ref", "kind", "reason"]
    check_report_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A byte order mark lets spreadsheet programs read Chinese text in a CSV file.
        encoding = "utf-8-sig" if path.suffix == ".csv" else "utf-8"
        with os.fdopen(open_private(path), "w", encoding=encoding, newline="") as file:
            if path.suffix == ".csv":
                writer = csv.DictWriter(file, fields)
                writer.writeheader()
                writer.writerows(
                    {name: csv_cell(value) for name, value in asdict(problem).items()} for problem in report.problems
                )
            else:
                content = {
                    "committed": report.committed,
                    "dry_run": report.dry_run,
                    "tables": [asdict(outcome) for outcome in report.tables],
                    "problem_count": report.problem_count,
                    "problems": [asdict(problem) for problem in report.problems],
                    "reject_files": [str(reject_file) for reject_file in report.reject_files],
                }
                json.dump(content, file, ensure_ascii=False, indent=2)
    except OSError as error:
        raise ImportFailed(f"The report cannot be written: {error}") from error
