"""Charts on paper show what the charts of the pages show: bars as long as their values, words as they were."""

from __future__ import annotations

import pytest

from dashboards.charts.comparison import ranked
from dashboards.pages import campaign_return, complaints, conversion, headlines, overview, sales
from dashboards.report.marks import Box, Dot, Line, Words
from dashboards.report.plot import SIZE, Unprintable, course_line, plot, words_width
from loupan.ui.drawing import figure, label_axis

WIDTH = 240.0


def drawn(*traces, width=WIDTH, **layout):
    return plot(figure("light", traces, 200, **layout).to_dict(), width)


def of(plotted, kind):
    return [mark for mark in plotted.marks if isinstance(mark, kind)]


def bar(values, names, **more):
    rows = list(range(len(names)))
    return {"type": "bar", "orientation": "h", "x": values, "y": rows, "marker": {"color": "#0072B2"}, **more}


def test_level_bars_are_as_long_as_their_values():
    names = ["a", "b", "c", "d"]
    axis = {"visible": False, "range": [-20, 80]}
    found = drawn(bar([80.0, 40.0, 20.0, -20.0], names), xaxis=axis, yaxis=label_axis(names))
    boxes = of(found, Box)
    assert [box.width / boxes[0].width for box in boxes] == pytest.approx([1, 0.5, 0.25, 0.25])
    assert [box.y for box in boxes] == sorted(box.y for box in boxes)
    # To the left of zero what is below it.
    assert boxes[3].x + boxes[3].width == pytest.approx(boxes[0].x)


def test_columns_stand_on_each_other_and_hang_below_zero():
    months = ["2026-01", "2026-02"]
    up = {"type": "bar", "x": months, "y": [10.0, 20.0]}
    more = {"type": "bar", "x": months, "y": [5.0, 0.0]}
    down = {"type": "bar", "x": months, "y": [-5.0, -10.0]}
    axis = {"tickvals": [-10, 0, 20], "ticktext": ["−10", "0", "20"], "range": [-10, 20]}
    found = drawn(up, more, down, yaxis=axis, xaxis={"type": "category", "range": [-0.6, 1.4]}, barmode="relative")
    first, _, above, _, below, _ = of(found, Box)
    assert above.y + above.height == pytest.approx(first.y)
    assert below.y == pytest.approx(first.y + first.height)
    assert above.height == pytest.approx(first.height / 2)


def test_a_line_runs_through_its_values_and_breaks_where_there_is_none():
    trace = {"type": "scatter", "mode": "lines+markers", "x": [0, 1, 2, 3, 4], "y": [0.0, 10.0, None, 5.0, 10.0]}
    found = drawn(
        trace, yaxis={"range": [0, 10], "tickvals": [0, 10], "ticktext": ["0", "10"]}, xaxis={"range": [0, 4]}
    )
    dots = of(found, Dot)
    low, high = dots[0].y, dots[1].y
    assert low > high
    assert dots[2].y == pytest.approx((low + high) / 2)
    lines = [line for line in of(found, Line) if line.colour.lower() == "#0072b2"]
    assert [len(line.points) for line in lines] == [2, 2]


def test_a_whisker_is_as_long_as_its_interval_and_ends_with_the_axis():
    error = {"type": "data", "symmetric": False, "array": [10.0, 500.0], "arrayminus": [5.0, 0.0], "color": "#b4bfcb"}
    trace = {"type": "scatter", "mode": "markers", "x": [50.0, 50.0], "y": [0, 1], "error_x": error}
    found = drawn(trace, xaxis={"range": [0, 100], "tickvals": [], "ticktext": []}, yaxis=label_axis(["a", "b"]))
    first, second = (line for line in of(found, Line) if line.colour == "#b4bfcb")
    assert abs(first.points[1][0] - first.points[0][0]) == pytest.approx(
        15 / 50 * (second.points[1][0] - second.points[0][0])
    )
    assert second.points[1][0] <= WIDTH


def test_words_are_as_the_database_has_them():
    name = "<script>alert('1')</script> & <br>x"
    found = drawn(bar([1.0], [name]), xaxis={"visible": False, "range": [0, 1]}, yaxis=label_axis([name]))
    (label,) = [words.text for words in of(found, Words)]
    assert name.startswith(label.rstrip("…"))
    assert label.startswith("<script>")


def test_what_is_not_known_is_refused():
    with pytest.raises(Unprintable, match="sankey"):
        drawn({"type": "sankey"})
    with pytest.raises(Unprintable, match="circle"):
        drawn(bar([1.0], ["a"]), shapes=[{"type": "circle"}])


def test_a_small_line_without_values_is_empty():
    assert course_line([None, 1.0, None], 50, 10, "#000000").marks == []
    assert len(course_line([1.0, 1.0], 50, 10, "#000000").marks) == 2


def inside(plotted):
    """Say of all marks where they stand: left, right, top and bottom."""
    for mark in plotted.marks:
        match mark:
            case Line():
                yield from ((x, x, y, y) for x, y in mark.points)
            case Box():
                yield mark.x, mark.x + mark.width, mark.y, mark.y + mark.height
            case Dot():
                yield mark.x - mark.radius, mark.x + mark.radius, mark.y - mark.radius, mark.y + mark.radius
            case Words():
                wide = words_width(mark.text)
                left = mark.x - {"left": 0.0, "middle": wide / 2, "right": wide}[mark.anchor]
                yield left, left + wide, mark.y - SIZE / 2, mark.y + SIZE / 2


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [239.5, 493.0])
def test_nothing_of_a_chart_is_cut_off(view_in, language, width):
    view = view_in(language)
    campaigns = view.narrowed((("attribution_model", ("last_non_direct",)),))
    drawings = [
        overview.monthly_amount(view),
        overview.funnel(view),
        overview.complaints(view),
        ranked(view, "contract_amount", "source", most=9, share=True),
        headlines.contributors(view, "contract_amount", "source"),
        sales.target_by_project(view, "contract_amount_attainment"),
        sales.target_by_month(view, "contract_amount_attainment"),
        conversion.by_month(view, "conversion_rate"),
        conversion.by_cut(view, "conversion_rate_90d", "source"),
        complaints.categories(view, "valid_complaints", complaints.usual_category(view, "valid_complaints")),
        campaign_return.credited(campaigns, "attributed_amount", "source"),
        campaign_return.returned(campaigns, "source"),
    ]
    for drawing in drawings:
        assert drawing.figure is not None
        found = plot(drawing.figure.to_dict(), width)
        assert found.width == width
        # A point on the edge may reach a little over it.
        for left, right, top, bottom in inside(found):
            assert left >= -2
            assert right <= width + 2
            assert top >= -2
            assert bottom <= found.height + 2


@pytest.mark.slow
def test_a_page_s_bars_have_the_gateway_s_proportions(view):
    frame = view.ask("contract_amount", by=("project",)).astype({"contract_amount": float})
    values = sorted(frame["contract_amount"], reverse=True)
    boxes = of(plot(ranked(view, "contract_amount", "project").figure.to_dict(), WIDTH), Box)
    assert [box.width / boxes[0].width for box in boxes] == pytest.approx([value / values[0] for value in values])
