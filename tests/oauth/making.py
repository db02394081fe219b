"""A client, its terms and a request that is granted: tests change one thing of them."""

from __future__ import annotations

from ssogate.model import Client, GrantType
from ssogate.oauth.authorization import AuthorizationRequest, Terms, asked_for, verified_request
from ssogate.oauth.pkce import challenge_of

REDIRECT_URI = "https://panel.example:2083/callback?kind=user"
CLIENT = Client(
    number=1,
    identifier="cpanel",
    secret_digest="",
    grant=GrantType.AUTHORIZATION_CODE,
    name="cPanel",
    service=None,
    scopes=frozenset({"openid", "profile", "email"}),
    description="",
    logo_uri="",
    redirect_uris=("https://other.example/cb", REDIRECT_URI),
    created_at=0,
    updated_at=0,
)
TERMS = Terms(
    scopes=frozenset({"openid", "profile", "email", "groups"}),
    resources=frozenset({"https://api.example/", "urn:example:files"}),
)
PLAIN = {
    "response_type": "code",
    "client_id": "cpanel",
    "redirect_uri": REDIRECT_URI,
    "scope": "openid email",
    "state": "a state & more",
    "code_challenge": challenge_of("v" * 43),
    "code_challenge_method": "S256",
}

Pairs = tuple[tuple[str, str], ...]


def pairs(more: Pairs = (), **changed: str | None) -> Pairs:
    """The parameters of a good request, with some changed, left out (None), or given once more."""
    asked = {**PLAIN, **changed}
    return (*((name, value) for name, value in asked.items() if value is not None), *more)


def request(
    more: Pairs = (),
    *,
    client: Client | None = CLIENT,
    terms: Terms = TERMS,
    **changed: str | None,
) -> AuthorizationRequest:
    return verified_request(asked_for(pairs(more, **changed)), client, terms)
