"""The tables, once for both engines. `migrations` makes them; a test holds the two together.

Sets and lists of short words stand in one column, joined by commas, which no such word holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

from ssogate.model import Access as ServerAccess
from ssogate.model import AccountStatus, DomainStatus, GrantType, Permission, ServiceStatus

metadata = MetaData()


class Joined(TypeDecorator[Any]):
    """Words joined by commas; sets in the order of the alphabet, lists in their own."""

    impl = Text
    cache_ok = True

    def __init__(self, collection: type, word: Callable[[str], str] = str) -> None:
        super().__init__()
        self.collection, self.word = collection, word

    def process_bind_param(self, value: Iterable[str] | None, dialect: object) -> str | None:
        if value is None:
            return None
        return ",".join(value if self.collection is tuple else sorted(value))

    def process_result_value(self, value: str | None, dialect: object) -> Any:
        return self.collection(map(self.word, value.split(",")) if value else ())


class Lines(TypeDecorator[Any]):
    """Texts that may hold commas, such as URIs: one a line."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: object) -> str | None:
        return None if value is None else "\n".join(value)

    def process_result_value(self, value: str | None, dialect: object) -> tuple[str, ...]:
        return tuple(value.split("\n")) if value else ()


class Word(TypeDecorator[Any]):
    """One of an enumeration's words."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: object) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: object) -> Any:
        return None if value is None else self.words(value)


class Flag(TypeDecorator[bool]):
    """A truth; SQLite's strict tables know only numbers."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, dialect: Any) -> Any:
        return int(bool(value)) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: object) -> bool:
        return bool(value)


# PostgreSQL counts in 64 bits only if told so; SQLite's INTEGER does, and knows no other word.
_WHOLE = BigInteger().with_variant(Integer, "sqlite")


def _words(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def _moment(name: str) -> Column[int]:
    return Column(name, _WHOLE, nullable=False)


def _number() -> Column[int]:
    return Column("number", _WHOLE, primary_key=True)


def _subject(**options: Any) -> Column[str]:
    return Column(
        "subject", Text, ForeignKey("users.subject", ondelete="CASCADE"), nullable=False, **options
    )


def _account(**options: Any) -> Column[int]:
    return Column(
        "account",
        _WHOLE,
        ForeignKey("accounts.number", ondelete="CASCADE"),
        nullable=False,
        **options,
    )


def _plain(name: str, *columns: Any) -> Table:
    """A table whose rows are found by their key."""
    return Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=False)


def _numbered(name: str, *columns: Any) -> Table:
    """A table whose rows have a number that is never given twice, and perhaps an external id."""
    table = Table(
        name,
        metadata,
        _number(),
        *columns,
        _words("external_id", server_default=""),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    _unique_unless_empty(f"{name}_external_id", table.c.external_id)
    return table


def _unique_unless_empty(name: str, *columns: Column[Any]) -> None:
    where = text("external_id <> ''")
    Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


users = _plain(
    "users",
    Column("subject", Text, primary_key=True),
    _words("canonical", unique=True),
    _words("username"),
    _words("name"),
    _words("email"),
    Column("groups", Joined(frozenset), nullable=False),
    Column("active", Flag, nullable=False),
    _words("source"),
    _moment("created_at"),
    _moment("updated_at"),
    _words("email_canonical", server_default=""),
    _words("external_id", server_default=""),
    Column("number", _WHOLE, nullable=False, server_default="0"),
)
Index("users_number", users.c.number, unique=True)
Index("users_email_canonical", users.c.email_canonical)
_unique_unless_empty("users_external_id", users.c.source, users.c.external_id)

sessions = _plain(
    "sessions",
    Column("key", Text, primary_key=True),
    _subject(),
    _words("method"),
    _words("proof"),
    _moment("opened_at"),
    _moment("seen_at"),
    _moment("expires_at"),
)
for _column in ("subject", "expires_at", "seen_at"):
    Index(f"sessions_{_column}", sessions.c[_column])

spent = _plain("spent", Column("key", Text, primary_key=True), _moment("until"))
Index("spent_until", spent.c.until)

tickets = _plain(
    "tickets",
    Column("key", Text, primary_key=True),
    _words("kind"),
    _words("subject"),
    _words("data"),
    _moment("until"),
)
Index("tickets_until", tickets.c.until)
Index("tickets_subject", tickets.c.subject)

counters = _plain(
    "counters", Column("key", Text, primary_key=True), _moment("number"), _moment("until")
)
Index("counters_until", counters.c.until)

passwords = _plain("passwords", _subject(primary_key=True), _words("hash"), _moment("changed_at"))
second_factors = _plain(
    "second_factors", _subject(primary_key=True), _words("sealed"), _moment("changed_at")
)
recovery_codes = _plain(
    "recovery_codes", _subject(primary_key=True), Column("key", Text, primary_key=True)
)
devices = _plain(
    "devices", _subject(primary_key=True), Column("key", Text, primary_key=True), _moment("seen_at")
)
administrators = _plain(
    "administrators",
    _subject(primary_key=True),
    Column("role_groups", Joined(frozenset), nullable=False),
    _moment("created_at"),
)

accounts = _numbered(
    "accounts",
    _words("company"),
    _words("email"),
    Column("status", Word(AccountStatus), nullable=False),
    Column("allow_single_sign_on", Flag, nullable=False),
    _moment("created_at"),
    _moment("updated_at"),
)

memberships = _plain(
    "memberships",
    _account(primary_key=True),
    _subject(primary_key=True),
    Column("owner", Flag, nullable=False),
    Column("permissions", Joined(frozenset, Permission), nullable=False),
)
Index("memberships_subject", memberships.c.subject)
Index(
    "memberships_owner",
    memberships.c.account,
    unique=True,
    sqlite_where=text("owner"),
    postgresql_where=text("owner"),
)

servers = _numbered(
    "servers",
    _words("name", unique=True),
    _words("module"),
    Column("hosts", Joined(tuple), nullable=False),
    Column("port", Integer),
    Column("secure", Flag, nullable=False),
    _words("username"),
    _words("sealed_password"),
    _words("sealed_access_hash"),
    _words("owner"),
    Column("access", Word(ServerAccess), nullable=False),
    Column("role_groups", Joined(frozenset), nullable=False),
)

services = _numbered(
    "services",
    _account(index=True),
    _words("product"),
    Column("status", Word(ServiceStatus), nullable=False),
    _words("module"),
    Column("server", _WHOLE, ForeignKey("servers.number", ondelete="RESTRICT"), index=True),
    _words("domain"),
    _words("username"),
    _words("sealed_password"),
    _words("owner"),
)

domains = _numbered(
    "domains",
    _account(index=True),
    _words("name"),
    Column("status", Word(DomainStatus), nullable=False),
)

# The last number that was given to a user: an id of WHMCS's must not come twice, and a table that
# is found by subject has no numbers of its own.
numbers = _plain("numbers", Column("key", Text, primary_key=True), Column("last", _WHOLE))

api_roles = _numbered(
    "api_roles", _words("name", unique=True), Column("actions", Joined(frozenset), nullable=False)
)
api_credentials = _numbered(
    "api_credentials",
    _words("identifier", unique=True),
    _words("secret_digest"),
    _words("description"),
    Column("roles", Joined(frozenset), nullable=False),
    Column("networks", Joined(tuple), nullable=False),
    Column("scopes", Joined(frozenset), nullable=False),
    Column("active", Flag, nullable=False),
    _moment("created_at"),
)
clients = _numbered(
    "clients",
    _words("identifier", unique=True),
    _words("secret_digest"),
    Column("grant", Word(GrantType), nullable=False),
    _words("name"),
    Column("service", _WHOLE, ForeignKey("services.number", ondelete="CASCADE"), index=True),
    Column("scopes", Joined(frozenset), nullable=False),
    _words("description"),
    _words("logo_uri"),
    Column("redirect_uris", Lines, nullable=False),
    _moment("created_at"),
    _moment("updated_at"),
    Column("account", _WHOLE),  # it may be gone: no number is given twice
)

activity = Table(
    "activity",
    metadata,
    Column("number", _WHOLE, CheckConstraint("number > 0"), primary_key=True, autoincrement=False),
    _moment("at"),
    _words("actor"),
    _words("client"),
    _words("action"),
    _words("text"),
    _words("digest"),
    sqlite_strict=True,
)
