"""The grammar of HTTP/1.1 messages (RFC 9112): bytes to write, and bytes read by the letter.

Strategy: no I/O. A head is decoded as latin-1 and matched as a whole by one expression with
possessive quantifiers, so the work is linear and nothing can stand between two fields unseen.
What the RFC lets a recipient repair is refused here: each repair is a place where two readers
disagree about where an answer ends, and the next visitor would get the rest of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from ssogate.errors import BadHeaders, UpstreamInvalid

MAX_HEAD = 65536  # bytes; eight times what common servers accept of a request
MAX_FIELDS = 256  # two and a half times Apache's and gunicorn's own ceiling of 100
MAX_CHUNK_LINE = 1024  # bytes of a chunk's size and extensions; nobody sends extensions
MAX_TRAILERS = 16384  # bytes

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = r"[\t\x20-\x7e\x80-\xff]*+"
# RFC 9112, section 5: no white space before the colon, no folded line (a line starts with a
# token). Leading white space is matched outside the value, trailing is stripped by `_fields`.
_FIELD = re.compile(rf"({_NAME}):[ \t]*+({_VALUE})\r\n")
_FIELD_LINES = re.compile(rf"(?:{_NAME}:{_VALUE}\r\n)*+")
# RFC 9112, section 4. The space before an empty reason is required, but many servers forget it.
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*+))?+\r\n")
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
# RFC 9112, section 7.1: 16 digits are 64 bits. Extensions are skipped, but held to be text.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})

Fields = Sequence[tuple[str, str]]


class Head(NamedTuple):
    """An answer's head, and how its body is delimited."""

    status: int
    reason: str
    fields: Fields
    length: int | None
    """Bytes of the body; None for chunks, or up to the end of the connection."""
    chunked: bool
    reusable: bool
    """Whether another answer may follow on the same connection."""
    connection: str
    """The Connection header: what else belongs to this hop alone."""


def request_head(method: str, path: str, lines: Sequence[str]) -> bytes:
    """Give the bytes of a request's head; `lines` are `Name: value` without line ends.

    Raises `BadHeaders` if any part holds a control character (and so could start a second
    header or request), or a character that is not latin-1.
    """
    text = "".join(lines)
    if not (text.isascii() and text.isprintable()) and _CONTROL.search(text):
        raise BadHeaders("a control character in a request header")
    start = f"{method} {path} HTTP/1.1"
    if _CONTROL.search(start) or start.count(" ") != 2:
        raise BadHeaders("a control character or space in the request line")
    try:
        return "\r\n".join((start, *lines, "\r\n")).encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadHeaders("a request header that is not latin-1 text") from error


def find_head_end(data: bytes, searched: int = 0) -> int:
    """Give the index behind a complete head, or 0 while more bytes are needed.

    `searched` is how many bytes were looked at before: a head that drips in is not read anew.

    Raises `UpstreamInvalid` as soon as what has come cannot become a head.
    """
    end = data.find(b"\r\n\r\n", max(0, searched - 3), MAX_HEAD)
    if end >= 0:
        return end + 4
    if len(data) >= MAX_HEAD:
        _refuse(f"a head of more than {MAX_HEAD} bytes")
    # A head that ends its lines by LF alone would never end for us; say so at once.
    if _BARE_LF.search(data, searched):
        _refuse("a line that ends without CR")
    return 0


def parse_head(data: bytes, method: str, *, switching: bool = False) -> Head:
    """Read a complete answer head (with its closing empty line) to a request of `method`.

    `switching` says that the request asked for another protocol, so that the answer may switch to
    it. Raises `UpstreamInvalid`.
    """
    text = data.decode("latin-1")
    start = _STATUS_LINE.match(text)
    if start is None:
        _refuse("no HTTP/1.0 or HTTP/1.1 status line")
    fields = _fields(text, start.end(), len(text) - 2)
    status = int(start[2])
    if status == 101 and not switching:
        _refuse("a switch to another protocol that nobody asked for")
    length, chunked, connection = _framing(fields)
    reusable = start[1] == "1" and "close" not in map(str.strip, connection.lower().split(","))
    if chunked and start[1] == "0":
        _refuse("chunks from an HTTP/1.0 server")  # RFC 9112, section 6.1: faulty framing
    # RFC 9112, section 6.3, rule 1.
    if method == "HEAD" or status < 200 or status in (204, 304):
        # A 204 that announces a body may well send one: read nothing, and close.
        reusable = reusable and not (status == 204 and (chunked or length))
        length, chunked = 0, False
    reusable = reusable and (chunked or length is not None)
    return Head(status, start[3] or "", fields, length, chunked, reusable, connection)


def _fields(text: str, start: int, end: int) -> list[tuple[str, str]]:
    if not _FIELD_LINES.fullmatch(text, start, end):
        _refuse("a malformed header line")
    fields: list[tuple[str, str]] = _FIELD.findall(text, start, end)
    if len(fields) > MAX_FIELDS:
        _refuse(f"more than {MAX_FIELDS} headers")
    return [(name, value.rstrip(" \t")) for name, value in fields]


def _framing(fields: Fields) -> tuple[int | None, bool, str]:
    """Length, chunked, Connection (RFC 9112, section 6.3), without the repairs that it allows."""
    framing = [(lower, value) for name, value in fields if (lower := name.lower()) in _FRAMING]
    length, chunked, connection, delimiters = None, False, "", 0
    for name, value in framing:
        if name == "connection":
            connection = f"{connection},{value}" if connection else value
            continue
        delimiters += 1
        if name == "transfer-encoding":
            chunked = value.lower() == "chunked" or _refuse("a Transfer-Encoding but chunked")
        else:
            length = int(value) if _LENGTH.fullmatch(value) else _refuse("a malformed length")
    if delimiters > 1:
        _refuse("more than one Content-Length or Transfer-Encoding")
    return length, chunked, connection


class Chunks:
    """Decode a chunked body (RFC 9112, section 7.1) piece by piece, however it was cut up."""

    __slots__ = ("_held", "_left", "_lines", "_plain", "_read_line", "_trailers", "ended", "more")

    def __init__(self, *, plain: bool = False, lines: float = math.inf) -> None:
        """`plain` chunks have neither extensions nor trailers. At most so many `lines` between two
        chunks are read at a time: of tiny chunks, few bytes make long work."""
        self._held = b""
        self._plain, self._lines = plain, lines
        self.more = False
        """Whether something has come that is still to be read: by `feed(b"")`."""
        self._left = 0
        self._trailers = 0
        self._read_line = self._size_line
        self.ended = False
        """Whether the last chunk and the trailers have been read."""

    @property
    def rest(self) -> bytes:
        """What came and belongs to no chunk yet or, at the end, to no part of the body."""
        return self._held

    def feed(self, data: bytes) -> bytes:
        """Give what `data` holds of the body, maybe nothing. Raises `UpstreamInvalid`."""
        data = self._held + data
        at, parts, lines = 0, [], 0
        self.more = False
        while not self.ended:
            if lines >= self._lines:
                self.more = True
                break
            if self._left:
                part = data[at : at + self._left]
                if not part:
                    break
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                continue
            end = data.find(b"\r\n", at, at + MAX_CHUNK_LINE)
            if end < 0:
                if len(data) - at >= MAX_CHUNK_LINE:
                    _refuse("a chunk line without end")
                break
            self._read_line(data[at:end])
            at = end + 2
            lines += 1
        self._held = data[at:]
        return b"".join(parts)

    def _size_line(self, line: bytes) -> None:
        found = _CHUNK_LINE.fullmatch(line)
        if found is None or (self._plain and found.end(1) < len(line)):
            _refuse("a malformed chunk size")
        self._left = int(found[1], 16)
        self._read_line = self._end_of_chunk if self._left else self._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line:
            _refuse("a chunk longer than its size")
        self._read_line = self._size_line

    def _trailer(self, line: bytes) -> None:
        """Hold a trailer to the grammar of headers, and drop it."""
        self.ended = not line
        self._trailers += len(line)
        if self._trailers > MAX_TRAILERS:
            _refuse(f"more than {MAX_TRAILERS} bytes of trailers")
        if line and (self._plain or not _FIELD.fullmatch(line.decode("latin-1") + "\r\n")):
            _refuse("a malformed trailer")


def chunk(data: bytes) -> bytes:
    """Give `data` (not empty: an empty chunk would end the body) as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def _refuse(reason: str) -> NoReturn:
    raise UpstreamInvalid(f"the upstream sent {reason}")
