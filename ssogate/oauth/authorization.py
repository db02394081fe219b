"""What a client asks for at the authorization endpoint, read into one verified value.

First who asks and where the answer goes: what fails there is never redirected. Then everything
else, one small function a parameter, in the order of `verified_request` and nowhere else
(RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2, RFC 9700 section 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ssogate.model import Client, GrantType
from ssogate.oauth import pkce
from ssogate.oauth.claims_request import ClaimsRequest, claims_request
from ssogate.oauth.errors import AuthorizationError, ErrorCode, ReplyTo, ResponseMode
from ssogate.oauth.redirect_uri import redirect_uri_matches

OPENID = "openid"
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
DISPLAYS = frozenset({"page", "popup", "touch", "wap"})

MAX_VALUE = 2048  # characters of a parameter; a state that is longer keeps more than a state
_LONGER = {"claims": 8192, "id_token_hint": 16_384}

# RFC 6749, appendix A.4: graphic ASCII without the quote and the backslash.
_SCOPES = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)

# OpenID Connect Core, sections 6.1, 6.2 and 7.2.1. PAR resolves its own before it comes here.
_UNSUPPORTED = {
    "request": ErrorCode.REQUEST_NOT_SUPPORTED,
    "request_uri": ErrorCode.REQUEST_URI_NOT_SUPPORTED,
    "registration": ErrorCode.REGISTRATION_NOT_SUPPORTED,
}

PARAMETERS = frozenset(
    {
        *("response_type", "client_id", "redirect_uri", "response_mode", "state", "scope", "nonce"),
        *("code_challenge", "code_challenge_method", "dpop_jkt", "prompt", "max_age", "claims"),
        *("acr_values", "resource", "login_hint", "id_token_hint", "display", "ui_locales"),
        *("request", "request_uri", "registration"),
    }
)
"""All that counts of a request; the rest is ignored (RFC 6749, section 3.1)."""

Asked = Mapping[str, tuple[str, ...]]
"""The values of each parameter. An empty one counts as absent (RFC 6749, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the gate holds a client to."""

    scopes: frozenset[str]
    """All that the gate knows. Of these, a client may ask for its own; others are ignored."""
    native: bool = False
    """An app on a person's device: the port of a loopback redirect URI is free."""
    pkce: bool = True
    """Whether a code challenge is required; a public client's always is."""
    resources: frozenset[str] = frozenset()
    """What tokens may be asked for (RFC 8707)."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be granted, if the person agrees. Built only by `verified_request`."""

    client_id: str
    reply_to: ReplyTo
    scopes: frozenset[str]
    nonce: str
    code_challenge: str
    """Empty only for a client that need not have one."""
    dpop_jkt: str
    """The thumbprint of the key that the code is for (RFC 9449, section 10); empty: any."""
    prompt: frozenset[str]
    max_age: int | None
    """Seconds since the sign-in; None if the client does not care."""
    claims: ClaimsRequest
    resources: tuple[str, ...]
    id_token_hint: str = field(repr=False)
    """Not verified: that takes keys."""

    def refusal(self, error: ErrorCode, description: str) -> AuthorizationError:
        """Give the error that tells the client why it does not get a code."""
        return AuthorizationError(error, description, self.reply_to)


def asked_for(pairs: Iterable[tuple[str, str]]) -> Asked:
    """Group decoded parameters by name; the caller has bounded how many there are."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if value:
            found[name] = (*found.get(name, ()), value)
    return found


def client_named(asked: Asked) -> str:
    """Give the identifier to look the client up by. Raises `AuthorizationError`, for a page."""
    return _required(asked, "client_id")


def verified_request(asked: Asked, client: Client | None, terms: Terms) -> AuthorizationRequest:
    """Verify a request of the client that `client_named` names; None if there is none.

    Raises `AuthorizationError`, which has a `reply_to` once client and redirect URI are verified.
    """
    if client is None or client.identifier != client_named(asked):
        raise AuthorizationError(ErrorCode.INVALID_REQUEST, "There is no such client.")
    reply_to = _reply_to(asked, client, terms)
    try:
        if client.grant is not GrantType.AUTHORIZATION_CODE:
            raise AuthorizationError(ErrorCode.UNAUTHORIZED_CLIENT, "The client gets no codes.")
        for check in _CHECKS:
            check(asked)
        return AuthorizationRequest(
            client_id=client.identifier,
            reply_to=reply_to,
            scopes=_scopes(asked, client, terms),
            nonce=_nonce(asked),
            code_challenge=_code_challenge(asked, terms),
            dpop_jkt=_dpop_jkt(asked),
            prompt=_prompt(asked),
            max_age=_max_age(asked),
            claims=_claims(asked),
            resources=_resources(asked, terms),
            id_token_hint=_one(asked, "id_token_hint"),
        )
    except AuthorizationError as refused:
        raise AuthorizationError(refused.error, refused.description, reply_to) from None


# --- Who asks, and where the answer goes: never redirected --------------------------------------


def _required(asked: Asked, name: str) -> str:
    values = asked.get(name, ())
    if len(values) != 1 or len(values[0]) > MAX_VALUE:
        raise _invalid(f"{name} is missing, given twice, or too long.")
    return values[0]


def _reply_to(asked: Asked, client: Client, terms: Terms) -> ReplyTo:
    """Give where this very client may be answered.

    It is told of an odd state or response mode too, but without the one and by the usual mode.
    """
    uri = _required(asked, "redirect_uri")
    if not any(
        redirect_uri_matches(registered, uri, native=terms.native)
        for registered in client.redirect_uris
    ):
        raise _invalid("redirect_uri is not one that the client has registered.")
    mode, state = _one(asked, "response_mode"), _one(asked, "state")
    return ReplyTo(
        uri,
        ResponseMode(mode) if mode in set(ResponseMode) else ResponseMode.QUERY,
        state if len(state) <= MAX_VALUE else "",
    )


# --- Everything else, in this order ---------------------------------------------------------------


def _nothing_twice(asked: Asked) -> None:
    """RFC 6749, section 3.1. Only `resource` may repeat (RFC 8707, section 2)."""
    if any(len(values) > 1 for name, values in asked.items() if name != "resource"):
        raise _invalid("A parameter is given twice.")


def _nothing_unsupported(asked: Asked) -> None:
    for name, error in _UNSUPPORTED.items():
        if name in asked:
            raise AuthorizationError(error, f"{name} is not supported here.")


def _nothing_too_long(asked: Asked) -> None:
    for name, values in asked.items():
        if any(len(value) > _LONGER.get(name, MAX_VALUE) for value in values):
            raise _invalid("A parameter is too long.")


def _code_flow(asked: Asked) -> None:
    if not _one(asked, "response_type"):
        raise _invalid("response_type is missing.")
    if _one(asked, "response_type") != "code":
        raise AuthorizationError(
            ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "The only response_type is code."
        )
    if _one(asked, "response_mode") not in {"", *ResponseMode}:
        raise _invalid("response_mode is query, fragment or form_post.")


def _known_display(asked: Asked) -> None:
    if (_one(asked, "display") or "page") not in DISPLAYS:
        raise _invalid("display is not one of those that OpenID Connect knows.")


_CHECKS = (_nothing_twice, _nothing_unsupported, _nothing_too_long, _code_flow, _known_display)


def _scopes(asked: Asked, client: Client, terms: Terms) -> frozenset[str]:
    """Give the scopes that the gate understands (OpenID Connect Core, section 3.1.2.1)."""
    text = _one(asked, "scope")
    if text and not _SCOPES.fullmatch(text):
        raise AuthorizationError(ErrorCode.INVALID_SCOPE, "scope is words between single spaces.")
    scopes = frozenset(text.split(" ")) & terms.scopes
    if OPENID not in scopes:
        raise AuthorizationError(ErrorCode.INVALID_SCOPE, "The scope openid is missing.")
    if not scopes <= client.scopes:
        raise AuthorizationError(ErrorCode.INVALID_SCOPE, "A scope is not one of the client's.")
    return scopes


def _nonce(asked: Asked) -> str:
    nonce = _one(asked, "nonce")
    if _CONTROL.search(nonce):  # databases differ over a zero byte
        raise _invalid("nonce holds a control character.")
    return nonce


def _code_challenge(asked: Asked, terms: Terms) -> str:
    challenge, method = _one(asked, "code_challenge"), _one(asked, "code_challenge_method")
    if not (challenge or method or terms.pkce):
        return ""
    if method != pkce.METHOD:  # left out, it would mean `plain` (RFC 7636, section 4.3)
        raise _invalid("A code_challenge with the code_challenge_method S256 is required.")
    if not pkce.is_challenge(challenge):
        raise _invalid("code_challenge is not a SHA-256 in base64url.")
    return challenge


def _dpop_jkt(asked: Asked) -> str:
    jkt = _one(asked, "dpop_jkt")
    if jkt and not pkce.is_challenge(jkt):  # of the same form
        raise _invalid("dpop_jkt is not a SHA-256 in base64url.")
    return jkt


def _prompt(asked: Asked) -> frozenset[str]:
    prompt = frozenset(_words(asked, "prompt"))
    if not prompt <= PROMPTS:
        raise _invalid("prompt is not one of those that OpenID Connect knows.")
    if "none" in prompt and len(prompt) > 1:
        raise _invalid("prompt is none and something else.")
    return prompt


def _max_age(asked: Asked) -> int | None:
    text = _one(asked, "max_age")
    if text and not _SECONDS.fullmatch(text):
        raise _invalid("max_age is not a number of seconds.")
    return int(text) if text else None


def _claims(asked: Asked) -> ClaimsRequest:
    text = _one(asked, "claims")
    try:
        return claims_request(text) if text else ClaimsRequest()
    except ValueError:
        raise _invalid("claims is not what OpenID Connect Core, section 5.5, describes.") from None


def _resources(asked: Asked, terms: Terms) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(asked.get("resource", ())))
    if not terms.resources.issuperset(found):
        raise AuthorizationError(ErrorCode.INVALID_TARGET, "There is no such resource.")
    return found


def _one(asked: Asked, name: str) -> str:
    """Give the only value; nothing if there is none, or more than one."""
    values = asked.get(name, ())
    return values[0] if len(values) == 1 else ""


def _words(asked: Asked, name: str) -> tuple[str, ...]:
    return tuple(_one(asked, name).split())


def _invalid(description: str) -> AuthorizationError:
    return AuthorizationError(ErrorCode.INVALID_REQUEST, description)
