"""What sources, plans and activities are credited with under every attribution model, and how far chance moves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboards.memory import remembered
from dashboards.model_results import rows_of
from dashboards.view import View
from loupan.statistics.bootstrap import GROUPS, percentile_interval, resampled_sums
from loupan.statistics.removal import widened

MODEL, _GROUP = "attribution_model", "resampling_group"
MODELS = ("first", "last", "last_non_direct", "linear", "position", "time_decay", "markov", "shapley")
UNATTRIBUTED = "unattributed"
_SPREAD = "attribution_spread"
# What begins and ends, and so can be paid back.
_BEGIN = ("plan", "activity")


@dataclass(frozen=True, eq=False)
class Credit:
    """A credited metric by the values of a dimension, in their order of the greatest value, and attribution model.

    Attributes:
        values: rows by value of the dimension (`UNATTRIBUTED` for what has no touchpoint), columns by model.
        low, high: 95 % bootstrap interval of each, alike.
    """

    values: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """The attribution models."""
        return [*map(str, self.values.columns)]


@remembered()
def credit(view: View, metric: str, cut: str) -> Credit | None:
    """Return a credited metric under every model with its intervals; None where there is nothing.

    The weights of the Markov chain are estimates themselves; the model ``attribution_spread`` gives their errors.

    Args:
        view: the reader's view; a choice among the values of `cut` is left aside, as is the model.
        metric: ``attributed_contracts``, ``attributed_amount`` or ``attributed_margin``.
        cut: the dimension.
    """
    if not {MODEL, cut} <= view.gateway.dimensions(metric):
        return None
    frame = view.ask(metric, by=(cut, MODEL, _GROUP), without=(cut, MODEL))
    if frame.empty or metric not in frame:
        return None
    frame = frame.assign(**{cut: frame[cut].astype(object).fillna(UNATTRIBUTED), metric: frame[metric].astype(float)})
    frame = frame[frame[metric].notna()]
    grid = frame.pivot_table(index=_GROUP, columns=[cut, MODEL], values=metric, aggfunc="sum", fill_value=0.0)
    if grid.empty:
        return None
    sums = np.zeros((GROUPS, grid.shape[1]))
    sums[: len(grid)] = grid.to_numpy()
    low, high = percentile_interval(resampled_sums(sums))
    value = sums.sum(axis=0)
    weights = [_weight_error(view, cut, str(pair[0])) if pair[1] == "markov" else 0.0 for pair in grid.columns]
    low, high = widened(value, low, high, value * np.array(weights))
    parts = [pd.Series(part, index=grid.columns).unstack(MODEL) for part in (value, low, high)]
    models = [model for model in MODELS if model in parts[0]]
    order = parts[0][models].max(axis=1).sort_values(ascending=False, kind="stable").index
    # A model that gives a value nothing has no row for it.
    return Credit(*(part.reindex(order)[models].fillna(0.0) for part in parts))


def _weight_error(view: View, cut: str, name: str) -> float:
    """Return the relative error of a value's weight in the Markov chain.

    Of a market type that of its sources together, as if they did not depend on each other, which is a little too much;
    of plans and activities that of all sources.
    """
    rows = rows_of(view.gateway, _SPREAD, "by_source")
    if rows is None or name == UNATTRIBUTED:
        return 0.0
    if cut in ("source", "market_type"):
        rows = rows[rows[cut] == name]
    credits, errors = rows["credit"].to_numpy(float), rows["relative_error"].fillna(0.0).to_numpy(float)
    total = float(credits.sum())
    if not total:
        return 0.0
    return float(np.hypot.reduce(credits * errors) if cut == "market_type" else (credits * errors).sum()) / total


@dataclass(frozen=True)
class Return:
    """What came of the expense of one source, plan or activity, under each model.

    Attributes:
        name: the value of the dimension.
        expense: what it cost in the period.
        contracts: attributed contracts by model.
        roi, low, high: return on investment by model, with its bootstrap interval; empty where a project's margin is
            not known.
        payback: months from the first expense of the period until margin covers expense, by model; None where it does
            not within the period. Empty for what runs all the time, such as a source: there, what the first months
            bring was paid for before.
    """

    name: str
    expense: float
    contracts: dict[str, float]
    roi: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    payback: dict[str, int | None]

    @property
    def cost_per_contract(self) -> dict[str, float | None]:
        """Expense per attributed contract, by model; None where a model attributes none."""
        return {model: self.expense / count if count > 0 else None for model, count in self.contracts.items()}

    @property
    def is_sure(self) -> bool:
        """Whether all models, with their intervals, agree on which side of nothing the return lies."""
        return bool(self.roi) and (min(self.low.values()) > 0 or max(self.high.values()) < 0)

    @property
    def paying(self) -> list[str]:
        """The models under which it pays."""
        return [model for model, value in self.roi.items() if value > 0]


@remembered()
def returns(view: View, cut: str) -> tuple[Return, ...]:
    """Return what came of all expense, by a dimension, the largest expense first."""
    if cut not in view.gateway.dimensions("marketing_expense", "attributed_contracts"):
        return ()
    spent = view.ask("marketing_expense", by=(cut, "month"), without=(cut,))
    contracts, margin = (credit(view, metric, cut) for metric in ("attributed_contracts", "attributed_margin"))
    if spent.empty or "marketing_expense" not in spent or contracts is None:
        return ()
    spent = spent.dropna(subset=[cut]).assign(marketing_expense=spent["marketing_expense"].astype(float))
    unknown, monthly = _without_margin(view, cut), _monthly_margin(view, cut)
    found = []
    for value, months in spent.groupby(cut, sort=True):
        name = str(value)
        expense = float(months["marketing_expense"].sum())
        if expense <= 0:
            continue
        knows = margin is not None and name not in unknown
        roi, low, high = (
            {model: gain / expense - 1 for model, gain in _by_model(part, name, contracts.models).items()}
            if part is not None and knows
            else {}
            for part in ((margin.values, margin.low, margin.high) if margin else (None, None, None))
        )
        by_month = months.set_index("month")["marketing_expense"]
        found.append(
            Return(
                name=name,
                expense=expense,
                contracts=_by_model(contracts.values, name, contracts.models),
                roi=roi,
                low=low,
                high=high,
                payback={
                    model: _payback(by_month, monthly.get((name, model))) if knows else None
                    for model in contracts.models
                    if cut in _BEGIN
                },
            )
        )
    return tuple(sorted(found, key=lambda one: -one.expense))


def _by_model(part: pd.DataFrame, name: str, models: list[str]) -> dict[str, float]:
    """Return a value's row; a value that is credited with nothing has none."""
    row = part.loc[name].to_dict() if name in part.index else {}
    return {model: float(row.get(model, 0.0)) for model in models}


def unplaced(view: View, cut: str) -> float:
    """Return the share of the expense that names no value of a dimension: it stands against none of them."""
    spent = view.ask("marketing_expense", by=(cut,), without=(cut,))
    if spent.empty or "marketing_expense" not in spent:
        return 0.0
    amounts = spent["marketing_expense"].astype(float)
    return float(amounts[spent[cut].isna()].sum() / amounts.sum()) if amounts.sum() else 0.0


def _without_margin(view: View, cut: str) -> set[str]:
    """Return the values of which a contract's margin is not known."""
    metric = "attributed_contracts_without_margin"
    frame = view.ask(metric, by=(cut, MODEL), without=(cut, MODEL))
    if frame.empty or metric not in frame:
        return set()
    return set(frame.loc[frame[metric].astype(float) > 0, cut].dropna())


def _monthly_margin(view: View, cut: str) -> dict[tuple[str, str], pd.Series]:
    metric = "attributed_margin"
    frame = view.ask(metric, by=(cut, MODEL, "month"), without=(cut, MODEL))
    if frame.empty or metric not in frame:
        return {}
    frame = frame.dropna(subset=[cut])
    return {
        (str(name), str(model)): part.set_index("month")[metric].astype(float)
        for (name, model), part in frame.groupby([cut, MODEL])
    }


def _payback(expense: pd.Series, margin: pd.Series | None) -> int | None:
    """Return how many months, the first expense's included, it took until margin had covered expense for good."""
    if margin is None:
        return None
    first = str(expense.index[expense > 0].min())
    last = max(str(expense.index.max()), str(margin.index.max()))
    months = pd.period_range(first, last, freq="M").astype(str)
    balance = (margin.reindex(months).fillna(0.0) - expense.reindex(months).fillna(0.0)).cumsum()
    short = np.flatnonzero(balance.to_numpy() < 0)
    after = int(short[-1]) + 1 if len(short) else 0
    return after + 1 if after < len(months) else None
