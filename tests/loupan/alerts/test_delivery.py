"""From a failed refresh to the message in a real mailbox and at a real webhook, and what goes wrong on the way."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from loupan.alerts import Kind, check, last_checked, open_alerts, recent_alerts
from loupan.alerts.config import config_path
from loupan.alerts.incident import read_state, state_path
from loupan.errors import LoupanError
from loupan.refresh_state import RefreshState, write_state
from loupan.settings import Settings, get_settings
from loupan.snapshot import publish
from tests.loupan.conftest import Built
from tests.support.command import Command
from tests.support.receivers import PASSWORD, USER, Webhook, free_port, mail_server, webhook

NOW = dt.datetime(2026, 6, 30, 2, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def settings() -> Settings:
    get_settings().data_dir.mkdir(parents=True)
    return get_settings()


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as server:
        yield server


def configure(settings: Settings, *recipients: str, rules: str = "metrics = []\nsettle_minutes = 0") -> None:
    config_path(settings).write_text("\n".join((*recipients, "[rules]", rules)), encoding="utf-8")


def recipient(name: str, address: str, more: str = "") -> str:
    return f'[[recipient]]\nname = "{name}"\naddress = "{address}"\n{more}'


def fail(settings: Settings, number: int = 1, error: str = "the disk is full") -> None:
    at = (NOW - dt.timedelta(minutes=10)).isoformat()
    write_state(settings, RefreshState(str(number), at, "error", at, error=error))


def succeed(settings: Settings, number: int = 9) -> None:
    write_state(settings, RefreshState(str(number), NOW.isoformat(), "published", NOW.isoformat()))


def environment(settings: Settings, **more: str) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPAN_")}
    return own | {"LOUPAN_DATA_DIR": str(settings.data_dir)} | more


def run(settings: Settings, *arguments: str, **more: str) -> tuple[int | None, str, str]:
    command = Command(["alerts", *arguments], environment(settings, **more))
    out, err = command.communicate()
    return command.returncode, out, err


def test_it_is_told_by_mail_and_webhook_in_two_languages_and_so_is_the_end(
    settings: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    with mail_server(password=True) as mails:
        configure(
            settings,
            recipient(
                "data team",
                f"mailto://{USER}:${{MAIL_PASSWORD}}@localhost:{mails.port}?from=loupan@example.com&to=data@example.com",
            ),
            recipient("值班", hook.address, 'language = "zh"\n'),
        )
        fail(settings)
        report = check(settings, NOW)
        assert [(delivery.recipient, delivery.error) for delivery in report.deliveries] == [
            ("data team", None), ("值班", None),
        ]  # fmt: skip
        succeed(settings)
        check(settings, NOW + MINUTE)
        check(settings, NOW + 2 * MINUTE)
    first, second = mails.mails
    assert first["subject"] == "Loupan: The refresh failed"
    assert second["subject"] == "Loupan: Refreshes come to their end again"
    body = first.get_body()
    assert body is not None
    assert body.get_content().splitlines() == [
        "New (warning): The refresh failed",
        "Since 30 Jun 2026, 09:50.",
        "It said: the disk is full",
        "Nothing is published yet.",
        "Next: `loupan status` and the page Data status say what went wrong; `loupan refresh` tries again.",
        "",
        "Sent 30 Jun 2026, 10:00.",
    ]
    assert [post["title"] for post in hook.posts] == ["Loupan：数据刷新失败", "Loupan：数据刷新已能正常完成"]
    assert "新告警（警告）：数据刷新失败" in hook.posts[0]["message"]
    assert "持续时间：2026年6月30日 09:50至2026年6月30日 10:01。" in hook.posts[1]["message"]
    assert open_alerts(settings) == ()
    (over,) = recent_alerts(settings, 5, "zh")
    assert (over.kind, over.headline, over.closed_at) == (Kind.REFRESH_FAILED, "数据刷新失败", NOW + MINUTE)
    assert last_checked(settings) == NOW + 2 * MINUTE


def test_several_things_come_in_one_message(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    rows, quarantined = {"lead": 900, "deal": 90}, {"lead": 100, "deal": 10}
    write_state(
        settings,
        RefreshState("1", NOW.isoformat(), "refused", None, None, None, ["lead: bad"], None, [], rows, quarantined),
    )
    check(settings, NOW)
    (post,) = hook.posts
    assert post["title"].endswith("(and 2 more)")
    assert [line for line in post["message"].splitlines() if line.startswith("New")] == [
        "New (warning): Publishing was refused",
        "New (warning): Table deal: too many rows in quarantine",
        "New (warning): Table lead: too many rows in quarantine",
    ]
    assert "100 of 1,000 rows lie in quarantine; publishing is refused beyond 20 (2.0%)." in post["message"]
    assert "- lead: bad" in post["message"]


def test_who_wants_less_is_told_less(settings: Settings, hook: Webhook) -> None:
    configure(
        settings,
        recipient("urgent", f"{hook.address}/urgent", 'least_severity = "urgent"\n'),
        recipient("kinds", f"{hook.address}/kinds", 'kinds = ["stale_data"]\n'),
        recipient("all", f"{hook.address}/all"),
    )
    fail(settings)
    check(settings, NOW)
    assert hook.paths == ["/hook/all"]
    configure(
        settings,
        recipient("urgent", f"{hook.address}/urgent", 'least_severity = "urgent"\n'),
        rules='metrics = []\n[severity]\nrefresh_failed = "urgent"',
    )
    # It matters more now, and who is named since is told as well.
    check(settings, NOW + MINUTE)
    assert hook.paths == ["/hook/all", "/hook/urgent"]


def test_what_a_server_does_not_take_is_kept_and_sent_when_it_does(settings: Settings, hook: Webhook) -> None:
    hook.status = 500
    configure(settings, recipient("down", hook.address), recipient("nobody", f"json://127.0.0.1:{free_port()}/x"))
    fail(settings)
    report = check(settings, NOW)
    errors = {delivery.recipient: delivery.error for delivery in report.deliveries}
    assert "HTTP status 500" in str(errors["down"])
    assert "nothing listens there" in str(errors["nobody"])
    (alert,) = report.open
    assert alert.waiting == ("down", "nobody")
    # Before a minute is over nothing is tried; it is over by the time the server takes messages again.
    assert check(settings, NOW + MINUTE / 2).deliveries == ()
    succeed(settings)
    hook.status = 200
    check(settings, NOW + MINUTE)
    assert [post["title"] for post in hook.posts] == ["Loupan: The refresh failed"]
    assert "Was so, and is over" in hook.posts[0]["message"]


def test_others_hear_of_a_recipient_that_cannot_be_reached(settings: Settings, hook: Webhook) -> None:
    with webhook() as down:
        down.status = 503
        configure(settings, recipient("down", down.address), recipient("other", hook.address))
        fail(settings)
        for minute in range(0, 70, 5):
            check(settings, NOW + minute * MINUTE)
        assert [post["title"] for post in hook.posts] == [
            "Loupan: The refresh failed", "Loupan: Messages do not reach down",
        ]  # fmt: skip
        assert "HTTP status 503" in hook.posts[1]["message"]
        down.status = 200
        for minute in range(70, 140, 5):
            check(settings, NOW + minute * MINUTE)
        assert hook.posts[2]["title"] == "Loupan: Messages reach down again"
        # It hears what it missed, and not of itself.
        assert [post["message"].count("down") for post in down.posts] == [0] * len(down.posts)
        assert down.posts[0]["message"].startswith("New (warning): The refresh failed")


def test_two_evaluators_send_once(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    fail(settings)
    commands = [Command(["alerts", "check"], environment(settings)) for _ in range(4)]
    for command in commands:
        command.wait(60)
    assert [command.returncode for command in commands] == [3] * 4
    assert len(hook.posts) == 1


def test_who_is_busy_is_not_waited_for_by_the_sensor(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    fail(settings)
    hook.may_answer.clear()
    command = Command(["alerts", "check"], environment(settings))
    wait_for(hook)
    assert check(settings, NOW).is_busy
    hook.may_answer.set()
    assert command.wait(30) == 3


def test_a_process_killed_while_it_sends_repeats_itself_once(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    fail(settings)
    hook.may_answer.clear()
    command = Command(["alerts", "check"], environment(settings))
    wait_for(hook)
    command.send_signal(signal.SIGKILL)
    command.wait(30)
    hook.may_answer.set()
    for _ in range(3):
        assert run(settings, "check")[0] == 3
    assert [post["title"] for post in hook.posts] == ["Loupan: The refresh failed"] * 2


def wait_for(hook: Webhook) -> None:
    deadline = time.monotonic() + 30
    while not hook.posts:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_secret_and_nobody_is_told_or_written(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", f"json://user:geheim@127.0.0.1:{hook.port}/T0KEN"))
    fail(settings, error="Could not convert string '张三 13800138000'\nat postgresql://crm:geheim@db")
    hook.status = 500
    code, out, err = run(settings, "check")
    assert code == 1
    hook.status = 200
    check(settings, dt.datetime.now(dt.UTC) + dt.timedelta(hours=2))
    told = json.dumps(hook.posts, ensure_ascii=False)
    assert "Could not convert string …" in told
    for secret in ("geheim", "T0KEN", "张三", "1380013"):
        assert secret not in out + err + told + state_path(settings).read_text(encoding="utf-8")


def test_a_damaged_memory_is_put_aside_and_told_anew(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    fail(settings)
    check(settings, NOW)
    state_path(settings).write_text('{"incidents": [{"kind"')
    # Who only looks changes nothing.
    assert open_alerts(settings) == ()
    assert state_path(settings).exists()
    check(settings, NOW + MINUTE)
    assert len(hook.posts) == 2
    assert state_path(settings).with_suffix(".damaged").exists()
    check(settings, NOW + 2 * MINUTE)
    assert len(hook.posts) == 2


def test_where_nothing_can_be_remembered_nothing_is_sent(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address))
    fail(settings)
    blocked = state_path(settings)
    blocked.mkdir()
    with pytest.raises(LoupanError, match=r"alerts_state.json cannot be read"):
        check(settings, NOW)
    assert hook.posts == []
    blocked.rmdir()
    check(settings, NOW + MINUTE)
    assert len(hook.posts) == 1


def test_a_day_without_a_refresh(settings: Settings, hook: Webhook, mini: Built) -> None:
    """24 simulated hours: what was promised is over after 26 hours, told once, and once that it is fresh again."""
    configure(settings, recipient("a", hook.address))

    def published(as_of: dt.datetime) -> None:
        publish(settings, mini.warehouse_path, mini.semantic_manifest_path, {"as_of": as_of.isoformat()})

    published(NOW)
    for quarter in range(4 * 20, 4 * 44):
        now = NOW + quarter * 15 * MINUTE
        if quarter == 4 * 35:
            published(now)
        check(settings, now)
    assert [post["message"].splitlines()[0] for post in hook.posts] == [
        "New (urgent): Published data is older than promised",
        "Still so (urgent): Published data is older than promised",
        "Over: Published data is fresh again",
    ]
    assert "Readers see data as of 1 Jul 2026, 21:00." in hook.posts[2]["message"]


def test_a_full_disk_is_told_of_once(hook: Webhook, small_disk: Path) -> None:
    settings = Settings(data_dir=small_disk)
    configure(settings, recipient("a", hook.address))
    fail(settings)
    succeed(settings)
    check(settings, NOW)
    fail(settings, 2)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "large").write_bytes(b"x" * 2**21)
    for minute in range(1, 4):
        assert check(settings, NOW + minute * MINUTE).deliveries == () or minute == 1
    assert [post["title"] for post in hook.posts] == ["Loupan: The refresh failed"]
    assert [alert.kind for alert in open_alerts(settings)] == [Kind.REFRESH_FAILED]
    # With no memory at all nothing is sent, and no half of a file is left.
    state_path(settings).unlink()
    (small_disk / "rest").write_bytes(b"x" * 4096 * 15)
    with pytest.raises(LoupanError, match="Nothing is sent before that is mended"):
        check(settings, NOW + 5 * MINUTE)
    assert len(hook.posts) == 1
    assert {path.name for path in small_disk.glob("alerts_state*")} == set()


def test_an_unusable_file_is_told_and_what_is_wrong_is_remembered(settings: Settings) -> None:
    config_path(settings).write_text("recipient = 1\n")
    fail(settings)
    code, out, err = run(settings, "check")
    assert (code, out) == (1, "")
    assert "line 1, recipient" in err
    assert [alert.kind for alert in open_alerts(settings)] == [Kind.REFRESH_FAILED]


def test_the_command(settings: Settings, hook: Webhook, tmp_path: Path) -> None:
    code, out, err = run(settings, "list")
    assert (code, "Never evaluated" in err) == (0, True)
    code, out, _ = run(settings, "check")
    assert (code, out) == (0, "Nothing is wrong.\n")
    fail(settings)
    code, out, _ = run(settings, "check")
    assert (code, out.splitlines()[0]) == (3, "warning: The refresh failed")
    code, out, _ = run(settings, "list", "--format", "json")
    (row,) = json.loads(out)
    assert (row["state"], row["kind"], row["waiting"]) == ("open", "refresh_failed", None)
    code, _, err = run(settings, "test")
    assert (code, "`loupan alerts example` prints one" in err) == (1, True)
    code, out, _ = run(settings, "example", PASSWORD="x")
    assert (code, out.startswith("# Who is told")) == (0, True)
    configure(settings, recipient("good", hook.address), recipient("bad", f"json://127.0.0.1:{free_port()}/x"))
    code, out, err = run(settings, "test")
    assert (code, out) == (1, "good: taken.\n")
    assert err == "bad: json://127.0.0.1 did not take the message: nothing listens there; check host and port.\n"
    assert run(settings, "test", "good")[:2] == (0, "good: taken.\n")
    assert "names 'good', 'bad'" in run(settings, "test", "goood")[2]
    assert [post["title"] for post in hook.posts] == ["Loupan: a test message"] * 2


def test_a_clock_that_was_set_back_holds_nothing_up(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address, "most_per_hour = 1\n"), rules="metrics = []\nreminder_hours = [1]")
    fail(settings)
    check(settings, NOW)
    back = NOW - dt.timedelta(days=300)
    check(settings, back)
    check(settings, back + 61 * MINUTE)
    assert [post["message"].splitlines()[0] for post in hook.posts] == [
        "New (warning): The refresh failed", "Still so (warning): The refresh failed",
    ]  # fmt: skip


def test_beyond_the_most_per_hour_messages_are_gathered(settings: Settings, hook: Webhook) -> None:
    configure(settings, recipient("a", hook.address, "most_per_hour = 2\n"))
    for minute in range(0, 12, 2):
        fail(settings, minute + 1)
        check(settings, NOW + minute * MINUTE)
        succeed(settings, minute + 100)
        check(settings, NOW + (minute + 1) * MINUTE)
    assert len(hook.posts) == 2
    check(settings, NOW + 61 * MINUTE)
    assert len(hook.posts) == 3
    lines = hook.posts[2]["message"].splitlines()
    assert lines[0] == "Gathered: at most 2 messages an hour are sent to you."
    assert sum(line.startswith("Was so, and is over") for line in lines) == 5
    assert read_state(settings).mailboxes["a"].is_gathering is False
