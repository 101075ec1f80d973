"""Customers: who asks and who buys, by what is known of them, and how well each group converts."""

from __future__ import annotations

from functools import partial

from dashboards import filters, layout
from dashboards.charts.comparison import rated
from dashboards.charts.composition import made_up
from dashboards.memory import remembered
from dashboards.pages import features
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n.codes import dimension_title
from loupan.ui.drawing import Drawing

_TILES = ("leads", "contracts_gross", "conversion_rate", "visit_rate", "days_to_contract", "customer_satisfaction")
_GROUPS = ("leads", "contracts_gross")
_ABOUT = (
    "age_band",
    "income_band",
    "occupation",
    "education",
    "personality",
    "gender",
    "intent_level",
    "customer_class",
    "customer_kind",
)


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, _TILES)
    ui.section(t("Who asks, and who buys"))
    known = [dimension for dimension in _ABOUT if dimension in view.gateway.dimensions("leads")]
    if not known:
        layout.no_data(view, ("leads",))
        return
    for pair in (known[:2], known[2:4], known[4:6], known[6:8], known[8:]):
        for column, dimension in zip(ui.columns(1, 1), pair, strict=False):
            with column:
                layout.card(
                    view,
                    dimension_title(t, dimension),
                    structure,
                    dimension,
                    key=dimension,
                    measures=_GROUPS,
                    caption=t("Share of the leads that came in, and of the contracts signed, in the period."),
                    tables=tables,
                )
    _features(view, tables)
    ui.section(t("How well each group converts"))
    asked = filters.selection("about", known, known[0], t("Group by"), partial(dimension_title, t))
    layout.card(
        view,
        t("{metric} compared", metric=view.label("conversion_rate")),
        conversion,
        asked,
        key="conversion",
        measures=("conversion_rate",),
        caption=t("Points with 95% Wilson intervals."),
        tables=tables,
    )


def _features(view: View, tables: bool) -> None:
    """Draw the part on a feature that the company defined itself, chosen by the reader."""
    t = view.t
    names = features.names(view, *features.GROUPS)
    if not names:
        return
    ui.section(t("Features of our own"))
    name = filters.selection("feature", names, names[0], t("Customer feature"), str)
    left, right = ui.columns(1, 1)
    with left:
        layout.card(
            view,
            name,
            features.structure,
            name,
            key="feature",
            measures=features.GROUPS,
            caption=t("Share of the leads that came in during the period, and of those of them that bought."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("{metric} by {dimension}", metric=view.label("conversion_rate"), dimension=name),
            features.conversion,
            name,
            key="feature_conversion",
            measures=("conversion_rate",),
            caption=t("Points with 95% Wilson intervals."),
            tables=tables,
        )


@remembered(128)
def structure(view: View, dimension: str) -> Drawing:
    """Of whom the leads and the contracts of the period are made up."""
    frames = {
        metric: view.ask(metric, by=(dimension,)) for metric in _GROUPS if dimension in view.gateway.dimensions(metric)
    }
    return made_up(view, {metric: frame for metric, frame in frames.items() if not frame.empty}, dimension)


@remembered()
def conversion(view: View, dimension: str) -> Drawing:
    """The conversion rate to date of each group, with intervals."""
    return rated(view, "conversion_rate", dimension)
