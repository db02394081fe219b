"""Administrators: users who may also operate the gate, by role groups."""

from __future__ import annotations

from collections.abc import Iterable

from ssogate.directory import fields
from ssogate.directory.activity import By, note
from ssogate.directory.users import known_subject
from ssogate.errors import Conflict
from ssogate.model import Administrator, Server
from ssogate.storage import Store


def add_administrator(
    store: Store, subject: str, role_groups: Iterable[str], *, by: By, now: int
) -> Administrator:
    """Make a user an administrator. The sessions end: another method than the password may have
    opened them. Raises `ValueError`, `Conflict` for one who is one already, `AccountNotFound`."""
    chosen = fields.groups(role_groups)
    with store.transaction():
        name = known_subject(store, subject).identity.canonical
        if store.administrators.get(subject):
            raise Conflict(f"user {name} is an administrator already")
        added = Administrator(subject, chosen, now)
        store.administrators.put(added)
        store.sessions.delete_subject(subject)
        note(store, by, "administrator.added", f"user {name}: {_joined(chosen)}", now)
    return added


def set_role_groups(
    store: Store, subject: str, role_groups: Iterable[str], *, by: By, now: int
) -> Administrator:
    """Put an administrator in these role groups, and in no others. Raises as `add_administrator`,
    and `Conflict` for a user who is none."""
    chosen = fields.groups(role_groups)
    with store.transaction():
        name, known = _known(store, subject)
        changed = Administrator(subject, chosen, known.created_at)
        if changed != known:
            store.administrators.put(changed)
            text = f"user {name}: {_joined(known.role_groups)} → {_joined(chosen)}"
            note(store, by, "administrator.changed", text, now)
    return changed


def remove_administrator(store: Store, subject: str, *, by: By, now: int) -> None:
    """Let an administrator be a mere user. Raises as `set_role_groups`."""
    with store.transaction():
        name, _ = _known(store, subject)
        store.administrators.delete(subject)
        note(store, by, "administrator.removed", f"user {name}", now)


def empty_role_groups(store: Store, server: Server) -> frozenset[str]:
    """Give the role groups of a server that no administrator is in."""
    manned = (known.role_groups for known in store.administrators.listed())
    return server.role_groups.difference(*manned)


def _known(store: Store, subject: str) -> tuple[str, Administrator]:
    name = known_subject(store, subject).identity.canonical
    administrator = store.administrators.get(subject)
    if administrator is None:
        raise Conflict(f"user {name} is no administrator")
    return name, administrator


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no role group"
