"""Draws the form of a new record and saves what is in it: a script for Streamlit's AppTest.

The address names the CRM (``crm``, its URL) and the ``table``; after a save the page says the key of the row.
"""

from zoneinfo import ZoneInfo

import streamlit as st

from data_entry import forms
from data_entry.access import SYSTEM
from data_entry.database import create_engine_for
from data_entry.pages.desk import Desk
from data_entry.services import demands, records

# What is asked of a demand by the page that enters one; other forms ask for all that people fill in.
COLUMNS = {
    "demand": (
        "customer_id", "project_id", "demand_category_id", "unit_id", "severity", "channel", "phase", "received_at",
        "title", "description",
    ),
}  # fmt: skip


def save(work, table, values):
    if table == "demand":
        return demands.enter(work, **values).id
    return records.create(work, table, {name: value for name, value in values.items() if value is not None})


def main():
    engine, table = create_engine_for(st.query_params["crm"]), st.query_params["table"]
    desk = Desk(engine, SYSTEM, SYSTEM, "en", "CNY", ZoneInfo("Asia/Shanghai"))
    values = forms.fields(desk, table, columns=COLUMNS.get(table), key="form")
    if st.button("Save", key="save"):
        with forms.showing_errors(desk, table, "form") as outcome, desk.writing() as work:
            values.check()
            key = save(work, table, values)
        if outcome.ok:
            st.success(str(key))
    engine.dispose()


# Processes that a test starts afterwards import the script under another name.
if __name__ == "__main__":
    main()
