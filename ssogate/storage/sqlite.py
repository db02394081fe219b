"""The default store: one SQLite file in WAL mode, shared by all worker processes of a machine.

Strategy: a connection a thread, opened when the thread first asks and never carried over a fork;
writes in `BEGIN IMMEDIATE`, so that two of them queue instead of failing half-way. `synchronous`
is FULL: what was acknowledged survives a power cut (3 500 sign-ins a second are enough for us).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ssogate.errors import StoreFailure
from ssogate.model import Clock
from ssogate.storage.changes import Changes
from ssogate.storage.tables import OneTime, Sessions, Users

BUSY_SECONDS = 5.0  # how long a writer waits for another before it gives up

_APPLICATION_ID = 0x53534F47  # "SSOG", in the file's header: another program's file is not ours
_MIGRATIONS = (
    """
    CREATE TABLE users (
        subject TEXT PRIMARY KEY, canonical TEXT NOT NULL UNIQUE, username TEXT NOT NULL,
        name TEXT NOT NULL, email TEXT NOT NULL, groups TEXT NOT NULL, active INTEGER NOT NULL,
        source TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        key TEXT PRIMARY KEY, subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        method TEXT NOT NULL, proof TEXT NOT NULL, opened_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_subject ON sessions (subject);
    CREATE INDEX sessions_expires_at ON sessions (expires_at);
    CREATE INDEX sessions_seen_at ON sessions (seen_at);
    CREATE TABLE spent (key TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX spent_until ON spent (until);
    """,
)


class SQLiteStore:
    """One file. Raises `StoreFailure` at construction if it cannot be opened or is not ours."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._local = threading.local()
        self.one_time = OneTime(self, clock)
        self.sessions = Sessions(self)
        self.users = Users(self)
        try:
            self._create()
        except (OSError, sqlite3.Error) as error:
            raise StoreFailure(f"{path}: {error}") from error
        finally:
            self.close()
        _close_before_fork(weakref.ref(self))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        connection = self.connection()
        with _translated():
            connection.execute("BEGIN IMMEDIATE")
        self._local.change = None
        try:
            yield
            with _translated():
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            if self._local.change is not None:
                self._changes.finish(self._local.change)

    def close(self) -> None:
        """Close this thread's connection; others close when their thread ends."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def connection(self) -> sqlite3.Connection:
        """Give this thread's connection, to the file that bears the name by now.

        An open connection outlives its file: what was restored or revoked in the new one would not
        be seen, and what is written to the old one is lost.
        """
        connection: sqlite3.Connection | None = self._local.__dict__.get("connection")
        if connection is not None and connection.in_transaction:
            return connection
        file = self._file()
        if connection is None or self._local.file != file:
            self.close()
            with _translated():
                connection = self._local.connection = self._connect()
            self._local.file = file
        return connection

    def _file(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StoreFailure(f"{self._path}: {error.strerror}") from error
        return found.st_dev, found.st_ino

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement."""
        with _translated():
            return self.connection().execute(sql, values).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that can make a session that was found another one, or none."""
        if not self.connection().in_transaction:
            with self.transaction():
                return self.change(sql, values)
        if self._local.change is None:
            self._local.change = self._changes.start()
        return self.write(sql, values)

    def changes(self) -> int | None:
        """Give the number of the last such statement; None while one is under way."""
        return self._changes.current()

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one writing statement; give the number of rows that it changed."""
        with _translated():
            return self.connection().execute(sql, values).rowcount

    def _connect(self) -> sqlite3.Connection:
        # mode=rw: a file that vanished is an error, never a new and empty database.
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _create(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._changes = Changes(self._path.with_name(f"{self._path.name}-changes"))
        # Only a new file is opened here: closing a second descriptor of one that is in use would
        # drop this process's locks on it (POSIX), and another process could take its WAL away.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        connection = self.connection()
        # In this order: whoever makes the tables at this moment sets the id in one step with them.
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION_ID and tables:
            raise StoreFailure(f"{self._path}: this is another program's database")
        self._use_wal(connection)
        # A file that is up to date is not written: a worker that starts while somebody holds the
        # write lock (a backup) must not fail, since gunicorn then ends all the others.
        if self._version(connection) < len(_MIGRATIONS):
            with self.transaction():
                self._migrate(connection)

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switch a new file to WAL. SQLite does not wait here as elsewhere for another process
        that does the same."""
        deadline = time.monotonic() + BUSY_SECONDS
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_MIGRATIONS):
            raise StoreFailure(f"{self._path}: written by a newer ssogate (schema {version})")
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        for step in _MIGRATIONS[self._version(connection) :]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


def _close_before_fork(store: weakref.ref[SQLiteStore]) -> None:
    """Have no connection open when the process forks.

    A child that inherits one believes that it holds the parent's locks; once the parent closes,
    the WAL is removed under the child, and what the child then commits is lost.
    """

    def close() -> None:
        opened = store()
        if opened is not None:
            opened.close()

    os.register_at_fork(before=close)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailure(f"{type(error).__name__}: {error}") from error
