"""From what a login method asserts to a user, by the rules that the method was given.

A source signs in the users that it created and the ones that an operator added. Another
source's users are not its own unless it is told so (`shared`): two senders with a secret each
must not be able to sign in as each other's people.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from ssogate.errors import AccountInactive, AccountNotFound, DuplicateUser
from ssogate.http.identity import canonical_name
from ssogate.model import Assertion, Enrolment, Identity, User
from ssogate.storage import UserStore


def admit(users: UserStore, assertion: Assertion, enrolment: Enrolment, now: int) -> Identity:
    """Find, create or update the user that `assertion` speaks of.

    To be called inside the transaction that opens the session. Raises `DuplicateUser` (400E4),
    `AccountInactive` (404E1), `AccountNotFound` (404E2).
    """
    user = users.get(canonical_name(assertion.username))
    if user is None:
        if not enrolment.create:
            raise AccountNotFound(f"no user {assertion.username!r}, and auto_create is off")
        return _create(users, assertion, enrolment, now)
    if not owns(enrolment, user):
        raise DuplicateUser(f"{assertion.username!r} belongs to {user.source!r}")
    if not user.active:
        raise AccountInactive(f"user {assertion.username!r}")
    return _update(users, user, assertion, now) if enrolment.update else user.identity


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
    if not users.add(User(identity, True, enrolment.source, now, now)):
        raise DuplicateUser(f"user {assertion.username!r} appeared meanwhile")
    return identity


def _update(users: UserStore, user: User, assertion: Assertion, now: int) -> Identity:
    known = user.identity
    groups = known.groups if assertion.groups is None else assertion.groups
    identity = replace(known, name=assertion.name, email=assertion.email, groups=groups)
    if identity != known:
        users.update(replace(user, identity=identity, updated_at=now))
    return identity
