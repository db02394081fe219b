"""People and sessions as rows, for the tests of whatever keeps them, and what SQLite is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ssogate.model import Identity, SessionRecord, User
from ssogate.storage import SQLiteStore

NOW = 1_800_000_000


@dataclass
class Hands:
    """A clock that goes where a test puts it."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def person(name: str = "joe", *, groups: frozenset[str] = frozenset()) -> Identity:
    return Identity(str(uuid4()), name.title(), name, f"{name} Doe", f"{name}@example.com", groups)


def user(name: str = "joe", *, source: str = "crm", active: bool = True) -> User:
    return User(person(name, groups=frozenset({"staff", "b"})), active, source, NOW, NOW)


def record(owner: User, key: str = "k1", *, at: int = NOW, ends: int = NOW + 100) -> SessionRecord:
    return SessionRecord(key, owner.identity.subject, "crm", f"link:crm:{key}", at, at, ends)


@contextmanager
def traced(store: SQLiteStore) -> Iterator[list[str]]:
    """Note the statements that this thread runs meanwhile, with their values; a statement that
    fires a trigger twice."""
    statements: list[str] = []
    with store.database.connected() as connection:
        driver: Any = connection.connection.driver_connection
    driver.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        driver.set_trace_callback(None)
