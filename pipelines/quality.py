"""Check the loaded tables with Great Expectations, and say which of them may not be published.

A row that breaks a rule is quarantined, and no error; a table where more than a share of the rows does (setting
``quarantine_threshold``) blocks publishing. So does a table that lost more than half its rows. Checked are the rows
changed since all checks last passed: what a refused refresh loaded is looked at again by the next. A refresh that
changed nothing since then checks nothing, and does not even import Great Expectations (2 s).
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from loupan.kept_out import tolerated
from loupan.settings import Settings
from pipelines import sql
from pipelines.contract import Contract, Table
from pipelines.data_docs import write_data_docs
from pipelines.expectations import Expected, expected_rows
from pipelines.gx import great_expectations
from pipelines.ingest import IngestReport
from pipelines.quarantine import keyed_rows, typed_rows
from pipelines.warehouse import TableState, open_warehouse, read_states

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 200_000
# A table may shrink to this share of its rows at the last accepted load; one with fewer rows than the second number
# may vanish.
LEAST_SHARE_OF_PREVIOUS = 0.5
LEAST_ROWS_FOR_VOLUME = 20

VOLUME = "the table keeps at least half of its rows"
QUARANTINE = "rows stay out of quarantine"
ORPHANS = "rows refer to rows that exist"


class QualityError(Exception):
    """The checks themselves failed, which says nothing about the data."""


@dataclass(frozen=True)
class CheckResult:
    """What the expectations of one table came to."""

    table: str
    passed: bool
    message: str
    blocking: bool = True
    observed: dict[str, Any] = field(default_factory=dict)  # numbers of rows
    failed: list[str] = field(default_factory=list)  # the expectations that do not hold, in words


@dataclass(frozen=True)
class _Outcome:
    """One expectation, evaluated."""

    says: str
    holds: bool
    checked: int  # values looked at
    unexpected: int
    allowed: int
    examples: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.says == VOLUME:
            return f"{VOLUME}: {self.examples[0]:.1%} are left" if self.examples else VOLUME
        # Of what is true or false, it is clear what was found.
        shown = ", ".join(str(example) for example in self.examples[:5] if not isinstance(example, bool))
        return f"{self.says}: not so for {self.unexpected:,} of {self.checked:,}, at most {self.allowed:,} may" + (
            f" (e.g. {shown})" if shown else ""
        )


def check_loaded(
    contract: Contract,
    settings: Settings,
    report: IngestReport,
    progress: Callable[[str], None] = lambda _: None,
) -> list[CheckResult]:
    """Check the loaded tables and write the Data Docs.

    Args:
        contract: the tables.
        settings: where the warehouse and the Data Docs lie, and the share of bad rows that is tolerated.
        report: of the load. One that was asked to be full makes the present numbers of rows the measure of later ones.
        progress: called with the name of each table when it has been checked.

    Returns:
        One result per table of the contract, in its order.

    Raises:
        QualityError: if Great Expectations itself failed.
        IngestError: if the warehouse cannot be opened.
    """
    with open_warehouse(settings.warehouse_path, settings.refresh_memory) as connection:
        return _Checks(connection, contract, settings, report).run(progress)


class _Checks:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, settings: Settings, report: IngestReport
    ) -> None:
        self._connection, self._contract, self._settings, self._report = connection, contract, settings, report
        self._states = read_states(connection)
        self._unchecked: dict[str, int] = dict(
            connection.execute(
                "select table_name, count(distinct row_key) from ingest.unchecked_row group by 1"
            ).fetchall()
        )
        for name, state in self._states.items():
            if state.all_unchecked:
                self._unchecked[name] = state.row_count

    def run(self, progress: Callable[[str], None]) -> list[CheckResult]:
        outcomes: dict[str, list[_Outcome]] = {}
        if self._unchecked:
            suites = Suites()
            outcomes = self._check_loads(suites)
            for table in self._contract.tables:
                if self._unchecked.get(table.name):
                    outcomes[table.name] = self._check_rows(suites, table) + outcomes[table.name]
                progress(table.name)
            write_data_docs(
                self._settings.data_docs_dir,
                self._report.as_of,
                {name: [asdict(outcome) for outcome in found] for name, found in outcomes.items()},
                complete={name for name, rows in self._unchecked.items() if rows},
            )
        results = [self._result(table, outcomes.get(table.name)) for table in self._contract.tables]
        if all(result.passed for result in results):
            self._accept()
        return results

    def _allowed(self, state: TableState) -> int:
        """How many rows of a table may break a rule."""
        return tolerated(self._settings.quarantine_threshold, state.row_count)

    def _check_rows(self, suites: Suites, table: Table) -> list[_Outcome]:
        state, unchecked = self._states[table.name], self._unchecked[table.name]
        expected = expected_rows(table)
        frame = self._frame(table, expected, state, unchecked)
        # The tolerance is a share of the whole table; a sample of the unchecked rows has its part of it.
        allowed = math.ceil(self._allowed(state) * min(1.0, len(frame) / max(unchecked, 1)))
        return suites.check(table.name, frame, expected, allowed)

    def _frame(self, table: Table, expected: list[Expected], state: TableState, unchecked: int) -> pd.DataFrame:
        """Return the live unchecked rows, or a repeatable sample, with the columns that the expectations name."""
        columns = {column: value for one in expected for column, value in one.columns.items()}
        conditions = [f"{sql.name(table.deleted_at)} is null"] if table.deleted_at else []
        rows = typed_rows(table)
        if not state.all_unchecked:
            keys = f"select row_key from ingest.unchecked_row where table_name = {sql.literal(table.name)}"
            rows += f" where l.rowid in ({keyed_rows(table, keys)})"
        if unchecked > SAMPLE_ROWS:
            conditions.append(f"hash({sql.name(table.key)}) % 1000000 < {SAMPLE_ROWS * 1_000_000 // unchecked}")
        where = f"where {' and '.join(conditions)}" if conditions else ""
        selected = ", ".join(f"{value} as {sql.name(column)}" for column, value in columns.items())
        return self._connection.execute(f"select {selected} from ({rows}) {where}").df()

    def _check_loads(self, suites: Suites) -> dict[str, list[_Outcome]]:
        """Check numbers of rows, for all tables in one frame of one row each."""
        import pandas as pd

        orphans = dict(
            self._connection.execute(
                "select table_name, count(distinct row_key) from quarantine.quarantine_row "
                "where rule = 'references' group by 1"
            ).fetchall()
        )
        rows = []
        for table in self._contract.tables:
            state, live = self._states[table.name], self._live_rows(table)
            previous = None if self._report.full else state.checked_row_count
            measurable = previous is not None and previous >= LEAST_ROWS_FOR_VOLUME
            rows.append(
                {
                    "table": table.name,
                    "rows": live,
                    "share of previous": live / previous if measurable and previous else None,
                    "allowed": self._allowed(state),
                    "quarantined": self._report.tables[table.name].quarantined,
                    "orphans": orphans.get(table.name, 0),
                }
            )
        return suites.check_loads(pd.DataFrame(rows).astype({"share of previous": "float64"}))

    def _live_rows(self, table: Table) -> int:
        """How many rows of a table are not deleted in the CRM, good or bad."""
        report = self._report.tables[table.name]
        return report.accepted + report.quarantined

    def _result(self, table: Table, outcomes: list[_Outcome] | None) -> CheckResult:
        report = self._report.tables[table.name]
        observed = {
            "rows": report.load.rows,
            "checked": min(self._unchecked.get(table.name, 0), SAMPLE_ROWS),
            "quarantined": report.quarantined,
        }
        if outcomes is None:
            return CheckResult(table.name, True, "Nothing changed since all checks last passed.", observed=observed)
        failed = [str(outcome) for outcome in outcomes if not outcome.holds]
        if not failed:
            return CheckResult(table.name, True, f"All {len(outcomes)} expectations hold.", observed=observed)
        message = f"{table.name}: {'; '.join(failed)}."
        if any(not outcome.holds and outcome.says == VOLUME for outcome in outcomes):
            message += " If rows were removed on purpose, `loupan refresh --full` accepts the present numbers."
        if any(not outcome.holds and outcome.says != VOLUME for outcome in outcomes):
            message += f"{self._columns_concerned(table)} The page Quarantine lists the rows to mend."
        return CheckResult(table.name, False, message, observed=observed, failed=failed)

    def _columns_concerned(self, table: Table) -> str:
        """Name the columns for which most rows are kept out: where they are many, it is the column that changed."""
        rows = self._connection.execute(
            "select column_name, count(distinct row_key) from quarantine.quarantine_row "
            "where table_name = ? and column_name is not null group by 1 order by 2 desc, 1 limit 3",
            [table.name],
        ).fetchall()
        named = ", ".join(f"{column} ({count:,} rows)" for column, count in rows)
        return f" In quarantine for: {named}." if named else ""

    def _accept(self) -> None:
        """Make the present numbers the measure of the next load, and forget what has been checked."""
        if self._unchecked:
            self._connection.execute("begin")
            self._connection.execute("delete from ingest.unchecked_row")
            self._connection.execute("update ingest.table_state set all_unchecked = false")
            self._connection.executemany(
                "update ingest.table_state set checked_row_count = ? where table_name = ?",
                [[self._live_rows(table), table.name] for table in self._contract.tables],
            )
            self._connection.execute("commit")


class Suites:
    """Great Expectations, imported when first needed."""

    def __init__(self) -> None:
        self._gx = great_expectations()
        self._context = self._gx.get_context(mode="ephemeral")
        no_bars: Any = {"globally": False, "metric_calculations": False}
        self._context.variables.progress_bars = no_bars
        self._rows = (
            self._context.data_sources.add_pandas("landing")
            .add_dataframe_asset("rows")
            .add_batch_definition_whole_dataframe("rows")
        )

    def check(self, name: str, frame: pd.DataFrame, expected: list[Expected], allowed: int) -> list[_Outcome]:
        """Evaluate the expectations of one table, each of which ``allowed`` rows may break."""
        checked = [int(frame[list(one.columns)].notna().all(axis=1).sum()) for one in expected]
        # Whether all rows keep to it is found in half the time that it takes to count and show those that do not.
        strict = [self._expected(one, position, 1.0) for position, one in enumerate(expected)]
        broken = [
            position
            for position, result in enumerate(self._validate(name, frame, strict, "BOOLEAN_ONLY"))
            if not result.success
        ]
        tolerant = []
        for position in broken:
            values = checked[position]
            # As the quotient is made here, so is it in Great Expectations: no rounding stands between them.
            mostly = (values - min(allowed, values)) / values if values else 1.0
            tolerant.append(self._expected(expected[position], position, mostly))
        results = dict(zip(broken, self._validate(name, frame, tolerant, "BASIC"), strict=True)) if broken else {}
        outcomes = []
        for position, (one, values) in enumerate(zip(expected, checked, strict=True)):
            holds, unexpected, examples = True, 0, ()
            result = results.get(position)
            if result is not None:
                holds = bool(result.success)
                unexpected = int(result.result["unexpected_count"])
                examples = tuple(result.result["partial_unexpected_list"])
            outcomes.append(_Outcome(one.says, holds, values, unexpected, min(allowed, values), examples))
        return outcomes

    def check_loads(self, frame: pd.DataFrame) -> dict[str, list[_Outcome]]:
        """Evaluate what is expected of the numbers of rows; ``frame`` has one row per table."""
        expectations = [
            self._expectation(
                "ExpectColumnValuesToBeBetween",
                0,
                {"column": "share of previous", "min_value": LEAST_SHARE_OF_PREVIOUS},
            ),
            *(
                self._expectation(
                    "ExpectColumnPairValuesAToBeGreaterThanB",
                    position,
                    {"column_A": "allowed", "column_B": column, "or_equal": True},
                )
                for position, column in enumerate(("quarantined", "orphans"), start=1)
            ),
        ]
        form = {"result_format": "COMPLETE", "unexpected_index_column_names": ["table"]}
        results = self._validate("numbers of rows", frame, expectations, form)
        broken = [{index["table"] for index in r.result.get("unexpected_index_list") or ()} for r in results]
        outcomes = {}
        for row in frame.to_dict("records"):
            table, rows, share = row["table"], row["rows"], row["share of previous"]
            outcomes[table] = [
                _Outcome(VOLUME, table not in broken[0], rows, 0, 0, () if math.isnan(share) else (share,)),
                _Outcome(QUARANTINE, table not in broken[1], rows, row["quarantined"], row["allowed"]),
                _Outcome(ORPHANS, table not in broken[2], rows, row["orphans"], row["allowed"]),
            ]
        return outcomes

    def _expected(self, one: Expected, position: int, mostly: float) -> Any:
        names = list(one.columns)
        columns = {"column": names[0]} if len(names) == 1 else {"column_A": names[0], "column_B": names[1]}
        return self._expectation(one.type, position, {**columns, **one.arguments, "mostly": mostly})

    def _expectation(self, type_name: str, position: int, arguments: dict[str, Any]) -> Any:
        return getattr(self._gx.expectations, type_name)(**arguments, meta={"position": position})

    def _validate(self, name: str, frame: pd.DataFrame, expectations: list[Any], form: Any) -> list[Any]:
        """Run one suite; results stand in the order of the expectations."""
        batch = self._rows.get_batch(batch_parameters={"dataframe": frame})
        suite = self._gx.ExpectationSuite(name=name, expectations=expectations)
        results = batch.validate(suite, result_format=form).results
        results = sorted(results, key=lambda result: result.expectation_config.meta["position"])
        for result in results:
            error = raised(result.exception_info)
            if error:
                raise QualityError(f"Checking {name} failed: {result.expectation_config.type} raised {error}")
        return results


def raised(exception_info: Any) -> str | None:
    """Return the message of an error of the machinery, which Great Expectations reports like a failed expectation."""
    for info in [exception_info, *exception_info.values()] if exception_info else []:
        if isinstance(info, dict) and info.get("raised_exception"):
            return str(info.get("exception_message"))
    return None
