"""Whom a client means when it says whom: by an ID token that it got before (OpenID Connect Core,
section 3.1.2.1, id_token_hint), or by the value of a claim that it asks for (section 5.5.1)."""

from __future__ import annotations

from ssogate.crypto.jwk import BadToken
from ssogate.http.log import log
from ssogate.model import Client, User
from ssogate.oauth.authorization import AuthorizationRequest
from ssogate.oauth.errors import ErrorCode
from ssogate.provider.errors import NoPairwiseSub
from ssogate.provider.issuer import Issuer

Meant = tuple[frozenset[str], ...]
"""Sets of `sub`; whoever is meant is in all of them. Nothing: anybody is."""


def meant(issuer: Issuer, client: Client, request: AuthorizationRequest) -> Meant:
    """Give whom a request means. Raises `AuthorizationError` for a hint that is not genuine."""
    hint, sub = request.id_token_hint, request.claims.id_token.get("sub")
    hinted = [frozenset({_hinted(issuer, client, request)})] if hint else []
    named = [frozenset(sub.values)] if sub and sub.values else []
    return (*hinted, *named)


def is_meant(
    issuer: Issuer, client: Client, request: AuthorizationRequest, subs: Meant, user: User
) -> bool:
    """Whether it may be this user. Raises `AuthorizationError` if the client knows nobody yet: it
    is pairwise, and not set up for that."""
    if not subs and not client.pairwise:
        return True
    try:
        sub = issuer.sub(client, user.identity.subject)
    except NoPairwiseSub as error:
        log.error("no pairwise sub", oauth_client=client.identifier, problem=str(error))
        raise request.refusal(ErrorCode.SERVER_ERROR, error.described) from error
    return all(sub in those for those in subs)


def _hinted(issuer: Issuer, client: Client, request: AuthorizationRequest) -> str:
    try:
        claims = issuer.hinted(request.id_token_hint, frozenset({client.identifier}))
    except BadToken:
        raise request.refusal(
            ErrorCode.INVALID_REQUEST, "id_token_hint is not an ID token that the client got."
        ) from None
    return str(claims.get("sub"))
