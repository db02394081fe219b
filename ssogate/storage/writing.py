"""How rows are written on either engine, where SQLAlchemy has a word for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select
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


class Purge:
    """Drops rows of `table` for which `over` holds: some at a time, as often as there may be more,
    and otherwise once for each value of its parameters, which are moments in whole seconds."""

    def __init__(self, database: Database, table: Table, over: ColumnElement[bool]) -> None:
        (key,) = table.primary_key
        few = select(key).where(over).limit(PURGE_ROWS)
        self._database, self._statement = database, delete(table).where(key.in_(few))
        self._swept: Mapping[str, int] = {}

    def __call__(self, **at: int) -> int:
        """Give the number of dropped rows, at most `PURGE_ROWS`."""
        if at == self._swept:
            return 0
        dropped = self._database.write(self._statement, at)
        if dropped < PURGE_ROWS:
            self._swept = at
        return dropped


def rows_of(table: Table) -> Callable[[object], dict[str, Any]]:
    """Give what turns a record into a row of a table whose columns bear its fields' names."""
    names = tuple(column.name for column in table.c)
    read = attrgetter(*names)
    return lambda record: dict(zip(names, read(record), strict=True))
