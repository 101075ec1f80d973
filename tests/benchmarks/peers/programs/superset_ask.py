"""Ask Superset for the data of charts, as its pages do: ``POST /api/v1/chart/data``; a program of its environment.

``python superset_ask.py DATABASE CHARTS REPEATS ANSWERS``: DATABASE is an SQLAlchemy URL, CHARTS a JSON object by name
of ``rows`` (SQL of the dataset), ``by`` (columns) and ``measures`` (SQL). Written are rows and seconds by name; the
first of the seconds is that of the first time. Nothing passes through a network: the application is in this process.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_ROWS = 50_000


def _headers(client: Any) -> dict[str, str]:
    answer = client.post(
        "/api/v1/security/login",
        json={"username": "admin", "password": os.environ["SUPERSET_SECRET_KEY"], "provider": "db"},
    )
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def _datasets(app: Any, url: str, charts: dict[str, Any]) -> dict[str, int]:
    from superset import db, security_manager
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database

    password = os.environ["SUPERSET_SECRET_KEY"]
    role = security_manager.find_role("Admin")
    security_manager.add_user("admin", "A", "B", "admin@example.org", role, password=password)
    database = Database(database_name="measured", sqlalchemy_uri=url)
    db.session.add(database)
    db.session.flush()
    keys = {}
    for name, chart in charts.items():
        dataset = SqlaTable(table_name=name, sql=chart["rows"], database=database, schema=None)
        db.session.add(dataset)
        db.session.flush()
        dataset.fetch_metadata()
        keys[name] = dataset.id
    db.session.commit()
    return keys


def _query(dataset: int, chart: dict[str, Any]) -> dict[str, Any]:
    metrics = [
        {"expressionType": "SQL", "sqlExpression": measure, "label": f"value_{n}"}
        for n, measure in enumerate(chart["measures"])
    ]
    return {
        "datasource": {"id": dataset, "type": "table"},
        "force": True,  # an answer kept from before measures nothing
        "queries": [{"columns": chart["by"], "metrics": metrics, "orderby": [], "row_limit": _ROWS}],
        "result_format": "json",
        "result_type": "full",
    }


def main(url: str, charts_path: str, repeats: str, answers: str) -> None:
    """Ask for every chart so many times more and write rows and seconds."""
    from superset.app import create_app

    charts = json.loads(Path(charts_path).read_text(encoding="utf-8"))
    app = create_app()
    rows: dict[str, list[list[Any]]] = {}
    seconds: dict[str, list[float]] = {}
    with app.app_context():
        keys = _datasets(app, url, charts)
    client = app.test_client()
    headers = _headers(client)
    for name, chart in charts.items():
        query = _query(keys[name], chart)
        for _ in range(int(repeats) + 1):
            start = time.perf_counter()
            answer = client.post("/api/v1/chart/data", json=query, headers=headers)
            seconds.setdefault(name, []).append(time.perf_counter() - start)
        if answer.status_code != 200:
            raise SystemExit(f"{name}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}")
        columns = [*chart["by"], *(f"value_{n}" for n in range(len(chart["measures"])))]
        rows[name] = [[record[column] for column in columns] for record in answer.get_json()["result"][0]["data"]]
    Path(answers).write_text(json.dumps({"rows": rows, "seconds": seconds}, default=float), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
