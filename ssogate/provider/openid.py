"""The OpenID Connect provider: all of its endpoints in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssogate.model import Endpoint, GrantType, PersonalPage
from ssogate.provider.addresses import AUTHORIZE
from ssogate.provider.authorization.device_page import DevicePage
from ssogate.provider.authorization.endpoint import AuthorizationEndpoint
from ssogate.provider.authorization.pushed import PushedAuthorization
from ssogate.provider.clients.authentication import audience
from ssogate.provider.clients.credentials_page import CredentialsPage
from ssogate.provider.clients.registration import Registration
from ssogate.provider.cors import shared
from ssogate.provider.discovery import discovery_endpoints, documents
from ssogate.provider.issuer import Issuer
from ssogate.provider.logout.end_session import EndSession
from ssogate.provider.token.client_credentials import ClientCredentials
from ssogate.provider.token.code import AuthorizationCode
from ssogate.provider.token.device import DeviceAuthorization, DeviceCode
from ssogate.provider.token.endpoint import Handler, TokenEndpoint
from ssogate.provider.token.introspection import Introspection
from ssogate.provider.token.refresh import RefreshToken
from ssogate.provider.token.revocation import Revocation
from ssogate.provider.token.userinfo import UserInfo


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """What an `issuer` answers. `more` are grants that are none of OpenID Connect's, by type."""

    issuer: Issuer
    more: Mapping[str, Handler] = field(default_factory=dict)

    def endpoints(self) -> Mapping[str, Endpoint]:
        table = {**self.for_people(), **self._for_programs()}
        # Last, as it tells what there is.
        about = discovery_endpoints(self.issuer, table, self._grants)
        return {**table, **shared(about)}

    def for_people(self) -> Mapping[str, Endpoint]:
        """Give what browsers are sent to."""
        return {
            **AuthorizationEndpoint(self.issuer).endpoints(),
            **EndSession(self.issuer).endpoints(),
        }

    def _for_programs(self) -> Mapping[str, Endpoint]:
        """Give what knows no session."""
        issuer = self.issuer
        token = TokenEndpoint(
            issuer.store, issuer.clock, self._grants, issuer.origin, audience(issuer)
        )
        in_browsers = {
            **token.endpoints(),
            **UserInfo(issuer).endpoints(),
            **Revocation(issuer).endpoints(),
        }
        return {
            **shared(in_browsers),
            **Introspection(issuer).endpoints(),
            **PushedAuthorization(issuer).endpoints(),
            **DeviceAuthorization(issuer).endpoints(),
            **Registration(issuer).endpoints(),
        }

    @property
    def _grants(self) -> Mapping[str, Handler]:
        return {
            GrantType.AUTHORIZATION_CODE: AuthorizationCode(self.issuer),
            "refresh_token": RefreshToken(self.issuer),
            GrantType.CLIENT_CREDENTIALS: ClientCredentials(self.issuer),
            GrantType.DEVICE_CODE: DeviceCode(self.issuer),
            **self.more,
        }

    def pages(self) -> Mapping[str, PersonalPage]:
        """Give the pages of people who are signed in."""
        return {**CredentialsPage(self.issuer).pages(), **DevicePage(self.issuer).pages()}

    def documents(self) -> frozenset[str]:
        """Give the addresses that say the same to everybody."""
        return frozenset(documents(self.issuer))

    def landings(self) -> frozenset[str]:
        """Give the addresses that a sign-in may lead to."""
        return frozenset({AUTHORIZE})
