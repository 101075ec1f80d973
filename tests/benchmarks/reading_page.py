"""Draws one page of statistics for a reader of a scope, both named by the address: a script for Streamlit's AppTest."""

import json

import streamlit as st

from dashboards import filters, shown
from dashboards.gateway import open_gateway
from dashboards.menu import DASHBOARDS
from loupan.metrics import Scope


def main() -> None:
    (page,) = (page for pages in DASHBOARDS.values() for page in pages if page.path == st.query_params["page"])
    reach = json.loads(st.query_params["reach"])
    gateway = open_gateway(Scope.of(reach) if reach else Scope(None))
    shown.begin()
    see = filters.bar if page.has_filters else filters.unfiltered
    page.draw(see(gateway, "en", "light"), False)


# Processes that are started afterwards import the script under another name.
if __name__ == "__main__":
    main()
