"""Records with a number: accounts, servers, services, domains. One class for all of them: a table
whose columns bear the names of a dataclass's fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, bindparam, delete, select, update

from ssogate.model import Account, ApiCredential, ApiRole, Client, Domain, Server, Service
from ssogate.storage.database import Database
from ssogate.storage.writing import PAGE_ROWS, insert

FRESH = 1.0  # what a lost signal could cost (somebody removes the store's files)
MOST = 1000  # records that are remembered

R = TypeVar("R", bound=Account | ApiCredential | ApiRole | Client | Domain | Server | Service)


class Records(Generic[R]):
    """The records in `table`, as `make`. With `changes`, live sessions are looked up anew after a
    change: they depend on such records."""

    def __init__(
        self, database: Database, table: Table, make: type[R], *, changes: bool = False
    ) -> None:
        self._database, self._table = database, table
        self._make: type[R] = make
        self._names = [field.name for field in fields(make)]
        self._write = database.change if changes else database.write
        self._select = select(*(table.c[name] for name in self._names))
        this = table.c.number == bindparam("of")
        self._get = self._select.where(this)
        called = next((table.c[name] for name in ("identifier", "name") if name in table.c), None)
        self._named = None if called is None else self._select.where(called == bindparam("of"))
        self._insert = insert(database, table)
        self._add = self._insert.returning(table.c.number)
        rest: dict[str, Any] = {
            name: bindparam(f"new_{name}") for name in self._names if name != "number"
        }
        self._update = update(table).where(this).values(rest)
        self._delete = delete(table).where(this)

    def get(self, number: int) -> R | None:
        rows = self._database.rows(self._get, {"of": number})
        return self._record(rows[0]) if rows else None

    def by_external_id(self, external_id: str) -> R | None:
        return self.known([external_id]).get(external_id) if external_id else None

    def named(self, name: str) -> R | None:
        if self._named is None or not _can_be_stored(name):
            return None
        rows = self._database.rows(self._named, {"of": name})
        return self._record(rows[0]) if rows else None

    def known(self, external_ids: Collection[str]) -> dict[str, R]:
        column = self._table.c.external_id
        # "Not empty" for SQLite, which uses an index of some rows only if told that they are meant.
        wanted = self._select.where(column.in_(external_ids), column != "")
        found = map(self._record, self._database.rows(wanted))
        return {record.external_id: record for record in found}

    def add(self, record: R) -> R:
        number = self._database.rows(self._add, self._row(record))[0].number
        return replace(record, number=number)

    def add_all(self, records: Sequence[R]) -> None:
        if records:
            self._database.write(self._insert, [*map(self._row, records)])

    def update(self, record: R) -> bool:
        return self._write(self._update, self._changed(record)) == 1

    def update_all(self, records: Sequence[R]) -> None:
        if records:
            self._write(self._update, [*map(self._changed, records)])

    def delete(self, number: int) -> bool:
        return self._write(self._delete, {"of": number}) == 1

    def listed(self, **where: object) -> Iterator[R]:
        wanted = self._select.where(*(self._table.c[name] == v for name, v in where.items()))
        ordered = wanted.order_by(self._table.c.number).limit(PAGE_ROWS)
        last = 0
        while page := self._database.rows(ordered.where(self._table.c.number > last)):
            last = page[-1].number
            yield from map(self._record, page)

    def _record(self, row: Sequence[Any]) -> R:
        return self._make(*row)

    def _row(self, record: R) -> dict[str, Any]:
        return {name: getattr(record, name) for name in self._names if name != "number"}

    def _changed(self, record: R) -> dict[str, Any]:
        new = {f"new_{name}": value for name, value in self._row(record).items()}
        return {"of": record.number, **new}


class RememberedRecords(Records[R]):
    """Records that programs name again and again: one is remembered for `FRESH` seconds, where the
    store tells at once that something has changed, and for as long as nothing has."""

    def __init__(
        self,
        database: Database,
        table: Table,
        make: type[R],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(database, table, make, changes=True)
        self._clock = clock
        self._remembered: tuple[int, float, dict[str, R]] = 0, 0.0, {}

    def named(self, name: str) -> R | None:
        change = self._database.changes() if self._database.at_hand else None
        if change is None:
            return super().named(name)
        before, until, known = self._remembered
        if before != change or self._clock() >= until:
            known = {}
            self._remembered = change, self._clock() + FRESH, known
        found = known.get(name)
        if found is None:
            found = super().named(name)
            if found is not None and len(known) < MOST:
                known[name] = found
        return found


def _can_be_stored(name: str) -> bool:
    """Whether some record may have such a name: strangers ask by any text, and the engines differ
    over what they refuse to look up."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
