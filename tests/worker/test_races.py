"""What comes in one round of the loop from both sides, which a stopped process makes sure of; and
what few visitors with odd bodies could hold."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Event

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import RawClient, request
from tests.upstream.scripted import Talk, ok
from tests.worker.stage import Pages, Write, asked, hanging_up, until, worker

pytestmark = pytest.mark.server

Race = Callable[[RawClient, bytes, bytes], None]


@pytest.fixture
def race(gate: RunningGate, cookie: str, page: Write) -> Race:
    """Send a request and `before`; have its answer and `after` come in one round."""

    def run(client: RawClient, before: bytes, after: bytes) -> None:
        read, go_on = Event(), Event()

        def first(talk: Talk) -> None:
            talk.read_request()
            read.set()
            assert go_on.wait(10)
            talk.send(ok(b"R1", "Connection: close"))

        client.send(asked(page(first), cookie) + before)
        assert read.wait(10)
        time.sleep(0.1)  # so that the worker has what comes before
        os.kill(worker(gate), signal.SIGSTOP)
        go_on.set()
        time.sleep(0.1)
        client.send(after)
        time.sleep(0.1)
        os.kill(worker(gate), signal.SIGCONT)

    return run


def test_answers_keep_their_order(client: RawClient, cookie: str, race: Race, page: Write) -> None:
    def slow(talk: Talk) -> None:
        talk.read_request()
        time.sleep(0.3)
        talk.send(ok(b"R2"))

    race(client, asked(page(slow), cookie), asked("/R3", cookie))

    assert [client.answer().body for _ in range(3)] == [b"R1", b"R2", b"/R3"]


def test_a_body_is_a_body(upstream: Pages, client: RawClient, cookie: str, race: Race) -> None:
    body = b"B" * 65_536 + b"\r\n" + asked("/smuggled", cookie) + b"C" * 90_000
    whole = request("/posted", cookie, method="POST", host=HOST, close=False, body=body)
    cut = len(whole) - len(body) + 30_000
    race(client, whole[:cut], whole[cut:])

    assert [client.answer().body for _ in range(2)] == [b"R1", b"/posted"]
    assert upstream.seen("/smuggled") == []
    assert [len(it.body) for it in upstream.seen("/posted")] == [len(body)]


def test_a_stream_behind_another_answer_ends_with_its_session(
    gate: RunningGate, client: RawClient, race: Race, page: Write
) -> None:
    mine, gone = gate.sign_in("sue"), Event()

    def stream(talk: Talk) -> None:
        talk.read_request()
        try:
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(200):
                talk.send(b"tick")
                time.sleep(0.05)
        except OSError:
            gone.set()
            raise

    race(client, asked(page(stream), mine), asked("/R3", mine))
    assert gate.ask("/_sso/sign-out", mine, method="POST").status in (200, 303, 403)
    gate.ask("/sso.php?mode=logout", mine)
    until(gone.is_set, "it goes on")


@pytest.mark.parametrize("length", ["0", "00"])
def test_no_body_is_no_reason_to_forget_what_follows(
    upstream: Pages, client: RawClient, cookie: str, page: Write, length: str
) -> None:
    dying = page(hanging_up(b""))
    empty = request(
        dying, cookie, f"Content-Length: {length}", method="POST", host=HOST, close=False
    )
    body = asked("/smuggled", cookie)
    second = request("/second", cookie, method="POST", host=HOST, close=False, body=body)
    head = len(second) - len(body)
    client.send(empty + second[:head])
    assert client.answer().status == 502
    client.send(second[head:])

    assert client.answer().body == b"/second"
    assert upstream.seen("/smuggled") == []


DRIPPING = [
    pytest.param("Content-Length: 0000000000000000500", id="a length of nineteen digits"),
    pytest.param("Transfer-Encoding: chunked ", id="chunks with a space"),
    pytest.param("Transfer-Encoding: \tchunked", id="chunks with a tab"),
    pytest.param("Content-Length: 70000", id="more than a form"),
]


@pytest.mark.parametrize("path", ["/_sso/password", "/sso.php", "/pub/x", "/admin/x"])
@pytest.mark.parametrize("framing", DRIPPING)
def test_no_spelling_of_a_body_holds_the_gates_own_pages(
    gate: RunningGate, path: str, framing: str
) -> None:
    form = ("Content-Type: application/x-www-form-urlencoded", framing)
    data = request(path, *form, method="POST", host=HOST, close=False) + b"1"
    clients = [RawClient(gate.port, timeout=8).send(data) for _ in range(12)]
    try:
        assert gate.ask("/_sso/sign-in").status == 200
        assert gate.ask("/admin/x").status in (302, 303, 401)
    finally:
        for client in clients:
            client.close()
