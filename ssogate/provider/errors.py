"""The refusals of the token endpoint, by the codes of RFC 6749, section 5.2. What callers are told
is for people who write clients, in ASCII without quotes, as the RFC wants it."""

from __future__ import annotations

from ssogate.errors import GateError


class OAuthError(GateError):
    """A refusal that is told in OAuth's form. `described` says more than `public`, where the caller
    may know more; `detail` is for the log."""

    def __init__(self, described: str = "", *, detail: str = "") -> None:
        super().__init__(detail or described)
        self.described = described or self.public


class InvalidRequest(OAuthError):
    code = "invalid_request"
    public = "The request lacks a parameter, has one twice, or has one that cannot be."


class NotPosted(InvalidRequest):
    status = 405
    public = "Send a POST request."
    headers = (("Allow", "POST"),)


class UnsupportedGrantType(OAuthError):
    code = "unsupported_grant_type"
    public = "This grant type is not known here."


class InvalidClient(OAuthError):
    code = "invalid_client"
    public = "There is no such client, or the secret is not the client's."


class InvalidBasicClient(InvalidClient):
    """Of a caller that used HTTP Basic."""

    status = 401
    headers = (("WWW-Authenticate", 'Basic realm="oauth"'),)


class UnauthorizedClient(OAuthError):
    code = "unauthorized_client"
    public = "The client may not have such a token now."


class InvalidScope(OAuthError):
    code = "invalid_scope"
    public = "The scope is unknown, or not one of the client's."


class Unavailable(OAuthError):
    """The store does not answer. RFC 6749 has no code for it here, and has this one elsewhere."""

    code, status = "temporarily_unavailable", 503
    public = "The gate cannot make tokens right now."
    headers = (("Retry-After", "30"),)
