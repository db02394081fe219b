"""What a store promises. Every method raises `StoreFailure` when it cannot keep the promise.

A write that is not inside `transaction()` is a transaction of its own. Inside, writers of all
processes queue: what was read there is still true when the block ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from ssogate.model import (
    Account,
    Activity,
    Administrator,
    ApiCredential,
    ApiRole,
    Arrival,
    Client,
    Domain,
    Identity,
    Membership,
    Server,
    Service,
    SessionRecord,
    Standing,
    Ticket,
    User,
)
from ssogate.storage.contract_grants import Codes, Consents, Grants, SealedKeys, Tokens
from ssogate.storage.contract_logouts import Logouts, Participants

R = TypeVar("R")


class OneTime(Protocol):
    """Values that work once: links, tokens, codes."""

    def spend(self, key: str, *, until: int) -> bool:
        """Mark `key` as spent; True exactly once, however many ask at the same time.

        The mark is kept at least until `until` (Unix seconds).
        """


class Tickets(Protocol):
    """What was begun and may be finished once. Expiry is judged by the caller."""

    def put(self, *tickets: Ticket) -> None:
        """Store tickets, all or none, and drop some that are too old."""

    def get(self, key: str, kind: str) -> Ticket | None:
        """Give a ticket, and in the same look whether its `proof` is marked as spent."""

    def take(self, key: str, kind: str) -> Ticket | None:
        """Give a ticket and forget it; exactly one of many who ask at once gets it."""

    def drop(self, subject: str, kind: str) -> None:
        """Forget all of a user's of one kind."""


class Counters(Protocol):
    """How often something happened lately: a number that begins anew with each window."""

    def count(self, key: str, *, now: int, window: int) -> int:
        """Add one and give the number, 1 for the first within `window` seconds."""

    def read(self, key: str, *, now: int) -> int:
        """Give the number of the window that is open at `now`; 0 if none is."""

    def reset(self, key: str) -> None: ...

    def take_back(self, key: str) -> None:
        """Make it one less, if it is not 0."""


class SessionStore(Protocol):
    """Sessions by the hash of their token. Expiry is judged by the caller."""

    def get(self, key: str) -> tuple[SessionRecord, Identity] | None:
        """Give a session and who it belongs to as of now; None if its user is not welcome."""

    @property
    def at_hand(self) -> bool:
        """Whether sessions are on this machine: `get` is as quick as memory, and `changes` tells at
        once. Otherwise `get` may wait for another machine."""

    def changes(self) -> int | None:
        """Give a number that is another after any write, by any process, that could make `get`
        find less or somebody else: at once in this process, and where sessions are not `at_hand`,
        75 ms later in others. What was found after the number was asked for is true for as long as
        it stays the same; None: remember nothing now. Costs no look-up and does not fail."""

    def put(self, record: SessionRecord) -> None: ...

    def touch(self, key: str, seen_at: int) -> None:
        """Move `seen_at` forward; a session that is gone stays gone."""

    def delete(self, key: str) -> bool:
        """End a session; False if there was none."""

    def delete_subject(self, subject: str) -> int:
        """End all sessions of a user, what was begun and could become one (tickets), and all that
        the user let clients do, also without a session (grants); give the number of sessions."""

    def replace(self, old: str, new: str) -> None:
        """End a session whose grants and clients live on with another one of the same user's, which
        is there."""

    def delete_surplus(self, subject: str, most: int) -> int:
        """End a user's sessions but for the `most` newest; give their number."""

    def purge(self, *, expired_at: int, idle_since: int) -> int:
        """Drop some sessions that ended or were not seen since; give their number. Bounded work."""

    def listed(self, subject: str | None = None) -> Sequence[tuple[SessionRecord, Identity]]:
        """Give sessions, newest first, of one user or of all, with owners, welcome or not."""


class UserStore(Protocol):
    """Users by their canonical name or their subject."""

    def get(self, canonical: str) -> User | None: ...

    def arriving(self, canonical: str) -> Arrival | None: ...

    def of(self, subject: str) -> User | None: ...

    def numbered(self, number: int) -> User | None: ...

    def by_email(self, email: str) -> User | None:
        """Find by e-mail address, compared as `canonical_email` does; None if two have it."""

    def with_email(self, email: str) -> Sequence[User]:
        """Give those who have an e-mail address, compared likewise: two at most."""

    def by_external_id(self, source: str, external_id: str) -> User | None: ...

    def add(self, user: User) -> bool:
        """Store a new user; False if the canonical name, or the external id, is taken."""

    def update(self, user: User) -> None:
        """Store everything but subject, canonical name and source of a known user."""

    def known(self, source: str, external_ids: Collection[str]) -> dict[str, User]:
        """Give those of a source that are known, by external id; at most 1000 at a time."""

    def named(self, canonicals: Collection[str]) -> dict[str, User]:
        """Give those that are known, by canonical name; at most 1000 at a time."""

    def add_all(self, users: Sequence[User]) -> None:
        """Store new users at once. Raises `Conflict` if one of them cannot be, and adds none."""

    def update_all(self, users: Sequence[User]) -> None:
        """Update known users at once, as `update` does one."""

    def delete(self, subject: str) -> bool:
        """Forget a user and all that hangs on one, sessions too; False if unknown."""

    def listed(self) -> Iterator[User]:
        """Give all users by canonical name, read a page at a time."""


class SecretStore(Protocol):
    """What users prove themselves by. All of it goes when the user goes."""

    def password(self, subject: str) -> str:
        """Give the hash; empty when the user has no password."""

    def set_password(self, subject: str, hashed: str, now: int) -> None:
        """Store a hash; empty takes the password away."""

    def set_passwords(self, hashes: Mapping[str, str], now: int) -> None:
        """Store hashes by subject, at once."""

    def replace_password(self, subject: str, old: str, new: str, now: int) -> bool:
        """Store `new` only where `old` still stands; False if it does not."""

    def second_factor(self, subject: str) -> str:
        """Give the sealed TOTP secret; empty when the user has none."""

    def set_second_factor(self, subject: str, sealed: str, codes: Iterable[str], now: int) -> None:
        """Store the sealed secret and the keys of recovery codes in place of earlier ones; an
        empty secret takes all away."""

    def second_factors(self) -> Mapping[str, str]:
        """Give all sealed TOTP secrets by subject."""

    def reseal_second_factor(self, subject: str, sealed: str) -> None:
        """Store a secret that was sealed anew; recovery codes stay."""

    def recovery_codes(self, subject: str) -> int:
        """Give how many are left."""

    def spend_recovery_code(self, subject: str, key: str) -> bool:
        """True exactly once for each key that was stored."""

    def forget_devices(self, subject: str) -> None: ...

    def add_device(self, subject: str, key: str, now: int) -> None:
        """Remember a browser in which the user has signed in; the oldest of many are forgotten."""

    def knows_device(self, subject: str, key: str) -> bool: ...


class Records(Protocol[R]):
    """Records of one kind by their number."""

    def get(self, number: int) -> R | None: ...

    def by_external_id(self, external_id: str) -> R | None: ...

    def add(self, record: R) -> R:
        """Store a new record and give it with its number; the one it came with does not count.

        Raises `Conflict` where the external id or the name is taken, or names nothing known.
        """

    def update(self, record: R) -> bool:
        """Store all of a known record; False if there is none. Raises `Conflict`."""

    def named(self, name: str) -> R | None:
        """Give the one of this name or identifier, where the kind has such a thing."""

    def known(self, external_ids: Collection[str]) -> dict[str, R]:
        """Give those that are known, by external id; at most 1000 at a time."""

    def add_all(self, records: Sequence[R]) -> None:
        """Store new records at once. Raises `Conflict` if one of them cannot be."""

    def update_all(self, records: Sequence[R]) -> None:
        """Update known records at once. Raises `Conflict`."""

    def delete(self, number: int) -> bool:
        """Forget it and what belongs to it. Raises `Conflict` while something else needs it."""

    def listed(self, **where: object) -> Iterator[R]:
        """Give records whose fields equal `where`, by number, read a page at a time."""


class Memberships(Protocol):
    """Who may act for which account."""

    def get(self, account: int, subject: str) -> Membership | None: ...

    def standing(self, account: int, subject: str) -> Standing | None:
        """Give the account of this number and how the user stands to it, in one look; None if there
        is no such account."""

    def owner(self, account: int) -> Standing | None:
        """Likewise with the account's owner, if it has one."""

    def put(self, membership: Membership) -> None:
        """Store or replace. An account's new owner takes the place of the old one, who keeps the
        permissions given to him. Raises `Conflict` for an unknown account or user."""

    def delete(self, account: int, subject: str) -> bool: ...

    def listed(self, *, account: int | None = None, subject: str | None = None) -> list[Membership]:
        """Give those of an account, owner first, or of a user by account."""


class Administrators(Protocol):
    """Users who may operate the gate."""

    def get(self, subject: str) -> Administrator | None: ...

    def put(self, administrator: Administrator) -> None: ...

    def delete(self, subject: str) -> bool: ...

    def listed(self) -> list[Administrator]: ...


class ActivityStore(Protocol):
    """The activity log's lines. Nobody can change or remove one: the database itself refuses."""

    def last(self) -> Activity | None: ...

    def put(self, line: Activity) -> None:
        """Store the line that follows the last; to be called inside `transaction()`."""

    def listed(self, *, after: int = 0) -> Iterator[Activity]:
        """Give lines by number, those above `after`, read a page at a time."""

    def latest(self, count: int, *, containing: str = "") -> list[Activity]:
        """Give the newest lines, newest first, whose actor, action or text holds `containing`."""


class Store(Protocol):
    """All of it together, and the transaction that makes several writes one."""

    @property
    def boot(self) -> str:
        """What is another text after any power cut, and so wherever a write that is not durable may
        have been taken back. Empty where nobody can tell."""

    @property
    def one_time(self) -> OneTime: ...

    @property
    def tickets(self) -> Tickets: ...

    @property
    def counters(self) -> Counters: ...

    @property
    def sessions(self) -> SessionStore: ...

    @property
    def users(self) -> UserStore: ...

    @property
    def secrets(self) -> SecretStore: ...

    @property
    def accounts(self) -> Records[Account]: ...

    @property
    def memberships(self) -> Memberships: ...

    @property
    def services(self) -> Records[Service]: ...

    @property
    def domains(self) -> Records[Domain]: ...

    @property
    def servers(self) -> Records[Server]: ...

    @property
    def api_roles(self) -> Records[ApiRole]: ...

    @property
    def api_credentials(self) -> Records[ApiCredential]: ...

    @property
    def clients(self) -> Records[Client]: ...

    @property
    def sealed_keys(self) -> SealedKeys: ...

    @property
    def grants(self) -> Grants: ...

    @property
    def codes(self) -> Codes: ...

    @property
    def tokens(self) -> Tokens: ...

    @property
    def consents(self) -> Consents: ...

    @property
    def participants(self) -> Participants: ...

    @property
    def logouts(self) -> Logouts: ...

    @property
    def administrators(self) -> Administrators: ...

    @property
    def activity(self) -> ActivityStore: ...

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[object]:
        """What is written inside is durable when the block ends, or, on any exception, undone.

        Not `durable`: a power cut may take back what was written last, whole and in order. It is
        for what only makes somebody ask again when it is lost.

        One inside another is part of it. Inside, no two writers are at work at once.
        """

    def close(self) -> None: ...
