"""Visitors who are slow, silent or never finish: they hold nobody's thread, and nobody waits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import pytest

from tests.gate import RunningGate
from tests.servers import GONE, RawClient
from tests.upstream.scripted import ok
from tests.worker.stage import MIB, Pages, asked, memory, patient, standing, until, visitors, worker

pytestmark = pytest.mark.server

SIGN_IN, PASSWORD = "/_sso/sign-in", "/_sso/password"
ONE_BY_ONE = 0.2  # seconds between two bytes; long enough for nothing else to depend on it


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        pages.at["/pub/large"] = ok(b"x" * (8 * MIB))
        yield pages


@pytest.fixture(scope="module")
def gate(upstream: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    folder = tmp_path_factory.mktemp("slow") / "gate"
    with standing(folder, upstream.url, password={}) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(gate: RunningGate) -> str:
    return gate.sign_in()


def serves(gate: RunningGate, cookie: str) -> bool:
    """Whether the lane and the layers both answer at once."""
    relayed, page = gate.ask("/some/page", cookie), gate.ask(SIGN_IN, "Accept: text/html")
    return relayed.body == b"/some/page" and page.status == 200 and "password" in page.text


Crowd = Callable[[RunningGate, str], AbstractContextManager[object]]


def who_send(data: bytes, count: int) -> Crowd:
    """Visitors who send this and then nothing."""

    @contextmanager
    def crowd(gate: RunningGate, cookie: str) -> Iterator[None]:
        sent = data.replace(b"COOKIE", cookie.encode())
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(RawClient(gate.port)).send(sent)
            yield

    return crowd


def who_drip(head: bytes, body: bytes, count: int) -> Crowd:
    """Visitors who send a byte now and then."""

    @contextmanager
    def crowd(gate: RunningGate, cookie: str) -> Iterator[None]:
        enough = threading.Event()

        def drip(clients: list[RawClient]) -> None:
            for at in range(len(body)):
                for client in clients:
                    client.send(body[at : at + 1])
                if enough.wait(ONE_BY_ONE):
                    return

        with who_connect(gate, count) as clients:
            for client in clients:
                client.send(head.replace(b"COOKIE", cookie.encode()))
            thread = threading.Thread(target=drip, args=(clients,))
            thread.start()
            try:
                yield
            finally:
                enough.set()
                thread.join(10)

    return crowd


@contextmanager
def who_connect(gate: RunningGate, count: int) -> Iterator[list[RawClient]]:
    with ExitStack() as stack:
        yield [stack.enter_context(RawClient(gate.port)) for _ in range(count)]


def who_do_not_read(head: bytes, count: int) -> Crowd:
    """Visitors who ask for much and take nothing."""

    @contextmanager
    def crowd(gate: RunningGate, cookie: str) -> Iterator[None]:
        with ExitStack() as stack:
            for _ in range(count):
                sock = stack.enter_context(patient(gate.port, takes=4096))
                sock.sendall(head.replace(b"COOKIE", cookie.encode()))
            yield

    return crowd


FORM = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 500")
CROWDS = [
    pytest.param(who_send(b"", 200), id="silence"),
    pytest.param(who_send(b"\r\n", 40), id="an empty line"),
    pytest.param(who_send(b"\r\n\r\n", 40), id="two empty lines"),
    pytest.param(who_send(b"G", 200), id="a letter"),
    pytest.param(who_send(asked("/x")[:-2], 200), id="heads without an end"),
    pytest.param(who_send(asked("/x") + b"GET / HT", 40), id="half a second head"),
    pytest.param(who_drip(b"", asked("/x", "COOKIE"), 40), id="heads byte by byte"),
    pytest.param(
        who_drip(asked("/x", "COOKIE", *FORM, method="POST"), b"a" * 400, 50), id="forms, relayed"
    ),
    pytest.param(
        who_drip(asked(PASSWORD, *FORM, method="POST"), b"a" * 400, 50), id="forms of the gate"
    ),
    pytest.param(
        who_send(
            asked("/x", "COOKIE", "Content-Length: 1000000", method="POST") + b"a" * 70_000, 50
        ),
        id="uploads that stop",
    ),
    pytest.param(
        who_send(
            asked("/x", "COOKIE", "Transfer-Encoding: chunked", method="POST")
            + b"11170\r\n"
            + b"a" * 70_000,
            50,
        ),
        id="uploads in chunks that stop",
    ),
    pytest.param(who_do_not_read(asked("/pub/large"), 50), id="answers that nobody reads"),
]


@pytest.mark.parametrize("crowd", CROWDS)
def test_others_are_served_meanwhile(gate: RunningGate, cookie: str, crowd: Crowd) -> None:
    with crowd(gate, cookie):
        for _ in range(3):
            assert serves(gate, cookie)


# Those that fail show where a thread still waits for a visitor: each visitor takes one.
HOLDING = [
    pytest.param(
        who_send(asked("/pub/x", "Transfer-Encoding: chunked", method="POST") + b"5\r\nab", 40),
        id="chunks that stop",
    ),
    pytest.param(
        who_send(
            asked("/pub/x", "Expect: 100-continue", "Content-Length: 9", method="POST") + b"ab", 40
        ),
        id="bodies that were asked for",
    ),
    pytest.param(who_do_not_read(asked("/pub/%6c%61rge"), 40), id="answers of the layers"),
]


@pytest.mark.parametrize("crowd", HOLDING)
def test_others_are_served_meanwhile_by_the_layers(
    gate: RunningGate, cookie: str, crowd: Crowd
) -> None:
    with crowd(gate, cookie):
        assert serves(gate, cookie)


def settled(upstream: Pages) -> int:
    """Give how many connections an upstream has had, once those of others before have come."""

    def is_settled() -> bool:
        before = upstream.server.connections
        time.sleep(0.2)
        return before == upstream.server.connections

    until(is_settled)
    return upstream.server.connections


def test_their_unfinished_requests_reach_nobody(
    gate: RunningGate, upstream: Pages, cookie: str
) -> None:
    """Not even a connection: a slow form costs an upstream nothing."""
    head = asked("/never", cookie, *FORM, method="POST")
    before = settled(upstream)
    with who_connect(gate, 20) as clients:
        for client in clients:
            client.send(head + b"a" * 499)
        assert serves(gate, cookie)
        assert upstream.seen("/never") == []
        assert upstream.server.connections <= before + 1
        clients[0].send(b"a")
        assert clients[0].answer().body == b"/never"


# --- Heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [pytest.param(b"\r\n", id="one"), pytest.param(b"", id="none")])
def test_an_empty_line_before_a_request_is_taken(
    gate: RunningGate, cookie: str, before: bytes
) -> None:
    with RawClient(gate.port) as client:
        for number in range(3):
            client.send(before + asked(f"/n{number}", cookie))
            assert client.answer().body == f"/n{number}".encode()


def test_a_head_byte_by_byte_is_a_head(gate: RunningGate, cookie: str) -> None:
    with RawClient(gate.port) as client:
        client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in asked("/bytes", cookie):
            client.send(bytes([at]))

        assert client.answer().body == b"/bytes"


def test_a_large_head_is_for_the_layers_to_judge(gate: RunningGate, cookie: str) -> None:
    """64 KiB, in lines that are each within gunicorn's limits."""
    lines = [f"X-Filler-{number}: {'a' * 8000}" for number in range(8)]
    with RawClient(gate.port) as client:
        assert client.send(asked("/large", cookie, *lines)).answer().status in (200, 431)
    assert serves(gate, cookie)


def test_a_head_without_end_is_refused_and_no_memory_goes_into_it(
    gate: RunningGate, cookie: str
) -> None:
    assert serves(gate, cookie)
    before = memory(worker(gate))
    for _ in range(20):
        with RawClient(gate.port) as client:
            with suppress(*GONE):
                client.send(asked("/x")[:-2] + b"X: " + b"a" * 4 * MIB)
            found = client.answer()
            assert (found.status, found.header("Connection")) == (431, "close")
    assert memory(worker(gate)) - before < 4 * MIB


def test_who_left_leaves_nothing_behind(gate: RunningGate, cookie: str) -> None:
    with who_connect(gate, 50) as clients:
        until(lambda: len(visitors(worker(gate), gate.port)) >= 50)
        for number, client in enumerate(clients):
            client.send(
                (b"", b"G", asked("/x"), asked("/x", cookie, *FORM, method="POST"))[number % 4]
            )
    until(lambda: not visitors(worker(gate), gate.port), "connections are still held")
