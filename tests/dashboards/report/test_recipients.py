"""The file of the recipients: what it may say, and what is said of what it may not."""

from __future__ import annotations

import pytest

from dashboards.report.compose import ReportError
from dashboards.report.recipients import EXAMPLE, read_recipients
from loupan.settings import get_settings

ONE = """
[[recipient]]
name = "board"
login = "executive"
to = "mailto://user:geheim@localhost?to=board@example.com"
"""


def read(text):
    settings = get_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    (settings.data_dir / "reports.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_recipients(settings)


def test_the_example_can_be_used(monkeypatch):
    monkeypatch.setenv("REPORT_PASSWORD", "geheim")
    found = read(EXAMPLE)
    (board,) = found.recipient
    assert (board.name, board.login, board.language, board.period) == ("board", "executive", "zh", "month")
    assert ":geheim@smtp.example.com" in board.to.get_secret_value()
    assert "geheim" not in repr(found)


def test_a_password_may_hold_any_character(monkeypatch):
    monkeypatch.setenv("REPORT_PASSWORD", "a/b@c:d")
    (board,) = read(EXAMPLE).recipient
    assert ":a%2Fb%40c%3Ad@smtp.example.com" in board.to.get_secret_value()


def test_without_a_file_it_says_how_to_make_one():
    with pytest.raises(ReportError, match=r"reports\.toml is missing.*loupan report example"):
        read_recipients(get_settings())


def test_a_mark_in_front_is_no_harm():
    assert len(read(b"\xef\xbb\xbf" + ONE.encode()).recipient) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[recipient]\n", "no TOML.*line 1"),
        (b'name = "\xff"', "not UTF-8"),
        (ONE + 'langage = "en"\n', r"recipient\.1\.langage"),
        (ONE + 'language = "fr"\n', r"recipient\.1\.language: .*'en' or 'zh'"),
        (ONE + 'period = "year"\n', r"recipient\.1\.period: .*'month'"),
        (ONE.replace('login = "executive"\n', ""), r"recipient\.1\.login: Field required"),
        (ONE + ONE, "the name 'board' stands there twice"),
        ("stale_after_hours = 36", "stale_after_hours: Extra inputs"),
        (ONE.replace("geheim", "${NO_SUCH_THING}"), "variables that are not set: NO_SUCH_THING"),
        (ONE.replace("mailto://", "carrierpigeon://"), r"recipient\.1\.to: carrierpigeon://.* is no address"),
    ],
)
def test_each_slip_is_named_with_its_place_and_no_password(text, said):
    with pytest.raises(ReportError, match=said) as caught:
        read(text)
    assert "reports.toml" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_secret_of_the_environment_stays_out_of_messages(monkeypatch):
    monkeypatch.setenv("REPORT_PASSWORD", "tiefgeheim")
    with pytest.raises(ReportError) as caught:
        read(ONE.replace("mailto://user:geheim@localhost", "nothing://user:${REPORT_PASSWORD}@localhost"))
    assert "tiefgeheim" not in str(caught.value)
