"""What an operator does with users. Names and groups are held to the same rules as a link's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

from ssogate.http.identity import canonical_name, email_address, group_name, visible
from ssogate.model import Identity, User
from ssogate.storage import Store, UserStore


def add_user(
    users: UserStore, username: str, *, name: str, email: str, groups: Iterable[str], now: int
) -> User:
    """Add an operator's own user. Raises `ValueError`, in words, for a bad field or taken name."""
    identity = Identity(
        subject=str(uuid4()),
        username=username,
        canonical=canonical_name(username),
        name=visible(name, 255),
        email=email_address(email) if email else "",
        groups=frozenset(map(group_name, groups)),
    )
    user = User(identity, True, "", now, now)
    if not users.add(user):
        raise ValueError(f"there is a user {identity.canonical!r} already")
    return user


def change_user(
    store: Store,
    user: User,
    *,
    active: bool | None = None,
    groups: Iterable[str] | None = None,
    now: int,
) -> User:
    """Activate, deactivate or regroup a user. It counts at the user's next request: a
    deactivated user's sessions are ended. Raises `ValueError` for a bad group."""
    identity = user.identity
    if groups is not None:
        identity = replace(identity, groups=frozenset(map(group_name, groups)))
    changed = replace(
        user,
        identity=identity,
        active=user.active if active is None else active,
        updated_at=now,
    )
    with store.transaction():
        store.users.update(changed)
        if not changed.active:
            store.sessions.delete_subject(identity.subject)
    return changed
