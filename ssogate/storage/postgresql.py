"""The engine for several machines: a PostgreSQL server.

Writers queue on an advisory lock, as they queue on SQLite's one write lock: what a transaction
read is still true when it commits, without retries, and the two engines behave alike. Whoever
takes something away raises a number with it, for the processes of all machines to see (`polled`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, inspect, select, text
from sqlalchemy.dialects.postgresql import insert

from ssogate.errors import StoreFailure
from ssogate.storage.database import Database, translated
from ssogate.storage.migrations import VERSION_TABLE, migrate
from ssogate.storage.patience import make_impatient
from ssogate.storage.polled import Ask, PolledChanges
from ssogate.storage.schema import changes

# As for SQLite: who cannot have an answer in this time gets an error page, not a hanging browser.
STATEMENT_SECONDS = 10
LOCK_SECONDS = 5
CONNECT_SECONDS = 5
POLL_SECONDS = 2  # for an answer of the number of changes; a later one would help nobody
POOLED = 8  # connections that a process keeps; it opens as many again when all are in use

_WRITERS = 0x53534F47  # "SSOG": the advisory lock's number
_NUMBER = select(changes.c.number)
_RAISE = (
    insert(changes)
    .values(one=1, number=1)
    .on_conflict_do_update(index_elements=["one"], set_={"number": changes.c.number + 1})
)


class PostgreSQLDatabase(Database):
    """Raises `StoreFailure` at construction if the server cannot be reached, or the database is
    another program's."""

    dialect = "postgresql"
    at_hand = False

    def __init__(self, url: URL) -> None:
        super().__init__()
        self._engine = _engine(
            url,
            STATEMENT_SECONDS + 1,  # the server's own limit comes first
            pool_size=POOLED,
            max_overflow=POOLED,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
            pool_recycle=1800,
            # Each statement sees what was committed before it, whatever the server's default is:
            # who waited for the writers' lock must see what the one before has written.
            isolation_level="READ COMMITTED",
            execution_options={"preserve_rowcount": True},
        )
        self._polls = _engine(url, POLL_SECONDS, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._changes: PolledChanges = PolledChanges(self._polling)
        try:
            self._create()
        except BaseException:
            self.close()
            raise
        _forget_after_fork(weakref.ref(self))

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        with translated:
            connection = self._engine.connect()
        with connection:
            yield connection

    def begin(self, connection: Connection, *, durable: bool) -> None:
        if not durable:
            connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITERS})

    def tell(self) -> None:
        self.write(_RAISE)

    @contextmanager
    def _polling(self) -> Iterator[Ask]:
        with self._polls.connect() as connection:
            yield lambda: connection.execute(_NUMBER).scalar_one()

    def close(self) -> None:
        self._changes.close()
        self._engine.pool.dispose()  # what another thread uses is closed the next time

    def forget(self) -> None:
        """Leave the connections to the process that opened them."""
        self._changes.forget()
        self._engine.dispose(close=False)

    def _create(self) -> None:
        with self.transaction() as connection, translated:
            self._refuse_strangers(connection)
            migrate(connection)

    def _refuse_strangers(self, connection: Connection) -> None:
        there = inspect(connection)
        if there.has_table("users") and not there.has_table(VERSION_TABLE):
            raise StoreFailure("this is another program's database: give the gate one of its own")


def _engine(url: URL, patience: float, **options: Any) -> Engine:
    """Make an engine whose connections all have the same limits."""
    limits = {
        "statement_timeout": int(STATEMENT_SECONDS * 1000),
        "lock_timeout": int(LOCK_SECONDS * 1000),
        "idle_in_transaction_session_timeout": int(STATEMENT_SECONDS * 1000),
    }
    limited = " ".join(f"-c {name}={value}" for name, value in limits.items())
    theirs = url.query.get("options", "")
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "ssogate",
            "options": f"{theirs} {limited}".strip(),
        },
        **options,
    )
    make_impatient(engine, patience)
    return engine


def _forget_after_fork(database: weakref.ref[PostgreSQLDatabase]) -> None:
    def forget() -> None:
        opened = database()
        if opened is not None:
            opened.forget()

    os.register_at_fork(after_in_child=forget)
