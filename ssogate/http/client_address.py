"""Who the client is, behind the proxies that an operator listed and nobody else."""

from __future__ import annotations

from collections.abc import Callable

from ssogate.http.environ import parse_address
from ssogate.model import Address

MAX_HOPS = 32  # entries of X-Forwarded-For that are looked at, from the right

Trusts = Callable[[Address | None], bool]


def client_address(peer: str, forwarded_for: str, trusts: Trusts) -> Address | None:
    """Give the right-most address that no trusted proxy vouches away; None on a unix socket.

    `peer` is the server's REMOTE_ADDR, `forwarded_for` the joined X-Forwarded-For. Only entries
    added by trusted proxies count; an entry that is no address ends the walk.
    """
    address = parse_address(peer)
    if not forwarded_for:
        return address
    for entry in reversed(forwarded_for.split(",")[-MAX_HOPS:]):
        if not trusts(address):
            break
        found = parse_address(entry.strip())
        if found is None:
            break
        address = found
    return address
