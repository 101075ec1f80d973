"""A small company at a fixed place, made anew for each fault, and what it must hold afterwards."""

from __future__ import annotations

import functools
import hashlib
import os
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psutil
import psycopg

from tests.support.command import CONTEXT, Command
from tests.support.installation import AS_OF, run_loupan
from tests.support.postgres import PostgresServer

P = ParamSpec("P")
R = TypeVar("R")

MOMENT = f"{AS_OF}T16:00:00"
PUBLISHED, ERROR, REFUSED = 0, 1, 3
MINUTE = 60.0
SCALE = "0.01"
# What a day brings: the refresh under test has something to load, to keep out and to delete. On both engines alike.
CHANGES = (
    "UPDATE lead SET intent_level = 'A', updated_at = '2026-07-01 00:00:00' WHERE id % 5 = 0",
    "UPDATE payment SET deleted_at = '2026-07-01 00:00:00', updated_at = '2026-07-01 00:00:00' WHERE id = "
    "(SELECT max(id) FROM payment)",
    "DELETE FROM touchpoint WHERE id = (SELECT max(id) FROM touchpoint)",
    "UPDATE lead SET deleted_at = '2026-07-01 00:00:00', updated_at = '2026-07-01 00:00:00' WHERE id = "
    "(SELECT min(lead_id) FROM lead_event)",  # its events go to quarantine
    "UPDATE project SET name = 'Renamed 🏠 ''\"', updated_at = '2026-07-01 00:00:00' WHERE id = 1",
)
# Asked of every snapshot in force; they differ between the state before the changes and the one after.
_QUESTIONS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("leads", "contracts", "contract_amount", "complaint_rate"), ("month",)),
    (("leads",), ("project",)),
    (("collected_amount",), ()),
)


def in_fork(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call a function in a process of its own and return its result, or raise its error.

    DuckDB keeps a file that a process has open once: only a new process surely sees what lies on the disk.
    """
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_answer, args=(sender, function, arguments, named))
    process.start()
    sender.close()
    try:
        succeeded, result = receiver.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(f"{function.__name__} ended with {process.exitcode}") from None
    process.join()
    if succeeded:
        return result  # type: ignore[no-any-return]
    raise result


def _answer(sender: Connection, function: Callable[..., Any], arguments: Any, named: Any) -> None:
    try:
        sender.send((True, function(*arguments, **named)))
    except Exception as error:
        sender.send((False, error))
    # Without tearing the interpreter down, of which DuckDB's bindings have much to say.
    os._exit(0)


def fork_environment(data_dir: Path) -> None:
    """Make a forked process one of the installation's: its settings and no others."""
    from loupan.settings import get_settings

    for name in [name for name in os.environ if name.startswith("LOUPAN_")]:
        del os.environ[name]
    os.environ["LOUPAN_DATA_DIR"] = str(data_dir)
    get_settings.cache_clear()


def _look(data_dir: Path) -> tuple[str, str]:
    from loupan.metrics import open_current

    fork_environment(data_dir)
    metrics = open_current()
    names = {metric.name for metric in metrics.list()}
    answers = [metrics.records([name for name in asked if name in names], by=list(by)) for asked, by in _QUESTIONS]
    return metrics.snapshot.version, hashlib.sha256(repr(answers).encode()).hexdigest()


def _marts(data_dir: Path) -> dict[str, tuple[str, str]]:
    from loupan.settings import Settings
    from loupan.snapshot import current

    with current(Settings(data_dir=data_dir)).connect() as connection:
        names = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        tables = {name: connection.table(f'"{name}"').fetchall() for (name,) in names}
        columns = {name: connection.table(f'"{name}"').columns for name in tables}
    # How long a model took is all that may differ between two refreshes of the same rows.
    return {name: _digests(rows, _left_out(columns[name])) for name, rows in tables.items()}


def _left_out(columns: list[str]) -> frozenset[int]:
    return frozenset(number for number, column in enumerate(columns) if column in ("seconds", "learnt_at"))


def _digests(rows: list[tuple[Any, ...]], left_out: frozenset[int]) -> tuple[str, str]:
    """Digest a table, twice: the last bits of a floating-point sum depend on the order of its rows, and may move a
    rounded number once, but not to both precisions."""
    if left_out:
        rows = [tuple(value for number, value in enumerate(row) if number not in left_out) for row in rows]

    def digest(digits: int) -> str:
        rounded = (
            repr(tuple(f"{value:.{digits}g}" if isinstance(value, float) else value for value in row)) for row in rows
        )
        return hashlib.sha256("\n".join(sorted(rounded)).encode()).hexdigest()

    return digest(9), digest(7)


Marts = Mapping[str, tuple[str, str]]


def differing_marts(found: Marts, expected: Marts) -> list[str]:
    """Return the names of the tables that are not the same in both."""
    return sorted(
        name
        for name in found.keys() | expected.keys()
        if name not in found
        or name not in expected
        or all(one != other for one, other in zip(found[name], expected[name], strict=True))
    )


def crm_digests(url: str) -> dict[str, tuple[int, str]]:
    """Return, by table, the number of rows of a CRM and the digest of all that they hold."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            return _digest_tables(connection, "select name from sqlite_master where type = 'table'")
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        return _digest_tables(connection, "select relname from pg_stat_user_tables")


def _digest_tables(connection: Any, question: str) -> dict[str, tuple[int, str]]:
    def name(raw: str | bytes) -> str:
        return raw.decode() if isinstance(raw, bytes) else raw

    tables = sorted(name(table) for (table,) in connection.execute(question).fetchall())
    found = {}
    for table in tables:
        rows = sorted(map(repr, connection.execute(f'select * from "{table}"').fetchall()))
        found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
    return found


def lost_rows(before: Mapping[str, tuple[int, str]], after: Mapping[str, tuple[int, str]]) -> list[str]:
    """Return the tables of a CRM that do not hold what they held."""
    return sorted(table for table, held in before.items() if after.get(table) != held)


@dataclass
class Prepared:
    """What each run begins with, and what it must end in.

    Attributes:
        folder: a company that is published and has changed since.
        before, after: what readers are told of the snapshot before the changes, and of one after them.
        marts: all tables that a clean refresh of the changed CRM publishes.
        crm: what the CRM holds, by table.
        version: of the snapshot before the changes.
        seconds: how long each step of the clean refresh took.
    """

    folder: Path
    before: str
    after: str
    marts: Marts
    crm: Mapping[str, tuple[int, str]]
    version: str
    seconds: Mapping[str, float]


@dataclass
class Company:
    """An installation at a place that stays the same, for runs that come one after another.

    Attributes:
        place: folder of the installation, and of its temporary files.
        server: of the CRM; a file of its own if there is none.
        further: settings.
    """

    place: Path
    server: PostgresServer | None = None
    further: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.crm_url = "" if self.server is None else self.server.create_database()

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self.place / "company"

    @property
    def temporary(self) -> Path:
        """Folder of the commands' temporary files."""
        return self.place / "tmp"

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the CRM."""
        return self.crm_url or f"sqlite:///{self.data_dir / 'crm.sqlite'}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the commands: settings of this installation alone."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
        own |= {"LOUPAN_DATA_DIR": str(self.data_dir), "TMPDIR": str(self.temporary), "LOUPAN_RETRIES": "0"}
        if self.crm_url:
            own["LOUPAN_CRM_URL"] = self.crm_url
        return own | self.further

    def clear(self) -> None:
        """Remove what a run left."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.temporary.mkdir(parents=True)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
        """Start the ``loupan`` command."""
        return Command(arguments, {**self.environment, **(environment or {})})

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run the ``loupan`` command; return its exit code and what it said."""
        process = self.start(*arguments, environment=environment)
        out, err = process.communicate(timeout=10 * MINUTE)
        assert process.returncode is not None
        return process.returncode, out + err

    def refresh(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Refresh; return exit code and what was said."""
        return self.run("refresh", "--as-of", MOMENT, *arguments, environment=environment)

    def look(self) -> tuple[str, str]:
        """Read through the gateway as a new reader does: the version in force, and a digest of the answers."""
        return in_fork(_look, self.data_dir)

    def marts(self) -> Marts:
        """Return digests of all tables of the snapshot in force."""
        return in_fork(_marts, self.data_dir)

    @property
    def current(self) -> str:
        """Version that the pointer names."""
        return (self.data_dir / "snapshots" / "CURRENT").read_text(encoding="utf-8").strip()

    def forget_loads(self) -> None:
        """Remove all but the CRM, and dbt's knowledge of its project: what a clean refresh begins with."""
        for path in self.data_dir.iterdir():
            if path.name.partition(".")[0] not in ("crm", "dbt"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def keep_crm(self, folder: Path) -> None:
        """Keep the CRM as it is, for `restore_crm`; on a server beside it, in another database."""
        if self.server is None:
            shutil.copy(self.data_dir / "crm.sqlite", folder / "crm.sqlite")
        else:
            self._copy_database(self.crm_url, f"{self.crm_url}_kept")

    def restore_crm(self, folder: Path) -> None:
        """Put the CRM back as it was kept."""
        if self.server is None:
            for suffix in ("-wal", "-shm"):
                (self.data_dir / f"crm.sqlite{suffix}").unlink(missing_ok=True)
            shutil.copy(folder / "crm.sqlite", self.data_dir / "crm.sqlite")
        else:
            self._copy_database(f"{self.crm_url}_kept", self.crm_url)

    def _copy_database(self, source: str, target: str) -> None:
        assert self.server is not None
        self.server.drop_database(target)
        self.server.create_database(target, template=source)

    def change_crm(self, *statements: str) -> None:
        """Write to the CRM as a careless program would: no constraint holds."""
        if self.crm_url:
            with psycopg.connect(self.crm_url.replace("+psycopg", "")) as connection:
                connection.execute("SET session_replication_role = replica")
                for statement in statements:
                    connection.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.data_dir / "crm.sqlite", timeout=60)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)
            connection.commit()


class Watched(Command):
    """``loupan refresh`` that tells which step it is in, and can be held there.

    The command is the real one; only what shows its progress also writes it down.
    """

    def __init__(
        self,
        company: Company,
        *arguments: str,
        hold_at: tuple[str, int] | None = None,
        limit: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            company: which.
            arguments: further ones of the command.
            hold_at: step, and after how many of its pieces to wait until `release` is called.
            environment: further settings.
            limit: bytes of address space that it may take beyond what it has at its start.
        """
        self._marks = company.place / "marks"
        self._marks.unlink(missing_ok=True)
        self._marks.touch()
        self._gate = company.place / "gate"
        self._gate.unlink(missing_ok=True)
        watch = functools.partial(_watch, str(self._marks), hold_at, str(self._gate), limit)
        super().__init__(
            ["refresh", "--as-of", MOMENT, *arguments], company.environment | dict(environment or {}), watch
        )

    def marks(self) -> list[tuple[float, str, int]]:
        """Return moment (of the monotonic clock), step and number of pieces done, of all that has happened."""
        lines = self._marks.read_text(encoding="utf-8").split("\n")[:-1]
        parts = (line.split("\t") for line in lines)
        return [(float(moment), step, int(pieces)) for moment, step, pieces in parts]

    @property
    def step(self) -> str:
        """The step it is in, or was in at its end."""
        marks = self.marks()
        return STEPS.get(marks[-1][1], marks[-1][1]) if marks else "start"

    def seconds(self) -> dict[str, float]:
        """How long each step took, until the next began."""
        began: dict[str, float] = {}
        for moment, step, _ in self.marks():
            began.setdefault(STEPS.get(step, step), moment)
        moments = [*began.values(), self.marks()[-1][0]]
        return {step: after - moment for step, moment, after in zip(began, moments, moments[1:], strict=False)}

    def wait_for(self, step: str, pieces: int = 0) -> bool:
        """Wait until a step has begun and that many of its pieces are done; False if the command ends before."""
        while self.returncode is None:
            if any(STEPS.get(name) == step and done >= pieces for _, name, done in self.marks()):
                return True
            time.sleep(0.005)
        return False

    def release(self) -> None:
        """Let a held command go on."""
        self._gate.touch()


# The steps as people see them, and as they are called here.
STEPS = {
    "Loading the CRM": "ingest",
    "Checking the loaded tables": "checks",
    "Building and testing the marts": "dbt",
    "Running the models": "models",
    "Publishing": "publish",
    "Describing the data": "after publishing",
}


def _watch(marks: str, hold_at: tuple[str, int] | None, gate: str, limit: int | None) -> None:
    from pipelines import progress

    class Marked(progress.BarReporter):
        """The command's own bars, written down as well."""

        def step(self, name: str, total: int | None = None) -> progress.Step:
            return _MarkedStep(super().step(name, total), name, Path(marks), hold_at, Path(gate))

    progress.BarReporter = Marked  # type: ignore[misc]
    if limit is not None:
        now = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (now + limit, now + limit))


class _MarkedStep:
    def __init__(self, step: Any, name: str, marks: Path, hold_at: tuple[str, int] | None, gate: Path) -> None:
        self._step, self._name, self._marks, self._hold_at, self._gate = step, name, marks, hold_at, gate
        self._done = 0
        self._write()

    def _write(self) -> None:
        with self._marks.open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic()}\t{self._name}\t{self._done}\n")
        if (STEPS.get(self._name), self._done) == self._hold_at:
            while not self._gate.exists():
                time.sleep(0.005)

    def advance(self, pieces: int = 1, detail: str = "") -> None:
        self._step.advance(pieces, detail)
        self._done += pieces
        self._write()

    def finish(self) -> None:
        self._step.finish()


def prepare(company: Company, folder: Path) -> Prepared:
    """Make the company, publish it, change its CRM, and see what a clean refresh of that publishes.

    Args:
        company: at the place where the faults will strike.
        folder: where the prepared company is kept.
    """
    company.clear()
    settings = {name: value for name, value in company.environment.items() if name.startswith("LOUPAN_")}
    run_loupan(company.data_dir, "crm", "init", environment=settings)
    run_loupan(company.data_dir, "sample", "--scale", SCALE, "--seed", "1", "--as-of", AS_OF, environment=settings)
    _must_publish(company)
    version, before = company.look()
    company.change_crm(*CHANGES)
    if not company.crm_url:
        # One file, so that a fault can spoil it or put it back whole.
        with closing(sqlite3.connect(company.data_dir / "crm.sqlite")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    company.keep_crm(folder)
    kept = folder / "company"
    shutil.copytree(company.data_dir, kept)
    company.forget_loads()
    clean = Watched(company)
    clean.wait(10 * MINUTE)
    assert clean.returncode == PUBLISHED, clean.output()
    _, after = company.look()
    assert after != before, "the changes change nothing"
    return Prepared(kept, before, after, company.marts(), crm_digests(company.url), version, clean.seconds())


def _must_publish(company: Company) -> None:
    code, said = company.refresh()
    assert code == PUBLISHED, said


def place_anew(company: Company, prepared: Prepared) -> None:
    """Put the prepared company at its place."""
    company.clear()
    shutil.copytree(prepared.folder, company.data_dir)
    if company.server is not None:
        company.restore_crm(prepared.folder.parent)
