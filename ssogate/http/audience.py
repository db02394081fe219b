"""Who asks: a person in a browser, or a script that reads status codes?

Decided from `Sec-Fetch-*`, which no script in a page can forge, then from what older clients say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def wants_page(environ: WSGIEnvironment) -> bool:
    """Whether a person is to read the answer; otherwise it is JSON."""
    mode = environ.get("HTTP_SEC_FETCH_MODE")
    if mode:
        return bool(mode == "navigate")
    if environ.get("HTTP_X_REQUESTED_WITH", "").lower() == "xmlhttprequest":
        return False
    return "text/html" in environ.get("HTTP_ACCEPT", "")


def prefers_json(environ: WSGIEnvironment) -> bool:
    """Whether JSON was asked for by name: for an endpoint that answers people by default."""
    accept = environ.get("HTTP_ACCEPT", "")
    return "application/json" in accept and "text/html" not in accept


def is_prefetch(environ: WSGIEnvironment) -> bool:
    """Whether a browser fetches ahead of a click that may never come."""
    purposes = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
    return any("pre" in environ.get(key, "").lower() for key in purposes)


def is_embedded(environ: WSGIEnvironment) -> bool:
    """Whether a browser says that the answer is not what its user opened (an image, a script)."""
    return environ.get("HTTP_SEC_FETCH_DEST", "document") not in ("document", "empty", "")
