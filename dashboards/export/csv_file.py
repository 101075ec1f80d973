"""A table as CSV that both spreadsheets and programs read."""

from __future__ import annotations

import csv
import io

from dashboards.export import about
from dashboards.export.cells import clean, is_number, number
from dashboards.export.exhibit import Exhibit
from loupan.spreadsheet import inert

COMMENT = "#"
"""The first field of a line of context: readers of CSV leave out lines that begin with it when told to."""


def csv_file(exhibit: Exhibit) -> bytes:
    """Return an exhibit as CSV (RFC 4180, UTF-8 with a byte order mark, by which Excel knows the encoding).

    Lines of context come first, each beginning with ``#``; then the head, then a line per row. Texts are quoted, so
    that a ``#`` within them is none; numbers are whole, not rounded, with a point; what is unknown is empty. A program
    reads the table with ``pandas.read_csv(file, comment="#")``, or in DuckDB with
    ``read_csv(file, comment = '#', quote = '"')``. Where there is no data there is no table.
    """
    view = exhibit.view
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    lines = [
        (view.t("Title"), exhibit.title),
        *about.context(exhibit),
        *about.definitions(view, exhibit.metrics),
        about.origin(view),
    ]
    for label, words in lines:
        file.write(f"{COMMENT},")
        writer.writerow([_text(label), _text(words)])
    if columns := exhibit.columns:
        writer.writerow([_text(column.title) for column in columns])
        cells = ([number(v) if is_number(column) else _text(v) for v in column.values] for column in columns)
        writer.writerows(zip(*cells, strict=True))
    return file.getvalue().encode("utf-8-sig")


def _text(value: object) -> str:
    # On one line each: a line of context that went on in a second one would end as a row of the table.
    return inert(" ".join(clean(value).split()))
