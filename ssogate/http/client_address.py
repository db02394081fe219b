"""Who the client is, behind the proxies that an operator listed and nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ssogate.http.environ import parse_address
from ssogate.model import Address

MAX_HOPS = 32  # entries of X-Forwarded-For that are looked at, from the right

# Some proxies name the port, too: 192.0.2.7:4711, [2001:db8::1]:4711 (RFC 7239, section 6).
_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\]):[0-9]{1,5}|\[([0-9A-Fa-f:.]+)\]")

Trusts = Callable[[Address | None], bool]


class Client(NamedTuple):
    """Where a request comes from."""

    address: Address | None
    """None on a unix socket."""
    certain: bool = True
    """False where a trusted proxy named something that is no address."""


def client_address(peer: str, forwarded_for: str, trusts: Trusts) -> Client:
    """Give the right-most address that no trusted proxy vouches away.

    `peer` is the server's REMOTE_ADDR, `forwarded_for` the joined X-Forwarded-For. Only entries
    added by trusted proxies count; an entry that is no address ends the walk.
    """
    address = parse_address(peer)
    if not forwarded_for:
        return Client(address)
    for entry in reversed(forwarded_for.split(",")[-MAX_HOPS:]):
        if not trusts(address):
            break
        found = _forwarded(entry.strip())
        if found is None:
            return Client(address, certain=False)
        address = found
    return Client(address)


def _forwarded(entry: str) -> Address | None:
    found = _WITH_PORT.fullmatch(entry)
    return parse_address(found[1] or found[2] or found[3] if found else entry)
