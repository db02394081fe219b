"""The pool: newest first, bounded, never shared with a fork, never a stale connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import cast

import pytest

from ssogate.errors import UpstreamBusy, UpstreamUnreachable
from ssogate.upstream.connection import Connection
from ssogate.upstream.pool import Pool


class Fake:
    """As much of a connection as the pool looks at."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.clean = True
        self.silent = True
        self.closed = False
        self.idle_since: float | None = None

    def quiet(self) -> bool:
        return self.silent

    def close(self) -> None:
        self.closed = True


class Maker:
    """Opens fakes, and remembers them."""

    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.fails = False
        self.now = 1000.0

    def __call__(self) -> Connection:
        if self.fails:
            raise UpstreamUnreachable
        self.made.append(Fake(len(self.made)))
        return cast(Connection, self.made[-1])

    def pool(self, limit: int = 3) -> Pool:
        return Pool(self, limit=limit, queue_timeout=0.0, idle_lifetime=4.0, clock=lambda: self.now)


@pytest.fixture
def maker() -> Maker:
    return Maker()


def number(connection: Connection) -> int:
    return cast(Fake, connection).number


def test_the_newest_connection_is_used_first(maker: Maker) -> None:
    pool = maker.pool()
    first, second = pool.acquire(), pool.acquire()
    pool.finish(first, reusable=True)
    pool.finish(second, reusable=True)

    assert pool.acquire() is second
    assert pool.acquire() is first


@pytest.mark.parametrize("what", ["not reusable", "not clean"])
def test_only_what_is_reusable_and_clean_is_kept(maker: Maker, what: str) -> None:
    pool = maker.pool()
    connection = pool.acquire()
    maker.made[0].clean = what != "not clean"
    pool.finish(connection, reusable=what != "not reusable")

    assert maker.made[0].closed
    assert number(pool.acquire()) == 1


def test_a_connection_on_which_anything_came_is_closed(maker: Maker) -> None:
    pool = maker.pool()
    old, new = pool.acquire(), pool.acquire()
    pool.finish(old, reusable=True)
    pool.finish(new, reusable=True)
    maker.made[1].silent = False

    assert pool.acquire() is old
    assert [fake.closed for fake in maker.made] == [False, True]


@pytest.mark.parametrize(("age", "kept"), [(4.0, True), (4.1, False)])
def test_an_idle_connection_is_used_within_its_lifetime_only(
    maker: Maker, age: float, kept: bool
) -> None:
    pool = maker.pool()
    pool.finish(pool.acquire(), reusable=True)
    maker.now += age

    assert number(pool.acquire()) == (0 if kept else 1)
    assert maker.made[0].closed is not kept


def test_old_connections_are_closed_while_the_newest_serves_alone(maker: Maker) -> None:
    pool = maker.pool()
    both = [pool.acquire(), pool.acquire()]
    for connection in both:
        pool.finish(connection, reusable=True)
    for _ in range(3):
        maker.now += 3
        pool.finish(pool.acquire(), reusable=True)

    assert [fake.closed for fake in maker.made] == [True, False]


def test_no_more_connections_are_under_way_than_allowed(maker: Maker) -> None:
    pool = maker.pool(limit=2)
    first, _ = pool.acquire(), pool.acquire()
    for _ in range(3):
        with pytest.raises(UpstreamBusy):
            pool.acquire()
    pool.finish(first, reusable=False)

    assert number(pool.acquire()) == 2
    with pytest.raises(UpstreamBusy):
        pool.acquire()


def test_a_connection_that_cannot_be_opened_takes_no_place(maker: Maker) -> None:
    pool = maker.pool(limit=1)
    maker.fails = True
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            pool.acquire()
    maker.fails = False

    assert number(pool.acquire()) == 0


def test_who_waits_is_served_by_the_connection_that_becomes_free(maker: Maker) -> None:
    pool = Pool(maker, limit=1, queue_timeout=5.0, idle_lifetime=4.0)
    connection = pool.acquire()
    served: list[Connection] = []
    waiting = threading.Thread(target=lambda: served.append(pool.acquire()))
    waiting.start()
    pool.finish(connection, reusable=True)
    waiting.join(5)

    assert served == [connection]


def test_many_threads_never_share_a_connection_nor_pass_the_limit(maker: Maker) -> None:
    pool = Pool(maker, limit=4, queue_timeout=10.0, idle_lifetime=4.0)
    in_use: set[int] = set()
    wrong: list[int] = []

    def work() -> None:
        for turn in range(300):
            connection = pool.acquire()
            if number(connection) in in_use or len(in_use) >= 4:
                wrong.append(number(connection))
            in_use.add(number(connection))
            in_use.discard(number(connection))
            pool.finish(connection, reusable=turn % 7 > 0)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert wrong == []
    assert sum(not fake.closed for fake in maker.made) <= 4


def in_a_fork(work: Callable[[], object]) -> str:
    """Run a function in a forked process and give what it returns, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        os.waitpid(child, 0)
        return answer.read()


def test_a_fork_neither_uses_nor_waits_for_its_parents_connections(maker: Maker) -> None:
    pool = maker.pool(limit=2)
    busy, idle = pool.acquire(), pool.acquire()
    pool.finish(idle, reusable=True)

    def child() -> tuple[list[int], bool]:
        numbers = [number(pool.acquire()), number(pool.acquire())]
        return numbers, maker.made[1].closed

    # New ones for the child, which closes its copies of the idle ones ...
    assert in_a_fork(child) == "([2, 3], True)"
    # ... and nothing has changed for the parent.
    assert pool.acquire() is idle
    assert not maker.made[1].closed
    pool.finish(busy, reusable=True)
    assert pool.acquire() is busy


def test_closing_the_pool_closes_what_is_idle(maker: Maker) -> None:
    pool = maker.pool()
    used, idle = pool.acquire(), pool.acquire()
    pool.finish(idle, reusable=True)
    pool.close()

    assert [fake.closed for fake in maker.made] == [False, True]
    assert number(used) == 0
