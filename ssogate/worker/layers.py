"""What the layers say to a request that was read whole: a thread asks them, the loop sends it.

Strategy: WSGI without a server's connection. The layers find a body that is here already, and what
they say is whole before any of it is sent: no thread waits for a visitor. An answer is held to
gunicorn's own rules.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from gunicorn.http.message import TOKEN_RE
from gunicorn.http.wsgi import HEADER_VALUE_RE, STATUS_RE, base_environ
from gunicorn.util import is_hoppish

from ssogate.http.log import log
from ssogate.worker.logger import access_members

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_BODILESS = frozenset({"204", "304"})
_FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\n",
    b"Content-Length: 0\r\nCache-Control: no-store\r\n",
    b"",
)


class Told(NamedTuple):
    """An answer. `lines` are its headers, without those that the server adds; `logged` is what the
    access log says of it."""

    start: bytes
    lines: bytes
    body: bytes
    logged: str


class _Answer:
    """What a WSGI app says in the course of a request (PEP 3333)."""

    def __init__(self) -> None:
        self.status, self.headers = "", list[tuple[str, str]]()
        self.written: list[bytes] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        """PEP 3333's `start_response`. Nothing is ever sent before the end, so a second start takes
        the first one's place."""
        if self.status and not exc_info:
            raise AssertionError("a second answer to one request")
        self.status, self.headers = status, headers
        return self.written.append


def environ_for(cfg: Any) -> Mapping[str, Any]:
    """Give what the environ of every request holds."""
    return {
        **base_environ(cfg),
        "wsgi.multithread": True,
        "wsgi.url_scheme": "https" if cfg.is_ssl else "http",
        "SCRIPT_NAME": "",
    }


def ends(address: object, server: object) -> Mapping[str, str]:
    """Give what environ says of a connection's two ends. A unix socket has neither."""
    here = server if isinstance(server, tuple) else ("localhost", 80)
    there = address if isinstance(address, tuple) else ("",)
    return {
        "SERVER_NAME": str(here[0]),
        "SERVER_PORT": str(here[1]),
        "REMOTE_ADDR": str(there[0]),
        **({"REMOTE_PORT": str(there[1])} if len(there) > 1 else {}),
    }


def told(app: WSGIApplication, environ: WSGIEnvironment, body: bytes) -> Told:
    """Ask the layers. Whatever happens, there is an answer."""
    began = time.perf_counter()
    try:
        start, lines, text = _asked(app, environ, body)
    except (Exception, SystemExit):
        log.exception("escaped")
        start, lines, text = _FAILED
    took = int((time.perf_counter() - began) * 1e6)
    status = start[9:12].decode()
    return Told(start, lines, text, access_members(environ, status, len(text), took))


def _asked(
    app: WSGIApplication, environ: WSGIEnvironment, body: bytes
) -> tuple[bytes, bytes, bytes]:
    method = environ["REQUEST_METHOD"]  # before a layer says something else
    environ["wsgi.input"], answer = BytesIO(body), _Answer()
    pieces: Iterable[bytes] = app(environ, answer.start)
    try:
        text = b"".join((*answer.written, *pieces))
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    status, headers = answer.status, answer.headers
    if not STATUS_RE.fullmatch(status):
        raise ValueError("an answer without a status")
    bodiless, lines = status[:3] in _BODILESS, list[str]()
    for name, value in headers:
        if not (TOKEN_RE.fullmatch(name) and HEADER_VALUE_RE.fullmatch(value)):
            raise ValueError(f"{name!r} is no header")  # its value may be a secret
        ours = name.lower() == "content-length" and (method != "HEAD" or bodiless)
        if not ours and not is_hoppish(name):
            lines.append(f"{name}: {value.strip()}\r\n")
    if bodiless or method == "HEAD":
        text = b""
    else:
        lines.append(f"Content-Length: {len(text)}\r\n")
    start = f"HTTP/1.1 {status}\r\n"
    return start.encode("latin-1"), "".join(lines).encode("latin-1"), text
