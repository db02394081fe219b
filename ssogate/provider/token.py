"""`POST /oauth/token.php`: a client proves itself and gets a token (RFC 6749, section 3.2).

Of the grants there is `single_sign_on` (PROTOCOLS section 2.3): a one-time token for the owner of
the account that the client's service belongs to, and for nobody and nothing beyond that account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.directory.activity import By
from ssogate.directory.destinations import (
    BASE_SCOPE,
    CUSTOM_REDIRECT,
    SCOPES,
    BadDestination,
    Destinations,
)
from ssogate.directory.sso_tokens import (
    LIFETIME,
    Reason,
    TokenRefused,
    provision,
    redemption_url,
)
from ssogate.errors import GateError, StoreFailure
from ssogate.http import environ as env
from ssogate.http.form import sent_pairs
from ssogate.http.log import log_refusal
from ssogate.http.pages import PRIVATE_HEADERS
from ssogate.model import (
    Client,
    Clock,
    Endpoint,
    GrantType,
    LocalPath,
    ServiceStatus,
    Standing,
)
from ssogate.provider.client_authentication import authenticate, is_integration_link
from ssogate.provider.errors import (
    InvalidRequest,
    InvalidScope,
    NotPosted,
    OAuthError,
    UnauthorizedClient,
    Unavailable,
    UnsupportedGrantType,
)
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

TOKEN = "/oauth/token.php"  # noqa: S105  (an address)

# cPanel waits 60 seconds at most, and tries three times (its documentation of
# create_integration_link). It may tell which attempt this is.
RETRY_SECONDS = 30
_NEXT_ATTEMPT = {"": 1, "1": 2, "2": 3}

_OVER = frozenset({ServiceStatus.TERMINATED, ServiceStatus.CANCELLED, ServiceStatus.FRAUD})

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`origin` is the site's scheme, host and port; `new_token` gives 160 random bits as 40 hex
    digits."""

    store: Store
    clock: Clock
    destinations: Destinations
    origin: str
    new_token: Callable[[], str] = field(repr=False)

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {TOKEN: self}

    def __call__(self, request: Request) -> Response:
        parameters: Mapping[str, str] = {}
        try:
            parameters = _parameters(request)
            return _reply(200, self._answer(parameters, request))
        except StoreFailure as failure:
            error: GateError = Unavailable(detail=str(failure))
        except GateError as refused:
            error = refused
        log_refusal(error, request.environ, rule=TOKEN)
        if isinstance(error, Unavailable) and is_integration_link(parameters):
            attempt = _NEXT_ATTEMPT.get(parameters.get("attempt", ""))
            if attempt:
                return _reply(200, {"retry": RETRY_SECONDS, "attempt": attempt})
        return _refusal(error)

    def _answer(self, parameters: Mapping[str, str], request: Request) -> Mapping[str, object]:
        authorization = request.environ.get("HTTP_AUTHORIZATION", "")
        client = authenticate(self.store.clients, parameters, authorization).client
        grant = parameters.get("grant_type", "")
        if grant == GrantType.SINGLE_SIGN_ON or is_integration_link(parameters):
            by = By(f"client:{client.identifier}", str(env.client(request.environ) or ""))
            return self._single_sign_on(client, parameters, by)
        if not grant:
            raise InvalidRequest("grant_type is missing.")
        raise UnsupportedGrantType

    def _single_sign_on(
        self, client: Client, parameters: Mapping[str, str], by: By
    ) -> Mapping[str, object]:
        owner = self._owner(client)
        scope = _destination(client, parameters.get("scope", ""))
        service, domain = _number(parameters, "service_id"), _number(parameters, "domain_id")
        if service is None and SCOPES[scope].needs == "service_id":
            service = client.service
        try:
            token = provision(
                self.store,
                owner,
                scope=scope,
                service=service,
                domain=domain,
                target=self._target(scope, service, domain),
                new_token=self.new_token,
                by=by,
                now=int(self.clock()),
            )
        except TokenRefused as refused:
            if refused.reason in (Reason.SERVICE, Reason.DOMAIN):
                raise InvalidRequest(f"{refused}.") from refused
            raise UnauthorizedClient(detail=str(refused)) from refused
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": " ".join(dict.fromkeys((BASE_SCOPE, scope))),
            "redirect_url": redemption_url(self.origin, token),
        }

    def _owner(self, client: Client) -> Standing:
        """Give the owner of the account that the client speaks for, and spoke for from the first:
        the secret of a service that went to another account is still with its former owner."""
        service = self.store.services.get(client.service) if client.service else None
        if client.grant is not GrantType.SINGLE_SIGN_ON or service is None:
            raise UnauthorizedClient(detail="another grant's client")
        if service.account != client.account or service.status in _OVER:
            raise UnauthorizedClient(detail="the service went to another account, or is over")
        owner = self.store.memberships.owner(service.account)
        if owner is None or owner.user is None:
            raise UnauthorizedClient(detail="no owner to sign in")
        return owner

    def _target(self, scope: str, service: int | None, domain: int | None) -> LocalPath:
        try:
            return self.destinations.target(
                scope, service=service, domain=domain, redirect_path=None
            )
        except BadDestination as error:
            raise InvalidRequest(f"{error}.") from error


def _parameters(request: Request) -> Mapping[str, str]:
    """Give what the query and the form say together: each thing once, nothing by an empty value
    (RFC 6749, section 3.2)."""
    if request.method != "POST":
        raise NotPosted
    pairs = [(name, value) for name, value in sent_pairs(request) if value]
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise InvalidRequest("A parameter is given twice.")
    return parameters


def _destination(client: Client, wanted: str) -> str:
    """Give the one scope that says where to, of those that the client may ask for."""
    scopes = set(wanted.split()) - {BASE_SCOPE}
    if len(scopes) > 1:
        raise InvalidScope("A token leads to one destination.")
    scope = scopes.pop() if scopes else BASE_SCOPE
    if scope not in client.scopes | {BASE_SCOPE} or scope not in SCOPES or scope == CUSTOM_REDIRECT:
        raise InvalidScope
    return scope


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is not None and not _NUMBER.fullmatch(text):
        raise InvalidRequest(f"{name} is not a number.")
    return None if text is None else int(text)


def _refusal(error: GateError) -> Response:
    code, described = "invalid_request", error.public
    if isinstance(error, OAuthError):
        code, described = error.code, error.described
    response = _reply(error.status, {"error": code, "error_description": described})
    response.headers.extend(error.headers)
    return response


def _reply(status: int, values: Mapping[str, object]) -> Response:
    headers = {**PRIVATE_HEADERS, "Pragma": "no-cache"}  # RFC 6749, section 5.1
    return Response(json.dumps(values), status, headers, content_type="application/json")
