"""What comes and goes: spent values, tickets, counters, sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, case, delete, exists, select, update

from ssogate.model import Clock, Identity, SessionRecord, Ticket
from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.people import IDENTITY, WELCOME, identity
from ssogate.storage.writing import Purge, insert, rows_of

# Spent marks outlive their links by a day: a clock that is set back must not revive one.
KEEP_SPENT = 86_400  # seconds


class OneTime:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._spend = insert(database, schema.spent).on_conflict_do_nothing()
        self._purge = Purge(database, schema.spent, schema.spent.c.until < bindparam("limit"))

    def spend(self, key: str, *, until: int) -> bool:
        self._purge(limit=int(self._clock()) - KEEP_SPENT)
        return self._database.write(self._spend, {"key": key, "until": until}) == 1


class Tickets:
    _of = (schema.tickets.c.key == bindparam("of")) & (
        schema.tickets.c.kind == bindparam("of_kind")
    )
    _proof = schema.tickets.c.kind + ":" + schema.tickets.c.key
    _get = select(*schema.tickets.c, exists().where(schema.spent.c.key == _proof)).where(_of)
    _take = delete(schema.tickets).where(_of).returning(schema.tickets)
    _drop = delete(schema.tickets).where(
        (schema.tickets.c.subject == bindparam("of"))
        & (schema.tickets.c.kind == bindparam("of_kind"))
    )

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._put, self._row = insert(database, schema.tickets), rows_of(schema.tickets)
        self._purge = Purge(database, schema.tickets, schema.tickets.c.until < bindparam("limit"))

    def put(self, *tickets: Ticket) -> None:
        self._purge(limit=int(self._clock()))
        self._database.write(self._put, [*map(self._row, tickets)])

    def get(self, key: str, kind: str) -> Ticket | None:
        rows = self._database.rows(self._get, {"of": key, "of_kind": kind})
        return Ticket(*rows[0]) if rows else None

    def take(self, key: str, kind: str) -> Ticket | None:
        rows = self._database.rows(self._take, {"of": key, "of_kind": kind})
        return Ticket(*rows[0]) if rows else None

    def drop(self, subject: str, kind: str) -> None:
        self._database.write(self._drop, {"of": subject, "of_kind": kind})


class Counters:
    _table = schema.counters
    _over = _table.c.until <= bindparam("at")
    _read = select(_table.c.number).where((_table.c.key == bindparam("of")) & ~_over)
    _reset = delete(_table).where(_table.c.key == bindparam("of"))
    _take_back = (
        update(_table)
        .where((_table.c.key == bindparam("of")) & (_table.c.number > 0))
        .values(number=_table.c.number - 1)
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._purge = Purge(database, self._table, self._table.c.until < bindparam("limit"))
        begun = insert(database, self._table)
        self._count = begun.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "number": case((self._over, 1), else_=self._table.c.number + 1),
                "until": case((self._over, begun.excluded.until), else_=self._table.c.until),
            },
        ).returning(self._table.c.number)

    def count(self, key: str, *, now: int, window: int) -> int:
        with self._database.transaction():
            self._purge(limit=now)
            values = {"key": key, "number": 1, "until": now + window, "at": now}
            number: int = self._database.rows(self._count, values)[0].number
        return number

    def read(self, key: str, *, now: int) -> int:
        rows = self._database.rows(self._read, {"of": key, "at": now})
        return int(rows[0].number) if rows else 0

    def reset(self, key: str) -> None:
        self._database.write(self._reset, {"of": key})

    def take_back(self, key: str) -> None:
        self._database.write(self._take_back, {"of": key})


_SESSION = tuple(schema.sessions.c)
_OWNED = select(*_SESSION, *IDENTITY).join(
    schema.users, schema.users.c.subject == schema.sessions.c.subject
)


class Sessions:
    _table = schema.sessions
    _get = _OWNED.where((_table.c.key == bindparam("of")) & WELCOME)
    _touch = (
        update(_table)
        .where((_table.c.key == bindparam("of")) & (_table.c.seen_at < bindparam("at")))
        .values(seen_at=bindparam("at"))
    )
    _delete = delete(_table).where(_table.c.key == bindparam("of"))
    _hand_over = tuple(
        update(table).where(table.c.session == bindparam("of")).values(session=bindparam("to"))
        for table in (schema.grants, schema.participants)
    )
    _delete_subject = delete(_table).where(_table.c.subject == bindparam("of"))
    _delete_grants = delete(schema.grants).where(schema.grants.c.subject == bindparam("of"))
    _delete_tickets = delete(schema.tickets).where(schema.tickets.c.subject == bindparam("of"))
    _delete_surplus = delete(_table).where(
        _table.c.key.in_(
            select(_table.c.key)
            .where(_table.c.subject == bindparam("of"))
            .order_by(_table.c.opened_at.desc(), _table.c.key)
            .offset(bindparam("most"))
        )
    )
    _listed = _OWNED.order_by(_table.c.opened_at.desc(), _table.c.key)
    _ended = (_table.c.expires_at <= bindparam("expired_at")) | (
        _table.c.seen_at <= bindparam("idle_since")
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put, self._row = insert(database, self._table), rows_of(self._table)
        self._purge = Purge(database, self._table, self._ended)

    def get(self, key: str) -> tuple[SessionRecord, Identity] | None:
        rows = self._database.rows(self._get, {"of": key})
        return _owned(rows[0]) if rows else None

    def put(self, record: SessionRecord) -> None:
        self._database.write(self._put, self._row(record))

    def touch(self, key: str, seen_at: int) -> None:
        self._database.write(self._touch, {"of": key, "at": seen_at})

    def delete(self, key: str) -> bool:
        return self._database.change(self._delete, {"of": key}) == 1

    @property
    def at_hand(self) -> bool:
        return self._database.at_hand

    def changes(self) -> int | None:
        return self._database.changes()

    def delete_subject(self, subject: str) -> int:
        with self._database.transaction():
            for statement in (self._delete_tickets, self._delete_grants):
                self._database.write(statement, {"of": subject})
            return self._database.change(self._delete_subject, {"of": subject})

    def replace(self, old: str, new: str) -> None:
        with self._database.transaction():
            for statement in self._hand_over:
                self._database.write(statement, {"of": old, "to": new})
            self.delete(old)

    def delete_surplus(self, subject: str, most: int) -> int:
        return self._database.change(self._delete_surplus, {"of": subject, "most": most})

    def purge(self, *, expired_at: int, idle_since: int) -> int:
        return self._purge(expired_at=expired_at, idle_since=idle_since)

    def listed(self, subject: str | None = None) -> list[tuple[SessionRecord, Identity]]:
        statement: Select[Any] = self._listed
        if subject is not None:
            statement = statement.where(self._table.c.subject == subject)
        return [_owned(row) for row in self._database.rows(statement)]


def _owned(row: Sequence[Any]) -> tuple[SessionRecord, Identity]:
    return SessionRecord(*row[: len(_SESSION)]), identity(row[len(_SESSION) :])
