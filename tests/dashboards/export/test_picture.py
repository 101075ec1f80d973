"""What a browser is given to make a picture of."""

import json
from dataclasses import replace

import pytest

from dashboards.export.exhibit import Exhibit
from dashboards.export.names import file_name
from dashboards.export.picture import picture
from dashboards.pages import overview
from loupan.ui.palette import COLOURS

pytestmark = pytest.mark.slow


def test_a_picture_is_light_and_has_its_context_on_it(view, gateway):
    dark = replace(view, theme="dark", where=(("project", (gateway.values("project")[0],)),))
    exhibit = Exhibit(
        dark, "Complaint rate by month", overview.complaints, measures=("complaint_rate",), caption="Per 100."
    )
    made = picture(exhibit)
    layout = json.loads(made["figure"])["layout"]
    assert layout["font"]["color"] == COLOURS["light"].ink
    assert made["file_name"] == "Complaint rate by month 2026-06-30.png"
    assert made["caption"] == "Per 100."
    before, _, entry = made["lines"][0].partition(" · Data entry: ")
    assert before == (
        f"Data as of: 1 Jul 2026, 00:00 · Period: 1 Jul 2025 – 30 Jun 2026 · Project: {gateway.values('project')[0]}"
    )
    assert entry.startswith("high confidence: ")
    assert any(line.startswith("Complaint rate: ") and "complaint_rate" in line for line in made["lines"])
    assert made["lines"][-1] == f"Snapshot: {gateway.version}"


def test_files_have_names_that_every_system_takes(view):
    assert file_name('a/b\\c:*?"<>|\n d.', view.as_of_on, "csv") == "a b c d 2026-06-30.csv"
    assert file_name("../..", view.as_of_on, "csv") == "Loupan 2026-06-30.csv"
    assert file_name("签约额", view.as_of_on, "xlsx") == "签约额 2026-06-30.xlsx"
