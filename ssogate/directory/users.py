"""What an operator does with users. Names and groups are held to the same rules as a link's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

from ssogate.errors import AccountNotFound
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
    canonical: str,
    *,
    active: bool | None = None,
    groups: Iterable[str] | None = None,
    now: int,
) -> User:
    """Activate, deactivate or regroup a user. It counts at the user's next request: a
    deactivated user's sessions are ended.

    Raises `ValueError` for a bad group, and `AccountNotFound`.
    """
    chosen = None if groups is None else frozenset(map(group_name, groups))
    with store.transaction():  # read inside it: a sign-in may change the user meanwhile
        user = store.users.get(canonical)
        if user is None:
            raise AccountNotFound(f"no user {canonical!r}")
        identity = user.identity if chosen is None else replace(user.identity, groups=chosen)
        active = user.active if active is None else active
        changed = replace(user, identity=identity, active=active, updated_at=now)
        store.users.update(changed)
        if not active:
            store.sessions.delete_subject(identity.subject)
    return changed
