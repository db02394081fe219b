"""What a client is told about a person, and signed, of the sign-in: ID tokens, and the claims of
the userinfo endpoint.

An ID token says what the scopes open, too, as WHMCS's and Google's do: many relying parties read it
and never ask the userinfo endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable

from ssogate.model import Client, Grant, Identity
from ssogate.oauth.claims import Claims, id_token_claims, known, left_hash, told
from ssogate.oauth.claims_request import ClaimsRequest, claims_request
from ssogate.provider.errors import InvalidGrant
from ssogate.provider.issuer import Issuer


def id_token(
    issuer: Issuer,
    client: Client,
    grant: Grant,
    person: Identity,
    *,
    scopes: frozenset[str],
    access_token: str,
    nonce: str,
    now: int,
) -> str:
    """Sign what the sign-in was (OpenID Connect Core, sections 2, 3.1.3.3 and 12.2)."""
    key = issuer.keys.signing(issuer.algorithm(client))
    claims = id_token_claims(
        issuer=issuer.name,
        subject=issuer.sub(client, grant.subject),
        client_id=client.identifier,
        issued_at=now,
        lifetime=int(issuer.settings.id_token_lifetime),
        auth_time=grant.auth_time,
        nonce=nonce,
        sid=grant.sid,
        at_hash=left_hash(access_token, key.alg),
        about=about(issuer, client, grant, person, scopes=scopes, named=wanted(grant).id_token),
    )
    return key.sign(claims, typ="JWT")


def about(
    issuer: Issuer,
    client: Client,
    grant: Grant,
    person: Identity,
    *,
    scopes: frozenset[str],
    named: Iterable[str],
) -> Claims:
    """Give the claims about a person that a client may have now, but for `sub`: of `scopes`, and of
    what the person agreed to those that the request `named`."""
    ours = known(person, email_verified=issuer.vouches_for(person))
    sources = {
        **ours,
        "username": person.username,
        "subject": issuer.sub(client, person.subject),
    }
    mapped = issuer.settings.claims.items()
    own = {claim: sources[source] for claim, source in mapped if source in sources}
    return told(
        {**ours, **own},
        scopes=scopes & client.scopes,
        named=named,
        allowed=grant.agreed & client.scopes,
        by_scope=issuer.by_scope,
    )


def wanted(grant: Grant) -> ClaimsRequest:
    """Give what was asked for by the `claims` parameter."""
    return claims_request(grant.claims) if grant.claims else ClaimsRequest()


def may_sign_in(client: Client, person: Identity) -> bool:
    """Whether the client is one of the person's applications."""
    return not client.groups or not client.groups.isdisjoint(person.groups)


def check_may_sign_in(client: Client, person: Identity) -> None:
    """Raises `InvalidGrant` unless the client is one of the person's applications."""
    if not may_sign_in(client, person):
        raise InvalidGrant(detail="the user may not sign in to this client")
