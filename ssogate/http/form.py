"""What a request to one of our own addresses carries: pairs in their order, nothing merged."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ssogate.errors import BadBody, BodyTooLarge, InvalidParameter
from ssogate.http.framing import body_length

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

MAX_FORM = 65_536  # bytes; our own forms are a few fields
MAX_FIELDS = 100


def query_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the decoded pairs of the URL's query. Raises `InvalidParameter` (400E2)."""
    return _pairs(request.query_string)


def form_pairs(request: Request) -> list[tuple[str, str]]:
    """Give the decoded pairs of a form-encoded body; none for a body of another type.

    Raises `BadBody`, `BodyTooLarge`, `InvalidParameter`, and what `body_length` raises.
    """
    length = body_length(request.environ)
    if length is None or request.mimetype != "application/x-www-form-urlencoded":
        return []
    if length == "chunks":
        length = None
    elif length > MAX_FORM:
        raise BodyTooLarge(f"a form of {length} bytes")
    try:
        raw = request.environ["wsgi.input"].read(MAX_FORM + 1 if length is None else length)
    except Exception as error:  # a server reports a malformed body by any exception it likes
        raise BadBody(type(error).__name__) from error
    if len(raw) > MAX_FORM:
        raise BodyTooLarge("a form in chunks")
    if length is not None and len(raw) != length:
        raise BadBody("the body ends before its Content-Length")
    return _pairs(raw)


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
