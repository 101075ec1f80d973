"""Messages reach real servers; what fails is told by kind, without what is secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from loupan.notify import Message, NotAnswered, NotifyError, check_address, described, send
from tests.support.receivers import (
    PASSWORD,
    USER,
    free_port,
    mail_server,
    self_signed,
    silent_server,
    webhook,
)

MESSAGE = Message("数据 stale", "Published data is 30 h old.\nReaders see 2026-06-30.")
SECRET = quote(PASSWORD, safe="")


def mail(port: int, *, login: str = "", kind: str = "mailto", more: str = "") -> str:
    return f"{kind}://{login}localhost:{port}?from=loupan@example.com&to=data@example.com&smtp=localhost{more}"


def test_mail_arrives_with_its_attachment(tmp_path: Path) -> None:
    attached = tmp_path / "report.csv"
    attached.write_text("a,b\n1,2\n")
    with mail_server() as server:
        send(mail(server.port), Message(MESSAGE.title, MESSAGE.text, attachments=[attached]))
    (found,) = server.mails
    assert found["subject"] == MESSAGE.title
    assert server.recipients == [["data@example.com"]]
    body = found.get_body()
    assert body is not None
    assert body.get_content().splitlines() == MESSAGE.text.splitlines()
    assert [(part.get_filename(), part.get_content()) for part in found.iter_attachments()] == [
        ("report.csv", "a,b\n1,2\n")
    ]


def test_mail_may_be_html() -> None:
    with mail_server() as server:
        send(mail(server.port), Message("Report", "plain", html="<p>one &amp; two</p>"))
    body = server.mails[0].get_body(("html",))
    assert body is not None
    assert "<p>one &amp; two</p>" in body.get_content()


def test_mail_to_a_server_that_wants_a_password() -> None:
    with mail_server(password=True) as server:
        send(mail(server.port, login=f"{USER}:{SECRET}@"), MESSAGE)
        assert len(server.mails) == 1
        with pytest.raises(NotifyError, match="refused user, password or token") as refused:
            send(mail(server.port, login=f"{USER}:wrong@"), MESSAGE)
        assert len(server.mails) == 1
    assert "wrong" not in str(refused.value)


def test_mail_over_tls_wants_a_certificate_that_can_be_trusted(tmp_path: Path) -> None:
    with mail_server(tls=self_signed(tmp_path / "server.pem")) as server:
        with pytest.raises(NotifyError, match=r"no safe connection \(TLS\)"):
            send(mail(server.port, kind="mailtos", more="&mode=ssl"), MESSAGE)
        assert server.mails == []
        send(mail(server.port, kind="mailtos", more="&mode=ssl&verify=no"), MESSAGE)
        assert len(server.mails) == 1


def test_a_server_that_refuses_the_mail() -> None:
    with mail_server() as server:
        server.answer = "554 Transaction failed"
        with pytest.raises(NotifyError, match="refused the sender's or the recipient's address"):
            send(mail(server.port), MESSAGE)


@pytest.mark.parametrize("kind", ["mailto", "json"])
def test_a_server_that_says_nothing(kind: str) -> None:
    with silent_server() as port, pytest.raises(NotAnswered, match="did not answer in time"):
        send(mail(port) if kind == "mailto" else f"json://127.0.0.1:{port}/hook", MESSAGE, timeout=1)


@pytest.mark.parametrize("kind", ["mailto", "json"])
def test_a_port_where_nothing_listens(kind: str) -> None:
    port = free_port()
    with pytest.raises(NotifyError, match="nothing listens there"):
        send(mail(port) if kind == "mailto" else f"json://127.0.0.1:{port}/hook", MESSAGE)


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(NotifyError, match="no host of that name"):
        send("json://nowhere.invalid/hook", MESSAGE)


def test_a_webhook_takes_the_message() -> None:
    with webhook() as server:
        send(f"{server.address}/T0KEN", MESSAGE)
    (post,) = server.posts
    assert (post["title"], post["message"]) == (MESSAGE.title, MESSAGE.text)
    assert server.paths == ["/hook/T0KEN"]


def test_a_chat_takes_the_message() -> None:
    with webhook() as server:
        send(f"mmost://127.0.0.1:{server.port}/3ccdd113474722377935511fc85d3dd4", MESSAGE)
    (post,) = server.posts
    assert MESSAGE.title in post["text"]
    assert MESSAGE.text in post["text"]
    # Nothing is fetched from elsewhere by whoever reads it.
    assert "github" not in str(post)


@pytest.mark.parametrize(
    ("status", "told"),
    [(500, "HTTP status 500"), (404, "HTTP status 404"), (401, "refused user, password or token"), (302, "302")],
)
def test_a_webhook_that_does_not_take_it(status: int, told: str) -> None:
    with webhook() as server:
        server.status = status
        with pytest.raises(NotifyError, match=told) as refused:
            send(f"json://user:{SECRET}@127.0.0.1:{server.port}/T0KEN", MESSAGE)
        # Asked once: a moved address is not followed.
        assert server.paths == ["/T0KEN"]
    assert "T0KEN" not in str(refused.value)


LOGGING = """
import logging, sys
logging.basicConfig(level=1)
from loupan.notify import Message, NotAnswered, NotifyError, send
for address in sys.argv[1:]:
    try:
        send(address, Message("title", "the text itself"), timeout=5)
        print("taken")
    except NotifyError as error:
        print(error)
"""


def test_nothing_secret_is_logged() -> None:
    """In a process of its own: pytest listens to loggers that keep to themselves as well."""
    with webhook() as failing, webhook() as taking:
        failing.status = 500
        addresses = [
            f"json://user:{SECRET}@127.0.0.1:{taking.port}/T0KEN",
            f"json://user:{SECRET}@127.0.0.1:{failing.port}/T0KEN",
            f"jsons://user:{SECRET}@127.0.0.1:{failing.port}/T0KEN",
            mail(free_port(), login=f"{USER}:{SECRET}@"),
            f"unknown://{SECRET}@T0KEN",
            f"slack://T0KEN/{SECRET}",
        ]
        done = subprocess.run(
            [sys.executable, "-c", LOGGING, *addresses], capture_output=True, text=True, timeout=60, check=True
        )
    told = done.stdout.splitlines()
    assert len(told) == len(addresses)
    assert told[0] == "taken"
    assert "taken" not in told[1:]
    for secret in ("geheim", "T0KEN", SECRET, "the text itself"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("mailto://u:p@smtp.example.com?to=a@example.com", "mailto://smtp.example.com"),
        ("JSON://u:p@[::1", "json://…"),
        ("slack://token/token", "slack://…"),
        ("token", "an address without a kind"),
        ("to ken://x", "an address without a kind"),
        ("", "an address without a kind"),
    ],
)
def test_addresses_are_named_without_secrets(address: str, name: str) -> None:
    assert described(address) == name


@pytest.mark.parametrize("address", ["", "nothing", "foo://bar", "mailto://", "json://"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(NotifyError, match=r"no address that messages can be sent to.*mailtos://"):
        check_address(address)
