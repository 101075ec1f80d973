"""Complaints: how often, about what, and how they are answered."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import filters, layout
from dashboards.charts.comparison import ranked_bars, rated
from dashboards.charts.grid import heatmap
from dashboards.charts.incidence import curves
from dashboards.charts.series import lines_by_month, rate_by_month
from dashboards.courses import DEMANDS, course, courses
from dashboards.memory import remembered
from dashboards.pages import staff
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import marked
from loupan.i18n.codes import dimension_title
from loupan.ui.drawing import NOTHING, Drawing

TILES = (
    "valid_complaints",
    "complaint_rate",
    "reply_timeliness_rate",
    "resolution_rate",
    "reopen_rate",
    "follow_up_satisfaction",
)
_HANDLING = {
    "reply_timeliness_rate": marked("By the day the reply was due."),
    "resolution_rate": marked("By the day the demand arrived; recent ones had less time."),
    "follow_up_satisfaction": marked("Ratings of 4 or 5, by the day of the follow-up."),
    "reopen_rate": marked("Of those ever resolved, by the day the demand arrived."),
}
_PER_MONTH = marked("Per 100 customer-months, with exact 95% Poisson intervals.")
# Rates by project, and what of each is said of people.
_RATES = {
    "complaint_rate": "complaints_per_100_served",
    "follow_up_satisfaction": "follow_up_satisfaction",
    "reply_timeliness_rate": "reply_timeliness_rate",
}
_PROMISES = {
    "promises_kept_rate": marked("Of those recorded as kept or broken, by the day of the promise."),
    "promise_complaint_rate": marked(
        "Of all promises, by the day of the promise; the ledger on the page Models lists those to be kept."
    ),
}
# What is counted by category, with the URL parameter that says which category is looked into.
_ABOUT = {
    "valid_complaints": marked("What complaints are about"),
    "suggestions": marked("What is suggested"),
}
_RESOLUTION_CUTS = ("severity", "channel", "phase", "project", "department", "employee")
_CHOSEN = {"valid_complaints": "category", "suggestions": "suggested"}
_CATEGORY, _PATH, _JOINT = "demand_category", "demand_category_path", " › "


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, TILES)
    left, right = ui.columns(1.2, 1)
    with left:
        layout.card(
            view,
            t("Complaint rate by month"),
            by_month,
            key="by_month",
            measures=("complaint_rate",),
            caption=t("Valid complaints per 100 customer-months."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Complaint rate by project and quarter"),
            by_project_and_quarter,
            key="grid",
            measures=("complaint_rate",),
            caption=t("Per 100 customer-months; projects with the highest rates on top."),
            tables=tables,
        )
    ui.section(t("By project and by person"))
    known = [metric for metric in _RATES if view.gateway.has(metric)] or list(_RATES)[:1]
    rate = filters.choice("rate", known, known[0], t("Measure"), view.label)
    by_person = _RATES[rate]
    cautions = {
        "project": t(_HANDLING.get(rate, _PER_MONTH)),
        "employee": f"{t(staff.COMPARED[by_person])} {t('By name, not ranked.')}",
    }
    for column, (metric, cut) in zip(ui.columns(1, 1), ((rate, "project"), (by_person, "employee")), strict=True):
        with column:
            layout.card(
                view,
                view.heading(view.label(metric), cut),
                by_cut,
                metric,
                cut,
                key=f"by_{cut}",
                measures=(metric,),
                caption=cautions[cut],
                tables=tables,
            )
    for column, (metric, title) in zip(ui.columns(1, 1), _ABOUT.items(), strict=True):
        with column:
            with st.container(key=f"lp_category_{metric}"):
                under = _category_chooser(view, metric)
            layout.card(
                view.narrowed(((_PATH, (under,)),)) if under else view,
                t(title),
                categories,
                metric,
                under,
                key=f"categories_{metric}",
                measures=(metric,),
                caption=t("A category holds all below it. Σ is the running share."),
                tables=tables,
            )
    layout.card(
        view,
        t("Demands received"),
        volumes,
        key="volumes",
        measures=("demands",),
        caption=t("Masters by the day they arrived; duplicates do not count."),
        tables=tables,
    )
    ui.section(t("How they are answered"))
    cuts = [cut for cut in _RESOLUTION_CUTS if cut in view.gateway.dimensions(DEMANDS.metric)]
    cut = filters.choice("resolved_by", cuts, cuts[0], t("Cut by"), partial(dimension_title, t)) if cuts else "severity"
    layout.card(
        view,
        t("How many are resolved, by days since arrival and {dimension}", dimension=view.within(view.title(cut))),
        resolved_by_days,
        cut,
        key="resolved_by_days",
        measures=("resolution_rate", "resolution_hours"),
        caption=t(
            "For good, with no reopening after (Kaplan–Meier). Each demand counts for the days it was followed, so "
            "recent ones do not make the rest look slow."
        ),
        tables=tables,
    )
    for pair in (("reply_timeliness_rate", "resolution_rate"), ("follow_up_satisfaction", "reopen_rate")):
        for column, metric in zip(ui.columns(1, 1), pair, strict=True):
            with column:
                layout.card(
                    view,
                    t("{metric} by month", metric=view.label(metric)),
                    handling,
                    metric,
                    key=metric,
                    measures=(metric,),
                    caption=t(_HANDLING[metric]),
                    tables=tables,
                )
    _promises(view, tables)


def _promises(view: View, tables: bool) -> None:
    """Draw how many promises were kept, and how many ended in a complaint."""
    if not all(map(view.gateway.has, _PROMISES)):
        return
    ui.section(view.t("Promises of the sales period"))
    for column, (metric, caption) in zip(ui.columns(1, 1), _PROMISES.items(), strict=True):
        with column:
            layout.card(
                view,
                view.heading(view.label(metric), "project"),
                by_cut,
                metric,
                "project",
                key=metric,
                measures=(metric,),
                caption=view.t(caption),
                tables=tables,
            )


@remembered()
def by_month(view: View) -> Drawing:
    """The complaint rate by month within the limits of its ordinary variation."""
    return rate_by_month(view, view.ask("complaint_rate", by=("month",)), "complaint_rate")


@remembered()
def resolved_by_days(view: View, cut: str) -> Drawing:
    """The share resolved by each day since arrival, by the values of a dimension."""
    if cut not in view.gateway.dimensions(DEMANDS.metric):
        return NOTHING
    others = (cut,)
    chosen = dict(view.where).get(cut, ())
    return curves(view, DEMANDS, courses(view, DEMANDS, cut, others), course(view, DEMANDS, others), cut, chosen)


@remembered()
def by_cut(view: View, rate: str, cut: str) -> Drawing:
    """A rate by project or by person, with intervals."""
    return rated(view, rate, cut, most=24)


@remembered()
def by_project_and_quarter(view: View) -> Drawing:
    """The complaint rate by project and quarter."""
    frame = view.ask("complaint_rate", by=("project", "quarter"))
    quarters = [str(q) for q in pd.period_range(view.period.start, view.period.end, freq="Q").strftime("%Y-Q%q")]
    return heatmap(view, frame, "project", "complaint_rate", quarters)


@remembered()
def categories(view: View, metric: str, under: str) -> Drawing:
    """Demands of a kind by the categories directly under one, as a Pareto; the undivided rest is a bar of its own."""
    counts = _by_path(view, metric)
    children = _children(counts, under)
    if not children:
        return NOTHING
    own = counts.get(under, sum(children.values())) - sum(children.values())
    rows = [(path.split(_JOINT)[-1], value) for path, value in children.items()]
    if own > 0:
        rows.append((view.t("Not specified further"), own))
    frame = pd.DataFrame(rows, columns=[_CATEGORY, metric])
    return ranked_bars(view, frame, _CATEGORY, metric, share=True, cumulative=True)


@remembered()
def volumes(view: View) -> Drawing:
    """Demands, complaints and suggestions by month."""
    metrics = ("demands", "complaints", "suggestions")
    return lines_by_month(view, view.ask(*metrics, by=("month",)), metrics)


@remembered()
def handling(view: View, metric: str) -> Drawing:
    """One rate of how demands are answered, by month, with Wilson intervals."""
    return rate_by_month(view, view.ask(metric, by=("month",)), metric, height=250)


def _category_chooser(view: View, metric: str) -> str:
    """Offer every category that has categories below it; return the path of the one chosen."""
    options = [usual_category(view, metric)]
    options += [path for path in _parents(view, metric) if path not in options]
    if len(options) < 2:
        return options[0]
    return filters.selection(
        _CHOSEN[metric], options, options[0], view.t("Category"), lambda path: path or view.t("All categories")
    )


def usual_category(view: View, metric: str) -> str:
    """Return the category that is looked into where none is chosen: the root if there is but one, else all."""
    roots = [path for path in _parents(view, metric) if _JOINT not in path]
    return roots[0] if len(roots) == 1 else ""


def _parents(view: View, metric: str) -> list[str]:
    counts = _by_path(view, metric)
    return sorted(path for path in counts if _children(counts, path))


def _by_path(view: View, metric: str) -> dict[str, float]:
    """Return demands of a kind by category path; a category holds all below it."""
    definition, counted = view.gateway.metric(metric), metric
    if definition is not None and _PATH not in definition.dimensions:
        # A snapshot of an earlier version: only what stands in for the metric has the path.
        counted = definition.variants.get(_CATEGORY, metric)
    if _PATH not in view.gateway.dimensions(counted):
        return {}
    frame = view.ask(counted, by=(_PATH,), without=(_PATH,))
    if frame.empty:
        return {}
    known = frame.dropna(subset=[_PATH])
    return {str(path): float(value) for path, value in zip(known[_PATH], known[counted], strict=True) if value}


def _children(counts: dict[str, float], under: str) -> dict[str, float]:
    prefix = f"{under}{_JOINT}" if under else ""
    return {
        path: value for path, value in counts.items() if path.startswith(prefix) and _JOINT not in path[len(prefix) :]
    }
