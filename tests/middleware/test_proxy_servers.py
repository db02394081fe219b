"""The proxy with several servers behind it, some of which die: what visitors notice of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.upstream.forward import Outgoing, relay
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import RouteSettings, UpstreamSettings, open_routes
from tests.middleware.test_proxy import Gate, Response
from tests.upstream.scripted import Scripted, Talk, chunked, ok

Open = Callable[..., tuple[Gate, Upstream]]


@pytest.fixture
def gate() -> Iterator[Open]:
    with ExitStack() as ends:

        def open_gate(*servers: Scripted, **more: Any) -> tuple[Gate, Upstream]:
            written = {
                "servers": [it.url for it in servers],
                "connect_timeout": 2.0,
                "read_timeout": 2.0,
                "max_failures": 2,
                "ejected_for": 60.0,
                **more,
            }
            settings = {"app": UpstreamSettings.model_validate(written)}
            table = open_routes([RouteSettings(upstream="app")], settings, DEFAULT_HEADERS)
            to = table.routes[0].to
            assert isinstance(to, Upstream)
            ends.callback(to.close)
            return Gate(table), to

        yield open_gate


def under_way(upstream: Upstream) -> list[int]:
    return [len(server.health.under_way) for server in upstream.servers]


def told(response: Response) -> tuple[int, str | None]:
    return response.status, response.code


def test_requests_are_spread_over_all_servers(gate: Open) -> None:
    with Scripted() as a, Scripted() as b, Scripted() as c:
        asked, upstream = gate(a, b, c)
        for _ in range(9):
            assert asked.ask().status == 200

        assert [len(it.requests) for it in (a, b, c)] == [3, 3, 3]
        assert under_way(upstream) == [0, 0, 0]


class Held:
    """A request that a server has, and does not answer."""

    def __init__(self, gate: Gate) -> None:
        self.reached = threading.Event()
        self._answers: list[Response] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(gate.ask("/held")))

    def begin(self) -> None:
        self._thread.start()
        assert self.reached.wait(5)

    def script(self, talk: Talk) -> None:
        talk.read_request()
        self.reached.set()
        talk.wait_for_hang_up()

    def answer(self) -> Response:
        self._thread.join(10)
        return self._answers[0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_a_killed_server_only_the_visitor_notices_whose_request_was_under_way(
    gate: Open, method: str
) -> None:
    body = b"x" * 100 if method == "POST" else None
    with Scripted(otherwise=ok(b"b")) as b:
        with Scripted(otherwise=ok(b"a")) as a:
            asked, upstream = gate(a, b)
            held = Held(asked)
            a.script_next([held.script])
            held.begin()
            assert under_way(upstream) == [1, 0]
            # Who is busy is spared; then both idle, so that a has connections that will break.
            assert [asked.ask(method=method, body=body).body for _ in range(3)] == [b"b"] * 3
        assert told(held.answer()) == (502, "upstream_unreachable")

        for _ in range(10):
            assert asked.ask(method=method, body=body).body == b"b"
        first, _ = upstream.servers
        assert first.health.out
        assert under_way(upstream) == [0, 0]


def test_a_server_killed_while_many_ask_costs_what_was_under_way_at_most(gate: Open) -> None:
    failed: list[list[Response]] = [[], [], [], []]
    with Scripted() as b, ExitStack() as alive:
        a = alive.enter_context(Scripted())
        asked, upstream = gate(a, b)

        def visit(mine: list[Response]) -> None:
            for number in range(60):
                response = asked.ask(method="POST", body=b"%d" % number)
                if response.status != 200:
                    mine.append(response)

        threads = [threading.Thread(target=visit, args=(mine,)) for mine in failed]
        for thread in threads:
            thread.start()
        while len(a.requests) < 20:
            time.sleep(0.001)
        alive.close()
        for thread in threads:
            thread.join(20)

        assert sum(map(len, failed)) <= len(threads)  # each has one request under way
        assert under_way(upstream) == [0, 0]


def test_when_all_are_killed_visitors_are_told_so_without_delay_until_one_is_back(
    gate: Open,
) -> None:
    with Scripted() as a, Scripted() as b:
        asked, upstream = gate(a, b, ejected_for=0.3)
        assert asked.ask().status == 200
        ports = a.port, b.port
    assert told(asked.ask()) == (502, "upstream_unreachable")
    assert told(asked.ask()) == (502, "upstream_unreachable")
    out = asked.ask()
    assert told(out) == (503, "upstream_down")
    assert out.all("Retry-After") == ["10"]
    assert under_way(upstream) == [0, 0]

    with Scripted(at=ports[1], otherwise=ok(b"back")):
        deadline = time.monotonic() + 10
        while (response := asked.ask()).status != 200:
            assert response.status in (502, 503)
            assert time.monotonic() < deadline
        assert response.body == b"back"
        assert [asked.ask().status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        pytest.param(Talk.wait_for_hang_up, 504, "upstream_timeout", id="silence"),
        pytest.param(b"nonsense\r\n\r\n", 502, "upstream_invalid", id="garbage"),
        pytest.param(lambda talk: talk.read_request(), 502, "upstream_unreachable", id="hangs up"),
    ],
)
def test_no_visitor_can_have_the_only_server_put_out(
    gate: Open, step: Any, status: int, code: str
) -> None:
    """Some page of it may be slow, or broken: the others are not."""
    with Scripted(scripts=[[step]] * 5, otherwise=ok(b"well")) as only:
        asked, upstream = gate(only, read_timeout=0.1)
        assert [told(asked.ask()) for _ in range(5)] == [(status, code)] * 5

        assert asked.ask().body == b"well"
        assert under_way(upstream) == [0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ok(status="500 Internal Server Error"), id="500"),
        pytest.param(ok(status="503 Service Unavailable"), id="503"),
        pytest.param(ok(status="404 Not Found"), id="404"),
    ],
)
def test_an_error_page_is_an_answer(gate: Open, answer: bytes) -> None:
    with Scripted(otherwise=answer) as only:
        asked, _ = gate(only)
        statuses = {asked.ask().status for _ in range(10)}

        assert statuses == {int(answer[9:12])}
        assert len(only.requests) == 10


def test_a_visitors_own_mistakes_put_no_server_out(gate: Open) -> None:
    def hang_up(talk: Talk) -> None:
        talk.read_head()

    with Scripted(scripts=[[hang_up]] * 8) as only:
        asked, upstream = gate(only)
        for _ in range(4):  # an upload that breaks off, and one that the application cuts off
            cut = asked.ask(method="POST", body=b"x" * 100_000, CONTENT_LENGTH="200000")
            assert told(cut) == (400, "bad_body")
            large = asked.ask(method="POST", body=b"x" * 20_000_000)
            assert told(large) == (502, "upstream_unreachable")

        assert asked.ask("/fine").status == 200
        assert under_way(upstream) == [0]


def test_a_busy_server_is_not_a_broken_one(gate: Open) -> None:
    with Scripted() as only:
        asked, upstream = gate(only, max_connections=1, queue_timeout=0.0)
        held = Held(asked)
        only.script_next([held.script])
        held.begin()
        assert [told(asked.ask()) for _ in range(5)] == [(503, "upstream_busy")] * 5
        assert under_way(upstream) == [1]
        assert not upstream.servers[0].health.failures
    held.answer()


def test_a_stream_counts_as_under_way_until_it_is_closed(gate: Open) -> None:
    seen: list[list[int]] = []
    with Scripted(otherwise=chunked(b"a" * 100_000, b"b" * 100_000)) as a, Scripted() as b:
        asked, upstream = gate(a, b)
        answer = relay(upstream, Outgoing("GET", "/", ["Host: a"]))
        next(iter(answer.body))
        seen.append(under_way(upstream))
        assert [asked.ask().body for _ in range(3)] == [b"hello"] * 3
        answer.body.close()  # type: ignore[attr-defined]
        seen.append(under_way(upstream))

    assert seen == [[1, 0], [0, 0]]


def test_an_answer_that_breaks_off_frees_its_place(gate: Open) -> None:
    with Scripted(scripts=[[chunked(b"a" * 100_000, end=b"")]] * 5) as only:
        asked, upstream = gate(only)
        for _ in range(5):
            with pytest.raises(ConnectionResetError):
                asked.ask()

        assert under_way(upstream) == [0]
