"""How long a visitor may take, by a clock that a test moves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ssogate.worker.loop import Loop
from ssogate.worker.visitor import (
    BODY_SECONDS,
    HEAD_SECONDS,
    LINGER_SECONDS,
    MAX_HEAD,
    SLOWEST,
    Visitor,
)

KEEPALIVE = 5.0
FORM = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"


class Hall:
    """A worker with one visitor and no lane: every whole request is for the layers."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.loop, self.lane, self.answers = Loop(lambda: self._now), None, None
        self.alive, self.keepalive, self.max_head = True, KEEPALIVE, 8190
        self.handed: list[bytes] = []
        self.is_gone = False
        self.there, self._here = socket.socketpair()
        service: Any = self
        self.visitor = Visitor(service, self._here, ("192.0.2.1", 1), ("127.0.0.1", 80))

    def hand_over(self, visitor: Visitor, data: bytes, failure: object, *, refused: bool) -> None:
        self.handed.append(data)
        visitor.wire.release()

    def gone(self, visitor: Visitor) -> None:
        self.is_gone = True

    def come(self, data: bytes) -> None:
        """The visitor sends something, and the worker reads it."""
        self.there.sendall(data)
        self.loop.run_once(1)

    def wait(self, seconds: float) -> bool:
        """Let time pass; give whether the visitor is still there."""
        self._now += seconds
        self.loop.run_once(0)
        return not self.is_gone

    def answer(self, *, keep: bool) -> None:
        """The layers have answered."""
        self.visitor.back(self._here, b"", keep=keep)

    def close(self) -> None:
        self.visitor.close()
        self.loop.close()
        self.there.close()
        self._here.close()


@pytest.fixture
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.close()


def test_who_says_nothing_is_kept_as_long_as_an_idle_connection(hall: Hall) -> None:
    assert hall.wait(KEEPALIVE)
    assert not hall.wait(1.1)


def test_a_head_has_its_time_however_many_pieces_it_comes_in(hall: Hall) -> None:
    for _ in range(HEAD_SECONDS - 1):
        hall.come(b"G")
        assert hall.wait(1)
    hall.come(b"G")
    assert not hall.wait(2.1)
    assert hall.handed == []


LONG = 16 * SLOWEST
FORMS = pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: %d\r\n\r\n" % LONG, id="by length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % LONG, id="in chunks"),
    ],
)


@FORMS
def test_a_form_on_a_slow_line_has_its_time(hall: Hall, head: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + head
    hall.come(head)
    assert hall.wait(BODY_SECONDS - 1)
    for _ in range(8):
        hall.come(b"a" * SLOWEST)
        assert hall.wait(1)
    hall.come(b"a" * 8 * SLOWEST + b"\r\n0\r\n\r\n")
    assert hall.handed[0].startswith(head + b"a" * LONG)


@FORMS
def test_a_form_that_drips_in_is_given_up(hall: Hall, head: bytes) -> None:
    hall.come(b"POST / HTTP/1.1\r\nHost: a\r\n" + head)
    for _ in range(3):
        assert hall.wait(BODY_SECONDS / 3)
        hall.come(b"a" * 100)
    assert not hall.wait(2.1)
    assert hall.handed == []


def test_a_form_that_stops_is_given_up(hall: Hall) -> None:
    hall.come(FORM + b"a")
    assert hall.wait(BODY_SECONDS)
    assert not hall.wait(1.1)
    assert hall.handed == []


def test_who_was_answered_is_kept_for_a_next_request(hall: Hall) -> None:
    hall.come(FORM + b"a" * 9)
    hall.answer(keep=True)
    assert hall.wait(KEEPALIVE)
    assert not hall.wait(1.1)


def test_who_was_told_to_leave_has_a_moment_to_do_so(hall: Hall) -> None:
    hall.come(FORM + b"a" * 9)
    hall.answer(keep=False)
    assert hall.wait(LINGER_SECONDS)
    assert not hall.wait(1.1)


def test_a_visitor_in_a_thread_is_the_threads(hall: Hall) -> None:
    hall.come(FORM + b"a" * 9)
    assert hall.wait(10 * BODY_SECONDS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\nHost: a\r\n", id="a bare line feed"),
        pytest.param(b"hello\r\n", id="no request line"),
        pytest.param(b"GET / HTTP/2.0\r\n", id="another version"),
        pytest.param(b"\x16\x03\x01\r\n", id="TLS"),
    ],
)
def test_what_cannot_become_a_head_waits_for_nothing(hall: Hall, data: bytes) -> None:
    hall.come(data)

    assert hall.handed == [data]


def test_a_head_without_end_is_not_collected(hall: Hall) -> None:
    hall.come(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(MAX_HEAD // 65_536 + 1):
        hall.come(b"a" * 65_536)

    assert hall.there.recv(1000).startswith(b"HTTP/1.1 431 ")
    assert hall.handed == []


def test_what_has_come_is_seen_before_it_is_read(hall: Hall) -> None:
    """So that no connection is closed as idle on which a request waits."""
    assert not hall.visitor.wire.has_news()
    hall.there.sendall(b"G")
    assert hall.visitor.wire.has_news()
    hall.loop.run_once(1)
    assert not hall.visitor.wire.has_news()


def test_who_is_paused_for_a_servers_sake_has_all_the_time(hall: Hall) -> None:
    hall.visitor.pause()
    assert hall.wait(10 * BODY_SECONDS)
