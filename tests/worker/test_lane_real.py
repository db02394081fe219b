"""Answers that a real worker relays in its loop: all kinds of bodies, whole, in order and as they
come."""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from hashlib import sha256
from queue import Queue

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import RawClient
from tests.upstream.scripted import Talk, chunked, ok
from tests.worker.stage import (
    MIB,
    Page,
    Write,
    asked,
    hanging_up,
    is_unharmed,
    memory,
    patient,
    worker,
)

pytestmark = pytest.mark.server

EVENT = b"Content-Type: text/event-stream\r\n\r\n"
ENDS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"


def over(gate: RunningGate) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, gate.port, timeout=30)


def header(cookie: str) -> dict[str, str]:
    name, _, value = cookie.partition(": ")
    return {name: value}


WHOLE = [
    pytest.param(ok(b""), b"", id="nothing"),
    pytest.param(ok(b"x"), b"x", id="a byte"),
    pytest.param(ok(b"x" * 65_536), b"x" * 65_536, id="64 KiB"),
    pytest.param(ok(b"x" * MIB), b"x" * MIB, id="1 MiB"),
    pytest.param(chunked(), b"", id="no chunks"),
    pytest.param(chunked(b"a", b"b" * 70_000, b"c"), b"a" + b"b" * 70_000 + b"c", id="chunks"),
    pytest.param(chunked(b"a", end=b"0\r\nX-After: all\r\n\r\n"), b"a", id="a trailer"),
    pytest.param(hanging_up(ENDS + b"x" * 100_000), b"x" * 100_000, id="up to the end"),
    pytest.param(hanging_up(ENDS), b"", id="nothing up to the end"),
    pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"a"), b"a", id="hints"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + chunked(b"a"), b"a", id="interim"),
    pytest.param(ok(b"gone", status="404 Not Found"), b"gone", id="an error"),
    pytest.param(ok(b"", status="302 Found"), b"", id="a redirect without a place"),
]


@pytest.mark.parametrize(("answer", "body"), WHOLE)
def test_an_answer_arrives_whole_and_the_connection_goes_on(
    client: RawClient, cookie: str, page: Write, answer: Page, body: bytes
) -> None:
    found = client.send(asked(page(answer), cookie)).answer()

    assert (found.body, found.complete) == (body, True)
    assert is_unharmed(client, cookie)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        pytest.param("HEAD", ok(b"")[:-5] + b"5000\r\n\r\n", id="HEAD with a length"),
        pytest.param("HEAD", chunked(end=b""), id="HEAD of chunks"),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", id="304"),
        pytest.param(
            "GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", id="304, length"
        ),
        pytest.param("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", id="DELETE"),
    ],
)
def test_an_answer_without_a_body_ends_with_its_head(
    client: RawClient, cookie: str, page: Write, method: str, answer: bytes
) -> None:
    found = client.send(asked(page(answer), cookie, method=method)).answer(to_head=True)

    assert f" {found.status} ".encode() in answer
    assert is_unharmed(client, cookie)


def test_a_large_answer_takes_no_memory(gate: RunningGate, cookie: str, page: Write) -> None:
    block = bytes(range(256)) * 4096

    def large(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * len(block)))
        for _ in range(64):
            talk.send(block)

    assert gate.ask("/warm", cookie).status == 200
    before = memory(worker(gate))
    connection = over(gate)
    connection.request("GET", page(large), headers=header(cookie))
    answer, found = connection.getresponse(), sha256()
    while piece := answer.read(MIB):
        found.update(piece)
    connection.close()

    assert found.digest() == sha256(block * 64).digest()
    assert memory(worker(gate), "VmHWM") - before < 12 * MIB


def test_each_event_arrives_before_the_next_one_is_sent(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    seen: Queue[int] = Queue()

    def events(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\n" + EVENT)
        for number in range(20):
            talk.send(b"data: %d\n\n" % number)
            assert seen.get(timeout=10) == number
        raise EOFError

    connection = over(gate)
    connection.request("GET", page(events), headers=header(cookie))
    answer = connection.getresponse()
    for number in range(20):
        assert (answer.readline(), answer.readline()) == (b"data: %d\n" % number, b"\n")
        seen.put(number)
    assert answer.read() == b""
    connection.close()


def test_who_reads_slowly_slows_the_upstream_and_gets_everything(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    sent, total = [0], 96 * MIB
    stalled = threading.Event()

    def pour(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        talk.sock.settimeout(1)
        while sent[0] < total:
            try:
                sent[0] += talk.sock.send(b"x" * min(65_536, total - sent[0]))
            except TimeoutError:
                stalled.set()
        talk.sock.settimeout(None)

    assert gate.ask("/warm", cookie).status == 200
    before = memory(worker(gate))
    with patient(gate.port, takes=65_536) as sock:
        sock.sendall(asked(page(pour), cookie))
        assert stalled.wait(20), "the upstream was never held up"
        assert sent[0] < 24 * MIB, "more than sockets hold"
        assert memory(worker(gate)) - before < 8 * MIB
        assert gate.ask("/meanwhile", cookie).body == b"/meanwhile"
        head, _, body = sock.recv(65_536).partition(b"\r\n\r\n")
        got = len(body)
        while got < total:
            got += len(sock.recv(MIB))

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got == total


def test_a_visitor_who_leaves_takes_the_upstreams_connection_along(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    left = threading.Event()

    def pour(talk: Talk) -> None:
        talk.read_request()
        talk.send(ENDS)
        with suppress(OSError):
            while True:
                talk.send(b"x" * 65_536)
        left.set()
        raise EOFError

    with RawClient(gate.port) as client:
        client.send(asked(page(pour), cookie))
        client._more()

    assert left.wait(10)
    assert gate.ask("/next", cookie).body == b"/next"


def test_an_answer_under_way_ends_with_its_session(gate: RunningGate, page: Write) -> None:
    """The upstream says nothing more, and the visitor neither."""

    def stream(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\n" + EVENT + b"data: a\n\n")
        talk.sock.settimeout(20)
        while talk.sock.recv(1):
            pass
        raise EOFError

    cookie, other = gate.sign_in("leaver"), gate.sign_in("stayer")
    path = page(stream)
    with RawClient(gate.port, timeout=15) as client, RawClient(gate.port, timeout=15) as stays:
        for connected, its in ((client, cookie), (stays, other)):
            connected.send(asked(path, its))
            while b"data: a" not in connected._read:
                assert connected._more()
        assert gate.ask("/sso.php?mode=logout", cookie).status < 400

        assert b"\r\n0\r\n\r\n" not in client.rest(), "it did not end, and must not look so"
        stays._read = b""
        assert not stays.is_closed(within=0.5)
