"""People: who is known, for whom they act, and who is an administrator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, select, update

from ssogate.model import (
    Account,
    AccountStatus,
    Administrator,
    Arrival,
    Identity,
    Membership,
    Standing,
    User,
)
from ssogate.names import canonical_email
from ssogate.storage import schema
from ssogate.storage.database import Database
from ssogate.storage.writing import PAGE_ROWS, insert, rows_of

_users, _accounts = schema.users, schema.accounts
_members, _others = schema.memberships, schema.memberships.alias("others")

IDENTITY = tuple(
    _users.c[name] for name in ("subject", "username", "canonical", "name", "email", "groups")
)
# Who acts for accounts and finds every one of them Closed. Who acts for none is judged alone.
_acts = exists().where(_members.c.subject == _users.c.subject).correlate(_users)
_acts_for_an_open_one = (
    exists()
    .where(
        _others.c.subject == _users.c.subject,
        _accounts.c.number == _others.c.account,
        _accounts.c.status != AccountStatus.CLOSED,
    )
    .correlate(_users)
)
_CLOSED: ColumnElement[bool] = and_(_acts, ~_acts_for_an_open_one)
WELCOME: ColumnElement[bool] = and_(_users.c.active, ~_CLOSED)

_REST = tuple(
    _users.c[name]
    for name in ("active", "source", "created_at", "updated_at", "external_id", "number")
)
# In the order of User's fields.
_WHOLE_USER = (*IDENTITY, *_REST, _CLOSED.label("closed"))
_USER = select(*_WHOLE_USER)
_ACCOUNT = tuple(_accounts.c[field.name] for field in fields(Account))
_numbers, _administrators = schema.numbers, schema.administrators
_owned = _accounts.alias("owned")
_SWITCHED_OFF: ColumnElement[bool] = (
    exists()
    .where(
        _others.c.subject == _users.c.subject,
        _others.c.owner,
        _owned.c.number == _others.c.account,
        ~_owned.c.allow_single_sign_on,
    )
    .correlate(_users)
)


class Users:
    _get = _USER.where(_users.c.canonical == bindparam("of"))
    _arriving = _get.add_columns(
        exists().where(_administrators.c.subject == _users.c.subject),
        exists().where(schema.second_factors.c.subject == _users.c.subject),
    )
    _of = _USER.where(_users.c.subject == bindparam("of"))
    _numbered = _USER.where(_users.c.number == bindparam("of"))
    _draw = (
        update(_numbers)
        .where(_numbers.c.key == "users")
        .values(last=_numbers.c.last + bindparam("many"))
        .returning(_numbers.c.last)
    )
    _with_email = _USER.where(_users.c.email_canonical == bindparam("of")).limit(2)
    _page = (
        _USER.where(_users.c.canonical > bindparam("after"))
        .order_by(_users.c.canonical)
        .limit(PAGE_ROWS)
    )
    _update = (
        update(_users)
        .where(_users.c.subject == bindparam("of"))
        .values(
            {
                name: bindparam(f"new_{name}")
                for name in (
                    *("username", "name", "email", "groups", "active", "updated_at"),
                    *("email_canonical", "external_id"),
                )
            }
        )
    )
    _delete = delete(_users).where(_users.c.subject == bindparam("of"))

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = insert(database, _users)
        self._add = self._insert.on_conflict_do_nothing()

    def get(self, canonical: str) -> User | None:
        return self._one(self._get, canonical)

    def arriving(self, canonical: str) -> Arrival | None:
        for *user, administrator, second_factor in self._database.rows(
            self._arriving, {"of": canonical}
        ):
            return Arrival(_user(user), administrator, second_factor)
        return None

    def of(self, subject: str) -> User | None:
        return self._one(self._of, subject)

    def numbered(self, number: int) -> User | None:
        return self._one(self._numbered, number)

    def by_email(self, email: str) -> User | None:
        found = self.with_email(email)
        return found[0] if len(found) == 1 else None

    def with_email(self, email: str) -> list[User]:
        found = _comparable(email)
        rows = self._database.rows(self._with_email, {"of": found}) if found else ()
        return [_user(row) for row in rows]

    def by_external_id(self, source: str, external_id: str) -> User | None:
        return self.known(source, [external_id]).get(external_id) if external_id else None

    def known(self, source: str, external_ids: Collection[str]) -> dict[str, User]:
        # "Not empty" for SQLite, which uses an index of some rows only if told that they are meant.
        wanted = _USER.where(
            _users.c.source == source,
            _users.c.external_id.in_(external_ids),
            _users.c.external_id != "",
        )
        return {user.external_id: user for user in self._some(wanted)}

    def named(self, canonicals: Collection[str]) -> dict[str, User]:
        wanted = _USER.where(_users.c.canonical.in_(canonicals))
        return {user.identity.canonical: user for user in self._some(wanted)}

    def add(self, user: User) -> bool:
        with self._database.transaction():
            return self._database.write(self._add, self._drawn([user])[0]) == 1

    def add_all(self, users: Sequence[User]) -> None:
        with self._database.transaction():
            if users:
                self._database.write(self._insert, self._drawn(users))

    def _drawn(self, users: Sequence[User]) -> list[dict[str, Any]]:
        """Give rows with new numbers."""
        last = self._database.rows(self._draw, {"many": len(users)})[0].last
        first = last - len(users) + 1
        return [{**_row(user), "number": first + place} for place, user in enumerate(users)]

    def update(self, user: User) -> None:
        self.update_all([user])

    def update_all(self, users: Sequence[User]) -> None:
        if users:
            rows = (_row(user) for user in users)
            values = [{"of": row["subject"], **_new(row)} for row in rows]
            self._database.change(self._update, values)

    def delete(self, subject: str) -> bool:
        return self._database.change(self._delete, {"of": subject}) == 1

    def listed(self) -> Iterator[User]:
        page: Sequence[Any] = self._database.rows(self._page, {"after": ""})
        while page:
            yield from map(_user, page)
            page = self._database.rows(self._page, {"after": page[-1].canonical})

    def _one(self, statement: Select[Any], value: str | int) -> User | None:
        rows = self._database.rows(statement, {"of": value})
        return _user(rows[0]) if rows else None

    def _some(self, statement: Select[Any]) -> Iterator[User]:
        return map(_user, self._database.rows(statement))


def identity(row: Sequence[Any]) -> Identity:
    """Read the columns of `IDENTITY`."""
    return Identity(*row)


def _user(row: Sequence[Any]) -> User:
    return User(identity(row[: len(IDENTITY)]), *row[len(IDENTITY) :])


def _row(user: User) -> dict[str, Any]:
    who = user.identity
    return {
        **{column.name: getattr(who, column.name) for column in IDENTITY},
        **{column.name: getattr(user, column.name) for column in _REST},
        "email_canonical": _comparable(who.email),
    }


def _new(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in row.items()}


def _standing(row: Sequence[Any]) -> Standing:
    *found, administrator, switched_off = row
    account, member, who = _split(found, len(_ACCOUNT), len(_members.c))
    return Standing(
        account=Account(*account),
        user=None if who[0] is None else _user(who),
        membership=None if member[0] is None else Membership(*member),
        administrator=administrator is not None,
        switched_off=bool(switched_off),
    )


def _split(row: Sequence[Any], *sizes: int) -> Iterator[Sequence[Any]]:
    """Cut a row into pieces of these sizes, and what is left."""
    for size in sizes:
        yield row[:size]
        row = row[size:]
    yield row


def _comparable(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:  # nobody can sign in by such an address
        return ""


def _stand(which: ColumnElement[bool], who: ColumnElement[Any]) -> Select[Any]:
    """Read an account with the membership for which `which` holds and the user with this subject,
    where there are such."""
    return (
        select(*_ACCOUNT, *_members.c, *_WHOLE_USER, _administrators.c.subject, _SWITCHED_OFF)
        .select_from(_accounts)
        .outerjoin(_members, and_(_members.c.account == _accounts.c.number, which))
        .outerjoin(_users, _users.c.subject == who)
        .outerjoin(_administrators, _administrators.c.subject == who)
        .where(_accounts.c.number == bindparam("account"))
    )


class Memberships:
    _get = select(_members).where(
        _members.c.account == bindparam("account"), _members.c.subject == bindparam("of")
    )
    _delete = delete(_members).where(
        _members.c.account == bindparam("account"), _members.c.subject == bindparam("of")
    )
    _standing = _stand(_members.c.subject == bindparam("of"), bindparam("of"))
    _owner = _stand(_members.c.owner, _members.c.subject)
    _ordered = select(_members).order_by(
        _members.c.account, _members.c.owner.desc(), _members.c.subject
    )
    _of_account = _members.c.account == bindparam("account")
    _of_user = _members.c.subject == bindparam("of")
    _listed: ClassVar = {
        (False, False): _ordered,
        (True, False): _ordered.where(_of_account),
        (False, True): _ordered.where(_of_user),
        (True, True): _ordered.where(_of_account, _of_user),
    }
    _demote = (
        update(_members)
        .where(_members.c.account == bindparam("of"), _members.c.owner)
        .values(owner=False)
    )

    def __init__(self, database: Database) -> None:
        self._database, self._row = database, rows_of(_members)
        added = insert(database, _members)
        self._put = added.on_conflict_do_update(
            index_elements=["account", "subject"],
            set_={"owner": added.excluded.owner, "permissions": added.excluded.permissions},
        )

    def get(self, account: int, subject: str) -> Membership | None:
        rows = self._database.rows(self._get, {"account": account, "of": subject})
        return Membership(*rows[0]) if rows else None

    def standing(self, account: int, subject: str) -> Standing | None:
        rows = self._database.rows(self._standing, {"account": account, "of": subject})
        return _standing(rows[0]) if rows else None

    def owner(self, account: int) -> Standing | None:
        rows = self._database.rows(self._owner, {"account": account})
        return _standing(rows[0]) if rows else None

    def put(self, membership: Membership) -> None:
        with self._database.transaction():
            if membership.owner:
                self._database.write(self._demote, {"of": membership.account})
            self._database.change(self._put, self._row(membership))

    def delete(self, account: int, subject: str) -> bool:
        return self._database.change(self._delete, {"account": account, "of": subject}) == 1

    def listed(self, *, account: int | None = None, subject: str | None = None) -> list[Membership]:
        statement = self._listed[account is not None, subject is not None]
        rows = self._database.rows(statement, {"account": account, "of": subject})
        return [Membership(*row) for row in rows]


class Administrators:
    _table = _administrators
    _all = select(_table).order_by(_table.c.created_at, _table.c.subject)
    _get = select(_table).where(_table.c.subject == bindparam("of"))
    _delete = delete(_table).where(_table.c.subject == bindparam("of"))

    def __init__(self, database: Database) -> None:
        self._database, self._row = database, rows_of(self._table)
        added = insert(database, self._table)
        self._put = added.on_conflict_do_update(
            index_elements=["subject"], set_={"role_groups": added.excluded.role_groups}
        )

    def get(self, subject: str) -> Administrator | None:
        rows = self._database.rows(self._get, {"of": subject})
        return Administrator(*rows[0]) if rows else None

    def put(self, administrator: Administrator) -> None:
        self._database.write(self._put, self._row(administrator))

    def delete(self, subject: str) -> bool:
        return self._database.change(self._delete, {"of": subject}) == 1

    def listed(self) -> list[Administrator]:
        return [Administrator(*row) for row in self._database.rows(self._all)]
