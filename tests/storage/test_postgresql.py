"""The PostgreSQL engine: the contract, then what only a server can do: vanish, be another's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import make_url, text

from ssogate.errors import GateError, StoreFailure
from ssogate.model import User
from ssogate.storage import PostgreSQLStore, Store
from ssogate.storage import postgresql as engine
from ssogate.storage.polled import MAX_AGE
from tests.databases import PostgreSQL
from tests.storage.contract import Reopen, StoreContract
from tests.storage.directory_contract import DirectoryContract
from tests.storage.grants_contract import GrantsContract
from tests.storage.logouts_contract import LogoutsContract
from tests.storage.making import NOW, Hands, record, user

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


class TestPostgreSQL(StoreContract, DirectoryContract, GrantsContract, LogoutsContract):
    """A database of a real server."""


def number(store: Store) -> int:
    """The number of the last change, as soon as it is known."""
    deadline = time.monotonic() + 20
    while (found := store.sessions.changes()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return found


CHANGES: list[Callable[[PostgreSQLStore, User], object]] = [
    lambda store, joe: store.sessions.delete("k1"),
    lambda store, joe: store.sessions.delete_subject(joe.identity.subject),
    lambda store, joe: store.users.update(replace(joe, active=False)),
    lambda store, joe: store.users.delete(joe.identity.subject),
]


@pytest.mark.parametrize(
    "change", CHANGES, ids=["session ended", "all of a user's", "user changed", "user deleted"]
)
def test_what_can_end_a_session_is_seen_by_all_in_time(
    store: PostgreSQLStore, reopen: Reopen, change: Callable[[PostgreSQLStore, User], object]
) -> None:
    joe, other = user("joe"), reopen()
    store.users.add(joe)
    store.sessions.put(record(joe))
    before, theirs = number(store), number(other)

    with store.transaction():
        change(store, joe)
    done = time.monotonic()

    assert store.sessions.changes() != before, "at once, where it was done"
    while time.monotonic() < done + MAX_AGE:
        other.sessions.changes()
    assert other.sessions.changes() != theirs
    assert number(store) != before
    assert number(other) != theirs


def test_what_takes_nothing_from_anybody_changes_nothing(
    store: PostgreSQLStore, reopen: Reopen
) -> None:
    other, joe = reopen(), user("joe")
    before, theirs = number(store), number(other)

    store.users.add(joe)
    store.sessions.put(record(joe))
    store.sessions.touch("k1", NOW + 1)
    store.sessions.purge(expired_at=0, idle_since=0)
    store.sessions.delete("k9")
    store.one_time.spend("a", until=NOW)
    time.sleep(2 * MAX_AGE)

    assert (number(store), number(other)) == (before, theirs)


def test_a_change_that_was_undone_was_none(store: PostgreSQLStore, reopen: Reopen) -> None:
    other, joe = reopen(), user("joe")
    store.users.add(joe)
    store.sessions.put(record(joe))
    theirs = number(other)

    def fail() -> None:
        with store.transaction():
            store.sessions.delete("k1")
            raise GateError

    with pytest.raises(GateError):
        fail()
    time.sleep(2 * MAX_AGE)

    assert number(other) == theirs
    assert number(store) is not None


def test_a_number_that_somebody_has_removed_is_missed_and_made_anew(
    postgresql: PostgreSQL, url: str, store: PostgreSQLStore
) -> None:
    store.users.add(user("joe"))
    before = number(store)
    postgresql.execute(url, "DELETE FROM changes")
    time.sleep(2 * MAX_AGE)
    assert store.sessions.changes() is None

    store.users.delete(store.users.get("joe").identity.subject)  # type: ignore[union-attr]

    assert number(store) != before


def test_a_lost_server_tells_nothing_and_is_asked_again_when_it_is_back() -> None:
    with PostgreSQL() as server:
        store = PostgreSQLStore(make_url(server.fresh()), clock=Hands())
        before = number(store)
        server.stop()
        time.sleep(2 * MAX_AGE)
        assert store.sessions.changes() is None

        server.start()
        assert number(store) != before, "it may have been restored from a copy"

        server.hang()
        time.sleep(2 * MAX_AGE)
        assert store.sessions.changes() is None
        store.close()


def test_a_child_asks_by_a_connection_of_its_own(store: PostgreSQLStore) -> None:
    number(store)
    child = os.fork()
    if child == 0:
        known = store.sessions.changes()
        number(store)
        os._exit(0 if known is None else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert number(store) is not None


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
