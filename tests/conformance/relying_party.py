"""A relying party that knows a discovery URL and its own credentials, and trusts nothing that it
has not verified. It shares no code with the provider: tokens are judged by PyJWT."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import requests

from tests.conformance.person import SECONDS, Person, Stop

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CALLBACK = "https://rp.example/callback"

Json = dict[str, Any]


@dataclass(frozen=True)
class Credentials:
    client_id: str
    secret: str = field(default="", repr=False)
    method: str = "client_secret_basic"
    """As `token_endpoint_auth_method` (RFC 7591) names it."""
    key: Any = field(default=None, repr=False)
    """An EC private key, for private_key_jwt."""


@dataclass(frozen=True)
class Asked:
    """An authorization request on its way."""

    url: str
    state: str
    nonce: str
    verifier: str
    sent: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What came back by the browser."""

    asked: Asked
    stop: Stop
    parameters: Mapping[str, str]

    @property
    def error(self) -> str:
        return self.parameters.get("error", "")


@dataclass(frozen=True)
class SignIn:
    """Tokens that were verified."""

    answer: Answer
    tokens: Json
    claims: Json
    header: Json

    @property
    def access(self) -> str:
        return str(self.tokens["access_token"])


@dataclass
class RelyingParty:
    """`pkce` says whether it sends a code challenge, `algorithm` what it wants ID tokens signed
    with, `always` what all of its requests have."""

    discovery_url: str
    credentials: Credentials
    scope: str = "openid"
    algorithm: str = "RS256"
    pkce: bool = False
    always: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def metadata(self) -> Json:
        found: Json = requests.get(self.discovery_url, timeout=SECONDS).json()
        return found

    @property
    def issuer(self) -> str:
        return str(self.metadata["issuer"])

    # --- By the browser ---------------------------------------------------------------------------

    def request(self, **changed: str | None) -> Asked:
        """Make an authorization request; what is None is left out."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = hashlib.sha256(verifier.encode()).digest()
        pkce = {"code_challenge": _base64url(challenge), "code_challenge_method": "S256"}
        usual = {
            "response_type": "code",
            "client_id": self.credentials.client_id,
            "redirect_uri": CALLBACK,
            "scope": self.scope,
            "state": state,
            "nonce": nonce,
            **(pkce if self.pkce else {}),
            **self.always,
        }
        sent = {name: value for name, value in {**usual, **changed}.items() if value is not None}
        url = f"{self.metadata['authorization_endpoint']}?{urlencode(sent)}"
        nonce = sent.get("nonce", "")
        return Asked(url, state, nonce, verifier if "code_challenge" in sent else "", sent)

    def ask(self, person: Person, **changed: str | None) -> Answer:
        """Send somebody to the provider, and take what comes back."""
        asked = self.request(**changed)
        return self.answered(asked, person.go(asked.url))

    def answered(self, asked: Asked, stop: Stop) -> Answer:
        """Verify that it is the answer to our own request (RFC 6749, section 10.12; RFC 9207)."""
        base, by = stop.url, stop.sent
        mode = asked.sent.get("response_mode", "query")
        if mode != "form_post":
            base, _, encoded = stop.url.partition({"query": "?", "fragment": "#"}[mode])
            by = dict(parse_qsl(encoded, strict_parsing=True))
        assert base == asked.sent["redirect_uri"], stop
        assert by.get("state") == asked.state
        assert by.get("iss") == self.issuer
        assert ("code" in by) != ("error" in by)
        return Answer(asked, stop, by)

    # --- To the provider itself -------------------------------------------------------------------

    def post(self, endpoint: str, **form: str) -> requests.Response:
        """Send a form as this client: `token`, `revocation`, …"""
        own, url = self.credentials, self.metadata[f"{endpoint}_endpoint"]
        if own.method == "client_secret_basic":
            return requests.post(url, form, auth=(own.client_id, own.secret), timeout=SECONDS)
        return requests.post(url, {**form, **self._proof(own)}, timeout=SECONDS)

    def _proof(self, own: Credentials) -> dict[str, str]:
        if own.method == "client_secret_post":
            return {"client_id": own.client_id, "client_secret": own.secret}
        if own.method == "none":
            return {"client_id": own.client_id}
        now = int(time.time())
        claims: Json = {"iss": own.client_id, "sub": own.client_id, "aud": self.issuer}
        claims |= {"jti": secrets.token_hex(16), "iat": now, "exp": now + 60}
        assertion = jwt.encode(claims, own.key, "ES256", headers={"kid": "own"})
        return {"client_assertion_type": ASSERTION, "client_assertion": assertion}

    def redeem(self, answer: Answer, **changed: str) -> requests.Response:
        assert "code" in answer.parameters, answer.parameters
        verifier = {"code_verifier": answer.asked.verifier} if answer.asked.verifier else {}
        form = {
            "code": answer.parameters["code"],
            "redirect_uri": answer.asked.sent["redirect_uri"],
        }
        return self.post("token", grant_type="authorization_code", **(form | verifier | changed))

    def refresh(self, token: str) -> requests.Response:
        return self.post("token", grant_type="refresh_token", refresh_token=token)

    def sign_in(self, person: Person, **changed: str | None) -> SignIn:
        """Let somebody sign in, and verify all of it (OpenID Connect Core, section 3.1.3.7)."""
        answer = self.ask(person, **changed)
        return self.verified(answer, self.redeem(answer))

    def verified(self, answer: Answer, response: requests.Response) -> SignIn:
        tokens: Json = response.json()
        assert response.status_code == 200, tokens
        assert response.headers["Cache-Control"] == "no-store"
        assert tokens["token_type"] == "Bearer"
        assert tokens["expires_in"] > 0
        claims = self.judged(tokens["id_token"])
        assert claims.get("nonce", "") == answer.asked.nonce
        assert claims["at_hash"] == _left_hash(tokens["access_token"], self.algorithm)
        header = jwt.get_unverified_header(tokens["id_token"])
        return SignIn(answer, tokens, claims, header)

    def judged(self, token: str, *, typ: str = "JWT") -> Json:
        """Give the claims of an ID or logout token that is genuine, for us, and of now."""
        header = jwt.get_unverified_header(token)
        assert header["typ"] == typ
        (found,) = (key for key in self.published_keys() if key["kid"] == header["kid"])
        claims: Json = jwt.decode(
            token,
            jwt.PyJWK(found, self.algorithm),
            [self.algorithm],
            audience=self.credentials.client_id,
            issuer=self.issuer,
            leeway=5,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
        return claims

    def published_keys(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = requests.get(
            self.metadata["jwks_uri"], timeout=SECONDS
        ).json()["keys"]
        return found

    def userinfo(
        self, token: str, method: str = "GET", *, in_form: bool = False
    ) -> requests.Response:
        by: dict[str, Any] = {"headers": {"Authorization": f"Bearer {token}"}}
        if in_form:
            by = {"data": {"access_token": token}}
        return requests.request(method, self.metadata["userinfo_endpoint"], timeout=SECONDS, **by)

    def about(self, token: str) -> Json:
        """Give what the userinfo endpoint says."""
        response = self.userinfo(token)
        assert response.status_code == 200, response.text
        found: Json = response.json()
        return found

    def knows(self, token: str) -> bool:
        """Whether the provider says that a token of ours counts."""
        told = self.post("introspection", token=token).json()
        return bool(told["active"])

    # --- The way out ------------------------------------------------------------------------------

    def logout(self, **asked: str) -> str:
        """Give the address to send somebody to."""
        return f"{self.metadata['end_session_endpoint']}?{urlencode(asked)}"


def _left_hash(token: str, algorithm: str) -> str:
    """OpenID Connect Core, section 3.1.3.6."""
    digest = (hashlib.sha512 if algorithm == "EdDSA" else hashlib.sha256)(token.encode()).digest()
    return _base64url(digest[: len(digest) // 2])


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
