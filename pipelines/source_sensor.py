"""Refresh when the CRM has changed, once its users have paused for a moment."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import dagster as dg

from loupan.settings import Settings
from pipelines.contract import Contract
from pipelines.crm import LOOK_TIMEOUT_S, open_crm
from pipelines.errors import IngestError
from pipelines.schedules import run_config, waiting_refresh

NAME = "refresh_on_change"
INTERVAL_SECONDS = 60
# People type all day: after so long a refresh runs though nobody has paused.
PATIENCE = dt.timedelta(minutes=15)


def fingerprint(crm_url: str, contract: Contract) -> str:
    """Return a text that differs once a row of the CRM was written: of each table the newest cursor.

    Hard deletes stay unseen here; the next scheduled refresh finds them.

    Raises:
        IngestError: if the CRM cannot be read.
    """
    with open_crm(crm_url, LOOK_TIMEOUT_S) as crm:
        newest = crm.newest({table.name: table.cursor for table in contract.tables if table.cursor is not None})
    return hashlib.sha256(json.dumps(newest, sort_keys=True).encode()).hexdigest()


def decide(cursor: str | None, found: str, now: dt.datetime) -> tuple[str, str]:
    """Decide whether to refresh.

    Args:
        cursor: what the last look remembered, None at the first.
        found: the fingerprint of the CRM now.
        now: the present moment.

    Returns:
        What to remember, and why not to refresh; '' to refresh.
    """
    before: dict[str, Any] = json.loads(cursor) if cursor else {"refreshed": found}
    if found == before["refreshed"]:
        return json.dumps({"refreshed": found}), "Nothing was written since the last look."
    since = before.get("since") or now.isoformat()
    is_quiet = found == before.get("seen")
    if is_quiet or now - dt.datetime.fromisoformat(since) >= PATIENCE:
        return json.dumps({"refreshed": found}), ""
    return (
        json.dumps({"refreshed": before["refreshed"], "seen": found, "since": since}),
        "People are writing; it waits until they pause.",
    )


def build_source_sensor(
    refresh: dg.UnresolvedAssetJobDefinition, contract: Contract, settings: Settings
) -> dg.SensorDefinition:
    """Return the sensor; it is off until somebody turns it on."""

    @dg.sensor(
        name=NAME,
        job=refresh,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Loads the changed rows once the CRM was written to and its users have paused.",
    )
    def refresh_on_change(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            found = fingerprint(settings.crm_database_url, contract)
        except IngestError as error:
            return dg.SkipReason(str(error))
        cursor, why_not = decide(context.cursor, found, dt.datetime.now(dt.UTC))
        context.update_cursor(cursor)
        if why_not:
            return dg.SkipReason(why_not)
        waiting = waiting_refresh(context.instance, refresh.name, full=False)
        if waiting:
            return dg.SkipReason(f"Run {waiting} is waiting already, and will load what was written.")
        return dg.RunRequest(run_key=found, run_config=run_config(full=False))

    return refresh_on_change
