"""What an address means, whoever asks for it: where it leads, and which rules decide.

Worked out once by the functions that the layers ask, and remembered; a change of the configuration
is another process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from json.encoder import encode_basestring_ascii as quoted

from ssogate.http.log import path_alone
from ssogate.http.rendered import Documents
from ssogate.http.site import OWN, Site
from ssogate.http.target import authority
from ssogate.lane.orders import Judged, Moved, Ours, Place
from ssogate.lane.remembered import Remembered
from ssogate.lane.requests import METHODS, PATH
from ssogate.model import Target
from ssogate.policy import Policy
from ssogate.policy.decide import matching
from ssogate.upstream.route import Redirect, Route, RouteTable, Upstream

MAX_PLACES = 4096  # addresses that are remembered
MAX_PATH = 512  # bytes of a path that is remembered, or logged

_GRAPHIC = re.compile(r"[\x21-\x7e]*+")

Key = tuple[bytes, bytes, str]
"""Method, path and Host header."""


class Places:
    """`own` are the gate's own addresses (those that end with a slash are trees); `answers` says
    whether the gate answers there, whatever it is asked, and no application; `auth` is that of
    them where a proxy asks, who is told of a visitor by `identity`, and `documents` are those that
    say the same to everybody. `scheme` is how visitors reach the site."""

    def __init__(
        self,
        *,
        site: Site,
        scheme: str,
        policy: Policy,
        routes: RouteTable,
        own: Collection[str],
        answers: Callable[[Target], bool],
        auth: str,
        identity: Mapping[str, str],
        documents: Documents,
    ) -> None:
        self._site, self._scheme = site, scheme
        self._policy, self._routes = policy, routes
        self._own, self._answers = frozenset(own), answers
        self._trees = (OWN, *(path for path in own if path.endswith("/")))
        self.auth, self._identity, self.documents = auth, identity, documents
        self.at: Remembered[Key, Place | Moved | Ours] = Remembered(
            MAX_PLACES, self._place, _is_short
        )
        """What there is. Raises `GateError` for addresses that no site of ours has."""
        self.asked = Remembered(MAX_PLACES, self._question, _is_short)
        """What decides about the request that a proxy asks about. Raises as `at`."""

    def is_own(self, path: str) -> bool:
        """Whether an address is the gate's own."""
        return path in self._own or path.startswith(self._trees)

    def _target(self, key: Key) -> Target | None:
        """What is asked for, if it is spelt in the one canonical way."""
        method, path = METHODS.get(key[0]), key[1].decode("latin-1")
        if method is None or not PATH.fullmatch(key[1]):
            return None
        target = self._site.target(method, path, key[2])
        return target if target.path == path else None

    def _question(self, key: Key) -> Judged | None:
        target = self._target(key)
        if target is None or self.is_own(target.path_info):
            return None
        return Judged(matching(self._policy, target), self._identity, logged("GET", self.auth))

    def _place(self, key: Key) -> Place | Moved | Ours | None:
        target = self._target(key)
        if target is None:
            return None
        if self.is_own(target.path_info):
            return _ours(target) if self._answers(target) else None
        route = self._routes.find(target)
        if route is None:
            return None
        path = logged(target.method, path_alone(target.path)[:MAX_PATH])
        judged = Judged(matching(self._policy, target), route.identity, path)
        if isinstance(route.to, Redirect):
            return _moved(judged, route.to, route.upstream_path(target))
        return self._relayed(judged, route, route.to, target, authority(target.host, key[2]))

    def _relayed(
        self, judged: Judged, route: Route, to: Upstream, target: Target, name: str
    ) -> Place:
        hosts = (
            f"Host: {to.host_header or name}\r\nX-Forwarded-Host: {name}\r\n"
            f"X-Forwarded-Proto: {self._scheme}\r\nX-Request-Id: "
        )
        return Place(
            judged,
            route,
            to,
            target.method,
            f"{target.method} {route.upstream_path(target)}".encode(),
            hosts.encode(),
            f"{self._scheme}://{name}",
        )


def logged(method: str, path: str) -> str:
    """Give method and path as members of a JSON object."""
    return f'"method":"{method}","path":{quoted(path)}'


def _ours(target: Target) -> Ours | None:
    """Give an address whose one spelling needs no decoding."""
    path = target.path_info
    if target.path != path:
        return None
    return Ours(Judged((), {}, logged(target.method, path)), target.method, path)


def _moved(judged: Judged, to: Redirect, path: str) -> Moved | None:
    location = to.location(path)
    plain = _GRAPHIC.fullmatch(location)
    return Moved(judged, location, to.status, to.keep_path) if plain else None


def _is_short(key: Key) -> bool:
    return len(key[1]) <= MAX_PATH
