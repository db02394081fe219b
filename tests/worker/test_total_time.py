"""A request as a whole has its time, whoever is slow; what has no such limit goes on."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.gate import RunningGate
from tests.servers import GONE, RawClient
from tests.upstream.scripted import Talk, ok
from tests.worker import test_websockets as websockets
from tests.worker.stage import (
    MIB,
    Page,
    Pages,
    Write,
    asked,
    hanging,
    is_unharmed,
    patient,
    standing,
    until,
)

pytestmark = pytest.mark.server

TOTAL, SLOWLY = 1.0, 0.1  # seconds

LANE, LAYERS = "", "Accept:\ttext/plain"  # a tab is for the layers to read
BY = pytest.mark.parametrize(
    "by", [pytest.param(LANE, id="lane"), pytest.param(LAYERS, id="layers")]
)


@pytest.fixture(scope="module")
def gate(upstream: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    about = {"total_timeout": f"{TOTAL}s", "read_timeout": "20s", "max_failures": 1}
    # The second who waits in vain is to do so as well.
    limits = {**about, "connect_timeout": "60s", "queue_timeout": "60s", "max_failures": 100}
    routes = [
        {"path": path, "upstream": name, "websockets": "allow"}
        for path, name in (("/", "app"), ("/narrow", "narrow"), ("/mute", "mute"))
    ]
    folder = tmp_path_factory.mktemp("total") / "gate"
    with socket.create_server(("127.0.0.1", 0)) as mute:  # whose TLS handshake never ends
        upstreams = {
            "narrow": {"url": upstream.url, "max_connections": 1, **limits},
            "mute": {"url": f"https://127.0.0.1:{mute.getsockname()[1]}", **limits},
        }
        with standing(
            folder, upstream.url, about=about, upstreams=upstreams, routes=routes
        ) as running:
            yield running


@pytest.fixture(scope="module")
def cookie(gate: RunningGate) -> str:
    return gate.sign_in()


def dripping(data: bytes, at: int) -> Page:
    """An answer whose bytes from `at` on come one by one, for ever as it were."""

    def answer(talk: Talk) -> None:
        talk.read_request()
        talk.send(data[:at])
        with suppress(OSError):
            for index in range(at, len(data)):
                time.sleep(SLOWLY)
                talk.send(data[index : index + 1])
        raise EOFError

    return answer


def asking(path: str, by: str, cookie: str, *lines: str, **how: str) -> bytes:
    return asked(path, cookie, *filter(None, (by,)), *lines, **how)  # type: ignore[arg-type]


@BY
@pytest.mark.parametrize(
    "answer",
    [pytest.param(hanging, id="nothing"), pytest.param(dripping(ok(b"a" * 99), 5), id="a head")],
)
def test_who_gives_no_answer_in_time_is_waited_for_no_longer(
    gate: RunningGate, cookie: str, page: Write, answer: Page, by: str
) -> None:
    with RawClient(gate.port, timeout=15) as client:
        found = client.send(asking(page(answer), by, cookie)).answer()

        assert (found.status, found.header("X-SSOGate-Error")) == (504, "upstream_timeout")
        assert is_unharmed(client, cookie)
    assert "longer than total_timeout" in gate.log()


@BY
def test_an_answer_without_end_is_cut(gate: RunningGate, cookie: str, page: Write, by: str) -> None:
    path = page(dripping(ok(b"a" * 300), 200))
    with RawClient(gate.port, timeout=15) as client:
        client.send(asking(path, by, cookie))
        with suppress(*GONE):
            assert not client.answer().complete
    assert gate.ask("/next", cookie).body == b"/next", "no server goes out for it"


@pytest.mark.parametrize("kind", ["Content-Length: 300000", "Transfer-Encoding: chunked"])
def test_an_upload_that_takes_too_long_is_given_up(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, kind: str
) -> None:
    path = page(ok(b"got it"))
    with RawClient(gate.port, timeout=15) as client:
        client.send(asked(path, cookie, kind, method="POST") + b"30000\r\n" + b"a" * 100_000)
        found = client.answer()

        assert (found.status, found.header("X-SSOGate-Error")) == (504, "upstream_timeout")
    assert upstream.seen(path) == []
    assert gate.ask("/next", cookie).body == b"/next"


def test_who_does_not_take_the_answer_does_not_keep_the_server(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    ended: list[bool] = []

    def answer(talk: Talk) -> None:
        talk.read_request()
        try:
            talk.send(ok(b"x" * 64 * MIB))
        finally:
            ended.append(True)
        raise EOFError

    with patient(gate.port, takes=4096) as sock:
        sock.sendall(asked(page(answer), cookie))
        until(lambda: ended)
    assert gate.ask("/next", cookie).body == b"/next"


def test_what_ends_in_time_is_whole(gate: RunningGate, cookie: str, page: Write) -> None:
    path = page(dripping(ok(b"abc"), len(ok(b"abc")) - 3))
    with RawClient(gate.port) as client:
        for by in (LANE, LAYERS):
            assert client.send(asking(path, by, cookie)).answer().body == b"abc"


def test_a_websocket_that_is_open_may_stay(gate: RunningGate, cookie: str, page: Write) -> None:
    def speak_late(talk: Talk) -> None:
        websockets.opened(talk)
        time.sleep(2 * TOTAL)
        talk.send(b"late")
        raise EOFError

    with RawClient(gate.port, timeout=15) as client:
        client.send(websockets.asked(page(speak_late), cookie))
        assert websockets.head(client).startswith(b"HTTP/1.1 101 ")
        assert client.rest() == b"late"


@BY
@pytest.mark.parametrize("path", ["/narrow/waits", "/mute"], ids=["a place", "a connection"])
def test_what_is_waited_for_before_is_a_part_of_it(
    gate: RunningGate, upstream: Pages, cookie: str, path: str, by: str
) -> None:
    """A WebSocket holds the only place."""
    upstream.at["/narrow/ws"] = websockets.opened
    with RawClient(gate.port, timeout=20) as talking, RawClient(gate.port, timeout=20) as client:
        talking.send(websockets.asked("/narrow/ws", cookie))
        assert websockets.head(talking).startswith(b"HTTP/1.1 101 ")

        found = client.send(asking(path, by, cookie)).answer()
        assert (found.status, found.header("X-SSOGate-Error")) == (504, "upstream_timeout")
        assert not upstream.seen("/narrow/waits")
        assert is_unharmed(client, cookie)
