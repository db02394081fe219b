"""The grant `refresh_token`: each is exchanged once, for the next one of its family (RFC 6749,
section 6; RFC 9700, section 4.14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssogate.crypto.random_secrets import digest
from ssogate.directory.grants import (
    GrantRefused,
    Refreshable,
    refreshable,
    rotate,
    successor_of,
)
from ssogate.model import GrantType
from ssogate.provider.errors import InvalidGrant, UnauthorizedClient
from ssogate.provider.issuer import Issuer
from ssogate.provider.settings import OFFLINE_ACCESS
from ssogate.provider.token.endpoint import TokenRequest
from ssogate.provider.token.id_tokens import check_may_sign_in, id_token
from ssogate.provider.token.minting import (
    OPENID,
    Minted,
    audience,
    family_access,
    family_refresh,
    narrowed,
)

_REFRESHED = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE})


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The scope may be narrower for one access token; the next refresh token stands for all that
    was granted, as the one before."""

    issuer: Issuer

    def __call__(self, asked: TokenRequest) -> Mapping[str, object]:
        issuer, client, sent, now = self.issuer, asked.client, asked.sent, asked.now
        text = sent.required("refresh_token")
        found = self._found(asked, text)
        grant = found.grant
        # What has been taken from the client since is not granted any more.
        scopes = narrowed(sent.parameters.get("scope", ""), found.token.scopes & client.scopes)
        for_whom = audience(issuer, client, sent.resources, grant.resources)
        check_may_sign_in(client, found.owner)
        access = family_access(
            issuer, client, grant, scopes=scopes, audience=for_whom, jkt=asked.jkt, now=now
        )
        following = successor_of(text, issuer.secret)
        refresh = family_refresh(issuer, client, grant, following, jkt=found.token.jkt, now=now)
        answer = {**access.answer, "refresh_token": refresh.text}
        if OPENID in scopes:
            # Core, section 12.2: the same issuer, subject and auth_time; no nonce.
            answer["id_token"] = id_token(
                issuer,
                client,
                grant,
                found.owner,
                scopes=scopes,
                access_token=access.text,
                nonce="",
                now=now,
            )
        self._rotate(found, refresh, access, asked)
        return answer

    def _found(self, asked: TokenRequest, text: str) -> Refreshable:
        client, store = asked.client, self.issuer.store
        if client.grant not in _REFRESHED:
            raise UnauthorizedClient(detail="another grant's client")
        try:
            found = refreshable(
                store, digest(text), client=client.identifier, by=asked.by, now=asked.now
            )
        except GrantRefused as refused:
            raise InvalidGrant(detail=str(refused)) from refused
        if OFFLINE_ACCESS not in client.scopes:
            raise InvalidGrant(detail=f"{OFFLINE_ACCESS} was taken from the client")
        if found.token.jkt not in ("", asked.jkt):
            raise InvalidGrant(detail="the refresh token is bound to another key")
        return found

    def _rotate(
        self, found: Refreshable, refresh: Minted, access: Minted, asked: TokenRequest
    ) -> None:
        try:
            rotate(self.issuer.store, found, refresh.row, access.row, by=asked.by, now=asked.now)
        except GrantRefused as refused:
            raise InvalidGrant(detail=str(refused)) from refused
