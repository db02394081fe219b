"""What the OpenID provider keeps: keys, grants, codes, tokens, consents.

A `key` is the SHA-256 of a random secret, in hex; the secret itself is stored nowhere. All times
are Unix seconds; what is kept `until` a moment no longer holds at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from ssogate.model.directory import Identity


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key that signs tokens, or did."""

    kid: str
    alg: str
    sealed: str = field(repr=False)
    created_at: int
    retires_at: int | None = None
    """None while it may sign; then until when its public half is still published."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user let a client do by one sign-in. Its tokens are one family: they die with it."""

    number: int
    """The store gives it when it adds a grant; never given twice."""
    client: str
    """The client's identifier."""
    subject: str
    session: str | None
    """The key of the session it ends with; None outlives it (`offline_access`)."""
    scopes: frozenset[str]
    resources: tuple[str, ...]
    """URIs (RFC 8707)."""
    auth_time: int
    nonce: str
    sid: str
    """What ID tokens and logout call the session, also when the grant outlives it."""
    claims: str
    """What was asked by the `claims` parameter: JSON, or empty."""
    created_at: int
    until: int
    revoked_at: int | None = None
    agreed: frozenset[str] = frozenset()
    """The scopes that the person had before them, also those that only `claims` has a part of."""


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code."""

    key: str
    grant: int
    redirect_uri: str
    code_challenge: str
    """S256 (RFC 7636); empty where the request had none."""
    until: int
    jkt: str = ""
    """The thumbprint of the key that its tokens are bound to (RFC 9449); empty: to none."""
    spent_at: int | None = None


class TokenKind(StrEnum):
    """What a token is for."""

    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class Token:
    """An access or refresh token."""

    key: str
    kind: TokenKind
    grant: int | None
    """None: the client acts for itself (`client_credentials`)."""
    client: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    issued_at: int
    until: int
    replaced_at: int | None = None
    successor: str = ""
    """The key of the refresh token that took its place."""
    jkt: str = ""
    """The thumbprint of the key that it is bound to (RFC 9449); empty: to none."""


K = TypeVar("K", Code, Token)


@dataclass(frozen=True, slots=True)
class Held(Generic[K]):
    """A code or token in one look with its grant and whoever gave that."""

    of: K
    grant: Grant | None
    owner: Identity | None
    """None: there is none, or the user is not welcome now."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user has once and for all let a client have."""

    subject: str
    client: str
    scopes: frozenset[str]
    updated_at: int


@dataclass(frozen=True, slots=True)
class Participant:
    """A client that has been let in by a session: it is told when the session ends."""

    session: str
    """The session's key."""
    client: str
    subject: str
    sid: str


@dataclass(frozen=True, slots=True)
class Logout:
    """A client that is to be told that a session has ended, as nothing else of it is left."""

    number: int
    client: str
    subject: str
    sid: str
    attempts: int
    """How often somebody has set out to tell it."""
    due_at: int
