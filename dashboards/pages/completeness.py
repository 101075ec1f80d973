"""Completeness: which fields staff leave empty, what is entered late, and how completely each of them enters."""

from __future__ import annotations

from dashboards import filters, layout
from dashboards.charts.comparison import rated
from dashboards.charts.series import rate_by_month
from dashboards.crm_words import field_words
from dashboards.memory import remembered
from dashboards.tiles import tiles
from dashboards.view import View
from loupan import ui
from loupan.ui.drawing import Drawing

_RATE, _FIELD = "field_completeness", "crm_field"
_LATE = "late_entry_rate"
_TILES = ("field_completeness", "fields_expected", "fields_filled", "late_entry_rate", "records_entered")
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
    ui.section(t("How soon after it happened"))
    left, right = ui.columns(1.2, 1)
    with left:
        layout.card(
            view,
            t("Late entry by kind of record"),
            late_by_kind,
            key="late_kinds",
            measures=(_LATE,),
            caption=t("Typed in more than seven days after the day the record tells of. Imports are left out."),
            tables=tables,
        )
    with right:
        layout.card(
            view,
            t("Late entry by month"),
            late_by_month,
            key="late_months",
            measures=(_LATE,),
            caption=t("The last days look better than they are: what comes in late is not there yet."),
            tables=tables,
        )
    ui.section(t("Who enters"))
    fields = [_ALL, *(sorted(view.gateway.values(_FIELD), key=lambda field: field_words(t, field)))]
    field = filters.selection(
        "field", fields, _ALL, t("Field"), lambda code: t("All fields") if code == _ALL else field_words(t, code)
    )
    layout.card(
        view if field == _ALL else view.narrowed(((_FIELD, (field,)),)),
        t("Completeness by who entered"),
        by_person,
        key="people",
        measures=(_RATE,),
        caption=t("By name, not ranked. The owner of a lead at entry; for a demand, who took its first step."),
        tables=tables,
    )


@remembered()
def by_field(view: View) -> Drawing:
    """Each field's share of records that have it filled, the emptiest first."""
    return rated(view, _RATE, _FIELD, is_ascending=True)


@remembered()
def by_month(view: View) -> Drawing:
    """The share of fields that are filled, by the month in which the record was entered."""
    return rate_by_month(view, view.ask(_RATE, by=("month",)), _RATE)


@remembered()
def late_by_kind(view: View) -> Drawing:
    """The share of late entries of each kind of record, the highest first."""
    return rated(view, _LATE, "crm_table")


@remembered()
def late_by_month(view: View) -> Drawing:
    """The share of late entries, by the month that the records tell of."""
    return rate_by_month(view, view.ask(_LATE, by=("month",)), _LATE)


@remembered()
def by_person(view: View) -> Drawing:
    """The share of fields that each person filled, by name."""
    return rated(view, _RATE, "employee")
