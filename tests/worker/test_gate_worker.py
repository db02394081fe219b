"""Visitors who take their answer and do not hang up: they cost a place, and nobody's time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ssogate.crypto.cpus import ALL
from tests.servers import GONE, Gunicorn, RawClient, ask, request

pytestmark = pytest.mark.server

APP = "tests.worker.echo:app"


@pytest.fixture(scope="module")
def server() -> Iterator[Gunicorn]:
    with Gunicorn(APP, "--workers", "1", "--threads", "2") as running:
        yield running


@contextmanager
def left_hanging(server: Gunicorn, count: int) -> Iterator[list[RawClient]]:
    """Visitors who were told that the connection ends, and stay."""
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(count)]
        for client in clients:
            client.send(request()).answer()
        yield clients


def sends_until_cut(client: RawClient, data: bytes, *, times: int, pause: float = 0) -> int:
    """How often `data` is taken before the connection is refused."""
    for number in range(times):
        try:
            client.send(data)
        except GONE:
            return number
        time.sleep(pause)
    return times


def test_the_next_visitor_does_not_wait_for_them(server: Gunicorn) -> None:
    with left_hanging(server, 8):  # gunicorn's own gthread would take 16 seconds to see them off
        assert ask(server.port, request(), timeout=5).status == 200


def test_they_are_told_at_once_and_closed_in_time(server: Gunicorn) -> None:
    with left_hanging(server, 1) as (client,):
        assert client.is_closed(within=1), "our half is closed behind the answer"
        assert sends_until_cut(client, b"x", times=100, pause=0.1) < 100


def test_an_unread_body_is_taken_and_the_answer_arrives(server: Gunicorn) -> None:
    """A reset, for want of reading, would take the answer from the visitor."""
    head = request("/", "Content-Length: 40000", method="POST")
    with RawClient(server.port) as client:
        answer = client.send(head + b"x" * 40_000).answer()

    assert (answer.status, answer.complete) == (200, True)


def test_a_flood_after_the_answer_is_cut(server: Gunicorn) -> None:
    with left_hanging(server, 1) as (client,):
        assert sends_until_cut(client, b"x" * 65_536, times=1000) < 1000
    assert ask(server.port, request(), timeout=5).status == 200


def test_connections_that_go_on_are_kept(server: Gunicorn) -> None:
    with RawClient(server.port) as client:
        statuses = [client.send(request(close=False)).answer().status for _ in range(3)]

    assert statuses == [200, 200, 200]


def test_a_worker_stops_although_somebody_stays() -> None:
    with Gunicorn(APP, "--workers", "1") as stopping, left_hanging(stopping, 2):
        stopping.send_signal(signal.SIGTERM)

        assert stopping.wait(10) == 0


# --- CPUs ----------------------------------------------------------------------------------------


def cpus_of(server: Gunicorn) -> dict[int, set[int]]:
    """Each worker's CPUs, once it serves: those of all of its threads."""
    arbiter = server.pid
    found = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    return {int(pid): os.sched_getaffinity(int(pid)) for pid in found}


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def each_has_one(server: Gunicorn, count: int) -> bool:
    return [len(cpus) for cpus in cpus_of(server).values()] == [1] * count


def test_workers_share_the_cpus_out_and_who_follows_one_takes_its_place() -> None:
    count = min(len(ALL), 3)
    with Gunicorn(APP, "--workers", str(count)) as server:
        until(lambda: each_has_one(server, count))
        before = cpus_of(server)
        assert len(set.union(*before.values())) == count

        dying = next(iter(before))
        os.kill(dying, signal.SIGKILL)
        until(lambda: dying not in cpus_of(server) and each_has_one(server, count))
        assert set.union(*cpus_of(server).values()) == set.union(*before.values())


def test_a_worker_may_have_all_of_them() -> None:
    with Gunicorn(APP, "--workers", "1", env={"SSOGATE_CPU": "any"}) as server:
        assert ask(server.port, request()).status == 200
        assert list(cpus_of(server).values()) == [set(ALL)]
