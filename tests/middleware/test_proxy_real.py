"""The reverse proxy under real gunicorn workers: what only a real connection can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Gunicorn, RawClient, ask, request
from tests.upstream.scripted import Scripted, Step, Talk, chunked, ok

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    """What it answers is set by each test, for the connections that follow."""
    with Scripted(otherwise=None) as scripted:
        yield scripted


@pytest.fixture(scope="module", params=["gthread", "sync"])
def port(request: pytest.FixtureRequest, upstream: Scripted) -> Iterator[int]:
    # With more than one thread gunicorn makes gthread of sync.
    args = ("-k", request.param, "--threads", "2" if request.param == "gthread" else "1")
    env = {"TEST_UPSTREAM": upstream.url}
    with Gunicorn("tests.middleware.served:app", *args, env=env) as server:
        yield server.port


def follow(upstream: Scripted, *steps: Step) -> None:
    """The next connection follows these steps and hangs up."""
    upstream.requests.clear()
    upstream.script_next(steps)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(chunked(b"x" * 10, end=b""), id="chunks"),
        pytest.param(ok(b"x" * 200_000)[:-1], id="length"),
    ],
)
def test_a_cut_answer_drops_the_connection(port: int, upstream: Scripted, answer: bytes) -> None:
    """G10: nothing that comes next may be taken for the rest."""
    follow(upstream, answer)
    found = ask(port, request(close=False))

    assert found.status == 200
    assert not found.complete


def test_an_early_refusal_of_an_upload_reaches_the_visitor(port: int, upstream: Scripted) -> None:
    def refuse(talk: Talk) -> None:
        talk.read_head()
        talk.send(ok(b"no", status="413 Content Too Large"))

    follow(upstream, refuse)
    found = ask(port, request(method="POST", body=b"x" * 2_000_000))

    assert (found.status, found.body) == (413, b"no")


@pytest.mark.parametrize("port", ["gthread"], indirect=True)  # sync keeps none
def test_both_connections_are_kept_through_chunks_both_ways(port: int, upstream: Scripted) -> None:
    before = upstream.connections
    follow(upstream, chunked(b"a" * 100, b"b" * 70_000), ok(b"got it"), ok(b"bye"))
    upload = b"%x\r\n%b\r\n0\r\n\r\n" % (300_000, b"x" * 300_000)
    with RawClient(port) as client:
        first = client.send(request(close=False)).answer()
        line = "Transfer-Encoding: chunked"
        second = client.send(request("/", line, method="POST", close=False) + upload).answer()
        third = client.send(request()).answer()

    assert (first.body, first.complete) == (b"a" * 100 + b"b" * 70_000, True)
    assert (second.body, third.body) == (b"got it", b"bye")
    assert upstream.requests[1].body == b"x" * 300_000
    assert upstream.connections == before + 1


@pytest.mark.parametrize(
    ("framing", "body", "code"),
    [
        pytest.param("Content-Length: 10", b"abc", "bad_body", id="cut short"),
        pytest.param("Transfer-Encoding: chunked", b"5\r\nabc", "bad_body", id="cut chunk"),
        pytest.param(
            "Transfer-Encoding: chunked", b"3\r\nabcX\r\n0\r\n\r\n", "bad_body", id="long"
        ),
        pytest.param("Transfer-Encoding: chunked", b"x\r\n", "bad_body", id="no chunk"),
        pytest.param("Transfer-Encoding: gzip, chunked", b"0\r\n\r\n", "coding_refused", id="gzip"),
    ],
)
def test_a_broken_body_is_refused_and_reaches_nobody(
    port: int, upstream: Scripted, framing: str, body: bytes, code: str
) -> None:
    """G6 to G8: gunicorn raises from `read`, reads short, or looks away."""
    before = upstream.connections
    with RawClient(port) as client:
        client.send(request("/", framing, method="POST", close=False) + body).finish()
        found = client.answer()

    assert found.status == (501 if code == "coding_refused" else 400)
    assert found.header("X-SSOGate-Error") == code
    assert upstream.connections == before
