"""Whatever writes leaves a line in the trail, nothing takes one away, and who may reads them all."""

from __future__ import annotations

import ast
import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

import data_entry
from dashboards import taken
from data_entry import downloads
from data_entry.access import SYSTEM, ensure_roles
from data_entry.access.roles import READY_MADE
from data_entry.database import create_engine_for
from data_entry.pages.audit import ACTIONS, DETAILS, OTHERS
from data_entry.pages.desk import Desk
from data_entry.schema import Record, metadata
from data_entry.schema.base import UtcDateTime
from data_entry.schema.marketing import Expense
from data_entry.schema.organisation import AuditLog, RolePermission
from data_entry.services import attachments, sessions, trail
from data_entry.services.errors import Forbidden
from data_entry.services.tables import models, own_columns, target
from data_entry.services.trail import Wanted
from data_entry.services.work import Work, reading, writing
from loupan import cli
from loupan.settings import get_settings
from tests.data_entry.access.random_crm import NOW, RandomCrm, draw, fill
from tests.data_entry.import_case import on_sqlite
from tests.data_entry.services.people import hire
from tests.support.crm import create_crm

# Their rows are the trail itself; sessions change with every request, and leave lines by `login`, `logout`, `revoked`.
UNTRACKED = {"audit_log", "account_session"}
SERVICES = Path(data_entry.__file__).parent
# Written past the session that keeps the trail, each with a line of its own, which a test here or there asks for:
# imports of another CRM, greetings by the thousand, the copy a restore makes, a person who is erased, what keeps a
# session awake.
PAST_THE_SESSION = {
    "access/roles.py": {"insert"},
    "services/work.py": {"insert"},
    "services/sessions.py": {"update"},
    "services/care.py": {"insert"},
    "services/import_data/crm_rows.py": {"insert", "update"},
    "services/backup/restore.py": {"insert"},
    "services/personal/erase.py": {"update", "delete"},
    "services/personal/service.py": {"insert"},
}


def clock() -> dt.datetime:
    return NOW


def lines(engine: sa.Engine, **where: Any) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(AuditLog.__table__).filter_by(**where).order_by(AuditLog.id)).mappings()
        return [dict(row) | {name: json.loads(row[name] or "null") for name in ("before", "after")} for row in rows]


class TestEveryTable:
    """A generated write to every table: the trail has its line, with values before and after."""

    @pytest.fixture(scope="class")
    def random_crm(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sa.Engine, RandomCrm]]:
        engine = create_engine_for(f"sqlite:///{tmp_path_factory.mktemp('random') / 'crm.sqlite'}")
        create_crm(engine)
        yield engine, fill(engine, seed=7)
        engine.dispose()

    @pytest.mark.parametrize("table", sorted(set(metadata.tables) - UNTRACKED))
    def test_a_row_made_changed_deleted_and_restored(self, random_crm: tuple[sa.Engine, RandomCrm], table: str) -> None:
        engine, crm = random_crm
        account = next(iter(crm.rows["account"]))
        model = models()[table]
        column = next(c for c in own_columns(table) if _is_free(c))
        attribute = sa.inspect(model).get_property_by_column(column).key
        row = crm.live(table)[0]
        done: list[str] = []
        for action in ("update", "delete", "restore"):
            with writing(engine, Actor_of(account), clock) as work:
                found = work.session.get_one(model, row["id"])
                if action == "update":
                    setattr(found, attribute, other := _other(column, getattr(found, attribute)))
                else:
                    found.deleted_at = NOW if action == "delete" else None
            done.append(action)
            left = lines(engine, entity=table, entity_id=row["id"])
            assert [line["action"] for line in left] == done
            assert left[-1]["account_id"] == account
            assert left[-1]["at"] == NOW
            if action == "update":
                secret = left[-1]["after"][column.name] == trail.MASK
                assert secret or left[-1]["after"] == {column.name: _plain(other)}
                assert left[-1]["before"].keys() == {column.name}

    def test_a_new_row_of_every_table(self, random_crm: tuple[sa.Engine, RandomCrm]) -> None:
        engine, crm = random_crm
        rng = random.Random(3)
        made = []
        for table in (t for t in metadata.sorted_tables if t.name not in UNTRACKED):
            values = _fitting(rng, crm, table)
            if values is None:
                continue  # so few parents that every pair is taken
            with writing(engine, SYSTEM, clock) as work:
                work.session.add(_instance(models()[table.name], values))
            (line,) = lines(engine, entity=table.name, entity_id=values["id"])
            assert (line["action"], line["before"], line["account_id"]) == ("create", None, None)
            assert line["after"]
            made.append(table.name)
        assert len(made) > len(metadata.tables) - 5


def Actor_of(account_id: int) -> Any:
    """Somebody who may do everything, with an account."""
    from data_entry.access import Actor

    return Actor(account_id, login="x", permissions={("*", "*"): frozenset({"all"})})


def _is_free(column: sa.Column[Any]) -> bool:
    """Whether a value may become another: no key, no part of a rule."""
    in_rules = {c.name for rule in column.table.constraints for c in getattr(rule, "columns", ())}
    checks = " ".join(str(r.sqltext) for r in column.table.constraints if isinstance(r, sa.CheckConstraint))
    return (
        (
            target(column) is None
            and not column.unique
            and column.name not in in_rules
            and column.name not in checks
            and not column.name.endswith("_id")
        )
        or (isinstance(column.type, sa.Enum) and len(column.type.enums) > 1)
        or column.name == "external_ref"
    )


def _other(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, sa.Enum):
        return next(choice for choice in column.type.enums if choice != value)
    if isinstance(column.type, sa.Boolean):
        return not value
    if isinstance(column.type, sa.Date):
        return (value or dt.date(2026, 1, 1)) + dt.timedelta(days=1)
    if isinstance(column.type, sa.String):
        return f"{(value or '')[:5]}x{id(column) % 97}"[: column.type.length or 100]
    if isinstance(column.type, UtcDateTime):
        return (value or NOW) + dt.timedelta(hours=1)
    return (value or 1) + 1


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value if isinstance(value, int | str) else str(value)


def _fitting(rng: random.Random, crm: RandomCrm, table: sa.Table) -> dict[str, Any] | None:
    from tests.data_entry.access.random_crm import unique_keys

    taken_ = {key for row in crm.rows[table.name].values() for key in unique_keys(table, row)}
    for _ in range(200):
        row = draw(rng, crm, table, 900) | {"deleted_at": None}
        if not unique_keys(table, row) & taken_:
            return row
    return None


def _instance(model: type[Record], row: dict[str, Any]) -> Record:
    mapper = sa.inspect(model)
    return model(**{mapper.get_property_by_column(model.__table__.c[name]).key: value for name, value in row.items()})


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SERVICES.rglob("*.py")):
        if "migrations" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path.relative_to(SERVICES).as_posix(), node


def test_nothing_else_is_written_past_the_session_that_keeps_the_trail() -> None:
    found: dict[str, set[str]] = {}
    for file, call in _calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("insert", "update", "delete"):
            of = ast.unparse(call.func.value)
            if of in ("sa", "sqlalchemy") or of.endswith("__table__"):
                found.setdefault(file, set()).add(call.func.attr)
    assert found == PAST_THE_SESSION


def test_whatever_is_logged_has_a_name_on_the_page() -> None:
    logged = {
        call.args[place].value
        for _, call in _calls()
        for name, place in (("log", 0), ("done_at_the_server", 1))
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == name
        and len(call.args) > place
        and isinstance(call.args[place], ast.Constant)
    }
    assert {"login", "login_failed", "logout", "export", "import", "backup", "restored", "download"} <= logged
    assert logged - set(ACTIONS) == set()
    assert set(OTHERS) == set(trail.OTHERS)


def test_whatever_a_line_holds_has_a_name_on_the_page() -> None:
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    held = {
        keyword.arg
        for _, call in _calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr == "log" and ast.unparse(call.func.value) == "work"
        for keyword in call.keywords
        if keyword.arg
    }
    assert {"reason", "file", "address", "is_on"} <= held
    assert held - columns - set(DETAILS) == set()


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[sa.Engine, dict[str, int]]]:
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    engine = create_engine_for(get_settings().crm_database_url)
    create_crm(engine)
    yield engine, {role: hire(engine, role, role) for role in ("admin", "sales", "marketing")}
    engine.dispose()


def _make_customers(engine: sa.Engine, account: int, *names: str) -> None:
    from data_entry.schema.customer import Customer

    with writing(engine, account, clock) as work:
        work.session.add_all([Customer(name=name, phone="13800001111") for name in names])


def test_only_who_may_read_everybody_s_lines_does(office: tuple[sa.Engine, dict[str, int]]) -> None:
    engine, people = office
    _make_customers(engine, people["sales"], "Li Secret", "Wang Secret")
    for role in ("sales", "marketing"):
        with reading(engine, people[role]) as work, pytest.raises(Forbidden):
            trail.listing(work, Wanted(), limit=10)
    with reading(engine, people["admin"]) as work:
        found, total = trail.listing(work, Wanted(entity="customer"), limit=1, personal=True)
        assert (len(found), total) == (1, 2)
        assert {c.column: c.after for c in found[0].changes}["name"] == "Wang Secret"
        (first,), _ = trail.listing(work, Wanted(entity="customer"), limit=1, offset=1)
    values = {c.column: (c.after, c.is_masked) for c in first.changes}
    assert values["name"] == (trail.MASK, True)
    assert "Secret" not in repr(first)


def test_lines_are_found_by_day_person_act_and_record(office: tuple[sa.Engine, dict[str, int]]) -> None:
    engine, people = office
    _make_customers(engine, people["sales"], "a")
    with writing(engine, SYSTEM, lambda: NOW + dt.timedelta(days=2)) as work:
        trail.done_at_the_server(work, "backup", "backup", file="x.zip")

    def found(**wanted: Any) -> Counter[str]:
        with reading(engine, people["admin"]) as work:
            return Counter(line.action for line in trail.listing(work, Wanted(**wanted), limit=1000)[0])

    day = NOW.date()  # noon in Shanghai
    assert found(account_id=people["sales"]) == {"create": 1}
    assert found(account_id=0, action="backup") == {"backup": 1}
    assert found(since=day, until=day, entity="customer") == {"create": 1}
    assert found(since=day + dt.timedelta(days=1), until=day + dt.timedelta(days=2)) == {"backup": 1}
    assert found(until=day - dt.timedelta(days=1), entity="customer") == {}
    assert found(entity="customer", entity_id=1) == {"create": 1}
    assert found(entity="customer", entity_id=2) == {}
    hostile = "'; DROP TABLE audit_log; --"
    assert found(entity=hostile) == found(action=hostile) == {}


def test_figures_that_are_taken_away_leave_a_line_first(office: tuple[sa.Engine, dict[str, int]]) -> None:
    engine, people = office
    with writing(engine, people["sales"]) as work:
        token = sessions.begin(work, people["sales"], "password", None, None)
    with reading(engine, people["sales"]) as work:
        desk = Desk(engine, sessions.ByToken(token), work.actor, "en", "CNY", work.zone)
    made = []
    import streamlit as st

    st.session_state["lp_taken_by"] = desk
    try:
        take = taken.recorded(lambda: made.append("file") or b"file", "Contracts", "xlsx")
    finally:
        del st.session_state["lp_taken_by"]
    assert take() == b"file"
    (line,) = lines(engine, action="export")
    assert (line["account_id"], line["entity"]) == (people["sales"], "figures")
    assert line["after"] == {"title": "Contracts", "kind": "xlsx"}
    with writing(engine, people["sales"]) as work:
        sessions.end(work, token)
    with pytest.raises(Forbidden):
        take()
    assert made == ["file"], "whose session has ended takes nothing away"


def test_an_attachment_that_is_fetched_leaves_a_line(office: tuple[sa.Engine, dict[str, int]]) -> None:
    engine, people = office
    with writing(engine, people["marketing"]) as work:
        expense = Expense(incurred_on=dt.date(2026, 3, 1), amount=1, status="draft")
        work.session.add(expense)
        work.session.flush()
        file = attachments.attach(work, "expense", expense.id, "a.pdf", b"%PDF-1.7\n%%EOF\n").id
        key = expense.id
    client = TestClient(Starlette(routes=downloads.routes(lambda: engine, lambda _: lambda *_: people["marketing"])))
    assert client.get(f"/files/{file}").status_code == 200
    assert client.get("/files/999").status_code == 404
    (line,) = lines(engine, action="download")
    assert (line["entity"], line["entity_id"], line["after"]) == ("expense", key, {"attachment": file})


def test_rights_that_come_with_a_new_version_leave_a_line(office: tuple[sa.Engine, dict[str, int]]) -> None:
    engine, _ = office
    assert lines(engine, action="granted") == []
    with Session(engine) as session:
        session.execute(sa.delete(RolePermission).where(RolePermission.resource == "page:reports"))
        session.commit()
        ensure_roles(session)
        session.commit()
    new = lines(engine, action="granted")
    assert {tuple(line["after"]["resources"]) for line in new} == {("page:reports",)}
    assert len(new) == len(READY_MADE) - 1, "the administrator has everything anyway"


def test_an_import_leaves_a_line_for_each_table(tmp_path: Path) -> None:
    case = on_sqlite(tmp_path)
    case.values("source", "external_ref, name", "'a', 'A'", "'b', 'B'")
    assert case.run(dry_run=True).succeeded
    assert lines(case.crm) == []
    assert case.run().committed
    (line,) = lines(case.crm)
    assert (line["action"], line["entity"], line["account_id"]) == ("import", "source", None)
    assert line["after"].items() >= {"new": 2, "changed": 0, "refused": 0}.items()
    assert line["after"]["system_user"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["loupan", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.sys.exit(cli.main())
        output = capsys.readouterr()
        return int(stopped.value.code or 0), output.out, output.err

    return run_command


def test_the_command_reads_it_and_backups_and_restores_stand_there(
    office: tuple[sa.Engine, dict[str, int]], run: Any
) -> None:
    engine, people = office
    _make_customers(engine, people["sales"], "Li Secret")
    assert run("backup", "create")[0] == 0
    code, output, _ = run("audit", "list", "--record", "customer", "--format", "json")
    (line,) = json.loads(output)
    assert (code, line["login"], line["action"], line["record"]) == (0, "sales", "create", "customer:1")
    assert "Secret" not in output
    assert "13800001111" not in output
    assert "Li Secret" in run("audit", "list", "--record", "customer:1", "--personal", "--format", "json")[1]
    assert run("backup", "restore", "latest", "--replace")[0] == 0
    found = json.loads(run("audit", "list", "--account", "system", "--format", "json")[1])
    assert [line["action"] for line in found][:1] == ["restored"]
    assert "before-restore" in found[0]["after"]
    (backup,) = lines(engine, action="restored")
    assert backup["after"]["system_user"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--record", "customr"), "There is no table customr"),
        (("--record", "customer:x"), "names no record"),
        (("--record", "customer:1;drop table customer"), "names no record"),
        (("--account", "nobody"), "nobody"),
    ],
)
def test_what_the_command_cannot_find_it_says(
    office: tuple[sa.Engine, dict[str, int]], run: Any, arguments: tuple[str, ...], said: str
) -> None:
    code, _, error = run("audit", "list", *arguments)
    assert code == 1
    assert said in error


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET account_id = NULL", "DELETE FROM audit_log"])
def test_no_service_can_take_a_line_away(office: tuple[sa.Engine, dict[str, int]], statement: str) -> None:
    engine, people = office
    _make_customers(engine, people["sales"], "a")
    before = lines(engine)

    def attempt(work: Work) -> None:
        work.session.execute(sa.text(statement))

    with pytest.raises(Exception, match="refuses this"), writing(engine, people["admin"]) as work:
        attempt(work)
    assert lines(engine) == before
