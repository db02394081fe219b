"""What the provider is, for programs: the discovery document, at the addresses of OpenID Connect
and of RFC 8414, and the keys. The document says what stands in the table of endpoints, and is made
once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from ssogate.model import Endpoint
from ssogate.oauth.metadata import Endpoints, Offer, discovery
from ssogate.provider import addresses as at
from ssogate.provider.errors import NotRead
from ssogate.provider.issuer import Issuer
from ssogate.provider.transport import answered

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

# A key is published 60 seconds before it signs, and a worker may learn of it 5 seconds late.
KEYS_AGE = 30  # seconds
DOCUMENT_AGE = 300  # seconds

_WAYS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that tokens are signed with."""

    issuer: Issuer

    def __call__(self, request: Request) -> Response:
        return answered(
            request, at.JWKS, lambda: _published(request, self.issuer.keys.jwks(), KEYS_AGE)
        )


def discovery_endpoints(
    issuer: Issuer, served: Collection[str], grants: Collection[str]
) -> Mapping[str, Endpoint]:
    """Give the documents about `served` addresses and `grants`, and the keys."""
    document = discovery(offer(issuer, {*served, at.JWKS}, grants))
    return {
        **dict.fromkeys(documents(issuer), partial(_document, document)),
        at.JWKS: Keys(issuer),
    }


def offer(issuer: Issuer, served: Collection[str], grants: Collection[str]) -> Offer:
    """Give what is true of a provider that answers at these addresses."""

    def path(address: str) -> str:
        return address if address in served else ""

    return Offer(
        issuer.name,
        Endpoints(
            authorization=path(at.AUTHORIZE),
            token=path(at.TOKEN),
            userinfo=path(at.USERINFO),
            jwks=path(at.JWKS),
            end_session=path(at.END_SESSION),
            revocation=path(at.REVOCATION),
            introspection=path(at.INTROSPECTION),
            registration=path(at.REGISTRATION),
            pushed_authorization_request=path(at.PUSHED_AUTHORIZATION),
            device_authorization=path(at.DEVICE_AUTHORIZATION),
        ),
        issuer.settings.algorithms,
        tuple(grants),
        _WAYS,
        tuple(issuer.by_scope),
        issuer.by_scope,
        pairwise=issuer.settings.pairwise_salt is not None,
        back_channel_logout=at.END_SESSION in served,
        origin=issuer.origin,
    )


def documents(issuer: Issuer) -> tuple[str, ...]:
    """Give where the documents are, and the keys. An issuer with a path has its documents below it
    (Discovery, section 4), or before it (RFC 8414, section 3.1)."""
    path = urlsplit(issuer.name).path
    below = f"{path}/.well-known/openid-configuration"
    places = (at.JWKS, *at.DISCOVERY, at.METADATA, below, f"{at.METADATA}{path}")
    return tuple(dict.fromkeys(places))


def _document(raw: bytes, request: Request) -> Response:
    return answered(request, at.DISCOVERY[0], lambda: _published(request, raw, DOCUMENT_AGE))


def _published(request: Request, raw: bytes, age: int) -> Response:
    if request.method not in ("GET", "HEAD"):
        raise NotRead
    headers = {"Cache-Control": f"public, max-age={age}", "X-Content-Type-Options": "nosniff"}
    return Response(raw, 200, headers, content_type="application/json")
