"""Charts of leads by month or quarter of entry, where the youngest are too young to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dashboards.charts.incidence import BY_DAY, is_few, known, to_date
from dashboards.charts.periods import period_axis, period_heads
from dashboards.charts.series import band, course, over_months, unfinished
from dashboards.courses import LEADS
from dashboards.view import View
from loupan.statistics.incidence import UNKNOWN, Course, Estimate, Incidence, continued
from loupan.ui.drawing import HOVER, MONTHS, NOTHING, Column, Drawing, figure, hover, safe, value_axis, written
from loupan.ui.palette import COLOURS


def cohorts(view: View, grain: str, courses: Mapping[Any, Course], earlier: Course, day: int) -> Drawing:
    """Draw by period of entry what has signed to date beside what will have signed by a day.

    A period too young to tell goes on as earlier leads did; its point is hollow.

    Args:
        view: the reader's view.
        grain: month or quarter.
        courses: by period, as the gateway labels it.
        earlier: of the leads by which the young ones are continued.
        day: days since entry.
    """
    if not courses:
        return NOTHING
    t, formats, colours, periods = view.t, view.formats, COLOURS[view.theme], view.periods(grain)
    own = [courses.get(period) for period in periods]
    found = [Incidence(continued(one, earlier)).at(day) if one else UNKNOWN for one in own]
    is_young = [one is not None and not Incidence(one).at(day).is_known for one in own]
    naive = [to_date(one) if one else None for one in own]
    shares, low, high = (np.array([getattr(one, end) for one in found]) for end in ("share", "low", "high"))
    shades = [colours.faint if one is None or is_few(one) else colours.main for one in own]
    by_day = t("Signed by day {day}, young ones continued", day=day)
    texts = [
        hover(
            [
                formats.period_label(period),
                *(
                    [
                        t(LEADS.told, day=day, share=formats.value(estimate.share, "percent")),
                        t(
                            "95% interval: {interval}",
                            interval=formats.interval(estimate.low, estimate.high, "percent"),
                        ),
                        f"{safe(view.label(LEADS.rate))}: {formats.value(so_far, 'percent')}",
                        t(
                            "{share} of {number} leads undecided",
                            share=_undecided(view, one),
                            number=f"{one.size:,.0f}",
                        ),
                        *([t("Continued by the course of earlier leads")] if young else []),
                    ]
                    if one
                    else []
                ),
            ]
        )
        for period, one, estimate, so_far, young in zip(periods, own, found, naive, is_young, strict=True)
    ]
    traces = [
        *band(pd.Index(periods), low, high, colours.band, t("95% interval")),
        {
            "type": "scatter",
            "mode": "lines+markers",
            "cliponaxis": False,
            "name": by_day,
            "x": periods,
            "y": [known(share) for share in shares],
            "line": {"color": colours.main, "width": 2.5},
            "marker": {
                "size": 8,
                "color": shades,
                "symbol": ["circle-open" if young else "circle" for young in is_young],
                "line": {"width": 2, "color": shades},
            },
            "customdata": texts,
            "hovertemplate": HOVER,
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "cliponaxis": False,
            "name": t("{metric} to date", metric=view.label(LEADS.rate)),
            "x": periods,
            "y": naive,
            "line": {"color": colours.accent, "width": 2, "dash": "dot"},
            "marker": {"size": 5, "color": colours.accent},
            "customdata": texts,
            "hovertemplate": HOVER,
        },
    ]
    columns = [
        period_heads(view, grain, periods),
        Column(view.label("leads"), [one.size if one else 0 for one in own], "count", "leads"),
        Column(t(LEADS.open_title), [one.undecided / one.size if one else None for one in own], "percent"),
        Column(
            t("Ended, or followed for {day} days", day=day),
            [one.settled(day) / one.size if one else None for one in own],
            "percent",
        ),
        Column(view.label(LEADS.rate), naive, "percent", LEADS.rate),
        Column(t(BY_DAY, day=day), [known(share) for share in shares], "percent"),
        Column(t("95% interval, from"), [known(bound) for bound in low], "percent"),
        Column(t("95% interval, to"), [known(bound) for bound in high], "percent"),
        Column(t("Rests on"), [_basis(view, one, young) for one, young in zip(own, is_young, strict=True)]),
    ]
    note = _why(view, periods, own, found, is_young, day)
    highest = max([*shares[np.isfinite(shares)].tolist(), *(share for share in naive if share is not None)])
    top = max(highest * 1.15, min(float(high[np.isfinite(high)].max(initial=0.0)), highest * 2))
    return _over(
        view,
        grain,
        periods,
        traces,
        value_axis(formats, "percent", 0.0, min(top, 1.0) or 0.01, view.theme),
        Drawing(None, note, written(formats, columns), note, columns),
        300,
        showlegend=True,
        legend={"traceorder": "normal"},
    )


def _undecided(view: View, found: Course) -> str:
    return view.formats.value(found.undecided / found.size, "percent")


def _basis(view: View, found: Course | None, is_young: bool) -> str:
    if found is None:
        return "–"
    return view.t("its own and earlier leads") if is_young else view.t("its own leads")


def _why(
    view: View,
    periods: Sequence[str],
    own: Sequence[Course | None],
    found: Sequence[Estimate],
    is_young: Sequence[bool],
    day: int,
) -> str:
    """Say of the youngest month that has enough leads why its rate to date is too low."""
    t, formats = view.t, view.formats
    for period, one, estimate, young in [*zip(periods, own, found, is_young, strict=True)][::-1]:
        if one is None or is_few(one) or not young or not estimate.is_known:
            continue
        return t(
            "Of the {number} leads of {period}, {undecided} are undecided. The rate to date, {naive}, counts them as "
            "if they never sign. By day {day} about {share} ({interval}) will have signed, if the undecided go on as "
            "earlier leads did: compare by that line (hollow: still open).",
            number=f"{one.size:,.0f}",
            period=formats.period_label(period),
            undecided=_undecided(view, one),
            naive=formats.value(to_date(one), "percent"),
            day=day,
            share=formats.value(estimate.share, "percent"),
            interval=formats.interval(estimate.low, estimate.high, "percent"),
        )
    return t(
        "None with 30 leads is too young to tell: what is undecided was followed for {day} days. The rate to date "
        "also counts what was signed later.",
        day=day,
    )


def _over(
    view: View,
    grain: str,
    periods: Sequence[str],
    traces: Sequence[Mapping[str, Any]],
    axis: Mapping[str, Any],
    told: Drawing,
    height: int,
    **layout: Any,
) -> Drawing:
    """Finish a drawing by period: months with the events of the company beneath them."""
    if grain == "month":
        return over_months(view, periods, traces, axis, told, height, **layout)
    across = period_axis(view.formats, periods, grain)
    return replace(told, figure=figure(view.theme, traces, height, xaxis=across, yaxis=axis, **layout))


def standing(view: View, grain: str, courses: Mapping[Any, Course]) -> Drawing:
    """Draw by period of entry which shares are signed, lost and undecided by now."""
    if not courses:
        return NOTHING
    t, formats, colours, periods = view.t, view.formats, COLOURS[view.theme], view.periods(grain)
    own = [courses.get(period) for period in periods]
    parts = {
        t("Signed"): ([one.events.sum() if one else 0.0 for one in own], colours.main),
        t("Lost"): ([one.rivals.sum() if one else 0.0 for one in own], colours.faint),
        t(LEADS.open_title): ([one.undecided if one else 0.0 for one in own], colours.heat[1]),
    }
    sizes = [one.size if one else 0.0 for one in own]
    shares = {
        name: [float(number) / size if size else None for number, size in zip(numbers, sizes, strict=True)]
        for name, (numbers, _) in parts.items()
    }
    texts = [
        hover(
            [
                formats.period_label(period),
                *(
                    f"{name}: {formats.value(shares[name][place], 'percent')} ({numbers[place]:,.0f})"
                    for name, (numbers, _) in parts.items()
                ),
            ]
        )
        for place, period in enumerate(periods)
    ]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": periods,
            "y": shares[name],
            "marker": {"color": colour},
            "customdata": texts,
            "hovertemplate": HOVER,
        }
        for name, (_, colour) in parts.items()
    ]
    columns = [
        period_heads(view, grain, periods),
        Column(view.label("leads"), sizes, "count", "leads"),
        *(Column(name, shares[name], "percent") for name in parts),
    ]
    total = sum(sizes)
    alt = t(
        "Of all leads, {signed} are signed, {lost} lost and {undecided} undecided.",
        **{
            part: formats.value(float(sum(numbers)) / total, "percent")
            for part, (numbers, _) in zip(("signed", "lost", "undecided"), parts.values(), strict=True)
        },
    )
    return _over(
        view,
        grain,
        periods,
        traces,
        value_axis(formats, "percent", 0.0, 1.0, view.theme),
        Drawing(None, alt, written(formats, columns), unfinished(view, grain), columns),
        300,
        barmode="stack",
        bargap=0.15,
        showlegend=True,
        legend={"traceorder": "normal"},
    )


def half_times(view: View, frame: pd.DataFrame, courses: Mapping[Any, Course], earlier: Course) -> Drawing:
    """Draw by month of entry the median days of those who have signed beside those of all who will.

    Args:
        view: the reader's view.
        frame: month and ``days_to_contract``.
        courses: by month.
        earlier: of the leads by which the young ones are continued.
    """
    metric, t, formats, colours, months = "days_to_contract", view.t, view.formats, COLOURS[view.theme], view.months()
    if frame.empty or metric not in frame:
        return NOTHING
    seen = [known(float(days)) for days in frame.set_index("month")[metric].reindex(months).astype(float)]
    own = [courses.get(month) for month in months]
    awaited = [None if one is None or is_few(one) else Incidence(continued(one, earlier)).half_time() for one in own]
    of_all = t("Half of those who will sign have signed")
    lines: dict[str, tuple[Sequence[float | None], str]] = {
        view.label(metric): (seen, colours.accent),
        of_all: (awaited, colours.main),
    }
    if not any(days is not None for values, _ in lines.values() for days in values):
        return NOTHING
    texts = [
        hover(
            [
                formats.period_label(month),
                *(f"{safe(name)}: {formats.value(values[place], 'days')}" for name, (values, _) in lines.items()),
            ]
        )
        for place, month in enumerate(months)
    ]
    traces = [
        trace for name, (values, colour) in lines.items() for trace in course(view, name, months, values, colour, texts)
    ]
    columns = [
        Column(t("Month"), months, MONTHS),
        Column(view.label(metric), seen, "days", metric),
        Column(of_all, awaited, "days"),
    ]
    whole = Incidence(earlier).half_time()
    note = (
        t("How many will sign in the end cannot be told yet, so neither can by when half of them have.")
        if whole is None
        else t(
            "Of the leads of the two years up to {day}, half of those who sign have signed by day {number}.",
            day=formats.day(view.period.end),
            number=whole,
        )
    )
    top = max(days for values, _ in lines.values() for days in values if days is not None)
    return over_months(
        view,
        months,
        traces,
        value_axis(formats, "days", 0.0, float(top), view.theme),
        Drawing(None, note, written(formats, columns), f"{note} {unfinished(view)}".strip(), columns),
        260,
        showlegend=True,
        legend={"traceorder": "normal"},
    )
