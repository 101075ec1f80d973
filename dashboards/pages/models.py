"""Models: what the recorded data suggest doing, how far to trust it, and when a model says nothing."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from dashboards import filters, layout
from dashboards.charts.model_results import drawn_as_told
from dashboards.memory import remembered
from dashboards.model_results import model_run, model_runs, rows_of, told
from dashboards.view import View
from loupan import ui
from loupan.formats import NO_DATA
from loupan.i18n import marked
from loupan.mining.card import Card
from loupan.mining.published import ABSTAINED, FAILED, OK, ModelRun
from loupan.mining.result import Evaluation
from loupan.ui.drawing import NOTHING, Drawing

_STATES = {
    OK: marked("Fresh: made with the last refresh"),
    ABSTAINED: marked("No result: the data cannot carry one"),
    FAILED: marked("Failed in the last refresh; nothing of an earlier one is shown"),
}
_ASPECTS = (
    ("data", marked("Learns from")),
    ("method", marked("Method")),
    ("excluded", marked("Leaves out on purpose")),
    ("baseline", marked("Measured against")),
    ("fails", marked("Where it is wrong")),
    ("abstains", marked("When it gives no result")),
)


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t, runs = view.t, model_runs(view.gateway)
    if not runs:
        ui.message(t("No model has run for what is published: all are off, or it was made by an earlier version."))
        return
    names = {run.name: t(run.card.title) if run.card else run.name for run in runs}
    chosen = filters.selection("model", list(names), runs[0].name, t("Model"), names.__getitem__)
    run = next(run for run in runs if run.name == chosen)
    _head(view, run)
    for output in run.outputs:
        layout.card(
            view,
            t(output.title),
            result,
            run.name,
            output.name,
            key=f"result_{output.name}",
            tables=tables or output.picture is None,
            is_switchable=output.picture is not None,
        )
    if run.evaluation:
        layout.card(
            view,
            t("How well it does on data it had not seen"),
            evaluation,
            run.name,
            key="evaluation",
            caption="" if view.gateway.scope.is_everything else t("Of the whole company."),
            tables=True,
            is_switchable=False,
        )
    if run.card is not None:
        _card(view, run.card)
    layout.card(view, t("All models"), overview, key="models", tables=True, is_switchable=False)


def _head(view: View, run: ModelRun) -> None:
    """Say what the model is for, what became of it, and its verdict on itself."""
    t = view.t
    if run.card is not None:
        ui.pairs([(t("For"), t(run.card.purpose)), (t("What to do with it"), t(run.card.action))])
    say_state(view, run)


def say_state(view: View, run: ModelRun) -> None:
    """Say what became of a model in the last refresh: its verdict on itself, or why it has no result."""
    t, said = view.t, verdict(view, run)
    if run.status == OK:
        if said:
            st.info(ui.sentence(said), icon=":material/verified:")
    else:
        text = t("{state}: {reason}", state=t(_STATES[run.status]), reason=said)
        show = st.warning if run.status == ABSTAINED else st.error
        show(ui.sentence(text), icon=":material/info:" if run.status == ABSTAINED else ":material/error:")


def verdict(view: View, run: ModelRun) -> str:
    """Return what a model says of itself, or why it has no result; empty where it says nothing."""
    t = view.t
    said = t(run.message, **run.values) if run.values else t(run.message)
    if said and not view.gateway.scope.is_everything:
        # The tables are the reader's, what a model says of itself is not.
        return t("Of the whole company: {said}", said=said)
    return said


@remembered()
def result(view: View, model: str, output: str) -> Drawing:
    """One table of a model's results."""
    rows, how = rows_of(view.gateway, model, output), told(view.gateway, model, output)
    if rows is None or how is None:
        reason = view.t("These records do not say whose they are, so this cannot be limited to what you may see.")
        return Drawing(None, table=pd.DataFrame({view.t("Result"): [reason]}))
    return drawn_as_told(view, how, rows)


@remembered()
def evaluation(view: View, model: str) -> Drawing:
    """The model beside its baseline, on data later than what it learnt from."""
    run = model_run(view.gateway, model)
    if run is None:
        return NOTHING
    t = view.t
    return Drawing(
        None,
        table=pd.DataFrame(
            {
                t("Measure"): [t(line.measure) for line in run.evaluation],
                t("Model"): [_written(view, line, line.model) for line in run.evaluation],
                t("95% interval"): [view.formats.interval(line.low, line.high, _unit(line)) for line in run.evaluation],
                t("Baseline"): [_written(view, line, line.baseline) for line in run.evaluation],
                t("Better is"): [_BETTER[line.better](t) for line in run.evaluation],
            }
        ),
    )


_BETTER = {
    "high": lambda t: t("higher"),
    "low": lambda t: t("lower"),
    "nominal": lambda t: t("close to what is promised"),
}


def _unit(line: Evaluation) -> str:
    return "ratio" if line.unit == "number" else line.unit


def _written(view: View, line: Evaluation, value: float | None) -> str:
    return view.formats.value(value, _unit(line))


@remembered()
def overview(view: View) -> Drawing:
    """What became of every model in the last refresh."""
    t = view.t
    runs = model_runs(view.gateway)

    def moment(text: str | None) -> str:
        if text is None:
            return NO_DATA
        return view.formats.moment(datetime.fromisoformat(text), view.gateway.time_zone)

    return Drawing(
        None,
        table=pd.DataFrame(
            {
                t("Model"): [t(run.card.title) if run.card else run.name for run in runs],
                t("State"): [t(_STATES[run.status]) for run in runs],
                t("Made by"): [t("The company's own") if run.is_own else t("Loupan's") for run in runs],
                t("Data as of"): [moment(run.made_as_of) for run in runs],
                t("Has learnt up to"): [moment(run.trained_as_of) for run in runs],
                t("Seconds"): [f"{run.seconds:,.1f}" for run in runs],
            }
        ),
    )


def _card(view: View, card: Card) -> None:
    t = view.t
    with st.expander(t("Model card"), icon=":material/description:"):
        ui.pairs([(t(title), t(text)) for name, title in _ASPECTS if (text := getattr(card, name))])
        if card.features:
            ui.table(
                pd.DataFrame(
                    {
                        t("Looks at"): [t(feature.name) for feature in card.features],
                        t("Why it may, and since when it is known"): [t(feature.reason) for feature in card.features],
                    }
                ),
                t("What the model looks at"),
                is_words=True,
            )
