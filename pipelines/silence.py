"""Give up on a database server that has fallen silent: frozen, overloaded, or waiting for a lock.

Drivers wait for a server's answer without end, and in C, where nothing interrupts them. What does is the end of the
connection: here its socket is shut down from another thread, and the driver reports a lost connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

_POLL_SECONDS = 0.5


class Silence:
    """Watches over the waits on one connection.

    Attributes:
        seconds: how long a wait may take.
        is_broken: whether one took longer, and the connection was ended.
    """

    def __init__(self, seconds: float, sockets: list[socket.socket]) -> None:
        self.seconds, self.is_broken = seconds, False
        self._sockets = sockets
        self._since: float | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="silence", daemon=True)
        self._thread.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Be inside a call that waits for the server."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def close(self) -> None:
        """Watch no longer."""
        self._is_over.set()
        self._thread.join()
        for known in self._sockets:
            known.close()

    def _watch(self) -> None:
        while not self._is_over.wait(_POLL_SECONDS):
            since = self._since
            if since is not None and time.monotonic() - since > self.seconds:
                self.is_broken = True
                for known in self._sockets:
                    try:
                        known.shutdown(socket.SHUT_RDWR)
                    except OSError:  # it has ended by itself
                        continue
                return


def connected(connect: Callable[[], Any], port: int) -> tuple[Any, list[socket.socket]]:
    """Connect, and return with the connection the sockets that it uses, for `Silence`.

    Args:
        connect: opens a connection of any driver.
        port: of the server, by which its sockets are known; the socket files of PostgreSQL have it in their name.
    """
    before = _sockets()
    connection = connect()
    found = []
    for number in _sockets() - before:
        own = socket.socket(fileno=os.dup(number))
        if _leads_to(own, port):
            found.append(own)
        else:
            own.close()
    return connection, found


def _sockets() -> set[int]:
    return {known.fd for known in psutil.Process().net_connections("all") if known.fd >= 0}


def _leads_to(own: socket.socket, port: int) -> bool:
    try:
        peer = own.getpeername()
    except OSError:
        return False
    return peer[1] == port if isinstance(peer, tuple) else str(peer).endswith(f".s.PGSQL.{port}")
