"""The outermost layer: a request id, and a plain answer to whatever nobody foresaw."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssogate.http.environ import REQUEST_ID, new_request_id
from ssogate.http.log import log

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_BODY = b"The gate met an error that it did not expect. Please try again in a minute.\n"


class Boundary:
    """Turn any escape from `app` into a plain 500 with one log line; a visitor sees no trace."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[REQUEST_ID] = new_request_id()
        try:
            return self.app(environ, start_response)
        except Exception:
            log.exception("escaped", request_id=environ[REQUEST_ID])
            headers = [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(_BODY))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-SSOGate-Error", "internal"),
            ]
            # With exc_info a server that has begun its answer drops the connection instead.
            start_response("500 Internal Server Error", headers, sys.exc_info())
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else [_BODY]
