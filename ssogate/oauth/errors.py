"""Why an authorization request is not granted, and whether the client may be told.

Until client and redirect URI are verified, a refusal is a page of ours: to redirect it would make
the gate send people wherever a link says (RFC 6749, sections 4.1.2.1 and 10.15).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ssogate.errors import GateError
from ssogate.http.languages import msgid


class ErrorCode(StrEnum):
    """The codes of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    INTERACTION_REQUIRED = "interaction_required"
    LOGIN_REQUIRED = "login_required"
    ACCOUNT_SELECTION_REQUIRED = "account_selection_required"
    CONSENT_REQUIRED = "consent_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    INVALID_TARGET = "invalid_target"
    UNMET_AUTHENTICATION_REQUIREMENTS = "unmet_authentication_requirements"


class ResponseMode(StrEnum):
    """How the answer travels to the redirect URI."""

    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where the verified client is answered. Built only by `authorization`."""

    redirect_uri: str
    mode: ResponseMode
    state: str
    """What the client wants back; empty if it sent none."""


class AuthorizationError(GateError):
    """A refusal. With `reply_to`, the client is told; without, only the person in the browser.

    `description` is for people who write clients: ASCII without quotes and backslashes, and
    nothing of the request is repeated in it.
    """

    code, status = "authorization_refused", 400
    title = msgid("The application asked for something impossible")
    public = msgid("You came from an application whose sign-in request the gate cannot accept.")
    hint = msgid(
        "Go back and try again. If it happens again, tell the people who run the application."
    )

    def __init__(self, error: ErrorCode, description: str, reply_to: ReplyTo | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.reply_to = reply_to
