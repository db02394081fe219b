"""The border: who is the client, what does it ask for, and nothing that it may not say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssogate.errors import GateError, UnknownHost
from ssogate.http import environ as env
from ssogate.http.client_address import Trusts, client_address
from ssogate.http.framing import body_length
from ssogate.http.pages import refusal
from ssogate.http.scrub import Scrubber
from ssogate.model import Target

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Opening:
    """An ambiguous spelling that one route lets through, because its app needs it."""

    prefix: str
    """The path below which it counts, without a slash at the end."""
    encoded_slash: bool = False
    double_slash: bool = False


class Edge:
    """Compute the one `Target`, find the client, scrub; refuse what is ambiguous.

    `hosts` are the names that are served (an entry `*.example.com` serves what is below);
    `trusts` says of a peer whether it is a proxy of the operator's.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        hosts: Iterable[str],
        scheme: str,
        trusts: Trusts,
        scrubber: Scrubber,
        openings: Sequence[Opening] = (),
    ) -> None:
        self.app = app
        hosts = frozenset(hosts)
        self.hosts = frozenset(host for host in hosts if not host.startswith("*."))
        self.parents = frozenset(host[2:] for host in hosts if host.startswith("*."))
        self.scheme, self.trusts, self.scrubber = scheme, trusts, scrubber
        self.openings = openings

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        peer = environ.get("REMOTE_ADDR", "")
        environ[env.CLIENT] = client_address(peer, forwarded_for, self.trusts)
        environ[env.SCHEME] = environ["wsgi.url_scheme"] = self.scheme
        self.scrubber.scrub(environ)
        try:
            body_length(environ)
            target = self._target(environ)
        except GateError as error:
            return refusal(error, environ)(environ, start_response)
        environ[env.TARGET] = target
        environ["PATH_INFO"] = env.path_info(target)
        uri = f"{target.path}?{target.query}" if target.query else target.path
        environ["RAW_URI"] = environ["REQUEST_URI"] = uri
        environ["QUERY_STRING"] = target.query
        return self.app(environ, start_response)

    def _target(self, environ: WSGIEnvironment) -> Target:
        if self.openings:
            path = environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"]
            opened = [o for o in self.openings if path.startswith(f"{o.prefix}/")]
            target = env.read_target(
                environ,
                encoded_slash=any(opening.encoded_slash for opening in opened),
                double_slash=any(opening.double_slash for opening in opened),
            )
        else:
            target = env.read_target(environ)
        if target.host not in self.hosts and not self._below_a_parent(target.host):
            raise UnknownHost(target.host)
        return target

    def _below_a_parent(self, host: str) -> bool:
        while self.parents and host:
            _, _, host = host.partition(".")
            if host in self.parents:
                return True
        return False
