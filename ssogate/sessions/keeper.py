"""The keeper opens, finds and ends sessions; nobody else writes them.

The browser holds 256 random bits, the store only their hash. A sign-in is one transaction: the
proof is spent, the user admitted, the old session ended and the new one written, or none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from pydantic import model_validator

from ssogate.config import Duration, Settings
from ssogate.errors import DatabaseError, LinkExpired, SessionsUnavailable, StoreFailure
from ssogate.http.cookies import session_key
from ssogate.model import (
    Assertion,
    Clock,
    Enrolment,
    Identity,
    Session,
    SessionRecord,
    SignIn,
    User,
)
from ssogate.sessions.memory import Memory
from ssogate.storage import Store

# A session's last use is written at most this often, so that reading pages costs no write.
TOUCH_SECONDS = 60

Admit = Callable[[Assertion, Enrolment, int], Identity]


class SessionSettings(Settings):
    """How long people stay signed in: 2m <= idle <= lifetime <= 366d."""

    idle: Duration = 3600.0
    """A session ends when it was not used for this long."""
    lifetime: Duration = 43200.0
    """A session ends after this long, used or not."""

    @model_validator(mode="after")
    def _ordered(self) -> SessionSettings:
        if not 2 * TOUCH_SECONDS <= self.idle <= self.lifetime <= 366 * 86400:
            raise ValueError("write 2m <= idle <= lifetime <= 366d")
        return self


@dataclass(frozen=True, slots=True)
class Keeper:
    """Sessions in `store`. `admit` turns an assertion into an identity; `new_token` gives 43
    characters of base64url over 32 random bytes."""

    store: Store
    admit: Admit
    clock: Clock
    new_token: Callable[[], str]
    settings: SessionSettings
    memory: Memory = field(default_factory=Memory)

    def find(self, token: str) -> Session | None:
        """Give the live session of a token. Raises `SessionsUnavailable` if nobody can know."""
        now = self.clock()
        change = self.store.sessions.changes()
        session = self.memory.recall(token, change, now)
        if session is None:
            session = self._read(token)
            if session is None:
                return None
            self.memory.keep(session, change, now)
        record = session.record
        if now >= record.expires_at or now - record.seen_at >= self.settings.idle:
            return None
        if now - record.seen_at >= TOUCH_SECONDS:
            self.memory.forget(token)
            with suppress(StoreFailure):  # the session is good; it merely ends a little earlier
                self.store.sessions.touch(record.key, int(now))
        return session

    def _read(self, token: str) -> Session | None:
        try:
            found = self.store.sessions.get(session_key(token))
        except StoreFailure as error:
            raise SessionsUnavailable(str(error)) from error
        return Session(*found, token) if found else None

    def open(self, sign_in: SignIn, current: Session | None) -> Session:
        """Open a session with a new id, durably, and end `current`.

        Raises `LinkExpired` if the proof is spent, what `admit` raises, and `DatabaseError`. After
        any of them nothing has changed.
        """
        now = int(self.clock())
        token = self.new_token()
        proof = sign_in.proof
        with _translated(), self.store.transaction():
            if proof and not self.store.one_time.spend(proof.key, until=proof.until):
                raise LinkExpired("the link was used already")
            identity = self.admit(sign_in.assertion, sign_in.enrolment, now)
            record = SessionRecord(
                key=session_key(token),
                subject=identity.subject,
                method=sign_in.method,
                proof=proof.key if proof else "",
                opened_at=now,
                seen_at=now,
                expires_at=now + int(self.settings.lifetime),
            )
            if current:
                self.store.sessions.delete(current.record.key)
            self.store.sessions.put(record)
            idle_since = now - int(self.settings.idle)
            self.store.sessions.purge(expired_at=now, idle_since=idle_since)
        return Session(record, identity, token)

    def close(self, session: Session) -> None:
        """End a session. Raises `DatabaseError`: the visitor must not believe it ended."""
        with _translated():
            self.store.sessions.delete(session.record.key)

    def close_all(self, canonical: str, owns: Callable[[User], bool]) -> int:
        """End all sessions of a user whom `owns` accepts; give their number.

        Raises `DatabaseError`.
        """
        with _translated():
            user = self.store.users.get(canonical)
            if user is None or not owns(user):
                return 0
            return self.store.sessions.delete_subject(user.identity.subject)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreFailure as error:
        raise DatabaseError(str(error)) from error
