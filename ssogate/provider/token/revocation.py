"""`POST /oauth/revoke.php`: a client gives a token back (RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto.random_secrets import digest
from ssogate.directory.activity import by_client
from ssogate.directory.grants import revoke_token
from ssogate.model import Endpoint
from ssogate.provider.addresses import REVOCATION
from ssogate.provider.clients.authentication import calling
from ssogate.provider.issuer import Issuer
from ssogate.provider.transport import answered, reply, sent_in_body

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


@dataclass(frozen=True, slots=True)
class Revocation:
    """Who gives back what it never had is told the same: there is nothing more to do about it."""

    issuer: Issuer

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {REVOCATION: self}

    def __call__(self, request: Request) -> Response:
        return answered(request, REVOCATION, lambda: self._revoke(request))

    def _revoke(self, request: Request) -> Response:
        issuer, form = self.issuer, sent_in_body(request)
        client = calling(issuer, form, request)
        by = by_client(client, request)
        key = digest(form.required("token"))
        revoke_token(issuer.store, key, client=client.identifier, by=by, now=issuer.now)
        return reply({})
