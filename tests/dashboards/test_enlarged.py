"""Charts for readers at a distance."""

import plotly.graph_objects as go

from dashboards.enlarged import enlarged


def test_letters_and_height_grow_and_the_first_figure_stays():
    first = go.Figure(
        {
            "data": [{"type": "bar", "y": [1], "textfont": {"size": 10}, "marker": {"color": ["#fff"]}}],
            "layout": {
                "template": {"layout": {"font": {"size": 12}}},
                "height": 200,
                "xaxis": {"title": {"text": "x", "font": {"size": 11}}},
            },
        }
    )
    before = first.to_json()
    larger = enlarged(first, 1.5)
    assert larger.layout.height == 300
    assert enlarged(first, 1.5, at_least=400).layout.height == 400
    assert larger.layout.template.layout.font.size == 18
    assert larger.layout.xaxis.title.font.size == 16.5
    assert larger.data[0].textfont.size == 15
    assert first.to_json() == before
