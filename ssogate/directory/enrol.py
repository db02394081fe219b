"""From what a login method asserts to a user, by the rules that the method was given.

A source signs in the users that it created and the ones that an operator added. Another
source's users are not its own unless it is told so (`shared`): two senders with a secret each
must not be able to sign in as each other's people.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from ssogate.directory.activity import By, note
from ssogate.errors import (
    AccountInactive,
    AccountNotFound,
    DuplicateUser,
    NotForAdministrators,
)
from ssogate.model import Admitted, Arrival, Assertion, Enrolment, Identity, SignIn, User
from ssogate.names import canonical_name
from ssogate.storage import Store, UserStore


def admit(store: Store, sign_in: SignIn, *, client: str, now: int) -> Admitted:
    """Find, create or update the user that `sign_in` speaks of, and note it in the activity log.

    To be called inside the transaction that opens the session. Raises `DuplicateUser` (400E4),
    `AccountInactive` (404E1), `AccountNotFound` (404E2), `NotForAdministrators`.
    """
    found = store.users.arriving(canonical_name(sign_in.assertion.username))
    identity = _admitted(store.users, found, sign_in.assertion, sign_in.enrolment, now)
    owes = not sign_in.complete and found is not None and found.second_factor
    action = "sign-in.second-factor-asked" if owes else "sign-in.done"
    by = By(f"user:{identity.canonical}", client)
    note(store, by, action, f"{identity.username} by {sign_in.method}", now)
    return Admitted(identity, owes)


def _admitted(
    users: UserStore, found: Arrival | None, assertion: Assertion, enrolment: Enrolment, now: int
) -> Identity:
    if found is None:
        if not enrolment.create:
            raise AccountNotFound(f"no user {assertion.username!r}, and auto_create is off")
        return _create(users, assertion, enrolment, now)
    user = found.user
    if not owns(enrolment, user):
        raise DuplicateUser(f"{assertion.username!r} belongs to {user.source!r}")
    _refuse_namesake(user, assertion, enrolment)
    if not user.welcome:
        raise AccountInactive(f"user {assertion.username!r}")
    if found.administrator and not enrolment.administrators:
        raise NotForAdministrators(f"user {assertion.username!r}")
    return _update(users, user, assertion, now) if enrolment.update else user.identity


def _refuse_namesake(user: User, assertion: Assertion, enrolment: Enrolment) -> None:
    """A source that tells people by ids reaches those whom it created, and by their own ids: it may
    give a name to somebody else, or have one that an operator has added."""
    asserted = (enrolment.source, assertion.external_id)
    if assertion.external_id and (user.source, user.external_id) != asserted:
        raise DuplicateUser(f"{assertion.username!r} is somebody else to {enrolment.source!r}")


def may_sign_out(store: Store, enrolment: Enrolment, user: User) -> bool:
    """Whether the source may end all sessions of `user`: not an administrator's."""
    admits = enrolment.administrators or store.administrators.get(user.identity.subject) is None
    return admits and owns(enrolment, user)


def owns(enrolment: Enrolment, user: User) -> bool:
    """Whether the source may act for `user`."""
    return enrolment.shared or user.source in ("", enrolment.source)


def _create(users: UserStore, assertion: Assertion, enrolment: Enrolment, now: int) -> Identity:
    identity = Identity(
        subject=str(uuid4()),
        username=assertion.username,
        canonical=canonical_name(assertion.username),
        name=assertion.name,
        email=assertion.email,
        groups=enrolment.default_groups | (assertion.groups or frozenset()),
    )
    user = User(identity, True, enrolment.source, now, now, assertion.external_id)
    if not users.add(user):
        raise DuplicateUser(f"user {assertion.username!r} appeared meanwhile")
    return identity


def _update(users: UserStore, user: User, assertion: Assertion, now: int) -> Identity:
    known = user.identity
    groups = known.groups if assertion.groups is None else assertion.groups
    identity = replace(known, name=assertion.name, email=assertion.email, groups=groups)
    if identity != known:
        users.update(replace(user, identity=identity, updated_at=now))
    return identity
