"""The border: who is the client, what does it ask for, and nothing that it may not say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.client_address import Trusts, client_address
from ssogate.http.framing import body_length
from ssogate.http.pages import refusal
from ssogate.http.scrub import Scrubber
from ssogate.http.site import Site
from ssogate.http.target import authority

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Edge:
    """Compute the one `Target`, find the client, scrub; refuse what is ambiguous.

    `scheme` is how visitors reach the site (never a header's word); `trusts` says of a peer
    whether it is a proxy of the operator's.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        site: Site,
        scheme: str,
        trusts: Trusts,
        scrubber: Scrubber,
    ) -> None:
        self.app, self.site, self.scheme = app, site, scheme
        self.trusts, self.scrubber = trusts, scrubber

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        peer = environ.get("REMOTE_ADDR", "")
        client = client_address(peer, forwarded_for, self.trusts)
        environ[env.CLIENT] = client.address
        environ[env.PROGRAM] = client.address if client.certain else None
        if "HTTP_X_ORIGINAL_URI" in environ and self.trusts(env.parse_address(peer)):
            method = environ.get("HTTP_X_ORIGINAL_METHOD", "")
            environ[env.ORIGINAL] = method, environ["HTTP_X_ORIGINAL_URI"]
        environ[env.SCHEME] = environ["wsgi.url_scheme"] = self.scheme
        self.scrubber.scrub(environ)
        try:
            body_length(environ)
            target = env.read_target(environ, self.site.target)
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        environ[env.TARGET] = target
        environ["HTTP_HOST"] = authority(target.host, environ["HTTP_HOST"])
        environ["PATH_INFO"] = env.path_info(target)
        uri = f"{target.path}?{target.query}" if target.query else target.path
        environ["RAW_URI"] = environ["REQUEST_URI"] = uri
        environ["QUERY_STRING"] = target.query
        return self.app(environ, start_response)
