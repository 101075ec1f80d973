"""Reports are sent by real SMTP, each once, and what goes wrong with one keeps no other from its own."""

from __future__ import annotations

import email
import json
import os
import shutil
from datetime import UTC, datetime

import dagster as dg
import pytest

from dashboards.report.compose import ReportError
from dashboards.report.deliver import deliver
from dashboards.report.recipients import read_recipients
from data_entry.database import create_engine_for
from loupan.notify import send
from loupan.settings import get_settings
from pipelines.crm_jobs import REPORT
from tests.dashboards.report.documents import read
from tests.support.command import Command
from tests.support.installation import sample_installation
from tests.support.receivers import mail_server

NOW = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
BOARD = """
company = "滨海置地集团"
[[recipient]]
name = "board"
login = "executive"
to = "mailto://127.0.0.1:{port}?from=reports@example.com&to=board@example.com&mode=insecure"
language = "zh"
"""
SERVICE = """
[[recipient]]
name = "service"
login = "service"
to = "mailto://127.0.0.1:{port}?from=reports@example.com&to=service@example.com&mode=insecure"
language = "en"
period = "quarter"
"""
NOBODY = """
[[recipient]]
name = "caller"
login = "sales"
to = "mailto://127.0.0.1:{port}?from=reports@example.com&to=caller@example.com&mode=insecure"
"""


@pytest.fixture
def installed(tmp_path, use):
    """A copy of the sample company, read by this process too."""
    folder = tmp_path / "copy"
    shutil.copytree(sample_installation(), folder)
    use(folder)
    return folder


def write(folder, text, port):
    (folder / "reports.toml").write_text(text.replace("{port}", str(port)), encoding="utf-8")


def delivered(now=NOW, **more):
    settings = get_settings()
    engine = create_engine_for(settings.crm_database_url)
    try:
        return deliver(engine, settings, read_recipients(settings), now, **more)
    finally:
        engine.dispose()


def parts_of(mail):
    return {part.get_content_type(): part for part in mail.walk()}


@pytest.mark.slow
def test_the_command_sends_html_and_pdf_to_each_once(installed):
    with mail_server() as box:
        write(installed, BOARD + SERVICE + NOBODY, box.port)
        environment = {n: v for n, v in os.environ.items() if not n.startswith("LOUPAN_")}
        command = Command(["report", "send"], environment | {"LOUPAN_DATA_DIR": str(installed)})
        out, err = command.communicate(timeout=300)
        assert command.returncode == 1
        assert "board was sent the report 2026-06." in out
        assert "service was sent the report 2026-Q2." in out
        assert "caller got no report: The account sales may open none of the pages" in err
        assert delivered(to=["board", "service"]) != []
    board, service = box.mails
    assert (board["to"], board["subject"]) == ("board@example.com", "滨海置地集团 2026年6月经营月报")
    assert service["to"] == "service@example.com"
    for mail, language, name in (
        (board, "zh-CN", "loupan-report-2026-06-zh.pdf"),
        (service, "en-GB", "loupan-report-2026-Q2-en.pdf"),
    ):
        parts = parts_of(mail)
        assert f'<html lang="{language}">' in parts["text/html"].get_content()
        assert parts["application/pdf"].get_filename() == name
        # As old mail programs read it, which take an encoded header for no header.
        older = parts_of(email.message_from_bytes(mail.as_bytes()))
        assert older["application/pdf"].get_filename() == name
        document = read(parts["application/pdf"].get_content())
        assert document.title in mail["subject"]
        assert 2 <= len(document.pages) <= 6
    html = parts_of(board)["text/html"].get_content()
    assert "签约金额" in html
    assert "变化及原因" in html
    assert "需要决策的事项" in html
    known = json.loads((installed / "reports_sent.json").read_text())
    assert [(one["recipient"], one["period"]) for one in known] == [("board", "2026-06"), ("service", "2026-Q2")]


@pytest.mark.slow
def test_what_was_sent_is_sent_again_only_when_told(installed):
    with mail_server() as box:
        write(installed, SERVICE, box.port)
        assert [o.told for o in delivered()] == ["was sent the report 2026-Q2."]
        (again,) = delivered()
        assert (again.is_failure, len(box.mails)) == (False, 1)
        assert "--force" in again.told
        # Months later, with the same data: nobody may think that all is well.
        (late,) = delivered(datetime(2026, 11, 2, tzinfo=UTC))
        assert (late.is_failure, len(box.mails)) == (True, 1)
        assert "reach no later period" in late.told
        delivered(to=["service"], force=True)
        assert len(box.mails) == 2
        assert len(json.loads((installed / "reports_sent.json").read_text())) == 1


@pytest.mark.slow
def test_what_could_not_be_sent_is_sent_the_next_time(installed):
    with mail_server() as box:
        box.answer = "451 Try again later"
        write(installed, SERVICE, box.port)
        (failed,) = delivered()
        assert failed.is_failure
        assert "mailto://127.0.0.1 did not take the message" in failed.told
        assert not (installed / "reports_sent.json").exists()
        box.answer = "250 OK"
        (sent,) = delivered()
        assert not sent.is_failure
    assert len(box.mails) == 1


@pytest.mark.slow
def test_a_crash_makes_a_report_come_twice_at_most(installed):
    def killed(url, message):
        send(url, message)
        raise KeyboardInterrupt

    with mail_server() as box:
        write(installed, SERVICE, box.port)
        with pytest.raises(KeyboardInterrupt):
            delivered(take=killed)
        delivered()
        delivered()
    assert len(box.mails) == 2


@pytest.mark.slow
def test_one_that_fails_for_whatever_reason_keeps_no_other_from_its_own(installed):
    def broken(url, message):
        if "board@" in url:
            raise RuntimeError(url)
        send(url, message)

    with mail_server() as box:
        write(installed, BOARD.replace("executive", "service") + SERVICE, box.port)
        first, second = delivered(take=broken)
    assert first.is_failure
    assert first.told == "got no report: RuntimeError; the log says more."
    assert not second.is_failure
    assert len(box.mails) == 1


def test_a_damaged_record_stops_before_anything_is_sent(tmp_path):
    settings = get_settings()
    settings.data_dir.mkdir(parents=True)
    write(settings.data_dir, SERVICE, 1)
    (settings.data_dir / "reports_sent.json").write_text('[{"recipient": "serv')
    with pytest.raises(ReportError, match=r"reports_sent\.json.*once more"):
        delivered(take=lambda *_: pytest.fail("sent"))
    assert (settings.data_dir / "reports_sent.json").read_text() == '[{"recipient": "serv'


def test_an_unknown_name_is_told_with_those_that_are_known():
    settings = get_settings()
    settings.data_dir.mkdir(parents=True)
    write(settings.data_dir, SERVICE, 1)
    with pytest.raises(ReportError, match="no recipient 'bord'; there are service"):
        delivered(to=["bord"])
    write(settings.data_dir, "", 1)
    with pytest.raises(ReportError, match="names none"):
        delivered()


def test_the_scheduled_job_is_content_where_nobody_gets_reports():
    with dg.DagsterInstance.ephemeral() as instance:
        assert REPORT.execute_in_process(instance=instance).success


def test_the_scheduled_job_fails_with_the_words_of_the_command():
    data_dir = get_settings().data_dir
    data_dir.mkdir(parents=True)
    (data_dir / "reports.toml").write_text("recipient = 1")
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.Failure, match=r"reports\.toml cannot be used"):
        REPORT.execute_in_process(instance=instance)
