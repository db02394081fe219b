"""An OpenID provider over a real store: Joe with a session, Ann with another one, and a wiki that
asks who is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.crypto import Sealer
from ssogate.crypto.random_secrets import digest
from ssogate.directory.signing_keys import SigningKeys
from ssogate.http import environ as env
from ssogate.http.cookies import session_key
from ssogate.model import Client, Endpoint, GrantType, LocalPath, Session, SessionRecord, User
from ssogate.oauth.pkce import challenge_of
from ssogate.portal import Door
from ssogate.provider import Issuer, OpenIdProvider, ProviderSettings
from ssogate.provider.addresses import AUTHORIZE
from ssogate.storage import SQLiteStore
from tests.storage.making import NOW, Hands, user

ISSUER = "https://app.example"
SEALING_KEY = b"a sealing key of more than 32 characters"
SECRET = "the secret of a client of the tests 0123"
BACK = "https://wiki.example/back"
VERIFIER = "v" * 43
SIGN_IN = "/_sso/sign-in"
PLAIN: Mapping[str, str] = {
    "response_type": "code",
    "client_id": "WIKI",
    "redirect_uri": BACK,
    "scope": "openid email",
    "state": "a state & more",
    "nonce": "n-1",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}


class Provided:
    """Tokens are foreseeable: a number in 43 digits. Consents are given at the page only."""

    def __init__(self, store: SQLiteStore, **settings: Any) -> None:
        self.store, self.clock, self._sessions = store, Hands(), count(1)
        self.joe, self.ann = self._person("joe"), self._person("ann")
        self.session, self.anns = self.opened(self.joe), self.opened(self.ann)
        self.wiki = self.add_client()
        self.settings = ProviderSettings(**settings)
        keys = SigningKeys(
            store,
            Sealer([SEALING_KEY]),
            self.clock,
            self.settings.algorithms,
            self.settings.key_lifetime,
            self.settings.key_overlap,
        )
        tokens = count(1)
        self.issuer = Issuer(
            ISSUER,
            ISSUER,
            self.settings,
            store,
            self.clock,
            keys,
            Door(store, challenge_url),
            lambda: f"{next(tokens):043d}",
            b"the issuer's own secret of 32 bytes",
        )

    def _person(self, name: str) -> User:
        made = user(name)
        assert self.store.users.add(made)
        return made

    def opened(self, owner: User, *, at: int = NOW - 100, ends: int = NOW + 3600) -> Session:
        """Open a session."""
        token = f"session{next(self._sessions):036d}"
        record = SessionRecord(
            session_key(token), owner.identity.subject, "password", "", at, at, ends
        )
        self.store.sessions.put(record)
        return Session(record, owner.identity, token)

    def add_client(self, identifier: str = "WIKI", **fields: Any) -> Client:
        known = Client(
            number=0,
            identifier=identifier,
            secret_digest=digest(SECRET),
            grant=GrantType.AUTHORIZATION_CODE,
            name="The Wiki",
            service=None,
            scopes=frozenset({"openid", "profile", "email", "groups", "offline_access"}),
            description="Where we write things down.",
            logo_uri="",
            redirect_uris=(BACK,),
            created_at=NOW,
            updated_at=NOW,
        )
        return self.store.clients.add(replace(known, **fields))

    def change(self, **fields: Any) -> Client:
        """Change the wiki."""
        self.wiki = replace(self.wiki, **fields)
        assert self.store.clients.update(self.wiki)
        return self.wiki

    def endpoints(self) -> Mapping[str, Endpoint]:
        return OpenIdProvider(self.issuer).endpoints()

    def visit(
        self,
        path: str = AUTHORIZE,
        query: Any = (),
        form: Any = None,
        *,
        session: Session | None = None,
        method: str = "",
        client: str = "192.0.2.9",
        **headers: Any,
    ) -> Response:
        """Open an address in a browser, which sends a form as a page of ours does."""
        sent = {"Accept": "text/html", **{name.replace("_", "-"): v for name, v in headers.items()}}
        if form is not None:
            sent = {"Origin": ISSUER, "Sec-Fetch-Site": "same-origin", **sent}
        builder = EnvironBuilder(
            path=path,
            base_url=ISSUER,
            query_string=urlencode(_pairs(query)),
            method=method or ("GET" if form is None else "POST"),
            headers=[(name, value) for name, value in sent.items() if value],
            environ_base={"REMOTE_ADDR": client},
            data=None if form is None else urlencode(_pairs(form)).encode(),
            content_type=None if form is None else "application/x-www-form-urlencoded",
        )
        asked = builder.get_environ()
        asked["RAW_URI"] = f"{path}?{urlencode(_pairs(query))}" if query else path
        if session:
            asked[env.SESSION] = session
        reply = self.endpoints()[path](Request(asked))
        assert isinstance(reply, Response)
        return reply


def challenge_url(return_to: LocalPath) -> str:
    return f"{SIGN_IN}?{urlencode({'return_to': return_to.text})}"


def asked(more: Any = (), **changed: Any) -> list[tuple[str, str]]:
    """The parameters of a good request, with some changed, left out (None), or given once more."""
    pairs = {**PLAIN, **changed}
    return [*((name, value) for name, value in pairs.items() if value is not None), *more]


def answered(response: Response) -> dict[str, str]:
    """What the client is told by a redirect to its redirect URI."""
    assert response.status_code == 303, response.get_data(as_text=True)
    return told(response.headers["Location"])


def told(location: str) -> dict[str, str]:
    """The parameters in an address of the wiki's."""
    base, _, query = location.partition("?")
    assert base == BACK, location
    return dict(parse_qsl(query, strict_parsing=True))


def sent_to_sign_in(response: Response) -> str:
    """The address that a visitor comes back to after the sign-in."""
    assert response.status_code == 303, response.get_data(as_text=True)
    split = urlsplit(response.headers["Location"])
    assert split.path == SIGN_IN
    return dict(parse_qsl(split.query, strict_parsing=True))["return_to"]


def _pairs(given: Any) -> list[tuple[str, str]]:
    """A mapping is as good as pairs."""
    return list(given.items()) if isinstance(given, Mapping) else list(given)
