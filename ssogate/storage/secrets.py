"""What users prove themselves by: password hashes, sealed second factors, recovery codes, and the
browsers in which they have signed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Table, bindparam, delete, func, select, update

from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.writing import insert

DEVICES = 20  # browsers that are remembered of each user

_passwords, _factors = schema.passwords, schema.second_factors
_codes, _devices = schema.recovery_codes, schema.devices


class Secrets:
    _password = select(_passwords.c.hash).where(_passwords.c.subject == bindparam("of"))
    _replace = (
        update(_passwords)
        .where(_passwords.c.subject == bindparam("of"), _passwords.c.hash == bindparam("old"))
        .values(hash=bindparam("new"), changed_at=bindparam("at"))
    )
    _factor = select(_factors.c.sealed).where(_factors.c.subject == bindparam("of"))
    _all_factors = select(_factors.c.subject, _factors.c.sealed)
    _reseal = (
        update(_factors)
        .where(_factors.c.subject == bindparam("of"))
        .values(sealed=bindparam("new"))
    )
    _codes_left = select(func.count()).where(_codes.c.subject == bindparam("of"))
    _spend = delete(_codes).where(
        _codes.c.subject == bindparam("of"), _codes.c.key == bindparam("spent")
    )
    _device = select(_devices.c.key).where(
        _devices.c.subject == bindparam("of"), _devices.c.key == bindparam("known")
    )
    _surplus_devices = delete(_devices).where(
        _devices.c.subject == bindparam("of"),
        _devices.c.key.in_(
            select(_devices.c.key)
            .where(_devices.c.subject == bindparam("of"), _devices.c.key != bindparam("just"))
            .order_by(_devices.c.seen_at.desc(), _devices.c.key)
            .offset(DEVICES - 1)
        ),
    )

    def __init__(self, database: Database) -> None:
        self._database = database
        added = insert(database, _passwords)
        self._set_password = added.on_conflict_do_update(
            index_elements=["subject"],
            set_={"hash": added.excluded.hash, "changed_at": added.excluded.changed_at},
        )
        self._add_factor = insert(database, _factors)
        self._add_codes = insert(database, _codes)
        seen = insert(database, _devices)
        self._add_device = seen.on_conflict_do_update(
            index_elements=["subject", "key"], set_={"seen_at": seen.excluded.seen_at}
        )

    def password(self, subject: str) -> str:
        rows = self._database.rows(self._password, {"of": subject})
        return str(rows[0].hash) if rows else ""

    def set_password(self, subject: str, hashed: str, now: int) -> None:
        if hashed:
            self.set_passwords({subject: hashed}, now)
        else:
            self._forget(_passwords, subject)

    def set_passwords(self, hashes: Mapping[str, str], now: int) -> None:
        rows = [
            {"subject": subject, "hash": hashed, "changed_at": now}
            for subject, hashed in hashes.items()
        ]
        if rows:
            self._database.write(self._set_password, rows)

    def replace_password(self, subject: str, old: str, new: str, now: int) -> bool:
        values = {"of": subject, "old": old, "new": new, "at": now}
        return self._database.write(self._replace, values) == 1

    def second_factor(self, subject: str) -> str:
        rows = self._database.rows(self._factor, {"of": subject})
        return str(rows[0].sealed) if rows else ""

    def set_second_factor(self, subject: str, sealed: str, codes: Iterable[str], now: int) -> None:
        with self._database.transaction():
            self._forget(_factors, subject)
            self._forget(_codes, subject)
            if not sealed:
                return
            row = {"subject": subject, "sealed": sealed, "changed_at": now}
            self._database.write(self._add_factor, row)
            rows = [{"subject": subject, "key": key} for key in codes]
            if rows:
                self._database.write(self._add_codes, rows)

    def second_factors(self) -> dict[str, str]:
        return {row.subject: row.sealed for row in self._database.rows(self._all_factors)}

    def reseal_second_factor(self, subject: str, sealed: str) -> None:
        self._database.write(self._reseal, {"of": subject, "new": sealed})

    def recovery_codes(self, subject: str) -> int:
        return int(self._database.rows(self._codes_left, {"of": subject})[0][0])

    def spend_recovery_code(self, subject: str, key: str) -> bool:
        return self._database.write(self._spend, {"of": subject, "spent": key}) == 1

    def forget_devices(self, subject: str) -> None:
        self._forget(_devices, subject)

    def add_device(self, subject: str, key: str, now: int) -> None:
        with self._database.transaction():
            row = {"subject": subject, "key": key, "seen_at": now}
            self._database.write(self._add_device, row)
            self._database.write(self._surplus_devices, {"of": subject, "just": key})

    def knows_device(self, subject: str, key: str) -> bool:
        return bool(self._database.rows(self._device, {"of": subject, "known": key}))

    def _forget(self, table: Table, subject: str) -> None:
        self._database.write(
            delete(table).where(table.c.subject == bindparam("of")), {"of": subject}
        )
