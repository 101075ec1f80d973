"""A picture that has not room for all says so, and its table and its files have all."""

from __future__ import annotations

import pandas as pd
import pytest

from dashboards.attribution import Credit
from dashboards.charts.attribution import credited
from dashboards.charts.comparison import estimates, ranked_bars
from dashboards.charts.funnel import funnel_plot
from dashboards.charts.targets import by_dimension

NUMBER = 30
NAMES = [f"S{number:02}" for number in range(NUMBER)]
AMOUNTS = [float(number) for number in range(1, NUMBER + 1)]
SAID = f"{NUMBER - 10} more are not drawn; the table has all."


def amounts(metric):
    return pd.DataFrame({"source": NAMES, metric: AMOUNTS})


def rates(metric):
    frame = pd.DataFrame({"source": NAMES, f"{metric}__numerator": AMOUNTS, f"{metric}__denominator": 100.0})
    return frame.assign(**{metric: frame[f"{metric}__numerator"] / 100})


def bars(view, **options):
    return ranked_bars(view, amounts("contract_amount"), "source", "contract_amount", most=10, **options)


def by_model(view):
    values = pd.DataFrame({"first": AMOUNTS, "last": AMOUNTS}, index=NAMES)
    return credited(view, Credit(values, 0.9 * values, 1.1 * values), "attributed_amount", "source", "last", most=10)


def points(view):
    return estimates(view, rates("conversion_rate"), "source", "conversion_rate", most=10)


def targets(view):
    frame = rates("contract_amount_attainment")
    return by_dimension(view, frame, "source", "contract_amount_attainment", without="{names} {total}", most=10)


@pytest.mark.parametrize("draw", [bars, by_model, points, targets])
def test_what_is_not_drawn_is_counted_and_in_the_table(view, draw):
    drawing = draw(view)
    assert SAID in drawing.note
    assert len(drawing.figure.data[0].y) == 10
    assert sorted(drawing.table.iloc[:, 0]) == NAMES
    assert all(len(column.values) == NUMBER for column in drawing.columns)


def test_people_are_drawn_by_name_and_those_with_the_most(view):
    drawing = bars(view, is_ranked=False)
    drawn = drawing.table.iloc[:10, 0].tolist()
    assert drawn == NAMES[-10:]
    assert list(drawing.values) == drawn
    assert drawing.figure.data[0].x == tuple(AMOUNTS[-10:])


def test_what_can_be_summed_up_is_one_bar(view):
    drawing = bars(view, share=True)
    assert drawing.note == ""
    assert drawing.table.iloc[-1, 0] == f"{NUMBER - 9} others"
    assert sum(drawing.columns[1].values) == sum(AMOUNTS)


@pytest.mark.parametrize(("hits", "marked"), [((5, 2, 8, 90, 110), 1), ((5, 8, 8, 900, 960), 0)])
def test_the_rate_of_few_cases_beyond_the_axis_is_marked_at_its_edge(view, hits, marked):
    cases = [8, 8, 8, 1000, 1000]
    frame = pd.DataFrame(
        {"employee": NAMES[:5], "conversion_rate": [hit / case for hit, case in zip(hits, cases, strict=True)]}
    )
    frame = frame.assign(conversion_rate__numerator=hits, conversion_rate__denominator=cases)
    drawing = funnel_plot(view, frame, "employee", "conversion_rate")
    _, top = drawing.figure.layout.yaxis.range
    assert top <= 1, "no rate is above 100 %"
    marks = [trace for trace in drawing.figure.data if trace.mode == "markers"]
    drawn = sorted(min(hit / case, top) for hit, case in zip(hits, cases, strict=True))
    assert sorted(y for trace in marks for y in trace.y) == pytest.approx(drawn)
    beyond = [hit / case > top for hit, case in zip(hits, cases, strict=True)]
    symbols = [symbol for trace in marks for symbol in trace.marker.symbol]
    assert symbols.count("triangle-up") == sum(beyond)
    assert ("Triangles" in drawing.note) == any(beyond) == bool(marked)
    assert all(trace.cliponaxis is False for trace in marks)


def test_too_few_cases_of_everybody_are_told_and_not_no_data(view):
    frame = pd.DataFrame({"employee": ["E1", "E2"], "conversion_rate": [0.5, 0.0]})
    frame["conversion_rate__numerator"], frame["conversion_rate__denominator"] = [2, 0], [4, 9]
    drawing = funnel_plot(view, frame, "employee", "conversion_rate")
    assert drawing.figure is None
    assert not drawing.is_empty
    assert drawing.table.iloc[:, 1].tolist() == ["50.0%", "0.0%"]
    assert [4.0, 9.0] in [list(column.values) for column in drawing.columns]
    assert "Nobody has 30 cases" in drawing.note
