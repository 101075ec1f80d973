"""Dagster's sensor evaluates and sends."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from loupan.refresh_state import RefreshState, write_state
from loupan.settings import get_settings
from pipelines.alerts import build_alerts_sensor
from tests.support.receivers import webhook


def test_the_sensor_tells_of_a_failed_refresh() -> None:
    settings = get_settings()
    at = dt.datetime.now(dt.UTC).isoformat()
    write_state(settings, RefreshState("1", at, "error", at, error="the disk is full"))
    with webhook() as hook, dg.DagsterInstance.ephemeral() as instance:
        (settings.data_dir / "alerts.toml").write_text(f'[[recipient]]\nname = "a"\naddress = "{hook.address}"\n')
        sensor = build_alerts_sensor(settings)
        said = [sensor(dg.build_sensor_context(instance=instance)) for _ in range(2)]
    assert [reason.skip_message for reason in said if isinstance(reason, dg.SkipReason)] == [
        "1 open, 1 of 1 messages taken.", "1 open, 0 of 0 messages taken.",
    ]  # fmt: skip
    assert [post["title"] for post in hook.posts] == ["Loupan: The refresh failed"]


def test_an_unusable_file_makes_the_tick_fail_with_its_message() -> None:
    settings = get_settings()
    settings.data_dir.mkdir(parents=True)
    (settings.data_dir / "alerts.toml").write_text("recipient = 1\n")
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(Exception, match="line 1, recipient"):
        build_alerts_sensor(settings)(dg.build_sensor_context(instance=instance))
