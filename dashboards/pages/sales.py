"""Sales: what was sold, to whom and by whom, what of it stands, what is still free, and what has been paid."""

from __future__ import annotations

from functools import partial

from dashboards import filters, layout
from dashboards.charts import targets
from dashboards.charts.comparison import ranked
from dashboards.charts.composition import Step, waterfall
from dashboards.charts.series import lines_by_month
from dashboards.memory import remembered
from dashboards.names import employee_names
from dashboards.pages import features, overview
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import Translator, marked
from loupan.i18n.codes import dimension_title
from loupan.ui.drawing import NOTHING, Drawing

TILES = (
    "contract_amount",
    "contracts",
    "contract_area",
    "cancel_rate",
    "sell_through_rate",
    "collected_amount",
    "collection_rate",
)
_MEASURES = ("contract_amount", "contracts", "contract_area", "contract_amount_gross", "contract_amount_cancelled")
_CUTS = (
    "project",
    "department",
    "employee",
    "customer_class",
    "source",
    "market_type",
    "plan",
    "activity",
    "age_band",
    "income_band",
    "occupation",
    "education",
    "personality",
    "gender",
    "customer_kind",
    "district",
)
_LEDGER = ("contract_amount_gross", "contract_amount_amended", "contract_amount_cancelled", "contract_amount")
_RESTATED = "contract_amount_restated"
_ATTAINMENTS = tuple(
    f"{metric}_attainment" for metric in ("contract_amount", "contracts", "collected_amount", "leads", "visits")
)
# What a cut by a feature of customers is called in the URL, before the name of the feature.
_FEATURE = "feature:"
_PIPELINE = ("small_bookings", "bookings", "contracts")


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, TILES)
    left, right = ui.columns(1.4, 1)
    with left:
        layout.card(
            view,
            t("Contract amount by month"),
            overview.monthly_amount,
            key="amount",
            measures=("contract_amount",),
            caption=t("Gross, cancelled and net, in the month it happened."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("From gross to what stands today"),
            reconciliation,
            key="reconciliation",
            measures=(*_LEDGER, _RESTATED),
            caption=t(
                "Ledger: each change on its own day. Restated: today's amounts, by the day of the first contract."
            ),
            tables=tables,
        )
    _targets(view, tables)
    ui.section(t("Who buys, and who sells"))
    metric = filters.choice("measure", _known(view), "contract_amount", t("Measure"), view.label)
    cuts = [cut for cut in _CUTS if cut in view.gateway.dimensions(metric)] or ["project"]
    cuts += [f"{_FEATURE}{name}" for name in features.names(view, metric)]
    cut = filters.selection("cut", cuts, "project", t("Cut by"), partial(_cut_title, t))
    layout.card(
        view,
        _title(view, metric, cut),
        by_cut,
        metric,
        cut,
        key="by_cut",
        measures=(metric,),
        caption=t("By name, not ranked: what people sell depends on what they are given.") if cut == "employee" else "",
        tables=tables,
    )
    ui.section(t("Pipeline, stock and money"))
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            t("Bookings and contracts by month"),
            pipeline,
            key="pipeline",
            measures=_PIPELINE,
            caption=t("Net of what was cancelled. A booking is no sale yet."),
            tables=tables,
        )
        layout.card(
            view,
            t("Sell-through by project"),
            share_by_project,
            "sell_through_rate",
            key="sell_through",
            measures=("sell_through_rate",),
            caption=t("Units under a live deal, of those that may be sold; as of the data's date."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Collected amount by month"),
            collected,
            key="collected",
            measures=("collected_amount",),
            caption=t("Payments by the day they were received."),
            tables=tables,
        )
        layout.card(
            view,
            t("Collection rate by project"),
            share_by_project,
            "collection_rate",
            key="collection",
            measures=("collection_rate",),
            caption=t("Received, of what was due by then, of live contracts; the rest is in arrears."),
            tables=tables,
        )


def _targets(view: View, tables: bool) -> None:
    """Draw what was reached beside what was to be reached, of one metric that targets are set for."""
    t = view.t
    ratios = [ratio for ratio in _ATTAINMENTS if view.gateway.is_recorded(ratio)]
    if not ratios:
        return
    ui.section(t("Target and actual"))
    ratio = filters.choice("target", ratios, ratios[0], t("Target"), partial(_measured, view))
    left, right = ui.columns(1.4, 1)
    with left:
        layout.card(
            view,
            t("{metric}: target and actual by month", metric=_measured(view, ratio)),
            target_by_month,
            ratio,
            key="target_by_month",
            measures=(ratio,),
            caption=t("Mark: the target. Numbers: per cent of it attained."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("{metric}: target and actual by project", metric=_measured(view, ratio)),
            target_by_project,
            ratio,
            key="target_by_project",
            measures=(ratio,),
            caption=t("Mark: the target of the period. Beside the bar: what was reached, and the share attained."),
            tables=tables,
        )


def _measured(view: View, ratio: str) -> str:
    """Return what a target is set for."""
    return view.label(ratio.removesuffix("_attainment"))


def _title(view: View, metric: str, cut: str) -> str:
    label = view.label(metric)
    if cut.startswith(_FEATURE):
        return view.t("{metric} by {dimension}", metric=label, dimension=cut.removeprefix(_FEATURE))
    return view.heading(label, cut)


def _cut_title(t: Translator, cut: str) -> str:
    return cut.removeprefix(_FEATURE) if cut.startswith(_FEATURE) else dimension_title(t, cut)


def _known(view: View) -> list[str]:
    return [metric for metric in _MEASURES if view.gateway.has(metric)]


@remembered()
def reconciliation(view: View) -> Drawing:
    """The way from the gross amount to the net one of the ledger, and on to the restated one."""
    frame = view.ask(*_LEDGER, _RESTATED)
    if frame.empty or "contract_amount" not in frame:
        return NOTHING
    gross, amended, cancelled, net, restated = (
        float(frame[metric].fillna(0).iloc[0]) if metric in frame else 0.0 for metric in (*_LEDGER, _RESTATED)
    )
    t = view.t
    steps = [
        Step(t("Gross"), gross, is_total=True),
        Step(t("Amended"), amended),
        Step(t("Cancelled"), -cancelled),
        Step(t("Net, ledger"), net, is_total=True),
        # What was signed in the period and changed after it, less what was signed before and changed in it.
        Step(t("Other periods"), restated - net),
        Step(t("Restated"), restated, is_total=True),
    ]
    return waterfall(view, steps, "currency")


@remembered()
def by_cut(view: View, metric: str, cut: str) -> Drawing:
    """A volume by the values of a dimension or of a customer feature; people by name."""
    if cut.startswith(_FEATURE):
        return features.ranked(view, metric, cut.removeprefix(_FEATURE))
    if cut == "employee":
        # Everybody: to leave out those who sold least would be a ranking. One more are sales that are nobody's.
        return ranked(view, metric, cut, most=len(employee_names(view)) + 1, is_ranked=False)
    return ranked(view, metric, cut, most=15, share=True)


@remembered()
def target_by_month(view: View, ratio: str) -> Drawing:
    """A metric beside its target by month."""
    return targets.by_month(view, view.ask(ratio, by=("month",)), ratio)


@remembered()
def target_by_project(view: View, ratio: str) -> Drawing:
    """A metric beside its target by project."""
    frame = view.ask(ratio, by=("project",))
    return targets.by_dimension(
        view, frame, "project", ratio, without=marked("Without a target, and in the totals: {names} ({total}).")
    )


@remembered()
def pipeline(view: View) -> Drawing:
    """Small bookings, bookings and contracts by month, net."""
    return lines_by_month(view, view.ask(*_PIPELINE, by=("month",)), _PIPELINE)


@remembered()
def collected(view: View) -> Drawing:
    """Payments received by month."""
    frame, before = view.ask("collected_amount", by=("month",)), view.ask_before("collected_amount", "month")
    return lines_by_month(view, frame, ("collected_amount",), before=before)


@remembered()
def share_by_project(view: View, metric: str) -> Drawing:
    """A share that is a state and no sample, by project."""
    return ranked(view, metric, "project")
