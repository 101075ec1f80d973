"""What a comparison like for like found: rates pulled together, beside the crude ones, and how far to trust them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.comparison import AXIS_ROOM, ROW, ROW_OF_TWO, ratio_interval
from dashboards.fair_comparison import FairComparison
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.statistics.casemix import Calibration
from loupan.ui.drawing import (
    HOVER,
    Column,
    Drawing,
    figure,
    hover,
    label_axis,
    safe,
    value_axis,
    whiskers,
    wrapped,
)
from loupan.ui.palette import COLOURS

_MOST = 40
_SIDE = 340
_CRUDE, _ADJUSTED = marked("As counted"), marked("Like for like")


def fair_rates(view: View, found: FairComparison) -> Drawing:
    """Draw the rates like for like, pulled towards the common one, beside the crude ones; by name, never ranked."""
    data, unit = _rates(view, found), "ratio" if found.is_number else view.unit(found.metric)
    formats, colours, t = view.formats, COLOURS[view.theme], view.t
    shown = data[~data["is_few"]].nlargest(_MOST, "exposure").sort_values("name", kind="stable")
    rows = list(range(len(shown)))
    labels = ["<br>".join(wrapped(name)) for name in shown["name"]]
    common = 1.0 if found.is_number else found.scale * found.adjusted.common
    crude = {
        "type": "scatter",
        "mode": "markers",
        "name": t(_CRUDE),
        "x": shown["crude"].tolist(),
        "y": rows,
        "marker": {"size": 9, "symbol": "circle-open", "color": colours.muted, "line": {"width": 1.5}},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }
    pulled = {
        "type": "scatter",
        "mode": "markers",
        "name": t(_ADJUSTED),
        "x": shown["pulled"].tolist(),
        "y": rows,
        "error_x": whiskers(shown["pulled"], shown["pulled_low"], shown["pulled_high"], colours.faint),
        "marker": {"size": 10, "color": colours.main, "line": {"width": 0}},
        "cliponaxis": False,
        "customdata": [
            hover(
                [
                    safe(row["name"]),
                    f"{t(_CRUDE)}: {formats.value(row['crude'], unit)}",
                    f"{t(_ADJUSTED)}: {formats.value(row['pulled'], unit)}",
                    t(
                        "95% interval: {interval}",
                        interval=formats.interval(row["pulled_low"], row["pulled_high"], unit),
                    ),
                    f"n = {row['exposure']:,.0f}",
                ]
            )
            for row in shown.to_dict("records")
        ],
        "hovertemplate": HOVER,
    }
    top = max(float(shown["crude"].max()), float(shown["pulled_high"].max()), common)
    drawn = figure(
        view.theme,
        [crude, pulled],
        (ROW_OF_TWO if any("<br>" in label for label in labels) else ROW) * len(shown) + AXIS_ROOM + 30,
        xaxis=value_axis(formats, unit, 0.0, top, view.theme, is_tight=True),
        yaxis=label_axis(
            shown["name"].tolist(),
            ticktext=labels,
            ticklabelstandoff=6,
        ),
        shapes=[
            {
                "type": "line", "x0": common, "x1": common, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
                "line": {"color": colours.accent, "width": 1.5, "dash": "dot"},
            }
        ],
    )  # fmt: skip
    alt = t(
        "{metric} like for like: {low} to {high} among {units} with enough cases, {common} over all.",
        metric=view.label(found.metric),
        low=formats.value(float(shown["pulled"].min()), unit),
        high=formats.value(float(shown["pulled"].max()), unit),
        units=len(shown),
        common=formats.value(common, unit),
    )
    few = int(data["is_few"].sum())
    note = " ".join(
        filter(
            None,
            [
                t("Filled: like for like, pulled towards the common rate by as much as few cases ask for (shrinkage)."),
                t("Bars: 95% intervals. Where they reach across the line, the difference may be chance."),
                t("{number} with fewer than 30 cases are in the table only.", number=few) if few else "",
                view.left_out(len(data) - few - len(shown)),
            ],
        )
    )
    return Drawing(drawn, alt, _table(view, found, data, unit), note, _columns(view, found, data, unit))


def calibration_plot(view: View, metric: str, found: Calibration) -> Drawing:
    """Draw what was expected of groups of cases against what happened; a good expectation lies on the diagonal."""
    formats, colours, t, unit = view.formats, COLOURS[view.theme], view.t, view.unit(metric)
    definition = view.gateway.metric(metric)
    scale = float(definition.scale) if definition else 1.0
    expected, observed = scale * found.expected, scale * found.observed
    low, high = ratio_interval(unit, pd.Series(found.events), pd.Series(found.exposure), scale)
    end = float(max(np.nanmax(high), expected.max()))
    start = float(min(np.nanmin(low), expected.min()))
    # Small rates are seen against 0, large ones among themselves.
    start = 0.0 if start < end / 2 else start
    texts = [
        hover(
            [
                t("Expected: {rate}", rate=formats.value(e, unit)),
                t("Happened: {rate}", rate=formats.value(o, unit)),
                t("95% interval: {interval}", interval=formats.interval(lo, hi, unit)),
                f"n = {n:,.0f}",
            ]
        )
        for e, o, lo, hi, n in zip(expected, observed, low, high, found.exposure, strict=True)
    ]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": expected.tolist(),
        "y": observed.tolist(),
        "error_y": whiskers(observed, low, high, colours.faint),
        "marker": {"size": 9, "color": colours.main},
        "customdata": texts,
        "hovertemplate": HOVER,
        "cliponaxis": False,
        "showlegend": False,
    }
    diagonal: dict[str, Any] = {
        "type": "line", "x0": start, "y0": start, "x1": end, "y1": end, "layer": "below",
        "line": {"color": colours.accent, "width": 1.5, "dash": "dot"},
    }  # fmt: skip
    drawn = figure(
        view.theme,
        [points],
        _SIDE,
        xaxis=value_axis(formats, unit, start, end, view.theme, is_tight=True)
        | {"title": {"text": safe(t("Expected"))}},
        yaxis=value_axis(formats, unit, start, end, view.theme) | {"title": {"text": safe(t("Happened"))}},
        shapes=[diagonal],
    )
    inside = int(np.sum((low <= expected) & (expected <= high)))
    ordered = t(
        "Of a case in which it happened and one in which it did not, the former had the higher expectation in {share} "
        "of 100; 50 would be tossing a coin.",
        share=f"{100 * found.concordance:.0f}",
    )
    alt = t(
        "Expected against what happened in {groups} groups of cases: {inside} agree within chance.",
        groups=len(expected),
        inside=inside,
    )
    columns = [
        Column(t("Expected"), expected.tolist(), unit),
        Column(t("Happened"), observed.tolist(), unit),
        Column(t("95% interval, from"), low.tolist(), unit),
        Column(t("95% interval, to"), high.tolist(), unit),
        Column(t("Cases"), found.events.tolist(), "count"),
        Column(t("Out of"), found.exposure.tolist(), "count"),
    ]
    table = pd.DataFrame({c.title: [formats.value(v, c.unit) for v in c.values] for c in columns})
    return Drawing(drawn, alt, table, f"{alt} {ordered}", columns)


def _rates(view: View, found: FairComparison) -> pd.DataFrame:
    """Return a row per unit, by name: crude, adjusted and shrunken rates as they are shown."""
    units, shrunken, scale = found.adjusted, found.shrunken, found.scale
    crude = units.ratio if found.is_number else scale * units.observed / units.exposure
    data = pd.DataFrame(
        {
            "name": [*map(names_of(view, found.unit), units.units)],
            "exposure": units.exposure,
            "observed": units.observed,
            "expected": units.expected,
            "ratio": units.ratio,
            "crude": crude,
            "adjusted": scale * units.rate,
            "adjusted_low": scale * units.rate_low,
            "adjusted_high": scale * units.rate_high,
            "pulled": scale * shrunken.rate,
            "pulled_low": scale * shrunken.low,
            "pulled_high": scale * shrunken.high,
            "is_few": ~units.has_enough,
        }
    )
    return data.sort_values("name", kind="stable").reset_index(drop=True)


def _table(view: View, found: FairComparison, data: pd.DataFrame, unit: str) -> pd.DataFrame:
    formats, t = view.formats, view.t

    def bracketed(value: float, unit: str, is_few: bool) -> str:
        text = formats.value(value, unit)
        return f"({text})" if is_few and not is_missing(value) else text

    def all_of(name: str, unit: str) -> list[str]:
        return [bracketed(value, unit, few) for value, few in zip(data[name], data["is_few"], strict=True)]

    def intervals(low: str, high: str) -> list[str]:
        return [formats.interval(lo, hi, unit) for lo, hi in zip(data[low], data[high], strict=True)]

    columns = {
        view.title(found.unit): data["name"].tolist(),
        t("Cases"): all_of("observed", "count"),
        t("Out of"): all_of("exposure", "count"),
        t("Expected"): [f"{value:,.1f}" for value in data["expected"]],
        t("Observed ÷ expected"): all_of("ratio", "ratio"),
    }
    if not found.is_number:
        columns |= {t(_CRUDE): all_of("crude", unit), t("Adjusted for mix"): all_of("adjusted", unit)}
    return pd.DataFrame(
        columns
        | {
            t("95% interval"): intervals("adjusted_low", "adjusted_high"),
            t("Pulled together"): all_of("pulled", unit),
            t("95% interval of it"): intervals("pulled_low", "pulled_high"),
        }
    )


def _columns(view: View, found: FairComparison, data: pd.DataFrame, unit: str) -> list[Column]:
    t = view.t
    columns = [
        Column(view.title(found.unit), data["name"].tolist()),
        Column(t("Cases"), data["observed"].tolist(), "count"),
        Column(t("Out of"), data["exposure"].tolist(), "count"),
        Column(t("Expected"), data["expected"].tolist(), "ratio"),
        Column(t("Observed ÷ expected"), data["ratio"].tolist(), "ratio"),
    ]
    if not found.is_number:
        columns += [
            Column(t(_CRUDE), data["crude"].tolist(), unit),
            Column(t("Adjusted for mix"), data["adjusted"].tolist(), unit),
        ]
    return [
        *columns,
        Column(t("95% interval, from"), data["adjusted_low"].tolist(), unit),
        Column(t("95% interval, to"), data["adjusted_high"].tolist(), unit),
        Column(t("Pulled together"), data["pulled"].tolist(), unit),
        Column(t("Pulled together, from"), data["pulled_low"].tolist(), unit),
        Column(t("Pulled together, to"), data["pulled_high"].tolist(), unit),
    ]
