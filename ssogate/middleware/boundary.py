"""The outermost layer: a request id, the site's pages, and a plain answer to the unforeseen."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssogate.http.environ import PAGES, REQUEST_ID, new_request_id
from ssogate.http.log import log

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ssogate.http.theme import Pages

_BODY = b"The gate met an error that it did not expect. Please try again in a minute.\n"


class Boundary:
    """Turn any escape from `app` into a plain 500 with one log line; a visitor sees no trace.

    `pages` is what the inner layers make their pages of; None for our own.
    """

    def __init__(self, app: WSGIApplication, *, pages: Pages | None = None) -> None:
        self.app, self.pages = app, pages

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[REQUEST_ID] = new_request_id()
        environ[PAGES] = self.pages
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
