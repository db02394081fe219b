"""The app's database, for reading: short transactions that the server itself keeps from writing.

PostgreSQL, MySQL and MariaDB get READ ONLY transactions with a time limit, SQLite opens its file
with `mode=ro`. One connection serves one query and goes back to a small pool.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DataError, DBAPIError

from ssogate.directory.legacy.settings import LegacySettings
from ssogate.errors import StoreFailure
from ssogate.storage.url import DRIVERS

CONNECTIONS = 4  # a process; the app needs its own
RECYCLE = 300  # seconds; before a firewall on the way forgets a connection that sleeps
# MySQL's: collations that cannot be mixed, a text that cannot be converted.
_MIXED = frozenset({1267, 1270, 1271, 1366, 3988})
STEPS = 10_000  # of SQLite's machine, some milliseconds, between two looks at the clock


class Found(NamedTuple):
    """The columns' names, in lower case, and the rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Unreadable(StoreFailure):
    """A value that the database cannot even compare: of another type, or not in its characters."""


class Database:
    """Connects at the first question, so it may be made before a fork."""

    def __init__(self, settings: LegacySettings, base: Path) -> None:
        url = make_url(settings.url)
        driver = DRIVERS[url.drivername].name
        self._timeout = settings.timeout
        self._password = settings.password.bytes.decode() if settings.password else ""
        if driver == "sqlite":
            self._engine = _sqlite(base / (url.database or ""), settings.timeout)
        else:
            password = self._password or None
            self._engine = _server(url.set(drivername=driver, password=password), settings.timeout)
        self._restrict = RESTRICTIONS[self._engine.dialect.name]

    def read(self, sql: str, **values: str) -> Found:
        """Run a query. Raises `Unreadable` or another `StoreFailure`, whose text holds nothing of
        `values`."""
        try:
            return self.ask(sql, **values)
        except Exception as error:  # drivers raise what they like: a bad option is a TypeError
            # Not the error's own words: servers quote the values in them.
            kind = Unreadable if is_unreadable(error) else StoreFailure
            raise kind(f"the legacy source does not answer: {_code(error)}") from None

    def ask(self, sql: str, **values: str) -> Found:
        """Run a query; errors are the driver's own, wrapped by SQLAlchemy."""
        with self._engine.connect() as connection:  # whose end is a rollback
            self._restrict(connection, self._timeout)
            result = connection.execute(text(sql), values)
            columns = result.keys()
            return Found(tuple(map(str.lower, columns)), [tuple(row) for row in result])

    def words(self, error: Exception) -> str:
        """Give an error as the driver words it, for the operator: of `ask` with known values."""
        said = str(getattr(error, "orig", None) or error)
        said = said.replace(self._password, "***") if self._password else said
        return f"{' '.join(said.split())} ({_code(error)})"

    def close(self) -> None:
        self._engine.dispose()


def _server(url: URL, timeout: float) -> Engine:
    seconds = math.ceil(timeout)
    longest = seconds + 1  # for an answer; the server's own limit is to come first
    options: dict[str, dict[str, Any]] = {
        "mysql": {
            "charset": "utf8mb4",
            "connect_timeout": seconds,
            "read_timeout": longest,
            "write_timeout": longest,
        },
        "postgresql": {
            "connect_timeout": max(2, seconds),  # which libpq takes for the least
            # A prepared statement outlives its transaction, and poolers in between lose it.
            "prepare_threshold": None,
        },
    }
    engine = create_engine(
        url,
        connect_args=options[url.get_backend_name()],
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=True,
        pool_recycle=RECYCLE,
        hide_parameters=True,
    )
    if engine.dialect.name == "postgresql":
        from ssogate.storage.patience import make_impatient  # noqa: PLC0415 (an extra)

        make_impatient(engine, longest)
    return engine


def _sqlite(path: Path, timeout: float) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=timeout)

    # No pool: opening is quick, and a file that was replaced meanwhile is noticed.
    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _restrict_postgresql(connection: Connection, timeout: float) -> None:
    limit = round(timeout * 1000)
    connection.exec_driver_sql(f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {limit}")


def _restrict_mysql(connection: Connection, timeout: float) -> None:
    if getattr(connection.dialect, "is_mariadb", False):
        connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout}")
    else:
        connection.exec_driver_sql(f"SET SESSION max_execution_time = {round(timeout * 1000)}")
    # For the session too: MariaDB ends the transaction first when it is to change a table itself.
    connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
    connection.exec_driver_sql("START TRANSACTION READ ONLY")


def _restrict_sqlite(connection: Connection, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    driver.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)


RESTRICTIONS: dict[str, Callable[[Connection, float], None]] = {
    "postgresql": _restrict_postgresql,
    "mysql": _restrict_mysql,
    "sqlite": _restrict_sqlite,
}


def is_unreadable(error: Exception) -> bool:
    """Whether the database could not make sense of a value, rather than of the query."""
    return isinstance(error, DataError) or _number(_cause(error)) in _MIXED


def _cause(error: Exception) -> BaseException:
    return (error.orig if isinstance(error, DBAPIError) else None) or error


def _number(cause: BaseException) -> object:
    """The database's number for an error: MySQL's, an SQLSTATE, or SQLite's name."""
    if cause.args and isinstance(cause.args[0], int):
        return cause.args[0]
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)


def _code(error: Exception) -> str:
    """Name an error by its class and the database's number for it."""
    cause = _cause(error)
    number = _number(cause)
    return f"{type(cause).__name__} {number}" if number else type(cause).__name__
