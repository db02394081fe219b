"""The default engine: one SQLite file in WAL mode, shared by all worker processes of a machine.

Strategy: a connection a thread, opened when the thread first asks and never carried over a fork;
writers in `BEGIN IMMEDIATE`, so that two of them queue (`turns`) instead of failing half-way.
`synchronous` is FULL, unless a transaction need not be durable: what was acknowledged survives a
power cut.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, create_engine
from sqlalchemy.pool import NullPool

from ssogate.errors import StoreFailure
from ssogate.storage.changes import MappedChanges
from ssogate.storage.database import Database, Found, Values, translated
from ssogate.storage.migrations import HEAD, is_current, migrate
from ssogate.storage.prepared import preparing
from ssogate.storage.turns import Turns

BUSY_SECONDS = 5.0  # how long a writer waits for another before it gives up
# Of 4 KiB, that wait beside the file for their place in it: one that is written again and again
# goes there once. SQLite's own 1000 cost a writer a tenth more.
WAL_PAGES = 4000

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_APPLICATION_ID = 0x53534F47  # "SSOG", in the file's header: another program's file is not ours


class SQLiteDatabase(Database):
    """One file. Raises `StoreFailure` at construction if it cannot be opened or is not ours."""

    dialect = "sqlite"
    at_hand = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self.boot = path, _boot()
        self._engine = create_engine(
            "sqlite://",
            creator=self._dial,
            poolclass=NullPool,
            hide_parameters=True,
            paramstyle="named",
        )
        self._prepared = preparing(self._engine.dialect)
        try:
            self._create()
        except (OSError, sqlite3.Error) as error:
            raise StoreFailure(f"{path}: {error}") from error
        finally:
            self.close()
        _close_before_fork(weakref.ref(self))

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Give this thread's connection, to the file that bears the name by now.

        An open connection outlives its file: what was restored or revoked in the new one would not
        be seen, and what is written to the old one is lost.
        """
        connection: Connection | None = self._local.__dict__.get("connection")
        file = self._file()
        if connection is None or self._local.file != file:
            self.close()
            with translated:
                connection = self._local.connection = self._engine.connect()
            self._local.file, self._local.durable = file, True
        try:
            yield connection
        finally:
            if connection.in_transaction() or _driver(connection).in_transaction:  # after an error
                self.rollback(connection)

    def turn(self) -> AbstractContextManager[None]:
        return self._turns.turn()

    def begin(self, connection: Connection, *, durable: bool) -> None:
        if durable != self._local.durable:
            level = "FULL" if durable else "NORMAL"
            _driver(connection).execute(f"PRAGMA synchronous = {level}")
            self._local.durable = durable
        _driver(connection).execute("BEGIN IMMEDIATE")

    def commit(self, connection: Connection) -> None:
        # SQLAlchemy knows of a transaction if it ran some of the statements itself.
        (connection if connection.in_transaction() else _driver(connection)).commit()

    def rollback(self, connection: Connection) -> None:
        connection.rollback()
        _driver(connection).rollback()

    def fetch(self, connection: Connection, statement: Executable, values: Values) -> list[Found]:
        if values is None:
            return super().fetch(connection, statement, values)
        (one,) = _each(values)
        return self._prepared(statement, tuple(one)).rows(_driver(connection), one)

    def execute(self, connection: Connection, statement: Executable, values: Values) -> int:
        if values is None:
            return super().execute(connection, statement, values)
        several = _each(values)
        return self._prepared(statement, tuple(several[0])).write(_driver(connection), *several)

    def close(self) -> None:
        """Close this thread's connection; others close when their thread ends."""
        connection: Connection | None = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _file(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StoreFailure(f"{self._path}: {error.strerror}") from error
        return found.st_dev, found.st_ino

    def _dial(self) -> sqlite3.Connection:
        # mode=rw: a file that vanished is an error, never a new and empty database. A thread's
        # connection is used by that thread only, but may be collected in another one.
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _create(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}-changes")
        self._changes, self._turns = MappedChanges(beside), Turns(beside)
        # Only a new file is opened here: closing a second descriptor of one that is in use would
        # drop this process's locks on it (POSIX), and another process could take its WAL away.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        with self.connected() as connection, translated:
            self._refuse_strangers(connection)
            self._use_wal(connection)
            # A file that is up to date is not written: a worker that starts while somebody holds
            # the write lock (a backup) must not fail, since gunicorn then ends all the others.
            current = is_current(connection)
        if current:
            return
        with self.transaction() as connection, translated:
            migrate(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION_ID}")
            # The first release knows no other number, and refuses a file with a higher one.
            connection.exec_driver_sql(f"PRAGMA user_version = {int(HEAD)}")

    def _refuse_strangers(self, connection: Connection) -> None:
        def read(sql: str) -> int:
            number: int = connection.exec_driver_sql(sql).scalar_one()
            return number

        # In this order: whoever makes the tables at this moment sets the id in one step with them.
        tables = read("SELECT count(*) FROM sqlite_schema")
        if read("PRAGMA application_id") != _APPLICATION_ID and tables:
            raise StoreFailure(f"{self._path}: this is another program's database")

    def _use_wal(self, connection: Connection) -> None:
        """Switch a new file to WAL. SQLite does not wait here as elsewhere for another process
        that does the same."""
        driver = _driver(connection)
        deadline = time.monotonic() + BUSY_SECONDS
        while driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                driver.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def _boot() -> str:
    """Name this run of the machine (random(4)): what a process wrote stays as long as that, synced
    or not. Hashed, since the id itself is nobody else's business (machine-id(5))."""
    try:
        return hashlib.sha256(b"ssogate:" + _BOOT_ID.read_bytes()).hexdigest()[:32]
    except OSError:
        return ""


def _each(values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return [values] if isinstance(values, Mapping) else values


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _close_before_fork(database: weakref.ref[SQLiteDatabase]) -> None:
    """Have no connection open when the process forks.

    A child that inherits one believes that it holds the parent's locks; once the parent closes,
    the WAL is removed under the child, and what the child then commits is lost.

    Only the forking thread's: fork while no other thread is in a transaction, as gunicorn does. A
    child that is forked in the midst of one may find the database locked, and fails closed.
    """

    def close() -> None:
        opened = database()
        if opened is not None:
            opened.close()

    os.register_at_fork(before=close)
