"""What goes out by the token endpoint: access tokens, opaque or readable (RFC 9068), and refresh
tokens, each with its row for the store, so that introspection and revocation know all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ssogate.crypto.random_secrets import digest
from ssogate.directory.grants import family_token
from ssogate.model import Client, ClientAuthentication, Grant, Token, TokenKind
from ssogate.provider.errors import InvalidScope, InvalidTarget
from ssogate.provider.issuer import Issuer

OPENID = "openid"
ACCESS_TYPE = "at+jwt"


@dataclass(frozen=True, slots=True)
class Minted:
    """A token for a client, and its row for the store."""

    text: str = field(repr=False)
    row: Token

    @property
    def answer(self) -> Mapping[str, object]:
        """Give what the client is told of an access token."""
        row = self.row
        return {
            "access_token": self.text,
            "token_type": token_type(row),
            "expires_in": row.until - row.issued_at,
            "scope": " ".join(sorted(row.scopes)),
        }


def audience(
    issuer: Issuer, client: Client, asked: tuple[str, ...], granted: tuple[str, ...]
) -> tuple[str, ...]:
    """Give what a token is for: of what was granted, what is named; naming none means all. What has
    been taken from the client since is not granted any more.

    Raises `InvalidTarget`.
    """
    left = counted(client, (uri for uri in granted if uri in issuer.settings.resources))
    if not set(asked) <= set(left):
        raise InvalidTarget
    return asked or left


def counted(client: Client, audience: Iterable[str]) -> tuple[str, ...]:
    """Give those APIs that a client may still have tokens for."""
    return tuple(uri for uri in audience if uri in client.resources)


def family_access(
    issuer: Issuer,
    client: Client,
    grant: Grant,
    *,
    scopes: frozenset[str],
    audience: tuple[str, ...],
    jkt: str,
    now: int,
) -> Minted:
    """Make an access token of a grant, bound to the key of the thumbprint `jkt` if that is not
    empty. Raises `InvalidTarget`."""
    lifetime = _lifetime(issuer, audience)
    row = family_token(
        grant,
        TokenKind.ACCESS,
        "",
        scopes=_of_audience(issuer, scopes, audience),
        audience=audience,
        lifetime=lifetime,
        now=now,
    )
    return _minted(issuer, replace(row, jkt=jkt), issuer.sub(client, grant.subject))


def own_access(
    issuer: Issuer,
    client: Client,
    *,
    scopes: frozenset[str],
    audience: tuple[str, ...],
    jkt: str,
    now: int,
) -> Minted:
    """Make an access token by which a client acts for itself. Raises `InvalidTarget`."""
    row = Token(
        key="",
        kind=TokenKind.ACCESS,
        grant=None,
        client=client.identifier,
        scopes=_of_audience(issuer, scopes, audience),
        audience=audience,
        issued_at=now,
        until=now + _lifetime(issuer, audience),
        jkt=jkt,
    )
    return _minted(issuer, row, client.identifier)


def family_refresh(
    issuer: Issuer, client: Client, grant: Grant, text: str, *, jkt: str, now: int
) -> Minted:
    """Make the row of a refresh token: it stands for all of its grant. A client that proves itself
    anyway may change its key (RFC 9449, section 5)."""
    public = client.authentication is ClientAuthentication.NONE
    lifetime = int(issuer.settings.refresh_token_lifetime)
    row = family_token(
        grant,
        TokenKind.REFRESH,
        digest(text),
        scopes=grant.scopes,
        audience=grant.resources,
        lifetime=lifetime,
        now=now,
    )
    return Minted(text, replace(row, jkt=jkt if public else ""))


def token_type(row: Token) -> str:
    """Give what the bearer of an access token must know of it."""
    return "DPoP" if row.jkt else "Bearer"


def confirmation(row: Token) -> Mapping[str, object]:
    """Give the claim that binds a token to its key (RFC 7800; RFC 9449, section 6)."""
    return {"cnf": {"jkt": row.jkt}} if row.jkt else {}


def narrowed(asked: str, allowed: frozenset[str]) -> frozenset[str]:
    """Give the scopes that are asked for; all if none is named. Raises `InvalidScope`."""
    scopes = frozenset(asked.split()) or allowed
    if not scopes <= allowed:
        raise InvalidScope
    return scopes


def _of_audience(
    issuer: Issuer, scopes: frozenset[str], audience: tuple[str, ...]
) -> frozenset[str]:
    """Leave out what belongs to other APIs: who is sent the token could use it there."""
    if not audience:
        return scopes
    settings = issuer.settings.resources
    own = {scope for uri in audience for scope in settings[uri].scopes}
    others = {scope for it in settings.values() for scope in it.scopes} - own
    return scopes - others


def _lifetime(issuer: Issuer, audience: tuple[str, ...]) -> int:
    """Give seconds: of several APIs, the shortest."""
    usual, settings = issuer.settings.access_token_lifetime, issuer.settings.resources
    return int(min((settings[uri].lifetime or usual for uri in audience), default=usual))


def _minted(issuer: Issuer, row: Token, subject: str) -> Minted:
    formats = {issuer.settings.resources[uri].format for uri in row.audience}
    if "jwt" in formats and len(row.audience) > 1:
        # Each of them could play it to the others (RFC 9068, section 5).
        raise InvalidTarget("Name one resource.")
    text = _readable(issuer, row, subject) if "jwt" in formats else issuer.new_token()
    return Minted(text, replace(row, key=digest(text)))


def _readable(issuer: Issuer, row: Token, subject: str) -> str:
    """RFC 9068, section 2.2."""
    key = issuer.keys.signing(issuer.settings.algorithms[0])
    claims = {
        "iss": issuer.name,
        "sub": subject,
        "aud": row.audience[0],
        "client_id": row.client,
        "scope": " ".join(sorted(row.scopes)),
        "jti": issuer.new_token(),
        "iat": row.issued_at,
        "exp": row.until,
        **confirmation(row),
    }
    return key.sign(claims, typ=ACCESS_TYPE)
