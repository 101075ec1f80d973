"""Load the CRM into the warehouse: landing, typing, quarantine, in one transaction.

A process that is killed at any moment leaves the warehouse as it was before the load, state included.
"""

# ruff: noqa: S608 - names and values in the SQL are quoted by pipelines.sql

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from loupan.erasures import drop_old_warehouse
from pipelines import delta, sql
from pipelines.change_sorter import sort_loaded
from pipelines.contract import Contract
from pipelines.crm import ANSWER_TIMEOUT_S, Crm, open_crm
from pipelines.errors import IngestError
from pipelines.landing import Loader, TableLoad, require_columns, why_full
from pipelines.warehouse import DamagedWarehouse, TableState, forget_table, open_warehouse, read_states, set_aside

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableReport:
    """What one load did to one table; all numbers are rows."""

    load: TableLoad
    accepted: int  # in raw, without soft-deleted ones
    quarantined: int


@dataclass(frozen=True)
class IngestReport:
    """What one load did."""

    as_of: dt.datetime  # naive UTC
    full: bool  # asked for by the caller
    tables: dict[str, TableReport]
    messages: list[str] = field(
        default_factory=list
    )  # what the reader should know, e.g. that the warehouse was rebuilt
    seconds: dict[str, float] = field(default_factory=dict)  # per step

    @property
    def changed_tables(self) -> list[str]:
        """Tables of which any row may differ from before."""
        return [name for name, report in self.tables.items() if report.load.changed]

    @property
    def quarantined(self) -> int:
        """Rows in quarantine, over all tables."""
        return sum(report.quarantined for report in self.tables.values())


def _naive_utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def ingest(
    contract: Contract,
    crm_url: str,
    warehouse_path: Path,
    *,
    as_of: dt.datetime,
    full: bool = False,
    reload: Collection[str] = (),
    overlap_minutes: int = 15,
    patience: float = ANSWER_TIMEOUT_S,
    memory: str = "",
    progress: Callable[[str], None] = lambda _: None,
    reading: Callable[[], None] = lambda: None,
) -> IngestReport:
    """Load the CRM's tables into the warehouse.

    Args:
        contract: which tables, and their rules.
        crm_url: SQLAlchemy URL of the CRM, SQLite or PostgreSQL.
        warehouse_path: DuckDB file; made if it is absent, set aside and built again if it is damaged.
        as_of: the moment the statistics speak of; naive is UTC. Stored in ``raw.refresh``, it filters nothing here.
        full: load every table in full. The result is the same as that of an incremental load.
        reload: tables to load in full, e.g. after they were mended behind their cursors' back.
        patience: seconds that a server may take for an answer.
        memory: what DuckDB may take, as it reads it; its own share of the machine's without it.
        overlap_minutes: how far before the last cursor an incremental load begins.
        progress: called with the name of each table when it has been loaded (as many times as there are tables).
        reading: called before rows are read; not if it is known that no row has changed since the load before.

    Raises:
        IngestError: if the CRM cannot be read or the warehouse not be written. The warehouse is then as before.
    """
    as_of = _naive_utc(as_of)
    unknown = sorted(set(reload) - set(contract.by_name))
    if unknown:
        raise IngestError(
            f"There is no table {', '.join(unknown)} to load again. "
            f"The tables are: {', '.join(sorted(contract.by_name))}."
        )

    def load(messages: list[str], full: bool) -> IngestReport:
        with open_crm(crm_url, patience) as crm:
            # The CRM is looked at first: a wrong URL costs no time and touches no warehouse.
            require_columns(crm, contract)
            with open_warehouse(warehouse_path, memory) as connection:
                connection.execute("begin")
                report = _Load(connection, contract, crm, progress, reading, messages).run(
                    as_of, full, reload, dt.timedelta(minutes=overlap_minutes)
                )
                connection.execute("commit")
                return report

    messages = []
    if drop_old_warehouse(warehouse_path):
        messages.append("A person was erased from the CRM; the warehouse was built anew.")
    try:
        return load(messages, full)
    except DamagedWarehouse as damage:
        aside = set_aside(warehouse_path)
        message = (
            f"The warehouse {warehouse_path} was damaged ({damage}). It lies now at {aside}; a new one was built "
            "from the CRM."
        )
        log.warning(message)
    try:
        return load([message], True)
    except DamagedWarehouse as damage:
        raise IngestError(
            f"A new warehouse at {warehouse_path} is damaged as well ({damage}). Check the disk it lies on."
        ) from damage


class _Load:
    """One load inside one open transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        crm: Crm,
        progress: Callable[[str], None],
        reading: Callable[[], None],
        messages: list[str],
    ) -> None:
        self._connection, self._contract, self._crm = connection, contract, crm
        self._progress, self._reading, self._messages = progress, reading, messages

    def run(self, as_of: dt.datetime, full: bool, reload: Collection[str], overlap: dt.timedelta) -> IngestReport:
        """Load, sort, and report."""
        began = time.perf_counter()
        delta.create_tables(self._connection, self._contract)
        loads = self._land(full, reload, overlap)
        landed = time.perf_counter()
        sort_loaded(self._connection, self._contract, as_of, loads, read_states(self._connection))
        self._connection.execute("create or replace table raw.refresh as select ?::timestamp as as_of", [as_of])
        sorted_ = time.perf_counter()
        return IngestReport(
            as_of=as_of,
            full=full,
            tables=self._count(loads),
            messages=self._messages,
            seconds={"landing": landed - began, "typing": sorted_ - landed},
        )

    def _land(self, full: bool, reload: Collection[str], overlap: dt.timedelta) -> dict[str, TableLoad]:
        states = read_states(self._connection)
        version = self._crm.version()
        seen = self._connection.execute("select identity, version from ingest.source").fetchall()
        if not full and not reload and version and seen == [(self._crm.identity, version)] and self._are_loaded(states):
            for table in self._contract.tables:
                # Nothing else is read of them now: what was cut off or damaged is noticed here.
                self._connection.execute(
                    f"select bit_xor(hash(l.{sql.name(table.key)})), (select bit_xor(hash(r.{sql.name(table.key)})) "
                    f"from {sql.name('raw', table.name)} r) from {sql.name('landing', table.name)} l"
                ).fetchall()
                self._progress(table.name)
            return {
                name: TableLoad(name, False, "", state.row_count, 0, 0, 0, changed=False)
                for name, state in states.items()
            }
        self._reading()
        why = "a full load was asked for" if full else ""
        if states and [identity for identity, _ in seen] != [self._crm.identity]:
            # The states stay, as the measure of the volume check: a wrong URL must not empty the dashboards.
            for name in states:
                forget_table(self._connection, name)
            why = "the warehouse held another CRM"
            self._messages.append(f"The warehouse held another CRM; {self._crm.where} was loaded in full.")
        for gone in states.keys() - self._contract.by_name.keys():
            forget_table(self._connection, gone)
        asked = {
            table.name: why or ("it was asked for again" if table.name in reload else "")
            for table in self._contract.tables
        }
        incremental = [
            table
            for table in self._contract.tables
            if not asked[table.name] and not why_full(table, states.get(table.name))
        ]
        # The largest first: they take longest.
        incremental.sort(key=lambda table: -states[table.name].row_count)
        now = _naive_utc(dt.datetime.now(dt.UTC))
        begun, loads = {}, {}
        with self._crm.adding_up(incremental) as checksum:
            loader = Loader(self._connection, self._crm, checksum, now=now, overlap=overlap)
            for table in self._contract.tables:
                begun[table.name] = loader.load(table, states.get(table.name), asked[table.name])
                if isinstance(begun[table.name], TableLoad):
                    self._progress(table.name)
            for name, load in begun.items():
                if isinstance(load, TableLoad):
                    loads[name] = load
                else:
                    loads[name] = load()
                    self._progress(name)
        self._connection.execute("delete from ingest.source")
        self._connection.execute("insert into ingest.source values (?, ?)", [self._crm.identity, version])
        return loads

    def _are_loaded(self, states: Mapping[str, TableState]) -> bool:
        """Say whether what lies in the warehouse are the tables of the contract as it is."""
        return {name: state.fingerprint for name, state in states.items()} == {
            table.name: table.fingerprint for table in self._contract.tables
        }

    def _count(self, loads: dict[str, TableLoad]) -> dict[str, TableReport]:
        reports = {}
        for name, load in loads.items():
            table = self._contract.by_name[name]
            live = f" where {sql.name(table.deleted_at)} is null" if table.deleted_at else ""
            accepted, quarantined = self._connection.execute(
                f"select (select count(*) from {sql.name('raw', name)}{live}), "
                f"(select count(*) from {sql.name('quarantine', name)})"
            ).fetchall()[0]
            reports[name] = TableReport(load, accepted, quarantined)
        return reports
