"""dbt's documentation pages: its own single page, the manifest it draws, and a catalogue of the columns' types.

``dbt docs generate`` would open the warehouse once more to ask for types that the manifest states already, each held
equal to the materialised one by a test.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loupan.files import replace_text

PAGE, MANIFEST, CATALOGUE = "index.html", "manifest.json", "catalog.json"


def write_dbt_docs(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages of a project, each file atomically.

    Args:
        folder: the site; made if absent.
        manifest: dbt's ``manifest.json``.
    """
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / PAGE, Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8"))
    replace_text(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False))
    replace_text(folder / CATALOGUE, json.dumps(_catalogue(manifest), ensure_ascii=False))


def _catalogue(manifest: Mapping[str, Any]) -> dict[str, Any]:
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    return {
        "metadata": {"generated_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")},
        "nodes": {key: _table(key, node) for key, node in models.items()},
        "sources": {key: _table(key, source) for key, source in manifest["sources"].items()},
        "errors": None,
    }


def _table(key: str, node: Mapping[str, Any]) -> dict[str, Any]:
    is_view = node.get("config", {}).get("materialized") == "view"
    return {
        "unique_id": key,
        "metadata": {
            "type": "VIEW" if is_view else "BASE TABLE",
            "schema": node["schema"],
            "name": node.get("alias") or node["name"],
            "database": node["database"],
            "comment": None,
            "owner": None,
        },
        "columns": {
            name: {"type": column.get("data_type") or "", "index": place, "name": name, "comment": None}
            for place, (name, column) in enumerate(node["columns"].items(), 1)
        },
        "stats": {},
    }
