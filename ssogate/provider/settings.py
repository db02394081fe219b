"""The settings of the OpenID Connect provider."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ssogate.config import Duration, Secret, Settings
from ssogate.crypto.jwk import Algorithm
from ssogate.directory.client_rules import Offer
from ssogate.oauth.claims import BY_SCOPE
from ssogate.oauth.metadata import checked_issuer

DAY = 86_400.0
OFFLINE_ACCESS = "offline_access"
RESOURCE = "resource:"
"""What a consent names an API by, before its URI. No scope begins so."""

ScopeName = Annotated[str, Field(pattern=r"^[!#-+\--\[\]-~]{1,100}$")]
"""RFC 6749's, without the comma."""

ClaimSource = Literal["username", "name", "given_name", "family_name", "email", "groups", "subject"]


class ResourceSettings(Settings):
    """An API that access tokens are asked for (RFC 8707), by its URI."""

    format: Literal["opaque", "jwt"] = "opaque"
    """`opaque`: the API asks the introspection endpoint. `jwt`: it verifies the token by itself
    (RFC 9068), and a token that was revoked counts until it ends."""
    scopes: tuple[ScopeName, ...] = ()
    """What may be asked for it, besides the scopes about people."""
    lifetime: Duration | None = None
    """How long its tokens count; not given: as long as all."""


class RegistrationSettings(Settings):
    """Clients that register themselves (RFC 7591)."""

    initial_token: Secret
    """Whoever has it may register clients: a random text of 32 characters or more."""

    @field_validator("initial_token")
    @classmethod
    def _long(cls, value: Secret) -> Secret:
        if len(value.bytes) < 32:
            raise ValueError("shorter than 32 characters: make one with `openssl rand -hex 32`")
        return value


class ProviderSettings(Settings):
    """The gate as an OpenID Connect provider: applications that can speak it sign people in by
    the gate's sessions. Needs `sealing_keys`."""

    issuer: str = ""
    """What tokens name as their issuer; not given: `public_url`."""
    algorithms: tuple[Algorithm, ...] = ("RS256",)
    """What ID tokens are signed with: the first, or another one that a client chooses. RS256 must
    be among them (OpenID Connect Discovery, section 3)."""
    access_token_lifetime: Duration = 3600.0
    """How long access tokens count."""
    id_token_lifetime: Duration = 3600.0
    """How long ID tokens count."""
    refresh_token_lifetime: Duration = 30 * DAY
    """How long a client may go without using a refresh token, and how long people stay signed in
    to it without the gate."""
    key_lifetime: Duration = 90 * DAY
    """After how long another key signs."""
    key_overlap: Duration = 7 * DAY
    """How long a key is published after another one signs in its place."""
    scopes: dict[ScopeName, tuple[str, ...]] = Field(default_factory=dict)
    """Further scopes, each with the claims that it opens; a known one's take the place of ours."""
    claims: dict[str, ClaimSource] = Field(default_factory=dict)
    """Further claims, each with what it says of a user."""
    resources: dict[str, ResourceSettings] = Field(default_factory=dict)
    """APIs that access tokens may be asked for, by their URIs."""
    verified_emails: tuple[str, ...] = ()
    """Whose e-mail addresses clients are told to be verified (`email_verified`): names of senders
    of links and of `sources`, `(operator)` for users whom an operator or an import has added, and
    `(api)`. Many clients know people by such an address: name only who lets nobody have another's.
    """
    pairwise_salt: Secret | None = None
    """What other names (`sub`) are made with for clients that are `pairwise`. Whoever changes it
    makes strangers of everybody."""
    userinfo_query_token: bool = False
    """Take `?access_token=` at the userinfo endpoint, for old callers: addresses are logged by
    everything on their way."""
    registration: RegistrationSettings | None = None
    """Let clients register themselves. Not given: they may not."""

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        return checked_issuer(value) if value else ""

    @field_validator("resources")
    @classmethod
    def _uris(cls, value: dict[str, ResourceSettings]) -> dict[str, ResourceSettings]:
        for uri in value:
            scheme, colon, rest = uri.partition(":")
            plain = uri.isascii() and uri.isprintable() and not set(' #,"') & set(uri)
            if not (scheme and colon and rest and plain):
                raise ValueError(f"{uri[:80]!a} is no absolute URI without a fragment or a comma")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> ProviderSettings:
        if "RS256" not in self.algorithms:
            raise ValueError("algorithms: RS256 must be among them")
        if any(scope.startswith(RESOURCE) for scope in self.claims_by_scope):
            raise ValueError(f"scopes: none begins with {RESOURCE}")
        of_apis = (it.lifetime or 0 for it in self.resources.values())
        longest = max(self.access_token_lifetime, self.id_token_lifetime, *of_apis)
        if self.key_overlap < longest or self.key_lifetime < self.key_overlap:
            raise ValueError("write token lifetimes <= key_overlap <= key_lifetime")
        return self

    @property
    def claims_by_scope(self) -> dict[str, frozenset[str]]:
        """Give what each scope opens; nothing for those of APIs."""
        own = {scope: frozenset(claims) for scope, claims in self.scopes.items()}
        of_apis = {scope for it in self.resources.values() for scope in it.scopes}
        none = dict.fromkeys({OFFLINE_ACCESS, *of_apis}, frozenset[str]())
        return {**none, **BY_SCOPE, **own}

    @property
    def offer(self) -> Offer:
        """Give what clients may have."""
        return Offer(
            self.claims_by_scope,
            frozenset(self.resources),
            self.algorithms,
            pairwise=self.pairwise_salt is not None,
        )
