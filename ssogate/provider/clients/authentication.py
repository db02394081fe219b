"""Which client calls, and its proof: a secret in the form or by HTTP Basic, or as cPanel's
integration links send it (PROTOCOLS section 2.3); a signed assertion (`private_key_jwt`); or none,
of a client that can keep no secret. Each client has one way and no other.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ssogate.crypto.random_secrets import NOBODYS, matches
from ssogate.model import Client, ClientAuthentication
from ssogate.provider.addresses import TOKEN
from ssogate.provider.clients.assertion import ASSERTION_TYPE, asserts, claimed_client
from ssogate.provider.errors import InvalidBasicClient, InvalidClient, InvalidRequest
from ssogate.provider.issuer import Issuer
from ssogate.provider.transport import Sent
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_LINKED = ("subscriber_unique_id", "token")
_BY_FORM = (("client_id", "client_secret"),)
_BY_LINK = (*_BY_FORM, _LINKED)


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """A client that has proven itself. Built only by `authenticate`."""

    client: Client


@dataclass(frozen=True, slots=True)
class Presented:
    """Who a caller says it is, and its proof."""

    identifier: str
    secret: str = field(default="", repr=False)
    refusal: type[InvalidClient] = InvalidClient
    """What it is told if the proof is wrong."""
    assertion: str = field(default="", repr=False)


def authenticate(
    store: Store,
    parameters: Mapping[str, str],
    authorization: str,
    *,
    audience: frozenset[str],
    now: int,
    linked: bool = False,
) -> AuthenticatedClient:
    """Judge what a request's parameters and its Authorization header present. `audience` is what
    an assertion may call us; `linked` says that the proof may come as in an integration link.

    An unknown client costs what a known one does. Raises `InvalidClient` (`InvalidBasicClient`
    where Basic was used) and `InvalidRequest`.
    """
    given = _presented(parameters, authorization, _BY_LINK if linked else _BY_FORM)
    known = store.clients.named(given.identifier)
    if given.assertion:
        right = asserts(store, known, given.assertion, audience=audience, now=now)
    else:
        right = _knows_secret(known, given.secret, now)
    if known is None or not right:
        # An unknown name is not told to the log: it may be a secret in the wrong place.
        raise given.refusal(detail=f"client {known.identifier}" if known else "an unknown client")
    return AuthenticatedClient(known)


def calling(issuer: Issuer, form: Sent, request: Request) -> Client:
    """Give the client that has sent a form to one of the provider's endpoints. Raises as
    `authenticate`."""
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    proven = authenticate(
        issuer.store, form.parameters, header, audience=audience(issuer), now=issuer.now
    )
    return proven.client


def audience(issuer: Issuer) -> frozenset[str]:
    """Give what a client's assertion may call us (OpenID Connect Core, section 9)."""
    return frozenset({issuer.name, f"{issuer.origin}{TOKEN}"})


def is_integration_link(parameters: Mapping[str, str]) -> bool:
    """Whether cPanel's server calls, for a user who follows an integration link."""
    return "grant_type" not in parameters and any(name in parameters for name in _LINKED)


def _knows_secret(client: Client | None, secret: str, now: int) -> bool:
    """Compare with the secret and with the one before, always with both. A public client has none:
    one that sends a secret was set up for something else."""
    if client and client.authentication is ClientAuthentication.NONE:
        return not secret
    kept = client if client and client.authentication is ClientAuthentication.SECRET else None
    overlaps = kept is not None and now < kept.old_secret_until
    by_new = matches(secret, kept.secret_digest if kept else NOBODYS)
    by_old = matches(secret, kept.old_secret_digest if kept and overlaps else NOBODYS)
    return by_new or by_old


def _presented(
    parameters: Mapping[str, str], authorization: str, pairs: tuple[tuple[str, str], ...]
) -> Presented:
    """Give the only proof: there must not be two (RFC 6749, section 2.3)."""
    given = (Presented(parameters.get(who, ""), parameters.get(proof, "")) for who, proof in pairs)
    found = [one for one in given if one.identifier or one.secret]
    proof = _basic(authorization) if authorization else None
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        if proof:
            raise InvalidRequest("There is more than one client authentication.")
        proof = _assertion(parameters)
    if proof:
        # To say once more who calls is no second proof.
        found = [proof, *(one for one in found if one.secret or one.identifier != proof.identifier)]
    if len(found) > 1:
        raise InvalidRequest("There is more than one client authentication.")
    return found[0] if found else Presented("", "")


def _assertion(parameters: Mapping[str, str]) -> Presented:
    """RFC 7521, section 4.2. Whoever is named, by `client_id` or in the assertion, is verified
    later."""
    assertion = parameters.get("client_assertion", "")
    if parameters.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
        raise InvalidRequest(
            "client_assertion and its type belong together; the type is jwt-bearer."
        )
    named = parameters.get("client_id") or claimed_client(assertion)
    return Presented(named, assertion=assertion)


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
