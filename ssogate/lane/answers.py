"""An answer's head, as the visitor gets it.

Strategy: `upstream.wire` and `upstream.headers` say what an answer is and what of it travels; here
their word on each line is remembered. A head of known lines that do not depend on one another is
put together from that, and remembered with its date and without: a page that is asked for again
mostly has the same. Any other goes to them, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from ssogate.errors import UpstreamInvalid
from ssogate.lane.remembered import Remembered
from ssogate.upstream import wire
from ssogate.upstream.headers import keep_private, response_headers
from ssogate.upstream.websocket import OFFER, is_accepted

MAX_LINE = 512  # bytes of a line that is remembered
MAX_LINES = 8192
MAX_TAILS = 256
MAX_HEAD = 1024  # bytes of a head that is remembered
MAX_HEADS = 4096
MAX_DATED = 256  # of the current second, most of them
MAX_FIELDS = 100  # of a head that is put together line by line

Relocate = Callable[[str], str]


class Answer(NamedTuple):
    """An answer's head."""

    status: int
    start: bytes
    """The status line."""
    lines: bytes
    """The headers, without those that the server adds: Server, Date, Connection, chunks."""
    length: int | None
    """Bytes of the body; None for chunks, or up to the end of the connection."""
    chunked: bool
    reusable: bool
    """Whether another answer may follow on the upstream's connection."""


class _Kind(Enum):
    PLAIN = auto()
    LENGTH = auto()
    CHUNKS = auto()
    CACHING = auto()
    """For `keep_private`, which puts it together with others at the end."""
    WHOLE = auto()
    """Only the whole head tells."""


class _Line(NamedTuple):
    kind: _Kind
    sent: bytes
    text: bytes = b""
    length: int | None = None


_ODD = _Line(_Kind.WHOLE, b"")
_MOVED = "moved"
_CACHING = frozenset({"cache-control", "vary", "expires"})
_STARTS = {
    f"HTTP/1.1 {status.value} {status.phrase}".encode(): status.value
    for status in HTTPStatus
    if status >= 200 and status not in (204, 304)
}


class Answers:
    """Reads the heads of answers."""

    def __init__(self) -> None:
        # For everybody's answers, and for those that are one visitor's.
        self._known = tuple(
            Remembered(MAX_LINES, partial(_line, private=private), _comes_again)
            for private in (False, True)
        )
        self._heads: tuple[Remembered[bytes, Answer], ...] = tuple(
            Remembered(MAX_HEADS, lambda head: None) for private in (False, True)
        )
        self._dated: tuple[Remembered[bytes, Answer], ...] = tuple(
            Remembered(MAX_DATED, lambda head: None) for private in (False, True)
        )
        self._tails = Remembered(MAX_TAILS, _tail, lambda texts: sum(map(len, texts)) <= MAX_LINE)

    def read(self, head: bytes, method: str, private: bool, relocate: Relocate) -> Answer:
        """Read a complete head, with the empty line that ends it, of the answer to `method`.

        Raises `UpstreamInvalid`.
        """
        if method == "HEAD":
            return _whole(head, method, private, relocate)
        found = self._dated[private][head] or self._read(head, private)
        return found or _whole(head, method, private, relocate)

    def opened(self, head: bytes, key: str) -> Answer:
        """Read the head that opens the WebSocket of `key`. Raises `UpstreamInvalid` for any other
        switch of protocols."""
        found = wire.parse_head(head, "GET", switching=True)
        if not is_accepted(found, key):
            raise UpstreamInvalid("the upstream opened something else than was asked for")
        headers = response_headers(found.fields, connection=found.connection, relocate=str)
        start = b"HTTP/1.1 101 Switching Protocols\r\n"
        return Answer(101, start, OFFER + _text(headers), 0, chunked=False, reusable=False)

    def _read(self, head: bytes, private: bool) -> Answer | None:
        undated, heads = self._undated(head, private), self._heads[private]
        found = heads[undated] or self._quick(head, private)
        if found and len(undated) <= MAX_HEAD and b"\r\nset-cookie:" not in undated.lower():
            heads[undated] = self._dated[private][head] = found
        return found

    def _undated(self, head: bytes, private: bool) -> bytes:
        """The head without its Date, if that is a line which has been judged as it is."""
        at = head.find(b"\r\nDate:")
        end = head.find(b"\r\n", at + 2)
        date = self._known[private].get(head[at + 2 : end]) if at > 0 else None
        return head[:at] + head[end:] if date and date.kind is _Kind.PLAIN else head

    def _quick(self, head: bytes, private: bool) -> Answer | None:
        start, *lines = head[:-4].split(b"\r\n")
        if start not in _STARTS or len(lines) > MAX_FIELDS:
            return None
        known = self._known[private]
        read = [known[text] or _ODD for text in lines]
        sent = [line.sent for line in read]
        special = [line for line in read if line.kind is not _Kind.PLAIN]
        delimiters = [line for line in special if line.kind is not _Kind.CACHING]
        if len(delimiters) != 1 or delimiters[0].kind is _Kind.WHOLE:
            return None
        if private:
            caching = tuple([line.text for line in special if line.text])
            sent.append(self._tails[caching] or b"")
        length = delimiters[0].length
        fields, chunked = b"".join(sent), length is None
        return Answer(_STARTS[start], start + b"\r\n", fields, length, chunked, reusable=True)


def _comes_again(text: bytes) -> bool:
    """Cookies hardly ever do."""
    return len(text) <= MAX_LINE and text[:11].lower() != b"set-cookie:"


def _tail(caching: tuple[bytes, ...]) -> bytes:
    """What `keep_private` makes of the lines that are its concern."""
    headers = [field for text in caching for field in _fields(text).fields]
    keep_private(headers)
    return _text(headers[-2:])


def _fields(text: bytes) -> wire.Head:
    """One line, as the grammar of heads reads it. Raises `UpstreamInvalid`."""
    return wire.parse_head(b"HTTP/1.1 200 OK\r\n" + text + b"\r\n\r\n", "GET")


def _line(text: bytes, private: bool) -> _Line:
    try:
        head = _fields(text)
    except UpstreamInvalid:
        return _ODD
    name = head.fields[0][0].lower()
    headers = response_headers(head.fields, connection="", relocate=lambda location: _MOVED)
    if any(value is _MOVED for _, value in headers):
        return _ODD
    if name.endswith(("surrogate-control", "cdn-cache-control")):
        return _ODD
    if head.connection.lower() not in ("", "keep-alive"):
        return _ODD
    sent = _text(headers)
    if head.chunked or head.length is not None:
        kind = _Kind.CHUNKS if head.chunked else _Kind.LENGTH
        return _Line(kind, sent, length=head.length)
    if private and name in _CACHING:  # Expires stays where it is, too
        return _Line(_Kind.CACHING, sent if name == "expires" else b"", text)
    return _Line(_Kind.PLAIN, sent)


def _whole(data: bytes, method: str, private: bool, relocate: Relocate) -> Answer:
    head = wire.parse_head(data, method)
    headers = response_headers(head.fields, connection=head.connection, relocate=relocate)
    if private:
        keep_private(headers)
    if head.status == 204:  # RFC 9110, section 8.6: it has no length
        headers = [field for field in headers if field[0].lower() != "content-length"]
    start = f"HTTP/1.1 {head.status} {head.reason}\r\n".encode("latin-1")
    return Answer(head.status, start, _text(headers), head.length, head.chunked, head.reusable)


def _text(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
