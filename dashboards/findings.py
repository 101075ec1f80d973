"""What needs a decision: findings computed from the figures, each beyond what chance explains or a plain amount due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboards.charts.comparison import ratio_frame
from dashboards.comparison_inputs import EMPLOYEE, PROJECT
from dashboards.control import control_of, told
from dashboards.fair_comparison import compared
from dashboards.gateway import Period
from dashboards.memory import remembered
from dashboards.model_results import rows_of
from dashboards.simpson_notice import sentence
from dashboards.view import View
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.i18n.codes import value_label
from loupan.statistics.intervals import ENOUGH, proportion_limits, rate_limits

# Two-sided: one project in a thousand lies above by chance alone.
LEVEL = 0.998
# A plan's leads need a while to decide.
_PLAN_MONTHS = 3
_MOST_PLANS = 3
# Below these shares, what is owed is no matter for a decision.
_OVERDUE_SHARE, _ARREARS_SHARE = 0.02, 0.05
# Metrics of which a signal in the last month that is over is worth a look; where their course is shown, and how.
_COURSES: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "complaint_rate": ("complaints", ()),
    "contracts": ("sales", ()),
    "leads": ("explore", (("m", "leads"), ("by", "month"))),
    "reply_timeliness_rate": ("complaints", ()),
}
# A target of which less is reached is a matter for a decision.
_BEHIND = 0.8
# Orders in which a reversal is looked for; the page of staff looks in all.
_ORDERED = (("conversion_rate", EMPLOYEE), ("conversion_rate", PROJECT), ("complaints_per_100_served", EMPLOYEE))


@dataclass(frozen=True)
class Finding:
    """One thing to decide about.

    Attributes:
        weight: what is most urgent has the largest.
        text: the finding with its numbers, in the reader's language.
        page: path of the page that shows more.
        filters: what to set there, by filter of the address.
        is_personal: it names people, and is for who may open the page only.
    """

    weight: float
    text: str
    page: str
    filters: tuple[tuple[str, str], ...] = ()
    is_personal: bool = False


@remembered(64)
def findings(view: View) -> tuple[Finding, ...]:
    """Return the findings of a view, the most urgent first."""
    found = [finding for search in _SEARCHES for finding in search(view)]
    return tuple(sorted(found, key=lambda finding: -finding.weight))


@dataclass(frozen=True)
class _Watched:
    """A ratio that is watched by the groups of a dimension.

    Attributes:
        metric, dimension: what is watched.
        is_high_wanted: whether a group stands out by being low.
        weight: how urgent it is at the limit of chance.
        page: that shows more.
        words: the finding, with the group by the dimension's name, its ``rate`` and the ``common`` one.
    """

    metric: str
    dimension: str
    is_high_wanted: bool
    weight: float
    page: str
    words: str


_WATCHED = (
    _Watched(
        "complaint_rate", "project", False, 3, "complaints",
        marked(
            "{project}: {rate} valid complaints per 100 customer-months, more than chance explains ({common} overall)."
        ),
    ),
    _Watched(
        "reply_timeliness_rate", "project", True, 2, "complaints",
        marked("{project}: {rate} of demands were replied to in time, fewer than chance explains ({common} overall)."),
    ),
    _Watched(
        "conversion_rate_90d", "source", True, 1, "conversion",
        marked("{source}: {rate} of leads sign within 90 days, fewer than chance explains ({common} overall)."),
    ),
)  # fmt: skip


def _beyond_chance(view: View, watched: _Watched) -> Iterator[tuple[str, float, float, float]]:
    """Yield the groups whose ratio lies on the bad side of the limits of chance around the common one.

    Yields:
        The group, its ratio, the common ratio, and how often the group's distance is the limit's.
    """
    metric, dimension = watched.metric, watched.dimension
    if dimension not in view.gateway.dimensions(metric):
        return
    data = ratio_frame(view.ask(metric, by=(dimension,)), dimension, metric).dropna(subset=[dimension])
    data = data[data["denominator"] >= ENOUGH]
    definition = view.gateway.metric(metric)
    if len(data) < 2 or definition is None:
        return
    common = float(data["numerator"].sum() / data["denominator"].sum())
    limits = proportion_limits if definition.unit == "percent" else rate_limits
    low, high = limits(common, data["denominator"].to_numpy(), LEVEL)
    rates = (data["numerator"] / data["denominator"]).to_numpy()
    limit = low if watched.is_high_wanted else high
    distance = np.abs(rates - common) / np.maximum(np.abs(limit - common), 1e-12)
    is_bad = rates < low if watched.is_high_wanted else rates > high
    for position in np.flatnonzero(is_bad):
        yield (
            str(data[dimension].iloc[position]),
            definition.scale * rates[position],
            definition.scale * common,
            float(distance[position]),
        )


def _rates(view: View) -> Iterator[Finding]:
    for watched in _WATCHED:
        for group, rate, common, distance in _beyond_chance(view, watched):
            text = view.t(
                watched.words,
                rate=view.write(rate, watched.metric),
                common=view.write(common, watched.metric),
                **{watched.dimension: value_label(view.t, watched.dimension, group)},
            )
            yield Finding(watched.weight + distance, text, watched.page, ((watched.dimension, group),))


def _signals(view: View) -> Iterator[Finding]:
    """Signals that the last month which is over gives; an improvement as well: what brought it should stay."""
    for metric, (page, address) in _COURSES.items():
        found, definition = control_of(view, metric), view.gateway.metric(metric)
        if found is None or definition is None:
            continue
        over = [i for i, month in enumerate(found.periods) if view.is_over(month)]
        for signal, text in zip(found.signals, told(view, found, view.label(metric)), strict=True):
            if over and signal.end == over[-1]:
                is_bad = signal.is_high == (definition.better == "lower")
                yield Finding(2.5 if is_bad else 0.5, text, page, address)
                break


def _plans(view: View) -> Iterator[Finding]:
    """Plans that have cost money long enough ago and brought nothing."""
    cost, gain = "marketing_expense", "attributed_contracts"
    if "plan" not in view.gateway.dimensions(cost, gain):
        return
    # What the last months cost may still bring something; contracts count up to the data's date.
    end = (pd.Timestamp(view.period.end) - pd.DateOffset(months=_PLAN_MONTHS)).date()
    if end < view.period.start:
        return
    spent = view.ask(cost, by=("plan",), period=Period(view.period.start, end))
    brought = view.ask(gain, by=("plan",), period=Period(view.period.start, view.as_of_on))
    if spent.empty or cost not in spent:
        return
    gains = brought.set_index("plan")[gain] if gain in brought else pd.Series(dtype=float)
    idle = spent.dropna(subset=["plan"])
    idle = idle[(idle["plan"].map(gains).fillna(0) == 0) & (idle[cost].astype(float) > 0)]
    total = float(spent[cost].astype(float).sum())
    for plan, amount in idle.astype({cost: float}).nlargest(_MOST_PLANS, cost)[["plan", cost]].itertuples(index=False):
        text = view.t(
            "{plan}: has cost {amount} up to {day} and brought no contract yet.",
            plan=plan,
            amount=view.write(amount, cost),
            day=view.formats.day(end),
        )
        yield Finding(1 + amount / total, text, "campaign-return")


def _targets(view: View) -> Iterator[Finding]:
    metric = "contract_amount_attainment"
    if "project" not in view.gateway.dimensions(metric):
        return
    data = ratio_frame(view.ask(metric, by=("project",)), "project", metric)
    for project, share, reached, target in data.dropna(subset=["project"]).itertuples(index=False):
        if share < _BEHIND:
            text = view.t(
                "{project}: {reached} of its target of {target} contract amount is reached ({share}).",
                project=project,
                reached=view.formats.value(reached, "currency"),
                target=view.formats.value(target, "currency"),
                share=view.write(share, metric),
            )
            yield Finding(2 + (_BEHIND - share), text, "sales", (("project", str(project)),))


def _budgets(view: View) -> Iterator[Finding]:
    metric, cost = "budget_used_rate", "marketing_expense"
    if "plan" not in view.gateway.dimensions(metric, cost):
        return
    running = view.ask(cost, by=("plan",))
    # Of all time: a plan's budget lies over its days, what it costs may be booked later.
    data = ratio_frame(view.ask(metric, by=("plan",), all_time=True), "plan", metric).dropna(subset=["plan"])
    data = data[data["plan"].isin(running["plan"])]
    over = data[data["rate"] > 1].nlargest(_MOST_PLANS, "rate")
    for plan, share, spent, budget in over.itertuples(index=False):
        text = view.t(
            "{plan}: has cost {spent} of a budget of {budget} ({share}).",
            plan=plan,
            spent=view.formats.value(spent, "currency"),
            budget=view.formats.value(budget, "currency"),
            share=view.write(share, metric),
        )
        yield Finding(1 + (share - 1), text, "campaign-return")


def _overdue(view: View) -> Iterator[Finding]:
    metric = "collection_rate"
    if "project" not in view.gateway.dimensions(metric):
        return
    data = ratio_frame(view.ask(metric, by=("project",), all_time=True), "project", metric)
    for project, rate, received, due in data.dropna(subset=["project"]).itertuples(index=False):
        if (due - received) / due > _OVERDUE_SHARE:
            text = view.t(
                "{project}: {amount} of what buyers owed by now has not come in ({rate} has).",
                project=project,
                amount=view.formats.value(due - received, "currency"),
                rate=view.write(rate, metric),
            )
            yield Finding(2 + (due - received) / due, text, "sales", (("project", str(project)),))


def _arrears(view: View) -> Iterator[Finding]:
    if "project" not in view.gateway.dimensions("fee_arrears", "fee_billed"):
        return
    frame = view.ask("fee_arrears", by=("project",))
    billed = view.gateway.ask(("fee_billed",), by=("project",))
    if frame.empty or billed.empty or "fee_arrears" not in frame or "fee_billed" not in billed:
        return
    totals = billed.set_index("project")["fee_billed"].astype(float)
    for project, arrears in frame.dropna(subset=["project"])[["project", "fee_arrears"]].itertuples(index=False):
        if is_missing(arrears) or float(arrears) <= _ARREARS_SHARE * totals.get(project, 0.0):
            continue
        text = view.t(
            "{project}: {amount} of property fees are due and unpaid.",
            project=project,
            amount=view.write(float(arrears), "fee_arrears"),
        )
        yield Finding(1.5, text, "property-fees", (("project", str(project)),))


def _reversals(view: View) -> Iterator[Finding]:
    """Pairs whose order as counted is turned round once what they were handed is taken out."""
    for metric, unit in _ORDERED:
        found = compared(view, metric, unit)
        if found is None:
            continue
        for pair in filter(lambda pair: pair.is_reversed, found.reversals):
            filters = (("unit", unit), ("metric", metric))
            yield Finding(2 + pair.sure, sentence(view, found, pair), "staff", filters, unit == EMPLOYEE)


# What is told of a warning.
_WARNED = {"project_id", "project", "theme", "weeks", "observed", "expected", "since_on", "ratio"}


def _warnings(view: View) -> Iterator[Finding]:
    """Themes of complaint that have grown beyond a project's own past; it never looks at the period shown."""
    alerts = rows_of(view.gateway, "complaint_warning", "alerts")
    if alerts is None or not set(alerts.columns) >= _WARNED:
        # A snapshot of an earlier version says less.
        return
    chosen = dict(view.where).get("project")
    # A project's clearest warning stands for it: the themes below it are on the page of models.
    for alert in alerts.drop_duplicates("project_id").to_dict("records"):
        if chosen and alert["project"] not in chosen:
            continue
        text = view.t(
            marked(
                "{project}, {theme}: {observed} valid complaints in the last {weeks} weeks where {expected} were to be "
                "expected, since about {day}."
            ),
            project=alert["project"],
            theme=view.t(alert["theme"]),
            weeks=alert["weeks"],
            observed=view.formats.value(alert["observed"], "count"),
            expected=view.formats.value(alert["expected"], "count"),
            day=view.formats.day(pd.Timestamp(alert["since_on"]).date()),
        )
        yield Finding(3 + min(alert["ratio"] - 1, 2), text, "complaints", (("project", str(alert["project"])),))


_SEARCHES: tuple[Callable[[View], Iterator[Finding]], ...] = (
    _rates, _signals, _targets, _plans, _budgets, _overdue, _arrears, _reversals, _warnings,
)  # fmt: skip
