"""What a person reads: every page of the gate, and every refusal as a page or as JSON.

All text is escaped by the template engine; pages run no script, load nothing and cannot be
framed. The one style sheet is inline, and the Content-Security-Policy names its hash.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.wrappers import Response

from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.audience import wants_page
from ssogate.http.log import log_refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("ssogate.http"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = templates.loader.get_source(templates, "style.css")  # type: ignore[union-attr]
    templates.globals["style"] = Markup(source)  # noqa: S704  (our own file, not a visitor's text)
    return templates


@cache
def _content_security_policy() -> str:
    digest = sha256(str(_templates().globals["style"]).encode()).digest()
    style = base64.b64encode(digest).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """Give a page of the gate, made of `templates/<template>`."""
    text = _templates().get_template(template).render(**values)
    response = Response(text, status, PRIVATE_HEADERS, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _content_security_policy()
    return response


def reply_json(status: int, **values: object) -> Response:
    """Give a JSON answer in which nothing can be taken for HTML."""
    text = json.dumps({"status": status, **values}).replace("<", "\\u003c")
    return Response(text, status, PRIVATE_HEADERS, content_type="application/json")


def redirect(location: str, *, status: int = 303) -> Response:
    """Send a visitor on, without a body that repeats the address, a referrer or a cached copy.

    `location` is a `LocalPath.text` or comes from the configuration.
    """
    response = Response(b"", status, {**PRIVATE_HEADERS, "Location": location})
    response.autocorrect_location_header = False
    return response


def refusal(
    error: GateError,
    environ: WSGIEnvironment,
    *,
    rule: str = "",
    reason: str = "",
    sign_in: str = "",
    as_page: bool | None = None,
) -> Response:
    """Log a refusal, and give it as a page to a person and as JSON to a script.

    `reason` is a sentence that is safe to show; `sign_in` an address to sign in at. `as_page`
    overrides the guess about who asks.
    """
    log_refusal(error, environ, rule=rule)
    request_id = env.request_id(environ)
    if wants_page(environ) if as_page is None else as_page:
        response = page(
            "refusal.html",
            status=error.status,
            error=error,
            reason=reason,
            sign_in=sign_in,
            request_id=request_id,
        )
    else:
        message = f"{error.public} {reason}".strip()
        fields = {"code": error.code, "message": message, "request_id": request_id}
        response = reply_json(error.status, **fields, **({"sign_in": sign_in} if sign_in else {}))
    response.headers.extend(error.headers)
    response.headers["X-SSOGate-Error"] = error.code
    return response
