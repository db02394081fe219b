"""What a store promises. Every method raises `StoreFailure` when it cannot keep the promise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ssogate.model import Identity, SessionRecord, User


class OneTime(Protocol):
    """Values that work once: links, tokens, codes."""

    def spend(self, key: str, *, until: int) -> bool:
        """Mark `key` as spent; True exactly once, however many ask at the same time.

        The mark is kept at least until `until` (Unix seconds).
        """


class SessionStore(Protocol):
    """Sessions by the hash of their token. Expiry is judged by the caller."""

    def get(self, key: str) -> tuple[SessionRecord, Identity] | None:
        """Give a session and who it belongs to as of now; None if its user is not active."""

    def changes(self) -> int | None:
        """Give a number that is another after any write, by any process, that could make `get`
        find less or somebody else. While it stays the same, what was found is still true; None:
        remember nothing now. Costs no look-up and does not fail."""

    def put(self, record: SessionRecord) -> None: ...

    def touch(self, key: str, seen_at: int) -> None:
        """Move `seen_at` forward; a session that is gone stays gone."""

    def delete(self, key: str) -> bool:
        """End a session; False if there was none."""

    def delete_subject(self, subject: str) -> int:
        """End all sessions of a user; give their number."""

    def purge(self, *, expired_at: int, idle_since: int) -> int:
        """Drop some sessions that ended or were not seen since; give their number. Bounded work."""

    def listed(self, subject: str | None = None) -> Sequence[tuple[SessionRecord, Identity]]:
        """Give sessions, newest first, of one user or of all, with owners, active or not."""


class UserStore(Protocol):
    """Users by their canonical name or their subject."""

    def get(self, canonical: str) -> User | None: ...

    def add(self, user: User) -> bool:
        """Store a new user; False if the canonical name is taken."""

    def update(self, user: User) -> None:
        """Store everything but subject, canonical name and source of a known user."""

    def delete(self, subject: str) -> bool:
        """Forget a user and end the user's sessions; False if unknown."""

    def listed(self) -> Sequence[User]:
        """Give all users by canonical name."""


class Store(Protocol):
    """The three together, and the transaction that makes their writes one."""

    @property
    def one_time(self) -> OneTime: ...

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def users(self) -> UserStore: ...

    def transaction(self) -> AbstractContextManager[None]:
        """What is written inside is durable when the block ends, or, on any exception, undone."""

    def close(self) -> None: ...
