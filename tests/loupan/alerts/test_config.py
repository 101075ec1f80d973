"""``alerts.toml``: what it takes, and what is said of what it does not."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest

from loupan.alerts import AlertsError, Kind, Severity, read_config
from loupan.alerts.config import config_path, example
from loupan.settings import Settings, get_settings

ADDRESS = "jsons://chat.example.com/hook"


@pytest.fixture
def settings() -> Settings:
    get_settings().data_dir.mkdir(parents=True)
    return get_settings()


def write(settings: Settings, text: str) -> None:
    config_path(settings).write_text(text, encoding="utf-8")


def refused(settings: Settings, text: str) -> str:
    write(settings, text)
    with pytest.raises(AlertsError) as error:
        read_config(settings)
    assert str(config_path(settings)) in str(error.value)
    assert "`loupan alerts example`" in str(error.value) or "UTF-8" in str(error.value)
    return str(error.value)


def test_without_a_file_nobody_is_told(settings: Settings) -> None:
    config = read_config(settings)
    assert config.recipient == ()
    assert config.severity_of(Kind.STALE_DATA) == Severity.URGENT


def test_the_example_can_be_used_as_it_stands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    write(settings, example(settings))
    with pytest.raises(AlertsError, match=r"line \d+, recipient.address: takes \$\{SMTP_PASSWORD\} from the environ"):
        read_config(settings)
    monkeypatch.setenv("SMTP_PASSWORD", "p@ss/ w:rd")
    (recipient,) = read_config(settings).recipient
    assert recipient.address.get_secret_value().startswith("mailtos://user:p%40ss%2F%20w%3Ard@smtp.example.com?")
    assert recipient.quiet_hours == (dt.time(22), dt.time(8))
    # What is commented out can be used as well.
    monkeypatch.setenv("CHAT_HOOK", ADDRESS)
    text = example(settings)
    for line in text.splitlines():
        if line.startswith("# ") and (" = " in line or line.startswith("# [[")) and "${" not in line.split(" = ")[0]:
            text = text.replace(line, line.removeprefix("# "))
    write(settings, text)
    config = read_config(settings)
    assert [recipient.name for recipient in config.recipient] == ["data team", "on duty"]
    assert config.recipient[1].address.get_secret_value() == ADDRESS
    assert set(config.severity) == set(Kind)


def test_secrets_may_stand_in_env_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("working")
    (folder / ".env").write_text("HOOK=jsons://chat.example.com/secret\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    write(settings, '[[recipient]]\nname = "a"\naddress = "${HOOK}"\n')
    (recipient,) = read_config(settings).recipient
    assert recipient.address.get_secret_value() == "jsons://chat.example.com/secret"
    assert "secret" not in repr(recipient)


GOOD = f'[[recipient]]\nname = "a"\naddress = "{ADDRESS}"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[recipient]]\nname = "a"\n', "line 1, recipient.address: is missing"),
        (GOOD + 'adress = "x"\n', "line 4, recipient.adress: is unknown"),
        (GOOD + GOOD, "two are called 'a'"),
        (GOOD + f'[[recipient]]\naddress = "{ADDRESS}"\nname = ""\n', "line 6, recipient.name: string should have"),
        (GOOD + 'language = "de"\n', "line 4, recipient.language: input should be 'en' or 'zh'"),
        (GOOD + 'kinds = ["stale_data", "bad"]\n', "line 4, recipient.kinds: input should be 'refresh_failed'"),
        (GOOD + 'quiet_hours = "22-8"\n', "line 4, recipient.quiet_hours: is no time of the day; write it as"),
        (GOOD + 'quiet_hours = "08:00-08:00"\n', "line 4, recipient.quiet_hours: is no time of the day"),
        (GOOD + 'quiet_hours = "25:00-08:00"\n', "is no time of the day"),
        (GOOD + "most_per_hour = 0\n", "line 4, recipient.most_per_hour: input should be greater than or equal to 1"),
        (GOOD + "[rules]\nreminder_hours = [24, 4]\n", "line 5, rules.reminder_hours: must grow"),
        (GOOD + "[rules]\n\nsettle_minutes = -1\n", "line 6, rules.settle_minutes: input should be greater"),
        (GOOD + "[rules]\nmetric_period = 'day'\n", "line 5, rules.metric_period: input should be 'week', 'month'"),
        (GOOD + "[severity]\nstale_data = 'high'\n", "line 5, severity.stale_data: input should be 'notice'"),
        (GOOD + "[severity]\nstale = 'urgent'\n", "line 5, severity.stale: input should be 'refresh_failed'"),
        (GOOD + "[ruels]\n", "line 4, ruels: is unknown"),
        ("recipient = 3\n", "line 1, recipient: input should be a valid tuple"),
        ("recipient = [3]\n", "line 1, recipient: input should be a valid dict"),
        ('[[recipient]]\nname = "a"\naddress = 3\n', "line 3, recipient.address: input should be a valid string"),
        ("[[recipient]\n", "is no TOML: .*line 1"),
        ("name = 'a", "is no TOML: Expected"),
    ],
)
def test_what_cannot_be_used_is_named_by_line_and_field(settings: Settings, text: str, told: str) -> None:
    assert re.search(told.replace("(", r"\("), refused(settings, text))


@pytest.mark.parametrize("address", ["geheim", "mailto://geheim@", "foo://user:geheim@example.com", ""])
def test_an_address_is_never_repeated(settings: Settings, address: str) -> None:
    said = refused(settings, f'[[recipient]]\nname = "a"\n# its address\naddress = "{address}"\n')
    assert "line 4, recipient.address: is not usable" in said
    assert "geheim" not in said


def test_several_problems_are_told_at_once(settings: Settings) -> None:
    said = refused(settings, GOOD + 'langage = "en"\nmost_per_hour = 99\n[rules]\nquarantine_near = 2\n')
    assert all(field in said for field in ("line 4, recipient.langage", "line 5, recipient.most", "line 7, rules.quar"))


def test_a_file_of_another_encoding(settings: Settings) -> None:
    config_path(settings).write_bytes(GOOD.encode() + 'name2 = "数"\n'.encode("gbk"))
    with pytest.raises(AlertsError, match="line 4 is not UTF-8"):
        read_config(settings)
    write(settings, "\ufeff" + GOOD)
    assert len(read_config(settings).recipient) == 1


@pytest.mark.parametrize(
    ("hours", "quiet", "awake"),
    [
        ("22:00-08:00", ["22:00", "23:59", "00:00", "07:59"], ["08:00", "21:59"]),
        ("12:00-13:30", ["12:00", "13:29"], ["11:59", "13:30", "00:00"]),
    ],
)
def test_quiet_hours(settings: Settings, hours: str, quiet: list[str], awake: list[str]) -> None:
    write(settings, GOOD + f'quiet_hours = "{hours}"\n')
    (recipient,) = read_config(settings).recipient

    def is_quiet(clock: str) -> bool:
        return recipient.is_quiet(dt.datetime.fromisoformat(f"2026-03-02T{clock}").replace(tzinfo=ZoneInfo("UTC")))

    assert [is_quiet(clock) for clock in quiet] == [True] * len(quiet)
    assert [is_quiet(clock) for clock in awake] == [False] * len(awake)
