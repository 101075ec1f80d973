"""Charts of parts and wholes: how one total becomes another, and how two groups are made up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboards.charts.comparison import ROW
from dashboards.names import names_of
from dashboards.view import View
from loupan.i18n.codes import UNKNOWN, is_unknown
from loupan.ui.drawing import HOVER, NOTHING, Column, Drawing, bar_text, figure, hover, label_axis, safe, written
from loupan.ui.palette import COLOURS

# What rare values are folded into; it comes after all numbers.
OTHER = "other"
# Bands have an order of their own.
_BANDS = frozenset({"age_band", "income_band"})


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall: a change, or the total that is reached."""

    name: str
    value: float
    is_total: bool = False


def waterfall(view: View, steps: Sequence[Step], unit: str) -> Drawing:
    """Draw how one total becomes another by way of changes, top to bottom.

    Args:
        view: the reader's view.
        steps: the first is a total; a later total is the sum of all before it.
        unit: of all values.
    """
    if not any(step.value for step in steps):
        return NOTHING
    colours, formats = COLOURS[view.theme], view.formats
    labels = [_signed(formats.value(step.value, unit), step) for step in steps]
    running, reached = 0.0, [0.0]
    for step in steps:
        running = step.value if step.is_total else running + step.value
        reached.append(running)
    span = max(reached) - min(reached)
    trace: dict[str, Any] = {
        "type": "waterfall",
        "orientation": "h",
        "x": [step.value for step in steps],
        "y": list(range(len(steps))),
        "measure": ["absolute" if step.is_total else "relative" for step in steps],
        "text": labels,
        "textposition": "outside",
        "textfont": {"color": colours.ink, "size": 12},
        "constraintext": "none",
        "cliponaxis": False,
        "increasing": {"marker": {"color": colours.good}},
        "decreasing": {"marker": {"color": colours.bad}},
        "totals": {"marker": {"color": colours.main}},
        "connector": {"line": {"color": colours.faint, "width": 1}},
        "customdata": [hover([safe(s.name), label]) for s, label in zip(steps, labels, strict=True)],
        "hovertemplate": HOVER,
    }
    drawn = figure(
        view.theme,
        [trace],
        ROW * len(steps) + 24,
        # Labels stand beyond the bars' ends.
        xaxis={
            "visible": False,
            "range": [min(reached) - 0.22 * span * (min(reached) < 0), max(reached) + 0.34 * span],
        },
        yaxis=label_axis([step.name for step in steps]),
        showlegend=False,
    )
    alt = view.t("; ").join(f"{step.name} {label}" for step, label in zip(steps, labels, strict=True))
    table = pd.DataFrame({view.t("Step"): [step.name for step in steps], view.t("Amount"): labels})
    columns = [
        Column(view.t("Step"), [step.name for step in steps]),
        Column(view.t("Amount"), [step.value for step in steps], unit),
    ]
    return Drawing(drawn, alt, table, columns=columns)


def _signed(text: str, step: Step) -> str:
    return f"+{text}" if step.value > 0 and not step.is_total else text


def made_up(
    view: View,
    frames: Mapping[str, pd.DataFrame],
    dimension: str,
    most: int = 10,
    *,
    wholes: Mapping[str, float] | None = None,
    is_ordered: bool | None = None,
) -> Drawing:
    """Draw of what values of a dimension several groups are made up, as shares of each group side by side.

    What is unknown is a bar of its own, and the note says of how many it is known.

    Args:
        view: the reader's view.
        frames: by additive metric, the frame with the columns `dimension` and the metric.
        dimension: what is compared.
        most: how many values; the rest is one bar.
        wholes: by metric, what the shares are of where a case may have several values; else the sum of the values.
        is_ordered: whether the values are numbers or bands, which keep their order; known of some dimensions.
    """
    counts = pd.DataFrame(
        {
            metric: frame.groupby(frame[dimension].map(_value, na_action=None))[metric].sum().astype(float)
            for metric, frame in frames.items()
            if metric in frame
        }
    ).fillna(0.0)
    if counts.empty or not counts.to_numpy().any():
        return NOTHING
    is_known = counts.index != ""
    unknown, known = counts[~is_known].sum(), counts[is_known]
    first = counts.columns[0]
    if dimension in _BANDS if is_ordered is None else is_ordered:
        known = known.loc[sorted(known.index, key=lambda value: (value == OTHER, _bounds(value)))]
    else:
        known = known.sort_values(first, ascending=False, kind="stable")
    names = [*map(names_of(view, dimension), known.index)]
    rows = known.to_numpy().tolist()
    if len(rows) > most:
        names = [*names[: most - 1], view.t("{number} others", number=len(rows) - most + 1)]
        rows = [*rows[: most - 1], known.iloc[most - 1 :].sum().tolist()]
    if unknown.any():
        names.append(view.t(UNKNOWN))
        rows.append(unknown.tolist())
    shown = pd.DataFrame(rows, columns=counts.columns)
    totals = shown.sum() if wholes is None else pd.Series(wholes, dtype=float).reindex(shown.columns)
    return _side_by_side(view, dimension, names, shown, unknown, totals)


def _value(value: object) -> str:
    return "" if is_unknown(value) else str(value)


def _bounds(band: str) -> tuple[float, int, str]:
    """Order bands as they lie: by the largest number named; "55-64" before "64+", what has no number first."""
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(band))]
    return max(numbers, default=-1.0), -len(numbers), str(band)


def _side_by_side(
    view: View, dimension: str, names: Sequence[str], counts: pd.DataFrame, unknown: pd.Series, totals: pd.Series
) -> Drawing:
    colours, formats = COLOURS[view.theme], view.formats
    shades = (colours.main, colours.accent, *colours.series[2:])
    traces: list[dict[str, Any]] = []
    columns = [Column(view.title(dimension), list(names))]
    shown = [str(metric) for metric, total in totals.items() if total > 0]
    for place, metric in enumerate(shown):
        shares = [float(count) / float(totals[metric]) for count in counts[metric]]
        labels = [formats.value(share, "percent") for share in shares]
        columns += [
            Column(view.label(metric), counts[metric].tolist(), view.unit(metric), metric),
            Column(view.t("Share of {metric}", metric=view.label(metric)), shares, "percent"),
        ]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": view.label(metric),
                "x": shares,
                "y": list(range(len(names))),
                "text": labels,
                "textposition": "outside",
                **bar_text([shades[place]] * len(names), 11, view.theme),
                "cliponaxis": False,
                "marker": {"color": shades[place], "cornerradius": 3},
                "customdata": [
                    hover([safe(name), f"{safe(view.label(metric))}: {view.write(value, metric)} · {share}"])
                    for name, value, share in zip(names, counts[metric], labels, strict=True)
                ],
                "hovertemplate": HOVER,
            }
        )
    if not traces:
        return NOTHING
    top = max(max(trace["x"]) for trace in traces)
    drawn = figure(
        view.theme,
        traces,
        (14 + 16 * len(traces)) * len(names) + 40,
        xaxis={"visible": False, "range": [0, top * 1.16]},
        yaxis=label_axis(names),
        barmode="group",
        bargap=0.3,
        showlegend=len(traces) > 1,
        legend={"traceorder": "normal"},
    )
    alt = view.t("; ").join(
        view.t(
            "{metric}: most of {name} with {share}",
            metric=trace["name"],
            name=names[trace["x"].index(max(trace["x"]))],
            share=formats.value(max(trace["x"]), "percent"),
        )
        for trace in traces
    )
    first = str(counts.columns[0])
    note = ""
    if unknown[first] and totals[first]:
        note = view.t(
            "Known for {share} of {metric}.",
            share=formats.value(1 - unknown[first] / totals[first], "percent"),
            metric=view.label(first),
        )
    return Drawing(drawn, f"{alt}.", written(formats, columns), note, columns=columns)
