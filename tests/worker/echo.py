"""A WSGI app that tells what it was given: the text values of environ, and its body, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read the body to its end, save where the path is `/unread`; fail where it is `/fail`."""
    if environ["PATH_INFO"] == "/fail":
        raise RuntimeError(f"at {environ['RAW_URI']}\n[2026-01-02] [1] [INFO] forged")
    body = b"" if environ["PATH_INFO"] == "/unread" else environ["wsgi.input"].read()
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    told = json.dumps({**seen, "body": body.decode("latin-1")}).encode()
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(told)))]
    start_response("200 OK", head)
    return [told]
