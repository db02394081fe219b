"""Kinds of columns and tables: each the same on both engines.

Sets and lists of short words stand in one column, joined by commas, which no such word holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
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
WHOLE = BigInteger().with_variant(Integer, "sqlite")


def words(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def moment(name: str) -> Column[int]:
    return Column(name, WHOLE, nullable=False)


def maybe_moment(name: str) -> Column[int]:
    return Column(name, WHOLE)


def number() -> Column[int]:
    return Column("number", WHOLE, primary_key=True)


def subject(**options: Any) -> Column[str]:
    return Column(
        "subject", Text, ForeignKey("users.subject", ondelete="CASCADE"), nullable=False, **options
    )


def account(**options: Any) -> Column[int]:
    return Column(
        "account",
        WHOLE,
        ForeignKey("accounts.number", ondelete="CASCADE"),
        nullable=False,
        **options,
    )


def client(**options: Any) -> Column[str]:
    return Column(
        "client",
        Text,
        ForeignKey("clients.identifier", ondelete="CASCADE"),
        nullable=False,
        **options,
    )


def grant(**options: Any) -> Column[int]:
    return Column("grant", WHOLE, ForeignKey("grants.number", ondelete="CASCADE"), **options)


def indexed(table: Table, *names: str) -> None:
    for name in names:
        Index(f"{table.name}_{name}", table.c[name])


def plain(name: str, *columns: Any) -> Table:
    """A table whose rows are found by their key."""
    return Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=False)


def numbered(name: str, *columns: Any) -> Table:
    """A table whose rows have a number that is never given twice, and perhaps an external id."""
    table = Table(
        name,
        metadata,
        number(),
        *columns,
        words("external_id", server_default=""),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    unique_unless_empty(f"{name}_external_id", table.c.external_id)
    return table


def unique_unless_empty(name: str, *columns: Column[Any]) -> None:
    where = text("external_id <> ''")
    Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)
