"""Makes the sample company, one city company after the other, and writes it to the CRM database."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from data_entry.database import clear_errors, create_schema, head_version, schema_version
from data_entry.schema import metadata
from loupan.settings import get_settings
from sample_data.agreed_words import add_terms
from sample_data.city_company import make_city_company
from sample_data.clock import Clock
from sample_data.company import Company
from sample_data.errors import CrmNotEmpty, CrmNotReady, SampleArgumentError
from sample_data.master_data import make_master_data
from sample_data.organisation import make_group
from sample_data.rows import Ids
from sample_data.size import city_companies
from sample_data.truths import Truths
from sample_data.vocabulary import Language, Words
from sample_data.world import World
from sample_data.writer import writer_for

# Rows in these tables do not make a CRM used: accounts are needed before there is any data.
NOT_COMPANY_DATA = {
    "account", "account_session", "role", "account_role", "role_permission", "audit_log", "attachment",
    "saved_view",
}  # fmt: skip
TRUTHS_FILE = "sample_truths.json"
# Share of the time that goes into making rows; the rest is writing.
MAKING_SHARE = 0.15

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Summary:
    """What was made: rows by table, the file of the planted truths, and how long it took."""

    rows: dict[str, int]
    truths_path: Path
    seconds: float

    @property
    def total(self) -> int:
        """Return the number of all rows."""
        return sum(self.rows.values())


def generate(
    engine: sa.Engine,
    *,
    scale: float = 1.0,
    seed: int = 1,
    as_of: dt.date,
    language: Language = "zh",
    truths_path: Path | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Fill an empty CRM database with three years of a believable company.

    The same arguments give the same rows, on every engine. The history ends with the midnight (company time zone)
    that begins ``as_of``; only plans, due dates and handovers lie later. Each city company is one transaction: if it
    breaks off, begin again with an empty database.

    Args:
        engine: the CRM database; its schema is made where there is none.
        scale: size of the company, 0.01 to 1000; 1 is 8 estates, 6,000 units, 80 employees, 40,000 leads.
        seed: start of the random numbers.
        as_of: the company's "today".
        language: language of names and words, ``zh`` or ``en``.
        truths_path: file for the planted truths; default ``sample_truths.json`` in the data folder.
        progress: called with the share done (0 to 1) and what is being made.

    Raises:
        CrmNotEmpty: if the database holds company data already.
        CrmNotReady: if the schema of the database is older than this program's.
        DatabaseError: if the database cannot be used.
        SampleArgumentError: if an argument is out of its range; the database is not touched then.
    """
    began = time.monotonic()
    if seed < 0:
        raise SampleArgumentError(f"seed {seed} is negative; use 0 or more")
    sizes = city_companies(scale)
    truths_path = truths_path or get_settings().data_dir / TRUTHS_FILE
    world = World(seed, Clock(as_of, get_settings().time_zone), Words(language), Ids(), Truths())
    writer = writer_for(engine, world.clock)
    _make_ready(engine)
    report = progress or (lambda share, what: None)

    report(0.0, "company")
    group = make_group(world)
    master = make_master_data(world, group)
    add_terms(world)
    rows: dict[str, int] = {}
    with clear_errors(engine):
        for number, size in enumerate(sizes):
            # The shared lists are written together with the first city company.
            part = _within(report, number / len(sizes), (number + MAKING_SHARE) / len(sizes))
            make_city_company(Company(world, group, master, size), part)
            part = _within(report, (number + MAKING_SHARE) / len(sizes), (number + 1) / len(sizes))
            for table, count in writer.write(world.batch, part).items():
                rows[table] = rows.get(table, 0) + count
            world.new_batch()
        writer.finish()
    world.truths.write(truths_path, scale=scale, seed=seed, as_of=as_of.isoformat(), language=language)
    report(1.0, "done")
    return Summary(rows, truths_path, time.monotonic() - began)


def _within(report: Progress, first: float, last: float) -> Progress:
    """Return the progress of a part that runs from ``first`` to ``last`` of the whole."""
    return lambda share, what: report(first + share * (last - first), what)


def _make_ready(engine: sa.Engine) -> None:
    """Make the schema where there is none; refuse a CRM that is in use or of an older version."""
    version, where = schema_version(engine), engine.url.render_as_string()
    if version is None:
        create_schema(engine)
        return
    if version != head_version():
        raise CrmNotReady(f"the CRM database {where} stands at version {version}; run `loupan crm migrate`")
    with clear_errors(engine), engine.connect() as connection:
        used = [
            table.name
            for table in metadata.sorted_tables
            if table.name not in NOT_COMPANY_DATA and connection.execute(sa.select(table.c.id).limit(1)).first()
        ]
    if used:
        raise CrmNotEmpty(
            f"the CRM database {where} already holds data ({', '.join(used[:3])}{' …' if len(used) > 3 else ''}); "
            "sample data are only written to an empty one: mend LOUPAN_CRM_URL or LOUPAN_DATA_DIR"
        )
