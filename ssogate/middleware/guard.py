"""The guard asks the policy and does what it says: let through, send to sign in, or refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ssogate.errors import Forbidden, GateError, SignInRequired
from ssogate.http import environ as env
from ssogate.http.audience import wants_page
from ssogate.http.identity import header_value, identity_headers
from ssogate.http.log import log_refusal
from ssogate.http.pages import redirect, refusal
from ssogate.http.redirects import HOME, return_path
from ssogate.model import Address, Decision, Identity, LocalPath, Outcome, Target

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Decide = Callable[[Target, Identity | None, Address | None], Decision]


class Guard:
    """Judge every request by `decide`, and tell the app behind it who the visitor is.

    `REMOTE_USER` and the headers in `identity` are set, or removed, on every request: an app
    never sees one that the guard did not write.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        decide: Decide,
        challenge_url: Callable[[LocalPath], str],
        identity: Mapping[str, str],
    ) -> None:
        self.app, self.decide, self.challenge_url = app, decide, challenge_url
        self.identity = {
            f"HTTP_{name.upper().replace('-', '_')}": field for name, field in identity.items()
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = env.session(environ)
        identity = session.identity if session else None
        try:
            target = env.target(environ)
            decision = self.decide(target, identity, env.client(environ))
            if decision.outcome is Outcome.ALLOW:
                environ[env.PRIVATE] = identity is not None or not decision.everyone
                self._tell(environ, identity)
                return self.app(environ, start_response)
            response = self._refuse(environ, target, decision, identity)
        except GateError as error:
            response = refusal(error, environ)
        return response(environ, start_response)

    def _tell(self, environ: WSGIEnvironment, identity: Identity | None) -> None:
        environ.pop("REMOTE_USER", None)
        environ.pop("AUTH_TYPE", None)
        for key in self.identity:
            environ.pop(key, None)
        if identity:
            environ["REMOTE_USER"] = header_value(identity.username)
            environ["AUTH_TYPE"] = "ssogate"
            environ.update(identity_headers(identity, self.identity))

    def _refuse(
        self,
        environ: WSGIEnvironment,
        target: Target,
        decision: Decision,
        identity: Identity | None,
    ) -> WSGIApplication:
        if decision.outcome is Outcome.DENY:
            return refusal(
                Forbidden(decision.reason),
                environ,
                rule=decision.rule,
                reason=decision.reason,
                username=identity.username if identity else "",
            )
        safe = target.method in ("GET", "HEAD")
        return_to = return_path(target.path, target.query) if safe else HOME
        url = self.challenge_url(return_to)
        if safe and wants_page(environ):
            log_refusal(SignInRequired(), environ, rule=decision.rule)
            return redirect(url)
        # A form that was sent is not thrown away by a redirect: its page is one step back.
        return refusal(SignInRequired(), environ, rule=decision.rule, sign_in=url)
