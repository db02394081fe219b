"""The tables of the SQLite store: the statements, and what rows mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, Protocol

from ssogate.model import Clock, Identity, SessionRecord, User

PURGE_ROWS = 100  # rows that one purge drops, so that no sign-in pays for a whole backlog
# Spent marks outlive their links by a day: a clock that is set back must not revive one.
KEEP_SPENT = 86_400  # seconds

_IDENTITY = "subject, username, canonical, name, email, groups"
_USER = f"{_IDENTITY}, active, source, created_at, updated_at"
_SESSION = "key, s.subject, method, proof, opened_at, seen_at, expires_at"
_OWNED = (
    f"SELECT {_SESSION}, u.subject, username, canonical, name, email, groups"  # noqa: S608
    " FROM sessions s JOIN users u USING (subject)"
)


class Statements(Protocol):
    """What the tables ask of the store that they belong to."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def write(self, sql: str, values: Sequence[Any] = ()) -> int: ...

    def change(self, sql: str, values: Sequence[Any] = ()) -> int: ...

    def changes(self) -> int | None: ...


class OneTime:
    def __init__(self, store: Statements, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def spend(self, key: str, *, until: int) -> bool:
        self._store.write(
            "DELETE FROM spent WHERE key IN (SELECT key FROM spent WHERE until < ? LIMIT ?)",
            (int(self._clock()) - KEEP_SPENT, PURGE_ROWS),
        )
        sql = "INSERT INTO spent (key, until) VALUES (?, ?) ON CONFLICT DO NOTHING"
        return self._store.write(sql, (key, until)) == 1


class Sessions:
    def __init__(self, store: Statements) -> None:
        self._store = store

    def get(self, key: str) -> tuple[SessionRecord, Identity] | None:
        rows = self._store.rows(f"{_OWNED} WHERE s.key = ? AND u.active", (key,))
        return _owned(rows[0]) if rows else None

    def put(self, record: SessionRecord) -> None:
        self._store.write(
            "INSERT INTO sessions (key, subject, method, proof, opened_at, seen_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            astuple(record),
        )

    def touch(self, key: str, seen_at: int) -> None:
        sql = "UPDATE sessions SET seen_at = ? WHERE key = ? AND seen_at < ?"
        self._store.write(sql, (seen_at, key, seen_at))

    def delete(self, key: str) -> bool:
        return self._store.change("DELETE FROM sessions WHERE key = ?", (key,)) == 1

    def changes(self) -> int | None:
        return self._store.changes()

    def delete_subject(self, subject: str) -> int:
        return self._store.change("DELETE FROM sessions WHERE subject = ?", (subject,))

    def purge(self, *, expired_at: int, idle_since: int) -> int:
        return self._store.write(
            "DELETE FROM sessions WHERE key IN ("
            "SELECT key FROM sessions WHERE expires_at <= ? OR seen_at <= ? LIMIT ?)",
            (expired_at, idle_since, PURGE_ROWS),
        )

    def listed(self, subject: str | None = None) -> list[tuple[SessionRecord, Identity]]:
        where = "WHERE s.subject = ?" if subject is not None else ""
        values = (subject,) if subject is not None else ()
        sql = f"{_OWNED} {where} ORDER BY opened_at DESC, key"
        return [_owned(row) for row in self._store.rows(sql, values)]


class Users:
    def __init__(self, store: Statements) -> None:
        self._store = store

    def get(self, canonical: str) -> User | None:
        sql = f"SELECT {_USER} FROM users WHERE canonical = ?"  # noqa: S608
        rows = self._store.rows(sql, (canonical,))
        return _user(rows[0]) if rows else None

    def add(self, user: User) -> bool:
        sql = (
            f"INSERT INTO users ({_USER})"  # noqa: S608
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (canonical) DO NOTHING"
        )
        who = user.identity
        values = (who.subject, who.username, who.canonical, who.name, who.email, _joined(who))
        rest = (int(user.active), user.source, user.created_at, user.updated_at)
        return self._store.write(sql, (*values, *rest)) == 1

    def update(self, user: User) -> None:
        who = user.identity
        self._store.change(
            "UPDATE users SET username = ?, name = ?, email = ?, groups = ?, active = ?,"
            " updated_at = ? WHERE subject = ?",
            (
                who.username,
                who.name,
                who.email,
                _joined(who),
                int(user.active),
                user.updated_at,
                who.subject,
            ),
        )

    def delete(self, subject: str) -> bool:
        return self._store.change("DELETE FROM users WHERE subject = ?", (subject,)) == 1

    def listed(self) -> list[User]:
        sql = f"SELECT {_USER} FROM users ORDER BY canonical"  # noqa: S608
        return [_user(row) for row in self._store.rows(sql)]


def _joined(identity: Identity) -> str:
    return ",".join(sorted(identity.groups))  # no group's name holds a comma


def _identity(row: tuple[Any, ...]) -> Identity:
    subject, username, canonical, name, email, groups = row
    known = frozenset(groups.split(",")) if groups else frozenset()
    return Identity(subject, username, canonical, name, email, known)


def _user(row: tuple[Any, ...]) -> User:
    active, source, created_at, updated_at = row[6:]
    return User(_identity(row[:6]), bool(active), source, created_at, updated_at)


def _owned(row: tuple[Any, ...]) -> tuple[SessionRecord, Identity]:
    return SessionRecord(*row[:7]), _identity(row[7:])
