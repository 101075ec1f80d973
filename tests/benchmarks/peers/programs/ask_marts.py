"""Ask SQL questions of marts in a DuckDB file; a program of any environment that has DuckDB.

``python ask_marts.py WAREHOUSE QUESTIONS ANSWERS``: a JSON object of SQL by name, and one of rows by name.
"""

import json
import sys
from pathlib import Path

import duckdb


def main(warehouse: str, questions: str, answers: str) -> None:
    """Ask every question and write the rows."""
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    with duckdb.connect(warehouse, read_only=True) as connection:
        found = {name: connection.execute(sql).fetchall() for name, sql in asked.items()}
    Path(answers).write_text(json.dumps(found, default=float), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
