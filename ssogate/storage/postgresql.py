"""The engine for several machines: a PostgreSQL server.

Writers queue on an advisory lock, as they queue on SQLite's one write lock: what a transaction
read is still true when it commits, without retries, and the two engines behave alike. Nothing is
remembered between requests, since nobody could tell this process that it has changed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, create_engine, inspect, text

from ssogate.errors import StoreFailure
from ssogate.storage.database import Database, translated
from ssogate.storage.migrations import VERSION_TABLE, migrate
from ssogate.storage.patience import make_impatient

# As for SQLite: who cannot have an answer in this time gets an error page, not a hanging browser.
STATEMENT_SECONDS = 10
LOCK_SECONDS = 5
CONNECT_SECONDS = 5
POOLED = 8  # connections that a process keeps; it opens as many again when all are in use

_WRITERS = 0x53534F47  # "SSOG": the advisory lock's number


class PostgreSQLDatabase(Database):
    """Raises `StoreFailure` at construction if the server cannot be reached, or the database is
    another program's."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        super().__init__()
        limits = {
            "statement_timeout": int(STATEMENT_SECONDS * 1000),
            "lock_timeout": int(LOCK_SECONDS * 1000),
            "idle_in_transaction_session_timeout": int(STATEMENT_SECONDS * 1000),
        }
        limited = " ".join(f"-c {name}={value}" for name, value in limits.items())
        options = url.query.get("options", "")
        self._engine = create_engine(
            url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
            pool_size=POOLED,
            max_overflow=POOLED,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
            # Each statement sees what was committed before it, whatever the server's default is:
            # who waited for the writers' lock must see what the one before has written.
            isolation_level="READ COMMITTED",
            execution_options={"preserve_rowcount": True},
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "ssogate",
                "options": f"{options} {limited}".strip(),
            },
        )
        make_impatient(self._engine, STATEMENT_SECONDS + 1)  # the server's own limit comes first
        try:
            self._create()
        except BaseException:
            self.close()
            raise
        _forget_after_fork(weakref.ref(self))

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        with translated():
            connection = self._engine.connect()
        with connection:
            yield connection

    def begin(self, connection: Connection, *, durable: bool) -> None:
        if not durable:
            connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITERS})

    def close(self) -> None:
        self._engine.pool.dispose()  # what another thread uses is closed the next time

    def forget(self) -> None:
        """Leave the connections to the process that opened them."""
        self._engine.dispose(close=False)

    def _create(self) -> None:
        with self.transaction() as connection, translated():
            self._refuse_strangers(connection)
            migrate(connection)

    def _refuse_strangers(self, connection: Connection) -> None:
        there = inspect(connection)
        if there.has_table("users") and not there.has_table(VERSION_TABLE):
            raise StoreFailure("this is another program's database: give the gate one of its own")


def _forget_after_fork(database: weakref.ref[PostgreSQLDatabase]) -> None:
    def forget() -> None:
        opened = database()
        if opened is not None:
            opened.forget()

    os.register_at_fork(after_in_child=forget)
