"""HAProxy in front of several processes that serve the web app: its configuration, and orders while it runs.

It leads all that one signed-in browser asks for to the same process, since an open page lives in that one's memory: by
the session, not by a cookie of its own, so that all tabs and files of a browser go one way and nobody can choose a
process.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from loupan.i18n import marked, translator
from loupan.web_worker import CLIENT_HEADER
from pipelines.service.place import Place, ServiceError

PROGRAM = "haproxy"
# Where Debian has it; it is not in everybody's PATH.
_FURTHER_PATHS = ("/usr/local/sbin", "/usr/sbin")
_BACKEND = "workers"
_ANSWER_SECONDS = 5.0
_STARTING = marked("Loupan is starting. This page tries again by itself.")
# Signs of its configuration are told apart by quotes; these end a line or a word whatever stands around them.
_UNSPEAKABLE = ("\n", "\r", "\0", '"')


def executable(processes: int) -> str:
    """Return the path of HAProxy.

    Args:
        processes: how many processes are to stand behind it, for the message.

    Raises:
        ServiceError: if it is not installed.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), *_FURTHER_PATHS])
    found = shutil.which(PROGRAM, path=path)
    if found is None:
        raise ServiceError(
            f"LOUPAN_WEB_PROCESSES={processes} needs HAProxy 2.6 or newer, which is not installed. Install it (Debian, "
            "Ubuntu: `apt install haproxy`), or set LOUPAN_WEB_PROCESSES=1."
        )
    return found


def _quoted(value: object) -> str:
    text = str(value)
    if any(sign in text for sign in _UNSPEAKABLE):
        raise ServiceError(f"{text!r} has signs that HAProxy's configuration cannot hold. Choose another folder.")
    return "'" + text.replace("'", "'\\''") + "'"


def configuration(
    place: Place, host: str, port: int, workers: Sequence[str], session_hours: int, *, is_to_terminal: bool = False
) -> str:
    """Return HAProxy's configuration.

    Args:
        place: where sockets are.
        host: address to listen on.
        port: TCP port to listen on.
        workers: names of the processes behind it.
        session_hours: how long a login lasts; so long its process is remembered.
        is_to_terminal: whether somebody looks on, for whom it need not tell the time.
    """
    # Of processes that come and go; requests are not logged: their addresses hold what people look for.
    log = "" if is_to_terminal else "log stdout format iso daemon notice"
    servers = "\n".join(f"    server {name} {_quoted(f'unix@{place.worker_socket(name)}')}" for name in workers)
    return f"""\
# Written at every start of the service.
global
    {log}
    stats socket {_quoted(f"unix@{place.balancer_socket}")} mode 600 level admin
    fd-hard-limit 20000
    tune.bufsize 32768

defaults
    mode http
    log global
    # A browser that says nothing, or half of a request, is not waited for; an open page keeps its websocket for hours.
    timeout connect 5s
    timeout client 65s
    timeout http-request 15s
    timeout http-keep-alive 65s
    timeout server 10m
    timeout tunnel 1h
    timeout check 10s

frontend web
    bind {_quoted(f"{'ipv6' if ':' in host else 'ipv4'}@{host}:{port}")}
    errorfile 503 {_quoted(place.starting_page)}
    # Who asks, whatever the request says of it.
    http-request set-header {CLIENT_HEADER} %[src]:%[src_port]
    default_backend {_BACKEND}

backend {_BACKEND}
    # The session alone is remembered, by its digest. Whose process dies, or is new here, goes where the digest points,
    # with all that is open in the browser, unless that one has much more to do than the others.
    http-request set-var(txn.session) req.cook(loupan_session)
    http-request set-var(txn.session) req.cook(__Host-loupan_session) if {{ req.cook(__Host-loupan_session) -m found }}
    http-request set-var(txn.session) var(txn.session),sha2(256),hex if {{ var(txn.session) -m len gt 0 }}
    stick-table type string len 64 size 100k expire {session_hours}h
    stick on var(txn.session)
    balance hash var(txn.session)
    hash-type consistent
    hash-balance-factor 130
    # A process that is gone refuses at once; another is asked then. What changes something is not asked for twice.
    option redispatch 1
    retries 3
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
    # A request never goes down a connection that the process may be about to close.
    option http-server-close
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    # A busy process answers late: it is given up after half a minute, one that does not listen within two seconds.
    default-server check inter 2s fastinter 500ms fall 3 rise 1
{servers}
"""


def starting_page() -> str:
    """Return the whole HTTP answer while no process can serve."""
    lines = "".join(f"<p>{translator(language)(_STARTING)}</p>" for language in ("en", "zh"))
    return (
        "HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 3\r\nConnection: close\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        '<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Loupan</title>'
        f"</head><body>{lines}</body></html>\n"
    )


def check(program: str, path: Path) -> None:
    """Let HAProxy read its configuration before it is started with it.

    Raises:
        ServiceError: if it does not accept it, with what it says.
    """
    done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        alerts = [line.partition(" : ")[2] for line in done.stderr.splitlines() if line.startswith("[ALERT]")]
        said = " ".join(" ".join(alerts or [done.stderr]).split()).removesuffix(".")
        raise ServiceError(f"HAProxy does not accept {path}: {said}. Loupan needs HAProxy 2.6 or newer.")


class Orders:
    """What a running HAProxy is told over its socket.

    Args:
        place: of what supervises it.
    """

    def __init__(self, place: Place) -> None:
        self._socket = place.balancer_socket

    def close(self, worker: str) -> None:
        """Lead nobody to a process any more; what goes on there may end."""
        self._tell(f"set server {_BACKEND}/{worker} state maint")

    def open(self, worker: str) -> None:
        """Lead readers to a process again."""
        self._tell(f"set server {_BACKEND}/{worker} state ready")

    def wait_until_up(self, worker: str, seconds: float) -> bool:
        """Wait until the balancer finds that a process serves; say whether that came true in time."""
        deadline = time.monotonic() + seconds
        while not self.states().get(worker, "").startswith("UP"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def states(self) -> dict[str, str]:
        """Return how the balancer finds each process, in HAProxy's words: ``UP``, ``DOWN``, ``MAINT``."""
        rows = csv.DictReader(io.StringIO(self._tell("show stat").lstrip("# ")))
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == _BACKEND}

    def _tell(self, order: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_ANSWER_SECONDS)
                connection.connect(str(self._socket))
                connection.sendall(f"{order}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError as error:
            raise ServiceError(
                f"The balancer does not answer at {self._socket}: {error}. See `loupan service logs balancer`."
            ) from error
        return answer.decode()
