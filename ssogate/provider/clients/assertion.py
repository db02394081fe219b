"""A client's signed word that it is the one (`private_key_jwt`: RFC 7523, OpenID Connect Core
section 9): short-lived, for us alone, good once."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from functools import lru_cache

from ssogate.crypto.jwk import LEEWAY, MAX_TOKEN, BadToken, verify
from ssogate.crypto.random_secrets import digest
from ssogate.directory.client_rules import client_keys
from ssogate.http.json_object import json_object
from ssogate.model import Client, ClientAuthentication
from ssogate.storage import Store

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

LONGEST = 300  # seconds from now to an assertion's end; its `jti` is kept for as long
MAX_JTI = 256  # characters

# An assertion need not say what it is, or says so by RFC 7523's successor.
_TYPES = frozenset({"", "JWT", "client-authentication+jwt"})

_keys = lru_cache(maxsize=256)(client_keys)  # by the text of the JWKS, which is bounded


def asserts(
    store: Store, client: Client | None, assertion: str, *, audience: frozenset[str], now: int
) -> bool:
    """Whether the client itself says that it is calling one of `audience`, for the first time."""
    by_key = client and client.authentication is ClientAuthentication.PRIVATE_KEY
    try:
        keys = _keys(client.jwks) if client and by_key else ()
        name = client.identifier if client else ""
        claims = verify(assertion, keys, issuer=name, audience=audience, types=_TYPES, now=now)
    except (BadToken, ValueError):
        return False
    jti = claims.get("jti")
    if (
        claims.get("sub") != name
        or not isinstance(jti, str)
        or not 0 < len(jti) <= MAX_JTI
        or not _for_one(claims.get("aud"))
        or claims["exp"] > now + LONGEST + LEEWAY
    ):
        return False
    # Bound to the client: else one client could use up what another one is going to say.
    key = digest(f"{name}\0{jti}")
    return store.one_time.spend(f"assertion:{key}", until=int(claims["exp"]) + LEEWAY + 1)


def claimed_client(assertion: str) -> str:
    """Give who an assertion says it is of, unverified; empty if nobody can read it."""
    payload = assertion.split(".")[1:2] if len(assertion) <= MAX_TOKEN else []
    try:
        encoded = "".join(payload)
        found = json_object(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))).get("sub")
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _for_one(audience: object) -> bool:
    """For several, one of them could play it to another."""
    return not isinstance(audience, list) or len(audience) == 1
