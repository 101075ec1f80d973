"""``python -m tests.benchmarks.lists``: what a page turn costs in a list of 100,000 customers, on both engines.

The service is timed, from the open connection to the rows with their captions; drawing is not. Measured are the roles
that see most: an administrator (every row, every value) and a property clerk (the rows of an estate).
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from data_entry.access import SYSTEM, Actor
from data_entry.database import create_engine_for, create_schema
from data_entry.schema import metadata
from data_entry.services import records
from data_entry.services.work import Work, reading
from tests.support.postgres import missing_programs, running_server

_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜秀敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂"


def fill(engine: sa.Engine, count: int) -> None:
    """Fill a CRM with customers, each with a lead."""
    rng = random.Random(7)
    now = dt.datetime(2026, 1, 1)
    t = metadata.tables
    with engine.begin() as connection:
        connection.execute(sa.insert(t["project"]), [{"id": n, "name": f"P{n}"} for n in range(1, 11)])
        connection.execute(
            sa.insert(t["employee"]), [{"id": n, "number": str(n), "name": f"E{n}"} for n in range(1, 51)]
        )
        for start in range(1, count + 1, 5000):
            keys = range(start, min(start + 5000, count + 1))
            connection.execute(
                sa.insert(t["customer"]),
                [{"id": n, "name": rng.choice(_FAMILY) + rng.choice(_GIVEN) + rng.choice(_GIVEN),
                  "phone": f"1{rng.randrange(3 * 10**9, 10**10)}", "occupation": rng.choice("abcdef")} for n in keys],
            )  # fmt: skip
            connection.execute(
                sa.insert(t["lead"]),
                [
                    {"customer_id": n, "project_id": n % 10 + 1, "employee_id": n % 50 + 1, "opened_at": now}
                    for n in keys
                ],
            )
        connection.exec_driver_sql("ANALYZE")


def _calls(work: Work, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    rng = random.Random(11)
    last = min(count, records.COUNTED) // 25 - 1
    for name, options in (
        ("latest first", {}),
        ("by name", {"sort": "name"}),
        ("by phone, descending", {"sort": "phone", "descending": True}),
        ("by occupation", {"sort": "occupation"}),
    ):
        for _ in range(20):
            page = rng.randrange(last)
            yield (
                name,
                lambda page=page, options=options: records.list_rows(work, "customer", page=page, size=25, **options),
            )
    for _ in range(20):
        name = rng.choice(_FAMILY) + rng.choice(_GIVEN)
        number = str(rng.randrange(1000, 9999))
        yield "search: name", lambda name=name: records.list_rows(work, "customer", search=name, size=25)
        yield "search: end of number", lambda number=number: records.list_rows(work, "customer", search=number, size=25)
        yield "picker", lambda name=name: records.options(work, "customer", name)
        yield "leads by customer", lambda: records.list_rows(work, "lead", sort="customer_id", size=25)


def measure(engine: sa.Engine, actor: Actor, count: int) -> dict[str, tuple[float, float]]:
    """Return median and 95th percentile in milliseconds, by what is done."""
    times: dict[str, list[float]] = {}
    with reading(engine, actor) as work:
        for name, call in _calls(work, count):
            start = time.perf_counter()
            call()
            times.setdefault(name, []).append((time.perf_counter() - start) * 1000)
    return {name: (statistics.median(t), statistics.quantiles(t, n=20)[-1]) for name, t in times.items()}


def _clerk() -> Actor:
    grants = {
        (table, action): frozenset({"project"}) for table in ("customer", "lead") for action in ("read", "personal")
    }
    grants |= {(table, "read"): frozenset({"all"}) for table in ("project", "employee", "source")}
    return Actor(None, name="clerk", permissions=grants, project_ids=frozenset({1}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.lists")
    parser.add_argument("--customers", type=int, default=100_000)
    count = parser.parse_args().customers
    console = Console()
    table = Table("Engine", "Who", "What", "median ms", "p95 ms", title=f"A page turn among {count:,} customers")

    def run(name: str, url: str) -> None:
        engine = create_engine_for(url)
        create_schema(engine)
        fill(engine, count)
        for who, actor in (("administrator", SYSTEM), ("clerk of one estate", _clerk())):
            for what, (median, p95) in measure(engine, actor, count).items():
                table.add_row(name, who, what, f"{median:.0f}", f"{p95:.0f}")
        engine.dispose()

    with tempfile.TemporaryDirectory(prefix="loupan-lists-") as folder:
        run("SQLite", f"sqlite:///{Path(folder) / 'crm.sqlite'}")
    if missing_programs() is None:
        with running_server() as server:
            run("PostgreSQL", server.create_database())
    console.print(table)


if __name__ == "__main__":
    main()
