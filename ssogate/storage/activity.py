"""The activity log's lines. The tables' triggers refuse to change or remove one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select

from ssogate.model import Activity
from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.writing import PAGE_ROWS, insert, rows_of

_table = schema.activity


class ActivityLog:
    _latest = select(_table).order_by(_table.c.number.desc())
    _last = _latest.limit(1)
    _page = (
        select(_table)
        .where(_table.c.number > bindparam("after"))
        .order_by(_table.c.number)
        .limit(PAGE_ROWS)
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put, self._row = insert(database, _table), rows_of(_table)

    def last(self) -> Activity | None:
        rows = self._database.rows(self._last, {})
        return Activity(*rows[0]) if rows else None

    def put(self, line: Activity) -> None:
        self._database.write(self._put, self._row(line))

    def listed(self, *, after: int = 0) -> Iterator[Activity]:
        page: Sequence[Any] = self._database.rows(self._page, {"after": after})
        while page:
            yield from (Activity(*row) for row in page)
            page = self._database.rows(self._page, {"after": page[-1].number})

    def latest(self, count: int, *, containing: str = "") -> list[Activity]:
        wanted = self._latest.limit(count)
        if containing:
            columns = (_table.c.actor, _table.c.action, _table.c.text)
            wanted = wanted.where(or_(*(c.contains(containing, autoescape=True) for c in columns)))
        return [Activity(*row) for row in self._database.rows(wanted)]
