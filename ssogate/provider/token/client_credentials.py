"""The grant `client_credentials`: a client acts for itself, never for a person (RFC 6749,
section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssogate.model import ClientAuthentication, GrantType
from ssogate.provider.errors import UnauthorizedClient
from ssogate.provider.issuer import Issuer
from ssogate.provider.settings import OFFLINE_ACCESS
from ssogate.provider.token.endpoint import TokenRequest
from ssogate.provider.token.minting import audience, narrowed, own_access


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """There is no refresh token: the client can always ask again (section 4.4.3)."""

    issuer: Issuer

    def __call__(self, asked: TokenRequest) -> Mapping[str, object]:
        issuer, client, sent = self.issuer, asked.client, asked.sent
        proven = client.authentication is not ClientAuthentication.NONE
        if client.grant is not GrantType.CLIENT_CREDENTIALS or not proven:
            raise UnauthorizedClient(detail="another grant's client, or a public one")
        scopes = narrowed(sent.parameters.get("scope", ""), client.scopes - self._about_people())
        for_whom = audience(issuer, client, sent.resources, client.resources)
        access = own_access(
            issuer, client, scopes=scopes, audience=for_whom, jkt=asked.jkt, now=asked.now
        )
        # A power cut may take it back: then the client asks again.
        with issuer.store.transaction(durable=False):
            issuer.store.tokens.put(access.row)
        return access.answer

    def _about_people(self) -> frozenset[str]:
        opening = {scope for scope, claims in self.issuer.by_scope.items() if claims}
        return frozenset(opening) | {OFFLINE_ACCESS}
