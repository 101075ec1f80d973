"""Loading the CRM: incremental and full, what goes wrong, and what is left after a crash."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from pipelines.contract import Column, Contract
from pipelines.crm import open_crm
from pipelines.errors import IngestError, SourceUnavailable
from pipelines.landing import Loader
from pipelines.warehouse import set_aside
from tests.pipelines.loads import AS_OF, CONTRACT, LooseCrm, accepted, contents, load, rows, sums


@pytest.fixture(autouse=True)
def _no_table_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make few rows do for many."""
    monkeypatch.setattr("pipelines.landing.SMALL_TABLE_ROWS", 0)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def loose(crm_url: str) -> LooseCrm:
    crm = LooseCrm(crm_url)
    for table in ("customer", "employee", "lead", "payment"):
        crm.insert(table, 1)
    return crm


def test_a_load_follows_inserts_updates_and_deletes(loose: LooseCrm, warehouse: Path) -> None:
    first = load(loose.url, warehouse)
    assert {report.load.why for report in first.tables.values()} == {"it was never loaded before"}
    assert rows(warehouse, "select as_of from raw.refresh") == [(AS_OF,)]
    assert rows(warehouse, "select * from landing.payment") == [
        ("1", "1", "1234567.89", None, None, None, None, "2024-05-01 00:00:00", None)
    ]

    assert load(loose.url, warehouse).changed_tables == []

    loose.insert("payment", 2, at="2024-05-01 00:00:00")
    loose.insert("payment", 3, at="2024-05-02 00:00:00")
    loose.update("payment", 1, at="2024-05-02 00:00:00", amount="5")
    loose.update("lead", 1, at="2024-05-02 00:00:00", deleted_at="2024-05-02 00:00:00")
    report = load(loose.url, warehouse)
    payment, lead = report.tables["payment"].load, report.tables["lead"].load
    assert (payment.full, payment.inserted, payment.updated, payment.deleted) == (False, 2, 1, 0)
    assert (lead.full, lead.updated) == (False, 1)
    assert accepted(warehouse, "lead") == set()
    assert report.quarantined == 3

    loose.delete("payment", 2)
    payment = load(loose.url, warehouse).tables["payment"].load
    assert (payment.full, payment.inserted, payment.deleted) == (False, 0, 1)


def _settle(url: str) -> None:
    """Let a moment pass since the last write to a SQLite file."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):
            os.utime(file, (0, 1_700_000_000))


def test_a_crm_that_nobody_wrote_to_is_not_read_again(
    loose: LooseCrm, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settle(loose.url)
    reading: list[bool] = []
    load(loose.url, warehouse, reading=lambda: reading.append(True))
    assert reading == [True]
    with monkeypatch.context() as forbidding:
        forbidding.delattr("pipelines.landing.Loader.load")
        assert load(loose.url, warehouse, reading=lambda: reading.append(False)).changed_tables == []
        assert reading == [True]
        with pytest.raises(AttributeError):
            load(loose.url, warehouse, full=True)
        loose.insert("customer", 2)
        with pytest.raises(AttributeError):
            load(loose.url, warehouse)
    assert load(loose.url, warehouse).changed_tables == ["customer"]
    assert accepted(warehouse, "customer") == {1, 2}


def test_a_file_written_a_moment_ago_may_be_written_again_within_its_clock(sqlite_url: str, warehouse: Path) -> None:
    crm = LooseCrm(sqlite_url)
    crm.insert("customer", 1)
    load(sqlite_url, warehouse)
    assert rows(warehouse, "select version from ingest.source") == [("",)]
    crm.engine.dispose()


def test_a_row_committed_behind_the_cursor_is_found(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    loose.insert("payment", 2, at="2020-01-01 00:00:00")
    report = load(loose.url, warehouse)
    assert report.tables["payment"].load.full
    assert "cursor does not show" in report.tables["payment"].load.why
    assert accepted(warehouse, "payment") == {1, 2}


@pytest.fixture
def numbered(sqlite_url: str) -> Iterator[LooseCrm]:
    """A CRM with keys that can be added up, and three payments."""
    crm = LooseCrm(sqlite_url, sa.BigInteger)
    for table in ("customer", "employee", "lead"):
        crm.insert(table, 1)
    for key, day in ((1, "2020-01-01 00:00:00.000000"), (2, "2020-01-01 12:00:00"), (3, "2024-05-01 00:00:00")):
        crm.insert("payment", key, at=day)
    yield crm
    crm.engine.dispose()


def test_where_the_sums_agree_keys_and_cursors_are_not_read(
    numbered: LooseCrm, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(numbered.url, warehouse)
    monkeypatch.delattr("pipelines.landing.Loader._reconcile")
    numbered.insert("payment", 4, at="2024-05-02 00:00:00.123456")
    numbered.update("payment", 2, at="2024-05-02 00:00:00", amount="5")
    payment = load(numbered.url, warehouse).tables["payment"].load
    assert (payment.full, payment.inserted, payment.updated) == (False, 1, 1)
    numbered.delete("payment", 1)
    with pytest.raises(AttributeError):
        load(numbered.url, warehouse)


@pytest.mark.parametrize(
    "cursor", ["2019-12-31 23:59:59.999", "2020-01-01 00:16:40.003", "2020-01-01 00:33:20.006000", "2021-06-01"]
)
def test_a_cursor_that_moved_before_the_overlap_shows_in_the_sums(
    numbered: LooseCrm, warehouse: Path, cursor: str
) -> None:
    load(numbered.url, warehouse)
    numbered.update("payment", 1, at=cursor, amount="5")
    payment = load(numbered.url, warehouse).tables["payment"].load
    assert payment.full
    assert "cursor does not show" in payment.why
    assert (5,) in rows(warehouse, "select amount from raw.payment")


def test_rows_exchanged_behind_the_cursor_are_found(numbered: LooseCrm, warehouse: Path) -> None:
    load(numbered.url, warehouse)
    # As many rows, and the same sum of keys.
    numbered.delete("payment", 1)
    numbered.delete("payment", 3)
    numbered.insert("payment", 0, at="2020-01-01 00:00:00")
    numbered.insert("payment", 4, at="2020-01-01 00:00:00")
    load(numbered.url, warehouse)
    assert accepted(warehouse, "payment") == {0, 2, 4}


def test_sums_that_went_astray_are_made_anew(numbered: LooseCrm, warehouse: Path) -> None:
    load(numbered.url, warehouse)
    kept = sums(warehouse)
    for astray in ("key_sum = null", "cursor_sum = cursor_sum + 1", "row_count = row_count + 1"):
        rows(warehouse, f"update ingest.table_state set {astray}")
        numbered.update("employee", 1, at="2024-05-01 00:00:00", name=astray)
        assert load(numbered.url, warehouse).changed_tables == ["employee"]
        assert sums(warehouse) == kept


def test_sums_made_beside_the_load_are_of_the_same_moment(numbered: LooseCrm) -> None:
    payment = CONTRACT.by_name["payment"]
    _settle(numbered.url)
    with open_crm(numbered.url) as crm:
        crm.columns()
        expected = crm.checksum(payment)
        with crm.adding_up([payment]) as beside:
            assert beside is not crm.checksum
            assert beside(payment) == expected
        # Whatever is committed now, the view that is open does not show.
        numbered.insert("payment", 4)
        with crm.adding_up([payment]) as beside:
            assert beside == crm.checksum
            assert beside(payment) == expected
        _settle(numbered.url)
        with crm.adding_up([payment]) as beside:
            assert beside(payment) == expected


def test_a_small_table_is_compared_as_a_whole(
    loose: LooseCrm, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.landing.SMALL_TABLE_ROWS", 10)
    loose.insert("payment", 2, at="2024-05-02 00:00:00")
    load(loose.url, warehouse)
    loose.update("payment", 1, at="2024-05-01 00:00:00", amount="7.00")
    payment = load(loose.url, warehouse).tables["payment"].load
    assert (payment.full, payment.updated) == (False, 1)


def test_a_cursor_in_the_future_hides_no_later_change(loose: LooseCrm, warehouse: Path) -> None:
    loose.insert("payment", 2, at="2199-01-01 00:00:00")
    load(loose.url, warehouse)
    loose.insert("payment", 3, at="2024-06-01 00:00:00")
    payment = load(loose.url, warehouse).tables["payment"].load
    assert (payment.full, payment.inserted) == (False, 1)


def test_a_changed_contract_loads_the_table_in_full(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    lead = CONTRACT.by_name["lead"]
    changed = Contract(
        (
            *(table for table in CONTRACT.tables if table.name not in ("lead", "payment")),
            replace(lead, columns=tuple(c for c in lead.columns if c.name != "employee_id")),
        )
    )
    report = load(loose.url, warehouse, contract=changed)
    assert report.changed_tables == ["lead"]
    assert report.tables["lead"].load.why == "its contract changed"
    left = rows(warehouse, "select table_schema from information_schema.tables where table_name = 'payment'")
    assert left == []
    assert load(loose.url, warehouse).changed_tables == ["lead", "payment"]


def test_an_empty_table_or_one_with_doubled_keys_can_be_unchanged(loose: LooseCrm, warehouse: Path) -> None:
    loose.delete("employee", 1)
    loose.insert("payment", 1)
    load(loose.url, warehouse)
    loose.execute("create table elsewhere (id integer)")
    again = load(loose.url, warehouse)
    assert again.changed_tables == []
    assert again.tables["payment"].load.why == "several of its rows share a key"
    loose.insert("payment", 1)
    assert load(loose.url, warehouse).changed_tables == ["payment"]
    assert load(loose.url, warehouse, full=True).changed_tables == [table.name for table in CONTRACT.tables]


def test_another_crm_is_loaded_in_full(loose: LooseCrm, warehouse: Path, tmp_path: Path) -> None:
    load(loose.url, warehouse)
    other = LooseCrm(f"sqlite:///{tmp_path / 'other.sqlite'}")
    report = load(other.url, warehouse)
    assert "held another CRM" in report.messages[0]
    assert rows(warehouse, "select count(*) from raw.payment") == [(0,)]


def test_missing_tables_and_columns_are_all_named(loose: LooseCrm, warehouse: Path) -> None:
    loose.execute("drop table lead")
    loose.execute("alter table payment drop column amount")
    with pytest.raises(IngestError, match=r"lacks table lead; column amount of table payment.*crm migrate"):
        load(loose.url, warehouse)
    assert not warehouse.exists()


def test_a_failed_load_leaves_the_warehouse_as_it_was(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    before = contents(warehouse)
    loose.insert("customer", 2)
    loose.execute("drop table payment")
    with pytest.raises(IngestError):
        load(loose.url, warehouse)
    assert contents(warehouse) == before


def test_the_crm_is_read_as_it_stood_at_one_moment(loose: LooseCrm, warehouse: Path) -> None:
    from pipelines.ingest import ingest

    def enter_more(table: str) -> None:
        if table == "customer":
            # Customers have been read; a lead of a new customer must not come without it.
            loose.insert("customer", 2)
            loose.insert("lead", 2, customer_id=2)

    report = ingest(CONTRACT, loose.url, warehouse, as_of=AS_OF, progress=enter_more)
    assert report.quarantined == 0
    assert accepted(warehouse, "lead") == {1}
    load(loose.url, warehouse)
    assert accepted(warehouse, "lead") == {1, 2}


def test_a_missing_crm_file_is_not_made(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="does not exist"):
        load(f"sqlite:///{tmp_path / 'nowhere.sqlite'}", warehouse)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_in_time_is_given_up(postgres_url: str, warehouse: Path) -> None:
    crm = LooseCrm(postgres_url)
    crm.insert("payment", 1)
    load(postgres_url, warehouse)
    before = contents(warehouse)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as other:
        other.execute(sa.text("lock table payment in access exclusive mode"))
        with pytest.raises(SourceUnavailable, match=r"has not answered for 1 seconds.*_SOURCE_SECONDS"):
            load(postgres_url, warehouse, full=True, patience=1)
    engine.dispose()
    assert contents(warehouse) == before
    load(postgres_url, warehouse, full=True, patience=1)
    assert contents(warehouse) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "silence"]


def test_a_damaged_crm_file_is_named(warehouse: Path, tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite"
    path.write_bytes(b"this is no database" * 500)
    with pytest.raises(IngestError, match=r"crm\.sqlite.*damaged or not a SQLite database"):
        load(f"sqlite:///{path}", warehouse)


def test_a_crm_file_damaged_in_the_middle_changes_nothing(sqlite_url: str, warehouse: Path) -> None:
    crm = LooseCrm(sqlite_url)
    for table in ("customer", "employee", "lead", "payment"):
        crm.insert(table, 1)
    load(sqlite_url, warehouse)
    before = contents(warehouse)
    crm.execute(
        "insert into payment (id, lead_id, amount) with recursive n(i) as (select 2 union all select i + 1 from n "
        "where i < 5000) select i, '1', '1.50' from n"
    )
    crm.engine.dispose()
    path = Path(str(sa.make_url(sqlite_url).database))
    with path.open("r+b") as file:
        for page in range(6, path.stat().st_size // 4096 - 1):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with pytest.raises(IngestError, match=r"Reading table payment.*damaged or not a SQLite database"):
        load(sqlite_url, warehouse, full=True)
    assert contents(warehouse) == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "no SQLAlchemy URL"),
        ("mysql://root@localhost/crm", "only sqlite:///… and postgresql://…"),
        ("sqlite://", "in memory"),
        ("postgresql+psycopg://crm:s3cret%2Fword@127.0.0.1:1/crm", "server cannot be reached"),
    ],
)
def test_a_wrong_url_is_explained_without_its_password(warehouse: Path, url: str, message: str) -> None:
    with pytest.raises(IngestError, match=message) as caught:
        load(url, warehouse)
    assert "s3cret" not in str(caught.value)


@pytest.mark.postgres
def test_what_postgresql_refuses_is_explained(postgres_url: str, warehouse: Path) -> None:
    crm = LooseCrm(postgres_url)
    url = sa.make_url(postgres_url)
    with pytest.raises(IngestError, match="no such database"):
        load(url.set(database="nowhere").render_as_string(hide_password=False), warehouse)
    with pytest.raises(IngestError, match="does not know this user"):
        load(url.set(username="nobody", password="s3cret").render_as_string(hide_password=False), warehouse)
    role = f"reader_{os.getpid()}"
    crm.execute(f"create role {role} login")
    try:
        with pytest.raises(IngestError, match="Grant SELECT"):
            load(url.set(username=role).render_as_string(hide_password=False), warehouse)
    finally:
        crm.execute(f"drop role {role}")
        crm.engine.dispose()


@pytest.mark.postgres
def test_native_types_of_postgresql_arrive_exactly(postgres_url: str, warehouse: Path) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        for statement in (
            "create table payment (id bigint primary key, lead_id bigint, amount numeric(18,2), rating integer, "
            "is_void boolean, from_on date, to_on date, updated_at timestamptz, deleted_at timestamp)",
            "insert into payment values (1, null, 9999999999999999.99, 5, true, '2024-01-05', 'infinity', "
            "'2024-05-01 08:00:00.123456+08', null)",
        ):
            connection.exec_driver_sql(statement)
    payment = CONTRACT.by_name["payment"]
    free = replace(
        payment, columns=tuple(Column(column.name, column.data_type) for column in payment.columns), checks=()
    )
    load(postgres_url, warehouse, contract=Contract((free,)))
    assert rows(warehouse, "select rule, value from quarantine.quarantine_row") == [("date_range", "infinity")]
    with engine.begin() as connection:
        connection.exec_driver_sql("update payment set to_on = null, updated_at = '2024-05-01 09:00+08'")
    report = load(postgres_url, warehouse, contract=Contract((free,)))
    assert not report.tables["payment"].load.full
    assert rows(
        warehouse, "select amount::varchar, is_void, from_on::varchar, updated_at::varchar from raw.payment"
    ) == [("9999999999999999.99", True, "2024-01-05", "2024-05-01 01:00:00")]
    engine.dispose()


def test_a_damaged_warehouse_is_set_aside_and_built_again(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    before = contents(warehouse)
    warehouse.write_bytes(b"damaged" * 10_000)
    report = load(loose.url, warehouse)
    assert "was damaged" in report.messages[0]
    assert contents(warehouse) == before
    assert warehouse.with_name("warehouse.duckdb.damaged").read_bytes().startswith(b"damaged")


def test_a_block_damaged_inside_the_warehouse_is_noticed(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    before = contents(warehouse)
    size = warehouse.stat().st_size
    with warehouse.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(size - 3 * 4096))
    report = load(loose.url, warehouse)
    assert "was damaged" in report.messages[0]
    assert contents(warehouse) == before


@pytest.mark.parametrize("part", [0.5, 0.05])
def test_a_warehouse_cut_off_is_set_aside_and_built_again(loose: LooseCrm, warehouse: Path, part: float) -> None:
    load(loose.url, warehouse)
    before = contents(warehouse)
    with warehouse.open("r+b") as file:
        file.truncate(int(warehouse.stat().st_size * part))
    report = load(loose.url, warehouse)
    assert "was damaged" in report.messages[0]
    assert contents(warehouse) == before


def test_what_ends_a_copy_is_told_and_not_what_follows_from_it(sqlite_url: str, tmp_path: Path) -> None:
    crm = LooseCrm(sqlite_url)
    crm.execute(
        "insert into payment (id, lead_id, amount) with recursive n(i) as (select 2 union all select i + 1 from n "
        "where i < 200000) select i, '1', abs(random() % 1000000000000) || '.50' from n"
    )
    with duckdb.connect() as connection, open_crm(sqlite_url) as source:
        connection.execute("set memory_limit = '6MB'; set temp_directory = ''; set threads = 1; create schema landing")
        connection.execute("begin")
        loader = Loader(connection, source, source.checksum, now=AS_OF, overlap=dt.timedelta(0))
        with pytest.raises(duckdb.OutOfMemoryException):
            loader.load(CONTRACT.by_name["payment"], None, "")


def test_a_full_disk_is_told_and_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=7m", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        crm = LooseCrm(sqlite_url)
        crm.insert("payment", 1)
        load(sqlite_url, small / "warehouse.duckdb")
        before = contents(small / "warehouse.duckdb")
        # Random digits, so that the warehouse cannot press them together.
        crm.execute(
            "insert into payment (id, lead_id, amount) with recursive n(i) as (select 2 union all select i + 1 from n "
            "where i < 300000) select i, '1', abs(random() % 1000000000000) || '.50' from n"
        )
        crm.engine.dispose()
        with pytest.raises(IngestError, match="is full"):
            load(sqlite_url, small / "warehouse.duckdb")
        assert contents(small / "warehouse.duckdb") == before
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_set_aside_takes_the_log_along(tmp_path: Path) -> None:
    for name in ("w.duckdb", "w.duckdb.wal"):
        (tmp_path / name).write_text(name)
    set_aside(tmp_path / "w.duckdb")
    assert {path.name for path in tmp_path.iterdir()} == {"w.duckdb.damaged", "w.duckdb.damaged.wal"}


def test_a_warehouse_open_elsewhere_is_left_alone(loose: LooseCrm, warehouse: Path) -> None:
    load(loose.url, warehouse)
    program = f"import duckdb; c = duckdb.connect({str(warehouse)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(IngestError, match="Another program has"):
            load(loose.url, warehouse)
        holder.communicate("\n")
    load(loose.url, warehouse)


@pytest.mark.slow
def test_a_load_killed_at_any_moment_leaves_a_whole_warehouse(sqlite_url: str, warehouse: Path, tmp_path: Path) -> None:
    crm = LooseCrm(sqlite_url)
    for table in ("customer", "employee", "lead"):
        crm.insert(table, 1)
    crm.engine.dispose()
    path = str(sa.make_url(sqlite_url).database)

    def enter(first: int, count: int, at: str) -> None:
        with sqlite3.connect(path) as connection:
            connection.executemany(
                "insert into payment (id, lead_id, amount, updated_at) values (?, '1', '1.50', ?)",
                [(str(key), at) for key in range(first, first + count)],
            )
        connection.close()

    enter(1, 60_000, "2024-05-01 00:00:00")
    load(sqlite_url, warehouse)
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from tests.pipelines.loads import load
        print("begun", flush=True)
        load({sqlite_url!r}, Path({str(warehouse)!r}))
        """
    )
    killed = 0
    for attempt in range(5):
        enter(1_000_000 * (attempt + 1), 30_000, f"2024-05-{attempt + 2:02d} 00:00:00")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "begun\n"
            time.sleep(0.08 * attempt * attempt)
            child.send_signal(signal.SIGKILL)
        killed += child.returncode == -signal.SIGKILL
        # Whole: as many rows in one schema as in the next, whether the load came through or not.
        with duckdb.connect(str(warehouse)) as connection:
            landed, typed, known = connection.execute(
                "select (select count(*) from landing.payment), (select count(*) from raw.payment), "
                "(select row_count from ingest.table_state where table_name = 'payment')"
            ).fetchall()[0]
        assert landed == typed == known
    assert killed
    load(sqlite_url, warehouse)
    load(sqlite_url, tmp_path / "full.duckdb", full=True)
    assert contents(warehouse) == contents(tmp_path / "full.duckdb")
