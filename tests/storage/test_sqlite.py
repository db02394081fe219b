"""The SQLite engine: the contract, then its file, its locks, forks and kills."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ssogate.errors import StoreFailure
from ssogate.storage import SQLiteStore, sqlite, state, writing
from tests.storage.contract import RemembersContract, Reopen, StoreContract
from tests.storage.directory_contract import DirectoryContract
from tests.storage.grants_contract import GrantsContract
from tests.storage.logouts_contract import LogoutsContract
from tests.storage.making import NOW, Hands, record, user


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate.db"


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def reopen(path: Path, clock: Hands) -> Iterator[Reopen]:
    opened: list[SQLiteStore] = []

    def another() -> SQLiteStore:
        opened.append(SQLiteStore(path, clock=clock))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], SQLiteStore]) -> SQLiteStore:
    return reopen()


def sql(store: SQLiteStore, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement as it is, on the store's own connection."""
    with store.database.connected() as connection:
        driver: Any = connection.connection.driver_connection
        return list(driver.execute(statement).fetchall())


class TestSQLite(
    StoreContract, RemembersContract, DirectoryContract, GrantsContract, LogoutsContract
):
    """One file on disk."""


# --- One-time values -----------------------------------------------------------------------


def test_a_spent_mark_outlives_its_link_by_a_day(store: SQLiteStore, clock: Hands) -> None:
    store.one_time.spend("a", until=NOW)
    clock.now = NOW + state.KEEP_SPENT
    assert not store.one_time.spend("a", until=NOW)

    clock.now += 1
    store.one_time.spend("other", until=NOW + 10**6)

    assert sql(store, "SELECT key FROM spent") == [("other",)]


def test_one_spending_clears_a_bounded_number_of_old_marks(
    store: SQLiteStore, clock: Hands
) -> None:
    with store.transaction():
        for number in range(writing.PURGE_ROWS + 20):
            store.one_time.spend(f"old{number}", until=NOW)
    clock.now = NOW + state.KEEP_SPENT + 1

    store.one_time.spend("new", until=NOW + 10**6)

    assert sql(store, "SELECT count(*) FROM spent") == [(20 + 1,)]


def _spend_all(path: Path, keys: list[str], start: Any, answers: Any) -> None:
    store = SQLiteStore(path, clock=Hands())
    start.wait()
    answers.put([store.one_time.spend(key, until=NOW) for key in keys])
    store.close()


def test_of_four_processes_one_spends_a_value(path: Path, store: SQLiteStore) -> None:
    processes = multiprocessing.get_context("fork")
    keys = [f"link:{number}" for number in range(10)]
    start, answers = processes.Barrier(4), processes.SimpleQueue()
    racers = [
        processes.Process(target=_spend_all, args=(path, keys, start, answers)) for _ in range(4)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    found = [answers.get() for racer in racers if racer.exitcode == 0]

    assert [sum(column) for column in zip(*found, strict=True)] == [1] * len(keys)


def test_sign_ins_at_the_same_time_wait_for_one_another(store: SQLiteStore) -> None:
    start = threading.Barrier(8)

    def sign_in(number: int) -> bool:
        start.wait()
        try:
            with store.transaction():
                joe = store.users.get("joe") or user("joe")
                created = store.users.add(joe)
                store.sessions.put(record(joe, f"k{number}"))
                return created
        finally:
            store.close()

    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(sign_in, range(8)))

    assert sum(created) == 1
    assert len(store.sessions.listed()) == 8
    assert len(list(store.users.listed())) == 1


# --- The file ------------------------------------------------------------------------------


def test_only_the_gate_can_read_its_files(path: Path, store: SQLiteStore) -> None:
    store.users.add(user("joe"))

    files = sorted(path.parent.iterdir())

    names = {"gate.db", "gate.db-changes", "gate.db-shm", "gate.db-wal"}
    assert {file.name for file in files} == names
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_missing_folder_is_made_for_the_gate_alone(tmp_path: Path, clock: Hands) -> None:
    folder = tmp_path / "state" / "ssogate"

    SQLiteStore(folder / "gate.db", clock=clock)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_path_with_a_urls_marks_is_the_file_of_that_name(tmp_path: Path, clock: Hands) -> None:
    odd = tmp_path / "a?mode=memory#b c%20.db"

    SQLiteStore(odd, clock=clock)

    assert odd.stat().st_size > 0


def test_what_was_stored_is_there_after_a_restart(
    path: Path, store: SQLiteStore, clock: Hands
) -> None:
    joe = user("joe")
    store.users.add(joe)
    store.close()

    with closing(SQLiteStore(path, clock=clock)) as later:
        assert later.users.get("joe") == joe


def _another_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id)")


def _a_newer_one(path: Path) -> None:
    SQLiteStore(path, clock=Hands())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE ssogate_version SET version_num = '9999'")
        connection.commit()


def _a_corrupt_one(path: Path) -> None:
    path.write_bytes(b"This is no database at all. " * 200)


def _a_cut_one(path: Path) -> None:
    SQLiteStore(path, clock=Hands())
    path.write_bytes(path.read_bytes()[:5000])


def _a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(_another_programs, "another program's database", id="another program's"),
        pytest.param(_a_newer_one, "newer ssogate (schema 9999", id="newer schema"),
        pytest.param(_a_corrupt_one, "not a database", id="no database"),
        pytest.param(_a_cut_one, "malformed", id="cut short"),
        pytest.param(_a_folder, "unable to open", id="folder"),
    ],
)
def test_a_file_that_is_not_ours_stops_the_start(
    path: Path, clock: Hands, make: Callable[[Path], None], words: str
) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else b""

    with pytest.raises(StoreFailure) as caught:
        SQLiteStore(path, clock=clock)

    assert words in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before, "it is left as it was"


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path, clock: Hands) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreFailure, match="file"):
        SQLiteStore(tmp_path / "file" / "gate.db", clock=clock)


def test_a_file_that_vanished_is_a_failure_and_not_a_new_store(
    path: Path, store: SQLiteStore
) -> None:
    store.users.add(user("joe"))
    store.close()
    path.unlink()

    with pytest.raises(StoreFailure):
        store.users.get("joe")

    assert not path.exists()


def test_a_file_that_became_read_only_refuses_writes(store: SQLiteStore) -> None:
    sql(store, "PRAGMA query_only = ON")

    with pytest.raises(StoreFailure, match="readonly"):
        store.one_time.spend("a", until=NOW)

    assert list(store.users.listed()) == [], "reading still works"


def test_what_sqlite_has_undone_itself_is_told_as_it_was(store: SQLiteStore) -> None:
    """On a full disk, for one, SQLite rolls back before anybody asks."""

    def fail() -> None:
        with store.transaction():
            store.one_time.spend("a", until=NOW)
            sql(store, "ROLLBACK")
            raise StoreFailure("disk full")

    with pytest.raises(StoreFailure, match="disk full"):
        fail()

    assert store.one_time.spend("a", until=NOW)


# --- Locks ---------------------------------------------------------------------------------


def test_a_lock_held_too_long_is_a_failure(
    path: Path, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreFailure, match="locked"), store.transaction():
            raise AssertionError("not reached")
        with pytest.raises(StoreFailure, match="locked"):
            store.one_time.spend("a", until=NOW)
        assert list(store.users.listed()) == [], "readers do not wait for a writer"

    assert store.one_time.spend("a", until=NOW)


def test_a_second_store_in_the_process_takes_no_lock_from_the_first(
    path: Path, store: SQLiteStore, clock: Hands
) -> None:
    store.one_time.spend("a", until=NOW)
    with closing(SQLiteStore(path, clock=clock)):
        pass

    # Whoever closes a file that nobody has locked takes its WAL away.
    assert _seen_by_another_program(path) == {"a"}
    assert store.one_time.spend("b", until=NOW)
    assert _seen_by_another_program(path) == {"a", "b"}


# --- Forks and kills -----------------------------------------------------------------------


_READ = """
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("SELECT key FROM spent"):
    print(*row)
"""


def _in_a_child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process; give how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def _seen_by_another_program(path: Path) -> set[str]:
    command = [sys.executable, "-c", _READ, str(path)]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("used", [True, False], ids=["used before the fork", "only opened"])
def test_what_a_child_writes_stays_when_the_parent_closes(
    path: Path, store: SQLiteStore, used: bool
) -> None:
    if used:
        store.one_time.spend("before", until=NOW)
    told, tell = os.pipe()
    heard, hear = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store.one_time.spend("first", until=NOW)
            os.write(tell, b".")
            os.read(heard, 1)
            store.one_time.spend("second", until=NOW)
            os.write(tell, b".")
            os.read(heard, 1)
        finally:
            os._exit(0)
    os.read(told, 1)
    list(store.users.listed())
    store.close()
    os.write(hear, b".")
    os.read(told, 1)
    seen = _seen_by_another_program(path)
    os.write(hear, b".")
    os.waitpid(child, 0)
    for end in (told, tell, heard, hear):
        os.close(end)

    assert seen == {"first", "second", *(["before"] if used else [])}


def test_a_fork_leaves_the_parent_working(store: SQLiteStore) -> None:
    store.one_time.spend("a", until=NOW)

    assert _in_a_child(lambda: store.one_time.spend("b", until=NOW)) == 0
    assert not store.one_time.spend("a", until=NOW)
    assert not store.one_time.spend("b", until=NOW)


def test_a_store_that_nobody_holds_does_not_hinder_a_fork(path: Path, clock: Hands) -> None:
    SQLiteStore(path, clock=clock)

    assert _in_a_child(lambda: None) == 0


def test_a_kill_loses_no_acknowledged_sign_in(path: Path, store: SQLiteStore) -> None:
    joe = user("joe")

    def sign_in_and_die() -> None:
        with store.transaction():
            store.one_time.spend("link:1", until=NOW)
            store.users.add(joe)
            store.sessions.put(record(joe))
        os.kill(os.getpid(), signal.SIGKILL)

    def die_in_the_middle() -> None:
        with store.transaction():
            store.one_time.spend("link:2", until=NOW)
            store.sessions.put(record(joe, "k2"))
            os.kill(os.getpid(), signal.SIGKILL)

    assert _in_a_child(sign_in_and_die) == signal.SIGKILL
    assert _in_a_child(die_in_the_middle) == signal.SIGKILL

    assert store.sessions.get("k1") == (record(joe), joe.identity)
    assert not store.one_time.spend("link:1", until=NOW)
    assert store.sessions.get("k2") is None
    assert store.one_time.spend("link:2", until=NOW)


def test_after_a_kill_nothing_is_remembered_until_the_next_change(store: SQLiteStore) -> None:
    def die_in_the_middle() -> None:
        with store.transaction():
            store.sessions.delete("k1")
            os.kill(os.getpid(), signal.SIGKILL)

    joe = user()
    store.users.add(joe)
    store.sessions.put(record(joe))
    _in_a_child(die_in_the_middle)

    assert store.sessions.changes() is None
    assert store.sessions.delete("k1")
    assert store.sessions.changes() is not None


def test_a_store_that_was_put_in_its_place_is_the_one_that_counts(
    path: Path, store: SQLiteStore, clock: Hands
) -> None:
    store.users.add(user("joe"))
    other = path.with_name("restored.db")
    with closing(SQLiteStore(other, clock=clock)) as backup:
        backup.users.add(user("ann"))

    for file in (path, *path.parent.glob("gate.db-[sw]*")):  # an old WAL is read into a new file
        file.unlink()
    other.replace(path)

    assert [found.identity.canonical for found in store.users.listed()] == ["ann"]


def test_a_power_cut_is_provided_for(store: SQLiteStore) -> None:
    assert sql(store, "PRAGMA synchronous") == [(2,)], "FULL"
    assert sql(store, "PRAGMA journal_mode") == [("wal",)]
    assert sql(store, "PRAGMA foreign_keys") == [(1,)]
    assert sql(store, "PRAGMA wal_autocheckpoint") == [(4000,)]
    with store.transaction(durable=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1, "NORMAL"
    with store.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "for that one only"


def test_a_boot_that_the_machine_cannot_tell_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SQLiteStore
) -> None:
    monkeypatch.setattr("ssogate.storage.sqlite._BOOT_ID", tmp_path / "none")

    with closing(SQLiteStore(tmp_path / "other.db", clock=Hands())) as other:
        assert other.boot == ""
    assert len(store.boot) == 32


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """The first start of a wrapped app under several workers: nobody prepared the file."""
    for number in range(5):
        place = tmp_path / str(number) / "gate.db"
        script = (
            "import sys, time; from pathlib import Path; from ssogate.storage import SQLiteStore;"
            f"SQLiteStore(Path({str(place)!r}), clock=time.time).users.get('joe')"
        )
        starts = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]

        assert [start.wait(30) for start in starts] == [0, 0, 0, 0]
