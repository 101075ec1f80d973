"""``loupan refresh`` as data staff meet it: published, refused, failed, killed, twice at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loupan.refresh_lock import is_refreshing
from loupan.settings import REPOSITORY
from tests.support.command import Command
from tests.support.installation import AS_OF, sample_installation

pytestmark = pytest.mark.slow

MOMENT = f"{AS_OF}T16:00:00"
PUBLISHED, ERROR, REFUSED = 0, 1, 3


class Installation:
    """A copy of the sample company that a test may spoil."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LOUPAN_")}
        self.environment["LOUPAN_DATA_DIR"] = str(data_dir)
        # They have tests of their own, and would take a third of the time of each refresh.
        self.environment["LOUPAN_WITHOUT_MODELS"] = "*"

    def start(self, *arguments: str) -> Command:
        return Command(arguments, self.environment)

    def run(self, *arguments: str, code: int = PUBLISHED) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=500)
        assert process.returncode == code, f"{arguments} ended with {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err

    def refresh(self, *arguments: str, code: int = PUBLISHED) -> str:
        return self.run("refresh", "--as-of", MOMENT, *arguments, code=code)

    def metrics(self, *arguments: str) -> list[dict]:
        return json.loads(self.run("metrics", "query", *arguments, "--format", "json"))

    def current(self) -> str | None:
        pointer = self.data_dir / "snapshots" / "CURRENT"
        return pointer.read_text().strip() if pointer.exists() else None

    def state(self) -> dict:
        return json.loads((self.data_dir / "last_refresh.json").read_text())

    def change_crm(self, *statements: str) -> None:
        """Write to the CRM as a careless program would: constraints off."""
        with closing(sqlite3.connect(self.data_dir / "crm.sqlite")) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def add_to_dbt_project(self, path: str, text: str) -> None:
        project = self.data_dir / "own_dbt_project"
        if not project.exists():
            shutil.copytree(
                REPOSITORY / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs", "__pycache__")
            )
            self.environment["LOUPAN_DBT_PROJECT_DIR"] = str(project)
        (project / path).parent.mkdir(exist_ok=True)  # git keeps no empty folder
        (project / path).write_text(text, encoding="utf-8")


def documented_model() -> str:
    """Return the worked example of `docs/own_model.md`."""
    page = (REPOSITORY / "docs" / "own_model.md").read_text(encoding="utf-8")
    return page.split("```python\n")[1].split("```")[0]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Installation]:
    data_dir = shutil.copytree(sample_installation(), tmp_path / "company")
    yield Installation(data_dir)
    shutil.rmtree(data_dir)


def test_what_changes_in_the_crm_is_in_the_numbers_after_the_next_refresh(company: Installation) -> None:
    before = company.metrics("complaints", "valid_complaints")[0]
    first = company.current()
    company.change_crm(
        "UPDATE demand SET withdrawn_at = received_at WHERE id = (SELECT d.id FROM demand d JOIN demand_category c "
        "ON c.id = d.demand_category_id WHERE c.kind = 'complaint' AND d.deleted_at IS NULL AND d.withdrawn_at IS NULL "
        "AND d.duplicate_of_id IS NULL AND coalesce(d.is_founded, 1) = 1 LIMIT 1)"
    )
    # Damaged records of Dagster are moved away, and told of.
    for database in (company.data_dir / "dagster").rglob("*.db*"):
        database.write_bytes(b"no database at all" * 999)
    # A model of the company's own that breaks holds nothing up, and another is published.
    models = company.data_dir / "models"
    models.mkdir()
    (models / "crashes.py").write_text("import os\nREADS = ()\nos._exit(9)\n", encoding="utf-8")
    (models / "visits_per_lead.py").write_text(documented_model(), encoding="utf-8")
    del company.environment["LOUPAN_WITHOUT_MODELS"]
    out = company.refresh()
    assert "Published snapshot" in out
    assert str(company.data_dir / "dagster" / "history.damaged") in out
    own = {line["model"]: line for line in json.loads(company.run("models", "list", "--format", "json")) if line["own"]}
    assert (own["crashes"]["state"], own["visits_per_lead"]["state"]) == ("failed", "ok")
    assert "its process ended (code 9)" in own["crashes"]["said"]
    assert company.current() not in (None, first)
    after = company.metrics("complaints", "valid_complaints")[0]
    assert after["complaints"] == before["complaints"]
    assert after["valid_complaints"] == before["valid_complaints"] - 1
    state = company.state()
    assert (state["outcome"], state["version"], state["as_of"]) == ("published", company.current(), f"{MOMENT}+00:00")
    # It ends with what it publishes, which of a large company takes a while.
    steps = json.loads((company.data_dir / "refresh_progress.json").read_text())["steps"]
    assert state["finished_at"] >= next(step["finished_at"] for step in steps if step["name"] == "Publishing")
    report = json.loads((company.data_dir / "snapshots" / company.current() / "report.json").read_text())
    assert len(report["checks"]) > 50
    assert [c["name"] for c in report["checks"] if not c["passed"]] == ["model/crashes: ran"]
    assert all(check["passed"] for check in report["checks"] if check["blocking"])


def _settle(crm: Path) -> None:
    """Let a moment pass since the last write, as a refresh asks for before it trusts the file's time."""
    for file in crm.parent.glob(f"{crm.name}*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


def test_a_refresh_after_nothing_was_written_publishes_nothing_until_the_day_ends(company: Installation) -> None:
    crm = company.data_dir / "crm.sqlite"
    # It was loaded when nobody was writing.
    company.change_crm("update customer set name = name || '!' where id = 1")
    _settle(crm)
    company.run("refresh", "--as-of", f"{AS_OF}T16:30:00")
    published = company.current()

    said = company.run("refresh", "--as-of", f"{AS_OF}T17:30:00")
    assert f"Nothing was written to the CRM since snapshot {published} was loaded." in said
    state = company.state()
    assert (state["outcome"], state["version"], company.current()) == ("unchanged", published, published)
    assert "2026-06-30T17:30" in (company.data_dir / "snapshots" / published / "unchanged_until.txt").read_text()

    # Midnight in the company's time zone has passed at 16:00 UTC: an earlier moment is of another day.
    company.run("refresh", "--as-of", f"{AS_OF}T10:00:00")
    earlier = company.current()
    assert earlier != published

    company.change_crm("update customer set name = name || '!' where id = 2")
    company.run("refresh", "--as-of", f"{AS_OF}T11:00:00")
    changed = company.current()
    assert changed not in (published, earlier)

    # What is asked for in full is done in full.
    _settle(crm)
    company.run("refresh", "--as-of", f"{AS_OF}T11:00:00", "--full")
    assert company.current() not in (published, earlier, changed)


def test_few_bad_rows_are_set_aside_and_many_refuse_publishing_until_they_are_mended(company: Installation) -> None:
    first, before = company.current(), company.metrics("leads")[0]["leads"]
    company.change_crm(
        "UPDATE lead SET opened_at = '0001-01-01 00:00:00' WHERE id = (SELECT min(id) FROM lead)",
        "UPDATE project SET name = '江🏠''\"; DROP TABLE lead; --' WHERE id = 1",
        "INSERT INTO payment (deal_id, received_on, amount) SELECT min(id), '9999-12-31', 'a lot' FROM deal",
    )
    company.refresh()
    few = company.current()
    assert few != first
    quarantined = company.state()["quarantined"]
    assert quarantined["lead"] == 1
    assert quarantined["payment"] == 1
    assert company.metrics("leads")[0]["leads"] < before
    names = [row["project"] for row in company.metrics("leads", "--by", "project")]
    assert "江🏠'\"; DROP TABLE lead; --" in names
    only = company.metrics("leads", "--where", "project=江🏠'\"; DROP TABLE lead; --")
    assert only[0]["leads"] > 0

    company.change_crm("UPDATE demand SET phase = 'afterlife' WHERE id % 4 = 0")
    out = company.refresh(code=REFUSED)
    assert "raw/demand: expectations" in out
    assert "afterlife" in out
    assert company.current() == few
    state = company.state()
    assert state["outcome"] == "refused"
    # What it began of a snapshot is nothing that anybody may find.
    assert not (company.data_dir / "snapshots" / ".begun_marts.duckdb").exists()
    assert any(check.startswith("raw/demand: expectations – ") for check in state["failed_checks"])
    # Nothing new to load does not make bad rows good.
    company.refresh(code=REFUSED)
    assert company.current() == few

    # What has to be mended is listed, though no snapshot has it.
    listed, _, _ = company.run("status", "--quarantined", "--format", "json").partition("\nThese are the first")
    demands = {row["key"] for row in json.loads(listed) if row["value"] == "afterlife"}
    assert len(demands) > 50
    assert all(int(key) % 4 == 0 for key in demands)

    company.change_crm(
        "UPDATE demand SET phase = 'property' WHERE phase = 'afterlife'",
        "UPDATE lead SET opened_at = created_at WHERE opened_at LIKE '0001%'",
        "DELETE FROM payment WHERE amount = 'a lot'",
    )
    company.refresh()
    assert company.current() not in (few, first)
    assert company.state()["quarantined"] == {}
    assert json.loads(company.run("status", "--quarantined", "--format", "json")) == []
    assert company.metrics("leads")[0]["leads"] == before


def test_a_failed_test_and_a_broken_model_are_named_and_nothing_is_published(company: Installation) -> None:
    before = company.current()
    company.add_to_dbt_project("tests/no_lead_is_old.sql", "select lead_id from {{ ref('fct_lead') }} limit 1")
    assert "no_lead_is_old" in company.refresh(code=REFUSED)
    assert company.current() == before
    company.add_to_dbt_project(
        "models/marts/sales/fct_lead.sql", "select lead_id, no_such_column from {{ ref('stg_lead') }}"
    )
    assert "fct_lead" in company.refresh(code=ERROR)
    assert company.current() == before
    assert company.state()["outcome"] == "error"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda crm: crm.write_bytes(b"no database at all" * 999), "crm.sqlite"),
        (lambda crm: _execute(crm, "ALTER TABLE payment RENAME COLUMN amount TO sum"), "amount"),
    ],
    ids=["damaged", "column missing"],  # the other ways stand in test_ingest.py
)
def test_a_crm_that_cannot_be_read_is_named_and_the_old_snapshot_stays(company: Installation, spoil, said) -> None:
    before = company.current()
    for name in ("crm.sqlite-wal", "crm.sqlite-shm"):
        (company.data_dir / name).unlink(missing_ok=True)
    spoil(company.data_dir / "crm.sqlite")
    out = company.refresh(code=ERROR)
    assert said in out
    assert company.current() == before
    assert company.metrics("leads")[0]["leads"] > 0
    assert company.state()["outcome"] == "error"


def _execute(crm: Path, statement: str) -> None:
    with closing(sqlite3.connect(crm)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
        connection.commit()


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _catches(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal; until then the one it was forked from has it ignored."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_refreshes_wait_for_each_other_and_ctrl_c_ends_one_and_no_other(company: Installation) -> None:
    until = "2025-12-31"
    known_then = company.metrics("leads", "visits", "complaints", "--end", until)
    # The second speaks of a past moment, and knows nothing of later events.
    first = company.start("refresh", "--full", "--as-of", MOMENT)
    _wait_until(lambda: is_refreshing(company.data_dir))
    second = company.start("refresh", "--as-of", f"{until}T16:00:00")
    given_up = company.start("refresh", "--as-of", MOMENT)
    _wait_until(lambda: _catches(given_up.pid, signal.SIGINT))
    time.sleep(2)  # it waits for the first now; sooner or later, it must end alike
    given_up.send_signal(signal.SIGINT)
    _, err = given_up.communicate(timeout=60)
    assert given_up.returncode != PUBLISHED
    assert "Traceback" not in err
    outputs = [process.communicate(timeout=500) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [PUBLISHED, PUBLISHED], outputs
    versions = [folder.name for folder in (company.data_dir / "snapshots").iterdir() if folder.is_dir()]
    assert len(versions) == 3
    before = company.current()
    assert company.state()["version"] == before
    assert company.metrics("leads", "visits", "complaints") == known_then

    # In its midst, a refresh ends by itself, and says what became of it.
    process = company.start("refresh", "--full", "--as-of", MOMENT)
    started = company.state()["refresh_id"]
    _wait_until(lambda: company.state()["refresh_id"] != started)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (PUBLISHED, REFUSED)
    assert "interrupted" in err or "Aborted" in err, err
    assert "Traceback" not in err, err
    assert company.state()["outcome"] == "error"
    assert "interrupted" in company.state()["error"]
    assert company.current() == before


def test_a_crm_that_lost_its_rows_is_not_published(company: Installation, tmp_path: Path) -> None:
    before = company.current()
    company.change_crm("UPDATE payment SET deleted_at = updated_at")
    assert "at least half" in company.refresh(code=REFUSED)
    # Nor is another CRM that holds nothing, e.g. by a mistake in the URL.
    company.environment["LOUPAN_CRM_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    company.run("crm", "init")
    out = company.refresh(code=REFUSED)
    assert "held another CRM" in out
    assert "at least half" in out
    assert company.current() == before
    company.refresh("--full")
    assert company.current() != before


def test_a_killed_refresh_leaves_the_snapshot_and_the_next_one_heals(company: Installation) -> None:
    expected = company.metrics("leads", "contracts", "contract_amount", "complaint_rate", "--by", "month")
    moments, longest, killed = random.Random(1), 14.0, 0
    while killed < 2:
        process = company.start("refresh", "--full", "--as-of", MOMENT)
        moment = moments.uniform(1, longest)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
        else:
            longest = moment  # a quick machine: it had ended
            continue
        assert company.metrics("leads")[0]["leads"] > 0
        assert company.current() is not None
        assert (company.data_dir / "snapshots" / company.current() / "marts.duckdb").exists()
    company.refresh()
    assert company.metrics("leads", "contracts", "contract_amount", "complaint_rate", "--by", "month") == expected


def test_a_full_disk_is_said_and_space_heals_it(company: Installation, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    crm = company.data_dir / "crm.sqlite"
    size = 24 << 20
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs is not allowed here")
    try:
        cramped = Installation(small)
        cramped.environment["LOUPAN_CRM_URL"] = f"sqlite:///{crm}"
        out = cramped.refresh(code=ERROR)
        assert "space" in out.lower() or "full" in out.lower()
        assert cramped.current() is None
        subprocess.run(["mount", "-o", f"remount,size={40 * size}", str(small)], check=True)
        cramped.refresh()
        assert cramped.metrics("leads") == company.metrics("leads")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_as_of_must_be_a_moment(company: Installation) -> None:
    for wrong in ("yesterday", "2026-13-01", "0001-01-01"):
        assert wrong in company.run("refresh", "--as-of", wrong, code=ERROR)
