"""The discovery document (OpenID Connect Discovery 1.0, RFC 8414): what is true, and only that.

What is switched off has no endpoint and is not listed. The bytes are made once, at the start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ssogate.crypto.jwk import ALGORITHMS, Algorithm
from ssogate.oauth.authorization import PROMPTS
from ssogate.oauth.errors import ResponseMode
from ssogate.oauth.pkce import METHOD

# OpenID Connect Discovery, section 3: https (but on the machine itself), no query, no fragment. A
# slash at its end is refused: RFC 8414 and Discovery differ over the addresses made of it.
_ISSUER = re.compile(
    r"(?:https://[a-z0-9.\-]+|http://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[1-9][0-9]{0,4})?"
    r"(?:/[A-Za-z0-9\-._~]+)*"
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Paths on the provider's origin; an empty one is not served."""

    authorization: str
    token: str
    userinfo: str
    jwks: str
    end_session: str = ""
    revocation: str = ""
    introspection: str = ""
    registration: str = ""
    pushed_authorization_request: str = ""
    device_authorization: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this gate does, as its settings say."""

    issuer: str
    endpoints: Endpoints
    algorithms: tuple[Algorithm, ...]
    """Of ID tokens. RS256 is among them (Discovery, section 3)."""
    grants: tuple[str, ...]
    client_authentication: tuple[str, ...]
    scopes: tuple[str, ...]
    claims_by_scope: Mapping[str, frozenset[str]]
    pairwise: bool = False
    acr_values: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    back_channel_logout: bool = False
    documentation: str = ""
    origin: str = ""
    """Where the endpoints are; empty: on the issuer's own origin."""


def checked_issuer(text: str) -> str:
    """Give the issuer back if it can be one. Raises ValueError.

    Clients compare it with the `iss` of every token to the letter.
    """
    if not _ISSUER.fullmatch(text):
        raise ValueError(
            "write the issuer as https://host, in lower case, without a slash at the end"
        )
    return text


def discovery(offer: Offer) -> bytes:
    """Give the document's bytes. Raises ValueError for an issuer that cannot be one."""
    found = {**_addresses(offer), **_protocol(offer), **_optional(offer)}
    return json.dumps(found, separators=(",", ":")).encode()


def _addresses(offer: Offer) -> Mapping[str, object]:
    issuer = checked_issuer(offer.issuer)
    scheme, _, rest = issuer.partition("://")
    origin = offer.origin or f"{scheme}://{rest.partition('/')[0]}"
    return {"issuer": issuer} | {
        _address_name(name): f"{origin}{path}"
        for name, path in asdict(offer.endpoints).items()
        if path
    }


def _address_name(name: str) -> str:
    return "jwks_uri" if name == "jwks" else f"{name}_endpoint"


def _protocol(offer: Offer) -> Mapping[str, object]:
    claims = {claim for scope in offer.scopes for claim in offer.claims_by_scope.get(scope, ())}
    return {
        "response_types_supported": ["code"],
        "response_modes_supported": [mode.value for mode in ResponseMode],
        "grant_types_supported": list(offer.grants),
        "code_challenge_methods_supported": [METHOD],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "subject_types_supported": ["public", "pairwise"] if offer.pairwise else ["public"],
        "id_token_signing_alg_values_supported": list(offer.algorithms),
        "scopes_supported": list(offer.scopes),
        "claim_types_supported": ["normal"],
        "claims_supported": sorted(claims | {"iss", "aud", "exp", "iat", "auth_time", "nonce"}),
        "claims_parameter_supported": True,
        "prompt_values_supported": sorted(PROMPTS),
        "display_values_supported": ["page"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,  # left out, it would mean true
        "authorization_response_iss_parameter_supported": True,
    }


def _optional(offer: Offer) -> Mapping[str, object]:
    found: dict[str, object] = {
        "acr_values_supported": list(offer.acr_values),
        "ui_locales_supported": list(offer.locales),
        "service_documentation": offer.documentation,
        "backchannel_logout_supported": offer.back_channel_logout,
        "backchannel_logout_session_supported": offer.back_channel_logout,
        **_authentication("token", offer.client_authentication),
    }
    if offer.endpoints.revocation:
        found |= _authentication("revocation", offer.client_authentication)
    if offer.endpoints.introspection:  # a client that proves nothing may not ask (RFC 7662)
        proven = tuple(way for way in offer.client_authentication if way != "none")
        found |= _authentication("introspection", proven)
    return {name: value for name, value in found.items() if value}


def _authentication(endpoint: str, ways: tuple[str, ...]) -> Mapping[str, object]:
    return {
        f"{endpoint}_endpoint_auth_methods_supported": list(ways),
        f"{endpoint}_endpoint_auth_signing_alg_values_supported": (
            list(ALGORITHMS) if "private_key_jwt" in ways else []
        ),
    }
