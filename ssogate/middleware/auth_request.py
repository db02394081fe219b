"""What a proxy in front asks before it serves a visitor by itself: nginx's `auth_request`.

The proxy must be a trusted one. It passes the visitor's cookies and address on, and says in
X-Original-Method and X-Original-URI what the visitor asked it for. The answer is for the proxy
alone: 204 with the headers that tell an app who it is, 401 with where to sign in, or 403.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request, Response

from ssogate.errors import Forbidden, GateError, NoRoute, SignInRequired
from ssogate.http import environ as env
from ssogate.http.identity import identity_headers
from ssogate.http.log import log_refusal
from ssogate.http.redirects import HOME, return_path
from ssogate.http.site import OWN, Site
from ssogate.middleware.guard import Decide
from ssogate.model import Identity, LocalPath, Outcome, Target

AUTH = f"{OWN}auth"


class AuthRequest:
    """Answer by `decide`, as the guard would. `identity` are the headers that name the visitor;
    `own` says which paths are the gate's, which the proxy has to send there, signed links and all.
    """

    def __init__(
        self,
        *,
        site: Site,
        decide: Decide,
        challenge_url: Callable[[LocalPath], str],
        identity: Mapping[str, str],
        own: Callable[[str], bool],
    ) -> None:
        self.site, self.decide, self.own = site, decide, own
        self.challenge_url, self.identity = challenge_url, identity

    def __call__(self, request: Request) -> Response:
        """Raises `NoRoute` for everybody but a trusted proxy that asks."""
        original = env.original(request.environ)
        if original is None:
            raise NoRoute
        session = env.session(request.environ)
        try:
            target = self.site.target(*original, env.origin_host(request.environ))
            if self.own(target.path_info):
                raise Forbidden("the proxy has to send this to the gate")
            return self._judge(request, target, session.identity if session else None)
        except GateError as error:
            log_refusal(error, request.environ)
            return _answer(403, {"X-SSOGate-Error": error.code})

    def _judge(self, request: Request, target: Target, identity: Identity | None) -> Response:
        verdict = self.decide(target, identity, env.client(request.environ))
        if verdict.outcome is Outcome.ALLOW:
            return _answer(204, dict(identity_headers(identity, self.identity) if identity else ()))
        error = Forbidden(verdict.reason) if verdict.outcome is Outcome.DENY else SignInRequired()
        log_refusal(error, request.environ, rule=verdict.rule)
        told = {**dict(error.headers), "X-SSOGate-Error": error.code}
        if verdict.outcome is Outcome.DENY:
            return _answer(403, told)
        to = return_path(target.path, target.query) if target.method in ("GET", "HEAD") else HOME
        return _answer(401, {**told, "Location": self.challenge_url(to)})


def _answer(status: int, headers: Mapping[str, str]) -> Response:
    response = Response(status=status, headers={**headers, "Cache-Control": "no-store"})
    if status == 204:
        del response.headers["Content-Type"]  # there is no content
    response.autocorrect_location_header = False
    return response
