"""Devices without a browser (RFC 8628): a television asks for a code, shows it to a person, and
asks for tokens until that person has typed the code into a page of ours."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import digest
from ssogate.directory.activity import note
from ssogate.directory.device_codes import (
    INTERVAL,
    LIFETIME,
    Answer,
    NotYet,
    Wish,
    begin,
    poll,
    shown,
    spend,
    user_code,
)
from ssogate.model import Client, Endpoint, Grant, GrantType, Identity
from ssogate.provider.addresses import DEVICE, DEVICE_AUTHORIZATION
from ssogate.provider.clients.authentication import calling
from ssogate.provider.clients.pace import check_pace
from ssogate.provider.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    OAuthError,
    SlowDown,
    UnauthorizedClient,
)
from ssogate.provider.issuer import Issuer
from ssogate.provider.token.endpoint import TokenRequest
from ssogate.provider.token.family import first_tokens
from ssogate.provider.token.minting import audience, narrowed
from ssogate.provider.transport import answered, reply, sent_in_body

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

MOST = 60  # a minute


_REFUSALS: Mapping[Answer, type[OAuthError]] = {
    Answer.PENDING: AuthorizationPending,
    Answer.SLOW_DOWN: SlowDown,
    Answer.DENIED: AccessDenied,
    Answer.EXPIRED: ExpiredToken,
    Answer.UNKNOWN: InvalidGrant,
}


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """`/oauth/device_authorization.php`."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {DEVICE_AUTHORIZATION: self}

    def __call__(self, request: Request) -> Response:
        return answered(request, DEVICE_AUTHORIZATION, lambda: reply(self._begun(request)))

    def _begun(self, request: Request) -> Mapping[str, object]:
        issuer, form = self.issuer, sent_in_body(request)
        client = calling(issuer, form, request)
        if client.grant is not GrantType.DEVICE_CODE:
            raise UnauthorizedClient(detail="another grant's client")
        allowed = client.scopes & issuer.by_scope.keys()
        scopes = narrowed(form.parameters.get("scope", ""), allowed)
        wanted = form.resources
        resources = audience(issuer, client, wanted, client.resources) if wanted else ()
        store, now = issuer.store, issuer.now
        check_pace(store, "device", client, request, most=MOST, now=now)
        device, code = issuer.new_token(), user_code(secrets.choice)
        begin(
            store,
            Wish(digest(device), client.identifier, scopes, resources, now + LIFETIME),
            code,
        )
        page = f"{issuer.origin}{DEVICE}"
        return {
            "device_code": device,
            "user_code": shown(code),
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={shown(code)}",
            "expires_in": LIFETIME,
            "interval": INTERVAL,
        }


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """The grant of that name: a device's code becomes tokens, once, when a person has agreed."""

    issuer: Issuer

    def __call__(self, asked: TokenRequest) -> Mapping[str, object]:
        issuer, client, now = self.issuer, asked.client, asked.now
        if client.grant is not GrantType.DEVICE_CODE:
            raise UnauthorizedClient(detail="another grant's client")
        key = digest(asked.sent.required("device_code"))
        grant, person = self._granted(key, client, now)
        answer, rows = first_tokens(
            issuer, client, grant, person, resources=asked.sent.resources, jkt=asked.jkt, now=now
        )
        with issuer.store.transaction():
            first = spend(issuer.store, key, grant, now=now)
            if first:
                issuer.store.tokens.put(*rows)
                told = f"client {grant.client}, user {grant.subject}"
                note(issuer.store, asked.by, "client.signed-in", told, now)
        if not first:
            raise InvalidGrant(detail="another request was faster, or the grant has ended")
        return answer

    def _granted(self, key: str, client: Client, now: int) -> tuple[Grant, Identity]:
        try:
            return poll(self.issuer.store, key, client=client.identifier, now=now)
        except NotYet as told:
            raise _REFUSALS[told.answer](detail=f"device code: {told}") from told
