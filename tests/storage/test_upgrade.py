"""From the first release's file to today's: everybody is who they were, and stays signed in.

`first_release.sql` is what the first release's own code wrote, with sqlite3's `.dump`.
"""

from __future__ import annotations

import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from ssogate.errors import StoreFailure
from ssogate.storage import SQLiteStore
from tests.gate import RunningGate, link_path, site
from tests.servers import Gunicorn
from tests.storage.making import NOW, Hands

DUMP = (Path(__file__).parent / "first_release.sql").read_text("utf-8")
TOKENS = ("j" * 43, "k" * 43)  # of joe's two sessions


def first_release(path: Path) -> Path:
    """Write a file as the first release left it."""
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DUMP)
    return path


def dumped(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(f"PRAGMA {name}").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return first_release(tmp_path / "gate.db")


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with closing(SQLiteStore(path, clock=Hands())) as opened:
        yield opened


def test_everybody_is_there_unharmed(store: SQLiteStore) -> None:
    joe, max_, sue = (store.users.get(name) for name in ("joe", "max", "sue"))

    assert len(list(store.users.listed())) == 6
    assert joe
    assert sue
    assert max_
    assert (joe.identity.username, joe.identity.name) == ("Joe", "Joe Doe")
    assert joe.identity.groups == {"staff", "authors"}
    assert (joe.identity.email, joe.source) == ("Joe@Example.COM", "members")
    assert (joe.created_at, joe.updated_at) == (1_750_000_001, 1_750_000_002)
    assert (sue.identity.name, sue.source) == ("Süe „Quote“ O'Neil", "")
    assert [user.welcome for user in (joe, sue, max_)] == [True, True, False]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        pytest.param("SUE@XN--BCHER-KVA.example.", "sue", id="an international domain"),
        pytest.param("BÖSE@example.com", "böse@example.com", id="a local part beyond ASCII"),
        pytest.param("joe@example.com", None, id="two users have it"),
        pytest.param("not an address", None, id="no address"),
    ],
)
def test_addresses_of_old_users_find_them(
    store: SQLiteStore, typed: str, found: str | None
) -> None:
    user = store.users.by_email(typed)

    assert (user.identity.canonical if user else None) == found


def test_sessions_and_spent_links_go_on(store: SQLiteStore) -> None:
    for token in TOKENS:
        got = store.sessions.get(sha256(token.encode()).hexdigest())
        assert got
        assert got[1].canonical == "joe"
    assert not store.one_time.spend("link:members:spent", until=4_000_000_000)
    assert store.one_time.spend("link:members:unspent", until=NOW)


def test_the_tables_are_those_of_a_new_file(path: Path, store: SQLiteStore, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    SQLiteStore(new, clock=Hands()).close()
    facts = (
        "SELECT m.type, m.name, m.tbl_name, t.name, t.type, t.'notnull', t.pk"
        " FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) t ORDER BY 1, 2, 4"
    )

    def schema(file: Path) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(file)) as database:
            return database.execute(facts).fetchall()

    assert schema(path) == schema(new)
    assert pragma(path, "user_version") == pragma(new, "user_version") > 1, "the old one refuses it"


def test_a_second_start_changes_nothing(path: Path, store: SQLiteStore) -> None:
    store.close()
    before = dumped(path)
    SQLiteStore(path, clock=Hands()).close()

    assert dumped(path) == before


def _open(path: Path) -> bool:
    with closing(SQLiteStore(path, clock=Hands())) as store:
        return store.users.get("joe") is not None


def test_many_processes_may_start_on_an_old_file_at_once(path: Path) -> None:
    with multiprocessing.get_context("forkserver").Pool(4) as pool:
        assert pool.map(_open, [path] * 8) == [True] * 8


def test_an_upgrade_that_fails_leaves_the_old_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE memberships (theirs)")
        database.commit()
    before = dumped(path)

    with pytest.raises(StoreFailure):
        SQLiteStore(path, clock=Hands())

    assert dumped(path) == before
    assert pragma(path, "user_version") == 1


@pytest.mark.server
def test_who_was_signed_in_notices_nothing(tmp_path: Path) -> None:
    with Gunicorn("tests.echo:app") as echo:
        written = site(tmp_path / "old", echo.url("").rstrip("/"))
        (written.folder / "var").mkdir(mode=0o700)
        file = first_release(written.folder / "var" / "ssogate.sqlite")
        with closing(sqlite3.connect(file)) as database:
            database.execute("UPDATE sessions SET seen_at = ?", [int(time.time())])
            database.commit()
        with RunningGate(written, "--workers", "2") as gate:
            cookies = [f"Cookie: ssogate={token}" for token in TOKENS]
            found = [gate.ask("/members/x", cookie) for cookie in cookies]
            link = gate.ask(link_path("joe", email="joe@new.example"))

    assert [answer.status for answer in found] == [200, 200]
    assert '"HTTP_X_REMOTE_USER": "Joe"' in found[0].text
    assert link.status == 303
