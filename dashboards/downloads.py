"""The files of one exhibit, offered for download; made when they are asked for, with a line in the trail."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboards import taken
from dashboards.export.csv_file import csv_file
from dashboards.export.exhibit import Exhibit
from dashboards.export.names import file_name
from dashboards.export.workbook import MIME, workbook


def downloads(exhibit: Exhibit, key: str) -> None:
    """Offer an exhibit as CSV and as Excel.

    Args:
        exhibit: what the files hold.
        key: of the buttons.
    """
    t, as_of = exhibit.view.t, exhibit.view.as_of_on
    st.download_button(
        t("Download CSV"),
        taken.recorded(partial(csv_file, exhibit), exhibit.title, "csv", exhibit.view),
        file_name(exhibit.title, as_of, "csv"),
        "text/csv",
        key=f"lp_csv_{key}",
        on_click="ignore",
        type="tertiary",
        icon=":material/csv:",
        width="stretch",
    )
    st.download_button(
        t("Download Excel"),
        taken.recorded(partial(workbook, exhibit.title, [exhibit]), exhibit.title, "xlsx", exhibit.view),
        file_name(exhibit.title, as_of, "xlsx"),
        MIME,
        key=f"lp_xlsx_{key}",
        on_click="ignore",
        type="tertiary",
        icon=":material/table:",
        width="stretch",
    )
