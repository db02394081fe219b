"""A visitor for whom the layers are at work: asked once for each request, and in its place."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ssogate.http.rendered import Rendered
from ssogate.lane.orders import Asked, Judged, Pass, Said, peer_at
from ssogate.worker.layers import Told
from ssogate.worker.loop import Loop
from ssogate.worker.visitor import Visitor

SMALL = 4608  # bytes that the system takes at once for somebody who does not read
LARGE = b"S" * 3 * SMALL


class Hall:
    """A worker with one visitor, whose lane says `/said` by itself and has the layers asked for
    anything else."""

    alive, keepalive, max_head, lines = True, 5.0, 8000, 0

    def __init__(self) -> None:
        self.loop, self.lane, self.is_gone = Loop(), self, False
        self.asked: list[tuple[str, Callable[[Told | None], object]]] = []
        here, self.there = socket.socketpair()
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.there.setblocking(False)
        self.came = b""
        service: Any = self
        self.visitor = Visitor(service, here, ("192.0.2.1", 1), ("127.0.0.1", 80))

    def order(self, data: bytes, peer: object, found: object = None) -> Said | Asked:
        path = data.split(b" ")[1].decode()
        if path != "/said":
            return Asked({"PATH_INFO": path}, 0, False)
        judged = Judged((), {}, '"path":"/said"')
        granted = Pass(judged, None, peer_at("192.0.2.1"), False, b"", '""', "null")
        lines = b"Content-Length: %d\r\n" % len(LARGE)
        return Said(granted, Rendered(b"HTTP/1.1 200 OK\r\n", lines, LARGE), False, "id")

    def ask(self, visitor: Visitor, asked: Asked, body: bytes, then: Any) -> None:
        self.asked.append((asked.environ["PATH_INFO"], then))

    def count(self) -> None: ...

    def log_access(self, line: str) -> None:
        self.lines += 1

    def gone(self, visitor: Visitor) -> None:
        self.is_gone = True

    def send(self, *paths: str) -> None:
        lines = (f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths)
        self.there.sendall("".join(lines).encode())

    def go_round(self, times: int = 1) -> list[str]:
        """Let the loop turn, and the visitor read; give what the layers are asked for now."""
        for _ in range(times):
            self.loop.run_once(0.01)
            while True:
                try:
                    self.came += self.there.recv(2**20)
                except BlockingIOError:
                    break
        return [path for path, _ in self.asked]

    def answer(self) -> None:
        path, then = self.asked.pop(0)
        text = path.encode()
        then(Told(b"HTTP/1.1 200 OK\r\n", b"Content-Length: %d\r\n" % len(text), text, ""))


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.visitor.close()
    made.loop.close()
    made.there.close()


def test_each_request_is_asked_once_and_in_turn(hall: Hall) -> None:
    hall.send("/a", "/said", "/b", "/c")

    assert hall.go_round() == ["/a"]
    hall.answer()
    assert hall.go_round(8) == ["/b"], "however often the visitor's line was full meanwhile"
    hall.answer()
    assert hall.go_round(8) == ["/c"]
    hall.answer()
    assert hall.go_round(8) == []
    assert re.findall(rb"/[abc]|SS+", hall.came) == [b"/a", LARGE, b"/b", b"/c"]


def test_who_hangs_up_keeps_its_place_while_a_thread_is_at_work(hall: Hall) -> None:
    hall.send("/a")
    hall.go_round()

    hall.visitor.close()
    hall.visitor.close()

    assert not hall.is_gone
    assert hall.visitor.holds == 0
    hall.answer()
    assert hall.is_gone
    assert hall.lines == 1, "what was done is in the log"


def test_layers_that_cannot_be_asked_end_the_connection(hall: Hall) -> None:
    hall.send("/said", "/a")
    hall.go_round(8)

    hall.asked.pop()[1](None)

    assert hall.is_gone
    assert hall.lines == 1
