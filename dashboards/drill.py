"""The rows behind a number, in a dialog: which records of the CRM it is made of, as far as the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboards.downloads import downloads
from dashboards.export.exhibit import Exhibit
from dashboards.memory import remembered
from dashboards.names import names_of
from dashboards.view import View
from data_entry.forms.table import Cell, Column, table
from data_entry.pages import links
from data_entry.schema.labels import table_plural
from loupan import ui
from loupan.formats import is_missing
from loupan.i18n import marked
from loupan.i18n.codes import dimension_title
from loupan.metrics.catalogue import TIME_DIMENSIONS
from loupan.ui.drawing import NOTHING, Drawing, written
from loupan.ui.drawing import Column as NumberColumn

PAGE = 50
_COLUMNS = ("day", "project", "source", "plan", "employee", "reason", "channel", "severity", "fee_type")
_MOST_COLUMNS = 5
_KEY = "lp_rows"
Rows = tuple[tuple[Any, ...], ...]


def has_rows(view: View, metrics: Sequence[str]) -> bool:
    """Say whether there are records behind any of the metrics."""
    return any(view.gateway.parts(metric) for metric in metrics)


def button(view: View, metrics: Sequence[str], key: str) -> None:
    """Offer the rows behind some metrics, where there are records behind any of them."""
    if has_rows(view, metrics) and st.button(
        view.t(marked("Rows behind it")), key=f"{_KEY}_of_{key}", type="tertiary", icon=":material/list_alt:"
    ):
        show(view, tuple(metrics))


def show(view: View, metrics: Sequence[str]) -> None:
    """Open the dialog with the rows of some metrics in the view's period and under its filters."""
    st.session_state[f"{_KEY}_page"], st.session_state[f"{_KEY}_sort"] = 1, ("day", True)

    def draw() -> None:
        ui.sheets("rows")
        _draw(view, metrics)

    st.dialog(view.t("Rows behind the number"), width="large")(draw)()


def columns_of(view: View, part: str) -> tuple[str, ...]:
    """Return the dimensions that are told of each row."""
    known = view.gateway.dimensions(part)
    wanted = _COLUMNS if "day" in known else ("month", *_COLUMNS[1:])
    return tuple(name for name in wanted if name in known)[:_MOST_COLUMNS]


def parts_of(view: View, metrics: Sequence[str]) -> dict[str, str]:
    """Return the metrics whose rows make up some metrics, in their order, each with the first that it is part of."""
    parts: dict[str, str] = {}
    for metric in metrics:
        parts |= {part: metric for part in view.gateway.parts(metric) if part not in parts}
    return parts


@remembered(16)
def rows_behind(view: View, part: str) -> Rows:
    """Return the rows of a metric in the view: key of the record, `columns_of`, and what it adds."""
    return tuple(tuple(row.values()) for row in view.rows(part, columns_of(view, part)))


def listed(view: View, part: str) -> Drawing:
    """Return the rows of a metric as a drawing without a picture, for files: what is told of each, the record's key."""
    names, rows, t = columns_of(view, part), rows_behind(view, part), view.t
    if not rows:
        return NOTHING
    keys, *others, amounts = zip(*rows, strict=True)
    columns = [
        NumberColumn(t("Record"), [str(key) for key in keys]),
        *(
            NumberColumn(dimension_title(t, name), _plain(view, name, values))
            for name, values in zip(names, others, strict=True)
        ),
        NumberColumn(view.label(part), [float(amount) for amount in amounts], view.unit(part), part),
    ]
    return Drawing(None, "", written(view.formats, columns), "", columns)


def _plain(view: View, name: str, values: Sequence[Any]) -> list[str]:
    """Write the values of a dimension for files: names as on the page, periods so that they sort."""
    if name in TIME_DIMENSIONS:
        return [str(value or "") for value in values]
    return [*map(names_of(view, name), values)]


def _draw(view: View, metrics: Sequence[str]) -> None:
    t = view.t
    parts = parts_of(view, metrics)
    part = next(iter(parts))
    if len(parts) > 1:
        part = st.selectbox(t("Which rows"), list(parts), format_func=view.label, key=f"{_KEY}_part", width=360)
    left_out = t(", ").join(dimension_title(t, name) for name in view.ignored(parts[part]))
    caution = t("Not filtered by: {names}.", names=left_out) if left_out else ""
    view = view.about(parts[part])
    columns, rows = columns_of(view, part), rows_behind(view, part)
    record = str(view.gateway.record_of(part))
    definition = view.gateway.metric(part)
    if definition is not None and definition.description:
        ui.message(t(definition.description))
    if caution:
        ui.message(caution)
    if not rows:
        ui.message(t("No data for this period and these filters."))
        return
    number = view.ask(part)
    ui.facts([(t("Rows"), f"{len(rows):,}"), (view.label(part), view.write(number[part].iloc[0], part))])
    _page(view, part, record, columns, rows)
    title = t("Rows behind {metric}", metric=view.label(part))
    with st.container(horizontal=True):
        downloads(Exhibit(view, title, listed, (part,), (part,), caution), _KEY)


def _page(view: View, part: str, record: str, columns: tuple[str, ...], rows: Rows) -> None:
    t = view.t
    sort, descending = st.session_state[f"{_KEY}_sort"]
    names = [*columns, part]
    at = names.index(sort) + 1 if sort in names else 1
    # Rows without a value stand last, whichever way.
    known = sorted((row for row in rows if not is_missing(row[at])), key=lambda row: row[at], reverse=descending)
    ordered = [*known, *(row for row in rows if is_missing(row[at]))]
    pages = (len(rows) - 1) // PAGE + 1
    page = min(st.session_state.get(f"{_KEY}_page", 1), pages) - 1
    writers = [names_of(view, name) for name in columns]
    heads = [
        *(Column(name, dimension_title(t, name)) for name in columns),
        Column(part, view.label(part), is_number=True),
    ]
    shown = {
        number: [
            *(Cell(write(value)) for write, value in zip(writers, row[1:-1], strict=True)),
            Cell(view.write(float(row[-1]), part)),
        ]
        for number, row in enumerate(ordered[page * PAGE : (page + 1) * PAGE])
    }
    event = table(
        view, heads, shown, title=t("Rows behind the number"), key=f"{_KEY}_table",
        sort=names[at - 1], descending=descending, can_open=links.leads_to(record),
    )  # fmt: skip
    if event.sort is not None:
        st.session_state[f"{_KEY}_sort"] = (event.sort, not descending if event.sort == sort else False)
        st.rerun(scope="fragment")
    if event.open is not None:
        links.go_to_record(record, int(ordered[page * PAGE + event.open][0]))
    if pages > 1:
        st.pagination(pages, key=f"{_KEY}_page")
    if links.leads_to(record):
        ui.message(t("A row leads to its record in the CRM ({table}).", table=t(table_plural(record))))
