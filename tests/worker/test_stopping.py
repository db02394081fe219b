"""Workers that come, go and die under load: what was accepted is answered, and a death costs only
the requests that died with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import RawClient, request
from tests.upstream.scripted import Talk, ok
from tests.worker.load import Load, everywhere
from tests.worker.stage import Pages, access_lines, standing, until, visitors, worker, workers

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


def asked(path: str, cookie: str, method: str = "GET", body: bytes = b"") -> bytes:
    return request(path, cookie, method=method, host=HOST, body=body, close=False)


@contextmanager
def loaded(gate: RunningGate) -> Iterator[list[Load]]:
    """A gate under load: requests that are relayed, uploads, and pages of its own."""
    cookie = gate.sign_in()
    kinds = (
        asked("/load", cookie),
        asked("/load/posted", cookie, "POST", b"x" * 30_000),
        asked("/_sso/sign-in", cookie),
    )
    with ExitStack() as stack:
        loads = [stack.enter_context(Load(gate.port, data, visitors=2)) for data in kinds]
        for load in loads:
            load.go_on_for(10)
        yield loads


def go_on(loads: list[Load]) -> None:
    for load in loads:
        load.go_on_for(20)


def test_a_worker_that_has_served_enough_is_replaced_and_no_request_is_lost(
    upstream: Pages, tmp_path: Path
) -> None:
    with standing(tmp_path / "gate", upstream.url, "--max-requests", "60") as gate:
        (first,) = workers(gate)
        with loaded(gate) as loads:
            until(lambda: first not in workers(gate))
            go_on(loads)
            for load in loads:
                assert load.lost == []


def test_a_reload_loses_no_request(upstream: Pages, tmp_path: Path) -> None:
    with standing(tmp_path / "gate", upstream.url, "--workers", "2") as gate, loaded(gate) as loads:
        before = set(workers(gate))
        gate.send_signal(signal.SIGHUP)
        until(lambda: not before & set(workers(gate)))
        go_on(loads)
        for load in loads:
            assert load.lost == []
            assert {sent.status for sent in load.sent} == {200}


def test_a_stop_answers_everybody_whose_connection_was_taken(
    upstream: Pages, tmp_path: Path
) -> None:
    with standing(tmp_path / "gate", upstream.url) as gate, loaded(gate) as loads:
        gate.send_signal(signal.SIGTERM)
        assert gate.wait(15) == 0
        for load in loads:
            assert [sent for sent in load.lost if sent.again] == []


def test_a_stop_waits_for_answers_under_way(upstream: Pages, tmp_path: Path) -> None:
    held, go_on_now = threading.Semaphore(0), threading.Event()

    def hold(talk: Talk) -> None:
        talk.read_request()
        talk.send(ok(b"first")[:-2])
        held.release()
        assert go_on_now.wait(20)
        talk.send(b"st")

    upstream.at["/held"] = hold
    with standing(tmp_path / "gate", upstream.url) as gate:
        data = asked("/held", gate.sign_in())
        with RawClient(gate.port, timeout=20) as one, RawClient(gate.port, timeout=20) as old:
            one.send(data)
            old.send(data.replace(b"Host: ", b"Host:\t"))  # for a thread
            assert held.acquire(timeout=10)
            assert held.acquire(timeout=10)
            gate.send_signal(signal.SIGTERM)
            gate.until("Handling signal: term")
            go_on_now.set()

            assert one.answer().body == old.answer().body == b"first"
        assert gate.wait(15) == 0


def test_a_stop_does_not_wait_for_streams_without_end(upstream: Pages, tmp_path: Path) -> None:
    def stream(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n")
        talk.sock.settimeout(20)
        while talk.sock.recv(1):
            pass
        raise EOFError

    upstream.at["/stream"] = stream
    args = ("--graceful-timeout", "1")
    with standing(tmp_path / "gate", upstream.url, *args) as gate:
        with RawClient(gate.port, timeout=20) as client:
            client.send(asked("/stream", gate.sign_in()))
            while b"data: a" not in client._read:
                assert client._more()
            gate.send_signal(signal.SIGTERM)

            assert b"\r\n0\r\n\r\n" not in client.rest(), "it did not end, and must not look so"
        assert gate.wait(15) == 0
        # Fails now and then: the worker's own deadline is the one at which the arbiter kills it.
        assert [line["path"] for line in access_lines(gate)].count("/stream") == 1


def test_connections_that_are_not_in_use_are_closed_at_a_stop(
    upstream: Pages, tmp_path: Path
) -> None:
    """And a request that comes meanwhile is answered, and told that it is the last."""
    with standing(tmp_path / "gate", upstream.url) as gate, ExitStack() as stack:
        data = asked("/idle", gate.sign_in())
        clients = [stack.enter_context(RawClient(gate.port, timeout=15)) for _ in range(20)]
        for client in clients[:10]:
            client.send(data).answer()
        gate.send_signal(signal.SIGTERM)
        gate.until("Handling signal: term")
        last = clients.pop(0).send(data).answer()

        assert (last.body, last.header("Connection")) == (b"/idle", "close")
        assert gate.wait(15) == 0
        assert all(client.is_closed() for client in clients)


def test_a_worker_that_is_killed_takes_its_own_requests_along_and_no_others(
    upstream: Pages, tmp_path: Path
) -> None:
    with standing(tmp_path / "gate", upstream.url, "--workers", "3") as gate:
        data = asked("/load", gate.sign_in())
        with everywhere(gate, data) as loads:
            dying, *others = workers(gate)
            os.kill(dying, signal.SIGSTOP)  # nobody comes or goes between the next two lines
            its_own = visitors(dying, gate.port)
            os.kill(dying, signal.SIGKILL)
            until(lambda: len(workers(gate)) == 3 and dying not in workers(gate))
            go_on(loads)
            lost = [sent.port for load in loads for sent in load.lost]

        assert set(lost) <= its_own
        assert len(lost) == len(set(lost)), "nobody loses two"
        assert set(others) < set(workers(gate))


def test_workers_end_when_the_arbiter_was_killed(upstream: Pages, tmp_path: Path) -> None:
    with standing(tmp_path / "gate", upstream.url) as gate:
        pid = worker(gate)
        gate.send_signal(signal.SIGKILL)
        gate.wait(10)
        until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_worker_that_hangs_is_replaced_and_one_that_only_waits_is_not(
    upstream: Pages, tmp_path: Path
) -> None:
    def late(talk: Talk) -> None:
        talk.read_request()
        time.sleep(2.2)
        talk.send(ok(b"late"))

    upstream.at["/pub/late"] = late
    with standing(tmp_path / "gate", upstream.url, "--timeout", "1") as gate:
        pid = worker(gate)
        with RawClient(gate.port, timeout=15) as one, RawClient(gate.port, timeout=15) as old:
            data = request("/pub/late", host=HOST)
            one.send(data)
            old.send(data.replace(b"Host: ", b"Host:\t"))  # for a thread

            assert one.answer().body == old.answer().body == b"late"
        assert worker(gate) == pid

        os.kill(pid, signal.SIGSTOP)
        until(lambda: workers(gate) not in ([pid], []))
        assert gate.ask("/pub/x").body == b"/pub/x"
