"""The one thing that a visitor learns of a token that does not work."""

from __future__ import annotations

from ssogate.errors import GateError


class SsoTokenRefused(GateError):
    """A one-time token that is unknown, too old or malformed, or that its account does not allow;
    the activity log says which."""

    code, status = "sso_token_refused", 401
    title = "This sign-in link does not work"
    public = "You could not be signed in by this link. A link works once, for a minute."
    hint = "Go back to the site that you came from and follow its link again, or sign in here."
    headers = (("WWW-Authenticate", 'Cookie realm="sign-in"'),)
