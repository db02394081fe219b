"""The PostgreSQL engine: the contract, then what only a server can do: vanish, be another's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import make_url, text

from ssogate.errors import StoreFailure
from ssogate.storage import PostgreSQLStore
from ssogate.storage import postgresql as engine
from tests.databases import PostgreSQL
from tests.storage.contract import Reopen, StoreContract
from tests.storage.directory_contract import DirectoryContract
from tests.storage.grants_contract import GrantsContract
from tests.storage.making import NOW, Hands, user

pytestmark = pytest.mark.server


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return postgresql.fresh()


@pytest.fixture
def reopen(url: str) -> Iterator[Reopen]:
    opened: list[PostgreSQLStore] = []

    def another() -> PostgreSQLStore:
        opened.append(PostgreSQLStore(make_url(url), clock=Hands()))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], PostgreSQLStore]) -> PostgreSQLStore:
    return reopen()


class TestPostgreSQL(StoreContract, DirectoryContract, GrantsContract):
    """A database of a real server."""


def test_nothing_is_remembered_between_requests(store: PostgreSQLStore) -> None:
    assert store.sessions.changes() is None


def test_another_programs_database_stops_the_start(postgresql: PostgreSQL, url: str) -> None:
    postgresql.execute(url, "CREATE TABLE users (id integer)")

    with pytest.raises(StoreFailure, match="another program's database"):
        PostgreSQLStore(make_url(url), clock=Hands())


def test_a_newer_schema_stops_the_start(
    postgresql: PostgreSQL, url: str, store: PostgreSQLStore
) -> None:
    postgresql.execute(url, "UPDATE ssogate_version SET version_num = '9999'")

    with pytest.raises(StoreFailure, match="newer ssogate"):
        PostgreSQLStore(make_url(url), clock=Hands())


def test_a_server_that_is_not_there_is_a_failure_that_names_no_password() -> None:
    with pytest.raises(StoreFailure) as caught:
        PostgreSQLStore(make_url("postgresql://joe:hidden@127.0.0.1:1/gate"), clock=Hands())

    assert "hidden" not in str(caught.value)


def test_a_child_does_not_speak_on_its_parents_connection(store: PostgreSQLStore) -> None:
    store.users.add(user("joe"))
    child = os.fork()
    if child == 0:
        found = store.users.get("joe")
        os._exit(0 if found else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert store.users.get("joe")


def test_a_connection_that_the_server_ended_is_replaced(
    postgresql: PostgreSQL, url: str, store: PostgreSQLStore
) -> None:
    store.users.add(user("joe"))
    database = make_url(url).database
    postgresql.execute(
        postgresql.url(),
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
    )

    assert store.users.get("joe")


def test_a_writer_that_waits_too_long_fails(
    url: str, store: PostgreSQLStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_SECONDS", 0.2)
    other = PostgreSQLStore(make_url(url), clock=Hands())
    refused = pytest.raises(StoreFailure, match="LockNotAvailable")
    with store.transaction(), refused, other.transaction():
        raise AssertionError("not reached")
    other.close()

    assert store.one_time.spend("a", until=NOW)


def test_no_value_stands_in_a_failures_words(store: PostgreSQLStore) -> None:
    with pytest.raises(StoreFailure) as caught:
        store.database.write(text("SELECT CAST(:secret AS integer)"), {"secret": "hidden"})

    assert str(caught.value) == "InvalidTextRepresentation"
