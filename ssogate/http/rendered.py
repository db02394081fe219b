"""Answers as bytes, for a server that sends them by itself: the same that any WSGI server sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from werkzeug.wrappers import Request, Response

from ssogate.model import Endpoint, Reply

FRESH = 1.0  # seconds that a document is given again


class Rendered(NamedTuple):
    """An answer."""

    start: bytes
    """The status line."""
    lines: bytes
    """The headers, without those that the server adds."""
    body: bytes = b""


def rendered(reply: Response) -> Rendered:
    """Give what an answer to GET is in bytes."""
    headers = reply.get_wsgi_headers({"REQUEST_METHOD": "GET"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    start = f"HTTP/1.1 {reply.status}\r\n"
    return Rendered(start.encode("latin-1"), lines.encode("latin-1"), reply.get_data())


class Documents:
    """What is the same for everybody who GETs it, as endpoints gave it a moment ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[str, tuple[float, Rendered]] = {}

    def get(self, path: str) -> Rendered | None:
        """Give a document; None where there is none, or it is to be asked for anew."""
        until, found = self._given.get(path, (0.0, None))
        return found if self._clock() < until else None

    def kept(self, path: str, endpoint: Endpoint) -> Endpoint:
        """Give an endpoint that does the same, and what it says is kept here."""
        return partial(self._kept, path, endpoint)

    def _kept(self, path: str, endpoint: Endpoint, request: Request) -> Reply | None:
        until = self._clock() + FRESH
        reply = endpoint(request)
        plain = request.method == "GET" and not request.query_string
        if plain and isinstance(reply, Response) and reply.status_code == 200:
            self._given[path] = until, rendered(reply)
        return reply
