"""A client, its grants, codes and tokens as rows, for the tests of whatever keeps them."""

from __future__ import annotations

from ssogate.model import Client, Code, Grant, GrantType, Token, TokenKind, User
from ssogate.storage import Store
from tests.storage.making import NOW, record, user

WIKI, SHOP = "WIKI.1", "SHOP.2"


def client(identifier: str = WIKI) -> Client:
    return Client(
        0,
        identifier,
        "d" * 64,
        GrantType.AUTHORIZATION_CODE,
        name="Wiki",
        service=None,
        scopes=frozenset({"openid", "email"}),
        description="",
        logo_uri="",
        redirect_uris=("https://wiki.example/back",),
        created_at=NOW,
        updated_at=NOW,
    )


def joe_and_wiki(store: Store) -> User:
    """A user who is signed in, and two clients."""
    joe = user("joe")
    assert store.users.add(joe)
    store.sessions.put(record(joe, "session"))
    for identifier in (WIKI, SHOP):
        store.clients.add(client(identifier))
    return joe


def grant(
    joe: User, *, of: str = WIKI, session: str | None = "session", until: int = NOW + 1000
) -> Grant:
    return Grant(
        0,
        of,
        joe.identity.subject,
        session,
        scopes=frozenset({"openid", "email"}),
        resources=("https://api.example/a,b", "urn:x"),
        auth_time=NOW - 5,
        nonce="n\u00f6nce",
        sid="sid1",
        claims='{"id_token": {}}',
        created_at=NOW,
        until=until,
        agreed=frozenset({"openid", "email", "profile"}),
    )


def code(given: Grant, key: str = "c1", *, until: int = NOW + 60) -> Code:
    return Code(key, given.number, "https://wiki.example/back", "challenge", until)


def token(
    given: Grant | None,
    key: str = "a1",
    kind: TokenKind = TokenKind.ACCESS,
    *,
    until: int = NOW + 300,
) -> Token:
    number, of = (given.number, given.client) if given else (None, WIKI)
    return Token(key, kind, number, of, frozenset({"openid"}), ("urn:x",), NOW, until)
