"""One gate in this process, judged twice: by its lane, and by gunicorn's parser and all the layers
in front of an upstream that records exact bytes.

`Gatehouse.order` asks the lane; `Gatehouse.relayed` gives what the layers do with the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.config import Config
from gunicorn.http import get_parser, wsgi
from gunicorn.http.errors import ParseException
from sqlalchemy import text

from ssogate.app import lane, stack
from ssogate.doors import doors
from ssogate.gate import Gate, open_gate
from ssogate.http.cookies import session_key
from ssogate.lane.judge import Lane
from ssogate.lane.orders import Asked, Order, Said, Unknown, peer_at
from ssogate.middleware.proxy import ReverseProxy
from ssogate.model import Identity, SessionRecord, User
from ssogate.settings import load
from ssogate.storage.store import SQLStore
from ssogate.upstream.route import RouteTable, Upstream
from ssogate.upstream.settings import open_routes
from ssogate.worker.safe import SAFE
from tests.attack.stage import COOKIE, HOST, POLICY, SENDERS, Told
from tests.gate import site
from tests.storage.making import NOW, Hands

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PEER = "192.0.2.7"
PROXY = "198.51.100.9"
"""The address of a proxy that is trusted, as whatever comes by a unix socket is."""
SERVER = ("127.0.0.1", 8000)
MAX_HEAD = 8190  # bytes; the worker gives the lane no longer head
SMALL = 10  # bytes of a body that the route /small takes

IDLE, LIFETIME = 600, 3600
OPEN = ["/small/**", "/named/**", "/v1/pub/**", "/ws/open/**"]
RULES: Sequence[dict[str, Any]] = [
    {"name": "open", "path": OPEN, "allow": "public"},
    {"name": "listed", "path": "/listed/**", "allow": {"users": ["john"]}},
    {"name": "members here", "path": "/here/**", "allow": "signed_in", "networks": ["10.0.0.0/8"]},
    {"name": "told", "path": "/pub/posts/**", "methods": ["POST"], "allow": {"groups": ["staff"]}},
    *POLICY["rules"],
]
ROUTES: Sequence[dict[str, Any]] = [
    {"path": "/", "upstream": "app"},
    {"path": "/app", "upstream": "app", "strip_prefix": True},
    {"path": "/v1", "upstream": "app", "strip_prefix": True, "add_prefix": "/api"},
    {"path": "/named", "upstream": "named"},
    {"path": "/small", "upstream": "app", "max_body": f"{SMALL}B"},
    {"path": "/told", "upstream": "app", "identity": {"X-Who": "subject", "X-Mail": "email"}},
    {"path": "/ws", "upstream": "app", "websockets": "allow"},
    {"path": "/override", "upstream": "app", "method_override": "allow"},
    {
        "path": "/slashes",
        "upstream": "app",
        "encoded_slash": "allow",
        "double_slash": "allow",
    },
    {"path": "/go", "redirect": "https://elsewhere.example", "strip_prefix": True},
    {"path": "/members/go", "redirect": "https://elsewhere.example/", "keep_path": False},
    {"host": "raw.example", "path": "/", "upstream": "app"},
    {"host": "*.wild.example", "path": "/", "upstream": "named", "add_prefix": "/wild"},
]

GROUPS = {"sue": frozenset({"staff"}), "zoe": frozenset({"ünï", "staff"})}
NAMES = {"zoe": "Zoë Ünal"}
SEEN = {"due": NOW - 60, "almost": NOW - 59, "idle": NOW - IDLE}
ENDS = {"over": NOW}
PEOPLE = ("john", "sue", "zoe", "due", "almost", "idle", "over", "off", "out")
"""With a session; `off` is deactivated, and the session of `out` was ended."""

_REQUEST_ID = re.compile(rb"\r\nX-Request-Id: [0-9a-f]{16}\r\n")


def address_of(peer: str) -> object:
    """A socket's word for who is at the other end."""
    return (peer, 4711) if peer else ""


def token(name: str) -> str:
    return f"{name:_<43}"


def cookie(name: str) -> str:
    return f"{COOKIE}={token(name)}"


def head(target: str = "/pub/x", *lines: str, method: str = "GET", host: str = HOST) -> bytes:
    """A head as the worker gives it, without the empty line that ends it."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *lines)).encode("latin-1")


def head_of(data: bytes) -> tuple[bytes, bytes]:
    """Cut what a visitor sent into head and rest, as the worker does."""
    end = data.find(b"\r\n\r\n", 2 if data[:2] == b"\r\n" else 0)
    return (data, b"") if end < 0 else (data[:end], data[end + 4 :])


def masked(request: bytes) -> bytes:
    """A request without what differs each time."""
    return _REQUEST_ID.sub(b"\r\nX-Request-Id: (one)\r\n", request)


@dataclass(frozen=True)
class Relayed:
    """What the layers did with a request: the answer's status, and what reached an upstream."""

    status: int
    arrived: tuple[bytes, ...] = ()
    close: bool = True
    """Whether the visitor asked for the connection to end."""
    continued: bool = False
    """Whether the visitor was told to send the body."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of the answer."""
    body: bytes = b""


class _Visitor:
    """The other end of a socket, as far as gunicorn speaks to it before the layers do."""

    def __init__(self) -> None:
        self.told = b""

    def send(self, data: bytes) -> None:
        self.told += data


@dataclass(frozen=True)
class Gatehouse:
    """A gate with people in it."""

    gate: Gate
    clock: Hands
    lane: Lane
    routes: RouteTable
    proxy: ReverseProxy
    layers: WSGIApplication
    upstream: Told
    cfg: Config

    def order(self, data: bytes, peer: str = PEER) -> Order | None:
        found = self.lane.order(data, peer_at(peer))
        return found if isinstance(found, Order) else None

    def said(self, data: bytes, peer: str = PROXY) -> Said | None:
        found = self.lane.order(data, peer_at(peer))
        assert not isinstance(found, Order)
        return found if isinstance(found, Said) else None

    def asked(self, data: bytes, peer: str = PEER) -> Asked | None:
        found = self.lane.order(data, peer_at(peer))
        return found if isinstance(found, Asked) else None

    def still(self, order: Order | None) -> bool:
        assert order is not None
        goes_on = self.lane.still(order)
        assert not isinstance(goes_on, Unknown)
        return goes_on

    def relayed(self, data: bytes, peer: str = PEER) -> Relayed:
        """Have gunicorn's parser and the layers judge whole requests, and relay the first."""
        visitor = _Visitor()
        try:
            request, environ = self.parsed(data, peer, visitor)
        except (ParseException, OSError, StopIteration):
            return Relayed(400)
        told: list[Any] = []
        answer: Any = self.layers(environ, lambda *status: told.extend(status[:2]))  # type: ignore[arg-type]
        body = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        arrived = [it.head + b"\r\n\r\n" + it.body for it in self.upstream.seen()]
        return Relayed(
            status=int(told[-2][:3]),
            arrived=tuple(arrived),
            close=request.should_close(),
            continued=visitor.told == b"HTTP/1.1 100 Continue\r\n\r\n",
            headers=tuple(told[-1]),
            body=body,
        )

    def parsed(self, data: bytes, peer: str, visitor: object = None) -> tuple[Any, dict[str, Any]]:
        """Give gunicorn's request, and its environ."""
        address = address_of(peer)
        request = next(get_parser(self.cfg, iter([data]), address))
        _, environ = wsgi.create(request, visitor, address, SERVER, self.cfg)
        return request, environ

    def fresh(self) -> Gatehouse:
        """The same with a lane that remembers nothing."""
        own = doors(self.gate)
        made = lane(self.gate, own, self.routes, self.proxy.request_headers)
        return replace(self, lane=made)

    def change(self, statement: str) -> None:
        """Change the store by another connection to it, as another process does."""
        other = open_gate(self.gate.loaded, clock=self.clock).store
        assert isinstance(other, SQLStore)
        try:
            other.database.change(text(statement))
        finally:
            other.close()


@contextmanager
def gatehouse(folder: Path, **settings: Any) -> Iterator[Gatehouse]:
    """Open the gate of these tests; `settings` replace those of its gateway.yaml."""
    clock = Hands()
    with Told() as upstream:
        written = site(
            folder,
            upstream.url,
            policy={"rules": RULES},
            sender=SENDERS[0],
            **{
                "public_url": f"https://{HOST}",
                "trusted_proxies": ["198.51.100.0/24", "unix"],
                "sessions": {"idle": f"{IDLE}s", "lifetime": f"{LIFETIME}s"},
                "upstreams": {
                    "app": {"url": upstream.url},
                    "named": {"url": upstream.url, "host_header": "app.internal:8080"},
                },
                "routes": ROUTES,
                **settings,
            },
        )
        gate = open_gate(load(written.config), clock=clock)
        tree = gate.loaded.settings
        routes = open_routes(tree.routes, tree.upstreams, tree.identity)
        proxy = ReverseProxy(routes, managed=tree.identity)
        own = doors(gate)
        made = lane(gate, own, routes, proxy.request_headers)
        layers = stack(gate, proxy, identity={}, own=own)
        let_in(gate)
        try:
            yield Gatehouse(gate, clock, made, routes, proxy, layers, upstream, _safe())
        finally:
            for upstreams in {route.to for route in routes.routes}:
                if isinstance(upstreams, Upstream):
                    upstreams.close()
            gate.store.close()


def let_in(gate: Gate) -> None:
    """Open everybody's session, and end that of one; whoever was there before is forgotten."""
    with gate.store.transaction():
        for name in PEOPLE:
            gate.store.users.delete(name)
        for name in PEOPLE:
            groups = GROUPS.get(name, frozenset())
            who = Identity(
                name, name, name, NAMES.get(name, name.title()), f"{name}@x.example", groups
            )
            gate.store.users.add(User(who, name != "off", "members", NOW, NOW))
            seen, ends = SEEN.get(name, NOW), ENDS.get(name, NOW + LIFETIME)
            key = session_key(token(name))
            gate.store.sessions.put(SessionRecord(key, name, "members", "", NOW, seen, ends))
        gate.store.sessions.delete(session_key(token("out")))


def _safe() -> Config:
    """gunicorn's settings as the gate has them."""
    cfg = Config()
    for name, value in SAFE.items():
        cfg.set(name, value)
    return cfg
