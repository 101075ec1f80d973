"""What charts are made of."""

import pytest

from loupan.ui.drawing import bar_text, wrapped
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
