"""What a client learns about a person: by scope, or by name (OpenID Connect Core, section 5).

`known` says all that the gate could tell; `told` picks what a request and the client's own scopes
allow. Who somebody is, `sub`, is a UUID that means nothing, or another one for each sector.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ssogate.crypto.jwk import Algorithm
from ssogate.http.redirects import url_host
from ssogate.model import Identity

Claims = Mapping[str, object]

BY_SCOPE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "openid": frozenset({"sub"}),
        "profile": frozenset({"name", "given_name", "family_name", "preferred_username"}),
        "email": frozenset({"email", "email_verified"}),
        "groups": frozenset({"groups"}),
    }
)

_OF_SIGN_IN = frozenset({"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "auth_time"}) | {
    *("nonce", "acr", "amr", "sid", "at_hash", "c_hash", "s_hash", "events", "cnf"),
}

# OpenID Connect Core, section 3.1.3.6: the hash of the algorithm that signs the ID token. Ed25519's
# own is SHA-512.
_HASHES = {"RS256": hashlib.sha256, "ES256": hashlib.sha256, "EdDSA": hashlib.sha512}


def known(identity: Identity, *, email_verified: bool) -> Claims:
    """Give all claims about a person but `sub`; what is empty is not claimed.

    The gate knows one name. As in WHMCS's API, its first word is given as the given name.
    """
    given, _, family = identity.name.partition(" ")
    texts = {
        "name": identity.name,
        "given_name": given,
        "family_name": family.strip(),
        "preferred_username": identity.username,
        "email": identity.email,
    }
    found: dict[str, object] = {name: text for name, text in texts.items() if text}
    if identity.email:
        found["email_verified"] = email_verified
    if identity.groups:
        found["groups"] = sorted(identity.groups)
    return found


def told(
    claims: Claims,
    *,
    scopes: Iterable[str],
    named: Iterable[str] = (),
    allowed: Iterable[str],
    by_scope: Mapping[str, frozenset[str]] = BY_SCOPE,
) -> Claims:
    """Give the claims of the granted scopes, and those that the client `named` by the `claims`
    parameter as far as a scope that it is `allowed` would have them: it is no way around."""
    names = _claims_of(scopes, by_scope) | (_claims_of(allowed, by_scope) & frozenset(named))
    return {name: value for name, value in claims.items() if name in names}


def id_token_claims(
    *,
    issuer: str,
    subject: str,
    client_id: str,
    issued_at: int,
    lifetime: int,
    auth_time: int,
    nonce: str = "",
    acr: str = "",
    amr: Iterable[str] = (),
    sid: str = "",
    at_hash: str = "",
    about: Claims = MappingProxyType({}),
) -> Claims:
    """Give what an ID token says (OpenID Connect Core, section 2). Times are Unix seconds.

    There is one audience, so `azp` would repeat it (section 2, as of errata set 2): it is left out.
    Nothing `about` the person can take the place of what is said of the sign-in.
    """
    optional = {"nonce": nonce, "acr": acr, "amr": list(amr), "sid": sid, "at_hash": at_hash}
    return {
        **{name: value for name, value in about.items() if name not in _OF_SIGN_IN},
        **{name: value for name, value in optional.items() if value},
        "iss": issuer,
        "sub": subject,
        "aud": client_id,
        "iat": issued_at,
        "exp": issued_at + lifetime,
        "auth_time": auth_time,
    }


def left_hash(value: str, alg: Algorithm) -> str:
    """Give `at_hash` of an access token, `c_hash` of a code: the left half of its hash."""
    whole = _HASHES[alg](value.encode("ascii")).digest()
    return _base64url(whole[: len(whole) // 2])


def pairwise_sub(sector: str, subject: str, salt: bytes) -> str:
    """Give who a person is for one sector (OpenID Connect Core, section 8.1): two sectors cannot
    tell that they mean the same person. Whoever changes the salt makes strangers of all."""
    return _base64url(hmac.digest(salt, f"{sector}\0{subject}".encode(), "sha256"))


def sector(redirect_uris: Iterable[str]) -> str:
    """Give the host that all of a client's redirect URIs share. Raises ValueError if they do not,
    or have none."""
    hosts = {url_host(uri) for uri in redirect_uris}
    host = hosts.pop() if len(hosts) == 1 else None
    if not host:
        raise ValueError("pairwise subjects need redirect URIs of exactly one host")
    return host


def _claims_of(scopes: Iterable[str], by_scope: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*(by_scope.get(scope, ()) for scope in scopes))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
