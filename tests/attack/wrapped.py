"""The gate around an app in the same process, under gunicorn: `gate()` is what it serves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ssogate.app import SSOGate

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

seen: list[dict[str, Any]] = []


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say what the gate passed on; `/_seen` gives the list of all others."""
    if environ["PATH_INFO"] == "/_seen":
        body = json.dumps(seen).encode()
        seen.clear()
    else:
        said: dict[str, Any] = {
            key: value for key, value in environ.items() if isinstance(value, str)
        }
        said["size"] = len(environ["wsgi.input"].read())
        seen.append(said)
        body = json.dumps(said).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def gate() -> WSGIApplication:
    return SSOGate(echo)
