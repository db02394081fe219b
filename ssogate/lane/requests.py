"""The grammar of an ordinary request's head: every byte of it is known, or the layers read it.

Strategy: heads come again and again, and if not, their lines do. What becomes of a line (which
bytes are sent on) is worked out once and looked up from then on, and so is what becomes of all
lines together. A line is judged by itself; what depends on several of them (a name that comes
twice) is judged for each head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ssogate.http.cookies import other_cookies, session_token
from ssogate.lane.remembered import Again, Remembered
from ssogate.upstream.headers import METHOD_OVERRIDE_KEYS, RequestHeaders

MAX_LINE = 1024  # bytes of a line that is remembered; longer ones are judged each time
MAX_FIELDS = 64  # browsers send some twenty
MAX_HEAD = 1024  # bytes of all lines together that are remembered
MAX_HEADS = 2048
MAX_NAME = 64  # bytes of a name that is remembered
MAX_NAMES = 1024
MAX_LINES = 8192  # lines that are remembered; every session has one, its cookie's

METHODS = {
    method.encode(): method
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
# Whether it is in its one canonical spelling is the site's to say.
PATH = re.compile(rb"/(?:[\x21-\x22\x24-\x2e\x30-\x3e\x40-\x7e][\x21-\x22\x24-\x3e\x40-\x7e]*+)?+")
QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*+")
# RFC 9112, section 5, less what servers differ about: underscores, tabs, bytes beyond ASCII.
_LINE = re.compile(rb"([A-Za-z0-9\-]++): *+([\x20-\x7e]*+)")
_VALUES = {
    "CONTENT_LENGTH": re.compile(r"[0-9]{1,19}"),
    "CONNECTION": re.compile(
        "keep-alive|close|upgrade|keep-alive, ?upgrade|upgrade, ?keep-alive", re.IGNORECASE
    ),
    "UPGRADE": re.compile("websocket", re.IGNORECASE),
    "EXPECT": re.compile("100-continue", re.IGNORECASE),
    "TRANSFER_ENCODING": re.compile("chunked", re.IGNORECASE),
}
# What asks for something else than an answer to one plain request, or promises more.
_ELSEWHERE = frozenset({"HTTP2_SETTINGS", "TRAILER"})
_SPECIAL = frozenset({"EXPECT", "TRANSFER_ENCODING", "UPGRADE", "X_FORWARDED_FOR"})
_NEEDED = frozenset(
    {
        "HOST",
        "ORIGIN",
        "SEC_WEBSOCKET_KEY",
        "SEC_WEBSOCKET_VERSION",
        "X_FORWARDED_FOR",
        "X_ORIGINAL_METHOD",
        "X_ORIGINAL_URI",
    }
)
_SAYING = _NEEDED.union(_VALUES, ("COOKIE",))


_BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Line(NamedTuple):
    """One header."""

    name: str
    """As environ keys spell it, without `HTTP_`."""
    sent: bytes
    """The line for the upstream, or nothing."""
    value: str | None
    """Of those that ask for something: the session's token of a Cookie line, what a line of framing
    says."""


class Head(NamedTuple):
    """All headers of a request."""

    says: Mapping[str, str]
    """What those say that ask for something, by their names."""
    sent: bytes
    """What goes to the upstream."""
    host: str
    length: int | None
    """Bytes of the body; None for none, or for chunks."""
    token: str
    """Of the session; empty for none."""
    plain: bool
    """Whether nothing but an answer is asked for, without a body in chunks, and no server is said
    to be on the way."""

    def closes(self, *, old: bool) -> bool:
        """Whether the connection is to end with the answer; in HTTP/1.0 (`old`), unless something
        else is said."""
        said = self.says.get("CONNECTION")
        return said != "keep-alive" if old else said == "close"

    def value(self, name: str) -> str:
        """Give the value of a line, empty for none."""
        return self.says.get(name, "")


class Heads(Remembered[bytes, Head]):
    """Reads the header lines of a request: whoever asks again mostly sends the same.
    None if one of them is not ordinary, or a name comes twice.

    `cookie` is the name of the session's; `headers` says what travels.
    """

    def __init__(self, headers: RequestHeaders, cookie: str) -> None:
        super().__init__(MAX_HEADS, self._head, Again(MAX_HEADS, MAX_HEAD))
        self._headers, self._cookie = headers, cookie
        self._known = Remembered(MAX_LINES, self._line, Again(MAX_LINES, MAX_LINE))
        self._silent = Remembered(MAX_NAMES, self._name, lambda header: len(header) <= MAX_NAME)

    def _head(self, text: bytes) -> Head | None:
        known = self._known
        lines = [line for text in text.split(b"\r\n") if (line := known[text])]
        says = {name: value for name, _, value in lines if value is not None}
        names = {name for name, _, _ in lines}
        if len(names) <= text.count(b"\r\n") or len(names) > MAX_FIELDS or "HOST" not in says:
            return None
        length, connection = says.get("CONTENT_LENGTH"), says.get("CONNECTION", "")
        return Head(
            says,
            b"".join([sent for _, sent, _ in lines]),
            says["HOST"],
            None if length is None else int(length),
            says.get("COOKIE", ""),
            _SPECIAL.isdisjoint(says) and "upgrade" not in connection,
        )

    def _line(self, text: bytes) -> Line | None:
        parts = _LINE.fullmatch(text)
        if parts is None:
            return None
        header, value = parts.groups()
        silent = self._silent[header]
        if silent is None:
            return self._judge(_folded(header), value.decode().rstrip(" "))
        name, start = silent
        return Line(name, b"%b%b\r\n" % (start, value.rstrip(b" ")) if start else b"", None)

    def _name(self, header: bytes) -> tuple[str, bytes] | None:
        """Give the name of a header that asks for nothing, and how its line begins for the
        upstream, if that gets it."""
        name = _folded(header)
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        if name in _SAYING or name in _ELSEWHERE or key in METHOD_OVERRIDE_KEYS:
            return None
        sends = self._headers.name(key)
        return name, b"" if sends is None else f"{sends}: ".encode()

    def _judge(self, name: str, value: str) -> Line | None:
        if name in _VALUES:
            return Line(name, b"", value.lower()) if _VALUES[name].fullmatch(value) else None
        if name not in _SAYING:
            return None
        if name == "COOKIE":
            others = other_cookies(value)
            sent = f"Cookie: {others}\r\n" if others else ""
            return Line(name, sent.encode(), session_token(value, self._cookie) or "")
        sends = self._headers.name(f"HTTP_{name}")
        sent = "" if sends is None else f"{sends}: {value}\r\n"
        return Line(name, sent.encode(), value)


def variables(lines: bytes) -> dict[str, str]:
    """Give the lines of an ordinary head as WSGI's environ has them."""
    found: dict[str, str] = {}
    for line in lines.split(b"\r\n"):
        header, _, value = line.partition(b":")
        key = _KEYS[header]
        if key is not None:
            found[key] = value.strip(b" ").decode()
    return found


def _key(header: bytes) -> str:
    name = _folded(header)
    return name if name in _BARE else f"HTTP_{name}"


def _folded(header: bytes) -> str:
    return header.decode().upper().replace("-", "_")


_KEYS = Remembered(MAX_NAMES, _key, lambda header: len(header) <= MAX_NAME)
