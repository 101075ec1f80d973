"""Load the tables of a CRM into DuckDB with dlt; a program of its environment, which has nothing of ours.

``python dlt_load.py CRM WAREHOUSE PLAN FOLDER {replace,merge}``: everything the first time, then what changed since.
"""

import json
import sys
from pathlib import Path

import dlt
import duckdb
from dlt.sources.sql_database import sql_table


def main(crm: str, warehouse: str, plan_path: str, folder: str, disposition: str) -> None:
    """Load; ``crm`` is an SQLAlchemy URL, ``plan_path`` a JSON file with columns by table and the as-of."""
    plan = json.loads(Path(plan_path).read_text(encoding="utf-8"))
    tables = [
        sql_table(
            credentials=crm,
            table=table,
            included_columns=list(columns),
            primary_key="id",
            incremental=dlt.sources.incremental("updated_at"),
            backend="pyarrow",
            reflection_level="full_with_precision",
        )
        for table, columns in plan["tables"].items()
    ]
    pipeline = dlt.pipeline(
        pipeline_name="crm",
        pipelines_dir=folder,
        destination=dlt.destinations.duckdb(warehouse),
        dataset_name="raw",
    )
    pipeline.run(tables, write_disposition=disposition, loader_file_format="parquet")
    with duckdb.connect(warehouse) as connection:
        connection.execute(
            "create or replace table raw.refresh as select cast(? as timestamp) as as_of", [plan["as_of"]]
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
