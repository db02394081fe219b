"""How much may be begun that nobody has to finish: what a client leaves in the store is counted."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from ssogate.http import environ as env
from ssogate.model import Client, ClientAuthentication
from ssogate.provider.errors import TooManyRequests
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_WINDOW = 60  # seconds
_STRANGER = 10
"""What part of it one address may do: a public client is whoever knows its name, and must not use
up what is everybody's."""


def check_pace(
    store: Store, what: str, client: Client, request: Request, *, most: int, now: int
) -> None:
    """Count one more by a client; of a public one, for each address by itself (of IPv6, for each
    network of 64 bits).

    Raises `TooManyRequests` after `most` within a minute.
    """
    whose, limit = client.identifier, most
    if client.authentication is ClientAuthentication.NONE:
        whose, limit = f"{whose} {_place(request)}", max(1, most // _STRANGER)
    if store.counters.count(f"{what}:{whose}", now=now, window=_WINDOW) > limit:
        raise TooManyRequests


def _place(request: Request) -> str:
    address = env.client(request.environ)
    if isinstance(address, IPv6Address):
        return str(int(address) >> 64)
    return str(address or "")
