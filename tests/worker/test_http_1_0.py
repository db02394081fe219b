"""HTTP/1.0 in the lane: nginx speaks it to what is behind it, if nobody tells it otherwise."""

from __future__ import annotations

from collections import deque
from functools import partial

import pytest

from tests.gate import RunningGate
from tests.servers import RawClient
from tests.upstream.scripted import chunked
from tests.worker.stage import Page, Pages, Write, asked, hanging_up, is_unharmed, numbers

pytestmark = pytest.mark.server

KEEP = "Connection: keep-alive"


def old(path: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    return asked(path, *lines, method=method, body=body).replace(b"HTTP/1.1", b"HTTP/1.0", 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_ends_with_its_answer_unless_it_is_asked_to_stay(
    gate: RunningGate, upstream: Pages, cookie: str, method: str
) -> None:
    path, body = f"/old{next(numbers)}", b"a=b" if method == "POST" else b""
    with RawClient(gate.port) as client:
        for _ in range(2):
            found = client.send(old(path, cookie, KEEP, method=method, body=body)).answer()
            assert (found.status, found.body) == (200, path.encode())
            assert found.header("Connection") == "keep-alive"
        found = client.send(old(path, cookie, method=method, body=body)).answer()
        assert (found.status, found.body, found.header("Connection")) == (
            200,
            path.encode(),
            "close",
        )
        assert client.is_closed(within=10)
    assert {it.line for it in upstream.seen(path)} == {f"{method} {path} HTTP/1.1"}
    assert {it.body for it in upstream.seen(path)} == {body}


@pytest.mark.parametrize(
    "page_",
    [
        pytest.param(chunked(b"abc"), id="chunks"),
        pytest.param(chunked(b"abc" * 100_000), id="many chunks"),
        pytest.param(hanging_up(b"HTTP/1.1 200 OK\r\n\r\nabc"), id="up to the end"),
    ],
)
def test_a_body_of_unknown_length_ends_with_the_connection(
    gate: RunningGate, cookie: str, page: Write, page_: Page
) -> None:
    path = page(page_)
    with RawClient(gate.port) as client:
        data = client.send(old(path, cookie, KEEP)).rest()
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in head
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head
    assert body in {b"abc", b"abc" * 100_000}
    with RawClient(gate.port) as client:
        assert is_unharmed(client, cookie)


def test_what_only_http_1_1_has_is_not_for_the_lane(gate: RunningGate, cookie: str) -> None:
    for lines in (["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", KEEP]):
        with RawClient(gate.port) as client:
            client.send(old("/x", cookie, *lines, method="POST") + b"0\r\n\r\n")
            assert client.answer().status == 400
    with RawClient(gate.port) as client:
        client.send(old("/x", cookie, "Expect: 100-continue", "Content-Length: 3", method="POST"))
        client.send(b"abc")
        assert client.answer().body == b"/x"


def test_a_cut_answer_does_not_look_whole(gate: RunningGate, cookie: str, page: Write) -> None:
    path = page(hanging_up(chunked(b"abc", end=b"")))
    with RawClient(gate.port) as client:
        client.send(old(path, cookie))
        with pytest.raises(ConnectionResetError):
            deque(iter(partial(client._socket.recv, 65_536), b""))
