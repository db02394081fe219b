"""Statements made ready once, and run by Python's own `sqlite3`.

SQLAlchemy reckons anew for each execution what is always the same: a third of all that a sign-in
costs. What a statement compiles to, and how its types turn values and rows, is kept here instead.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Executable, ReturnsRows

KEPT = 512  # statements; the tables have about a hundred

Turned = Sequence[tuple[Any, Callable[[Any], Any]]]
"""Names or places of values, and what turns the value there."""


class Prepared:
    """A statement whose values are those of `names`. `dialect` writes parameters as `:name`.

    Raises `ValueError` for a statement that cannot be made ready once.
    """

    def __init__(self, dialect: Dialect, statement: Executable, names: Sequence[str]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=names)  # type: ignore[attr-defined]
        binds = compiled.binds.items()
        if any(it.expanding for _, it in binds):
            raise ValueError("a list of values makes another statement each time")
        self._sql: str = compiled.string
        self._fixed = {name: it.effective_value for name, it in binds if not it.required}
        made_ready = ((name, it.type.dialect_impl(dialect)) for name, it in binds)
        self._bind = _turned((name, it.bind_processor(dialect)) for name, it in made_ready)
        columns = list(statement.exported_columns) if isinstance(statement, ReturnsRows) else []
        row: Any = namedtuple("Found", [it.key for it in columns], rename=True)  # type: ignore[misc]
        self._row = row._make
        of_columns = enumerate(it.type.dialect_impl(dialect) for it in columns)
        self._read = _turned((at, it.result_processor(dialect, None)) for at, it in of_columns)

    def rows(self, driver: sqlite3.Connection, values: Mapping[str, Any]) -> list[Any]:
        """Give the rows that a statement gives."""
        found = driver.execute(self._sql, self._bound(values)).fetchall()
        return [self._row(self._turned(row) if self._read else row) for row in found]

    def write(self, driver: sqlite3.Connection, *values: Mapping[str, Any]) -> int:
        """Give how many rows were changed, by the values of each mapping."""
        if len(values) == 1:
            return driver.execute(self._sql, self._bound(values[0])).rowcount
        return driver.executemany(self._sql, map(self._bound, values)).rowcount

    def _bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        bound = {**self._fixed, **values}
        for name, turn in self._bind:
            bound[name] = turn(bound[name])
        return bound

    def _turned(self, row: Sequence[Any]) -> list[Any]:
        read = list(row)
        for place, turn in self._read:
            read[place] = turn(read[place])
        return read


def _turned(found: Iterable[tuple[Any, Callable[[Any], Any] | None]]) -> Turned:
    return [(key, turn) for key, turn in found if turn]


def preparing(dialect: Dialect) -> Callable[[Executable, tuple[str, ...]], Prepared]:
    """Give what prepares a statement for values of these names, and keeps it."""

    @lru_cache(KEPT)
    def prepared(statement: Executable, names: tuple[str, ...]) -> Prepared:
        return Prepared(dialect, statement, names)

    return prepared
