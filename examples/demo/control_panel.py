"""The boathouse panel: a control panel that has never heard of single sign-on gateways.

A program that knows the panel's own password may ask `POST /api/session` to sign one of its users
in, and gets an address that works once: what every panel of a hosting company can do. gateway.yaml
describes that call under `launch`. A demonstration: all of it lives in memory.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader
from werkzeug.exceptions import HTTPException, NotFound, Unauthorized
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HERE = Path(__file__).parent
COOKIE = "panel"
OPERATOR, PASSWORD = "gate", "of the demonstration"
USERS = {"harbour": "Harbour Rowing Club"}
PAGES = {"": "Overview", "boats": "Boats", "bookings": "Bookings"}
SECONDS = 60  # that an address works for
MOST = 1000  # addresses and sessions kept in memory; the oldest ends first


@dataclass(frozen=True, slots=True)
class Panel:
    """The WSGI application."""

    url: str
    tickets: dict[str, tuple[str, str, float]] = field(default_factory=dict, repr=False)
    sessions: dict[str, str] = field(default_factory=dict, repr=False)
    pages: Environment = field(
        default_factory=lambda: Environment(
            autoescape=True, loader=FileSystemLoader(HERE / "pages")
        )
    )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = self._answer(Request(environ))
        except HTTPException as error:
            response = Response(f"{error.code} {error.name}\n", error.code)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/api/session" and request.method == "POST":
            return self._address(request)
        if request.path == "/enter":
            return self._enter(request)
        page = request.path.strip("/")
        if page not in PAGES:
            raise NotFound
        user = self.sessions.get(request.cookies.get(COOKIE, ""))
        template = "panel/page.html" if user else "panel/locked.html"
        text = self.pages.get_template(template).render(
            user=user, account=USERS.get(user or ""), pages=PAGES, current=page
        )
        return Response(text, 200 if user else 401, content_type="text/html; charset=utf-8")

    def _address(self, request: Request) -> Response:
        """What the gate calls."""
        sent = request.authorization
        given = (sent.username or "", sent.password or "") if sent else ("", "")
        known = zip(given, (OPERATOR, PASSWORD), strict=True)
        if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in known):
            raise Unauthorized
        asked = request.get_json()
        user, page = asked.get("user", ""), asked.get("page", "")
        if user not in USERS:
            return Response('{"error": "There is no such user."}', content_type="application/json")
        ticket = secrets.token_urlsafe(32)
        _remember(self.tickets, ticket, (user, page, time.monotonic() + SECONDS))
        return Response(
            f'{{"url": "{self.url}/enter?ticket={ticket}"}}', content_type="application/json"
        )

    def _enter(self, request: Request) -> Response:
        user, page, until = self.tickets.pop(request.args.get("ticket", ""), ("", "", 0.0))
        if not user or time.monotonic() > until:
            return redirect("/", 303)
        session = secrets.token_urlsafe(32)
        _remember(self.sessions, session, user)
        response = redirect(f"/{page}", 303)
        response.set_cookie(COOKIE, session, httponly=True, samesite="Lax")
        return response


def _remember(table: dict[str, Any], key: str, value: object) -> None:
    table[key] = value
    while len(table) > MOST:
        table.pop(next(iter(table)))


def panel() -> WSGIApplication:
    """The panel that `DEMO_PANEL` has the address of, with its static files."""
    return SharedDataMiddleware(Panel(os.environ["DEMO_PANEL"]), {"/static": str(HERE / "static")})
