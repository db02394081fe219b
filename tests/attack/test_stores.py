"""Stores that are locked, gone, full, stopped or hanging: everybody is told, nobody is let in, and
all is well again when the store is, without a restart of the gate.

The gates are this module's own, because they are harmed.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import make_url

from ssogate.directory import ACCOUNTS, By, add_user, change_user
from ssogate.directory.activity import verify
from ssogate.model import Account, AccountStatus, User
from ssogate.storage import PostgreSQLStore, SQLiteStore, Store
from tests.attack.house import (
    ACCOUNT,
    FACTOR,
    PASSWORD,
    RECOVERY,
    SESSION,
    Browser,
    House,
    at_once,
    children,
    house_at,
)
from tests.attack.stage import PAGE, new_link
from tests.databases import PASSWORD as DATABASE_PASSWORD
from tests.databases import USER, PostgreSQL
from tests.login.forms import RIGHT
from tests.servers import Answer, Gunicorn

pytestmark = pytest.mark.server

NEW = "a new sentence"


@dataclass
class People:
    """Who is at a gate when its store fails."""

    house: House
    joe: User
    owing: User
    living: Browser
    """Joe's, signed in."""
    half: Browser
    """The other's, who owes a code."""
    link: str

    @classmethod
    def of(cls, house: House) -> People:
        joe, owing = house.person(), house.owing(house.person())
        living, half = house.browser(), house.browser()
        living.sign_in(joe)
        half.sign_in(owing)
        assert living.everywhere() == {200}
        return cls(house, joe, owing, living, half, new_link(joe.identity.username))

    def try_all(self) -> dict[str, Answer]:
        """Everything that must write, at once: each may wait for a store that is slow."""
        tries: dict[str, Callable[[], Answer]] = {
            "a password": lambda: self.house.browser().sign_in(self.joe),
            "an unknown name": lambda: self.house.browser().sign_in("nobody.here"),
            "a code": lambda: self.half.post(FACTOR, code=RECOVERY[0]),
            "a link": lambda: self.house.browser().ask(self.link, *PAGE),
            "a new password": lambda: self.living.post(
                f"{ACCOUNT}/password", current=RIGHT, new=NEW, again=NEW
            ),
            "out": lambda: self.living.post("/_sso/sign-out"),
        }
        answers = at_once(lambda name: tries[name](), list(tries), threads=len(tries))
        return dict(zip(tries, answers, strict=True))

    def all_is_well(self) -> bool:
        """Everybody comes in as if nothing had been, by the same link and code as well."""
        return (
            self.living.everywhere() == {200}
            and self.house.browser().sign_in(self.joe).status == 303
            and self.house.browser().ask(self.link).status == 303
            and self.half.post(FACTOR, code=RECOVERY[0]).status == 303
            and self.half.is_in
        )

    def users(self) -> int:
        return len(list(self.house.store.users.listed()))


def assert_refused(tried: dict[str, Answer]) -> None:
    for name, answer in tried.items():
        told = (answer.status, answer.header("X-SSOGate-Error"))
        assert told in ((500, "500E1"), (503, "sessions_unavailable")), (name, answer)
        assert answer.header("Set-Cookie") is None, name
        assert "<h1>" in answer.text, name
        for word in ("Traceback", "sqlite", "psycopg", "postgres", "127.0.0.1", "File "):
            assert word.lower() not in answer.text.lower(), (name, word)


def assert_nobody_is_let_in(people: People) -> None:
    """Nobody knows who it is: that is not anonymous, and not allowed."""
    for path in ("/members/x", "/pub/x", ACCOUNT):
        answer = people.living.ask(path, *PAGE)
        assert (answer.status, answer.header("X-SSOGate-Error")) == (503, "sessions_unavailable")
        assert "upstream" not in answer.text.lower()
    stranger = people.house.browser()
    assert stranger.ask("/members/x").status == 401
    assert stranger.ask("/pub/x").status == 200
    assert stranger.ask("/_sso/health").status == 200
    assert stranger.ask("/_sso/sign-in", *PAGE).status == 200


# --- SQLite ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def harmed(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("harmed") / "gate"
    with house_at(folder, echo.url("").rstrip("/")) as house:
        yield house


@pytest.fixture
def people(harmed: House) -> People:
    return People.of(harmed)


def file_of(house: House) -> Path:
    return house.running.site.folder / "var" / "ssogate.sqlite"


def test_a_file_that_another_process_locks(people: People) -> None:
    before = people.users()
    with closing(sqlite3.connect(file_of(people.house), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        tried = people.try_all()
        living = people.living.everywhere()
        other.execute("ROLLBACK")

    assert_refused(tried)
    assert living == {200}, "reading goes on"
    assert people.users() == before
    assert people.all_is_well()


def test_a_file_that_vanished(people: People) -> None:
    people.house.store.users.update(people.joe)  # which ends what workers remember for 30 s
    before, people_file = people.users(), file_of(people.house)
    aside = people_file.parent.with_name("aside")
    people_file.parent.rename(aside)
    try:
        assert_refused(people.try_all())
        assert_nobody_is_let_in(people)
        assert not people_file.exists(), "and no new, empty one was made"
    finally:
        aside.rename(people_file.parent)

    assert people.users() == before
    assert people.all_is_well()


@contextmanager
def full(house: House) -> Iterator[None]:
    """Let the gate's workers write no file beyond the size that the log of the store has by now.

    What a full disk is to SQLite: a write that fails half-way.
    """
    log = file_of(house).with_name("ssogate.sqlite-wal")
    with closing(sqlite3.connect(file_of(house))) as other:  # begin the log anew
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    workers, size = children(house.running.pid), max(4096, log.stat().st_size)
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in workers]
    for pid, (_, hard) in zip(workers, before, strict=True):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        for pid, limits in zip(workers, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full(people: People) -> None:
    before = people.users()
    with full(people.house):
        tried = people.try_all()
        living = people.living.ask("/members/x").status

    assert_refused(tried)
    assert living in (200, 503)
    assert people.users() == before
    assert people.all_is_well()


def test_what_failed_half_way_is_in_no_table(people: People) -> None:
    """A sign-in that creates a user writes four tables: all of them, or none."""
    house, name = people.house, people.house.member()
    with full(house):
        refused = house.browser().sign_in(name)

    assert_refused({"a member": refused})
    assert house.store.users.get(name) is None
    assert house.browser().sign_in(name).status == 303
    assert verify(house.store.activity.listed()).fault == ""


# --- PostgreSQL: two gates on two machines --------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server of this module's own: it is stopped and hung."""
    with PostgreSQL() as running:
        yield running


@dataclass
class Machines:
    """Two gates that share a database."""

    here: House
    there: House

    def elsewhere(self, browser: Browser) -> Browser:
        """The same browser, led to the other machine by a balancer."""
        return Browser(self.there, browser.client, dict(browser.cookies))


@pytest.fixture(scope="module")
def machines(
    server: PostgreSQL, echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    secret = tmp_path_factory.mktemp("secret") / "password"
    secret.touch(0o600)
    secret.write_text(DATABASE_PASSWORD)
    name = make_url(server.fresh()).database
    url = f"postgresql://{USER}@127.0.0.1:{server.port}/{name}"
    store = {"kind": "postgresql", "url": url, "password": {"file": str(secret)}}
    with ExitStack() as both:

        def start(name: str) -> House:
            folder = tmp_path_factory.mktemp(name) / "gate"
            return both.enter_context(house_at(folder, echo.url("").rstrip("/"), store=store))

        yield Machines(start("here"), start("there"))


def test_a_session_of_one_machine_is_one_of_the_other(machines: Machines) -> None:
    browser = machines.here.browser()
    browser.sign_in(machines.here.person())

    assert machines.elsewhere(browser).everywhere() == {200}


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(lambda b, u: b.post("/_sso/sign-out"), id="sign out"),
        pytest.param(
            lambda b, u: b.post(f"{ACCOUNT}/password", current=RIGHT, new=NEW, again=NEW),
            id="a new password",
        ),
        pytest.param(lambda b, u: b.house.cli("user", "deactivate", u), id="deactivated"),
        pytest.param(lambda b, u: b.house.cli("user", "delete", u, "--yes"), id="deleted"),
    ],
)
def test_a_revocation_counts_at_the_next_request_of_the_other_machine(
    machines: Machines, revoke: Callable[[Browser, str], object]
) -> None:
    who = machines.here.person()
    browser = machines.here.browser()
    browser.sign_in(who)
    other = machines.elsewhere(browser)
    assert other.everywhere() == {200}
    revoke(browser, who.identity.username)

    assert other.everywhere() == {401}


def test_a_group_that_is_taken_away_counts_on_the_other_machine(machines: Machines) -> None:
    staff = machines.here.person(groups=frozenset({"staff"}))
    browser = machines.here.browser()
    browser.sign_in(staff)
    other = machines.elsewhere(browser)
    before = other.everywhere("/admin/x")
    machines.here.cli("user", "groups", staff.identity.username, "")

    assert (before, other.everywhere("/admin/x")) == ({200}, {403})


def test_machines_count_wrong_passwords_and_spend_codes_together(machines: Machines) -> None:
    who, client = machines.here.owing(machines.here.person()), machines.here.browser().client
    halves = [house.browser(client) for house in (machines.here, machines.there) * 2]
    for half in halves:
        half.sign_in(who)
    at_once(lambda half: half.post(FACTOR, code=RECOVERY[0]), halves)

    assert sum(SESSION in half.holds for half in halves) == 1
    guesses = [house.browser(client) for house in (machines.here, machines.there) * 6]
    wrong = at_once(lambda b: b.sign_in(who, "a wrong one").status, guesses)
    assert (wrong.count(401), wrong.count(429)) == (10, 2)


def test_a_server_that_is_stopped(server: PostgreSQL, machines: Machines) -> None:
    people = People.of(machines.here)
    before = people.users()
    server.stop()
    try:
        assert_refused(people.try_all())
        assert_nobody_is_let_in(people)
    finally:
        server.start()

    assert people.users() == before
    assert people.all_is_well()


HANG = 25.0  # seconds; an answer comes before a browser or a balancer gives up


def test_a_server_that_hangs(server: PostgreSQL, machines: Machines) -> None:
    people = People.of(machines.here)
    before = people.users()
    server.hang()
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(2) as beside:
            member = beside.submit(people.living.ask, "/members/x", *PAGE)
            nobody = beside.submit(people.house.browser().ask, "/pub/x")
            tried = people.try_all()
        took = time.monotonic() - began
    finally:
        server._signal_all(signal.SIGCONT)

    assert_refused(tried)
    assert_refused({"a page": member.result()})
    assert nobody.result().status == 200
    assert took < HANG
    assert people.users() == before
    assert people.all_is_well()


def test_a_server_that_is_restarted_under_traffic(server: PostgreSQL, machines: Machines) -> None:
    people = People.of(machines.here)
    members: list[int] = []
    strangers: list[int] = []
    over = Event()

    def visit() -> None:
        stranger = people.house.browser()
        while not over.is_set():
            members.append(people.living.ask("/members/x", keep=False).status)
            strangers.append(stranger.ask("/members/x").status)

    threads = [Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    server.stop()
    time.sleep(0.3)
    server.start()
    time.sleep(0.5)
    over.set()
    for thread in threads:
        thread.join()

    assert set(members) == {200, 503}
    assert set(strangers) == {401}
    assert members[-4:] == [200] * 4
    assert people.all_is_well()


# --- Writers at the same time ---------------------------------------------------------------------

THREADS, ROUNDS, PROCESSES = 8, 2, 2
BY = By("cli:tests")


def write(where: str, process: int) -> None:
    """What one process writes: users of its own, and what all of them change."""
    with closing(opened(where)) as store:

        def work(thread: int) -> None:
            for number in range(ROUNDS):
                name = f"u{process}-{thread}-{number}"
                add_user(store, name, by=BY, now=number)
                change_user(store, name, groups=[name], by=BY, now=number)
                ACCOUNTS.change(store, 1, counted_on, by=BY, now=number)
            store.database.close()

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(work, range(THREADS)))


def counted_on(account: Account) -> Account:
    return replace(account, company=str(int(account.company) + 1))


def opened(where: str) -> SQLiteStore | PostgreSQLStore:
    if where.startswith("postgresql"):
        return PostgreSQLStore(make_url(where), clock=time.time)
    return SQLiteStore(Path(where), clock=time.time)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "gate.db")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.fresh()


def test_writers_of_two_processes_lose_nothing(where: str) -> None:
    with closing(opened(where)) as store:
        drawn = Account(0, "0", "", AccountStatus.ACTIVE, True, 0, 0)
        assert ACCOUNTS.add(store, drawn, by=BY, now=0).number == 1
        forks = multiprocessing.get_context("forkserver")
        writers = [forks.Process(target=write, args=(where, n)) for n in range(PROCESSES)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)

        assert [writer.exitcode for writer in writers] == [0] * PROCESSES
        total = PROCESSES * THREADS * ROUNDS
        assert_all_there(store, total)


def assert_all_there(store: Store, total: int) -> None:
    users = list(store.users.listed())
    account = store.accounts.get(1)
    lines = list(store.activity.listed())
    assert len(users) == total
    assert all(user.identity.groups == {user.identity.canonical} for user in users)
    assert account
    assert account.company == str(total)
    assert [line.number for line in lines] == list(range(1, 3 * total + 2))
    assert verify(lines).fault == ""


def test_the_form_is_the_gates_own(machines: Machines) -> None:
    """On PostgreSQL as on SQLite: the same page, the same words."""
    answer = machines.there.browser().sign_in("nobody.here")

    assert (answer.status, answer.header("X-SSOGate-Error")) == (401, "wrong_password")
    assert f'action="{PASSWORD}"' in answer.text
