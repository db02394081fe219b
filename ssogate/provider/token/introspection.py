"""`POST /oauth/introspect.php`: an API asks what a token is worth (RFC 7662)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import digest
from ssogate.directory.grants import introspect
from ssogate.model import Client, ClientAuthentication, Endpoint, Held, Token, TokenKind
from ssogate.provider.addresses import INTROSPECTION
from ssogate.provider.clients.authentication import calling
from ssogate.provider.errors import InvalidClient
from ssogate.provider.issuer import Issuer
from ssogate.provider.settings import OFFLINE_ACCESS
from ssogate.provider.token.id_tokens import may_sign_in
from ssogate.provider.token.minting import confirmation, counted, token_type
from ssogate.provider.transport import answered, reply, sent_in_body

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

INACTIVE: Mapping[str, object] = {"active": False}


@dataclass(frozen=True, slots=True)
class Introspection:
    """A client is told of its own tokens, and of access tokens for an API that it may speak for;
    of no other it is told more than of a made-up one."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {INTROSPECTION: self}

    def __call__(self, request: Request) -> Response:
        return answered(request, INTROSPECTION, lambda: reply(self._answer(request)))

    def _answer(self, request: Request) -> Mapping[str, object]:
        issuer, form = self.issuer, sent_in_body(request)
        client = calling(issuer, form, request)
        if client.authentication is ClientAuthentication.NONE:
            raise InvalidClient("A public client cannot ask.", detail=client.identifier)
        held = introspect(issuer.store, digest(form.required("token")), now=issuer.now)
        owner = self._owner(held, client) if held else None
        return self._told(held, owner) if held and owner else INACTIVE

    def _owner(self, held: Held[Token], asking: Client) -> Client | None:
        """Give whose token it is; None if that is nothing to who asks, or there is nothing left
        that the token may do."""
        token = held.of
        if token.client == asking.identifier:
            owner: Client | None = asking
        elif token.kind is TokenKind.ACCESS and set(token.audience) & set(asking.resources):
            owner = self.issuer.store.clients.named(token.client)
        else:
            return None
        if owner is None or (held.owner and not may_sign_in(owner, held.owner)):
            return None
        if token.kind is TokenKind.REFRESH:
            return owner if OFFLINE_ACCESS in owner.scopes else None
        left = {*counted(owner, token.audience)}
        concerns = left if owner is asking else left & {*asking.resources}
        return owner if concerns or not token.audience else None

    def _told(self, held: Held[Token], owner: Client) -> Mapping[str, object]:
        """RFC 7662, section 2.2."""
        token, grant = held.of, held.grant
        subject = self.issuer.sub(owner, grant.subject) if grant else owner.identifier
        optional = {
            "token_type": token_type(token) if token.kind is TokenKind.ACCESS else "",
            "aud": list(counted(owner, token.audience)),
        }
        return {
            "active": True,
            "iss": self.issuer.name,
            "sub": subject,
            "client_id": token.client,
            "scope": " ".join(sorted(token.scopes & owner.scopes)),
            "iat": token.issued_at,
            "exp": token.until,
            **confirmation(token),
            **{name: value for name, value in optional.items() if value},
        }
