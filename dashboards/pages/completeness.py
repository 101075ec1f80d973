"""Completeness: which fields staff leave empty, and how completely each of them enters."""

from __future__ import annotations

from dashboards import crm_words, filters, layout
from dashboards.charts.comparison import estimates
from dashboards.charts.series import rate_by_month
from dashboards.memory import remembered
from dashboards.pages.people import employee_names
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.i18n import Translator
from loupan.ui.drawing import Drawing

_RATE = "field_completeness"
_TILES = ("field_completeness", "fields_expected", "fields_filled")
_ALL = "all"


def draw(view: View, tables: bool) -> None:
    """Draw the page."""
    t = view.t
    tiles(view, _TILES)
    left, right = ui.columns(1.2, 1)
    with left:
        layout.card(
            view,
            t("Completeness of each field"),
            by_field,
            key="fields",
            measures=(_RATE,),
            caption=t("The emptiest first. A field counts only where it makes sense: a company has no birthday."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Completeness by month of entry"),
            by_month,
            key="months",
            measures=(_RATE,),
            tables=tables,
        )
    ui.section(t("Who enters"))
    fields = [_ALL, *(sorted(view.gateway.values("crm_field"), key=lambda field: field_words(t, field)))]
    field = filters.selection(
        "field", fields, _ALL, t("Field"), lambda code: t("All fields") if code == _ALL else field_words(t, code)
    )
    layout.card(
        view,
        t("Completeness by who entered"),
        by_person,
        field,
        key="people",
        measures=(_RATE,),
        caption=t("By name, not ranked. The owner of a lead at entry; for a demand, who took its first step."),
        tables=tables,
    )


def field_words(t: Translator, field: str) -> str:
    """Return what a field is called, with the records it belongs to."""
    table, _, column = field.partition("." if "." in field.partition("/")[0] else "/")
    return f"{crm_words.column_words(t, table, column)} · {crm_words.table_words(t, table)}"


@remembered()
def by_field(view: View) -> Drawing:
    """Each field's share of records that have it filled, the emptiest first."""
    frame = view.ask(_RATE, by=("crm_field",))
    return estimates(
        view, frame, "crm_field", _RATE, names=lambda field: field_words(view.t, str(field)), is_ascending=True
    )


@remembered()
def by_month(view: View) -> Drawing:
    """The share of fields that are filled, by the month in which the record was entered."""
    return rate_by_month(view, view.ask(_RATE, by=("month",)), _RATE)


@remembered()
def by_person(view: View, field: str) -> Drawing:
    """The share of fields that each person filled, by name."""
    where = {} if field == _ALL else {"crm_field": [field]}
    frame = view.ask(_RATE, by=("employee",), where=where)
    return estimates(view, frame, "employee", _RATE, names=employee_names(view).__getitem__, is_ranked=False)
