"""What charts are made of."""

import pytest

from loupan.ui.drawing import bar_text, figure, wrapped
from loupan.ui.palette import COLOURS


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", COLOURS)
def test_labels_inside_bars_can_be_read(theme):
    colours = COLOURS[theme]
    fills = [colours.main, colours.faint, *colours.heat, *colours.series]
    written = bar_text(fills, 12, theme)["insidetextfont"]["color"]
    assert len(written) == len(fills)
    for fill, ink in zip(fills, written, strict=True):
        assert contrast(fill, ink) >= 4.5, (fill, ink)  # WCAG 2.2, AA


def test_both_notations_of_a_colour_mean_the_same():
    assert bar_text(["#56B4E9"], 12, "dark") == bar_text(["rgb(86,180,233)"], 12, "dark")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("滨江壹号", ["滨江壹号"]),
        ("滨江壹号2023-06开盘推广社区巡展1", ["滨江壹号2023-06开盘推", "广社区巡展1"]),
        ("Riverside One 2023-06 launch: roadshow", ["Riverside One 2023-06", "launch: roadshow"]),
        (
            "Riverside One 2023-06 launch in all districts: roadshow 2",
            ["Riverside One 2023-06", "…districts: roadshow 2"],
        ),
        # A word is kept whole where both lines hold the name.
        ("购房目的购房 · Customers of 2026", ["购房目的购房 ·", "Customers of 2026"]),
        ("Unbroken" * 4 + "<1", ["UnbrokenUnbrokenUnbrok", "enUnbroken&lt;1"]),
    ],
)
def test_a_long_name_is_wrapped_and_keeps_its_end(name, lines):
    assert wrapped(name) == lines


def test_equal_data_is_known_as_equal_and_other_data_as_other():
    def drawn(*values, **layout):
        return figure("light", [{"type": "bar", "x": [1, 2], "y": list(values)}], 300, **layout).to_dict()["layout"]

    assert drawn(3, 4) == drawn(3, 4)
    assert drawn(3, 4)["datarevision"] != drawn(3, 5)["datarevision"]
    # A template would be compared by identity, and the chart drawn once more for it.
    assert "template" not in drawn(3, 4)
    merged = drawn(3, 4, xaxis={"title": {"text": "Leads"}}, xaxis2={"range": [0, 1]})
    assert merged["xaxis"]["title"] == {
        "font": {"color": COLOURS["light"].muted, "size": 12},
        "standoff": 8,
        "text": "Leads",
    }
    assert merged["xaxis2"]["fixedrange"] is True
    # Of flows, axes would be drawn empty.
    assert "xaxis" not in figure("light", [{"type": "sankey"}], 300).to_dict()["layout"]


def test_where_marks_can_be_clicked_the_shown_figure_stays_as_it_is():
    shown = figure("light", [{"type": "bar", "x": [1], "y": [2]}], 300)
    assert shown.pickable().to_dict()["layout"]["clickmode"] == "event+select"
    assert "clickmode" not in shown.to_dict()["layout"]
    assert shown.pickable().to_dict()["data"] == shown.to_dict()["data"]
