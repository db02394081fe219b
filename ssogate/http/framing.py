"""How long a request's body is (RFC 9112, section 6.3), judged again after the server.

gunicorn takes `Transfer-Encoding: gzip, chunked` apart as far as `gzip` and says nothing, so what
it let through is not yet what was meant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ssogate.errors import BadHeaders, CodingRefused

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_LENGTH = re.compile(r"[0-9]{1,19}")


def body_length(environ: WSGIEnvironment) -> int | Literal["chunks"] | None:
    """Give the declared length of a request's body in bytes; None where there is no body.

    Raises `CodingRefused` for any transfer coding but chunks, `BadHeaders` for a malformed length
    and for two ways of framing at once.
    """
    coding, length = environ.get("HTTP_TRANSFER_ENCODING"), environ.get("CONTENT_LENGTH")
    if coding is not None:
        if coding.lower() != "chunked":
            raise CodingRefused(f"Transfer-Encoding {coding[:40]!r}")
        if length:
            raise BadHeaders("Content-Length and Transfer-Encoding")
        if not environ.get("wsgi.input_terminated"):
            raise BadHeaders("chunks that the server does not take apart")
        return "chunks"
    if not length:
        return None
    if not _LENGTH.fullmatch(length):
        raise BadHeaders("a malformed Content-Length")
    return int(length)
