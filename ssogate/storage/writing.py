"""How rows are written on either engine, where SQLAlchemy has a word for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Delete, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ssogate.storage.database import Database

PURGE_ROWS = 100  # rows that one purge drops, so that no sign-in pays for a whole backlog
PAGE_ROWS = 1000  # rows that are read or written at once, so that memory stays flat

_INSERT: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert(database: Database, table: Table) -> sqlite.Insert:
    """Give an INSERT that can say what to do about a conflict; both engines say it alike."""
    made: sqlite.Insert = _INSERT[database.dialect](table)
    return made


def purge(table: Table, column: str) -> Delete:
    """Give a DELETE of some rows whose `column` is below the parameter `limit`."""
    few = select(table.c.key).where(table.c[column] < bindparam("limit")).limit(PURGE_ROWS)
    return delete(table).where(table.c.key.in_(few))
