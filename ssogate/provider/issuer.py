"""What every endpoint of the provider works with: who issues, by which keys, on which terms."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ssogate.crypto.jwk import Algorithm, verify
from ssogate.directory.signing_keys import SigningKeys
from ssogate.directory.users import OPERATOR
from ssogate.http.redirects import url_host
from ssogate.http.site import host_matches
from ssogate.model import Client, ClientAuthentication, Clock, Identity, LocalPath, Visitor
from ssogate.oauth.authorization import Terms
from ssogate.oauth.claims import pairwise_sub, sector
from ssogate.provider.errors import NoPairwiseSub
from ssogate.provider.settings import ProviderSettings
from ssogate.storage import Store

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


HINT_LIFETIME = 30 * 86_400  # seconds after its end for which an ID token still says who is meant
ID_TOKEN = frozenset({"JWT", ""})
"""The `typ` of ID tokens."""


class Door(Protocol):
    """What knows who is there."""

    def visitor(self, request: Request) -> Visitor | None:
        """Give who is signed in."""

    def sender(self, request: Request) -> Visitor:
        """Give who has sent a form from a page of this site. Raises `CrossSite`,
        `SignInRequired`."""

    def challenge_url(self, return_to: LocalPath) -> str:
        """Give the address to sign in at."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """`name` is the issuer's identifier; `origin` is where its endpoints are; `new_token` gives
    256 random bits as 43 characters of base64url; `secret` is what the successors of refresh tokens
    are reckoned with; `public_port` is the port in `public_url`; `hosts` are patterns of all hosts
    that the gate serves."""

    name: str
    origin: str
    settings: ProviderSettings
    store: Store
    clock: Clock
    keys: SigningKeys
    door: Door
    new_token: Callable[[], str] = field(repr=False)
    secret: bytes = field(repr=False)
    public_port: int | None = None
    hosts: frozenset[str] = frozenset()
    by_scope: Mapping[str, frozenset[str]] = field(init=False)
    """What each scope opens."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_scope", self.settings.claims_by_scope)

    @property
    def now(self) -> int:
        return int(self.clock())

    def serves(self, uri: str) -> bool:
        """Whether a URI leads to a host of the gate's own, by whatever scheme and port."""
        host, ours = url_host(uri), self.hosts | {url_host(self.origin) or ""}
        return host is not None and any(host_matches(pattern, host) for pattern in ours)

    def terms(self, client: Client) -> Terms:
        """Give what a client is held to."""
        return Terms(
            scopes=frozenset(self.by_scope),
            native=client.native,
            pkce=client.pkce or client.authentication is ClientAuthentication.NONE,
            resources=frozenset(client.resources) & self.settings.resources.keys(),
        )

    def algorithm(self, client: Client) -> Algorithm:
        """Give what a client's ID tokens are signed with."""
        chosen = (it for it in self.settings.algorithms if it == client.algorithm)
        return next(chosen, self.settings.algorithms[0])

    def hinted(self, id_token: str, audience: frozenset[str] | None = None) -> Mapping[str, Any]:
        """Give what an ID token of ours says, also some time after its end: it is a hint, and no
        key. `audience` is None where the caller judges it. Raises `BadToken`."""
        return verify(
            id_token,
            self.keys.public(),
            issuer=self.name,
            audience=audience,
            types=ID_TOKEN,
            now=self.clock(),
            expired_for=HINT_LIFETIME,
        )

    def sub(self, client: Client, subject: str) -> str:
        """Give what a client knows a user by. Raises `NoPairwiseSub`."""
        salt = self.settings.pairwise_salt
        if not client.pairwise:
            return subject
        if salt is None:
            raise NoPairwiseSub(detail="gateway.yaml has no provider.pairwise_salt")
        try:
            return pairwise_sub(sector(client.redirect_uris), subject, salt.bytes)
        except ValueError as error:
            raise NoPairwiseSub(detail=str(error)) from None

    def vouches_for(self, person: Identity) -> bool:
        """Whether the e-mail addresses of the person's source are verified ones."""
        believed = self.settings.verified_emails
        user = self.store.users.of(person.subject) if believed else None
        return user is not None and (user.source or OPERATOR) in believed


def sid_of(session_key: str) -> str:
    """Give what clients know a session by. It tells nothing of the session's key."""
    raw = hashlib.sha256(b"sid\0" + session_key.encode()).digest()
    return urlsafe_b64encode(raw[:18]).decode()
