"""Which chart is suggested for which answer."""

import pytest

from dashboards.explore.shape import KIND_NAMES, Shape, kinds


@pytest.mark.parametrize(
    ("metrics", "periods", "categories", "are_rates", "suggested"),
    [
        (1, 0, 0, False, "tiles"),
        (3, 0, 0, True, "tiles"),
        (1, 1, 0, False, "columns"),
        (1, 1, 0, True, "lines"),
        (2, 1, 0, False, "lines"),
        (1, 0, 1, False, "bars"),
        (1, 0, 1, True, "estimates"),
        (2, 0, 1, False, "scatter"),
        (2, 0, 1, True, "scatter"),
        (3, 0, 1, False, "bars"),
        (1, 1, 1, False, "lines"),
        (1, 1, 1, True, "lines"),
        (1, 0, 2, True, "heatmap"),
        (2, 0, 2, False, "heatmap"),
    ],
)
def test_the_suggested_chart(metrics, periods, categories, are_rates, suggested):
    offered = kinds(Shape(metrics, periods, categories, are_rates))
    assert offered[0] == suggested
    assert len(set(offered)) == len(offered)
    assert set(offered) <= set(KIND_NAMES)


def test_a_rate_is_never_drawn_as_bars_from_zero():
    for metrics, periods, categories in ((1, 1, 0), (1, 0, 1), (2, 0, 1), (1, 1, 1), (1, 0, 2)):
        assert {"bars", "columns"}.isdisjoint(kinds(Shape(metrics, periods, categories, are_rates=True)))
