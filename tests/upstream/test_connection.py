"""One connection: what only shows when both ends of the wire are in hand."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from ssogate.errors import UpstreamInvalid, UpstreamTimeout
from ssogate.upstream.connection import Connection, Silent

Wire = tuple[Connection, socket.socket]


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    opened: list[socket.socket] = []

    def open_wire(timeout: float = 2.0) -> Wire:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return Connection(lambda: ours, read_timeout=timeout, write_timeout=timeout), theirs

    yield open_wire
    for sock in opened:
        sock.close()


def test_a_request_that_nobody_takes_times_out(wire: Callable[..., Wire]) -> None:
    connection, _ = wire(0.1)

    with pytest.raises(UpstreamTimeout):
        connection.send(b"x" * 1_000_000)
    assert not connection.clean


def test_an_answer_right_behind_an_interim_one_ends_the_upload(wire: Callable[..., Wire]) -> None:
    connection, theirs = wire()
    theirs.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 413 Too Large\r\n\r\n")

    early = connection.upload(b"x" * 1_000_000, "POST")
    assert early is not None
    assert early.status == 413


def test_interim_answers_do_not_hold_an_upload_for_ever(wire: Callable[..., Wire]) -> None:
    connection, theirs = wire()
    theirs.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)

    with pytest.raises(UpstreamInvalid):
        connection.upload(b"x" * 1_000_000, "POST")


def test_a_hang_up_during_an_upload_is_no_answer(wire: Callable[..., Wire]) -> None:
    connection, theirs = wire()
    connection.send(b"x")
    theirs.shutdown(socket.SHUT_WR)

    with pytest.raises(Silent):
        connection.upload(b"x" * 1_000_000, "POST")


def test_a_wire_is_quiet_until_anything_happens_on_it(wire: Callable[..., Wire]) -> None:
    connection, theirs = wire()
    assert connection.quiet()
    theirs.sendall(b"H")
    assert not connection.quiet()

    connection, theirs = wire()
    theirs.close()
    assert not connection.quiet()
