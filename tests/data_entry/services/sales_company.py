"""A small company that sells: two consultants and their manager, an estate with a licensed building and one without."""

from __future__ import annotations

import datetime as dt
import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from data_entry.access import ensure_roles
from data_entry.database import create_engine_for
from data_entry.schema.competition import Competitor, CompetitorObservation, CompetitorProject
from data_entry.schema.customer import Customer, Feature
from data_entry.schema.deal import Reason
from data_entry.schema.estate import Building, Project, Unit, UnitPrice
from data_entry.schema.lead import Source
from data_entry.schema.organisation import (
    Account,
    AccountRole,
    Department,
    Employee,
    EmployeePosition,
    EmployeeProject,
    Position,
    Role,
)
from data_entry.services import customers, leads
from data_entry.services.work import Work, reading, writing
from tests.support.crm import create_crm

# Accounts, by the key of their employee; 4 works elsewhere, 5 cares for customers.
WANG, ZHAO, MANAGER, STRANGER, SERVICE = 1, 2, 3, 4, 5
ROLES = {WANG: "sales", ZHAO: "sales", MANAGER: "sales_manager", STRANGER: "sales", SERVICE: "service"}
NAMES = {WANG: "Wang", ZHAO: "Zhao", MANAGER: "Manager", STRANGER: "Stranger", SERVICE: "Service"}
ESTATE, ELSEWHERE = 1, 2
LICENSED, UNLICENSED = 1, 2
LOSS, CANCEL = 1, 2
LIST, FLOOR = Decimal("1000000"), Decimal("900000")
UNITS = 6
START = dt.datetime(2026, 3, 2, 2, 0)  # ten o'clock in Shanghai


class Company:
    """The CRM of the company, and a clock that moves when told to."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.now = START

    def later(self, days: float = 1) -> dt.datetime:
        """Move the clock on."""
        self.now += dt.timedelta(days=days)
        return self.now

    @contextmanager
    def write(self, who: int = WANG) -> Iterator[Work]:
        """Open a work of an account that writes."""
        with writing(self.engine, who, clock=lambda: self.now) as work:
            yield work

    @contextmanager
    def read(self, who: int = WANG) -> Iterator[Work]:
        """Open a work of an account that reads."""
        with reading(self.engine, who, clock=lambda: self.now) as work:
            yield work

    def lead(self, who: int = WANG, name: str = "陈一", phone: str | None = "13800000001", **parts) -> int:
        """Enter a customer with a lead and return the key of the lead."""
        with self.write(who) as work:
            customer = customers.enter(work, {"name": name, "phone": phone}, project_id=ESTATE)
            return leads.open_lead(work, customer.id, ESTATE, source_id=1, contact="visit", **parts).id

    def status(self, unit_id: int) -> str:
        with Session(self.engine) as session:
            return session.get_one(Unit, unit_id).status

    def customer_of(self, lead_id: int) -> int:
        with Session(self.engine) as session:
            return session.scalars(
                sa.select(Customer.id)
                .join(leads.Lead, leads.Lead.customer_id == Customer.id)
                .where(leads.Lead.id == lead_id)
            ).one()


def found(engine: sa.Engine) -> None:
    """Make the company in an empty CRM."""
    create_crm(engine, with_roles=True)
    with Session(engine) as session:
        _fill(session)
        session.commit()


@functools.cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="loupan-sales-")) / "crm.sqlite"
    engine = create_engine_for(f"sqlite:///{path}")
    found(engine)
    engine.dispose()
    return path


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """The company on SQLite."""
    shutil.copy(_template(), tmp_path / "crm.sqlite")
    engine = create_engine_for(f"sqlite:///{tmp_path / 'crm.sqlite'}")
    yield Company(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def company_on_each(request: pytest.FixtureRequest) -> Iterator[Company]:
    """The company on each engine."""
    if request.param == "sqlite":
        yield request.getfixturevalue("company")
        return
    engine = create_engine_for(request.getfixturevalue("postgres_url"))
    found(engine)
    yield Company(engine)
    engine.dispose()


def _fill(session: Session) -> None:
    ensure_roles(session)
    session.add_all([Department(id=1, name="Sales"), Department(id=2, name="Consulting", parent_id=1)])
    session.add(Department(id=3, name="Other estate"))
    session.flush()
    session.add_all(
        [
            Position(id=1, department_id=1, name="Manager"), Position(id=2, department_id=2, name="Consultant"),
            Position(id=3, department_id=3, name="Consultant"),
        ]
    )  # fmt: skip
    session.add_all([Project(id=ESTATE, name="River Bay"), Project(id=ELSEWHERE, name="Hill Park")])
    for key, name in NAMES.items():
        session.add(Employee(id=key, number=f"E{key}", name=name))
        session.flush()
        session.add(Account(id=key, employee_id=key, login=name.lower()))
    session.flush()
    roles = {role.name: role.id for role in session.scalars(sa.select(Role))}
    held = {WANG: 2, ZHAO: 2, MANAGER: 1, STRANGER: 3}
    for key in NAMES:
        session.add(AccountRole(account_id=key, role_id=roles[ROLES[key]]))
        if key in held:
            session.add(EmployeePosition(employee_id=key, position_id=held[key], from_on=dt.date(2025, 1, 1)))
            estate = ELSEWHERE if key == STRANGER else ESTATE
            session.add(EmployeeProject(employee_id=key, project_id=estate, from_on=dt.date(2025, 1, 1)))
    session.add(Building(id=LICENSED, project_id=ESTATE, name="1", presale_permit_on=dt.date(2026, 3, 1)))
    session.add(Building(id=UNLICENSED, project_id=ESTATE, name="2", presale_permit_on=dt.date(2026, 12, 1)))
    session.add(Building(id=3, project_id=ELSEWHERE, name="1", presale_permit_on=dt.date(2026, 3, 1)))
    session.flush()
    for key in range(1, UNITS + 1):
        session.add(
            Unit(
                id=key, building_id=LICENSED, number=f"{key}01", floor=key, area_sqm=Decimal(80 + key), list_price=LIST
            )
        )
    session.add(Unit(id=20, building_id=UNLICENSED, number="101", floor=1, area_sqm=Decimal(80), list_price=LIST))
    session.add(Unit(id=21, building_id=LICENSED, number="901", floor=9, list_price=LIST, status="withheld"))
    session.add(Unit(id=22, building_id=3, number="101", floor=1, list_price=LIST))
    session.flush()
    for key in (*range(1, UNITS + 1), 20, 21, 22):
        session.add(UnitPrice(unit_id=key, list_price=LIST, floor_price=FLOOR, valid_from_on=dt.date(2026, 1, 1)))
    session.add_all(
        [
            Reason(id=LOSS, kind="loss", name="Price"), Reason(id=CANCEL, kind="cancel", name="No loan"),
            Source(id=1, name="Search", market_type="online"),
            Feature(id=1, entity="competitor_project", name="Price per m²", data_type="number", sequence=1),
            Competitor(id=1, name="Rival Homes"),
        ]
    )  # fmt: skip
    session.flush()
    session.add(CompetitorProject(id=1, competitor_id=1, name="Lake View", level="core", own_project_id=ESTATE))
    session.flush()
    for day, value in ((1, "12000"), (20, "12500"), (10, "11000")):
        session.add(
            CompetitorObservation(
                competitor_project_id=1, feature_id=1, value=value, observed_on=dt.date(2026, 2, day), employee_id=5
            )
        )
