"""What a request to one of our own addresses carries: pairs in their order, nothing merged.

People's browsers send our own forms, which are url-encoded; programs put parameters wherever they
like.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, MultipartDecoder, Preamble

from ssogate.errors import BadBody, BodyTooLarge, InvalidParameter
from ssogate.http.framing import body_length

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

MAX_FORM = 65_536  # bytes; our own forms are a few fields
MAX_FIELDS = 100

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


def query_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the decoded pairs of the URL's query. Raises `InvalidParameter` (400E2)."""
    return _pairs(request.query_string)


def form_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the decoded pairs of a form-encoded body; none for a body of another type.

    Raises `BadBody`, `BodyTooLarge`, `InvalidParameter`, and what `body_length` raises.
    """
    body_length(request.environ)  # raises, whatever the body is
    return _pairs(body(request)) if request.mimetype == _FORM else []


def peeked_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the decoded pairs of a form-encoded body, and put the body back for whoever reads it
    next. A body in chunks, or one that is too large for a form of ours, has none.

    Raises `InvalidParameter`, `BadBody`, and what `body_length` raises.
    """
    length = body_length(request.environ)
    if request.mimetype != _FORM or not isinstance(length, int) or length > MAX_FORM:
        return []
    raw = body(request)
    request.environ["wsgi.input"] = BytesIO(raw)
    return _pairs(raw)


def sent_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the pairs of the query, then those of a body that is form-encoded or multipart: programs
    send either, and both at once. Raises as `form_pairs`."""
    if request.mimetype != _MULTIPART:
        return query_pairs(request) + form_pairs(request)
    raw = body(request)
    return query_pairs(request) + _parts(raw, request.mimetype_params.get("boundary", ""))


def body(request: Request, *, most: int = MAX_FORM) -> bytes:
    """Give the whole body, of `most` bytes; nothing where there is none.

    Raises `BadBody`, `BodyTooLarge`, and what `body_length` raises.
    """
    length = body_length(request.environ)
    if length is None:
        return b""
    if length == "chunks":
        length = None
    elif length > most:
        raise BodyTooLarge(f"a form of {length} bytes")
    try:
        raw: bytes = request.environ["wsgi.input"].read(most + 1 if length is None else length)
    except Exception as error:  # a server reports a malformed body by any exception it likes
        raise BadBody(type(error).__name__) from error
    if len(raw) > most:
        raise BodyTooLarge("a form in chunks")
    if length is not None and len(raw) != length:
        raise BadBody("the body ends before its Content-Length")
    return raw


def _parts(raw: bytes, boundary: str) -> list[tuple[str, str]]:
    """Read multipart/form-data (RFC 7578) without files, in UTF-8."""
    try:
        if not boundary:
            raise ValueError("no boundary")
        return list(_fields(raw, boundary.encode("ascii")))
    except (ValueError, RequestEntityTooLarge) as error:
        raise InvalidParameter("no multipart form in UTF-8, or too many fields") from error


def _fields(raw: bytes, boundary: bytes) -> Iterator[tuple[str, str]]:
    decoder = MultipartDecoder(boundary, MAX_FORM, max_parts=MAX_FIELDS)
    decoder.receive_data(raw)
    decoder.receive_data(None)
    name, value = "", b""
    while not isinstance(event := decoder.next_event(), Epilogue):
        match event:
            case Preamble():
                pass
            case Field(name=str(name)):
                value = b""
            case Data():
                value += event.data
                if not event.more_data:
                    yield name, value.decode()
            case _:
                raise ValueError("a file, or a field without a name")


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("latin-1"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise InvalidParameter("not a form in UTF-8, or too many fields") from error
