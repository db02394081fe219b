"""The keeper opens, finds and ends sessions; nobody else writes them.

The browser holds 256 random bits, the store only their hash. A sign-in is one transaction: the
proof is spent, the user admitted, the old session ended and the new one written, or none of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import model_validator

from ssogate.config import Duration, Settings
from ssogate.errors import (
    DatabaseError,
    LinkExpired,
    SessionsUnavailable,
    StepExpired,
    StoreFailure,
)
from ssogate.http.cookies import session_key
from ssogate.model import (
    STEP,
    Admitted,
    Clock,
    Identity,
    Listed,
    Session,
    SessionRecord,
    SignIn,
    Step,
    Ticket,
    User,
)
from ssogate.sessions.memory import Memory
from ssogate.storage import Store

# A session's last use is written at most this often, so that reading pages costs no write.
TOUCH_SECONDS = 60
AT_A_TIME = 256  # uses that are written in one transaction

MOST_SESSIONS = 50
"""Of one user; the oldest end when there are more, so that nobody fills the store by signing in."""

STEP_SECONDS = 300  # how long a visitor has for the second factor


class Admit(Protocol):
    """What turns a sign-in into an identity, inside the transaction that opens the session."""

    def __call__(self, sign_in: SignIn, *, client: str, now: int) -> Admitted: ...


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
    """Sessions in `store`. `new_token` gives 43 characters of base64url over 32 random bytes."""

    store: Store
    admit: Admit
    clock: Clock
    new_token: Callable[[], str]
    settings: SessionSettings
    memory: Memory = field(default_factory=Memory)
    uses: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What `write_down` is to write: by token, the session's key and when it was used."""

    @property
    def waits(self) -> bool:
        """Whether another machine has the sessions: then only what `look` has found a moment ago is
        told without any wait."""
        return not self.store.sessions.at_hand

    def find(self, token: str) -> Session | None:
        """Give the live session of a token, which has been used now. It is as the store has it by
        now, whatever is remembered. Raises `SessionsUnavailable` if nobody can know."""
        return self._used(self._live(self._read(token)) if self.waits else self.glance(token))

    def _used(self, session: Session | None) -> Session | None:
        if session is not None and self._is_due(session):
            self.memory.forget(session.token)
            with suppress(StoreFailure):  # the session is good; it merely ends a little earlier
                self.store.sessions.touch(session.record.key, int(self.clock()))
        return session

    def _is_due(self, session: Session) -> bool:
        return self.clock() - session.record.seen_at >= TOUCH_SECONDS

    def use(self, session: Session) -> None:
        """Take note that a session is used now, for somebody who may not wait: `write_down` is
        called soon."""
        if self._is_due(session):
            self.uses[session.token] = session.record.key, int(self.clock())

    def write_down(self) -> None:
        """Write down what was noted, many at a time. What cannot be written is forgotten: such a
        session ends a little earlier, if it is not used again."""
        try:
            while self.uses:
                with self.store.transaction(durable=False):
                    written = self._write_some()
                for token in written:
                    self.memory.forget(token)
        except StoreFailure:
            self.uses.clear()

    def _write_some(self) -> list[str]:
        """Write a part, so that others come to write in between. Meanwhile more may be noted, and
        another thread may write, too."""
        written: list[str] = []
        with suppress(KeyError):  # there are no more
            while len(written) < AT_A_TIME:
                token, (key, used_at) = self.uses.popitem()
                self.store.sessions.touch(key, used_at)
                written.append(token)
        return written

    def glance(self, token: str) -> Session | None:
        """Give the live session of a token, if that can be told without any wait; nothing is
        written. Raises `SessionsUnavailable`."""
        session = self.memory.recall(token, self.store.sessions.changes(), self.clock())
        if session is None and not self.waits:
            return self.look(token)
        return self._live(session)

    def look(self, token: str) -> Session | None:
        """Give the live session of a token as the store has it, and remember it; nothing is
        written. Raises `SessionsUnavailable`."""
        now, change = self.clock(), self.store.sessions.changes()  # before what it tells of
        session = self._read(token)
        if session is not None:
            self.memory.keep(session, change, now)
        return self._live(session)

    def _live(self, session: Session | None) -> Session | None:
        if session is None:
            return None
        now, record = self.clock(), session.record
        is_over = now >= record.expires_at or now - record.seen_at >= self.settings.idle
        return None if is_over else session

    def _read(self, token: str) -> Session | None:
        try:
            found = self.store.sessions.get(session_key(token))
        except StoreFailure as error:
            raise SessionsUnavailable(str(error)) from error
        return Session(*found, token) if found else None

    def open(self, sign_in: SignIn, current: Session | None, client: str = "") -> Session | Step:
        """Open a session with a new id, and end `current`. If the user's second factor is still to
        come, begin the step that asks for it instead: the proof is spent and the user admitted,
        `current` goes on.

        It is durable, except that a power cut may take back a session that ended no other one and
        whose proof it makes void: then somebody must sign in again.

        Raises `LinkExpired` if the proof is spent, `StepExpired` if the step is over, what `admit`
        and `sign_in.still` raise, and `DatabaseError`. After any of them nothing has changed.
        """
        now, proof = int(self.clock()), sign_in.proof
        durable = current is not None or proof is None or not proof.dies_with_boot
        with _translated(), self.store.transaction(durable=durable):
            if sign_in.still:
                sign_in.still()
            if proof and not self.store.one_time.spend(proof.key, until=proof.until):
                raise LinkExpired("the link was used already")
            admitted = self.admit(sign_in, client=client, now=now)
            if sign_in.step:
                self._finish(sign_in.step, admitted.identity, now)
            if admitted.owes_second_factor:
                return self._begin(sign_in, admitted.identity, now)
            return self._open(sign_in, admitted.identity, current, now)

    def _open(
        self, sign_in: SignIn, identity: Identity, current: Session | None, now: int
    ) -> Session:
        token, sessions = self.new_token(), self.store.sessions
        record = SessionRecord(
            key=session_key(token),
            subject=identity.subject,
            method=sign_in.method,
            proof=sign_in.proof.key if sign_in.proof else "",
            opened_at=now,
            seen_at=now,
            expires_at=now + int(self.settings.lifetime),
        )
        again = current is not None and current.identity.subject == identity.subject
        if current and not again:
            sessions.delete(current.record.key)
        # Room is made first: among many of one second, the new one must not pass for the oldest.
        sessions.delete_surplus(identity.subject, MOST_SESSIONS - (not again))
        sessions.put(record)
        if current and again:
            # Who signs in once more stays signed in to what the session has opened.
            sessions.replace(current.record.key, record.key)
        sessions.purge(expired_at=now, idle_since=now - int(self.settings.idle))
        if sign_in.device:
            self.store.secrets.add_device(identity.subject, session_key(sign_in.device), now)
        return Session(record, identity, token)

    def _begin(self, sign_in: SignIn, identity: Identity, now: int) -> Step:
        step = Step(self.new_token(), now + STEP_SECONDS)
        owed = {
            "method": sign_in.method,
            "return_to": sign_in.return_to.text,
            "source": sign_in.enrolment.source,
            "administrators": sign_in.enrolment.administrators,
        }
        self.store.tickets.put(
            Ticket(session_key(step.token), STEP, identity.subject, json.dumps(owed), step.until)
        )
        return step

    def _finish(self, step: str, identity: Identity, now: int) -> None:
        ticket = self.store.tickets.take(session_key(step), STEP)
        if ticket is None or ticket.subject != identity.subject or ticket.until <= now:
            raise StepExpired

    def close(self, session: Session) -> None:
        """End a session. Raises `DatabaseError`: the visitor must not believe it ended."""
        with _translated():
            self.store.sessions.delete(session.record.key)

    def close_listed(self, listed: Listed) -> int:
        """End some sessions of a user; give their number. Raises `DatabaseError`."""
        with _translated(), self.store.transaction():
            theirs = {record.key for record, _ in self.store.sessions.listed(listed.subject)}
            return sum(map(self.store.sessions.delete, theirs & listed.keys))

    def close_all(self, canonical: str, owns: Callable[[User], bool]) -> int:
        """End all sessions of a user whom `owns` accepts; give their number. Offline access that
        the user gave to clients, which outlives one session, ends with all of them.

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
