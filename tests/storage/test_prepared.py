"""Statements made ready once say the same as SQLAlchemy's own execution would."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Dialect, bindparam, create_engine, insert, select

from ssogate.model import AccountStatus
from ssogate.storage import schema
from ssogate.storage.prepared import Prepared, preparing

ACME: dict[str, Any] = {
    "company": "Acme",
    "email": "",
    "status": AccountStatus.CLOSED,
    "allow_single_sign_on": False,
    "created_at": 1,
    "updated_at": 2,
}
ADD = insert(schema.accounts)
FIND = select(schema.accounts).where(schema.accounts.c.company == bindparam("of")).limit(1)


@pytest.fixture
def dialect() -> Dialect:
    return create_engine("sqlite://", paramstyle="named").dialect


@pytest.fixture
def driver() -> Iterator[sqlite3.Connection]:
    engine = create_engine("sqlite://")
    with closing(engine.raw_connection()) as raw, engine.connect() as connection:
        schema.metadata.create_all(connection)
        yield raw.driver_connection  # type: ignore[misc]
    engine.dispose()


def test_types_turn_values_and_rows(dialect: Dialect, driver: sqlite3.Connection) -> None:
    assert Prepared(dialect, ADD, tuple(ACME)).write(driver, ACME) == 1

    (row,) = Prepared(dialect, FIND, ("of",)).rows(driver, {"of": "Acme"})

    assert (row.status, row.allow_single_sign_on) == (AccountStatus.CLOSED, False)
    assert isinstance(row.status, AccountStatus)
    assert (row[0], row.external_id) == (1, ""), "the database's own"


def test_several_are_written_at_once(dialect: Dialect, driver: sqlite3.Connection) -> None:
    other = {**ACME, "company": "Other"}

    assert Prepared(dialect, ADD, tuple(ACME)).write(driver, ACME, other) == 2


def test_a_value_that_is_not_given_is_an_error_and_no_null(
    dialect: Dialect, driver: sqlite3.Connection
) -> None:
    with pytest.raises(sqlite3.ProgrammingError):
        Prepared(dialect, FIND, ()).rows(driver, {})


def test_a_statement_is_kept_for_the_same_names_only(dialect: Dialect) -> None:
    prepared = preparing(dialect)

    assert prepared(ADD, tuple(ACME)) is prepared(ADD, tuple(ACME))
    assert prepared(ADD, tuple(ACME)) is not prepared(ADD, (*ACME, "external_id"))


def test_a_list_of_values_is_not_made_ready(dialect: Dialect) -> None:
    listed = FIND.where(schema.accounts.c.number.not_in(bindparam("busy", expanding=True)))

    with pytest.raises(ValueError, match="list"):
        Prepared(dialect, listed, ("of", "busy"))
