"""One look or one transaction at a time on an engine's connection, for the tables above it.

Each thread has at most one transaction; what it runs meanwhile is part of it. Outside of one it
only reads: any other statement becomes a transaction of its own. Errors of the engine become
`StoreFailure` here, and nowhere else.
"""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ssogate.errors import Conflict, StoreFailure
from ssogate.storage.changes import Changes

Found = Any
"""A row: a tuple whose values have their columns' names, too."""
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Database(ABC):
    """An engine of SQL. `dialect` is SQLAlchemy's name of it."""

    dialect: str
    boot: str = ""
    """See `Store.boot`."""
    at_hand: bool
    """See `SessionStore.at_hand`."""
    _changes: Changes

    def __init__(self) -> None:
        self._local = threading.local()

    @abstractmethod
    def connected(self) -> AbstractContextManager[Connection]:
        """Give a connection that is in no transaction."""

    def turn(self) -> AbstractContextManager[None]:
        """Wait until it is this writer's turn, where the engine does not see to it at `begin`."""
        return nullcontext()

    @abstractmethod
    def begin(self, connection: Connection, *, durable: bool) -> None:
        """Begin a transaction in which this is the only writer. `durable`: its commit waits until
        the disk has it."""

    def commit(self, connection: Connection) -> None:
        """Make what was done since `begin` true for all."""
        connection.commit()

    def rollback(self, connection: Connection) -> None:
        """Undo what was done since `begin`, if anything was begun."""
        connection.rollback()

    def tell(self) -> None:  # noqa: B027  # on one machine there is nobody to tell
        """Tell other machines of a change, as part of the transaction that makes it."""

    @abstractmethod
    def close(self) -> None:
        """Close what this thread has open, or all where threads share."""

    def changes(self) -> int | None:
        """Give a number that changes with every `change`; None while it is not known."""
        return self._changes.current()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        current = self._current
        if current is not None:
            yield current
            return
        with self.connected() as connection, self.turn():
            with translated:
                self.begin(connection, durable=durable)
            self._local.transaction, self._local.change = connection, None
            try:
                yield connection
                with translated:
                    self.commit(connection)
            except BaseException:
                with translated:
                    self.rollback(connection)
                raise
            finally:
                self._local.transaction = None
                if self._local.change is not None:
                    self._changes.finish(self._local.change)

    @property
    def _current(self) -> Connection | None:
        connection: Connection | None = self._local.__dict__.get("transaction")
        return connection

    def rows(self, statement: Executable, values: Values = None) -> Sequence[Found]:
        """Run a statement that gives rows."""
        current = self._current
        if current is not None:
            with translated:
                return self.fetch(current, statement, values)
        if not statement.is_select:
            with self.transaction():
                return self.rows(statement, values)
        with self.connected() as connection, translated:
            found = self.fetch(connection, statement, values)
            connection.commit()
            return found

    def write(self, statement: Executable, values: Values = None) -> int:
        """Run a statement that changes rows, once for each of several values; give their number."""
        current = self._current
        if current is not None:
            with translated:
                return self.execute(current, statement, values)
        with self.transaction():
            return self.write(statement, values)

    def fetch(self, connection: Connection, statement: Executable, values: Values) -> list[Found]:
        return list(connection.execute(statement, values).all())

    def execute(self, connection: Connection, statement: Executable, values: Values) -> int:
        return connection.execute(statement, values).rowcount

    def change(self, statement: Executable, values: Values = None) -> int:
        """Write what takes something away from somebody: nobody may go on remembering it."""
        with self.transaction():
            changed = self.write(statement, values)
            # Before the commit: until then, everybody reads what was true before.
            if changed and self._local.change is None:
                self._local.change = self._changes.start()
                self.tell()
            return changed


class _Translated:
    """Turns the engine's errors into ours, without the values that they may quote."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise _failure(error) from error
        if isinstance(error, DBAPIError):
            raise _failure(error.orig) from error
        if isinstance(error, SQLAlchemyError):
            raise StoreFailure(type(error).__name__) from error


# It keeps nothing: one for all threads. A generator for each statement costs as much as binding its
# values.
translated = _Translated()


_CONTRADICTIONS = {
    **dict.fromkeys(
        ("FOREIGN KEY constraint failed", "ForeignKeyViolation", "RestrictViolation"),
        "it names something that is not there, or something else still needs it",
    ),
    **dict.fromkeys(
        ("UNIQUE constraint failed", "UniqueViolation"),
        "another one has this name or external id already",
    ),
}


def _failure(error: BaseException | None) -> StoreFailure:
    # SQLite says what failed in its text, PostgreSQL by the error's class (ForeignKeyViolation).
    text = str(error) if hasattr(error, "sqlite_errorname") else type(error).__name__
    for word, told in _CONTRADICTIONS.items():
        if text.startswith(word):
            return Conflict(told)
    if getattr(error, "sqlstate", None):  # PostgreSQL quotes values even in its first line
        return StoreFailure(type(error).__name__)
    line = (str(error).splitlines() or [""])[0]
    return StoreFailure(f"{type(error).__name__}: {line}")
