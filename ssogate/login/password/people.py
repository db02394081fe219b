"""Whose password it must be: a user of the directory, or somebody in a legacy source.

The directory's own users win. Somebody else's name, e-mail address or old id in a legacy source
never leads to them: who may write to the application's table must not sign in as anybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssogate.directory.legacy import LegacySource, LegacyUser
from ssogate.http.log import log
from ssogate.model import Assertion, Enrolment, User
from ssogate.names import canonical_email, canonical_name
from ssogate.storage import Store, UserStore


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a password, and what the right one lets the gate say of them."""

    stored: str = field(repr=False)
    """The password's hash."""
    welcome: bool
    assertion: Assertion
    enrolment: Enrolment
    subject: str = ""
    """Whose hash it is, if it is kept by the directory."""


@dataclass(frozen=True, slots=True)
class People:
    """The directory, and legacy sources by the names that own their users."""

    store: Store
    sources: Mapping[str, LegacySource]

    def user(self, typed: str) -> User | None:
        """Give the user of this name, in any spelling, or else of this e-mail address."""
        return find_user(self.store.users, typed)

    def have_password(self, user: User) -> bool:
        """Whether there is a password to ask this user for."""
        return user.source in self.sources or bool(self._stored(user))

    def holder(self, user: User | None, typed: str) -> Holder | None:
        """Give who must know the password if it is typed for `user`, or for a name that no user
        has; None for nobody. A password of the directory's own goes before a source's.

        Raises `StoreFailure`.
        """
        if user is None:
            found = (self._of_source(name, typed) for name in self.sources)
            return next(filter(None, found), None)
        if stored := self._stored(user):
            return _own(user, stored)
        if user.source in self.sources:
            return self._of_source(user.source, user.identity.username)
        return None

    def _stored(self, user: User) -> str:
        return self.store.secrets.password(user.identity.subject)

    def _of_source(self, source: str, name: str) -> Holder | None:
        found = self.sources[source].find(name)
        if found is None:
            return None
        user = self.store.users.by_external_id(source, found.external_id)
        named = self.store.users.get(canonical_name(found.username))
        if named and (named.source, named.external_id) != (source, found.external_id):
            return None
        if user and user.identity.canonical != canonical_name(found.username):
            # Renamed there. The name known here may be somebody else's by now: an operator has to
            # say who is who.
            log.warning("renamed at the source", source=source, user=user.identity.canonical)
            return None
        if user and (stored := self._stored(user)):
            return _own(user, stored)
        return _foreign(source, found, user)


def find_user(users: UserStore, typed: str) -> User | None:
    """Find by what somebody types as who they are: names first, so that an e-mail address cannot
    take a name's place."""
    try:
        user = users.get(canonical_name(typed))
        if user is None and "@" in typed:
            user = users.by_email(canonical_email(typed))
        return user
    except ValueError:  # nobody can have such a name
        return None


def _own(user: User, stored: str) -> Holder:
    identity = user.identity
    return Holder(
        stored,
        welcome=user.welcome,
        assertion=Assertion(identity.username, identity.name, identity.email),
        # A password is set by an operator, for whomever: it opens every source's users.
        enrolment=Enrolment(source="", update=False, shared=True, administrators=True),
        subject=identity.subject,
    )


def _foreign(source: str, found: LegacyUser, user: User | None) -> Holder:
    """Somebody of a source; `user` is who that is here, by the name that was first seen."""
    username = user.identity.username if user else found.username
    return Holder(
        found.password_hash,
        welcome=found.active and (user is None or user.welcome),
        assertion=Assertion(username, found.name, found.email, found.groups, found.external_id),
        enrolment=Enrolment(source=source, create=True, update=True),
    )
