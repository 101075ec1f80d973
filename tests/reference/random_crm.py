"""Small random companies, valid by the schema and full of hard cases."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import pandas as pd
import sqlalchemy as sa

from data_entry.schema import metadata

T = TypeVar("T")
DAY = dt.timedelta(days=1)
WINDOW = 180 * DAY

# Moments the statistics may speak of: in the day, just before and exactly at midnight in Shanghai (16:00 UTC).
AS_OF_MOMENTS = (
    dt.datetime(2025, 6, 30, 10, 30),
    dt.datetime(2025, 6, 30, 15, 59, 59),
    dt.datetime(2025, 6, 30, 16, 0, 0),
    dt.datetime(2024, 2, 29, 3, 0, 0),
)

PROJECT_NAMES = ("Garden 🏡", 'O\'Hara "Court"', "'; drop table deal; --", "翠湖天地")
CHANNELS = ("phone", "visit", "app", "O'Neil's \"desk\"", None)


@dataclass(frozen=True)
class RandomCrm:
    """A company: its tables as data frames (moments in UTC without offset), and the moment to speak of."""

    tables: dict[str, pd.DataFrame]
    as_of: dt.datetime


def random_crm(seed: int, customers: int = 40) -> RandomCrm:
    """Return the company that ``seed`` makes, with about so many customers."""
    return _Company(random.Random(seed), customers).build()


def defaults(table: sa.Table) -> dict[str, Any]:
    """Return what the database puts where a row leaves a required column out."""
    found: dict[str, Any] = {}
    for column in table.columns:
        given = getattr(column.server_default, "arg", None)
        if isinstance(given, (sa.sql.elements.True_, sa.sql.elements.False_)):
            found[column.name] = isinstance(given, sa.sql.elements.True_)
        elif isinstance(given, str):
            found[column.name] = column.type.python_type(given)
    return found


class _Company:
    """Fills the tables step by step; a row may refer to rows made before it only."""

    def __init__(self, rng: random.Random, customers: int) -> None:
        self.rng = rng
        self.customer_count = customers
        self.as_of = rng.choice(AS_OF_MOMENTS)
        self.begin = self.as_of - 420 * DAY
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.free_units: list[dict[str, Any]] = []

    def build(self) -> RandomCrm:
        """Make every table, delete some rows, and shuffle the rest."""
        self.organisation()
        self.estates()
        self.marketing()
        self.planning()
        self.customers()
        self.features()
        self.leads()
        for customer in self.pick_some("customer", 0.15):
            self.deal(customer["id"], self.one("project")["id"], None, self.moment())
        self.touchpoints()
        self.demands()
        self.promises()
        self.surveys()
        self.fees()
        self.delete_some()
        return RandomCrm({name: self.frame(name) for name in self.rows}, self.as_of)

    def frame(self, name: str) -> pd.DataFrame:
        """Return a table with every column of the schema, its rows in no order."""
        columns = [column.name for column in metadata.tables[name].columns]
        stamps = {"created_at": self.begin, "updated_at": self.begin, "row_version": 1}
        entered = random.Random(f"entry of {name} in {len(self.rows[name])} rows")
        rows = [
            {**defaults(metadata.tables[name]), **stamps, **self.stamp_of_entry(entered, row), **row}
            for row in self.rows[name]
        ]
        self.rng.shuffle(rows)
        return pd.DataFrame({column: pd.Series([row.get(column) for row in rows], dtype=object) for column in columns})

    def stamp_of_entry(self, rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
        """Return when a row was typed in: soon, late, on the edge of the seventh day; at times with all others."""
        happened = next(
            (
                row[name]
                for name in ("opened_at", "occurred_at", "received_at", "received_on", "incurred_on")
                if name in row
            ),
            None,
        )
        if happened is None or rng.random() < 0.3:
            return {}
        if not isinstance(happened, dt.datetime):
            happened = dt.datetime.combine(happened, dt.time(2))
        return {"created_at": happened + rng.choice((0, 1, 7, 7.5, 8, 30)) * DAY}

    # Chance.

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def maybe(self, probability: float, value: Callable[[], T]) -> T | None:
        return value() if self.chance(probability) else None

    def one(self, table: str) -> dict[str, Any]:
        return self.rng.choice(self.rows[table])

    def one_id(self, table: str, probability: float = 1.0) -> int | None:
        """Return the key of some row, or None with the rest of the probability."""
        return self.maybe(probability, lambda: self.one(table)["id"])

    def pick_some(self, table: str, share: float) -> list[dict[str, Any]]:
        return [row for row in self.rows[table] if self.chance(share)]

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        row = {"id": len(self.rows[table]) + 1, **values}
        self.rows[table].append(row)
        return row

    def moment(self, begin: dt.datetime | None = None, *, parity: int = 0) -> dt.datetime:
        """Return a moment after ``begin``, at times on either side of midnight in Shanghai, at times after the as-of.

        Its seconds are even or odd by ``parity``: moments of different parity are never the same.
        """
        begin = begin or self.begin
        horizon = max(self.as_of + 15 * DAY, begin + DAY)
        minutes = int((horizon - begin).total_seconds()) // 60
        return self.at_the_edge(begin + dt.timedelta(minutes=self.rng.randrange(minutes)), parity)

    def soon(self, moment: dt.datetime, days: float = 25, *, parity: int = 0) -> dt.datetime:
        """Return a moment up to so many days later, at times the very same (if parity allows)."""
        if self.chance(0.1) and moment.second % 2 == parity:
            return moment
        later = self.at_the_edge(moment + dt.timedelta(minutes=self.rng.randrange(2, int(days * 1440))), parity)
        return max(later, moment + dt.timedelta(seconds=1 if moment.second % 2 != parity else 2))

    def at_the_edge(self, moment: dt.datetime, parity: int) -> dt.datetime:
        moment = moment.replace(second=2 * self.rng.randrange(29) + parity, microsecond=0)
        if self.chance(0.15):
            edge = dt.time(15, 59, 58 + parity) if self.chance(0.5) else dt.time(16, 0, parity)
            moment = dt.datetime.combine(moment.date(), edge)
        return moment

    def day(self, begin: dt.datetime | None = None) -> dt.date:
        return self.moment(begin).date()

    def money(self, low: int, high: int) -> Decimal:
        return Decimal(self.rng.randrange(low * 100, high * 100)) / 100

    # Master data.

    def organisation(self) -> None:
        """Departments in a tree; employees who moved, left, have a gap, held two positions at once, or never any."""
        self.add("department", name="Company")
        for name in ("Sales 销售部", "Sales 'B'", "Service", "Property"):
            self.add("department", parent_id=1, name=name)
        for number in range(1, 8):
            self.add("position", department_id=self.rng.randrange(2, 6), name=f"Position {number}")
        for number in range(1, 8):
            employee = self.add("employee", number=f"E{number:03}", name=f"Zoë {number} 😀")
            start = self.begin.date() - 100 * DAY
            for _ in range(self.rng.randrange(4) if number > 1 else 0):
                end = start + self.rng.randrange(60, 300) * DAY
                self.add(
                    "employee_position",
                    employee_id=employee["id"],
                    position_id=self.one_id("position"),
                    from_on=start,
                    to_on=end,
                )
                start = end + self.rng.choice((1, 1, 1, 40, -20)) * DAY
            if number > 1 and self.chance(0.7):
                self.add(
                    "employee_position", employee_id=employee["id"], position_id=self.one_id("position"), from_on=start
                )

    def estates(self) -> None:
        """Projects with and without a margin; buildings with and without a permit; units with and without a price."""
        for name in self.rng.sample(PROJECT_NAMES, 3):
            project = self.add(
                "project",
                name=name,
                type=self.rng.choice(("residential", None)),
                district=self.rng.choice(("East", "West's", None)),
                gross_margin_rate=self.rng.choice((None, *3 * (Decimal("0.2500"), Decimal("0.1875")))),
            )
            permits = (self.begin.date(), self.as_of.date() + 5 * DAY, None)
            for number, permit_on in enumerate(permits, start=1):
                building = self.add(
                    "building", project_id=project["id"], name=f"Building {number}", presale_permit_on=permit_on
                )
                for unit_number in range(40 if number == 1 else 3):
                    unit = self.add(
                        "unit",
                        building_id=building["id"],
                        number=str(unit_number),
                        area_sqm=self.maybe(0.95, lambda: self.money(60, 150)),
                        list_price=self.maybe(0.95, lambda: self.money(800_000, 3_000_000)),
                        status="available",
                    )
                    if number == 1 or self.chance(0.3):
                        self.free_units.append({**unit, "project_id": project["id"]})
                    if self.chance(0.2):
                        for valid_from_on in {self.day(), self.day()}:
                            self.add(
                                "unit_price",
                                unit_id=unit["id"],
                                valid_from_on=valid_from_on,
                                list_price=self.money(800_000, 3_000_000),
                            )
        self.rng.shuffle(self.free_units)

    def marketing(self) -> None:
        """Sources of every market type, plans with and without a project, expenses in every state."""
        market_types = ("online", "media", "outdoor", "event", "channel", "referral", "direct", "other")
        for number, market_type in enumerate(market_types, start=1):
            self.add("source", parent_id=self.one_id("source", 0.3) if number > 1 else None,
                     name=f"Source '{number % 7}' 📣", market_type=market_type)  # fmt: skip
        for number in range(1, 6):
            start_on = self.day()
            self.add(
                "plan",
                project_id=self.one_id("project", 0.7),
                name=f'Plan "{number}"',
                start_on=start_on,
                end_on=self.maybe(0.7, lambda start_on=start_on: start_on + self.rng.randrange(90) * DAY),
                budget=self.rng.choice((None, Decimal("0.00"), self.money(1, 90_000), self.money(1, 90_000))),
            )
        for number in range(1, 9):
            self.add(
                "activity",
                plan_id=self.one_id("plan", 0.8),
                source_id=self.one_id("source", 0.8),
                name=f"Activity {number}",
            )
        for number in range(1, 5):
            parent_id = self.one_id("expense_category", 0.5) if number > 1 else None
            self.add("expense_category", parent_id=parent_id, name=f"Expense {number}")
        for _ in range(40):
            activity = self.maybe(0.6, lambda: self.one("activity"))
            plan_id = activity["plan_id"] if activity else self.one_id("plan", 0.7)
            plan = self.rows["plan"][plan_id - 1] if plan_id else None
            self.add(
                "expense",
                activity_id=activity["id"] if activity else None,
                plan_id=None if activity and self.chance(0.5) else plan_id,
                expense_category_id=self.one_id("expense_category", 0.8),
                project_id=plan["project_id"] if plan and self.chance(0.8) else self.one_id("project", 0.5),
                incurred_on=self.day(),
                amount=self.money(100, 90_000),
                status=self.rng.choice(("draft", "submitted", "approved", "rejected", "paid", "approved", "paid")),
            )

    def planning(self) -> None:
        """Targets of most months and metrics, some of zero, some to come; events of projects and of the company."""
        metrics = metadata.tables["target"].c.metric.type.enums  # type: ignore[attr-defined]
        first = self.begin.date().replace(day=1)
        months = sorted({(first + number * 28 * DAY).replace(day=1) for number in range(18)})
        for project in self.rows["project"]:
            for month_on in months:
                for metric in metrics:
                    if self.chance(0.4):
                        value = Decimal("0.00") if self.chance(0.1) else self.money(1, 9_000)
                        self.add("target", project_id=project["id"], month_on=month_on, metric=metric, value=value)
        for number in range(1, 8):
            self.add(
                "annotation",
                project_id=self.one_id("project", 0.6),
                happened_on=self.day(),
                kind=self.rng.choice(("launch", "policy", "other")),
                title=f"What's new {number % 4}",
            )

    # Customers and their leads.

    def features(self) -> None:
        """Features for all and for a class, of one value and several, typed and chosen; and one of something else."""
        for number, data_type in enumerate(("choice", "choice", "text", "boolean"), start=1):
            is_multi = number > 1
            self.add("feature", entity="customer", name=f"Asks '{number}'", data_type=data_type, is_multi=is_multi,
                     class_id=self.one_id("customer_class", 0.4))  # fmt: skip
            for customer in self.pick_some("customer", 0.6):
                for value in self.rng.sample(("yes", "no", "perhaps"), self.rng.randint(1, 3 if is_multi else 1)):
                    self.add("feature_value", feature_id=number, entity_id=customer["id"], value=value)
        other = self.add("feature", entity="unit", name="View", data_type="text")
        self.add("feature_value", feature_id=other["id"], entity_id=1, value="sea")

    def customers(self) -> None:
        """Customers merged in chains, at times in a circle."""
        for number in range(1, 5):
            parent_id = self.one_id("customer_class", 0.5) if number > 1 else None
            self.add("customer_class", parent_id=parent_id, name=f"Class {number}")
        for number in range(1, self.customer_count + 1):
            self.add(
                "customer",
                kind=self.rng.choice(("person", "company")),
                name=f"Robert'); drop table customer;-- {number} 🎉",
                gender=self.rng.choice(("female", "male", "other", None)),
                birth_on=self.maybe(0.7, lambda: dt.date(1950, 1, 1) + self.rng.randrange(20_000) * DAY),
                education=self.rng.choice(("school", "bachelor's", None)),
                occupation=self.rng.choice(("teacher", "engineer", None)),
                income_band=self.rng.choice(("low", "high", None)),
                personality=self.rng.choice(("careful", "bold", None)),
                customer_class_id=self.one_id("customer_class", 0.8),
                merged_into_id=self.one_id("customer", 0.25) if number > 1 else None,
            )
        if self.chance(0.2) and self.customer_count >= 2:
            first, second = self.rng.sample(self.rows["customer"], 2)
            first["merged_into_id"], second["merged_into_id"] = second["id"], first["id"]

    def leads(self) -> None:
        """Leads, several of one customer in one project among them, with visits, losses, reopenings and deals."""
        self.add("competitor", name="Rival & Sons")
        for number in range(1, 3):
            self.add("competitor_project", competitor_id=self.one_id("competitor", 0.7), name=f"Rival estate {number}")
        for number in range(1, 4):
            rival_id = self.one_id("competitor_project", 0.6)
            self.add("reason", kind="loss", name=f"Loss {number}", competitor_project_id=rival_id)
            self.add("reason", kind="cancel", name=f"Cancel {number}")
        for customer in self.rows["customer"]:
            for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3))):
                lead = self.add(
                    "lead",
                    customer_id=customer["id"],
                    project_id=self.one_id("project"),
                    source_id=self.one_id("source", 0.9),
                    activity_id=self.one_id("activity", 0.5),
                    employee_id=self.one_id("employee", 0.9),
                    opened_at=self.moment(),
                )
                if self.chance(0.1) and len(self.rows["lead"]) > 1:
                    lead["opened_at"] = self.rows["lead"][-2]["opened_at"]
                self.lead_events(lead)
                for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
                    self.deal(customer["id"], lead["project_id"], lead["id"], self.soon(lead["opened_at"], 60))

    def lead_events(self, lead: dict[str, Any]) -> None:
        """Calls, visits and losses, in seconds that no deal event has: what came last is never in doubt."""
        moment = lead["opened_at"]
        for _ in range(self.rng.randrange(6)):
            moment = self.soon(moment, parity=1)
            kind = self.rng.choice(("call", "visit", "visit", "qualified", "lost", "lost", "reopened"))
            self.add(
                "lead_event",
                lead_id=lead["id"],
                kind=kind,
                occurred_at=moment,
                employee_id=self.one_id("employee", 0.9),
                is_effective=self.rng.choice((True, True, False, None)),
                reason_id=self.rng.choice((1, 3, 5, None)) if kind == "lost" else None,
            )

    # Deals.

    def deal(self, customer_id: int, project_id: int, lead_id: int | None, moment: dt.datetime) -> None:
        """A deal that goes some way from small booking to contract, is amended, swapped, cancelled, signed again."""
        deal = self.new_deal(customer_id, project_id, lead_id, None)
        signed = False
        for stage, probability in (("small_booking", 0.5), ("booking", 0.6), ("contract", 0.65)):
            if self.chance(probability):
                amount = self.price() if stage == "contract" else self.maybe(0.9, lambda: self.money(1_000, 90_000))
                self.event(deal, stage, moment, amount)
                signed = stage == "contract"
                moment = self.soon(moment)
        if not signed:
            if self.chance(0.15) and self.events_of(deal):
                deal, moment = self.swap(deal, moment, self.rng.choice(("booking", "contract")))
            if self.chance(0.4) and self.events_of(deal):
                self.event(deal, "cancel", moment, self.maybe(0.8, lambda: self.money(1_000, 90_000)))
                if deal["swapped_from_id"] is None and self.chance(0.3):
                    self.event(deal, "contract", self.soon(moment), self.price())
            self.money_flow(deal)
            return
        deal, moment = self.amend_and_swap(deal, moment)
        if self.chance(0.35):
            self.event(deal, "cancel", moment, self.maybe(0.95, lambda: self.money(700_000, 3_000_000)))
            if deal["swapped_from_id"] is None and self.chance(0.35):
                moment = self.soon(moment)
                self.event(deal, "contract", moment, self.price())
                self.amend_and_swap(deal, self.soon(moment))

    def price(self) -> Decimal:
        return self.money(700_000, 3_000_000)

    def new_deal(
        self, customer_id: int, project_id: int, lead_id: int | None, swapped_from_id: int | None
    ) -> dict[str, Any]:
        """A deal of a unit that nobody else has; now and then with shares that sum to 1."""
        unit = next((unit for unit in self.free_units if unit["project_id"] == project_id), None)
        if unit is not None and (swapped_from_id is not None or self.chance(0.95)):
            self.free_units.remove(unit)
        else:
            unit = None
        deal = self.add(
            "deal",
            lead_id=lead_id,
            customer_id=customer_id,
            project_id=project_id,
            unit_id=unit["id"] if unit else None,
            swapped_from_id=swapped_from_id,
        )
        if self.chance(0.3):
            shares = self.rng.choice((("1",), ("0.5", "0.5"), ("0.333334", "0.333333", "0.333333"), ("0.7", "0.3")))
            holders = self.rng.sample(self.rows["employee"], len(shares))
            for holder, share in zip(holders, shares, strict=True):
                self.add("deal_share", deal_id=deal["id"], employee_id=holder["id"], share=Decimal(share))
        return deal

    def events_of(self, deal: dict[str, Any]) -> list[dict[str, Any]]:
        return [event for event in self.rows["deal_event"] if event["deal_id"] == deal["id"]]

    def event(self, deal: dict[str, Any], kind: str, moment: dt.datetime, amount: Decimal | None) -> None:
        self.add(
            "deal_event",
            deal_id=deal["id"],
            kind=kind,
            occurred_at=moment,
            amount=amount,
            employee_id=self.one_id("employee", 0.95),
            reason_id=self.rng.choice((2, 4, 6, None)) if kind == "cancel" else None,
        )

    def amend_and_swap(self, deal: dict[str, Any], moment: dt.datetime) -> tuple[dict[str, Any], dt.datetime]:
        """Amend the price, change the unit, up to three times; return the deal that is left, and the next moment."""
        for _ in range(3):
            if self.chance(0.35):
                self.event(deal, "amend", moment, self.money(-50_000, 50_000))
                moment = self.soon(moment)
            if not self.chance(0.3):
                break
            self.money_flow(deal)
            deal, moment = self.swap(deal, moment, "contract")
        self.money_flow(deal)
        return deal, moment

    def swap(self, deal: dict[str, Any], moment: dt.datetime, stage: str) -> tuple[dict[str, Any], dt.datetime]:
        """Give a deal up for another unit; return the deal that follows, and the next moment."""
        self.event(deal, "swap", moment, Decimal(0))
        lead_id = deal["lead_id"] if self.chance(0.9) else None
        successor = self.new_deal(deal["customer_id"], deal["project_id"], lead_id, deal["id"])
        self.event(successor, stage, moment, self.price())
        return successor, self.soon(moment)

    def money_flow(self, deal: dict[str, Any]) -> None:
        """Instalments due and payments received, refunds and voided entries among them."""
        events = self.events_of(deal)
        if not events:
            return
        begin = events[0]["occurred_at"]
        for _ in range(self.rng.randrange(3)):
            self.add("payment_due", deal_id=deal["id"], due_on=self.day(begin), amount=self.money(1_000, 900_000))
        for _ in range(self.rng.randrange(3)):
            self.add(
                "payment",
                deal_id=deal["id"],
                received_on=self.day(begin),
                amount=self.money(-50_000, 500_000),
                is_void=self.chance(0.2),
            )

    def touchpoints(self) -> None:
        """Contacts exactly at both ends of the window before a deal, just outside it, and at random."""
        first_events: dict[int, dt.datetime] = {}
        for event in self.rows["deal_event"]:
            known = first_events.get(event["deal_id"], event["occurred_at"])
            first_events[event["deal_id"]] = min(known, event["occurred_at"])
        for deal in self.rows["deal"]:
            first = first_events.get(deal["id"])
            if first is None or deal["swapped_from_id"] is not None:
                continue
            second = dt.timedelta(seconds=1)
            edges = (first, first - WINDOW, first - WINDOW - second, first + second, first - 7 * DAY)
            moments = [*self.rng.sample(edges, self.rng.randrange(3))]
            moments += [
                first - dt.timedelta(minutes=self.rng.randrange(200 * 1440)) for _ in range(self.rng.randrange(4))
            ]
            for moment in moments:
                self.touchpoint(deal["customer_id"], deal["project_id"], moment)
        for customer in self.pick_some("customer", 0.4):
            self.touchpoint(customer["id"], self.one("project")["id"], self.moment())

    def touchpoint(self, customer_id: int, project_id: int, moment: dt.datetime) -> None:
        direct = next(source["id"] for source in self.rows["source"] if source["market_type"] == "direct")
        self.add(
            "touchpoint",
            customer_id=customer_id,
            project_id=project_id,
            source_id=direct if self.chance(0.25) else self.one_id("source", 0.95),
            activity_id=self.one_id("activity", 0.4),
            occurred_at=moment,
        )

    # After the sale.

    def demands(self) -> None:
        """Demands in a tree of categories: repeated, withdrawn, unfounded, answered in time to the second, reopened."""
        kinds = ("complaint", "suggestion", "service_request", "decoration", "other")
        for number, kind in enumerate((*kinds, "complaint", "suggestion"), start=1):
            self.add("demand_category", kind=kind, name=f"Category {number}")
        for number in range(8, 13):
            parent = self.one("demand_category")
            name = "Category 'other'" if number > 10 else f"Category {number}"
            self.add("demand_category", parent_id=parent["id"], kind=parent["kind"], name=name)
        for _ in range(2 * self.customer_count):
            received_at = self.moment()
            demand = self.add(
                "demand",
                customer_id=self.one_id("customer"),
                project_id=self.one_id("project"),
                demand_category_id=self.one_id("demand_category"),
                phase=self.rng.choice(("sales", "property")),
                channel=self.rng.choice(CHANNELS),
                severity=self.rng.choice(("low", "high", None)),
                received_at=received_at,
                due_at=self.maybe(0.8, lambda moment=received_at: self.soon(moment, 3)),
                responsible_employee_id=self.one_id("employee", 0.6),
                duplicate_of_id=self.one_id("demand", 0.15) if self.rows["demand"] else None,
                withdrawn_at=self.maybe(0.15, lambda moment=received_at: self.soon(moment, 30)),
                is_founded=self.rng.choice((None, False, True, True)),
            )
            self.demand_events(demand)

    def demand_events(self, demand: dict[str, Any]) -> None:
        """Steps of the handling; a follow-up never falls on the very moment of a step."""

        def step(kind: str, moment: dt.datetime) -> None:
            to = self.one_id("employee") if kind in ("assign", "forward") else None
            self.add(
                "demand_event",
                demand_id=demand["id"],
                kind=kind,
                occurred_at=moment,
                employee_id=self.one_id("employee", 0.9),
                to_employee_id=to,
            )

        moment = demand["received_at"]
        for _ in range(self.rng.randrange(3)):
            moment = self.soon(moment, 2)
            step(self.rng.choice(("assign", "forward")), moment)
        if demand["due_at"] and self.chance(0.2):
            step("reply", demand["due_at"])
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            moment = self.soon(moment, 2)
            step("reply", moment)
        for _ in range(self.rng.choice((0, 1, 1, 2))):
            moment = self.soon(moment, 10)
            step("resolve", moment)
            if self.chance(0.3):
                moment = self.soon(moment, 10)
                step("reopen", moment)
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            moment = self.soon(moment, 20, parity=1)
            was_reached = self.rng.choice((True, True, False, None))
            self.add(
                "follow_up",
                demand_id=demand["id"],
                occurred_at=moment,
                employee_id=self.one_id("employee", 0.9),
                was_reached=was_reached,
                satisfaction=self.rng.choice((1, 2, 3, 4, 5, None)) if was_reached else None,
            )

    def promises(self) -> None:
        """Promises with and without a deal, a unit and a day; kept, broken and open; some with a demand linked."""
        for _ in range(self.customer_count):
            customer = self.one("customer")
            deal = self.maybe(0.5, lambda: self.one("deal")) if self.rows["deal"] else None
            demand = self.maybe(0.6, lambda: self.one("demand"))
            # At times the promise was made at the very moment of the demand, or after it.
            made_at = demand["received_at"] if demand and self.chance(0.5) else self.moment()
            self.add(
                "promise",
                customer_id=deal["customer_id"] if deal else customer["id"],
                deal_id=deal and deal["id"],
                unit_id=self.one_id("unit", 0.5),
                employee_id=self.one_id("employee", 0.8),
                made_at=made_at,
                due_on=self.maybe(0.6, self.day),
                is_kept=self.rng.choice((None, True, False)),
                demand_id=demand and demand["id"],
            )

    def surveys(self) -> None:
        """Surveys with questions of every kind, of known and unknown customers."""
        for number in range(1, 3):
            survey = self.add("survey", name=f"Survey {number}")
            for sequence, kind in enumerate(("satisfaction", "rating", "choice", "text", "satisfaction"), start=1):
                self.add("survey_question", survey_id=survey["id"], sequence=sequence, kind=kind, text="?")
        for _ in range(self.customer_count):
            survey = self.one("survey")
            response = self.add(
                "survey_response",
                survey_id=survey["id"],
                customer_id=self.one_id("customer", 0.7),
                project_id=self.one_id("project", 0.8),
                employee_id=self.one_id("employee", 0.7),
                submitted_at=self.moment(),
            )
            for question in self.rows["survey_question"]:
                if question["survey_id"] == survey["id"] and self.chance(0.8):
                    self.add(
                        "survey_answer",
                        survey_response_id=response["id"],
                        survey_question_id=question["id"],
                        value_number=self.rng.choice((1, 2, 3, 4, 5, None)),
                    )

    def fees(self) -> None:
        """Bills of past and coming months, paid in part, twice, ahead of their time, with voided entries."""
        self.add("fee_type", name="Property fee")
        for _ in range(self.customer_count):
            period_on = self.day().replace(day=1)
            due_on = period_on + self.rng.randrange(-10, 40) * DAY
            bill = self.add(
                "fee_bill",
                unit_id=self.one_id("unit", 0.9),
                customer_id=self.one_id("customer"),
                fee_type_id=1,
                period_on=period_on,
                amount=self.money(100, 5_000),
                due_on=due_on,
            )
            for _ in range(self.rng.choice((0, 0, 1, 2))):
                self.add(
                    "fee_payment",
                    fee_bill_id=bill["id"],
                    received_on=due_on + self.rng.randrange(-30, 60) * DAY,
                    amount=self.money(-100, 4_000),
                    is_void=self.chance(0.2),
                )

    # Deleting.

    def delete_some(self) -> None:
        """Delete some rows softly, each with all that hangs on it."""
        for table, share in (
            ("customer", 0.04), ("lead", 0.05), ("lead_event", 0.05), ("touchpoint", 0.05), ("payment", 0.05),
            ("demand", 0.05), ("demand_event", 0.03), ("follow_up", 0.05), ("promise", 0.05),
            ("expense", 0.1), ("payment_due", 0.05),
            ("survey_response", 0.05), ("survey_answer", 0.03), ("fee_bill", 0.05), ("fee_payment", 0.05),
            ("target", 0.05), ("annotation", 0.1), ("feature_value", 0.05),
        ):  # fmt: skip
            for row in self.pick_some(table, share):
                self.delete(table, row)
        for deal in self.pick_some("deal", 0.05):
            if deal["swapped_from_id"] is None:
                self.delete("deal", deal)

    def delete(self, table: str, row: dict[str, Any]) -> None:
        if row.get("deleted_at") is not None:
            return
        row["deleted_at"] = self.begin + 1000 * DAY
        for child in metadata.tables.values():
            for key in child.foreign_keys:
                if key.column.table.name == table:
                    for dependant in self.rows.get(child.name, []):
                        if dependant.get(key.parent.name) == row["id"]:
                            self.delete(child.name, dependant)
