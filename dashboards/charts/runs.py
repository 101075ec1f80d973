"""Charts of refreshes, one after the other, whether they were published or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboards.view import View
from loupan.i18n import marked
from loupan.refresh_state import RefreshState
from loupan.refresh_words import OUTCOMES, outcome
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, figure, hover, value_axis
from loupan.ui.drawing import written as texts_of
from loupan.ui.palette import COLOURS

MOST = 60
# There is room for so many at least; moments of fewer than so many would stand too close.
_FEWEST, _CLOSE = 6, 3


@dataclass(frozen=True)
class Measure:
    """Something that is known of every refresh.

    Attributes:
        title: what it is called.
        unit: of `loupan.formats`.
        value: reads it; None where it is not known.
    """

    title: str
    unit: str
    value: Callable[[RefreshState], float | None]


def _kept_out(run: RefreshState) -> float | None:
    # A refresh that stopped before it had loaded everything kept out nothing that anybody counted.
    return sum(run.quarantined.values()) if run.rows else None


def _rows(run: RefreshState) -> float | None:
    return sum(run.rows.values()) if run.rows else None


def _failed(run: RefreshState) -> float | None:
    return len(run.failed_checks)


MEASURES = {
    "seconds": Measure(marked("Duration in seconds"), "count", lambda run: run.seconds),
    "rows": Measure(marked("Rows"), "count", _rows),
    "kept_out": Measure(marked("Rows kept out"), "count", _kept_out),
    "failed": Measure(marked("Failed checks"), "count", _failed),
}


def by_refresh(view: View, runs: Sequence[RefreshState], measure: Measure) -> Drawing:
    """Draw a measure of every refresh, the last ones, in the colour of what became of it."""
    runs = [run for run in runs if measure.value(run) is not None][-MOST:]
    if not runs:
        return NOTHING
    t, formats, zone, colours = view.t, view.formats, view.gateway.time_zone, COLOURS[view.theme]
    shades = {
        "published": colours.main,
        "unchanged": colours.main,
        "refused": colours.accent,
        "error": colours.bad,
        "cancelled": colours.muted,
    }
    values = [float(measure.value(run) or 0) for run in runs]
    moments = [formats.moment(datetime.fromisoformat(run.started_at), zone) for run in runs]
    written = [formats.value(value, measure.unit) for value in values]
    title = t(measure.title)
    traces = [
        {
            "type": "bar",
            "name": t(words),
            "x": [place for place, run in enumerate(runs) if run.outcome == name],
            "y": [value for value, run in zip(values, runs, strict=True) if run.outcome == name],
            "marker": {"color": shades[name], "cornerradius": 3},
            "width": 0.7,
            "customdata": [
                hover([moment, f"{title}: {text}", t(words)])
                for moment, text, run in zip(moments, written, runs, strict=True)
                if run.outcome == name
            ],
            "hovertemplate": HOVER,
        }
        for name, words in OUTCOMES.items()
        if any(run.outcome == name for run in runs)
    ]
    # On a telephone there is no room for two moments beside each other.
    ends = sorted({0 if len(runs) > _CLOSE else len(runs) - 1, len(runs) - 1})
    drawn = figure(
        view.theme,
        traces,
        240,
        xaxis={
            "tickvals": ends,
            "ticktext": ["<br>".join(moments[place].rsplit(" ", 1)) for place in ends],
            "range": [-0.6, max(len(runs), _FEWEST) - 0.4],
            "tickangle": 0,
        },
        yaxis=value_axis(formats, measure.unit, 0.0, max(values), view.theme),
        showlegend=True,
    )
    alt = t("The last of {number} refreshes: {value}.", number=len(runs), value=written[-1])
    columns = [
        Column(t("Started"), moments[::-1]),
        Column(t("Outcome"), [outcome(t, run) for run in reversed(runs)]),
        Column(title, values[::-1], measure.unit),
    ]
    return Drawing(drawn, alt, texts_of(formats, columns), columns=columns)
