"""Which upstream (or redirect) serves a target.

Strategy: three tables of hosts (exact, wildcard, any), each leading to a tree of path segments.
A look-up walks the labels of one host and the segments of one path, however many routes there
are. Segments are compared byte for byte in their canonical spelling, so `/app` is `/app` and all
below it, but never `/appx`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from socket import socket

from ssogate.errors import BadTarget
from ssogate.model import Target
from ssogate.upstream.balance import Balance
from ssogate.upstream.health import Health
from ssogate.upstream.origin import Origin
from ssogate.upstream.pool import Pool


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an upstream is waited for, in seconds."""

    read: float
    """For an answer, and for each next piece of it."""
    write: float
    """When it does not take what is sent to it."""
    queue: float
    """For one's turn."""
    idle: float
    """How long an unused connection is kept."""
    connect: float
    """For a connection."""
    total: float
    """For the request as a whole; infinite for no limit."""


@dataclass(frozen=True, slots=True)
class Server:
    """One of the servers of an upstream. `pool` is for threads, which may wait; `dial` opens a
    connection for who brings its own loop, and raises `UpstreamUnreachable`."""

    origin: Origin
    pool: Pool
    dial: Callable[[], socket]
    health: Health


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that has been opened."""

    name: str
    servers: tuple[Server, ...]
    balance: Balance[Server]
    limits: Limits
    host_header: str = ""
    """What is sent as Host; empty: what the visitor sent."""

    def choose(self, now: float, besides: Server | None = None) -> Server:
        """Give the server that is to have the next request; `now` is in monotonic seconds.

        The request counts as under way until `server.health.ended()`, which follows each call
        once; what came of it, if it was the server's doing, is told before: `succeeded()` or
        `failed(now)`. `besides` is a server that could not be reached. Raises `UpstreamDown`.
        """
        return self.balance.choose(now, besides)

    def close(self) -> None:
        """End the checks, and close what is idle in this process."""
        self.balance.close()
        for server in self.servers:
            server.pool.close()

    def own_path(self, url: str) -> str | None:
        """Give the path, with what follows, of a URL that points at it; None for any other URL."""
        for server in self.servers:
            path = server.origin.own_path(url, self.host_header)
            if path is not None:
                return path if path.startswith("/") else f"/{path}"
        return None

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(str(server.origin) for server in self.servers)})"


@dataclass(frozen=True, slots=True)
class Redirect:
    """A route's answer when it is not relayed."""

    url: str
    status: int
    keep_path: bool

    def location(self, path: str) -> str:
        """Give where it sends a visitor; `path`, with its query, is added if it is to be kept."""
        return self.url.rstrip("/") + path if self.keep_path else self.url


@dataclass(frozen=True, slots=True)
class Route:
    """What is done with the requests for one host and path prefix. Paths are canonical."""

    host: str
    """Exact, `*.example.com` for every name below that one, or empty for any."""
    path: str
    """Without a closing slash; empty for the whole site."""
    to: Upstream | Redirect
    strip_prefix: bool = False
    add_prefix: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Header name to field of the identity."""
    method_override: bool = False
    websockets: bool = False
    max_body: int = 2**30

    def upstream_path(self, target: Target) -> str:
        """Give the path to send, with the query: the judged one, or with whole segments cut off
        and added.

        Raises `BadTarget` where cutting would leave a path that reads as a host (`//x`).
        """
        rest = target.path
        if self.strip_prefix:
            rest = rest[len(self.path) :]
            if rest.startswith("//"):
                raise BadTarget("an empty segment follows the prefix that is stripped")
        path = f"{self.add_prefix}{rest}" or "/"
        return f"{path}?{target.query}" if target.query else path

    def relocated(self, location: str, site: str) -> str:
        """Give a redirect of the upstream to its own address as one to the visitor's site (scheme,
        host and port); any other unchanged.

        The site is always written out: a path that an upstream chose may start with `//`.
        """
        path = None if isinstance(self.to, Redirect) else self.to.own_path(location)
        path = None if path is None else self.visitor_path(path)
        if path is None:
            return location
        return f"{site}{path}" if path.startswith("/") else f"{site}/{path}"

    def visitor_path(self, path: str) -> str | None:
        """Undo `upstream_path`; None for a path that no visitor can have asked for."""
        rest = path[len(self.add_prefix) :]
        if not path.startswith(self.add_prefix) or (rest and rest[0] not in "/?#"):
            return None
        return f"{self.path}{rest}" if self.strip_prefix else rest


class _Node:
    """A place in the tree of path segments."""

    __slots__ = ("below", "route")

    def __init__(self) -> None:
        self.route: Route | None = None
        self.below: dict[str, _Node] = {}


class RouteTable:
    """All routes. The most specific host that has a route for the path wins, then the longest
    path: so a host's own routes and the routes for any host complete one another."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises `ValueError` for two routes of one host and path."""
        self.routes = tuple(routes)
        self._hosts: dict[str, _Node] = {}
        for route in self.routes:
            node = self._hosts.setdefault(route.host, _Node())
            for segment in route.path.split("/")[1:]:
                node = node.below.setdefault(segment, _Node())
            if node.route is not None:
                raise ValueError(f"two routes for {route.host or 'any host'}, {route.path or '/'}")
            node.route = route
        self._only_any = set(self._hosts) <= {""}

    def find(self, target: Target) -> Route | None:
        """Give the route that serves `target`."""
        segments = target.path.split("/")
        for host in ("",) if self._only_any else _candidates(target.host):
            node = self._hosts.get(host)
            if node is not None and (route := _longest(node, segments)):
                return route
        return None


def _candidates(host: str) -> Iterator[str]:
    """The keys under which a host's routes may stand, the most specific first."""
    yield host
    _, dot, rest = host.partition(".")
    while dot:
        yield f"*.{rest}"
        _, dot, rest = rest.partition(".")
    yield ""


def _longest(node: _Node, segments: list[str]) -> Route | None:
    found = node.route
    for segment in segments[1:]:
        below = node.below.get(segment)
        if below is None:
            break
        node = below
        found = node.route or found
    return found
