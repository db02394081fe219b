"""What a store promises of the OpenID provider's keys, grants, codes, tokens and consents.

As in `contract`: every method raises `StoreFailure` when it cannot keep the promise. Expiry is
judged by the caller; what is long past goes by itself, a bounded number of rows at a time.
"""

from __future__ import annotations

from typing import Protocol

from ssogate.model import Code, Consent, Grant, Held, Identity, SealedKey, Token


class SealedKeys(Protocol):
    """The keys that sign tokens, sealed."""

    def put(self, key: SealedKey) -> None:
        """Store a new key. Raises `Conflict` if its `kid` is taken."""

    def retire(self, kid: str, at: int) -> bool:
        """Let a key sign no more, and be published until `at`; False if it did not sign."""

    def published(self, now: int) -> list[SealedKey]:
        """Give those that sign or are still published, newest first."""

    def reseal(self, kid: str, sealed: str) -> None:
        """Store a key that was sealed anew."""

    def delete(self, kid: str) -> bool:
        """Forget a key at once; False if it was not there."""


class Grants(Protocol):
    """What users let clients do. A grant goes with its user, its client and its session, and when
    all sessions of its user are ended; it takes its codes and tokens along."""

    def add(self, grant: Grant) -> Grant:
        """Store a new grant and give it with its number; the one it came with does not count.

        Raises `Conflict` where it names a client, user or session that is not there.
        """

    def get(self, number: int) -> Grant | None: ...

    def owned(self, number: int) -> tuple[Grant, Identity | None] | None:
        """Give a grant, in whatever state, with whoever gave it, if that user is welcome."""

    def revoke(self, *, now: int, **where: object) -> int:
        """Mark those whose fields equal `where` as revoked; give how many were not yet."""

    def listed(self, **where: object) -> list[Grant]:
        """Give those whose fields equal `where`, revoked ones too, newest first."""


class Codes(Protocol):
    """Authorization codes by the digest of the code. The grant of one that was not spent in time
    goes with it: nobody fills the disk by asking for codes. A spent one is kept for a day, as long
    as its grant is: it may come again."""

    def put(self, code: Code) -> None:
        """Store a new code. Raises `Conflict` if its grant is not there."""

    def find(self, key: str) -> Held[Code] | None:
        """Give a code, spent or not, with its grant and whoever gave that."""

    def spend(self, key: str, now: int) -> bool:
        """Mark a code as spent; True exactly once, however many ask at the same time."""


class Tokens(Protocol):
    """Access and refresh tokens by the digest of the token."""

    def put(self, *tokens: Token) -> None:
        """Store new tokens, all or none. Raises `Conflict` if grant or client is not there."""

    def find(self, key: str) -> Held[Token] | None:
        """Give a token, in whatever state, with its grant and whoever gave that."""

    def succeed(self, key: str, successor: str, now: int) -> bool:
        """Note which token takes a refresh token's place; True exactly once."""

    def delete(self, key: str) -> bool: ...

    def delete_own(self, client: str) -> int:
        """Forget the tokens by which a client acts for itself; give their number."""


class Consents(Protocol):
    """What users have once and for all let clients have. Goes with the user and the client."""

    def get(self, subject: str, client: str) -> Consent | None: ...

    def put(self, consent: Consent) -> None:
        """Store or replace. Raises `Conflict` for an unknown user or client."""

    def delete(self, subject: str, client: str) -> bool: ...

    def delete_all(self, client: str) -> int:
        """Forget all consents to a client; give their number."""

    def listed(self, subject: str) -> list[Consent]:
        """Give a user's, by client."""
