"""How long the stock of each type of unit will last, and what would be left if it sold slower or faster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from loupan.i18n import marked
from loupan.mining import Abstain, Card, Evaluation, Feature, Field, Marts, Output, Picture, Result
from loupan.statistics.forecast import Floats, gain
from loupan.statistics.intervals import ENOUGH, wilson
from loupan.statistics.sell_through import (
    MONTH_DAYS,
    History,
    Pace,
    best_setting,
    bounds,
    expected,
    expected_sales,
    history,
    pace_at,
    sold_distribution,
    stands_out,
)

CARD = Card(
    title=marked("Sell-through by type of unit"),
    purpose=marked(
        "Which types of unit will be left over, and when stock runs out: for prices, permits and show flats."
    ),
    action=marked(
        "Look at the types with most units left after twelve months. Where one sells slower than the others of its "
        "project beyond chance, find out why (price, floor plan, show flat) before more of it gets a permit."
    ),
    data=marked(
        "Each time a unit was on offer: from the pre-sale permit to the contract, and again from a cancellation or "
        "swap to the next contract. Units kept back from sale are left out."
    ),
    features=(
        Feature(
            marked("Project and layout of the unit"),
            marked("Known before the permit; the size where no layout is recorded."),
        ),
        Feature(marked("Days on offer and sales, by month"), marked("Known on the day; recent months count more.")),
    ),
    excluded=marked(
        "Prices. List prices are mostly changed for whole buildings as these age, so that what a price does cannot "
        "be told from what the season and the age of the building do: no price scenario is given."
    ),
    baseline=marked("As many sales in the next six months as in the last six, of each type."),
    fails=marked(
        "Units that get their permit later are not counted and take buyers from those on offer. Which units were "
        "kept back in the past is not recorded. A change of the market moves all types at once."
    ),
    abstains=marked("With fewer than 18 months since the first permit, fewer than 30 units sold, or nothing on offer."),
    method=marked(
        "Gamma-Poisson pace of each type, drawn towards its project's and the company's (Gelman et al. 2013), older "
        "months counting less (West & Harrison 1997); how much is chosen by what foretold the next six months best "
        "in the past (of more than 2,000 types, by 2,000 spread evenly over the projects). Slower or faster than its "
        "project: exact binomial test at 99.8%."
    ),
)  # fmt: skip
READS = ("fct_unit_offer", "fct_unit", "dim_project")
ONCE_A_DAY = True

AHEAD, TESTED_AHEAD, LEAST_MONTHS, MOST_MONTHS = 12, 6, 18, 60
SCENARIOS = (
    (1.0, marked("Pace as now")),
    (0.8, marked("A fifth slower")),
    (1.2, marked("A fifth faster")),
)
_BANDS = (
    (90, marked("up to 90 m²")),
    (120, marked("90–120 m²")),
    (144, marked("120–144 m²")),
    (np.inf, marked("over 144 m²")),
)
_UNKNOWN = marked("Unknown type")
_STANDING = {
    -1: marked("Slower than the other types beyond chance"),
    0: marked("Like the other types, as far as can be told"),
    1: marked("Faster than the other types beyond chance"),
}
_NO_PRICES = marked(
    "No scenario for prices: what a price does cannot be told from lists that change for whole buildings as these "
    "age. At another pace all else is taken to stay as it is."
)
_SURE = marked(
    "Units sold per type in six months: on average {own} off, against {naive} by repeating the six months before; "
    "more than chance. It beats the simple rule. Foretold from {times} past days. Sold in all: {ratio}% of what was "
    "expected."
)
_PERHAPS = marked(
    "Units sold per type in six months: on average {own} off, against {naive} by repeating the six months before. "
    "Perhaps it is better, but {times} past days cannot rule out chance. Sold in all: {ratio}% of what was "
    "expected."
)
_NO_BETTER = marked(
    "Units sold per type in six months: on average {own} off, no better than repeating the six months before "
    "({naive}). Use the simple rule. Foretold from {times} past days. Sold in all: {ratio}% of what was expected."
)


def run(marts: Marts) -> Result:
    """Tell what will be left of the stock.

    Raises:
        Abstain: if little was sold, nothing is on offer, or the first permit is recent.
    """
    offers, cells = _offers(marts)
    past, months = _history(marts, offers, cells)
    setting = best_setting(past, months, TESTED_AHEAD)
    here = past.stock[:, -1] > 0
    pace, cells = _some(pace_at(past, months - 1, setting), here), cells[here].reset_index(drop=True)
    stock = past.stock[here, -1].astype(int)
    curves = {factor: _curves(pace, stock, factor) for factor, _ in SCENARIOS}
    year = slice(-min(months, AHEAD), None)
    standing = stands_out(past.sold[:, year].sum(axis=1), past.on_offer[:, year].sum(axis=1), past.project)[here]
    checked = _checked(past, months, marts, _cells_of(offers))
    message, values, evaluation = _judged(checked)
    return Result(
        outputs=(
            _types(cells, stock, pace, standing),
            _course(marts, stock, curves),
            _scenarios(cells, stock, curves),
            _by_month(marts, cells, pace, stock),
            Output(
                "checked", marked("Expected and sold in the six months after past days"),
                checked.drop(columns=["naive", "low80", "high80"]),
                {
                    "known_on": Field(marked("Foretold on"), "date"),
                    "project": Field(marked("Project")),
                    "type": Field(marked("Type of unit")),
                    "stock": Field(marked("On offer then"), "count"),
                    "expected": Field(marked("Sales expected"), "decimal"),
                    "low": Field(marked("95% interval, from"), "count"),
                    "high": Field(marked("95% interval, to"), "count"),
                    "sold": Field(marked("Sold"), "count"),
                },
            ),
        ),
        evaluation=evaluation,
        verdict=message,
        values=values,
    )  # fmt: skip


def _offers(marts: Marts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the times on offer with the number of their cell, and the cells."""
    offers = marts.query(
        "select o.project_id, p.project_name as project, o.layout, cast(o.area_sqm as double) as area, "
        "o.offered_from_on, o.sold_on, o.is_withheld and o.sold_on is null as is_kept_back, cast(case when "
        "o.sold_on is null then u.permitted_value else 0 end as double) as value from fct_unit_offer o join "
        "dim_project p using (project_id) left join fct_unit u using (unit_id) order by o.project_id, "
        "o.unit_offer_id"
    )
    offers = offers[~offers["is_kept_back"].astype(bool)].reset_index(drop=True)
    if offers.empty:
        raise Abstain(marked("No unit has a pre-sale permit yet."))
    bands = pd.cut(offers["area"], [0, *(top for top, _ in _BANDS)], labels=[name for _, name in _BANDS])
    offers["type"] = offers["layout"].where(offers["layout"].notna(), bands.astype(object)).fillna(_UNKNOWN)
    offers["cell"] = offers.groupby(["project_id", "type"], sort=True).ngroup()
    return offers, _cells_of(offers)


def _cells_of(offers: pd.DataFrame) -> pd.DataFrame:
    cells = offers.groupby("cell", as_index=False).agg(
        project_id=("project_id", "first"), project=("project", "first"), type=("type", "first"), value=("value", "sum")
    )
    return cells.sort_values("cell", ignore_index=True)


def _history(marts: Marts, offers: pd.DataFrame, cells: pd.DataFrame) -> tuple[History, int]:
    end = pd.Timestamp(marts.as_of_on) + pd.Timedelta(days=1)
    begun = np.maximum((end - pd.to_datetime(offers["offered_from_on"])).dt.days.to_numpy(float), 0.0)
    sold = (end - pd.to_datetime(offers["sold_on"])).dt.days.to_numpy(float)
    months = min(int(begun.max() / MONTH_DAYS), MOST_MONTHS)
    count = int(np.isfinite(sold).sum())
    if months < LEAST_MONTHS:
        raise Abstain(
            marked("The first permit must be {least} months old; it is {months} months old."),
            least=LEAST_MONTHS, months=months,
        )  # fmt: skip
    if count < ENOUGH:
        raise Abstain(marked("At least {least} units must have been sold; {count} were."), least=ENOUGH, count=count)
    project = pd.factorize(cells["project_id"])[0]
    past = history(offers["cell"].to_numpy(), begun, sold, project, months, AHEAD)
    if not past.stock[:, -1].any():
        raise Abstain(marked("No unit with a permit is left to be sold."))
    return past, months


def _some(pace: Pace, some: np.ndarray) -> Pace:
    return replace(pace, shape=pace.shape[some], rate=pace.rate[some], project_mean=pace.project_mean[some])


def _curves(pace: Pace, stock: np.ndarray, factor: float) -> Floats:
    """Return the units expected to be left after each month (cells × months)."""
    sold = [expected_sales(pace, stock, month, factor) for month in range(1, AHEAD + 1)]
    return stock[:, None] - np.stack(sold, axis=1)


def _types(cells: pd.DataFrame, stock: np.ndarray, pace: Pace, standing: np.ndarray) -> Output:
    """Tell of each type what is left after a year, how long it lasts, and whether it stands out."""
    chances = sold_distribution(pace, stock, AHEAD)
    low, high = bounds(chances, 0.95)
    each = stock if pace.kind == "per_unit" else np.ones(len(stock))
    slow, fast = pace.interval()
    left = stock - expected(chances)
    frame = pd.DataFrame(
        {
            "project": cells["project"], "type": cells["type"], "name": cells["project"] + " · " + cells["type"],
            "stock": stock, "pace": pace.mean * each, "months": stock / (pace.mean * each),
            "months_low": stock / (fast * each), "months_high": stock / (slow * each),
            "left": left, "left_low": stock - high, "left_high": stock - low, "share": left / stock,
            "value": cells["value"] * left / stock, "standing": [_STANDING[int(code)] for code in standing],
        }
    ).sort_values(["left", "name"], ascending=[False, True], ignore_index=True)  # fmt: skip
    return Output(
        "types", marked("Units left after twelve months, by type"), frame,
        {
            "project": Field(marked("Project")),
            "type": Field(marked("Type of unit")),
            "stock": Field(marked("On offer now"), "count"),
            "pace": Field(marked("Sales a month"), "number"),
            "months": Field(marked("Months of stock"), "decimal"),
            "months_low": Field(marked("Months, 95% from"), "decimal"),
            "months_high": Field(marked("Months, 95% to"), "decimal"),
            "left": Field(marked("Left after twelve months"), "decimal"),
            "left_low": Field(marked("Left, 95% from"), "count"),
            "left_high": Field(marked("Left, 95% to"), "count"),
            "share": Field(marked("Share left"), "percent"),
            "value": Field(marked("List price of what is left"), "currency"),
            "standing": Field(marked("Sold in the last year")),
        },
        Picture("points", "name", "left", "left_low", "left_high"),
        marked(
            "At the pace of now. In the table, months of stock are what is on offer, divided by the sales a month of "
            "now."
        ),
    )  # fmt: skip


def _months_ahead(marts: Marts) -> list[str]:
    return [str(month) for month in pd.period_range(pd.Period(marts.as_of_on, "M") + 1, periods=AHEAD, freq="M")]


def _course(marts: Marts, stock: np.ndarray, curves: dict[float, Floats]) -> Output:
    frame = pd.concat(
        [
            pd.DataFrame({"month": _months_ahead(marts), "scenario": name, "left": curves[factor].sum(axis=0)})
            for factor, name in SCENARIOS
        ],
        ignore_index=True,
    )
    frame["share"] = frame["left"] / stock.sum()
    return Output(
        "course", marked("Units left in all projects, month by month, at three paces"), frame,
        {
            "month": Field(marked("Month"), "month"),
            "scenario": Field(marked("Scenario")),
            "left": Field(marked("Units left"), "decimal"),
            "share": Field(marked("Share left"), "percent"),
        },
        Picture("lines", "month", "left", group="scenario"),
        _NO_PRICES,
    )  # fmt: skip


def _scenarios(cells: pd.DataFrame, stock: np.ndarray, curves: dict[float, Floats]) -> Output:
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "project_id": cells["project_id"], "project": cells["project"], "place": place, "scenario": name,
                    "stock": stock, "left6": curves[factor][:, 5], "left12": curves[factor][:, -1],
                    "value": cells["value"] * curves[factor][:, -1] / stock,
                }
            )
            for place, (factor, name) in enumerate(SCENARIOS)
        ]
    )  # fmt: skip
    frame = rows.groupby(["project_id", "project", "place", "scenario"], as_index=False).sum()
    return Output(
        "scenarios", marked("What is left in each project at three paces"),
        frame.sort_values(["project_id", "place"]).drop(columns=["project_id", "place"]),
        {
            "project": Field(marked("Project")),
            "scenario": Field(marked("Scenario")),
            "stock": Field(marked("On offer now"), "count"),
            "left6": Field(marked("Left after six months"), "decimal"),
            "left12": Field(marked("Left after twelve months"), "decimal"),
            "value": Field(marked("List price of what is left"), "currency"),
        },
        note=_NO_PRICES,
    )  # fmt: skip


def _by_month(marts: Marts, cells: pd.DataFrame, pace: Pace, stock: np.ndarray) -> Output:
    """Tell the expected course of each type."""
    parts = []
    for month, label in enumerate(_months_ahead(marts), start=1):
        chances = sold_distribution(pace, stock, month)
        low, high = bounds(chances, 0.95)
        parts.append(
            pd.DataFrame(
                {
                    "cell": cells["cell"], "project": cells["project"], "type": cells["type"], "month": label,
                    "sold": expected(chances), "low": low, "high": high,
                }
            )
        )  # fmt: skip
    return Output(
        "by_month", marked("Sales expected of each type up to the end of each month"),
        pd.concat(parts).sort_values(["cell", "month"]).drop(columns="cell"),
        {
            "project": Field(marked("Project")),
            "type": Field(marked("Type of unit")),
            "month": Field(marked("Month"), "month"),
            "sold": Field(marked("Sales expected"), "decimal"),
            "low": Field(marked("95% interval, from"), "count"),
            "high": Field(marked("95% interval, to"), "count"),
        },
    )  # fmt: skip


def _checked(past: History, months: int, marts: Marts, cells: pd.DataFrame) -> pd.DataFrame:
    """Return what was expected on past days of the stock of then, and what was sold of it in six months."""
    parts = []
    for known in range(months - TESTED_AHEAD, LEAST_MONTHS - TESTED_AHEAD - 1, -TESTED_AHEAD):
        here = past.stock[:, known - 1] > 0
        if not here.any():
            continue
        pace = _some(pace_at(past, known - 1, best_setting(past, known, TESTED_AHEAD)), here)
        stock = past.stock[here, known - 1].astype(int)
        chances = sold_distribution(pace, stock, TESTED_AHEAD)
        (low80, high80), (low, high) = bounds(chances, 0.8), bounds(chances, 0.95)
        day = pd.Timestamp(marts.as_of_on) - pd.Timedelta(days=round((months - known) * MONTH_DAYS))
        parts.append(
            pd.DataFrame(
                {
                    "known_on": day.date(), "project": cells.loc[here, "project"], "type": cells.loc[here, "type"],
                    "stock": stock, "expected": expected(chances), "low": low, "high": high,
                    "sold": past.sold_later[here, known - 1, TESTED_AHEAD - 1], "low80": low80, "high80": high80,
                    "naive": np.minimum(past.sold[here, known - TESTED_AHEAD : known].sum(axis=1), stock),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _judged(checked: pd.DataFrame) -> tuple[str, dict[str, str | int | float], list[Evaluation]]:
    """Hold what was expected against what came, and against the simple rule."""
    errors = checked.assign(
        own=(checked["expected"] - checked["sold"]).abs(), other=(checked["naive"] - checked["sold"]).abs()
    )
    # All types of a day rise and fall together: a day is one case, and few days are few cases, whatever the types.
    cases = errors.groupby("known_on")[["own", "other"]].mean().sort_index()
    better = gain(cases["own"], cases["other"], 1)
    sums = checked.groupby("known_on")[["sold", "expected"]].sum()
    sums = sums[sums["expected"] > 0]
    by_day = sums["sold"] / sums["expected"]
    ratio = float(sums["sold"].sum() / sums["expected"].sum()) if len(sums) else None
    own, naive = float(errors["own"].mean()), float(errors["other"].mean())
    values: dict[str, str | int | float] = {
        "own": f"{own:.1f}", "naive": f"{naive:.1f}", "times": len(cases),
        "ratio": "–" if ratio is None else f"{100 * ratio:.0f}",
    }  # fmt: skip
    lines = [
        Evaluation(
            marked("Units sold per type in six months: mean error; baseline the six months before"),
            own,
            naive,
            better="low",
        ),
        Evaluation(
            marked("Sold in all, as a share of what was expected; from the past day with least to that with most"),
            ratio,
            None,
            float(by_day.min()) if ratio is not None else None,
            float(by_day.max()) if ratio is not None else None,
            "nominal",
            "percent",
        ),
    ]
    for measure, low, high in (
        (marked("Types whose sales the 80% interval held; promised 80%"), "low80", "high80"),
        (marked("Types whose sales the 95% interval held; promised 95%"), "low", "high"),
    ):
        held = ((checked[low] <= checked["sold"]) & (checked["sold"] <= checked[high])).to_numpy()
        share = float(held.mean())
        bottom, top = wilson(share * len(cases), len(cases))
        lines.append(Evaluation(measure, share, None, float(bottom), float(top), "nominal", "percent"))
    message = _SURE if better.is_sure else _PERHAPS if better.share > 0 else _NO_BETTER
    return message, values, lines
