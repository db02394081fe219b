"""The gate's own addresses, and the only place where a verdict becomes a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from ssogate.directory import owns
from ssogate.errors import GateError, NoRoute
from ssogate.http import environ as env
from ssogate.http.audience import prefers_json, wants_page
from ssogate.http.cookies import end_cookie, is_own_cookie, set_cookie
from ssogate.http.log import log
from ssogate.http.pages import redirect, refusal
from ssogate.http.redirects import HOME
from ssogate.http.site import OWN
from ssogate.model import Endpoint, LocalPath, Session, SignIn, SignOut
from ssogate.sessions import Keeper

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Endpoints:
    """Serve `table`, a dict of exact paths. A miss costs one look-up.

    A login method returns a `SignIn`; here it becomes a session with a new id and a redirect, so
    no method can forget either.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        table: Mapping[str, Endpoint],
        keeper: Keeper,
        secure: bool,
    ) -> None:
        self.app, self.table, self.keeper, self.secure = app, dict(table), keeper, secure

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            path = env.target(environ).path_info
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        endpoint = self.table.get(path)
        if endpoint is None and not path.startswith(OWN):
            return self.app(environ, start_response)
        try:
            if endpoint is None:
                raise NoRoute
            response = self._reply(environ, endpoint)
        except GateError as error:
            # Who follows a link is a person, whatever the program calls itself.
            by_link = environ["REQUEST_METHOD"] != "POST" and not prefers_json(environ)
            as_page = by_link or wants_page(environ)
            # Below OWN a visitor may write anything: only an address that there is names itself.
            rule = OWN if endpoint is None else path
            response = refusal(error, environ, rule=rule, as_page=as_page)
        return response(environ, start_response)

    def _reply(self, environ: WSGIEnvironment, endpoint: Endpoint) -> WSGIApplication:
        reply = endpoint(Request(environ))
        if isinstance(reply, SignIn):
            return self._sign_in(environ, reply)
        if isinstance(reply, SignOut):
            return self._sign_out(environ, reply)
        return self._onward(reply) if isinstance(reply, LocalPath) else reply

    def _sign_in(self, environ: WSGIEnvironment, sign_in: SignIn) -> WSGIApplication:
        current = env.session(environ)
        session = self.keeper.open(sign_in, current)
        log.info(
            "signed in",
            user=session.identity.canonical,
            method=sign_in.method,
            replaced=current.identity.canonical if current else None,
            client=str(env.client(environ)),
            request_id=env.request_id(environ),
        )
        response = self._onward(sign_in.return_to)
        response.headers["Set-Cookie"] = set_cookie(session.token, secure=self.secure)
        return response

    def _onward(self, to: LocalPath) -> Response:
        """Never to an address of our own: a link must not sign out again, or in by another one."""
        return redirect(HOME.text if to.text.partition("?")[0] in self.table else to.text)

    def _sign_out(self, environ: WSGIEnvironment, sign_out: SignOut) -> WSGIApplication:
        response = sign_out.reply
        try:
            ended = self._end(env.session(environ), sign_out)
        except GateError as error:
            as_page = response.mimetype != "application/json"  # as the method would have replied
            return refusal(error, environ, as_page=as_page)
        log.info("signed out", sessions=ended, request_id=env.request_id(environ))
        # Only for who sent it: a form of another site, which comes without, must not take it away.
        if sign_out.username is None and is_own_cookie(environ.get("HTTP_COOKIE", "")):
            response.headers["Set-Cookie"] = end_cookie(secure=self.secure)
        return response

    def _end(self, session: Session | None, sign_out: SignOut) -> int:
        if sign_out.username is not None and sign_out.enrolment is not None:
            may = partial(owns, sign_out.enrolment)
            return self.keeper.close_all(sign_out.username, may)
        if session:
            self.keeper.close(session)
        return int(session is not None)
