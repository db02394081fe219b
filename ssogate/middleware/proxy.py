"""The innermost layer in front of an upstream: choose the route, relay, pass the answer on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssogate.errors import CrossSite, GateError, NoRoute, UpgradeRefused
from ssogate.http import environ as env
from ssogate.http.framing import body_length
from ssogate.http.identity import identity_headers
from ssogate.http.pages import redirect, refusal
from ssogate.http.scrub import Scrubber
from ssogate.model import Target
from ssogate.upstream.forward import Answer, Body, Outgoing, relay
from ssogate.upstream.headers import RequestHeaders, keep_private, response_headers
from ssogate.upstream.route import Redirect, Route, RouteTable, Upstream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NOT_GRAPHIC = re.compile(r"[^\x21-\x7e]")


class ReverseProxy:
    """Relay each request to the upstream of its route, or redirect it.

    `managed` names headers that no visitor may send, besides the well-known ones and those of the
    routes. The gate's own cookies are kept from every upstream, both ways.
    """

    def __init__(self, routes: RouteTable, *, managed: Iterable[str] = ()) -> None:
        self.routes = routes
        told = {name for route in routes.routes for name in route.identity}
        self.request_headers = RequestHeaders(Scrubber(told.union(managed)))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            target = env.target(environ)
            route = self.routes.find(target)
            if route is None:
                raise NoRoute
            if failure := env.failed(environ):
                raise failure
            if isinstance(route.to, Redirect):
                return _redirect(route, route.to, target)(environ, start_response)
            answer = self._relay(environ, target, route, route.to)
            headers = self._answer_headers(environ, route, answer)
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        start_response(f"{answer.status} {answer.reason}", headers)
        return answer.body

    def _relay(
        self, environ: WSGIEnvironment, target: Target, route: Route, upstream: Upstream
    ) -> Answer:
        _refuse_upgrade(environ, route)
        request_id = env.request_id(environ)
        request = Outgoing(
            method=target.method,
            path=route.upstream_path(target),
            lines=self._request_lines(environ, route, upstream, request_id),
            body=_body(environ, route.max_body),
            request_id=request_id,
        )
        return relay(upstream, request)

    def _request_lines(
        self, environ: WSGIEnvironment, route: Route, upstream: Upstream, request_id: str
    ) -> list[str]:
        """The visitor's headers first, filtered; then each of ours, exactly once."""
        lines = self.request_headers.lines(environ, method_override=route.method_override)
        host = env.origin_host(environ)
        lines.append(f"Host: {upstream.host_header or host}")
        lines.append(f"X-Forwarded-Host: {host}")
        lines.append(f"X-Forwarded-Proto: {env.scheme(environ)}")
        lines.append(f"X-Request-Id: {request_id}")
        client = env.client(environ)
        if client is not None:
            lines.append(f"X-Forwarded-For: {client}")
        session = env.session(environ)
        if session is not None:
            for name, value in identity_headers(session.identity, route.identity):
                lines.append(f"{name}: {value}")
        return lines

    def _answer_headers(
        self, environ: WSGIEnvironment, route: Route, answer: Answer
    ) -> list[tuple[str, str]]:
        site = f"{env.scheme(environ)}://{env.origin_host(environ)}"
        headers = response_headers(
            answer.fields,
            connection=answer.connection,
            relocate=lambda location: route.relocated(location, site),
        )
        if env.private(environ):
            keep_private(headers)
        return headers


def _redirect(route: Route, to: Redirect, target: Target) -> WSGIApplication:
    """The host comes from the configuration alone; the path is the judged one."""
    location = to.location(route.upstream_path(target))
    return redirect(_NOT_GRAPHIC.sub(_escaped, location), status=to.status)


def _escaped(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _refuse_upgrade(environ: WSGIEnvironment, route: Route) -> None:
    """An offer of h2c is merely not passed on: a client that makes it goes on in HTTP/1.1 as well
    (RFC 9110, section 7.8). WebSocket clients do not; theirs are for a worker with a lane, which
    takes all that it may."""
    offer = environ.get("HTTP_UPGRADE")
    if offer is None or offer.strip(" \t").lower() == "h2c":
        return
    origin = environ.get("HTTP_ORIGIN")
    if route.websockets and origin not in (
        None,
        f"{env.scheme(environ)}://{env.origin_host(environ)}",
    ):
        raise CrossSite(f"a WebSocket for a page of {origin[:80]!r}")
    raise UpgradeRefused(f"upgrade to {offer[:40]!r}")


def _body(environ: WSGIEnvironment, limit: int) -> Body | None:
    """The request's body, or None without one. Raises `BadHeaders`."""
    length = body_length(environ)
    if length is None:
        return None
    return Body(environ["wsgi.input"].read, None if length == "chunks" else length, limit)
