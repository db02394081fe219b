"""`POST /oauth/token.php`: a client proves itself and gets a token (RFC 6749, section 3.2).

Here is the transport alone; what a grant is worth is said by its handler, one module each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto import SealBroken
from ssogate.directory.activity import By, by_client
from ssogate.errors import GateError, StoreFailure
from ssogate.http.log import log_refusal
from ssogate.model import Client, Clock, Endpoint, GrantType
from ssogate.provider.addresses import TOKEN
from ssogate.provider.clients.authentication import authenticate, is_integration_link
from ssogate.provider.errors import InvalidRequest, Unavailable, UnsupportedGrantType
from ssogate.provider.token.possession import possession
from ssogate.provider.transport import Sent, reply, sent, told
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

# cPanel waits 60 seconds at most, and tries three times (its documentation of
# create_integration_link). It may tell which attempt this is.
RETRY_SECONDS = 30
_NEXT_ATTEMPT = {"": 1, "1": 2, "2": 3}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a client that has proven itself asks for."""

    client: Client
    sent: Sent
    by: By
    now: int
    jkt: str = ""
    """The thumbprint of the key that it has proven to have (RFC 9449); empty: of none."""


Handler = Callable[[TokenRequest], Mapping[str, object]]
"""What gives tokens for one grant type: the members of the answer. Raises `OAuthError`."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`handlers` by grant type; `origin` is the site's scheme, host and port; `audience` is what a
    client's assertion may call us."""

    store: Store
    clock: Clock
    handlers: Mapping[str, Handler]
    origin: str
    audience: frozenset[str] = field(default=frozenset())

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {TOKEN: self}

    def __call__(self, request: Request) -> Response:
        form = Sent({})
        try:
            form = sent(request)
            return reply(self._answer(form, request))
        except (StoreFailure, SealBroken) as failure:
            error: GateError = Unavailable(detail=str(failure))
        except GateError as refused:
            error = refused
        log_refusal(error, request.environ, rule=TOKEN)
        if isinstance(error, Unavailable) and is_integration_link(form.parameters):
            attempt = _NEXT_ATTEMPT.get(form.parameters.get("attempt", ""))
            if attempt:
                return reply({"retry": RETRY_SECONDS, "attempt": attempt})
        return told(error)

    def _answer(self, form: Sent, request: Request) -> Mapping[str, object]:
        authorization = request.environ.get("HTTP_AUTHORIZATION", "")
        now, parameters = int(self.clock()), form.parameters
        linked = is_integration_link(parameters)
        client = authenticate(
            self.store, parameters, authorization, audience=self.audience, now=now, linked=linked
        ).client
        grant = GrantType.SINGLE_SIGN_ON if linked else parameters.get("grant_type", "")
        if not grant:
            raise InvalidRequest("grant_type is missing.")
        handler = self.handlers.get(grant)
        if handler is None:
            raise UnsupportedGrantType
        # WHMCS's own takes the query, as cPanel's integration links have it.
        if form.in_query and grant != GrantType.SINGLE_SIGN_ON:
            raise InvalidRequest("Send parameters in the body, not in the URL.")
        by = by_client(client, request)
        shown = possession(request, url=f"{self.origin}{TOKEN}", now=now)
        answer = handler(TokenRequest(client, form, by, now, shown.jkt))
        shown.spend(self.store)
        return answer
