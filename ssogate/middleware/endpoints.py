"""The gate's own addresses, and the only place where a verdict becomes a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from ssogate.directory import may_sign_out
from ssogate.errors import DatabaseError, GateError, NoRoute, StoreFailure
from ssogate.http import environ as env
from ssogate.http.audience import prefers_json, wants_page
from ssogate.http.cookies import Cookies, is_own_cookie
from ssogate.http.log import log
from ssogate.http.pages import redirect, refusal
from ssogate.http.redirects import HOME
from ssogate.http.site import OWN
from ssogate.model import AllOf, Endpoint, Listed, LocalPath, Session, SignIn, SignOut, Step
from ssogate.sessions import Keeper

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Endpoints:
    """Serve `table`, a dict of exact paths, and of trees: paths that end with a slash, for all that
    begins so. A miss costs one look-up. `second_factor` is the page
    that asks for one; `pages` are the addresses in the table that a sign-in may lead to, and
    `landing` says where to instead.

    A login method returns a `SignIn`; here it becomes a session with a new id and a redirect, so
    no method can forget either.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        table: Mapping[str, Endpoint],
        keeper: Keeper,
        cookies: Cookies,
        second_factor: str,
        pages: Collection[str] = (),
        landing: Callable[[LocalPath], LocalPath] = lambda to: to,
    ) -> None:
        self.app, self.table, self.keeper, self.cookies = app, dict(table), keeper, cookies
        self.second_factor, self.pages = second_factor, frozenset(pages)
        self.landing = landing
        self.trees = tuple(path for path in self.table if path.endswith("/"))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            path = env.target(environ).path_info
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        endpoint = self.table.get(path)
        if endpoint is None and path.startswith(self.trees):
            endpoint = next(self.table[tree] for tree in self.trees if path.startswith(tree))
        if endpoint is None and not path.startswith(OWN):
            return self.app(environ, start_response)
        try:
            if endpoint is None:
                raise NoRoute
            response = self._reply(environ, endpoint) or self._apps(path)
        except GateError as error:
            # Who follows a link is a person, whatever the program calls itself.
            by_link = environ["REQUEST_METHOD"] != "POST" and not prefers_json(environ)
            as_page = by_link or wants_page(environ)
            # Below OWN a visitor may write anything: only an address that there is names itself.
            rule = OWN if endpoint is None else path
            response = refusal(error, environ, rule=rule, as_page=as_page)
        return response(environ, start_response)

    def _apps(self, path: str) -> WSGIApplication:
        if path.startswith(OWN):
            raise NoRoute
        return self.app

    def _reply(self, environ: WSGIEnvironment, endpoint: Endpoint) -> WSGIApplication | None:
        try:
            reply = endpoint(Request(environ))
        except StoreFailure as error:
            raise DatabaseError(str(error)) from error
        if isinstance(reply, SignIn):
            return self._sign_in(environ, reply)
        if isinstance(reply, SignOut):
            return self._sign_out(environ, reply)
        return self._onward(reply) if isinstance(reply, LocalPath) else reply

    def _sign_in(self, environ: WSGIEnvironment, sign_in: SignIn) -> WSGIApplication:
        current, client = env.session(environ), env.address(environ)
        opened = self.keeper.open(sign_in, current, client)
        if isinstance(opened, Step):
            response = redirect(self.second_factor)
            response.headers["Set-Cookie"] = self.cookies.step.set(opened.token)
            return response
        log.info(
            "signed in",
            user=opened.identity.canonical,
            method=sign_in.method,
            replaced=current.identity.canonical if current else None,
            client=client,
            request_id=env.request_id(environ),
        )
        response = self._onward(sign_in.return_to)
        response.headers["Set-Cookie"] = self.cookies.session.set(opened.token)
        if sign_in.step:
            response.headers.add("Set-Cookie", self.cookies.step.end())
        if sign_in.device:
            response.headers.add("Set-Cookie", self.cookies.device.set(sign_in.device))
        return response

    def _onward(self, to: LocalPath) -> Response:
        """To no address of our own but a page: a link must not sign out again, or in by another."""
        path = to.text.partition("?")[0]
        landed = HOME if path in self.table and path not in self.pages else self.landing(to)
        return redirect(landed.text)

    def _sign_out(self, environ: WSGIEnvironment, sign_out: SignOut) -> WSGIApplication:
        response = sign_out.reply
        try:
            ended = self._end(env.session(environ), sign_out)
        except GateError as error:
            as_page = response.mimetype != "application/json"  # as the method would have replied
            return refusal(error, environ, as_page=as_page)
        log.info("signed out", sessions=ended, request_id=env.request_id(environ))
        # Only for who sent it: a form of another site, which comes without, must not take it away.
        if sign_out.sessions is None and is_own_cookie(environ.get("HTTP_COOKIE", "")):
            response.headers["Set-Cookie"] = self.cookies.session.end()
        return response

    def _end(self, session: Session | None, sign_out: SignOut) -> int:
        match sign_out.sessions:
            case AllOf(username, enrolment):
                return self.keeper.close_all(
                    username, partial(may_sign_out, self.keeper.store, enrolment)
                )
            case Listed() as listed:
                return self.keeper.close_listed(listed)
        if session:
            self.keeper.close(session)
        return int(session is not None)
