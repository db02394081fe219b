"""Programs that may speak to the gate: WHMCS's API credentials, and OAuth clients.

Their secrets are random, so SHA-256 of one is what is stored (DESIGN: no slow hash is needed).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ApiRole:
    """A name for actions of the API that a credential may call."""

    number: int
    name: str
    actions: frozenset[str]
    """In lower case."""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class ApiCredential:
    """A program that may call `/includes/api.php`."""

    number: int
    identifier: str
    secret_digest: str = field(repr=False)
    description: str
    roles: frozenset[str]
    """Names of roles."""
    networks: tuple[str, ...]
    """Where it may call from besides what gateway.yaml allows to all; empty adds nothing."""
    scopes: frozenset[str]
    """The destinations that it may make tokens for; empty means all."""
    active: bool
    created_at: int
    external_id: str = ""


class GrantType(StrEnum):
    """What a client may ask a token by."""

    AUTHORIZATION_CODE = "authorization_code"
    """Refresh tokens, too."""
    SINGLE_SIGN_ON = "single_sign_on"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    """Refresh tokens, too (RFC 8628)."""


class ClientAuthentication(StrEnum):
    """How a client proves to be it (OpenID Connect Core, section 9)."""

    SECRET = "client_secret"  # noqa: S105  (a word)
    """By HTTP Basic, or in the form."""
    PRIVATE_KEY = "private_key_jwt"
    NONE = "none"
    """A public client, which can keep no secret."""


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client: WHMCS's *OAuth credential set* (seeds 001 and 003)."""

    number: int
    """WHMCS's `credentialId`."""
    identifier: str
    secret_digest: str = field(repr=False)
    grant: GrantType
    name: str
    service: int | None
    """Whose account a `single_sign_on` client speaks for, and no other's."""
    scopes: frozenset[str]
    description: str
    logo_uri: str
    redirect_uris: tuple[str, ...]
    created_at: int
    updated_at: int
    external_id: str = ""
    account: int | None = None
    """The service's account when the client was made for it: if the service moves to another one,
    whoever holds the secret does not move with it."""
    old_secret_digest: str = field(default="", repr=False)
    """Of the secret before, which holds until `old_secret_until`."""
    old_secret_until: int = 0
    authentication: ClientAuthentication = ClientAuthentication.SECRET
    jwks: str = ""
    """The public keys of a client that authenticates by `private_key_jwt`: a JWKS."""
    native: bool = False
    """An app on a person's device: the port of its loopback redirect URI is free (RFC 8252)."""
    pkce: bool = True
    """Whether a code challenge is required; a public client's always is."""
    pairwise: bool = False
    """Whether it knows people by another `sub` than other clients do."""
    trusted: bool = False
    """Whether people need not be asked for their consent: it is of the same house."""
    groups: frozenset[str] = frozenset()
    """Who may sign in to it: whoever is in one of them; empty: everybody."""
    resources: tuple[str, ...] = ()
    """What it may ask access tokens for (RFC 8707)."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    algorithm: str = ""
    """What its ID tokens are signed with; empty: the first of the settings."""
    registration_digest: str = field(default="", repr=False)
    """Of the token by which a client that registered itself changes itself (RFC 7592)."""
