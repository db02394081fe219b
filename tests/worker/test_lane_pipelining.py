"""Requests one after the other on a connection to a real worker: each is answered in its turn, sent
on once, and no part of a body is ever one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import GONE, RawClient, answers, request
from tests.upstream.scripted import Talk, ok
from tests.worker.stage import (
    Pages,
    Write,
    asked,
    hanging_up,
    is_unharmed,
    numbers,
)

pytestmark = pytest.mark.server

CANARY = request("/canary-in-a-body", host=HOST, close=False)


def test_requests_sent_at_once_are_answered_in_order_and_each_once(
    gate: RunningGate, upstream: Pages, client: RawClient, cookie: str
) -> None:
    kinds: list[tuple[Callable[[str], bytes], int]] = [
        (lambda path: asked(path, cookie), 200),
        (lambda path: asked(path, cookie, method="POST", body=CANARY), 200),
        (lambda path: asked(f"/admin{path}", cookie), 403),
        (lambda path: asked("/_sso/no-such-page", cookie), 404),
        (lambda path: asked(path, "Accept: text/html"), 303),
    ]
    path = f"/at-once{next(numbers)}"
    sent = [(make(f"{path}/{number}"), status) for number, (make, status) in enumerate(kinds * 4)]
    client.send(b"".join(data for data, _ in sent))
    found = [client.answer() for _ in sent]

    assert [answer.status for answer in found] == [status for _, status in sent]
    let_in = [number for number in range(20) if number % 5 < 2]
    assert [it.body for it in found if it.status == 200] == [
        f"{path}/{number}".encode() for number in let_in
    ]
    lines = [received.line.split(" ")[1] for received in upstream.seen(path)]
    assert lines == [f"{path}/{number}" for number in let_in]
    assert upstream.seen("/canary-in-a-body") == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_requests_in_pieces_are_what_they_are_at_once(
    upstream: Pages, client: RawClient, cookie: str, size: int
) -> None:
    path = f"/in-pieces{next(numbers)}"
    data = asked(path, cookie, method="POST", body=CANARY) + asked(f"{path}/last", cookie)
    client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), size):
        client.send(data[at : at + size])

    assert [client.answer().body for _ in range(2)] == [path.encode(), f"{path}/last".encode()]
    assert len(upstream.seen(path)) == 2
    assert upstream.seen("/canary-in-a-body") == []


def test_a_connection_goes_back_and_forth_between_lane_and_layers(
    client: RawClient, cookie: str
) -> None:
    for _ in range(30):
        assert client.send(asked("/_sso/no-such-page", cookie)).answer().status == 404
        assert is_unharmed(client, cookie)


def test_the_rest_of_a_refused_body_is_no_request(
    gate: RunningGate, upstream: Pages, cookie: str
) -> None:
    data = asked("/admin/x", cookie, method="POST", body=CANARY * 100)
    with RawClient(gate.port) as client:
        found = answers(client.send(data + asked("/last", cookie)).finish().rest())

    assert found[0].status == 403
    assert [it.body for it in found[1:]] in ([], [b"/last"])
    assert upstream.seen("/canary-in-a-body") == []


def test_a_body_that_no_server_took_is_no_request(
    upstream: Pages, client: RawClient, cookie: str, page: Write
) -> None:
    data = asked(page(hanging_up(b"")), cookie, method="POST", body=CANARY * 5000)
    with suppress(*GONE):
        client.send(data)
    assert client.answer().status == 502

    with suppress(*GONE):
        client.finish()
    client.rest()
    assert upstream.seen("/canary-in-a-body") == []


def test_it_is_the_loop_that_relays(gate: RunningGate, cookie: str, page: Write) -> None:
    """Threads are all held, and yet there are answers."""
    held, go_on = threading.Semaphore(0), threading.Event()

    def hold(talk: Talk) -> None:
        talk.read_request()
        held.release()
        assert go_on.wait(20)
        talk.send(ok(b"at last"))

    holding = page(hold)
    odd = request(holding, cookie, "Accept:\ttext/plain", host=HOST)
    clients = [RawClient(gate.port, timeout=20).send(odd) for _ in range(2)]
    assert held.acquire(timeout=10)
    assert held.acquire(timeout=10)
    try:
        assert gate.ask("/get", cookie).body == b"/get"
        assert gate.ask("/post", cookie, method="POST", body=b"x" * 200_000).body == b"/post"
        assert gate.ask("/pub/x").body == b"/pub/x"
    finally:
        go_on.set()
    for client in clients:
        assert client.answer().body == b"at last"
        client.close()
