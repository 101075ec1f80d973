"""A complaint entered in the browser is in the complaint rate of the right estate and person after a refresh."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from data_entry.database import create_engine_for
from tests.end_to_end.test_demands import enter
from tests.support.installation import run_loupan, running_server, sample_installation

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def rates(data_dir: Path, metric: str, by: str, *arguments: str) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of a rate by a dimension."""
    answer = json.loads(run_loupan(data_dir, "metrics", "query", metric, "--by", by, "--format", "json", *arguments))
    rows = answer if isinstance(answer, list) else answer["rows"]
    return {
        str(row[by]): (int(row[f"{metric}__numerator"] or 0), int(row[f"{metric}__denominator"] or 0)) for row in rows
    }


@pytest.mark.function("5.ii", "6.ii")
def test_a_complaint_entered_in_the_browser_is_in_the_right_rates(browser, open_page, tmp_path):
    data_dir = shutil.copytree(sample_installation(), tmp_path / "company")
    before = rates(data_dir, "complaint_rate", "project"), rates(data_dir, "complaints_per_100_served", "employee")
    engine = create_engine_for(f"sqlite:///{data_dir / 'crm.sqlite'}")
    with engine.connect() as crm:
        # Somebody who serves customers, so that the rate has a denominator.
        name, number = crm.execute(
            sa.text(
                "SELECT e.name, e.number FROM employee e JOIN lead l ON l.employee_id = e.id"
                " WHERE e.left_on IS NULL GROUP BY e.id ORDER BY count(*) DESC, e.id LIMIT 1"
            )
        ).one()
    engine.dispose()
    title = "The salesperson promised a school that is not built"
    with running_server(data_dir) as address:
        page = open_page(address, "demands", role="service")
        estate, _ = enter(page, category=("投诉", "销售态度"), title=title, responsible=name)
        run_loupan(data_dir, "refresh")
        after = rates(data_dir, "complaint_rate", "project"), rates(data_dir, "complaints_per_100_served", "employee")
        for old, new, key in ((before[0], after[0], estate), (before[1], after[1], number)):
            # One more for the estate and the person, as many as before for all others, and nobody else served.
            assert {k: n for k, (n, _) in new.items()} == {k: n + (k == key) for k, (n, _) in old.items()}
            assert new[key][1] >= old[key][1] > 0
        month = f"{datetime.now(UTC).astimezone(ZoneInfo('Asia/Shanghai')):%Y-%m}"
        assert rates(data_dir, "complaint_rate", "project", "--start", f"{month}-01")[estate][0] == 1
        # The clerk sees it on the page of complaints as well: this month has the one complaint.
        page = open_page(address, f"complaints?lang=en&period={month}..{month}", role="service")
        tile = page.locator("[class*=st-key-lp_tile_]").filter(has_text="Valid complaints").first
        tile.wait_for()
        assert "1" in tile.inner_text().split()
        # Before the server goes: a page that asks it in vain would count as gone wrong.
        for opened in page.context.pages:
            opened.close()
