"""Results of models as pictures: lines over numbers, and tables in which nothing was found."""

import pandas as pd
import pytest

from dashboards.charts.model_results import drawn_as_told
from loupan.mining import Field, Picture
from loupan.mining.published import PublishedOutput

pytestmark = pytest.mark.slow
FIELDS = {
    "market_type": Field("Market type"),
    "spend": Field("Spent a month", "currency"),
    "leads": Field("Leads a month", "number"),
    "low": Field("At least", "number"),
    "high": Field("At most", "number"),
}
ROWS = pd.DataFrame(
    {
        "market_type": ["online", "online", "event", "event"],
        "spend": [30_000.0, 10_000.0, 5_000.0, 90_000.0],
        "leads": [12.0, 8.0, 3.0, 9.5],
        "low": [10.0, 7.0, 2.0, 8.0],
        "high": [14.0, 9.0, 4.0, 11.0],
    }
)


def output(**picture: str) -> PublishedOutput:
    return PublishedOutput("curves", "Curves", len(ROWS), FIELDS, Picture("lines", "spend", "leads", **picture), "")


def test_lines_over_numbers_stand_where_their_numbers_are(view):
    drawing = drawn_as_told(view, output(group="market_type"), ROWS)
    online, event = drawing.figure.data
    assert (online.name, event.name) == ("Online", "Event")
    # From left to right, each over its own numbers alone.
    assert list(online.x) == [10_000, 30_000]
    assert list(online.y) == [8, 12]
    assert list(event.x) == [5_000, 90_000]
    low, high = drawing.figure.layout.xaxis.range
    assert low <= 5_000
    assert high >= 90_000
    assert "spent a month" in drawing.alt
    assert len(drawing.table) == 4


def test_lines_over_numbers_may_have_a_band(view):
    one = ROWS[ROWS["market_type"] == "online"]
    high, low, line = drawn_as_told(view, output(low="low", high="high"), one).figure.data
    assert list(high.y) == [9, 14]
    assert list(low.y) == [7, 10]
    assert "95% interval" in line.customdata[0]


def test_where_nothing_was_found_a_sentence_says_so(view):
    drawing = drawn_as_told(view, output(), ROWS.head(0))
    assert not drawing.is_empty
    assert drawing.table.iloc[0, 0] == "Nothing of this kind was found."
