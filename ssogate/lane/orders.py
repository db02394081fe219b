"""What the lane says of a request, and what it remembers to say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ssogate.http.environ import parse_address
from ssogate.http.rendered import Rendered
from ssogate.model import Address, Identity, Session
from ssogate.policy.rule import Rule
from ssogate.upstream.route import Route, Upstream


class Judged:
    """What decides about a method, host and path, whoever asks. Equal to itself only."""

    __slots__ = ("identity", "logged", "rules")

    def __init__(
        self, rules: tuple[Rule | None, ...], identity: Mapping[str, str], logged: str
    ) -> None:
        self.rules, self.identity = rules, identity
        self.logged = logged
        """Method and path as members of a JSON object."""


class Place(NamedTuple):
    """Where requests for a method, host and path go."""

    judged: Judged
    route: Route
    upstream: Upstream
    method: str
    start: bytes
    """The request line for the upstream, up to where the query would follow."""
    hosts: bytes
    """The headers that name the site, up to the request id."""
    site: str
    """Scheme and host, as visitors see them."""


class Peer(NamedTuple):
    """Who is at the other end of a connection."""

    text: str
    """The server's REMOTE_ADDR."""
    address: Address | None
    sent: bytes
    """The header that tells an upstream."""


class Pass(NamedTuple):
    """That somebody may have what there is."""

    judged: Judged
    identity: Identity | None
    peer: Peer
    private: bool
    """Whether the answer is for this visitor only."""
    told: bytes
    """The headers that tell an upstream who asks."""
    client: str
    """The visitor's address, as JSON."""
    user: str
    """The user's name, as JSON."""


class Order(NamedTuple):
    """A request that is let through."""

    place: Place
    granted: Pass
    session: Session | None
    request: bytes
    """What to send: everything up to the body, but the framing of one that comes in chunks."""
    length: int | None
    """Bytes of the body that follows; None for no body, or for chunks."""
    chunked: bool
    close: bool
    """Whether the visitor wants the connection to end with the answer."""
    old: bool
    """Whether the visitor speaks HTTP/1.0, and knows no chunks."""
    expects: bool
    """Whether the visitor waits for a word before the body is sent."""
    key: str
    """Of the WebSocket that is asked for; empty for a plain request."""
    request_id: str


class Moved(NamedTuple):
    """Where visitors are sent who ask for a method, host and path."""

    judged: Judged
    location: str
    status: int
    keeps: bool
    """Whether the query goes along."""


class Ours(NamedTuple):
    """An address of the gate's own, and a method."""

    judged: Judged
    """By nobody: all may ask."""
    method: str
    path: str


class Said(NamedTuple):
    """An answer that needs nobody: a proxy's question is answered with yes, a visitor is sent
    elsewhere, a document is given."""

    granted: Pass
    answer: Rendered
    close: bool
    request_id: str


class Asked(NamedTuple):
    """A request for a page of the gate's own: the layers answer it, once its body is here."""

    environ: Mapping[str, str]
    """WSGI's, as far as the request says it."""
    length: int
    """Bytes of the body that follows."""
    close: bool
    """Whether the visitor wants the connection to end with the answer."""


class Refused:
    """A request that the layers will answer by themselves: with a page, or the way to sign in."""


REFUSED = Refused()


class Unknown(NamedTuple):
    """That nobody can say without a wait who this is: look it up, and ask again."""

    token: str


class Found(NamedTuple):
    """What came of a look-up: the session as it was then, if there is one."""

    token: str
    session: Session | None


def peer_at(address: str) -> Peer:
    """Give what is sent of a visitor at `address` (empty: a unix socket)."""
    return peer_with(address, parse_address(address))


def peer_with(text: str, address: Address | None) -> Peer:
    """Give what is sent of a visitor at `address`, of whom a server at `text` tells."""
    sent = b"" if address is None else f"X-Forwarded-For: {address}\r\n".encode()
    return Peer(text, address, sent)
