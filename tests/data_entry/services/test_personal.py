"""Everything held about a person is handed over, and erased without a trace; what statistics are made of stays."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.access import SYSTEM
from data_entry.access.actor import Actor
from data_entry.database import create_engine_for
from data_entry.schema import metadata
from data_entry.services import backup
from data_entry.services.errors import Forbidden, Invalid, NotFound, Refused
from data_entry.services.files import FileStore
from data_entry.services.personal import copies, service
from data_entry.services.personal.belongings import reachable, rows_about
from data_entry.services.personal.columns import Treatment, banded_birthday, treatment
from data_entry.services.personal.export import export
from data_entry.services.work import reading, writing
from loupan.erasures import ErasureListError, read_erasures
from loupan.i18n import translator
from loupan.settings import Settings, get_settings
from tests.support.crm import create_crm

MOMENT = dt.datetime(2026, 6, 30, 8)
ENTERED = dt.datetime(2026, 1, 2, 3, 4, 5)
# Tables that are written by the machinery, beside those found by their references.
ELSEWHERE = {"feature_value", "attachment", "audit_log"}
OTHER_TEXTS = {("report", "body"), ("post", "body"), ("thread", "title"), ("work_log", "text"), ("work_plan", "review"),
               ("expense", "description"), ("article_version", "body"), ("annotation", "title")}  # fmt: skip


def clock() -> dt.datetime:
    return MOMENT


def is_text(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)


@dataclass
class Person:
    """A person with at least one row in every table that can be about one; each text of it is a mark of its own."""

    number: int
    marks: set[str] = field(default_factory=set)
    name: str = ""
    phone: str = ""
    files: list[str] = field(default_factory=list)


@dataclass
class Company:
    engine: sa.Engine
    settings: Settings
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    keys: dict[str, int] = field(default_factory=dict)

    def insert(self, table: str, marks: set[str] | None = None, **values: Any) -> int:
        """Insert a row; with `marks`, every text of it that is not given becomes a mark."""
        for column in metadata.tables[table].c:
            if marks is not None and is_text(column) and column.name not in values:
                values[column.name] = f"mk{next(self.numbers):05d}zq"
                marks.add(values[column.name])
        values.setdefault("created_at", ENTERED)
        values.setdefault("updated_at", ENTERED)
        with self.engine.begin() as connection:
            statement = sa.insert(metadata.tables[table]).values(values).returning(metadata.tables[table].c.id)
            return int(connection.execute(statement).scalar_one())

    def found(self) -> None:
        """Make what does not belong to anybody."""
        keys = self.keys
        keys["project"] = self.insert("project", name="滨江壹号")
        building = self.insert("building", project_id=keys["project"], name="1")
        keys["unit"] = self.insert("unit", building_id=building, number="101")
        keys["employee"] = self.insert("employee", number="7", name="李经理")
        keys["category"] = self.insert("demand_category", kind="complaint", name="c")
        keys["fee_type"] = self.insert("fee_type", name="f")
        keys["survey"] = self.insert("survey", name="s")
        keys["question"] = self.insert("survey_question", survey_id=keys["survey"], sequence=1, text="how")
        keys["rule"] = self.insert("care_rule", name="r", calendar="birthday")
        for entity, kind, name, options in (
            ("customer", "text", "hobby", None),
            ("customer", "choice", "pet", "cat\ndog"),
            ("lead", "text", "wish", None),
            ("customer", "number", "size", None),
        ):
            keys[name] = self.insert("feature", entity=entity, data_type=kind, name=name, options=options)
        keys["class"] = self.insert("report_class", name="k")

    def person(self) -> Person:
        """Make a person of two records, one merged into the other, with rows and files everywhere."""
        keys, marks = self.keys, set[str]()
        customer = self.insert("customer", marks, birth_on=dt.date(1986, 3, 4), customer_class_id=None)
        merged = self.insert("customer", marks, merged_into_id=customer)
        at, day = dt.datetime(2026, 3, 1), dt.date(2026, 3, 1)
        who, project, unit = keys["employee"], keys["project"], keys["unit"]
        lead = self.insert("lead", marks, customer_id=merged, project_id=project, opened_at=at, budget=Decimal(100))
        self.insert("lead_event", marks, lead_id=lead, kind="visit", occurred_at=at)
        self.insert("customer_owner", marks, customer_id=customer, employee_id=who, from_at=at)
        self.insert("touchpoint", marks, customer_id=customer, project_id=project, occurred_at=at)
        deal = self.insert("deal", marks, customer_id=customer, project_id=project, lead_id=lead, unit_id=unit)
        for kind, amount in (("contract", "1000.50"), ("cancel", "1000.50")):
            self.insert("deal_event", marks, deal_id=deal, kind=kind, occurred_at=at, amount=Decimal(amount))
        self.insert("deal_share", marks, deal_id=deal, employee_id=who, share=Decimal(1))
        self.insert("payment_due", marks, deal_id=deal, due_on=day, amount=Decimal("10.01"))
        self.insert("payment", marks, deal_id=deal, received_on=day, amount=Decimal("10.01"))
        self.insert("unit_owner", marks, unit_id=unit, customer_id=customer, from_on=day, to_on=dt.date(2026, 4, 1))
        demand = self.insert("demand", marks, customer_id=merged, project_id=project, phase="sales", received_at=at,
                             demand_category_id=keys["category"])  # fmt: skip
        self.insert("demand_event", marks, demand_id=demand, kind="reply", occurred_at=at)
        self.insert("follow_up", marks, demand_id=demand, occurred_at=at, satisfaction=2)
        self.insert("promise", marks, customer_id=customer, made_at=at)
        bill = self.insert("fee_bill", marks, customer_id=customer, fee_type_id=keys["fee_type"], period_on=day,
                           amount=Decimal(5), due_on=day)  # fmt: skip
        self.insert("fee_payment", marks, fee_bill_id=bill, received_on=day, amount=Decimal(5))
        invitation = self.insert("survey_invitation", marks, survey_id=keys["survey"], customer_id=customer)
        response = self.insert("survey_response", marks, survey_id=keys["survey"], survey_invitation_id=invitation,
                               submitted_at=at)  # fmt: skip
        self.insert("survey_answer", marks, survey_response_id=response, survey_question_id=keys["question"],
                    value_number=3)  # fmt: skip
        occasion = self.insert("care_occasion", marks, care_rule_id=keys["rule"], customer_id=customer, occurs_on=day)
        task = self.insert("task", marks, care_occasion_id=occasion)
        self.insert("task_event", marks, task_id=task, kind="comment", occurred_at=at)
        self.insert("feedback", marks, customer_id=merged, received_at=at, rating=4)
        for feature, entity in (("hobby", customer), ("hobby", merged), ("wish", lead)):
            self.insert("feature_value", marks, feature_id=keys[feature], entity_id=entity)
        self.insert("feature_value", feature_id=keys["pet"], entity_id=customer, value="cat")
        person = Person(customer, marks)
        with self.engine.connect() as connection:
            customers = metadata.tables["customer"]
            found = connection.execute(sa.select(customers.c.name, customers.c.phone).where(customers.c.id == customer))
            person.name, person.phone = found.one()
        for entity, key in (("demand", demand), ("task", task)):
            body = f"file of {person.name} {entity}".encode()
            person.files.append(FileStore(self.settings.attachments_dir).put(body))
            self.insert("attachment", marks, entity=entity, entity_id=key, media_type="text/plain",
                        byte_count=len(body), sha256=person.files[-1])  # fmt: skip
        for entity, key in (("customer", customer), ("lead", lead), ("demand", demand)):
            self.insert("audit_log", marks, entity=entity, entity_id=key, action="update", at=at)
        return person

    def talk_about(self, *people: Person) -> None:
        """Name people in texts that are about other things."""
        said = " and ".join(f"{person.name}, tel. {person.phone}." for person in people)
        who, at, day = self.keys["employee"], MOMENT, MOMENT.date()
        thread = self.insert("thread", title=f"On {said}")
        self.insert("post", thread_id=thread, employee_id=who, posted_at=at, body=f"I met {said} Nice.")
        self.insert("report", report_class_id=self.keys["class"], author_id=who, title="t", body=f"Sold to {said}")
        self.insert("work_log", employee_id=who, day_on=day, text=f"Called {said}")
        self.insert("work_plan", employee_id=who, period_on=day, text="x", review=f"Call {said}")
        self.insert("expense", incurred_on=day, amount=Decimal(1), description=f"Tea with {said}")
        article = self.insert("article", category="c", title="t")
        self.insert("article_version", article_id=article, version=1, body=f"Case of {said}")
        self.insert("annotation", happened_on=day, title=f"{people[0].name} came")
        self.insert("audit_log", entity="post", entity_id=1, action="create", at=at,
                    after=json.dumps({"body": f"I met {said}"}, ensure_ascii=False))  # fmt: skip

    def texts(self) -> dict[tuple[str, str, int], str]:
        """Return every text of the database, by table, column and key."""
        found = {}
        with self.engine.connect() as connection:
            for table in metadata.sorted_tables:
                for column in table.c:
                    if is_text(column):
                        for key, text in connection.execute(sa.select(table.c.id, column)):
                            found[table.name, column.name, key] = text
        return found

    def facts(self) -> dict[tuple[str, int], tuple[Any, ...]]:
        """Return everything that is no text and no bookkeeping, by table and key."""
        left_out = {"updated_at", "updated_by", "row_version", "erased_at", "birth_on"}
        found = {}
        with self.engine.connect() as connection:
            for table in metadata.sorted_tables:
                if table.name in ("audit_log", "attachment"):
                    continue
                columns = [c for c in table.c if not is_text(c) and c.name not in left_out]
                for row in connection.execute(sa.select(*columns)):
                    found[table.name, row.id] = tuple(row)
        return found

    def erase(self, number: int, reason: str = "request of 30 June", **options: Any) -> list[str]:
        with writing(self.engine, SYSTEM, clock) as work:
            result = service.erase(work, number, reason, settings=self.settings, **options)
        return copies.clean(self.engine, self.settings, result)


@pytest.fixture
def company(crm_place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    monkeypatch.setenv("LOUPAN_DATA_DIR", str(tmp_path / "data"))
    url = crm_place.replace(str(tmp_path / "crm"), str(tmp_path / "data" / "crm"))
    monkeypatch.setenv("LOUPAN_CRM_URL", url)
    get_settings.cache_clear()
    engine = create_engine_for(url)
    create_crm(engine)
    made = Company(engine, get_settings())
    made.found()
    yield made
    engine.dispose()


def holding(folder: Path, words: set[str]) -> list[str]:
    """Return the files of a folder with one of the words in their bytes; backups end by themselves."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and "backups" not in path.parts:
            data = path.read_bytes()
            found += [f"{path.name}: {word}" for word in words if word.encode() in data]
    return found


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_every_table_about_people_is_known_here(company: Company) -> None:
    """A new table that refers to customers, or a new text in one, must be thought about."""
    person = company.person()
    with company.engine.connect() as connection:
        rows = rows_about(connection, [person.number, person.number + 1])
    assert set(rows) == set(reachable()) | ELSEWHERE
    kept = {
        f"{name}.{column.name}"
        for name in reachable()
        for column in metadata.tables[name].c
        if is_text(column) and treatment(column) is Treatment.KEEP
    }
    assert kept == set()


def test_a_person_leaves_no_trace_and_others_are_left_alone(company: Company) -> None:
    person, other = company.person(), company.person()
    company.talk_about(person, other)
    with company.engine.begin() as connection:  # somebody else's demand that repeats one of the person's
        demand = metadata.tables["demand"]
        mine, theirs = connection.scalars(sa.select(demand.c.id).order_by(demand.c.id)).all()
        connection.execute(sa.update(demand).where(demand.c.id == theirs).values(duplicate_of_id=mine))
    before, facts = company.texts(), company.facts()
    known = {text for text in before.values() if text in person.marks}
    assert known == person.marks
    if company.engine.dialect.name == "sqlite":
        assert holding(company.settings.data_dir, {person.name})
    assert company.erase(person.number) == []

    after = company.texts()
    assert [(place, mark) for place, text in after.items() if text for mark in person.marks if mark in text] == []
    assert holding(company.settings.data_dir, person.marks | {str(dt.date(1986, 3, 4))} - other.marks) == (
        [] if company.engine.dialect.name == "postgresql" else [f"crm.sqlite: {dt.date(1986, 3, 4)}"]
    )  # the other one's birthday is the same
    # The other person's texts are as they were, and so is what stands around the names.
    for place, text in before.items():
        if text in other.marks:
            assert after[place] == text
    body = next(text for (table, column, _), text in after.items() if (table, column) == ("post", "body"))
    assert body == f"I met [erased], tel. [erased]. and {other.name}, tel. {other.phone}. Nice."
    touched = {(table, column) for (table, column, key), text in after.items() if "[erased]" in (text or "")}
    assert touched >= OTHER_TEXTS
    # Days, amounts, units, ratings, references: all that statistics are made of.
    assert company.facts() == facts
    files = FileStore(company.settings.attachments_dir)
    assert [files.path(digest).exists() for digest in person.files] == [False, False]
    assert [files.path(digest).exists() for digest in other.files] == [True, True]


def test_what_is_kept_is_nobodys_own(company: Company) -> None:
    person = company.person()
    customer, value = metadata.tables["customer"], metadata.tables["feature_value"]
    company.insert("vocabulary_term", field="customer.occupation", value="teacher")
    with company.engine.begin() as connection:
        connection.execute(
            sa.update(customer).where(customer.c.id == person.number)
            .values(occupation="teacher", education="shared by five", income_band="shared by four", gender="female")
        )  # fmt: skip
    for number in range(4):
        key = company.insert("customer", name=f"n{number}", education="shared by five",
                             income_band="shared by four" if number < 3 else None)  # fmt: skip
        for feature, text in (("hobby", "chess"), ("size", "120")):
            company.insert("feature_value", feature_id=company.keys[feature], entity_id=key, value=text)
    for feature, text in (("hobby", "chess"), ("size", "77")):
        company.insert("feature_value", feature_id=company.keys[feature], entity_id=person.number, value=text)
    company.erase(person.number)
    with company.engine.connect() as connection:
        row = connection.execute(sa.select(customer).where(customer.c.id == person.number)).one()
        values = connection.execute(
            sa.select(value.c.id, value.c.value).where(value.c.entity_id == person.number)
        ).all()
    assert (row.occupation, row.education, row.income_band, row.gender) == ("teacher", "shared by five", None, "female")
    assert row.birth_on == dt.date(1986, 1, 1)  # forty years old: the middle of 35 to 44
    assert row.erased_at == MOMENT
    assert {text for _, text in values} >= {"cat", "chess"}
    assert all(text == f"erased-{key}" for key, text in values if text not in ("cat", "chess"))
    assert read_erasures(company.settings)[0].was_published


def test_the_trail_says_that_and_why_and_can_be_changed_no_more(company: Company) -> None:
    person = company.person()
    company.erase(person.number)
    trail = metadata.tables["audit_log"]
    with company.engine.connect() as connection:
        (line,) = connection.execute(sa.select(trail).where(trail.c.action == "erase")).all()
        assert (line.entity, line.entity_id, line.at) == ("customer", person.number, MOMENT)
        assert json.loads(line.after)["reason"] == "request of 30 June"
        old = connection.execute(sa.select(trail.c.before, trail.c.after).where(trail.c.action == "update")).all()
        assert set(old) == {(None, None)}
    for statement in (sa.update(trail).values(action="x"), sa.delete(trail)):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), company.engine.begin() as connection:
            connection.execute(statement)


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_erasing_again_is_no_harm(company: Company) -> None:
    person = company.person()
    company.erase(person.number)
    texts = {place: text for place, text in company.texts().items() if place[0] != "audit_log"}
    company.erase(person.number)
    assert {place: text for place, text in company.texts().items() if place[0] != "audit_log"} == texts
    assert len(read_erasures(company.settings)) == 2  # the two records of the person, once each


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_a_name_that_others_have_is_left_in_texts(company: Company) -> None:
    person = company.person()
    company.insert("employee", number="8", name=f"Dr. {person.name}")
    company.talk_about(person)
    company.erase(person.number)
    post = next(text for (table, column, _), text in company.texts().items() if (table, column) == ("post", "body"))
    assert post == f"I met {person.name}, tel. [erased]. Nice."


def test_an_older_backup_does_not_bring_the_person_back(company: Company, tmp_path: Path) -> None:
    person, other = company.person(), company.person()
    path = backup.create(company.engine, company.settings)
    company.erase(person.number)
    drill = backup.drill(company.engine, company.settings, path)
    assert (drill.passed, drill.problem, drill.erased) == (True, "", 2)
    # Into a new place, as after the loss of the machine: the list beside the backups is all there is.
    there = Settings(data_dir=tmp_path / "there", backup_dir=company.settings.backups_dir, crm_url="")
    target = create_engine_for(there.crm_database_url)
    backup.restore(target, there, path)
    again = Company(target, there)
    texts = [text for text in again.texts().values() if text]
    assert [text for text in texts for mark in person.marks if mark in text] == []
    assert other.name in texts
    assert holding(there.data_dir, person.marks) == []
    files = FileStore(there.attachments_dir)
    assert [files.path(digest).exists() for digest in (*person.files, *other.files)] == [False, False, True, True]
    target.dispose()


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_a_list_that_cannot_be_read_stops_the_restore(company: Company, tmp_path: Path) -> None:
    person = company.person()
    path = backup.create(company.engine, company.settings)
    company.erase(person.number)
    (company.settings.data_dir / "erasures.json").write_text("{", encoding="utf-8")
    with pytest.raises(ErasureListError, match="would come back"):
        backup.restore(company.engine, company.settings, path, replace=True)


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_the_same_number_of_another_crm_is_not_erased(company: Company, tmp_path: Path) -> None:
    person = company.person()
    company.erase(person.number)
    elsewhere = Settings(data_dir=tmp_path / "elsewhere", crm_url="")
    engine = create_engine_for(elsewhere.crm_database_url)
    create_crm(engine)
    customer = metadata.tables["customer"]
    with engine.begin() as connection:
        connection.execute(sa.insert(customer).values(id=person.number, name="somebody else", created_at=MOMENT))
    path = backup.create(engine, elsewhere)
    backup.restore(company.engine, company.settings, path, replace=True)
    with company.engine.connect() as connection:
        assert connection.scalar(sa.select(customer.c.name)) == "somebody else"
    engine.dispose()


def test_whoever_still_owes_or_owns_something_is_not_erased_unasked(company: Company) -> None:
    person = company.person()
    bill, owner, due, event = (metadata.tables[n] for n in ("fee_bill", "unit_owner", "payment_due", "deal_event"))
    with company.engine.begin() as connection:
        connection.execute(sa.update(bill).values(amount=Decimal(6)))
        connection.execute(sa.update(owner).values(to_on=None))
        connection.execute(sa.update(due).values(amount=Decimal(20)))
        connection.execute(sa.delete(event).where(event.c.kind == "cancel"))
    with reading(company.engine, SYSTEM, clock) as work:
        found = service.preview(work, person.number)
    assert service.running_words(found.running) == "1 units owned, 1 bills unpaid, 1 contracts not paid in full"
    assert found.contracts == (1,)
    assert found.rows["customer"] == 2
    texts = company.texts()
    with pytest.raises(Refused, match="still owed or owes"):
        company.erase(person.number)
    assert company.texts() == texts
    assert company.erase(person.number, despite_running=True) == []


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_reason_is_needed(company: Company, reason: str) -> None:
    person = company.person()
    with pytest.raises(Invalid):
        company.erase(person.number, reason)


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_the_reason_names_nobody_and_nothing_is_half_done(company: Company) -> None:
    person = company.person()
    texts = company.texts()
    with pytest.raises(Invalid, match="name"):
        company.erase(person.number, f"{person.name} asked for it")
    assert company.texts() == texts
    assert read_erasures(company.settings) == []


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("action", ["erase", "export", "personal"])
def test_it_takes_the_right_to_it_and_to_personal_data(company: Company, action: str) -> None:
    person = company.person()
    rights = {
        (name, each): frozenset({"all"}) for name in ("customer",) for each in ("read", "erase", "export", "personal")
    }
    del rights["customer", action]
    actor = Actor(None, permissions=rights)
    if action != "export":
        with pytest.raises(Forbidden), writing(company.engine, actor, clock) as work:
            service.erase(work, person.number, "why", settings=company.settings)
    if action != "erase":
        with pytest.raises(Forbidden), writing(company.engine, actor, clock) as work:
            export(work, person.number, translator("en"), "en", company.settings)
    with pytest.raises(NotFound), writing(company.engine, SYSTEM, clock) as work:
        service.erase(work, 987_654, "why", settings=company.settings)


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_is_handed_over(company: Company, language: str) -> None:
    person, other = company.person(), company.person()
    with writing(company.engine, SYSTEM, clock) as work:
        made = export(work, person.number, translator(language), language, company.settings)
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        names = archive.namelist()
        data, page = archive.read("person.json").decode(), archive.read("person.html").decode()
        files = {sha256(archive.read(name)).hexdigest() for name in names if name.startswith("attachments/")}
    secret = {text for (_, column, _), text in company.texts().items() if column == "token_hash"}
    for mark in person.marks - secret:
        assert mark in data
        assert mark in page
    for mark in other.marks | secret:
        assert mark not in data
        assert mark not in page
    assert files == set(person.files)
    assert json.loads(data)["customer_numbers"] == [person.number, person.number + 1]
    assert "李经理" in page
    assert translator(language)("Customer") in page
    trail = metadata.tables["audit_log"]
    with company.engine.connect() as connection:
        (line,) = connection.execute(sa.select(trail).where(trail.c.action == "export")).all()
    assert (line.entity_id, set(json.loads(line.after))) == (person.number, {"rows"})


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_a_name_cannot_leave_the_page_of_the_export(company: Company) -> None:
    key = company.insert("customer", name="<script>alert(1)</script>")
    with writing(company.engine, SYSTEM, clock) as work:
        made = export(work, key, translator("en"), "en", company.settings)
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert "<script>" not in archive.read("person.html").decode()


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_lines_of_rejected_rows_go_and_the_others_stay(company: Company) -> None:
    person = company.person()
    folder = company.settings.data_dir / "rejects" / "20260101"
    folder.mkdir(parents=True)
    (folder / "customer.csv").write_text(f"name,phone\n{person.name},1\n王,2\n", encoding="utf-8-sig")
    company.erase(person.number)
    assert (folder / "customer.csv").read_text(encoding="utf-8-sig").split() == ["name,phone", "王,2"]


@pytest.mark.parametrize(
    ("born", "stands"),
    [("2026-06-30", 2014), ("2001-07-01", 2014), ("2001-06-30", 1996), ("1986-03-04", 1986), ("1961-07-01", 1966),
     ("1961-06-30", 1946), ("1900-01-01", 1946)],
)  # fmt: skip
def test_birthdays_become_those_of_their_age_band(born: str, stands: int) -> None:
    assert banded_birthday(dt.date.fromisoformat(born), MOMENT.date()) == dt.date(stands, 1, 1)
    assert banded_birthday(dt.date(2027, 1, 1), MOMENT.date()) is None


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_nobody_is_erased_where_the_list_cannot_be_written(company: Company) -> None:
    person = company.person()
    texts = company.texts()
    company.settings.data_dir.joinpath("erasures.json").mkdir()
    with pytest.raises(Refused, match="nobody was erased"):
        company.erase(person.number)
    assert company.texts() == texts


@pytest.mark.parametrize("crm_place", ["sqlite"], indirect=True)
def test_a_reader_in_between_is_named_and_nothing_is_left_once_it_ends(company: Company) -> None:
    person = company.person()
    with company.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
    reader = sqlite3.connect(str(company.engine.url.database), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM customer").fetchall()
    with company.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA busy_timeout = 200")  # the pool gives the same one again
    (left,) = company.erase(person.number)
    assert "in use" in left
    reader.close()
    assert company.erase(person.number) == []
    assert holding(company.settings.data_dir, person.marks) == []
