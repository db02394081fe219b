"""Active checks: each server is asked for a page, again and again, beside the visitors' requests.

Strategy: a thread and a connection of its own for each server, so that one that hangs delays
neither the other checks nor a visitor; the answer is read by the same strict parser.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from functools import partial
from socket import socket
from threading import Event, Thread
from typing import Annotated

from pydantic import Field, field_validator

from ssogate.config import Duration, Settings
from ssogate.errors import GateError
from ssogate.upstream import wire
from ssogate.upstream.connection import Connection
from ssogate.upstream.health import Health
from ssogate.upstream.origin import Origin, dial

_PATH = re.compile(r"/[\x21\x22\x24-\x7e]*")  # a query may be part of it; a fragment is never sent
MAX_TIME = 3600  # seconds, of an interval or a timeout: a rarer check tells nothing of now
_JOIN = 1.0  # seconds; a check that is waiting for an answer ends by itself, later


class HealthCheckSettings(Settings):
    """What each server is asked for, by each worker process of the gate."""

    path: str
    """Such as `/health`, with a query if need be: a page that costs little."""
    interval: Duration = 5.0
    """How long to wait between two checks. `max_failures` of them in a row put a server out; one
    that succeeds brings it back."""
    timeout: Duration = 2.0
    """How long a connection, and how long an answer, may take."""
    expect: Annotated[int, Field(ge=200, le=599, strict=True)] | None = None
    """The status to be answered; any below 400, if not given."""

    @field_validator("path")
    @classmethod
    def _can_be_asked_for(cls, value: str) -> str:
        if not _PATH.fullmatch(value):
            raise ValueError("write a path that starts with a slash, such as /health")
        return value

    @field_validator("interval", "timeout")
    @classmethod
    def _sensible(cls, value: float) -> float:
        if not 0 < value <= MAX_TIME:
            raise ValueError("write a time above zero and of at most 1h")
        return value

    def open(self, origin: Origin, tls: ssl.SSLContext | None, host: str, health: Health) -> Check:
        """Give the checks of the server at `origin`, asked as `host`. Nothing begins yet."""
        ask = partial(self.fault, partial(dial, origin, tls, self.timeout), host)
        return Check(ask, health, self.interval)

    def fault(self, dial: Callable[[], socket], host: str) -> str | None:
        """Ask one server once; give what is wrong with it, in words, or None."""
        lines = (f"Host: {host}", "User-Agent: ssogate-health", "Connection: close")
        try:
            connection = Connection(dial, read_timeout=self.timeout, write_timeout=self.timeout)
            try:
                connection.send(wire.request_head("GET", self.path, lines))
                status = connection.read_answer("GET").status
            finally:
                connection.close()
        except GateError as error:
            return error.detail
        except OSError as error:  # it hung up before it had the request
            return str(error)
        fine = status < 400 if self.expect is None else status == self.expect
        return None if fine else f"the check was answered with {status}"


class Check:
    """The checks of one server: from `start` until `stop`, or the end of the process."""

    def __init__(self, ask: Callable[[], str | None], health: Health, interval: float) -> None:
        self._ask, self._health, self._interval = ask, health, interval
        self._over = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin with a check at once; in a fork, anew."""
        self._over = Event()
        self._thread = Thread(target=self._run, args=(self._over,), name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have no more checks. Waits for one that is under way, for a second at most."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(_JOIN)

    def _run(self, over: Event) -> None:
        while not over.is_set():
            self._health.checked(self._ask())
            over.wait(self._interval)
