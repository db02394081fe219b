"""The door to pages that belong to somebody: who is not signed in is sent to sign in first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ssogate.errors import SignInRequired
from ssogate.http import environ as env
from ssogate.http.pages import redirect
from ssogate.http.redirects import return_path
from ssogate.http.same_origin import check_same_origin
from ssogate.http.site import OWN
from ssogate.model import Endpoint, LocalPath, PersonalPage, Reply, User, Visitor
from ssogate.storage import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Request

ACCOUNT = f"{OWN}account"
PASSWORD = f"{ACCOUNT}/password"
SECOND_FACTOR = f"{ACCOUNT}/second-factor"
SESSIONS = f"{ACCOUNT}/sessions"
SWITCH = f"{ACCOUNT}/single-sign-on"
SIGN_OUT = f"{OWN}sign-out"


class Passwords(Protocol):
    """What knows people's passwords."""

    def asks(self, user: User) -> bool:
        """Whether there is a password to ask this user for."""

    def confirm(self, user: User, password: str, environ: WSGIEnvironment) -> str:
        """Raise a `GateError` if it is not the user's, or too many were tried. Give the hash that
        it was found right by; empty where the directory does not keep it."""


class Codes(Protocol):
    """What knows people's second factors."""

    def confirm(self, user: User, code: str, environ: WSGIEnvironment) -> None:
        """Spend a code. Raise a `GateError` if it is not the user's, or too many were tried."""


@dataclass(frozen=True, slots=True)
class Door:
    """`challenge_url` says where to sign in; `public_port` is the port in `public_url`."""

    store: Store
    challenge_url: Callable[[LocalPath], str]
    public_port: int | None = None

    def endpoints(self, pages: Mapping[str, PersonalPage]) -> Mapping[str, Endpoint]:
        """Give the pages as endpoints that let nobody else in, and take no other site's form."""
        return {path: partial(self._open, page) for path, page in pages.items()}

    def _open(self, page: PersonalPage, request: Request) -> Reply:
        posted = request.method == "POST"
        if posted:
            check_same_origin(request.environ, public_port=self.public_port)
        visitor = self.visitor(request)
        if visitor:
            return page(request, visitor)
        if posted:
            raise SignInRequired
        target = env.target(request.environ)
        return redirect(self.challenge_url(return_path(target.path, target.query)))

    def visitor(self, request: Request) -> Visitor | None:
        """Give who is signed in: not as the session was found, a moment ago, but as it is in the
        store."""
        session = env.session(request.environ)
        user = self.store.users.of(session.identity.subject) if session else None
        return Visitor(user, session) if session and user and user.welcome else None

    def sender(self, request: Request) -> Visitor:
        """Give who has sent a form from a page of this site. Raises `CrossSite`, `SignInRequired`,
        and what `check_same_origin` raises."""
        check_same_origin(request.environ, public_port=self.public_port)
        visitor = self.visitor(request)
        if visitor is None:
            raise SignInRequired
        return visitor
