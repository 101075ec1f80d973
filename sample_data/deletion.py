"""Soft-deleted rows: entered by mistake, and deleted with everything that hangs on them."""

from __future__ import annotations

import numpy as np

from data_entry.schema import metadata
from sample_data.company import Company
from sample_data.rows import NONE, ONE_DAY, Array
from sample_data.world import World

# Share of the rows of a table that were deleted. Leads, and customers, only where they led to no deal.
DELETED_SHARES = {
    "lead": 0.004, "customer": 0.002, "demand": 0.004, "lead_event": 0.002, "follow_up": 0.003, "payment": 0.002,
    "expense": 0.01, "touchpoint": 0.002, "feedback": 0.005, "task": 0.005, "competitor_observation": 0.005,
}  # fmt: skip
# Rows of these tables are left alone if a row of the second table points at them by the column.
PROTECTED = {
    "lead": (("deal", "lead_id"),),
    "customer": (("deal", "customer_id"), ("customer", "merged_into_id")),
    "demand": (("promise", "demand_id"), ("demand", "duplicate_of_id"), ("task", "demand_id")),
    "task": (("care_occasion", "task_id"),),
}


def delete_some(company: Company) -> None:
    """Delete some rows, and every row that points at a deleted one."""
    rng = company.random("deletion")
    world = company.world
    for table, share in DELETED_SHARES.items():
        rows = world.batch.rows(table)
        if not rows:
            continue
        chosen = rng.random(len(rows["id"])) < share
        for child, column in PROTECTED.get(table, ()):
            child_rows = world.batch.rows(child)
            if column in child_rows:
                chosen &= ~np.isin(rows["id"], child_rows[column])
        delay = (rng.exponential(9, len(chosen)) * ONE_DAY + 600).astype("timedelta64[s]")
        _mark(rows, chosen, np.minimum(rows["updated_at"] + delay, world.clock.now - 1))
    _cascade(world)


def _mark(rows: dict[str, Array], chosen: Array, moments: Array) -> None:
    fresh = chosen & np.isnat(rows["deleted_at"])
    # A row made after its parent was deleted was deleted when it had been made.
    moments = np.maximum(moments, rows["updated_at"])
    rows["deleted_at"] = np.where(fresh, moments, rows["deleted_at"])
    rows["updated_at"] = np.where(fresh, moments, rows["updated_at"])
    rows["row_version"] = rows["row_version"] + fresh


def _cascade(world: World) -> None:
    """Carry deletions down every foreign key until nothing changes."""
    changed = True
    while changed:
        changed = False
        for table in metadata.sorted_tables:
            rows = world.batch.rows(table.name)
            if not rows:
                continue
            for key in table.foreign_keys:
                parents = world.batch.rows(key.column.table.name)
                column = key.parent.name
                if not parents or column not in rows or np.isnat(parents["deleted_at"]).all():
                    continue
                dead = np.flatnonzero(~np.isnat(parents["deleted_at"]))
                order = dead[np.argsort(parents["id"][dead], kind="stable")]
                keys = parents["id"][order]
                place = np.minimum(np.searchsorted(keys, rows[column]), len(keys) - 1)
                hit = (keys[place] == rows[column]) & (rows[column] != NONE) & np.isnat(rows["deleted_at"])
                if hit.any():
                    _mark(rows, hit, parents["deleted_at"][order][place])
                    changed = True
    _delete_feature_values(world)


def _delete_feature_values(world: World) -> None:
    """Delete the features of deleted customers: they point at them without a foreign key."""
    customers, values, features = (world.batch.rows(t) for t in ("customer", "feature_value", "feature"))
    if not customers or not values or not features:
        return
    dead = ~np.isnat(customers["deleted_at"])
    about_customers = features["id"][features["entity"] == "customer"]
    hit = np.isin(values["entity_id"], customers["id"][dead]) & np.isin(values["feature_id"], about_customers)
    moment = dict(zip(customers["id"][dead].tolist(), customers["deleted_at"][dead], strict=True))
    moments = values["created_at"].copy()
    moments[hit] = [moment[key] for key in values["entity_id"][hit].tolist()]
    _mark(values, hit, moments)
