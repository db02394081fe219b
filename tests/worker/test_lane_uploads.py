"""Uploads through a real worker: whole, as they come, and never more than was sent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from tests.gate import RunningGate
from tests.servers import GONE, RawClient, request
from tests.upstream.scripted import Talk, ok
from tests.worker.stage import (
    MIB,
    Pages,
    Write,
    asked,
    is_unharmed,
    memory,
    numbers,
    standing,
    worker,
)

pytestmark = pytest.mark.server


def in_chunks(data: bytes, size: int) -> bytes:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(it), it) for it in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0, id="nothing"),
        pytest.param(1, id="a byte"),
        pytest.param(65_536, id="64 KiB"),
        pytest.param(65_537, id="a byte more"),
        pytest.param(10 * MIB, id="10 MiB"),
    ],
)
@pytest.mark.parametrize("kind", ["length", "chunks", "expect"])
def test_an_upload_arrives_whole(
    client: RawClient, upstream: Pages, cookie: str, kind: str, size: int
) -> None:
    body, path = (bytes(range(256)) * (size // 256 + 1))[:size], f"/upload{next(numbers)}"
    lines = {
        "length": (f"Content-Length: {size}",),
        "chunks": ("Transfer-Encoding: chunked",),
        "expect": (f"Content-Length: {size}", "Expect: 100-continue"),
    }[kind]
    client.send(asked(path, cookie, *lines, method="POST"))
    if kind == "expect" and size:
        client._more()
        assert client._read.startswith(b"HTTP/1.1 100 Continue\r\n")
    found = client.send(in_chunks(body, 100_000) if kind == "chunks" else body).answer()

    assert (found.status, found.body) == (200, path.encode())
    (received,) = upstream.seen(path)
    assert sha256(received.body).digest() == sha256(body).digest()
    assert is_unharmed(client, cookie)


@pytest.mark.parametrize("size", [pytest.param(n, id=f"{n}") for n in (65_537, 100_000, 500_000)])
def test_an_upload_that_waits_for_a_connection_loses_nothing(
    client: RawClient, upstream: Pages, cookie: str, page: Write, size: int
) -> None:
    """Whatever has come by the time there is one is more than the block that is looked at."""

    def take(talk: Talk) -> None:
        talk.read_request()
        talk.send(ok(b"got it", "Connection: close"))  # so that the next one finds none
        raise EOFError

    body, path = bytes(range(250)) * (size // 250 + 1), page(take)
    for number in range(1, 6):
        client.send(asked(path, cookie, method="POST", body=body[:size]))
        assert client.answer().body == b"got it"
        assert len(upstream.seen(path)) == number
    assert {received.body for received in upstream.seen(path)} == {body[:size]}


FRAMING = pytest.mark.parametrize("kind", ["length", "chunks"])


def framed(body: bytes, kind: str) -> tuple[str, bytes]:
    """A header that tells how a body is framed, and the body as it is sent."""
    if kind == "chunks":
        return "Transfer-Encoding: chunked", in_chunks(body, 10_000)
    return f"Content-Length: {len(body)}", body


@FRAMING
def test_an_upload_takes_no_memory(gate: RunningGate, cookie: str, page: Write, kind: str) -> None:
    def take(talk: Talk) -> None:
        talk.read_request(keep_body=False)
        talk.send(ok(b"got it"))

    assert gate.ask("/warm", cookie).status == 200
    before = memory(worker(gate))
    with RawClient(gate.port, timeout=20) as client:
        line, body = framed(b"x" * 64 * MIB, kind)
        client.send(asked(page(take), cookie, line, method="POST"))
        for at in range(0, len(body), MIB):
            client.send(body[at : at + MIB])
        assert client.answer().body == b"got it"

    assert memory(worker(gate), "VmHWM") - before < 12 * MIB


def test_an_upstream_that_reads_slowly_slows_the_upload(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    go_on, total = threading.Event(), 64 * MIB

    def dawdle(talk: Talk) -> None:
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        assert go_on.wait(20)
        talk.read_request(keep_body=False)
        talk.send(ok(b"got it"))

    before = memory(worker(gate))
    with RawClient(gate.port, timeout=1) as client:
        client.send(asked(page(dawdle), cookie, f"Content-Length: {total}", method="POST"))
        sent = 0
        with suppress(TimeoutError):
            while sent < total:
                sent += client._socket.send(b"x" * min(65_536, total - sent))
        assert sent < 24 * MIB, "more than sockets hold"
        assert memory(worker(gate)) - before < 8 * MIB
        go_on.set()
        client._socket.settimeout(20)
        client.send(b"x" * (total - sent))

        assert client.answer().body == b"got it"


@pytest.mark.parametrize(
    "size", [pytest.param(1000, id="small"), pytest.param(8 * MIB, id="large")]
)
def test_an_early_refusal_of_an_upload_reaches_the_visitor(
    gate: RunningGate, cookie: str, page: Write, size: int
) -> None:
    def refuse(talk: Talk) -> None:
        talk.read_head()
        talk.send(ok(b"no", status="413 Content Too Large"))
        raise EOFError

    path = page(refuse)
    for _ in range(8):  # its reset may come before or after its answer is read
        with RawClient(gate.port, timeout=20) as client:
            with suppress(*GONE):
                client.send(asked(path, cookie, method="POST", body=b"x" * size))
            found = client.answer()
        assert (found.status, found.body) == (413, b"no")
    assert gate.ask("/next", cookie).body == b"/next"


@FRAMING
@pytest.mark.parametrize("sent", [pytest.param(10, id="soon"), pytest.param(200_000, id="later")])
def test_an_upload_that_is_cut_short_is_no_request(  # noqa: PLR0917  # what there is, and cases
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, sent: int, kind: str
) -> None:
    path = page(ok(b"got it"))
    line, body = framed(b"x" * 300_000, kind)
    with RawClient(gate.port) as client:
        client.send(asked(path, cookie, line, method="POST") + body[:sent])
    with RawClient(gate.port) as client:
        client.send(asked(path, cookie, line, method="POST") + body[:sent])
        client.finish()
        assert b" 200 " not in client.rest()

    assert gate.ask("/next", cookie).body == b"/next"
    assert upstream.seen(path) == []


# --- Chunks --------------------------------------------------------------------------------------

CHUNKED = "Transfer-Encoding: chunked"
CANARY = request("/canary-behind-chunks")


def test_a_small_body_in_chunks_is_sent_with_its_length(
    client: RawClient, upstream: Pages, cookie: str
) -> None:
    """Many applications know no chunks."""
    path = f"/chunks{next(numbers)}"
    client.send(asked(path, cookie, CHUNKED, method="POST") + in_chunks(b"a=b&c=d", 2))

    assert client.answer().body == path.encode()
    (received,) = upstream.seen(path)
    assert (received.all("Content-Length"), received.all("Transfer-Encoding")) == (["7"], [])
    assert received.body == b"a=b&c=d"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(in_chunks(b"x" * 70_000, 1), id="of a byte each"),
        pytest.param(in_chunks(b"x" * 70_000, 70_000), id="of everything"),
    ],
)
@pytest.mark.parametrize("piece", [pytest.param(1460, id="a packet"), pytest.param(MIB, id="all")])
def test_chunks_are_put_together_anew(
    client: RawClient, upstream: Pages, cookie: str, data: bytes, piece: int
) -> None:
    path = f"/chunks{next(numbers)}"
    client.send(asked(path, cookie, CHUNKED, method="POST"))
    for at in range(0, len(data), piece):
        client.send(data[at : at + piece])

    assert client.answer().body == path.encode()
    (received,) = upstream.seen(path)
    assert received.body == b"x" * 70_000
    assert received.all("Transfer-Encoding") == ["chunked"]
    assert is_unharmed(client, cookie)


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(b"x\r\n", id="no size"),
        pytest.param(b"5\r\nabcdefg\r\n", id="more than its size"),
        pytest.param(b"5\nabcde\n", id="bare line feeds"),
        pytest.param(b"-5\r\nabcde\r\n", id="a sign"),
        pytest.param(b"0x5\r\nabcde\r\n", id="a prefix"),
        pytest.param(b"1" + b"0" * 16 + b"\r\n", id="a size beyond 64 bits"),
        pytest.param(b"5;a=b\r\nabcde\r\n", id="an extension that nobody announced"),
        pytest.param(b"0\r\nX-Sum: 1\r\n\r\n", id="a trailer that nobody announced"),
        pytest.param(b"0\r\nContent-Length: 5\r\n\r\n", id="a length as a trailer"),
        pytest.param(b"0" * 2000, id="a line without end"),
    ],
)
def test_chunks_that_turn_out_bad_are_no_request(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, late: bytes
) -> None:
    path = page(ok(b"got it"))
    begun = in_chunks(b"x" * 200_000, 10_000).removesuffix(b"0\r\n\r\n")
    with RawClient(gate.port) as client:
        client.send(asked(path, cookie, CHUNKED, method="POST") + begun)
        client.send(late + CANARY)
        found = client.answer()
        assert (found.status, found.header("X-SSOGate-Error")) == (400, "bad_body")
        assert found.header("Connection") == "close"

    assert gate.ask("/next", cookie).body == b"/next"
    assert upstream.seen(path) == upstream.seen("/canary-behind-chunks") == []


@pytest.mark.parametrize("size", [pytest.param(n, id=f"{n}") for n in (50_000, 150_000)])
@FRAMING
def test_more_than_the_route_takes_is_refused_as_soon_as_it_comes(
    upstream: Pages, tmp_path: Path, size: int, kind: str
) -> None:
    routes = [{"path": "/", "upstream": "app", "max_body": "100KiB"}]
    with (
        standing(tmp_path / "gate", upstream.url, routes=routes) as gate,
        RawClient(gate.port) as client,
    ):
        line, body = framed(b"x" * size, kind)
        path = f"/pub/most{next(numbers)}"
        with suppress(*GONE):
            client.send(asked(path, line, method="POST") + body)
        found = client.answer()
        told = (413, "body_too_large") if size > 100_000 else (200, None)
        assert (found.status, found.header("X-SSOGate-Error")) == told
        assert len(upstream.seen(path)) == (found.status == 200)


# --- Answers before the end ----------------------------------------------------------------------


@FRAMING
def test_the_rest_of_a_body_that_was_answered_early_is_no_request_of_anybody(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, kind: str
) -> None:
    """The application stays on the line, and would take it for one."""
    canary = request(f"/smuggled{next(numbers)}", close=False)

    def answer_early(talk: Talk) -> None:
        talk.read_head()
        talk.send(ok(b"early"))
        talk.wait_for_hang_up()
        raise EOFError

    path = page(answer_early)
    line, body = framed(b"x" * 300_000, kind)
    before = len(upstream.server.requests)
    with RawClient(gate.port, timeout=10) as client:
        client.send(asked(path, cookie, line, method="POST") + body[:100_000])
        found = client.answer()
        assert (found.body, found.header("Connection")) == (b"early", "close")
        with RawClient(gate.port, timeout=10) as another:
            assert another.send(asked("/another", cookie)).answer().body == b"/another"
        with suppress(*GONE):
            client.send(canary)
            client.rest()
    assert gate.ask("/next", cookie).body == b"/next"
    lines = [it.line.split(" ")[1] for it in upstream.server.requests[before:]]
    assert lines == ["/another", "/next"]
