"""The overview's six charts as a plain Streamlit page draws them: queries and figures made anew in every run.

Served by `tests.benchmarks.pages`; the marts are named by the environment variable ``PLAIN_MARTS``.
"""

from __future__ import annotations

import os

import duckdb
import pandas as pd
import plotly.express as px
import streamlit as st

MONTHS = {"3m": 3, "6m": 6, "12m": 12, "24m": 24, "36m": 36}

st.set_page_config(layout="wide")
months = MONTHS.get(st.query_params.get("period", "12m"), 12)
with duckdb.connect(os.environ["PLAIN_MARTS"], read_only=True) as connection:
    since = f"(select max(opened_on) from fct_lead) - interval {months} month"

    def ask(sql: str) -> pd.DataFrame:
        return connection.execute(sql.replace("$since", since)).df()

    amounts = ask(
        "select strftime(posted_on, '%Y-%m') as month, sum(contract_amount_gross) as gross,"
        " -sum(contract_amount_cancelled) as cancelled from fct_sales_posting"
        " where posted_on > $since group by 1 order by 1"
    )
    stages = ask(
        "select count(*) as leads, sum(has_visited::int) as visited, sum(has_booked::int) as booked,"
        " sum(has_contract::int) as signed from fct_lead where opened_on > $since"
    )
    sources = ask(
        "select source_name as source, count(*) as leads from fct_lead left join dim_source using (source_id)"
        " where opened_on > $since group by 1 order by 2 desc"
    )
    projects = ask(
        "select project_name as project, sum(contract_amount_gross) as amount from fct_sales_posting"
        " left join dim_project using (project_id) where posted_on > $since group by 1 order by 2 desc"
    )
    complaints = ask(
        "select strftime(received_on, '%Y-%m') as month, count(*) as complaints from fct_demand"
        " where is_valid_complaint and received_on > $since group by 1 order by 1"
    )
    change = ask(
        "select project_name as project, sum(case when posted_on > $since then contract_amount_gross"
        " else -contract_amount_gross end) as amount from fct_sales_posting"
        " left join dim_project using (project_id) group by 1"
    )
st.title("Overview")
st.plotly_chart(px.bar(amounts, x="month", y=["gross", "cancelled"]))
st.plotly_chart(px.funnel(stages.melt(), x="value", y="variable"))
st.plotly_chart(px.bar(sources, x="leads", y="source", orientation="h"))
st.plotly_chart(px.bar(projects, x="amount", y="project", orientation="h"))
st.plotly_chart(px.line(complaints, x="month", y="complaints"))
st.plotly_chart(px.bar(change, x="amount", y="project", orientation="h"))
