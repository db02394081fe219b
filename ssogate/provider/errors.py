"""The refusals of the endpoints for programs, by the codes of RFC 6749, section 5.2, RFC 6750 and
RFC 8707. What callers are told is for people who write clients, in ASCII without quotes, as the
RFCs want it."""

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


class NoPairwiseSub(UnauthorizedClient):
    """Rather no name for a person than one that tells who it is."""

    public = "The client is not set up for pairwise subjects."


class InvalidGrant(OAuthError):
    """RFC 6749, section 5.2. Why is for the log: who asks may not be whom it was given to."""

    code = "invalid_grant"
    public = "The code or refresh token does not count, or not for this client or request."


class InvalidDpopProof(OAuthError):
    """RFC 9449, section 5."""

    code = "invalid_dpop_proof"
    public = "The DPoP proof is not right for this request, or was used already."


class InvalidTarget(OAuthError):
    """RFC 8707, section 2."""

    code = "invalid_target"
    public = "The resource is unknown, or not one that was granted."


class InvalidScope(OAuthError):
    code = "invalid_scope"
    public = "The scope is unknown, or not one of the client's."


class Unavailable(OAuthError):
    """The store does not answer. RFC 6749 has no code for it here, and has this one elsewhere."""

    code, status = "temporarily_unavailable", 503
    public = "The gate cannot make tokens right now."
    headers = (("Retry-After", "30"),)


class NotRead(InvalidRequest):
    status = 405
    public = "Send a GET or POST request."
    headers = (("Allow", "GET, HEAD, POST"),)


class NoToken(OAuthError):
    """RFC 6750, section 3.1: who sends none is told no error code."""

    status = 401


class InvalidToken(OAuthError):
    code, status = "invalid_token", 401
    public = "The access token is unknown, expired, revoked, or for something else."


class InsufficientScope(OAuthError):
    code, status = "insufficient_scope", 403
    public = "The access token does not have the scope openid."


class TooManyRequests(OAuthError):
    """What a client begins and nobody has to finish is counted: nobody fills the store with it."""

    code, status = "temporarily_unavailable", 429
    public = "The client has begun too much within a minute."
    headers = (("Retry-After", "60"),)


class AuthorizationPending(OAuthError):
    """RFC 8628, section 3.5, as the three below."""

    code = "authorization_pending"
    public = "The person has not answered yet."


class SlowDown(OAuthError):
    code = "slow_down"
    public = "Leave more seconds between two requests."


class AccessDenied(OAuthError):
    code = "access_denied"
    public = "The person does not want it."


class ExpiredToken(OAuthError):
    code = "expired_token"
    public = "The device code is too old: ask for another one."
