"""The generator: arguments, refusals, sizes, and the same rows for the same arguments."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data_entry.database import DatabaseError, create_engine_for
from data_entry.schema import metadata
from loupan.settings import get_settings
from sample_data import generator, size
from sample_data.clock import Clock, spring_festival
from sample_data.errors import CrmNotEmpty, CrmNotReady
from sample_data.generator import generate
from tests.sample_data.conftest import AS_OF, make_company
from tests.support.crm import create_crm


def all_rows(engine: sa.Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]
            for table in metadata.sorted_tables
        }


def test_same_arguments_give_the_same_rows(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(make_company(tmp_path / name, scale=0.01, seed=3))
    first, second = (all_rows(company.engine) for company in made)
    assert first == second
    assert made[0].truths == made[1].truths


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    made = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        made.append(all_rows(make_company(tmp_path / str(seed), scale=0.01, seed=seed).engine))
    assert made[0]["lead"] != made[1]["lead"]


@pytest.mark.postgres
def test_both_engines_get_the_same_rows(tmp_path: Path, postgres_url: str) -> None:
    postgres = create_engine_for(postgres_url)
    create_crm(postgres)
    generate(postgres, scale=0.02, as_of=AS_OF, truths_path=tmp_path / "truths.json")
    lite = make_company(tmp_path, scale=0.02)
    assert all_rows(postgres) == all_rows(lite.engine)
    # The sequences stand behind the keys that were written.
    with postgres.begin() as connection:
        key = connection.execute(
            sa.insert(metadata.tables["department"]).values(name="new").returning(metadata.tables["department"].c.id)
        ).scalar_one()
    assert key == lite.summary.rows["department"] + 1
    postgres.dispose()


def test_a_used_crm_is_refused(tmp_path: Path) -> None:
    company = make_company(tmp_path, scale=0.01)
    before = all_rows(company.engine)
    with pytest.raises(CrmNotEmpty, match="already holds data"):
        generate(company.engine, scale=0.01, as_of=AS_OF)
    assert all_rows(company.engine) == before


def test_accounts_do_not_make_a_crm_used(sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_crm(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(metadata.tables["account"]).values(login="admin"))
    assert generate(engine, scale=0.01, as_of=AS_OF).total > 0


def test_a_schema_of_an_older_version_is_refused(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine_for(sqlite_url)
    create_crm(engine)
    monkeypatch.setattr(generator, "head_version", lambda: "9999")
    with pytest.raises(CrmNotReady, match="loupan crm migrate"):
        generate(engine, scale=0.01, as_of=AS_OF)


def test_a_database_that_refuses_writing_is_named(sqlite_url: str) -> None:
    engine = create_engine_for(sqlite_url)
    create_crm(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON demand BEGIN SELECT raise(ABORT, 'disk is full'); END"
        )
    with pytest.raises(DatabaseError, match=r"crm\.sqlite cannot be used\. Make room on the disk"):
        generate(engine, scale=0.01, as_of=AS_OF)


@pytest.mark.parametrize("scale", [0, 0.009, -1, 1001, float("nan"), float("inf")])
def test_a_scale_out_of_range_is_refused(scale: float, sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.01 to 1000"):
        generate(create_engine_for(sqlite_url), scale=scale, as_of=AS_OF)
    assert list(tmp_path.iterdir()) == []


def test_sizes_grow_with_the_scale() -> None:
    (one,) = size.city_companies(1)
    assert (one.estates, one.units, one.employees, one.customers, one.leads, one.demands) == (
        8, 6_000, 80, 30_000, 40_000, 15_000,
    )  # fmt: skip
    many = size.city_companies(100)
    assert sum(c.estates for c in many) == 800
    assert sum(c.leads for c in many) == pytest.approx(4_000_000, rel=0.001)
    # What is held in memory at once does not grow with the scale.
    assert max(c.leads for c in many) <= one.leads
    assert [c.first_estate for c in many[:2]] == [0, 8]


def test_several_city_companies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "ESTATES_OF_A_CITY_COMPANY", 2)
    shares = []
    company = make_company(tmp_path, scale=0.05, progress=lambda share, what: shares.append(share))
    assert company.frame("PRAGMA foreign_key_check").empty
    assert company.frame("SELECT count(DISTINCT name) AS n FROM project").n[0] == 3
    assert len(company.frame("SELECT id FROM source")) == 24
    assert company.frame("SELECT count(*) AS n FROM department WHERE parent_id IS NULL").n[0] == 1
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_words_can_be_english(tmp_path: Path) -> None:
    company = make_company(tmp_path, scale=0.01, language="en")
    for table in ("project", "source", "demand_category", "department", "customer_class", "customer", "reason"):
        names = company.frame(f"SELECT name FROM {table}").name.dropna()
        assert not names.str.contains("[\u4e00-\u9fff]").any(), table


def test_an_unknown_language_is_refused(sqlite_url: str) -> None:
    with pytest.raises(ValueError, match="zh or en"):
        generate(create_engine_for(sqlite_url), scale=0.01, as_of=AS_OF, language="fr")  # type: ignore[arg-type]


def test_a_company_in_a_zone_with_summer_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPAN_TIME_ZONE", "Europe/Berlin")
    get_settings.cache_clear()
    company = make_company(tmp_path, scale=0.01)
    assert company.frame("SELECT max(opened_at) AS last FROM lead")["last"][0] < "2026-06-29 22:00:00"
    assert company.frame(
        "SELECT 1 FROM lead_event e JOIN lead l ON l.id = e.lead_id WHERE e.occurred_at < l.opened_at"
    ).empty


@pytest.mark.parametrize(
    ("year", "day"),
    [(1996, "02-19"), (2020, "01-25"), (2023, "01-22"), (2026, "02-17"), (2033, "01-31"), (2034, "02-19")],
)
def test_spring_festival(year: int, day: str) -> None:
    assert spring_festival(year).isoformat() == f"{year}-{day}"


def test_history_that_ends_on_a_leap_day() -> None:
    clock = Clock(dt.date(2024, 2, 29), "Asia/Shanghai")
    assert str(clock.start) == "2021-02-28"
    assert str(clock.days[-1]) == "2024-02-28"
