"""What the gate gives to programs that people trust: the OpenID Connect provider, and WHMCS's
one-time tokens at the same token endpoint (seeds 001 and 003).

May not know how anybody signs in, nor open or end a session: it asks who is there.
"""

from ssogate.provider.clients.credentials_page import CREDENTIALS
from ssogate.provider.issuer import Issuer
from ssogate.provider.openid import OpenIdProvider
from ssogate.provider.settings import ProviderSettings
from ssogate.provider.token.endpoint import Handler, TokenEndpoint
from ssogate.provider.token.single_sign_on import SingleSignOn

__all__ = [
    "CREDENTIALS",
    "Handler",
    "Issuer",
    "OpenIdProvider",
    "ProviderSettings",
    "SingleSignOn",
    "TokenEndpoint",
]
