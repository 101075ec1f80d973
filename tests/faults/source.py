"""The CRM's database goes down, is slow, is restarted, or changes while it is loaded."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg

from tests.faults.company import MINUTE, Company, Watched, in_fork
from tests.faults.trial import Fault, Trial
from tests.support.postgres import PostgresServer

_TABLES = 40  # of the CRM, at least


def _server(trial: Trial) -> PostgresServer:
    assert trial.company.server is not None
    return trial.company.server


def _ended(refresh: Watched) -> tuple[int, str]:
    code = refresh.wait(5 * MINUTE)
    return code, "".join(refresh.output())


def _down(trial: Trial) -> None:
    server = _server(trial)
    server.stop(trial.chance.choice(["fast", "immediate"]))
    try:
        code, said = trial.company.refresh()
        trial.refused_kindly(code, said, f"127.0.0.1:{server.port}", "cannot be reached")
        trial.readers_read()
    finally:
        server.start()


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _slow(trial: Trial) -> None:
    server = _server(trial)
    trial.where = trial.chance.choice(["slow to connect", "does not answer", "stops in mid-load", "freezes"])
    if trial.where in ("stops in mid-load", "freezes"):
        _stop_in_mid_load(trial, for_good=trial.where == "freezes")
        return
    with _frozen(server.pids):
        refresh = Watched(trial.company)
        if trial.where == "slow to connect":
            # It has begun to run before it begins to load: the connection waits for most of this.
            while not refresh.marks() and refresh.returncode is None:
                time.sleep(0.01)
            time.sleep(trial.chance.uniform(1, 6))
        else:
            code, said = _ended(refresh)
            trial.refused_kindly(code, said, f"127.0.0.1:{server.port}", "cannot be reached")
            trial.readers_read()
            return
    trial.published(*_ended(refresh))


def _stop_in_mid_load(trial: Trial, *, for_good: bool) -> None:
    server, tables = _server(trial), trial.chance.randrange(1, _TABLES)
    patience = {"LOUPAN_SOURCE_SECONDS": "3"} if for_good else {}
    refresh = Watched(trial.company, "--full", hold_at=("ingest", tables), environment=patience)
    assert refresh.wait_for("ingest", tables)
    with _frozen(server.pids[1:]):
        refresh.release()
        if for_good:
            code, said = _ended(refresh)
            trial.refused_kindly(code, said, f"127.0.0.1:{server.port}", "has not answered for 3 seconds")
            trial.readers_read()
            return
        time.sleep(trial.chance.uniform(2, 8))
    trial.published(*_ended(refresh))


def _restarted(trial: Trial) -> None:
    server, tries_again = _server(trial), trial.chance.choice([False, True])
    tables = trial.chance.randrange(1, _TABLES)
    retries = {"LOUPAN_RETRIES": "2" if tries_again else "0", "LOUPAN_RETRY_SECONDS": "1"}
    refresh = Watched(trial.company, "--full", hold_at=("ingest", tables), environment=retries)
    assert refresh.wait_for("ingest", tables)
    trial.where = trial.chance.choice(["crash", "restart", "its session ended"])
    if trial.where == "its session ended":
        with psycopg.connect(trial.company.crm_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
    else:
        server.stop("immediate" if trial.where == "crash" else "fast")
        server.start()
    refresh.release()
    code, said = _ended(refresh)
    if tries_again:
        trial.where += ", tried again"
        trial.published(code, said)
    else:
        trial.refused_kindly(code, said, f"127.0.0.1:{server.port}", "Reading table")


def _transfer(execute: Callable[[str], object], chance: random.Random, keys: dict[str, list[int]]) -> None:
    # SQLite counts in floating-point numbers: more than two digits would be no amount.
    amount = Decimal(chance.randrange(1, 10_000)) / 100
    execute(f"UPDATE payment SET amount = round(amount + {amount}, 2) WHERE id = {chance.choice(keys['payment'])}")
    execute(f"UPDATE expense SET amount = round(amount - {amount}, 2) WHERE id = {chance.choice(keys['expense'])}")


def _write_on(company: Company, stop: threading.Event, chance: random.Random, written: list[int]) -> None:
    """Move money from expenses to payments, one transfer a transaction: the sum over both tables never changes."""
    # Of rows that live: one that is deleted does not count.
    live = "SELECT id FROM {} WHERE deleted_at IS NULL AND amount > 2000"
    if company.server is None:
        with closing(sqlite3.connect(company.data_dir / "crm.sqlite", timeout=60, isolation_level=None)) as connection:
            keys = {t: [k for (k,) in connection.execute(live.format(t))] for t in ("payment", "expense")}
            while not stop.is_set():
                connection.execute("BEGIN IMMEDIATE")
                _transfer(connection.execute, chance, keys)
                connection.execute("COMMIT")
                written.append(1)
                time.sleep(0.002)
        return
    with psycopg.connect(company.crm_url.replace("+psycopg", ""), autocommit=True) as server:
        keys = {t: [k for (k,) in server.execute(live.format(t).encode())] for t in ("payment", "expense")}
        while not stop.is_set():
            with server.transaction():
                _transfer(lambda statement: server.execute(statement.encode()), chance, keys)
            written.append(1)
            time.sleep(0.002)


def _total(warehouse: Path) -> Decimal:
    # Deleted rows stay in these tables.
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(
            "select (select sum(amount) from raw.payment) + (select sum(amount) from raw.expense)"
        ).fetchall()[0][0]


def _changing(trial: Trial) -> None:
    company = trial.company
    expected = in_fork(_total, company.data_dir / "warehouse.duckdb")
    stop, written = threading.Event(), []
    full = trial.chance.choice([("--full",), ()])
    refresh = Watched(company, *full, hold_at=("ingest", trial.chance.randrange(1, _TABLES)))
    writer = threading.Thread(target=_write_on, args=(company, stop, random.Random(1), written))
    writer.start()
    try:
        if refresh.wait_for("ingest"):
            time.sleep(trial.chance.uniform(0.2, 1))
            refresh.release()
        code, said = _ended(refresh)
    finally:
        stop.set()
        writer.join()
    trial.published(code, said)
    trial.expect(len(written) > 20, f"only {len(written)} transfers were written")
    found = in_fork(_total, company.data_dir / "warehouse.duckdb")
    trial.expect(found == expected, f"no consistent read: both tables hold {found} instead of {expected}")
    trial.where = "all rows" if full else "changed rows"
    trial.expect_present_crm()


FAULTS = (
    Fault("source-down", "source database down", _down, 5, "postgresql"),
    Fault("source-slow", "source database slow or frozen", _slow, 12, "postgresql"),
    Fault("source-restarted", "source database restarted in mid-load", _restarted, 12, "postgresql"),
    Fault("source-changing", "rows change during the load, PostgreSQL", _changing, 6, "postgresql"),
    Fault("source-changing-sqlite", "rows change during the load, SQLite", _changing, 6),
)
