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
    SINGLE_SIGN_ON = "single_sign_on"


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
