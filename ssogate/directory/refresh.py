"""Whoever belongs to a legacy source is looked at again there: now and then while signed in,
whatever the door was, and before a one-time token lets anybody in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ssogate.directory.activity import By, note
from ssogate.directory.legacy import LegacySource, LegacyUser
from ssogate.errors import SessionsUnavailable, StoreFailure
from ssogate.model import Clock, Identity, Session, User
from ssogate.names import canonical_name
from ssogate.storage import Store


@dataclass(frozen=True, slots=True)
class Refresh:
    """`sources` by name; users bear it as their source."""

    store: Store
    sources: Mapping[str, LegacySource]
    clock: Clock

    def __call__(self, session: Session) -> Session | None:
        """Give the session as it is by now; None, and no session of the user is left, if the source
        lets its user in no more. Raises `SessionsUnavailable` if nobody can know."""
        try:
            user = self.store.users.of(session.identity.subject)
            known = self.user(user) if user else None
        except StoreFailure as error:
            raise SessionsUnavailable(str(error)) from error
        return replace(session, identity=known.identity) if known and known.welcome else None

    def user(self, user: User) -> User | None:
        """Give a user as the user's source has it by now; None, and no session of the user is left,
        if it lets the user in no more. Whom no source owns is given back. Raises `StoreFailure`."""
        source = self.sources.get(user.source)
        if source is None:
            return user
        found = source.refreshed(user.external_id, user.identity.username)
        renamed = found and canonical_name(found.username) != user.identity.canonical
        if found is None or not found.active or renamed:
            self._shut_out(user)
            return None
        same = _as_told(user.identity, found) == user.identity
        return user if same else self._renewed(user, found)

    def _renewed(self, user: User, found: LegacyUser) -> User | None:
        """Store what the source says. Read anew: an operator may have shut the user out while the
        source was asked, and must not be overwritten."""
        with self.store.transaction():
            known = self.store.users.of(user.identity.subject)
            if known is not None:
                identity = _as_told(known.identity, found)
                known = replace(known, identity=identity, updated_at=int(self.clock()))
                self.store.users.update(known)
            return known

    def _shut_out(self, user: User) -> None:
        with self.store.transaction():
            self.store.sessions.delete_subject(user.identity.subject)
            text = f"{user.identity.username} is let in no more by {user.source}"
            note(self.store, By("gate"), "sessions.ended", text, int(self.clock()))


def _as_told(identity: Identity, found: LegacyUser) -> Identity:
    return replace(identity, name=found.name, email=found.email, groups=found.groups)
