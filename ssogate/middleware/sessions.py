"""Cookie to session: reads only. A store that fails means a refusal, never an anonymous visitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.cookies import session_token
from ssogate.http.pages import refusal
from ssogate.model import Session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Find = Callable[[str], Session | None]
"""What gives the live session of a token."""


class Sessions:
    """Find the session that a request carries, by `find` (a `Keeper`'s)."""

    def __init__(self, app: WSGIApplication, *, cookie: str, find: Find) -> None:
        self.app, self.cookie, self.find = app, cookie, find

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        token = session_token(environ.get("HTTP_COOKIE", ""), self.cookie)
        try:
            environ[env.SESSION] = self.find(token) if token else None
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        return self.app(environ, start_response)
