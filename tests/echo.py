"""An upstream that says what it was sent, as JSON, and counts: the truth at the other end.

Run by gunicorn with its lenient settings, so that it would believe what it should never get.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

seen: list[dict[str, Any]] = []


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Echo a request; `/_seen` gives the list of all others (the server runs one worker)."""
    if environ["PATH_INFO"] == "/_seen":
        body = json.dumps(seen).encode()
        seen.clear()
    else:
        digest, size = sha256(), 0
        while block := environ["wsgi.input"].read(65536):
            digest.update(block)
            size += len(block)
        said = {
            "method": environ["REQUEST_METHOD"],
            "uri": environ["RAW_URI"],
            "headers": {k: v for k, v in environ.items() if k.startswith("HTTP_")},
            "size": size,
            "sha256": digest.hexdigest(),
        }
        seen.append(said)
        body = json.dumps(said).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
