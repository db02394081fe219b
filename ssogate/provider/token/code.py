"""The grant `authorization_code`: a code becomes tokens, once, for the client that asked for it
(RFC 6749, section 4.1.3; RFC 7636; OpenID Connect Core, section 3.1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssogate.directory.grants import (
    GrantRefused,
    Presented,
    Redeemable,
    code_key,
    redeem,
    redeemable,
)
from ssogate.model import GrantType
from ssogate.oauth.pkce import challenge_of
from ssogate.provider.errors import InvalidGrant, UnauthorizedClient
from ssogate.provider.issuer import Issuer
from ssogate.provider.token.endpoint import TokenRequest
from ssogate.provider.token.family import first_tokens


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """Everything is judged and signed before the code is spent: who errs may try again, and the
    store's one lock is held for the writing alone."""

    issuer: Issuer

    def __call__(self, asked: TokenRequest) -> Mapping[str, object]:
        found, issuer, client = self._found(asked), self.issuer, asked.client
        answer, rows = first_tokens(
            issuer,
            client,
            found.grant,
            found.owner,
            resources=asked.sent.resources,
            jkt=asked.jkt,
            now=asked.now,
        )
        try:
            redeem(issuer.store, found, rows, by=asked.by, now=asked.now)
        except GrantRefused as refused:
            raise InvalidGrant(detail=str(refused)) from refused
        return answer

    def _found(self, asked: TokenRequest) -> Redeemable:
        client, sent = asked.client, asked.sent
        if client.grant is not GrantType.AUTHORIZATION_CODE:
            raise UnauthorizedClient(detail="another grant's client")
        presented = Presented(
            key=code_key(self.issuer.store, sent.required("code")),
            client=client.identifier,
            redirect_uri=sent.required("redirect_uri"),
            challenge=_challenge(sent.parameters.get("code_verifier", "")),
        )
        try:
            found = redeemable(self.issuer.store, presented, by=asked.by, now=asked.now)
        except GrantRefused as refused:
            raise InvalidGrant(detail=str(refused)) from refused
        if found.code.jkt not in ("", asked.jkt):
            raise InvalidGrant(detail="the code is for another key")
        if self.issuer.terms(client).pkce and not presented.challenge:
            raise InvalidGrant(detail="the client was set to need a code challenge meanwhile")
        return found


def _challenge(verifier: str) -> str:
    try:
        return challenge_of(verifier) if verifier else ""
    except ValueError as error:
        raise InvalidGrant(detail=str(error)) from error
