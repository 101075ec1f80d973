"""Draws the page that the address names, without the app around it: a script for Streamlit's AppTest."""

import streamlit as st

from dashboards import filters
from dashboards.gateway import open_gateway
from dashboards.menu import DASHBOARDS
from loupan.metrics import EVERYTHING


def main():
    (page,) = [page for pages in DASHBOARDS.values() for page in pages if page.path == st.query_params["page"]]
    page.draw(filters.unfiltered(open_gateway(EVERYTHING), st.query_params["lang"], "light"), False)


# Processes that a test starts afterwards import the script under another name.
if __name__ == "__main__":
    main()
