"""A provider with codes that were given already: what programs ask for with them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from itertools import count
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from ssogate.crypto import Sealer
from ssogate.crypto.jwk import SigningKey, generate, pem, verify
from ssogate.directory.grants import CODE_LIFETIME, begin_grant, code_key
from ssogate.directory.signing_keys import sealing_context
from ssogate.model import Client, Code, Grant, GrantType, SealedKey, User
from ssogate.oauth.pkce import challenge_of
from ssogate.provider.addresses import INTROSPECTION, REVOCATION, TOKEN, USERINFO
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import BACK, ISSUER, SEALING_KEY, SECRET, VERIFIER, Provided
from tests.storage.making import NOW

API, OTHER_API = "https://api.example/", "urn:example:other"
RESOURCES: Mapping[str, Any] = {
    API: {"scopes": ["api:read", "api:write"]},
    OTHER_API: {"format": "jwt", "scopes": ["other"], "lifetime": 60},
}
FORM = "application/x-www-form-urlencoded"


@cache
def rsa_key() -> SigningKey:
    """Made once: it takes a tenth of a second."""
    return generate("RS256")


class Programs(Provided):
    """The wiki has codes of Joe's."""

    def __init__(self, store: SQLiteStore, **settings: Any) -> None:
        super().__init__(store, **{"resources": RESOURCES, **settings})
        key = rsa_key()
        sealed = Sealer([SEALING_KEY]).seal(pem(key), context=sealing_context(key.kid))
        store.sealed_keys.put(SealedKey(key.kid, "RS256", sealed, NOW - 100))
        self._codes = count(1)
        self.table = self.endpoints()

    def machine(self, identifier: str = "MACHINE", **fields: Any) -> Client:
        """A client that acts for itself."""
        known = {
            "grant": GrantType.CLIENT_CREDENTIALS,
            "scopes": frozenset({"api:read", "other"}),
            "redirect_uris": (),
        }
        return self.add_client(identifier, **{**known, **fields})

    def code(
        self,
        *scopes: str,
        client: str = "WIKI",
        who: User | None = None,
        challenge: str = challenge_of(VERIFIER),
        **fields: Any,
    ) -> str:
        """Let somebody sign in; give the code."""
        text = f"code-{next(self._codes)}"
        owner = who or self.joe
        offline = "offline_access" in scopes
        known: dict[str, Any] = {
            "session": None if offline else self.session.record.key,
            "resources": (),
            "nonce": "n-1",
            "claims": "",
            "until": NOW + (10**6 if offline else 3000),
            **fields,
        }
        grant = Grant(
            number=0,
            client=client,
            subject=owner.identity.subject,
            scopes=frozenset(scopes or ("openid", "email")),
            auth_time=NOW - 100,
            sid="sid-1",
            created_at=NOW,
            **known,
        )
        until = int(self.clock()) + CODE_LIFETIME
        begin_grant(self.store, grant, Code(code_key(self.store, text), 0, BACK, challenge, until))
        return text

    def ask(self, **fields: str | None) -> Response:
        """Ask for a token as the wiki does, but for `fields`."""
        return self.post(TOKEN, {**self.pair, **fields})

    def redeem(self, given: str, **fields: str | None) -> Response:
        """Redeem a code as the wiki does, but for `fields`."""
        usual = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        }
        return self.ask(**{**usual, **fields})

    def tokens(self, *scopes: str, **fields: Any) -> dict[str, Any]:
        """Sign in and redeem the code; give the answer."""
        response = self.redeem(self.code(*scopes, **fields))
        assert response.status_code == 200, response.get_data(as_text=True)
        found: dict[str, Any] = response.get_json()
        return found

    def refresh(self, token: str, **fields: str | None) -> Response:
        return self.ask(**{"grant_type": "refresh_token", "refresh_token": token, **fields})

    @property
    def pair(self) -> dict[str, str]:
        return {"client_id": "WIKI", "client_secret": SECRET}

    def post(
        self,
        path: str,
        form: Mapping[str, str | None] | list[tuple[str, str]] | bytes = b"",
        *,
        query: str = "",
        method: str = "POST",
        content_type: str = FORM,
        **headers: str,
    ) -> Response:
        pairs = list(form.items()) if isinstance(form, Mapping) else form
        body = pairs
        if not isinstance(body, bytes):
            body = urlencode([(name, value) for name, value in body if value is not None]).encode()
        builder = EnvironBuilder(
            path=path,
            base_url=ISSUER,
            query_string=query,
            method=method,
            content_type=content_type if body else None,
            input_stream=BytesIO(body),
            content_length=len(body),
            headers=[(name.replace("_", "-"), value) for name, value in headers.items()],
            environ_base={"REMOTE_ADDR": "192.0.2.9"},
        )
        reply = self.table[path](builder.get_request())
        assert isinstance(reply, Response)
        return reply

    def userinfo(self, token: str, **how: Any) -> Response:
        usual = {"method": "GET", "Authorization": f"Bearer {token}"}
        return self.post(USERINFO, **{**usual, **how})

    def introspect(self, token: str, client: str = "WIKI") -> dict[str, Any]:
        form = {"token": token, "client_id": client, "client_secret": SECRET}
        response = self.post(INTROSPECTION, form)
        assert response.status_code == 200, response.get_data(as_text=True)
        assert response.headers["Cache-Control"] == "no-store"
        found: dict[str, Any] = response.get_json()
        return found

    def revoke(self, token: str, **fields: str | None) -> Response:
        return self.post(REVOCATION, {"token": token, **self.pair, **fields})

    def counts(self, token: str) -> bool:
        return bool(self.introspect(token)["active"])

    def claims(self, id_token: str, *, typ: str = "JWT", audience: str = "WIKI") -> dict[str, Any]:
        """Verify a token of ours by the published keys."""
        return dict(
            verify(
                id_token,
                self.issuer.keys.public(),
                issuer=ISSUER,
                audience=frozenset({audience}),
                types=frozenset({typ}),
                now=self.clock(),
            )
        )


def basic(identifier: str = "WIKI", secret: str = SECRET) -> str:
    return "Basic " + b64encode(f"{identifier}:{secret}".encode()).decode()


def refused(response: Response, error: str, status: int = 400) -> bool:
    """Whether it is this refusal, in the form of RFC 6749, and gives nothing."""
    told = response.get_json()
    assert (told["error"], response.status_code) == (error, status)
    assert told.keys() == {"error", "error_description"}
    assert told["error_description"].isascii()
    assert not {'"', "\\"} & set(told["error_description"])
    assert response.headers["Cache-Control"] == "no-store"
    return True
