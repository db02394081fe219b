"""A limit on all of a request, for threads: places and connections are waited for within it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import repeat

import pytest

from ssogate.upstream.connection import OutOfTime
from ssogate.upstream.forward import Body, Outgoing, relay
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import UpstreamSettings
from tests.upstream.scripted import Scripted, Talk

Open = Callable[..., Upstream]
GET = Outgoing("GET", "/", ["Host: app.example"])
SOON = 30  # seconds; a half of what is waited for without the limit


@pytest.fixture
def app() -> Iterator[Open]:
    opened: list[Upstream] = []

    def open_app(*servers: str, **settings: object) -> Upstream:
        limits = {"total_timeout": 0.3, "queue_timeout": 60.0, "connect_timeout": 60.0, **settings}
        opened.append(UpstreamSettings.model_validate({"servers": servers, **limits}).open("app"))
        return opened[-1]

    yield open_app
    for it in opened:
        it.close()


def is_out_of_time(upstream: Upstream) -> bool:
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        relay(upstream, GET)
    assert not any(it.health.under_way for it in upstream.servers)
    return time.monotonic() - began < SOON


def test_the_wait_for_a_place_is_a_part_of_it(app: Open) -> None:
    with Scripted() as only:
        upstream = app(only.url, max_connections=1)
        pool = upstream.servers[0].pool
        held = pool.acquire()
        assert is_out_of_time(upstream)
        assert not upstream.servers[0].health.failures

        pool.finish(held, reusable=True)
        assert b"".join(relay(upstream, GET).body) == b"hello"


def test_so_is_a_connection_that_does_not_open_and_no_other_server_is_asked(app: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, Scripted() as other:
        ports = mute.getsockname()[1], other.port
        upstream = app(*(f"https://127.0.0.1:{port}" for port in ports))

        assert is_out_of_time(upstream)
        assert [it.health.failures for it in upstream.servers] == [1, 0]
        assert not other.connections


@pytest.mark.parametrize(
    ("body", "failures"),
    [pytest.param(None, 1, id="no body"), pytest.param(b"abc", 0, id="a body")],
)
def test_who_hangs_is_blamed_unless_the_visitor_may_have_been_slow(
    app: Open, body: bytes | None, failures: int
) -> None:
    def hang(talk: Talk) -> None:
        talk.read_request()
        talk.wait_for_hang_up()
        raise EOFError

    sent = body and Body(BytesIO(body).read, len(body), 10)
    with Scripted(scripts=repeat(repeat(hang))) as hung, Scripted() as other:
        upstream = app(hung.url, other.url)
        with pytest.raises(OutOfTime):
            relay(upstream, replace(GET, body=sent or None))

        assert upstream.servers[0].health.failures == failures
