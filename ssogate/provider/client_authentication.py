"""Which client calls, proven by its secret: in the form (`client_secret_post`), by HTTP Basic
(`client_secret_basic`), or as cPanel's integration links send it (PROTOCOLS section 2.3).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ssogate.crypto.random_secrets import NOBODYS, matches
from ssogate.model import Client
from ssogate.provider.errors import InvalidBasicClient, InvalidClient, InvalidRequest
from ssogate.storage import Records

_POSTED = ("client_id", "client_secret")
_LINKED = ("subscriber_unique_id", "token")


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """A client that has proven itself. Built only by `authenticate`."""

    client: Client


@dataclass(frozen=True, slots=True)
class Presented:
    """Who a caller says it is, and its proof."""

    identifier: str
    secret: str = field(repr=False)
    refusal: type[InvalidClient] = InvalidClient
    """What it is told if the proof is wrong."""


def authenticate(
    clients: Records[Client], parameters: Mapping[str, str], authorization: str
) -> AuthenticatedClient:
    """Judge what a request's parameters and its Authorization header present.

    An unknown client costs what a known one does. Raises `InvalidClient` (`InvalidBasicClient`
    where Basic was used) and `InvalidRequest`.
    """
    given = _presented(parameters, authorization)
    # What no identifier holds is not asked for: databases refuse a zero byte in a text.
    sayable = given.identifier.isascii() and given.identifier.isprintable()
    known = clients.named(given.identifier) if sayable else None
    right = matches(given.secret, known.secret_digest if known else NOBODYS)
    if known is None or not right:
        # An unknown name is not told to the log: it may be a secret in the wrong place.
        raise given.refusal(detail=f"client {known.identifier}" if known else "an unknown client")
    return AuthenticatedClient(known)


def is_integration_link(parameters: Mapping[str, str]) -> bool:
    """Whether cPanel's server calls, for a user who follows an integration link."""
    return "grant_type" not in parameters and any(name in parameters for name in _LINKED)


def _presented(parameters: Mapping[str, str], authorization: str) -> Presented:
    """Give the only proof: there must not be two (RFC 6749, section 2.3)."""
    pairs = (_POSTED, _LINKED) if is_integration_link(parameters) else (_POSTED,)
    given = (Presented(parameters.get(who, ""), parameters.get(proof, "")) for who, proof in pairs)
    found = [one for one in given if one.identifier or one.secret]
    if authorization:
        basic = _basic(authorization)
        # To say once more who calls is no second proof.
        found = [basic, *(one for one in found if one.secret or one.identifier != basic.identifier)]
    if len(found) > 1:
        raise InvalidRequest("There is more than one client authentication.")
    return found[0] if found else Presented("", "")


def _basic(header: str) -> Presented:
    """Read HTTP Basic (RFC 7617), in which both halves are form-encoded (RFC 6749, section 2.3.1).

    Half of the world does not encode them. A secret of ours holds `+` but no space and no `%`, so
    read with `+` as itself it is right both ways.
    """
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError("another scheme")
        pair = b64decode(encoded.strip(), validate=True).decode()
        identifier, colon, secret = (unquote(part, errors="strict") for part in pair.partition(":"))
        if not colon:
            raise ValueError("no colon")
    except ValueError as error:
        raise InvalidBasicClient(detail="an Authorization header that is not Basic") from error
    return Presented(identifier, secret, InvalidBasicClient)
