"""What an operator does with users. Names and groups are held to the same rules as a link's.

Each write is one transaction with its line of the activity log. Raises `ValueError`, in words, for
a bad field, and `AccountNotFound` for somebody who is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from ssogate.crypto import hash_password
from ssogate.crypto.passwords import MAX_PASSWORD
from ssogate.directory import fields
from ssogate.directory.activity import By, difference, note
from ssogate.errors import AccountNotFound, WrongPassword
from ssogate.model import STEP, Identity, User
from ssogate.names import canonical_name
from ssogate.storage import Store

MINIMUM_LENGTH = 12  # characters of a password, for want of a site's own rule

OPERATOR = "(operator)"
"""What the source of users is called who have none: an operator or an import has added them."""
API_SOURCE = "(api)"
"""The source of users whom programs made. No way in can be named so: a program must not be able to
set a password for whom a sender or an application's database will bring one day."""


def add_user(
    store: Store,
    username: str,
    *,
    name: str = "",
    email: str = "",
    groups: Iterable[str] = (),
    source: str = "",
    by: By,
    now: int,
) -> User:
    """Add a user: an operator's own, if no source is said. Raises `ValueError` for a taken name,
    too."""
    canonical = canonical_name(username)
    identity = Identity(
        subject=str(uuid4()),
        username=username,
        canonical=canonical,
        name=fields.text("name", name),
        email=fields.email(email),
        groups=fields.groups(groups),
    )
    user = User(identity, True, source, now, now)
    with store.transaction():
        if not store.users.add(user):
            raise ValueError(f"there is a user {canonical!r} already")
        note(store, by, "user.added", f"user {canonical}", now)
    return user


def change_user(
    store: Store,
    canonical: str,
    *,
    name: str | None = None,
    email: str | None = None,
    groups: Iterable[str] | None = None,
    active: bool | None = None,
    by: By,
    now: int,
) -> User:
    """Change what is given of a user. It counts at the user's next request: a deactivated user's
    sessions are ended."""
    with store.transaction():  # read inside it: a sign-in may change the user meanwhile
        user = store.users.get(canonical)
        if user is None:
            raise AccountNotFound(f"no user {canonical!r}")
        who = user.identity
        identity = replace(
            who,
            name=who.name if name is None else fields.text("name", name),
            email=who.email if email is None else fields.email(email),
            groups=who.groups if groups is None else fields.groups(groups),
        )
        active = user.active if active is None else active
        changed = replace(user, identity=identity, active=active, updated_at=now)
        _store_changed(store, user, changed, by)
    return changed


def _store_changed(store: Store, old: User, new: User, by: By) -> None:
    store.users.update(new)
    if not new.active:
        store.sessions.delete_subject(new.identity.subject)
    name, now = new.identity.canonical, new.updated_at
    if told := difference(old.identity, new.identity):
        note(store, by, "user.changed", f"user {name}: {told}", now)
    if new.active != old.active:
        note(store, by, f"user.{'' if new.active else 'de'}activated", f"user {name}", now)


def delete_user(store: Store, subject: str, *, by: By, now: int) -> None:
    """Forget a user and all that hangs on one, sessions too."""
    with store.transaction():
        name = known_subject(store, subject).identity.canonical
        store.users.delete(subject)
        note(store, by, "user.deleted", f"user {name}", now)


def set_password(
    store: Store,
    subject: str,
    password: str,
    *,
    minimum: int = MINIMUM_LENGTH,
    replacing: str = "",
    by: By,
    now: int,
) -> str:
    """Give a user a new password of at least `minimum` characters, and end all sessions; give its
    hash. With `replacing`, only where that hash still stands; raises `WrongPassword` where it does
    not.

    Raises `ValueError`, in words for the user, for a password that is too short, too long or the
    user's own name or address. Takes a tenth of a second and 64 MiB, outside the transaction.
    """
    judge_password(known_subject(store, subject).identity, password, minimum=minimum)
    hashed = hash_password(password)
    with store.transaction():
        name = known_subject(store, subject).identity.canonical
        if replacing:
            judge_unchanged(store, subject, replacing)
        store.secrets.set_password(subject, hashed, now)
        _forget_ways_in(store, subject)
        note(store, by, "user.password-set", f"user {name}", now)
    return hashed


def judge_unchanged(store: Store, subject: str, hashed: str) -> None:
    """Raise `WrongPassword` if that is not the hash of the user's password any more."""
    if store.secrets.password(subject) != hashed:
        raise WrongPassword("it was changed meanwhile")


def judge_password(identity: Identity, password: str, *, minimum: int = MINIMUM_LENGTH) -> None:
    """Raise `ValueError`, in words for the user, for a password that must not be taken."""
    if "\0" in password or len(password.encode(errors="replace")) > MAX_PASSWORD:
        raise ValueError(f"The password must have at most {MAX_PASSWORD} bytes, and no zero byte.")
    if len(password) < minimum:
        raise ValueError(f"The password must have at least {minimum} characters.")
    own = (identity.username, identity.canonical, identity.name, identity.email)
    if password.strip().casefold() in {text.casefold() for text in own}:
        raise ValueError("The password must not be your name or e-mail address.")


def _forget_ways_in(store: Store, subject: str) -> None:
    """End what the old password opened: sessions, and browsers that were known by it."""
    store.sessions.delete_subject(subject)
    store.secrets.forget_devices(subject)


def clear_password(store: Store, subject: str, *, by: By, now: int) -> None:
    """Take a user's password away, and end all sessions."""
    with store.transaction():
        name = known_subject(store, subject).identity.canonical
        store.secrets.set_password(subject, "", now)
        _forget_ways_in(store, subject)
        note(store, by, "user.password-cleared", f"user {name}", now)


def drop_second_factor(store: Store, subject: str, *, by: By, now: int) -> None:
    """Forget a user's second factor and recovery codes, for one who has lost both."""
    with store.transaction():
        name = known_subject(store, subject).identity.canonical
        store.secrets.set_second_factor(subject, "", (), now)
        note(store, by, "user.second-factor-dropped", f"user {name}", now)


def end_unwelcome(store: Store, subjects: Iterable[str]) -> None:
    """End the sessions of those who may not come in any more, so that none comes back to life; and
    of all of them what still owes a second factor: it was let in by what was true before."""
    for subject in subjects:
        store.tickets.drop(subject, STEP)
        user = store.users.of(subject)
        if user is not None and not user.welcome:
            store.sessions.delete_subject(subject)


@contextmanager
def shutting_out(store: Store, subjects: Sequence[str], *, by: By, now: int) -> Iterator[None]:
    """Take accounts away from users inside. Whoever was shut out by a Closed one is deactivated, so
    that its being forgotten lets nobody in again; whom only Closed ones are left is signed out."""
    shut_out = [s for s in subjects if (user := store.users.of(s)) and not user.welcome]
    yield
    for subject in shut_out:
        user = store.users.of(subject)
        if user is not None and user.welcome:
            _store_changed(store, user, replace(user, active=False, updated_at=now), by)
    end_unwelcome(store, subjects)


def known_subject(store: Store, subject: str) -> User:
    """Give a user. Raises `AccountNotFound`."""
    user = store.users.of(subject)
    if user is None:
        raise AccountNotFound(f"no user with the subject {subject}")
    return user
