"""The page Explore without the app around it, for tests without a browser."""

from datetime import date

import streamlit as st

from dashboards.gateway import Period, open_gateway
from dashboards.pages import explore
from dashboards.view import View
from loupan.metrics import EVERYTHING

# Processes that a test starts later run the last script once more, under another name.
if __name__ == "__main__":
    period = Period(date(2025, 7, 1), date(2026, 6, 30))
    explore.draw(View(open_gateway(EVERYTHING), st.query_params.get("lang", "en"), "light", period), tables=False)
