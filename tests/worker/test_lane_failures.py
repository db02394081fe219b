"""Upstreams that misbehave behind a real worker: a page that says so, or a cut that can be seen;
never one visitor's bytes for another's."""

from __future__ import annotations

import pytest

from tests.gate import RunningGate
from tests.servers import RawClient
from tests.upstream.scripted import Talk, chunked, ok
from tests.worker.stage import (
    Page,
    Write,
    asked,
    hanging,
    hanging_up,
    is_unharmed,
    resetting,
)

pytestmark = pytest.mark.server

BEFORE_ITS_HEAD = [
    pytest.param(hanging_up(b""), id="a hang-up"),
    pytest.param(resetting(b""), id="a reset"),
    pytest.param(hanging_up(b"HTTP/1.1 200 OK\r\nContent-Le"), id="half a head"),
    pytest.param(hanging_up(b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="hints alone"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + ok(), id="interim without end"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="garbage"),
    pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx\r\n\r\n", id="bare line feeds"),
    pytest.param(ok(b"x", "Content-Length: 2"), id="two lengths"),
    pytest.param(ok(b"x", "Transfer-Encoding: chunked"), id="length and chunks"),
    pytest.param(ok(b"x", " folded: yes"), id="a folded line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, id="a head without end"),
    pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="a switch nobody wanted"),
]


@pytest.mark.parametrize("answer", BEFORE_ITS_HEAD)
def test_no_answer_is_told_as_such_and_the_connection_goes_on(
    client: RawClient, cookie: str, page: Write, answer: Page
) -> None:
    found = client.send(asked(page(answer), cookie)).answer()

    assert (found.status, found.complete) == (502, True)
    assert (found.header("X-SSOGate-Error") or "").startswith("upstream_")
    assert is_unharmed(client, cookie)


CUT = [
    pytest.param(hanging_up(ok(b"x" * 10)[:-1]), id="a byte too few"),
    pytest.param(hanging_up(ok(b"x" * 300_000)[:-100_000]), id="a third too few"),
    pytest.param(resetting(ok(b"x" * 300_000)[:-100_000]), id="a reset in the body"),
    pytest.param(hanging_up(chunked(b"x" * 10, end=b"")), id="no last chunk"),
    pytest.param(hanging_up(chunked(b"x" * 10, end=b"0\r\n")), id="no end of the trailers"),
    pytest.param(hanging_up(chunked(b"x" * 10)[:-8]), id="half a chunk"),
    pytest.param(resetting(chunked(b"x" * 10, end=b"")), id="a reset between chunks"),
    pytest.param(chunked(b"x", end=b"zz\r\n\r\n"), id="no size of a chunk"),
    pytest.param(chunked(b"x", end=b"-1\r\n\r\n"), id="a size below nothing"),
    pytest.param(chunked(b"x", end=b"1\r\nab\r\n0\r\n\r\n"), id="a chunk that is too long"),
    pytest.param(chunked(b"x", end=b"0\r\nX-A b\r\n\r\n"), id="a trailer that is none"),
]


@pytest.mark.parametrize("answer", CUT)
def test_a_cut_answer_is_seen_to_be_cut(
    gate: RunningGate, client: RawClient, cookie: str, page: Write, answer: Page
) -> None:
    """All in one piece may still become a 502; what was begun never ends as if it were whole."""
    try:
        found = client.send(asked(page(answer), cookie)).answer()
    except EOFError:
        pass
    else:
        assert (found.status, found.complete) in ((502, True), (200, False))
        assert found.status == 502 or client.is_closed()
    with RawClient(gate.port) as other:
        assert is_unharmed(other, cookie)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(b"x" * 10, id="some bytes"),
        pytest.param(ok(b"somebody else's"), id="another answer"),
        pytest.param(b"\r\n", id="an empty line"),
    ],
)
@pytest.mark.parametrize(
    "first", [pytest.param(ok(b"a"), id="length"), pytest.param(chunked(b"a"), id="chunks")]
)
def test_what_follows_an_answer_is_nobodys(
    client: RawClient, cookie: str, page: Write, first: bytes, extra: bytes
) -> None:
    talks = []

    def answer(talk: Talk) -> None:
        talks.append(talk)
        talk.read_request()
        talk.send(first + extra)

    for _ in range(2):
        found = client.send(asked(page(answer), cookie)).answer()
        assert (found.body, found.complete) == (b"a", True)
        assert is_unharmed(client, cookie)
    assert talks[0] is not talks[1], "the rest of it may still be to come"


def test_a_connection_that_died_while_it_was_idle_costs_no_get(
    client: RawClient, cookie: str, page: Write
) -> None:
    def once(talk: Talk) -> None:
        talk.read_request()
        talk.send(ok(b"a"))
        raise EOFError

    for _ in range(20):
        assert client.send(asked(page(once), cookie)).answer().body == b"a"


def test_an_upstream_that_does_not_answer_is_waited_for_and_no_longer(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    with RawClient(gate.port, timeout=20) as client:
        found = client.send(asked(page(hanging), cookie)).answer()

        assert (found.status, found.header("X-SSOGate-Error")) == (504, "upstream_timeout")
        assert is_unharmed(client, cookie)
