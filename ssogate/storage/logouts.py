"""Who is to be told that a session has ended. A trigger moves rows from one table to the other."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import UpdateBase, bindparam, delete, func, select, update

from ssogate.model import Logout, Participant
from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.writing import insert, rows_of

_logouts = schema.logouts


class Participants:
    def __init__(self, database: Database) -> None:
        self._database, self._row = database, rows_of(schema.participants)
        put = insert(database, schema.participants)
        self._put = put.on_conflict_do_update(
            index_elements=["session", "client"], set_={"sid": put.excluded.sid}
        )

    def put(self, participant: Participant) -> None:
        self._database.write(self._put, self._row(participant))


class Logouts:
    _due = _logouts.c.due_at <= bindparam("at")
    _any = select(_logouts.c.number).where(_due).limit(1)
    _put_off = (
        update(_logouts)
        .where(_logouts.c.number == bindparam("of"))
        .values(due_at=bindparam("until"))
    )
    _delete = delete(_logouts).where(_logouts.c.number == bindparam("of"))

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, *, now: int, until: int, most: int, busy: Collection[str]) -> list[Logout]:
        if not self._database.rows(self._any, {"at": now}):  # asked often, and writes nothing
            return []
        # What a power cut takes back is told twice.
        with self._database.transaction(durable=False):
            claimed = self._database.rows(_claim(now, until, most, busy))
            return [Logout(*row) for row in claimed]

    def put_off(self, number: int, until: int) -> None:
        self._database.write(self._put_off, {"of": number, "until": until})

    def delete(self, number: int) -> bool:
        return self._database.write(self._delete, {"of": number}) == 1


def _claim(now: int, until: int, most: int, busy: Collection[str]) -> UpdateBase:
    oldest = (
        select(func.min(_logouts.c.number).label("number"))
        .where(_logouts.c.due_at <= now, _logouts.c.client.not_in(busy))
        .group_by(_logouts.c.client)
        .order_by(func.random())  # so that no client waits for those that are slow or gone
        .limit(most)
    )
    return (
        update(_logouts)
        .where(_logouts.c.number.in_(oldest))
        .values(due_at=until, attempts=_logouts.c.attempts + 1)
        .returning(*_logouts.c)
    )
