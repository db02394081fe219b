"""Whoever came in by a legacy source is looked at again there, now and then, while signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ssogate.directory.activity import By, note
from ssogate.directory.legacy import LegacySource, LegacyUser
from ssogate.errors import SessionsUnavailable, StoreFailure
from ssogate.model import Clock, Session, User
from ssogate.storage import Store


@dataclass(frozen=True, slots=True)
class Refresh:
    """`sources` by the login method's name that their sessions bear."""

    store: Store
    sources: Mapping[str, LegacySource]
    clock: Clock

    def __call__(self, session: Session) -> Session | None:
        """Give the session as it is by now; None, and no session of the user is left, if the source
        lets its user in no more. Raises `SessionsUnavailable` if nobody can know."""
        source = self.sources.get(session.record.method)
        if source is None:
            return session
        try:
            user = self.store.users.of(session.identity.subject)
            if user is None:
                return None
            found = source.refreshed(user.external_id, user.identity.username)
            return self._judged(session, user, found)
        except StoreFailure as error:
            raise SessionsUnavailable(str(error)) from error

    def _judged(self, session: Session, user: User, found: LegacyUser | None) -> Session | None:
        if found is None or not found.active:
            self._shut_out(user, session.record.method)
            return None
        identity = replace(user.identity, name=found.name, email=found.email, groups=found.groups)
        if identity != user.identity:
            self.store.users.update(replace(user, identity=identity, updated_at=int(self.clock())))
        return replace(session, identity=identity)

    def _shut_out(self, user: User, source: str) -> None:
        with self.store.transaction():
            self.store.sessions.delete_subject(user.identity.subject)
            text = f"{user.identity.username} is let in no more by {source}"
            note(self.store, By("gate"), "sessions.ended", text, int(self.clock()))
