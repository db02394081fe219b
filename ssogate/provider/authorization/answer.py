"""How the answer travels to the client: by a redirect, by a page that goes on by itself, or by a
form. Only `ReplyTo` says where, and that has been verified."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from ssogate.http.pages import PRIVATE_HEADERS, page
from ssogate.http.redirects import url_host
from ssogate.oauth.errors import ReplyTo, ResponseMode
from ssogate.oauth.response import Parameters, redirect_location
from ssogate.provider.transport import Whole

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Response

_SCRIPT = "document.forms[0].submit()"
_SCRIPT_SOURCE = f"'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'"


def answer(
    environ: WSGIEnvironment,
    reply_to: ReplyTo,
    parameters: Parameters,
    *,
    name: str,
    after_form: bool,
    by_itself: bool = True,
) -> Response:
    """Send the browser to the client called `name`, or, if not `by_itself`, let the person go.
    `after_form` says whether it may be following redirects that began with a form of ours: what
    such a form may lead to, its page's Content-Security-Policy says, and that names no client (CSP
    Level 3, "form-action")."""
    if reply_to.mode is ResponseMode.FORM_POST:
        return _form(environ, reply_to, parameters, name)
    location = redirect_location(reply_to, parameters)
    if by_itself and not after_form:
        return Whole(b"", 303, {**PRIVATE_HEADERS, "Location": location})
    return way_on(environ, location, name=name, by_itself=by_itself)


def way_on(
    environ: WSGIEnvironment, location: str, *, name: str, by_itself: bool = True
) -> Response:
    """A page that goes on to the client called `name`, or that has a link and says whose host it
    leads to."""
    host = "" if by_itself else destination(location)
    response = page(environ, "continue.html", name=name, location=location, host=host)
    if by_itself:
        response.headers["Refresh"] = f"0; url={location}"
    return response


def destination(redirect_uri: str) -> str:
    """Give the host that an answer goes to, in words for a person; the scheme of an app's own."""
    return url_host(redirect_uri) or redirect_uri.partition(":")[0]


def _form(
    environ: WSGIEnvironment, reply_to: ReplyTo, parameters: Parameters, name: str
) -> Response:
    """OAuth 2.0 Form Post Response Mode: the one page of ours that runs a script, and this one."""
    response = page(
        environ,
        "form_post.html",
        name=name,
        action=reply_to.redirect_uri,
        fields=parameters,
        script=_SCRIPT,
    )
    # Not only the client's host: browsers hold to this what the client then redirects to.
    policy = response.headers["Content-Security-Policy"].replace(
        "form-action 'self'", f"form-action {reply_to.redirect_uri.partition(':')[0]}:"
    )
    response.headers["Content-Security-Policy"] = f"{policy}; script-src {_SCRIPT_SOURCE}"
    response.headers["Referrer-Policy"] = "no-referrer"  # it is no form for a page of ours
    return response
