"""Sign-in by one-time token, as WHMCS has it (seed 001, PROTOCOLS section 2.4).

May not know who makes tokens: a token's ticket says whom it signs in and where it leads.
"""

from ssogate.login.sso_token.method import SsoToken
from ssogate.login.sso_token.settings import SsoTokenSettings

__all__ = ["SsoToken", "SsoTokenSettings"]
