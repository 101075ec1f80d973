"""The gateway to the metrics of a warehouse in memory."""

from __future__ import annotations

from pathlib import Path

from loupan.metrics import Metrics
from loupan.settings import Settings
from loupan.snapshot import publish
from tests.support.warehouse import Warehouse, manifest


def metrics_of(warehouse: Warehouse, folder: Path) -> Metrics:
    """Publish the built marts of a warehouse into ``folder`` and return the gateway to them."""
    semantic_manifest = folder / "semantic_manifest.json"
    semantic_manifest.write_text(manifest(warehouse.time_zone).semantic_json, encoding="utf-8")
    return Metrics(publish(Settings(data_dir=folder), warehouse.con, semantic_manifest, {}))
