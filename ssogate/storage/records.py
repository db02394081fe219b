"""Records with a number: accounts, servers, services, domains. One class for all of them: a table
whose columns bear the names of a dataclass's fields."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import Table, bindparam, delete, select, update

from ssogate.model import Account, ApiCredential, ApiRole, Client, Domain, Server, Service
from ssogate.storage.database import Database
from ssogate.storage.writing import PAGE_ROWS, insert

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
        rows = () if self._named is None else self._database.rows(self._named, {"of": name})
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
