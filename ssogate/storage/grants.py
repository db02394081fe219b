"""What the OpenID provider keeps. Found by an index, each with what decides about it in one look:
a code or token with its grant, and with the user if that one is welcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, Table, and_, bindparam, delete, select, update

from ssogate.model import Clock, Code, Consent, Grant, Held, Identity, SealedKey, Token
from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.people import IDENTITY, WELCOME, identity
from ssogate.storage.writing import Purge, insert, rows_of

_keys, _grants, _consents = schema.signing_keys, schema.grants, schema.consents
_codes, _tokens = schema.codes, schema.tokens
_GRANT = tuple(_grants.c)
_OWNER = and_(schema.users.c.subject == _grants.c.subject, WELCOME)

# A spent code is known for another day, so that who comes with it again ends what it gave.
KEEP_SPENT = 86_400  # seconds

K = TypeVar("K", Code, Token)


class SealedKeys:
    _published = (
        select(_keys)
        .where(_keys.c.retires_at.is_(None) | (_keys.c.retires_at > bindparam("at")))
        .order_by(_keys.c.created_at.desc(), _keys.c.kid)
    )
    _retire = (
        update(_keys)
        .where(_keys.c.kid == bindparam("of"), _keys.c.retires_at.is_(None))
        .values(retires_at=bindparam("at"))
    )
    _reseal = update(_keys).where(_keys.c.kid == bindparam("of")).values(sealed=bindparam("as"))
    _delete = delete(_keys).where(_keys.c.kid == bindparam("of"))

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._put, self._row = insert(database, _keys), rows_of(_keys)
        self._purge = Purge(database, _keys, _keys.c.retires_at <= bindparam("limit"))

    def put(self, key: SealedKey) -> None:
        self._purge(limit=int(self._clock()))
        self._database.write(self._put, self._row(key))

    def retire(self, kid: str, at: int) -> bool:
        return self._database.write(self._retire, {"of": kid, "at": at}) == 1

    def published(self, now: int) -> list[SealedKey]:
        return [SealedKey(*row) for row in self._database.rows(self._published, {"at": now})]

    def reseal(self, kid: str, sealed: str) -> None:
        self._database.write(self._reseal, {"of": kid, "as": sealed})

    def delete(self, kid: str) -> bool:
        return self._database.write(self._delete, {"of": kid}) == 1


class Grants:
    _get = select(_grants).where(_grants.c.number == bindparam("of"))
    _owned = (
        select(*_GRANT, *IDENTITY)
        .select_from(_grants)
        .outerjoin(schema.users, _OWNER)
        .where(_grants.c.number == bindparam("of"))
    )
    _revoke = update(_grants).where(_grants.c.revoked_at.is_(None))

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock, self._row = database, clock, rows_of(_grants)
        self._add = insert(database, _grants).returning(*_GRANT)
        self._purge = Purge(database, _grants, _grants.c.until <= bindparam("limit"))

    def add(self, grant: Grant) -> Grant:
        self._purge(limit=int(self._clock()))
        row = self._row(grant)
        del row["number"]
        return Grant(*self._database.rows(self._add, row)[0])

    def get(self, number: int) -> Grant | None:
        rows = self._database.rows(self._get, {"of": number})
        return Grant(*rows[0]) if rows else None

    def owned(self, number: int) -> tuple[Grant, Identity | None] | None:
        rows = self._database.rows(self._owned, {"of": number})
        return _owned(rows[0]) if rows else None

    def revoke(self, *, now: int, **where: object) -> int:
        wanted = (_grants.c[name] == value for name, value in where.items())
        return self._database.write(self._revoke.where(*wanted).values(revoked_at=now))

    def listed(self, **where: object) -> list[Grant]:
        wanted = select(_grants).where(*(_grants.c[name] == v for name, v in where.items()))
        rows = self._database.rows(wanted.order_by(_grants.c.number.desc()))
        return [Grant(*row) for row in rows]


def _find(table: Table) -> Select[Any]:
    """Read a code or token, its grant if it has one, and the user if that one is welcome."""
    return (
        select(*table.c, *_GRANT, *IDENTITY)
        .select_from(table)
        .outerjoin(_grants, _grants.c.number == table.c.grant)
        .outerjoin(schema.users, _OWNER)
        .where(table.c.key == bindparam("of"))
    )


def _held(row: Sequence[Any], make: type[K], size: int) -> Held[K]:
    of, rest = make(*row[:size]), row[size:]
    return Held(of, *(_owned(rest) if rest[0] is not None else (None, None)))


def _owned(row: Sequence[Any]) -> tuple[Grant, Identity | None]:
    who = row[len(_GRANT) :]
    return Grant(*row[: len(_GRANT)]), None if who[0] is None else identity(who)


class Codes:
    _find = _find(_codes)
    _spend = (
        update(_codes)
        .where(_codes.c.key == bindparam("of"), _codes.c.spent_at.is_(None))
        .values(spent_at=bindparam("at"))
    )

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._put, self._row = insert(database, _codes), rows_of(_codes)
        past = _codes.c.spent_at.is_(None) & (_codes.c.until <= bindparam("limit"))
        unspent = select(_codes.c.grant).where(past)
        self._purge_unspent = Purge(database, _grants, _grants.c.number.in_(unspent))
        self._purge_spent = Purge(database, _codes, _codes.c.spent_at <= bindparam("limit"))

    def put(self, code: Code) -> None:
        now = int(self._clock())
        self._purge_unspent(limit=now)
        self._purge_spent(limit=now - KEEP_SPENT)
        self._database.write(self._put, self._row(code))

    def find(self, key: str) -> Held[Code] | None:
        rows = self._database.rows(self._find, {"of": key})
        return _held(rows[0], Code, len(_codes.c)) if rows else None

    def spend(self, key: str, now: int) -> bool:
        return self._database.write(self._spend, {"of": key, "at": now}) == 1


class Tokens:
    _find = _find(_tokens)
    _succeed = (
        update(_tokens)
        .where(_tokens.c.key == bindparam("of"), _tokens.c.replaced_at.is_(None))
        .values(replaced_at=bindparam("at"), successor=bindparam("by"))
    )
    _delete = delete(_tokens).where(_tokens.c.key == bindparam("of"))
    _delete_own = delete(_tokens).where(
        _tokens.c.client == bindparam("of"), _tokens.c.grant.is_(None)
    )

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._put, self._row = insert(database, _tokens), rows_of(_tokens)
        self._purge = Purge(database, _tokens, _tokens.c.until <= bindparam("limit"))

    def put(self, *tokens: Token) -> None:
        self._purge(limit=int(self._clock()))
        self._database.write(self._put, [*map(self._row, tokens)])

    def find(self, key: str) -> Held[Token] | None:
        rows = self._database.rows(self._find, {"of": key})
        return _held(rows[0], Token, len(_tokens.c)) if rows else None

    def succeed(self, key: str, successor: str, now: int) -> bool:
        return self._database.write(self._succeed, {"of": key, "at": now, "by": successor}) == 1

    def delete(self, key: str) -> bool:
        return self._database.write(self._delete, {"of": key}) == 1

    def delete_own(self, client: str) -> int:
        return self._database.write(self._delete_own, {"of": client})


class Consents:
    _this = and_(
        _consents.c.subject == bindparam("of"), _consents.c.client == bindparam("of_client")
    )
    _get = select(_consents).where(_this)
    _delete = delete(_consents).where(_this)
    _delete_all = delete(_consents).where(_consents.c.client == bindparam("of"))
    _listed = (
        select(_consents).where(_consents.c.subject == bindparam("of")).order_by(_consents.c.client)
    )

    def __init__(self, database: Database) -> None:
        self._database, self._row = database, rows_of(_consents)
        given = insert(database, _consents)
        self._put = given.on_conflict_do_update(
            index_elements=["subject", "client"],
            set_={"scopes": given.excluded.scopes, "updated_at": given.excluded.updated_at},
        )

    def get(self, subject: str, client: str) -> Consent | None:
        rows = self._database.rows(self._get, {"of": subject, "of_client": client})
        return Consent(*rows[0]) if rows else None

    def put(self, consent: Consent) -> None:
        self._database.write(self._put, self._row(consent))

    def delete(self, subject: str, client: str) -> bool:
        return self._database.write(self._delete, {"of": subject, "of_client": client}) == 1

    def delete_all(self, client: str) -> int:
        return self._database.write(self._delete_all, {"of": client})

    def listed(self, subject: str) -> list[Consent]:
        return [Consent(*row) for row in self._database.rows(self._listed, {"of": subject})]
