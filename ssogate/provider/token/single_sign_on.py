"""The grant `single_sign_on` (PROTOCOLS section 2.3): a one-time token for the owner of the account
that the client's service belongs to, and for nobody and nothing beyond that account."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
from ssogate.model import Client, GrantType, LocalPath, ServiceStatus, Standing
from ssogate.provider.errors import InvalidRequest, InvalidScope, UnauthorizedClient
from ssogate.provider.token.endpoint import TokenRequest
from ssogate.storage import Store

_OVER = frozenset({ServiceStatus.TERMINATED, ServiceStatus.CANCELLED, ServiceStatus.FRAUD})

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """`origin` is the site's scheme, host and port; `new_token` gives 160 random bits as 40 hex
    digits."""

    store: Store
    destinations: Destinations
    origin: str
    new_token: Callable[[], str] = field(repr=False)

    def __call__(self, asked: TokenRequest) -> Mapping[str, object]:
        client, parameters = asked.client, asked.sent.parameters
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
                by=asked.by,
                now=asked.now,
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
