"""Programs in browsers, of any site, may read what an endpoint says (Fetch Standard, CORS).

Never with cookies: who asks proves itself by what it sends along, and nothing here looks at a
session.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.model import Endpoint, Reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_ORIGIN = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = {
    **_ORIGIN,
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "3600",
}


def shared(table: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """Let scripts of every site use these endpoints, which must not know sessions."""
    return {path: partial(_shared, endpoint) for path, endpoint in table.items()}


def _shared(endpoint: Endpoint, request: Request) -> Reply | None:
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return Response(b"", 204, _PREFLIGHT)
    reply = endpoint(request)
    if isinstance(reply, Response):
        reply.headers.extend({**_ORIGIN, "Access-Control-Expose-Headers": "WWW-Authenticate"})
    return reply
