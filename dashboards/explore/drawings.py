"""The answers to a question, drawn and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from dashboards.charts.comparison import estimates, ranked_bars, ratio_interval, scale_of
from dashboards.charts.grid import cells
from dashboards.charts.periods import columns_by_period, lines_by_period, lines_by_value, panels_by_value
from dashboards.charts.relation import scatter
from dashboards.explore import shape
from dashboards.explore.question import LOW, NAME, Question, is_summable
from dashboards.memory import remembered
from dashboards.names import names_of
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n.codes import is_unknown
from loupan.metrics.catalogue import TIME_DIMENSIONS
from loupan.statistics.intervals import ENOUGH
from loupan.ui.drawing import MONTHS, NOTHING, Column, Drawing, shortened

MOST_ROWS = 1_000
"""Longest table that is shown."""
_PEOPLE = "employee"
_ACROSS = 10
_ROWS_MORE = 30


def answer(view: View, question: Question) -> pd.DataFrame:
    """Ask the gateway; the frame is shared and must not be changed."""
    return view.ask(*question.metrics, by=question.by, where=dict(question.where))


def groups_of_metrics(view: View, question: Question, kind: str) -> tuple[tuple[str, ...], ...]:
    """Return which metrics are drawn together: those of one unit as lines, two against each other; else one by one."""
    if kind == shape.SCATTER:
        return (question.metrics,)
    if kind == shape.LINES and len(question.by) == 1:
        units = dict.fromkeys(view.unit(metric) for metric in question.metrics)
        return tuple(tuple(m for m in question.metrics if view.unit(m) == unit) for unit in units)
    return tuple((metric,) for metric in question.metrics)


@remembered(128)
def chart(view: View, question: Question, kind: str, metrics: tuple[str, ...]) -> Drawing:
    """Draw some of a question's metrics, which is cut by something, as a kind of chart."""
    frame = answer(view, question)
    shown = tuple(metric for metric in metrics if metric in frame)
    if frame.empty or not shown:
        return NOTHING
    period = next((name for name in question.by if name in TIME_DIMENSIONS), "")
    category = next((name for name in question.by if name != period), "")
    metric = shown[0]
    match kind:
        case shape.COLUMNS:
            drawing = columns_by_period(view, frame, period, metric)
        case shape.LINES if not category:
            before = view.ask_before(metric, period) if len(shown) == 1 else None
            drawing = lines_by_period(view, frame, period, shown, before=before)
        case shape.LINES:
            drawing = lines_by_value(view, frame, period, metric, category)
        case shape.PANELS:
            drawing = panels_by_value(view, frame, period, metric, category)
        case shape.SCATTER if len(shown) > 1:
            drawing = scatter(view, frame, category, *shown)
        case shape.HEATMAP:
            drawing = _heatmap(view, frame, question, metric)
        case _:
            drawing = _ranking(view, frame, question, metric)
    return drawing


@remembered(128)
def table(view: View, question: Question) -> Drawing:
    """Write the whole answer as a table: rates with n and interval, those on fewer than 30 cases in brackets."""
    frame = answer(view, question)
    shown = [metric for metric in question.metrics if metric in frame]
    if frame.empty or not shown:
        return NOTHING
    rows = _in_order(view, frame, question, shown[0])
    left_out = max(len(rows) - MOST_ROWS, 0)
    rows = rows.head(MOST_ROWS)
    texts: dict[str, list[str]] = {}
    columns: list[Column] = []
    for dimension in question.by:
        names = [*map(names_of(view, dimension), rows[dimension])]
        texts[view.title(dimension)] = names
        columns.append(_heads(view, dimension, rows[dimension], names))
    for metric in shown:
        parts = _Parts.of(view, question, rows, metric)
        texts |= _texts(view, rows, parts)
        columns += _numbers(view, rows, parts)
    notes = []
    if left_out:
        notes.append(
            view.t(
                "The first {number} of {all} rows are shown; filter, or cut by less, to see the others.",
                number=f"{MOST_ROWS:,}",
                all=f"{left_out + MOST_ROWS:,}",
            )
        )
    if any(_few(view, metric, rows).any() for metric in shown):
        notes.append(view.t("In brackets: fewer than 30, not comparable."))
    return Drawing(None, table=pd.DataFrame(texts), note=" ".join(notes), columns=columns)


def _heads(view: View, dimension: str, values: pd.Series, names: list[str]) -> Column:
    """Return a dimension's values for files: months as months where all are known, else the names."""
    if dimension == "month" and not any(is_unknown(value) for value in values):
        return Column(view.title(dimension), [str(value) for value in values], MONTHS)
    return Column(view.title(dimension), names)


@dataclass(frozen=True)
class _Parts:
    """What belongs to a metric in the rows of an answer.

    Attributes:
        metric: its name.
        sizes: of a ratio what it is divided by, one per row; else None.
        size_unit: the unit of those.
        interval: of a rate both ends of the 95 % interval, one each per row; else None.
    """

    metric: str
    sizes: pd.Series | None = None
    size_unit: str = ""
    interval: tuple[Sequence[float], Sequence[float]] | None = None

    @classmethod
    def of(cls, view: View, question: Question, rows: pd.DataFrame, metric: str) -> _Parts:
        definition = view.gateway.metric(metric)
        if definition is None or f"{metric}__denominator" not in rows:
            return cls(metric)
        sizes = rows[f"{metric}__denominator"].astype(float)
        interval = None
        if view.is_estimate(metric, *question.by):
            cases = rows[f"{metric}__numerator"].astype(float).fillna(0)
            low, high = ratio_interval(view.unit(metric), cases, sizes.fillna(0), scale_of(view, metric))
            interval = (low.tolist(), high.tolist())
        return cls(metric, sizes, view.unit(str(definition.denominator)), interval)


def _texts(view: View, rows: pd.DataFrame, parts: _Parts) -> dict[str, list[str]]:
    """Write a metric as columns of the table: its value, of a rate the interval, of a ratio what it is divided by."""
    metric, formats = parts.metric, view.formats
    label, unit = view.label(metric), view.unit(metric)
    written = [
        f"({formats.value(value, unit)})" if few and not is_missing(value) else formats.value(value, unit)
        for value, few in zip(rows[metric], _few(view, metric, rows), strict=True)
    ]
    columns = {label: written}
    if parts.interval is not None:
        bounds = zip(*parts.interval, strict=True)
        columns[view.t("{metric}: 95% interval", metric=label)] = [formats.interval(*pair, unit) for pair in bounds]
    if parts.sizes is not None:
        columns[f"{label}: n"] = [formats.value(size, parts.size_unit) for size in parts.sizes]
    return columns


def _numbers(view: View, rows: pd.DataFrame, parts: _Parts) -> list[Column]:
    """Return the same as numbers, for files."""
    metric = parts.metric
    label, unit = view.label(metric), view.unit(metric)
    columns = [Column(label, rows[metric].tolist(), unit, metric)]
    if parts.interval is not None:
        low, high = parts.interval
        columns.append(Column(view.t("{metric}: 95% interval, from", metric=label), low, unit))
        columns.append(Column(view.t("{metric}: 95% interval, to", metric=label), high, unit))
    if parts.sizes is not None:
        columns.append(Column(f"{label}: n", parts.sizes.tolist(), parts.size_unit))
    return columns


def _few(view: View, metric: str, rows: pd.DataFrame) -> pd.Series:
    """Say of each row whether its ratio rests on fewer than 30 cases; money to divide by is no number of cases."""
    definition, column = view.gateway.metric(metric), f"{metric}__denominator"
    is_of_cases = definition is not None and view.unit(str(definition.denominator)) == "count"
    if column not in rows or not is_of_cases or view.is_state(metric):
        return pd.Series(False, index=rows.index)
    return rows[column].astype(float).fillna(0) < ENOUGH


def _in_order(view: View, frame: pd.DataFrame, question: Question, metric: str) -> pd.DataFrame:
    """Return the rows of an answer as asked: periods run on, people stand by name, too small groups come last."""
    period = next((name for name in question.by if name in TIME_DIMENSIONS), None)
    written = {
        f"_{name}": frame[name].map(names_of(view, name), na_action=None) for name in question.by if name != period
    }
    rows = frame.assign(**written)
    if period:
        rows = rows.sort_values([period, *written], kind="stable", na_position="last")
    elif question.sort == NAME or _PEOPLE in question.by:
        rows = rows.sort_values(list(written), kind="stable")
    else:
        rows = rows.assign(_few=_few(view, metric, rows), _value=rows[metric].astype(float))
        rows = rows.sort_values(["_few", "_value"], ascending=[True, question.sort == LOW], kind="stable")
    return rows.reset_index(drop=True)


def _ranking(view: View, frame: pd.DataFrame, question: Question, metric: str) -> Drawing:
    (dimension,) = question.by
    is_people = dimension == _PEOPLE
    options: dict[str, Any] = {
        "is_ranked": question.sort != NAME and not is_people,
        "is_ascending": question.sort == LOW,
        # Everybody: to leave out those who have least would be a ranking.
        "most": len(frame) if is_people else question.top,
    }
    if view.is_estimate(metric, dimension):
        whole = answer(view, replace(question, metrics=(metric,), by=()))[metric].iloc[0]
        return estimates(view, frame, dimension, metric, common=float(whole), **options)
    share = is_summable(view, metric, dimension) and not is_people
    is_few = _few(view, metric, frame)
    if not is_few.any():
        return ranked_bars(view, frame, dimension, metric, share=share, **options)
    options["chosen"] = [str(value) for value, few in zip(frame[dimension], is_few, strict=True) if not few] or [""]
    drawing = ranked_bars(view, frame, dimension, metric, **options)
    if drawing.is_empty:
        return drawing
    return replace(drawing, note=f"{view.t('Grey: fewer than 30.')} {drawing.note}".strip())


def _heatmap(view: View, frame: pd.DataFrame, question: Question, metric: str) -> Drawing:
    """Shade a metric by two dimensions; small rows and columns are summed up, or left out where that is wrong."""
    across = next((name for name in question.by if name in TIME_DIMENSIONS), question.by[-1])
    down = next(name for name in question.by if name != across)
    is_over_time = across in TIME_DIMENSIONS
    data = pd.DataFrame({"row": frame[down], "column": frame[across], "value": frame[metric].astype(float)})
    size = f"{metric}__denominator"
    data["size"] = frame[size].astype(float).fillna(0) if size in frame else data["value"].abs()
    can_sum, is_rate = is_summable(view, metric, down, across), view.is_estimate(metric, down, across)
    write_row, write_column = names_of(view, down), names_of(view, across)
    data["row"] = data["row"].map(write_row, na_action=None)
    if not is_over_time:
        data["column"] = data["column"].map(write_column, na_action=None)
    others = view.t("All others")
    most_rows = _ROWS_MORE if down == _PEOPLE else question.top
    left_out = 0
    for axis, most in (("row", most_rows), *(() if is_over_time else (("column", _ACROSS),))):
        totals = data.groupby(axis)["size"].sum().sort_values(ascending=False, kind="stable")
        if len(totals) <= most:
            continue
        if can_sum:
            data[axis] = data[axis].where(data[axis].isin(set(totals.index[: most - 1])), others)
        else:
            left_out += len(totals) - most
            data = data[data[axis].isin(set(totals.index[:most]))]
    if is_rate:
        data = data[data["size"] >= ENOUGH]
    data = data.dropna(subset=["value"])
    if data.empty:
        return NOTHING
    grid = data.pivot_table(index="row", columns="column", values="value", aggfunc="sum")
    grid = grid.reindex(_names_in_order(grid.mean(axis=1) if is_rate else grid.sum(axis=1), question, others, down))
    if is_over_time:
        known = view.periods(across)
        grid = grid.reindex(columns=known, fill_value=None)
        labels = [write_column(period) for period in known]
        short = [
            view.formats.short_quarter(period) if across == "quarter" else label
            for period, label in zip(known, labels, strict=True)
        ]
    else:
        grid = grid.reindex(columns=_names_in_order(grid.sum(axis=0), question, others, across))
        labels = [str(name) for name in grid.columns]
        short = [shortened(label, 12) for label in labels]
    drawing = cells(
        view,
        grid.astype(float),
        down,
        metric,
        names=[str(name) for name in grid.index],
        labels=labels,
        short_labels=short,
        empty=view.t("Fewer than 30") if is_rate else "–",
        angle=0 if across in ("quarter", "year") else -45,
    )
    note = view.t("Empty: fewer than 30.") if is_rate else ""
    return replace(drawing, note=f"{note} {view.left_out(left_out)}".strip())


def _names_in_order(sizes: pd.Series, question: Question, others: str, dimension: str) -> list[str]:
    by_name = question.sort == NAME or dimension == _PEOPLE
    ordered = sizes.sort_index() if by_name else sizes.sort_values(ascending=question.sort == LOW, kind="stable")
    return sorted(map(str, ordered.index), key=lambda name: name == others)
