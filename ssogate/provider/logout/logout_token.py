"""What a client is told when a session ends: a logout token, and where it goes (OpenID Connect
Back-Channel Logout 1.0)."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from ssogate.http.outgoing import Peer, is_public
from ssogate.http.redirects import MAX_LOCATION
from ssogate.model import Address, Client, Logout
from ssogate.provider.issuer import Issuer

LIFETIME = 120  # seconds (section 2.4 recommends no more)
EVENT = "http://schemas.openid.net/event/backchannel-logout"

_URI = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.\-]{1,253}|\[[0-9a-f:.]{2,45}\])"
    r"(?P<at>:(?P<port>[1-9][0-9]{0,4}))?(?P<target>[/?][!-\"$-~]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a client, ready to be sent."""

    logout: Logout
    peer: Peer
    authority: str
    target: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A client's logout URI, in its parts. Built by `place_of`."""

    secure: bool
    host: str
    port: int
    authority: str
    target: str


def place_of(uri: str) -> Place:
    """Read a `backchannel_logout_uri`. Raises ValueError for what is no http(s) URL, and for one
    with a user part or a fragment."""
    found = _URI.fullmatch(uri) if len(uri) <= MAX_LOCATION else None
    if found is None or int(found["port"] or 0) >= 2**16:
        raise ValueError("its logout URI is none")
    secure = found["scheme"].lower() == "https"
    target = found["target"] or "/"
    return Place(
        secure,
        found["host"].strip("[]"),
        int(found["port"] or (443 if secure else 80)),
        found["host"] + (found["at"] or ""),
        target if target.startswith("/") else f"/{target}",
    )


def call_for(logout: Logout, client: Client, issuer: Issuer, trust: ssl.SSLContext) -> Call:
    """Make the request that tells a client of a logout. Raises `ValueError` and
    `NoPairwiseSub` if it cannot be told."""
    place, tried_out = place_of(client.backchannel_logout_uri), issuer.origin.startswith("http:")
    if not (place.secure or tried_out):
        raise ValueError("its logout URI is not https")
    allows = partial(
        _allows,
        plain=not place.secure,
        local=tried_out,
        registered=bool(client.registration_digest),
    )
    peer = Peer(place.host, place.port, trust if place.secure else None, allows)
    body = urlencode({"logout_token": logout_token(logout, client, issuer)}).encode()
    return Call(logout, peer, place.authority, place.target, body)


def logout_token(logout: Logout, client: Client, issuer: Issuer) -> str:
    """Sign what the client is told. It never holds a nonce, so that it cannot pass for an ID
    token (section 2.4). Raises `NoPairwiseSub`."""
    now = issuer.now
    claims = {
        "iss": issuer.name,
        "aud": client.identifier,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": issuer.new_token(),
        "sub": issuer.sub(client, logout.subject),
        "sid": logout.sid,
        "events": {EVENT: {}},
    }
    return issuer.keys.signing(issuer.algorithm(client)).sign(claims, typ="logout+jwt")


def _allows(address: Address, *, plain: bool, local: bool, registered: bool) -> bool:
    """Whether a client's logout URI may lead to this address. An operator writes what he likes, but
    who has `registered` himself must not reach a private network. `local`: the gate itself is tried
    out in clear."""
    if address.is_loopback and local:
        return True
    return not plain and (not registered or is_public(address))
