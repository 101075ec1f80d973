"""What models found, on the overview and as drawings."""

import pandas as pd
import pytest

from dashboards import findings
from dashboards.charts.model_results import drawn_as_told
from loupan.mining.published import PublishedOutput
from loupan.mining.result import Field, Picture

ALERTS = pd.DataFrame(
    {
        "project_id": [1, 1, 2],
        "project": ["North", "North", "Lake"],
        "phase": ["sales", "sales", "property"],
        "theme": ["All complaints", "Noise", "Leak"],
        "weeks": [12, 4, 28],
        "observed": [40.0, 20.0, 12.0],
        "expected": [10.0, 5.0, 6.0],
        "ratio": [4.0, 4.0, 2.0],
        "since_on": pd.to_datetime(["2026-01-05", "2026-02-02", "2026-05-05"]),
        "month": ["2026-05", "2026-05", "2026-06"],
    }
)


@pytest.fixture
def warned(monkeypatch):
    monkeypatch.setattr(findings, "rows_of", lambda gateway, model, output: ALERTS)


def test_each_project_is_warned_of_once(view, warned):
    found = list(findings._warnings(view))
    assert [finding.filters for finding in found] == [(("project", "North"),), (("project", "Lake"),)]
    assert "North, All complaints: 40 valid complaints in the last 12 weeks" in found[0].text
    assert found[0].weight > found[1].weight


def test_a_chosen_project_alone_is_warned_of(view_in, warned):
    assert [finding.filters[0][1] for finding in findings._warnings(view_in(project=["Lake"]))] == ["Lake"]


def test_warnings_are_said_in_chinese(view_in, warned):
    assert "全部投诉" in next(findings._warnings(view_in("zh"))).text


@pytest.mark.parametrize("alerts", [None, ALERTS.drop(columns="weeks")], ids=["no model", "an earlier version"])
def test_a_snapshot_that_does_not_tell_warns_of_nothing(view, monkeypatch, alerts):
    monkeypatch.setattr(findings, "rows_of", lambda gateway, model, output: alerts)
    assert list(findings._warnings(view)) == []


@pytest.mark.parametrize(
    "picture",
    [
        Picture("points", "project+phase+theme", "ratio"),
        Picture("lines", "month", "ratio", group="project+phase+theme"),
    ],
)
def test_several_columns_name_a_row_together(view_in, picture):
    fields = {"project": Field("Project"), "phase": Field("Phase"), "theme": Field("Theme")}
    output = PublishedOutput("alerts", "Alerts", len(ALERTS), fields, picture, "")
    figure = drawn_as_told(view_in("zh"), output, ALERTS).figure
    is_named = picture.kind == "points"
    names = figure["layout"]["yaxis"]["ticktext"] if is_named else [trace["name"] for trace in figure["data"]]
    assert names[0].startswith("North · 销售")
    # What stands on an axis is shortened, the legend is not.
    assert is_named or names[0] != names[1]
