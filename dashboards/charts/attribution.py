"""Charts of attribution: what each model credits, how far they differ, and how far chance moves each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboards.attribution import UNATTRIBUTED, Credit, Return, returns, unplaced
from dashboards.charts.comparison import AXIS_ROOM, ROW
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import NO_DATA
from loupan.i18n.codes import value_label
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import (
    HOVER,
    NOTHING,
    Column,
    Drawing,
    figure,
    hover,
    label_axis,
    safe,
    value_axis,
)
from loupan.ui.palette import COLOURS

_MOST = 14


def credited(view: View, found: Credit | None, metric: str, cut: str, model: str, most: int = 14) -> Drawing:
    """Draw a credited metric under the chosen model as bars, with the range over all models and that of chance.

    Args:
        view: the reader's view.
        found: what is credited; None for nothing.
        metric: ``attributed_amount`` or ``attributed_contracts``.
        cut: what is credited.
        model: the model drawn as bars.
        most: how many rows are drawn; the note says how many more there are, and the table has all.
    """
    if found is None or model not in found.values:
        return NOTHING
    order = found.values[model].sort_values(ascending=False, kind="stable").index
    order = order[found.values.loc[order].max(axis=1) > 0]
    if order.empty:
        return NOTHING
    values, low, high = (part.loc[order] for part in (found.values, found.low, found.high))
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit(metric)
    names = [*map(names_of(view, cut), values.index)]
    columns = [Column(view.title(cut), names)]
    for one in values:
        label = value_label(view.t, "attribution_model", one)
        columns += [
            Column(label, values[one].tolist(), unit, metric),
            Column(view.t("{column}, 95% interval from", column=label), low[one].tolist(), unit),
            Column(view.t("{column}, 95% interval to", column=label), high[one].tolist(), unit),
        ]
    table = pd.DataFrame(
        {
            view.title(cut): names,
            **{
                value_label(view.t, "attribution_model", one): [
                    f"{formats.value(v, unit)} ({formats.interval(lo, hi, unit)})"
                    for v, lo, hi in zip(values[one], low[one], high[one], strict=True)
                ]
                for one in values
            },
        }
    )
    shown, names = values.head(most), names[:most]
    floor, top = shown.min(axis=1), shown.max(axis=1)
    lowest, highest = low.head(most).min(axis=1), high.head(most).max(axis=1)
    texts = [
        hover(
            [
                safe(name),
                f"{value_label(view.t, 'attribution_model', model)}: {formats.value(chosen, unit)} "
                + view.t("(95% interval {interval})", interval=formats.interval(lo, hi, unit)),
                view.t("Range over models: {interval}", interval=formats.interval(a, b, unit)),
                view.t("With what chance adds to either side: {interval}", interval=formats.interval(c, d, unit)),
            ]
        )
        for name, chosen, lo, hi, a, b, c, d in zip(
            names, shown[model], low[model], high[model], floor, top, lowest, highest, strict=False
        )
    ]
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": value_label(view.t, "attribution_model", model),
        "x": shown[model].tolist(),
        "y": list(range(len(names))),
        "marker": {
            "color": [colours.faint if value == UNATTRIBUTED else colours.main for value in shown.index],
            "cornerradius": 3,
            # The lines are to be seen on them.
            "opacity": 0.55,
        },
        "customdata": texts,
        "hovertemplate": HOVER,
    }
    drawn = figure(
        view.theme,
        [
            bars,
            _spans(view.t("With chance, 95%"), lowest, highest, colours.ink, 1.5),
            _spans(view.t("Range over models"), floor, top, colours.accent, 4),
        ],
        ROW * len(names) + AXIS_ROOM + 24,
        xaxis=value_axis(formats, unit, 0.0, float(highest.max()), view.theme, is_tight=True),
        yaxis=label_axis(names),
    )
    alt = view.t(
        "{metric}: most for {name} with {value}; {low} to {high} depending on the model.",
        metric=view.label(metric),
        name=names[0],
        value=formats.value(shown[model].iloc[0], unit),
        low=formats.value(floor.iloc[0], unit),
        high=formats.value(top.iloc[0], unit),
    )
    return Drawing(drawn, alt, table, view.left_out(len(values) - most), columns)


def _spans(name: str, low: pd.Series, high: pd.Series, colour: str, width: float) -> dict[str, Any]:
    """Return one trace of level lines, one per row; gaps keep them apart."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for position, (start, end) in enumerate(zip(low, high, strict=True)):
        xs += [float(start), float(end), None]
        ys += [position, position, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": xs,
        "y": ys,
        "line": {"color": colour, "width": width},
        "hoverinfo": "skip",
    }


def returned(view: View, cut: str) -> Drawing:
    """Draw the return on each expense as a range over models and chance, and say what it depends on."""
    found = returns(view, cut)
    if not found:
        return NOTHING
    formats, colours, unit = view.formats, COLOURS[view.theme], view.unit("roi")
    names = [*map(names_of(view, cut), (one.name for one in found))]
    known = [(name, one) for name, one in zip(names, found, strict=True) if one.roi][:_MOST]
    verdicts = [_verdict(view, one) for one in found]
    columns = _columns(view, cut, names, found, verdicts)
    table = pd.DataFrame(
        {
            view.title(cut): names,
            view.label("marketing_expense"): [formats.value(one.expense, "currency") for one in found],
            view.label("attributed_contracts"): [_range(view, list(one.contracts.values()), "count") for one in found],
            view.label("cost_per_contract"): [
                _range(view, list(one.cost_per_contract.values()), "currency") for one in found
            ],
            view.label("roi"): [_range(view, list(one.roi.values()), unit) for one in found],
            **(
                {view.t("Months until it is paid back"): [_months(view, one) for one in found]}
                if found[0].payback
                else {}
            ),
            view.t("Breaks even at an expense of"): [
                _range(view, [one.expense * (1 + rate) for rate in one.roi.values()], "currency") for one in found
            ],
            view.t("What it depends on"): verdicts,
        }
    )
    if not known:
        return Drawing(None, table=table, columns=columns)
    least = pd.Series([min(one.roi.values()) for _, one in known])
    most = pd.Series([max(one.roi.values()) for _, one in known])
    lowest = pd.Series([min(one.low.values()) for _, one in known])
    highest = pd.Series([max(one.high.values()) for _, one in known])
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": ((least + most) / 2).tolist(),
        "y": list(range(len(known))),
        "marker": {"size": 14, "opacity": 0},
        "showlegend": False,
        "customdata": [
            hover(
                [
                    safe(name),
                    view.t("Range over models: {interval}", interval=formats.interval(a, b, unit)),
                    view.t("With what chance adds to either side: {interval}", interval=formats.interval(c, d, unit)),
                    safe(_verdict(view, one)),
                ]
            )
            for (name, one), a, b, c, d in zip(known, least, most, lowest, highest, strict=True)
        ],
        "hovertemplate": HOVER,
    }
    start, end = min(0.0, float(lowest.min())), max(0.1, float(highest.max()))
    drawn = figure(
        view.theme,
        [
            _spans(view.t("With chance, 95%"), lowest, highest, colours.ink, 1.5),
            _spans(view.t("Range over models"), least, most, colours.accent, 6),
            marks,
        ],
        ROW * len(known) + AXIS_ROOM + 24,
        xaxis=value_axis(formats, unit, start, end, view.theme, is_tight=True)
        # The lowest round number may lie far below: nothing can lose more than it cost.
        | {"range": [start - 0.02 * (end - start), end + 0.04 * (end - start)]},
        yaxis=label_axis([name for name, _ in known]),
        shapes=[
            {
                "type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
                "line": {"color": colours.ink, "width": 1.5, "dash": "dot"},
            }
        ],
    )  # fmt: skip
    unsure = [name for name, one in known if not one.is_sure]
    alt = view.t(
        "Return on investment: of {all} that cost money, {unsure} pay or not depending on the model or on chance.",
        all=len(known),
        unsure=len(unsure),
    )
    note = view.t("Right of the dotted line the margin of what is credited is more than it cost.")
    if share := unplaced(view, cut):
        note += " " + view.t(
            "{share} of the expense names no {dimension}: it stands against none of them, which flatters all.",
            share=formats.value(share, "percent"),
            dimension=view.within(view.title(cut)),
        )
    return Drawing(drawn, alt, table, f"{note} {view.left_out(len(found) - len(known))}".strip(), columns)


def _columns(view: View, cut: str, names: list[str], found: tuple[Return, ...], verdicts: list[str]) -> list[Column]:
    models, unit = list(found[0].contracts), view.unit("roi")
    columns = [
        Column(view.title(cut), names),
        Column(view.label("marketing_expense"), [one.expense for one in found], "currency", "marketing_expense"),
    ]
    for model in models:
        label = value_label(view.t, "attribution_model", model)

        def title(metric: str, label: str = label) -> str:
            return f"{view.label(metric)}, {label}"

        columns += [
            Column(title("cost_per_contract"), [one.cost_per_contract[model] for one in found], "currency"),
            Column(title("roi"), [one.roi.get(model) for one in found], unit, "roi"),
            Column(
                view.t("{column}, 95% interval from", column=title("roi")),
                [one.low.get(model) for one in found],
                "ratio",
            ),
            Column(
                view.t("{column}, 95% interval to", column=title("roi")),
                [one.high.get(model) for one in found],
                "ratio",
            ),
        ]
        if found[0].payback:
            title_of_months = view.t("Months until it is paid back, {model}", model=label)
            columns.append(Column(title_of_months, [one.payback[model] for one in found], "count"))
    return [*columns, Column(view.t("What it depends on"), verdicts)]


def _range(view: View, values: list[Any], unit: str) -> str:
    known = [float(value) for value in values if value is not None]
    if not known:
        return NO_DATA
    least, most = view.formats.value(min(known), unit), view.formats.value(max(known), unit)
    return least if least == most else f"{least}–{most}"


def _months(view: View, one: Return) -> str:
    known = [months for months in one.payback.values() if months is not None]
    if not known:
        return view.t("not in this period") if one.roi else NO_DATA
    if len(known) < len(one.payback):
        return view.t("{months} or not in this period", months=min(known))
    return _range(view, known, "count")


def _verdict(view: View, one: Return) -> str:
    """Say in one sentence whether the expense pays, and what would change that."""
    t = view.t
    if not one.roi:
        return t("Cannot be told: the gross margin of an estate is not recorded.")
    is_few = max(one.contracts.values()) < ENOUGH
    few = " " + t("It rests on fewer than 30 contracts.") if is_few else ""
    paying = one.paying
    if 0 < len(paying) < len(one.roi):
        models = t(", ").join(value_label(t, "attribution_model", model) for model in paying)
        return t("Depends on the model: it pays under {models} only.", models=models) + few
    if one.is_sure:
        return (t("Pays under every model.") if paying else t("Pays under no model.")) + few
    text = (
        t("Pays under every model, but chance alone could have made it so.")
        if paying
        else t("Pays under no model, but chance alone could have made it so.")
    )
    return text + few
