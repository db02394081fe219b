"""Where the provider's endpoints stand: WHMCS's addresses, and beside them what it has not."""

from __future__ import annotations

from ssogate.http.site import OWN

AUTHORIZE = "/oauth/authorize.php"
TOKEN = "/oauth/token.php"  # noqa: S105  (an address)
USERINFO = "/oauth/userinfo.php"
JWKS = "/oauth/certs.php"
END_SESSION = "/oauth/logout.php"
REVOCATION = "/oauth/revoke.php"
INTROSPECTION = "/oauth/introspect.php"
REGISTRATION = "/oauth/register.php"
PUSHED_AUTHORIZATION = "/oauth/par.php"
DEVICE_AUTHORIZATION = "/oauth/device_authorization.php"

DISCOVERY = ("/oauth/openid-configuration.php", "/.well-known/openid-configuration")
METADATA = "/.well-known/oauth-authorization-server"
"""RFC 8414's, for OAuth clients that know no OpenID Connect: the same document."""

CONSENT = f"{OWN}consent"
DEVICE = f"{OWN}device"
"""Where a person types the code that a device shows."""
