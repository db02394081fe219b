"""What a person reads: every page of the gate, and every refusal as a page or as JSON.

All text is escaped by the template engine; pages run no script, load nothing that is not the
theme's and cannot be framed. The one style sheet is inline, and the Content-Security-Policy names
its hash. Pages speak the visitor's language; JSON and the log speak English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.audience import wants_page
from ssogate.http.languages import msgid
from ssogate.http.log import log_refusal
from ssogate.http.theme import Pages, standard_pages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

# `same_origin` checks such forms, and under no-referrer a browser would send them with
# `Origin: null`. No other page may say where it was: confirm.html's address holds a signed link.
_POSTED_FORM = re.compile(r"<form\b[^>]*\bmethod=[\"']?post\b", re.IGNORECASE)
_SIGNED_IN_AS = msgid("You are signed in as %(username)s.")


def page(
    environ: WSGIEnvironment, template: str, /, *, status: int = 200, **values: object
) -> Response:
    """Give a page of the gate, made of `templates/<template>`, in the visitor's language."""
    pages = _pages(environ)
    text = pages.render(template, values, _accept_language(environ))
    response = Response(text, status, PRIVATE_HEADERS, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = pages.content_security_policy
    if _POSTED_FORM.search(text):
        response.headers["Referrer-Policy"] = "same-origin"
    return response


def translated(environ: WSGIEnvironment, text: str, /, **values: object) -> str:
    """Give an English text in the visitor's language, and fill in its `%(placeholders)s`."""
    found = _pages(environ).languages.best(_accept_language(environ)).gettext(text)
    return found % values if values else found


def _pages(environ: WSGIEnvironment) -> Pages:
    return env.pages(environ) or standard_pages()


def _accept_language(environ: WSGIEnvironment) -> str:
    return str(environ.get("HTTP_ACCEPT_LANGUAGE", ""))


def form_page(
    environ: WSGIEnvironment, template: str, /, error: GateError | None = None, **values: object
) -> Response:
    """Give a page with a form, which says why what was sent before was refused, if it was."""
    values = {"problem": error.public if error else "", **values}
    response = page(environ, template, status=error.status if error else 200, **values)
    return _told(response, error) if error else response


def reply_json(status: int, **values: object) -> Response:
    """Give a JSON answer of ours, which says its status once more."""
    return reply_object({"status": status, **values}, status=status)


def reply_object(values: Mapping[str, object], *, status: int = 200) -> Response:
    """Give a JSON object in which nothing can be taken for HTML."""
    text = json.dumps(values).replace("<", "\\u003c")
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
    username: str = "",
    sign_in: str = "",
    as_page: bool | None = None,
) -> Response:
    """Log a refusal, and give it as a page to a person and as JSON to a script.

    `reason` is a sentence that is safe to show; `username` whom the visitor is signed in as;
    `sign_in` an address to sign in at. `as_page` overrides the guess about who asks.
    """
    log_refusal(error, environ, rule=rule)
    request_id = env.request_id(environ)
    if wants_page(environ) if as_page is None else as_page:
        response = page(
            environ,
            "refusal.html",
            status=error.status,
            error=error,
            reason=reason,
            username=username,
            sign_in=sign_in,
            request_id=request_id,
        )
    else:
        who = _SIGNED_IN_AS % {"username": username} if username else ""
        message = " ".join(filter(None, (error.public, reason, who)))
        fields = {"code": error.code, "message": message, "request_id": request_id}
        response = reply_json(error.status, **fields, **({"sign_in": sign_in} if sign_in else {}))
    return _told(response, error)


def _told(response: Response, error: GateError) -> Response:
    response.headers.extend(error.headers)
    response.headers["X-SSOGate-Error"] = error.code
    return response
