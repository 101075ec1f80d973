"""Campaign return: what marketing costs and what it brings, with the range over attribution models."""

from __future__ import annotations

from functools import partial

import pandas as pd

from dashboards import filters, layout
from dashboards.attribution import MODEL, MODELS, credit
from dashboards.charts import attribution, targets
from dashboards.charts.comparison import ranked
from dashboards.charts.grid import crossed
from dashboards.charts.series import lines_by_month
from dashboards.memory import remembered
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import marked
from loupan.i18n.codes import dimension_title, value_label
from loupan.ui.drawing import NOTHING, Column, Drawing, written

_DEFAULT_MODEL = "last_non_direct"
TILES = (
    "marketing_expense",
    "attributed_contracts",
    "attributed_amount",
    "cost_per_lead",
    "cost_per_contract",
    "return_on_expense",
    "roi",
)
_RETURNS = (
    "leads",
    "marketing_expense",
    "cost_per_lead",
    "attributed_contracts",
    "attributed_amount",
    "cost_per_contract",
    "return_on_expense",
    "roi",
)
_CUTS = ("source", "market_type", "plan", "activity")
_EFFECTS = ("leads", "attributed_contracts", "attributed_amount")
_ACROSS = ("market_type", "plan")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    models = known_models(view)
    default = usual_model(view)
    model = filters.selection("model", models, default, t("Attribution model"), partial(value_label, t, MODEL))
    view = view.narrowed(((MODEL, (model,)),))
    tiles(view, TILES)
    cuts = [cut for cut in _CUTS if cut in view.gateway.dimensions("attributed_amount")] or ["source"]
    cut = filters.choice("by", cuts, cuts[0], t("Cut by"), partial(dimension_title, t))
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            t("Attributed contract amount"),
            credited,
            "attributed_amount",
            cut,
            key="amount",
            measures=("attributed_amount",),
            caption=t(
                "Bars: the chosen model. Thick lines: the range over all eight. Thin lines: with what chance adds. By "
                "the date of the first contract."
            ),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Attributed contracts"),
            credited,
            "attributed_contracts",
            cut,
            key="contracts",
            measures=("attributed_contracts",),
            caption=t("Live contracts, credited in fractions; every model gives the same total."),
            tables=tables,
        )
    layout.card(
        view,
        t("Does it pay, under every model?"),
        returned,
        cut,
        key="returned",
        measures=("marketing_expense", "roi"),
        caption=t("Return on investment: the margin of what is credited, less what it cost, by what it cost."),
        tables=tables,
    )
    layout.card(
        view,
        t("Cost and return"),
        returns,
        cut,
        key="returns",
        measures=("marketing_expense", "attributed_amount"),
        caption=t("Expense by the day it was incurred, contracts by the day they were first signed."),
        tables=True,
        is_switchable=False,
    )
    layout.card(
        view,
        t("Budget and actual by plan"),
        budget,
        key="budget",
        measures=("budget_used_rate",),
        caption=t(
            "Mark: the part of the budget that falls into the period, spread evenly over the days of the plan. Bar: "
            "what was spent in it."
        ),
        tables=tables,
    )
    ui.section(t("What the market answers to"))
    metric = filters.choice("effect", _effects(view), "leads", t("Measure"), view.label)
    for column, other in zip(ui.columns(1, 1), _ACROSS, strict=True):
        with column:
            layout.card(
                view,
                view.heading(view.label(metric), "source", other),
                effect,
                metric,
                other,
                key=f"effect_{other}",
                measures=(metric,),
                tables=tables,
            )
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            t("Marketing expense by month"),
            expense,
            key="expense",
            measures=("marketing_expense",),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Marketing expense by category"),
            categories,
            key="categories",
            measures=("marketing_expense",),
            tables=tables,
        )


def known_models(view: View) -> list[str]:
    """Return the attribution models that something is credited under."""
    known = view.gateway.values(MODEL)
    return [model for model in MODELS if model in known] or [_DEFAULT_MODEL]


def usual_model(view: View) -> str:
    """Return the attribution model that is shown where none is chosen."""
    models = known_models(view)
    return _DEFAULT_MODEL if _DEFAULT_MODEL in models else models[0]


@remembered()
def credited(view: View, metric: str, cut: str) -> Drawing:
    """What each source, plan or activity is credited with under the chosen model, and the range over all."""
    return attribution.credited(view, credit(view, metric, cut), metric, cut, dict(view.where)[MODEL][0])


@remembered()
def returned(view: View, cut: str) -> Drawing:
    """Whether what sources, plans and activities cost pays, under every model, and what that depends on."""
    return attribution.returned(view, cut)


@remembered()
def returns(view: View, cut: str) -> Drawing:
    """Cost and return by source, plan or activity, as a table."""
    frames = []
    for metric in _RETURNS:
        if cut not in view.gateway.dimensions(metric):
            continue
        frame = view.ask(metric, by=(cut,), without=(cut,))
        if not frame.empty and metric in frame:
            # Rows are joined by name: what is not known stands on one row as well.
            values = frame.assign(**{cut: frame[cut].astype(object).fillna("")}).set_index(cut)[metric].astype(float)
            if view.unit(metric) == "currency" and f"{metric}__numerator" in frame:
                # No expense is recorded: that does not make the lead free of cost.
                values = values.where(frame[f"{metric}__numerator"].astype(float).to_numpy() != 0)
            frames.append(values)
    if not frames:
        return NOTHING
    joined = pd.concat(frames, axis=1)
    first = "attributed_amount" if "attributed_amount" in joined else str(joined.columns[0])
    joined = joined.sort_values(first, ascending=False, na_position="last")
    columns = [
        Column(dimension_title(view.t, cut), [value_label(view.t, cut, value) for value in joined.index]),
        *(Column(view.label(m), joined[m].tolist(), view.unit(m), m) for m in map(str, joined.columns)),
    ]
    return Drawing(None, table=written(view.formats, columns), columns=columns)


def _effects(view: View) -> list[str]:
    return [metric for metric in _EFFECTS if {"source", *_ACROSS} <= view.gateway.dimensions(metric)] or ["leads"]


@remembered()
def effect(view: View, metric: str, other: str) -> Drawing:
    """A metric by source and market type or plan: which source answers to what."""
    if not {"source", other} <= view.gateway.dimensions(metric):
        return NOTHING
    frame = view.ask(metric, by=("source", other))
    return crossed(view, frame, "source", other, metric, most=(12, 8))


@remembered()
def expense(view: View) -> Drawing:
    """Marketing expense by month."""
    frame, before = view.ask("marketing_expense", by=("month",)), view.ask_before("marketing_expense", "month")
    return lines_by_month(view, frame, ("marketing_expense",), height=260, before=before)


@remembered()
def budget(view: View) -> Drawing:
    """Marketing expense beside the budget, by plan."""
    if "plan" not in view.gateway.dimensions("budget_used_rate"):
        return NOTHING
    frame = view.ask("budget_used_rate", by=("plan",))
    frame = frame.assign(plan=frame["plan"].fillna(view.t("Without a plan"))) if "plan" in frame else frame
    return targets.by_dimension(
        view, frame, "plan", "budget_used_rate", without=marked("Spent without a budget: {names} ({total}).")
    )


@remembered()
def categories(view: View) -> Drawing:
    """Marketing expense by category."""
    return ranked(view, "marketing_expense", "expense_category", most=9, share=True)
