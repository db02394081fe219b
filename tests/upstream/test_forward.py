"""Relaying, the upstream misbehaving: what is passed on is whole, and each visitor's own."""

from __future__ import annotations

import errno
import io
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ssogate.errors import (
    BadBody,
    BadHeaders,
    BodyTooLarge,
    GateError,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ssogate.upstream.connection import BLOCK
from ssogate.upstream.forward import Answer, Body, Outgoing, UpstreamCut, relay
from ssogate.upstream.route import Upstream
from ssogate.upstream.settings import UpstreamSettings
from tests.upstream.scripted import Scripted, Step, Talk, chunked, ok

MIB = 2**20


@pytest.fixture
def upstreams() -> Iterator[Callable[..., Upstream]]:
    opened: list[Upstream] = []

    def open_app(upstream: Scripted | str, **settings: object) -> Upstream:
        url = upstream if isinstance(upstream, str) else upstream.url
        quick = {"connect_timeout": 2.0, "read_timeout": 2.0, "write_timeout": 2.0, **settings}
        opened.append(UpstreamSettings.model_validate({"url": url, **quick}).open("app"))
        return opened[-1]

    yield open_app
    for app in opened:
        app.close()


Upstreams = Callable[..., Upstream]


def get(path: str = "/", method: str = "GET", body: Body | None = None) -> Outgoing:
    return Outgoing(method, path, ["Host: app.example"], body)


def post(data: bytes, *, declared: int | None = -1, limit: int = 2**30) -> Outgoing:
    length = len(data) if declared == -1 else declared
    return get(method="POST", body=Body(io.BytesIO(data).read, length, limit))


def whole(answer: Answer) -> bytes:
    return b"".join(answer.body)


def close(answer: Answer) -> None:
    answer.body.close()  # type: ignore[attr-defined]


# --- Connections are kept, and only clean ones ------------------------------------------------


def test_a_connection_is_used_again_and_again(upstreams: Upstreams) -> None:
    with Scripted(otherwise=ok(b"hello")) as upstream:
        app = upstreams(upstream)
        bodies = [whole(relay(app, get(f"/{number}"))) for number in range(20)]

        assert bodies == [b"hello"] * 20
        assert upstream.connections == 1
        assert [seen.line for seen in upstream.requests] == [
            f"GET /{number} HTTP/1.1" for number in range(20)
        ]


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        pytest.param("GET", ok(b"x" * 300_000), b"x" * 300_000, id="long body"),
        pytest.param("GET", chunked(b"ab", b"cd"), b"abcd", id="chunks"),
        pytest.param("GET", chunked(*[b"x" * 70_000] * 3), b"x" * 210_000, id="long chunks"),
        pytest.param(
            "GET", chunked(b"ab", end=b"0;x=y\r\nX-Sum: 1\r\n\r\n"), b"ab", id="trailers dropped"
        ),
        pytest.param("GET", ok(b""), b"", id="empty body"),
        pytest.param("HEAD", ok(b"")[:-1] + b"\n", b"", id="HEAD"),
        pytest.param(
            "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"", id="HEAD with a length"
        ),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
        pytest.param(
            "GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b"", id="304"
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(b"hi"),
            b"hi",
            id="interim answers skipped",
        ),
    ],
)
def test_a_whole_answer_leaves_the_connection_clean(
    upstreams: Upstreams, method: str, answer: bytes, body: bytes
) -> None:
    with Scripted(scripts=[[answer, ok(b"next")]]) as upstream:
        app = upstreams(upstream)

        assert whole(relay(app, get(method=method))) == body
        assert whole(relay(app, get())) == b"next"
        assert upstream.connections == 1


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        pytest.param("GET", ok(b"hi", "Connection: close"), b"hi", id="Connection: close"),
        pytest.param("GET", ok(b"hi").replace(b"1.1", b"1.0", 1), b"hi", id="HTTP/1.0"),
        pytest.param("GET", ok(b"hi") + b"!", b"hi", id="one byte too many"),
        pytest.param("GET", ok(b"hi") + ok(b"forged"), b"hi", id="a second answer"),
        pytest.param("GET", chunked(b"hi") + ok(b"forged"), b"hi", id="a second one after chunks"),
        pytest.param("HEAD", ok(b"hi"), b"", id="HEAD with a body"),
        pytest.param("GET", b"HTTP/1.1 304 x\r\n\r\nbody", b"", id="304 with a body"),
        pytest.param(
            "GET", b"HTTP/1.1 204 x\r\nContent-Length: 4\r\n\r\n", b"", id="204 that promises one"
        ),
    ],
)
def test_an_answer_that_may_leave_something_behind_costs_its_connection(
    upstreams: Upstreams, method: str, answer: bytes, body: bytes
) -> None:
    """G12: the next visitor must never read what was left of the last one's answer."""
    with Scripted(scripts=[[answer, ok(b"never asked")]], otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream)

        assert whole(relay(app, get("/ann", method))) == body
        assert whole(relay(app, get("/bob"))) == b"bob's"
        assert upstream.connections == 2


def test_bytes_that_come_while_a_connection_idles_are_nobodys_answer(upstreams: Upstreams) -> None:
    talks: list[Talk] = []

    def answer_and_stay(talk: Talk) -> None:
        talks.append(talk)
        talk.read_request()
        talk.send(ok(b"ann's"))
        talk.wait_for_hang_up()

    with Scripted(scripts=[[answer_and_stay]], otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream)
        assert whole(relay(app, get("/ann"))) == b"ann's"
        talks[0].send(ok(b"ann's secret"))

        assert whole(relay(app, get("/bob"))) == b"bob's"
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", id="bare LF"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\nhi",
            id="two lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="length and chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi", id="gzip"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="head cut short"),
        pytest.param(b"H", id="one byte"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="nothing after an interim answer"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + ok(), id="too many interim answers"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="101"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", id="endless head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", id="folded line"),
        pytest.param(b"<html>hello</html>\r\n\r\n", id="no head at all"),
        pytest.param(chunked(end=b"x\r\n"), id="malformed first chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", id="body that never starts"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="chunks that never start"
        ),
    ],
)
def test_a_malformed_answer_is_refused_whole_and_spoils_nobodys_next(
    upstreams: Upstreams, answer: bytes
) -> None:
    with Scripted(scripts=[[answer]], otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream, max_connections=1)

        with pytest.raises(UpstreamInvalid):
            relay(app, get("/ann"))
        assert whole(relay(app, get("/bob"))) == b"bob's"
        assert upstream.connections == 2


# --- A dead connection ------------------------------------------------------------------------


def hang_up_on_the_next(talk: Talk) -> None:
    """Take a request and hang up: the race that looking at the wire cannot see."""
    talk.read_request()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_harmless_request_is_repeated_once_when_an_idle_connection_was_dead(
    upstreams: Upstreams, method: str
) -> None:
    script: list[Step] = [ok(b""), hang_up_on_the_next]
    with Scripted(scripts=[script], otherwise=ok(b"")) as upstream:
        app = upstreams(upstream)
        relay(app, get("/first"))

        assert relay(app, get("/second", method)).status == 200
        assert [seen.line for seen in upstream.requests] == [
            "GET /first HTTP/1.1",
            f"{method} /second HTTP/1.1",
            f"{method} /second HTTP/1.1",
        ]
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(get(method="POST"), id="POST without body"),
        pytest.param(get(method="DELETE"), id="DELETE"),
        pytest.param(get(method="PUT"), id="PUT"),
        pytest.param(post(b"pay"), id="POST"),
        pytest.param(get(body=Body(io.BytesIO(b"x").read, 1, 9)), id="GET with a body"),
    ],
)
def test_a_request_that_may_have_done_something_is_never_sent_twice(
    upstreams: Upstreams, request_: Outgoing
) -> None:
    script: list[Step] = [ok(b""), hang_up_on_the_next]
    with Scripted(scripts=[script]) as upstream:
        app = upstreams(upstream)
        relay(app, get())

        with pytest.raises(UpstreamUnreachable):
            relay(app, request_)
        assert len(upstream.requests) == 2


def test_nothing_is_repeated_on_a_fresh_connection_or_after_a_byte_of_answer(
    upstreams: Upstreams,
) -> None:
    def answer_a_byte(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"H")

    with Scripted(scripts=[[hang_up_on_the_next], [ok(), answer_a_byte]]) as upstream:
        app = upstreams(upstream)

        with pytest.raises(UpstreamUnreachable):
            relay(app, get())
        whole(relay(app, get()))
        with pytest.raises(UpstreamInvalid):
            relay(app, get())
        assert len(upstream.requests) == 3


def test_an_interim_answer_counts_as_a_byte_of_answer(upstreams: Upstreams) -> None:
    with Scripted(scripts=[[ok(), b"HTTP/1.1 103 Early Hints\r\n\r\n"]]) as upstream:
        app = upstreams(upstream)
        whole(relay(app, get()))

        with pytest.raises(UpstreamInvalid):
            relay(app, get())
        assert len(upstream.requests) == 2


def test_a_connection_that_was_closed_while_idle_is_noticed_before_a_post(
    upstreams: Upstreams,
) -> None:
    with Scripted(scripts=[[ok()]], otherwise=ok(b"posted")) as upstream:
        app = upstreams(upstream)
        whole(relay(app, get()))
        upstream.wait_for_end_of(0)

        assert whole(relay(app, post(b"x"))) == b"posted"
        assert upstream.connections == 2


# --- Answers that are cut ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ok(b"x" * 100)[:-1], id="length"),
        pytest.param(ok(b"x" * 200_000)[:-1], id="long body"),
        pytest.param(chunked(b"abc", end=b""), id="no last chunk"),
        pytest.param(chunked(b"abc", end=b"0\r\n"), id="no end of trailers"),
        pytest.param(chunked(b"abc", end=b"5\r\nhel"), id="half a chunk"),
        pytest.param(chunked(b"x" * 200_000, end=b"zz\r\n"), id="malformed second chunk"),
    ],
)
def test_a_cut_answer_is_never_shown_as_whole(
    upstreams: Upstreams, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Scripted(scripts=[[answer]], otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream, max_connections=1)
        body = iter(relay(app, get()).body)

        with caplog.at_level(logging.WARNING), pytest.raises(UpstreamCut) as cut:
            list(body)
        assert cut.value.errno == errno.ECONNRESET
        assert len(caplog.records) == 1
        assert whole(relay(app, get())) == b"bob's"


def test_an_answer_up_to_the_close_is_whole_and_its_connection_gone(upstreams: Upstreams) -> None:
    with Scripted(scripts=[[b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000]]) as upstream:
        app = upstreams(upstream)

        assert whole(relay(app, get())) == b"x" * 100_000
        assert whole(relay(app, get())) == b"hello"
        assert upstream.connections == 2


def test_a_visitor_who_leaves_early_closes_the_upstream_and_frees_the_slot(
    upstreams: Upstreams,
) -> None:
    ended: list[bool] = []

    def endless(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                talk.send(b"4\r\ntick\r\n")
        except OSError:
            ended.append(True)

    with Scripted(scripts=[[endless]]) as upstream:
        app = upstreams(upstream, max_connections=1, queue_timeout=0.1)
        answer = relay(app, get())
        assert next(iter(answer.body)).startswith(b"tick")
        with pytest.raises(UpstreamBusy):
            relay(app, get())
        close(answer)

        assert whole(relay(app, get())) == b"hello"
    assert ended == [True]


def test_an_answer_that_nobody_begins_to_read_can_be_closed(upstreams: Upstreams) -> None:
    with Scripted(scripts=[[ok(b"x" * 200_000)]]) as upstream:
        app = upstreams(upstream, max_connections=1, queue_timeout=0.1)
        close(relay(app, get()))

        assert whole(relay(app, get())) == b"hello"


# --- Time -------------------------------------------------------------------------------------


def silence(talk: Talk) -> None:
    talk.read_head()
    talk.read_head()  # until the other side hangs up


def dripping(talk: Talk) -> None:
    talk.read_head()
    talk.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        talk.send(b"A: b\r\n")
        talk.sock.settimeout(0.02)
        try:
            talk.read_head()
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(silence, id="no answer"),
        pytest.param(dripping, id="a head that comes line by line, for ever"),
    ],
)
def test_an_upstream_that_does_not_answer_times_out(upstreams: Upstreams, step: Step) -> None:
    with Scripted(scripts=[[step]]) as upstream:
        app = upstreams(upstream, read_timeout=0.2)

        with pytest.raises(UpstreamTimeout):
            relay(app, get())
        assert whole(relay(app, get())) == b"hello"


def test_a_body_that_stalls_is_cut(upstreams: Upstreams) -> None:
    def stall(talk: Talk) -> None:
        talk.read_request()
        talk.send(ok(b"x" * 10)[:-1])
        talk.read_head()

    with Scripted(scripts=[[stall]]) as upstream, pytest.raises(UpstreamCut):
        whole(relay(upstreams(upstream, read_timeout=0.2), get()))


def test_an_upload_that_is_not_taken_times_out(upstreams: Upstreams) -> None:
    def stall(talk: Talk) -> None:
        talk.read_head()
        talk.wait_for_hang_up()

    with Scripted(scripts=[[stall]]) as upstream:
        app = upstreams(upstream, write_timeout=0.2, read_timeout=0.2)
        with pytest.raises(UpstreamTimeout):
            relay(app, post(b"x" * 40 * MIB))
        whole(relay(app, get()))


def test_nobody_listening_is_unreachable(upstreams: Upstreams, tmp_path: Path) -> None:
    with Scripted() as upstream:
        url = upstream.url
    for gone in (url, f"http+unix:{tmp_path}/none.sock", "http://name.invalid:80"):
        with pytest.raises(UpstreamUnreachable):
            relay(upstreams(gone, max_connections=1), get())


# --- Uploads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "declared", "framing"),
    [
        pytest.param(b"", 0, ("0", None), id="empty"),
        pytest.param(b"abc", 3, ("3", None), id="small"),
        pytest.param(b"a" * 300_000, 300_000, ("300000", None), id="long"),
        pytest.param(b"", None, ("0", None), id="empty, of unknown length"),
        pytest.param(b"abc", None, ("3", None), id="small, of unknown length"),
        pytest.param(b"a" * BLOCK, None, (None, "chunked"), id="one block, of unknown length"),
        pytest.param(b"a" * 300_000, None, (None, "chunked"), id="long, of unknown length"),
    ],
)
def test_a_body_arrives_framed_by_us_and_leaves_the_connection_clean(
    upstreams: Upstreams, data: bytes, declared: int | None, framing: tuple[str | None, str | None]
) -> None:
    with Scripted() as upstream:
        app = upstreams(upstream)
        whole(relay(app, post(data, declared=declared)))
        whole(relay(app, get()))
        first = upstream.requests[0]

        assert first.body == data
        lengths, codings = first.all("Content-Length"), first.all("Transfer-Encoding")
        assert (lengths, codings) == tuple([value] if value else [] for value in framing)
        assert upstream.connections == 1


class Pieces:
    """A `wsgi.input` that gives `size` bytes, few at a time, and may then raise."""

    def __init__(self, size: int, *, piece: int = BLOCK, error: Exception | None = None) -> None:
        self.left, self.piece, self.error = size, piece, error
        self.content = b"x" * piece

    def read(self, size: int) -> bytes:
        if not self.left and self.error is not None:
            raise self.error
        given = min(size, self.piece, self.left)
        self.left -= given
        return self.content[:given]


def test_short_reads_are_put_together(upstreams: Upstreams) -> None:
    with Scripted() as upstream:
        body = Body(Pieces(1000, piece=7).read, 1000, MIB)
        whole(relay(upstreams(upstream), get(method="POST", body=body)))

        assert upstream.requests[0].body == b"x" * 1000


@pytest.mark.parametrize("declared", [3, 300_000, 2**60], ids=["small", "long", "absurd"])
def test_a_body_that_ends_early_is_refused_and_its_connection_dropped(
    upstreams: Upstreams, declared: int
) -> None:
    """G7: gunicorn gives a cut body as a short read, without an error."""
    with Scripted(otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream, max_connections=1)
        with pytest.raises(BadBody):
            relay(app, post(b"x" * min(declared - 1, 250_000), declared=declared, limit=2**62))

        assert whole(relay(app, get())) == b"bob's"
        # A body that never got beyond the first block never reached the upstream at all.
        assert upstream.connections == (1 if declared == 3 else 2)
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("size", [0, 10, 300_000])
@pytest.mark.parametrize("length", [None, 400_000], ids=["chunked", "sized"])
def test_a_body_that_cannot_be_read_is_the_visitors_mistake(
    upstreams: Upstreams, size: int, length: int | None
) -> None:
    """G6: gunicorn raises its own classes from within `read`."""
    with Scripted(otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream, max_connections=1)
        for error in (RuntimeError("InvalidChunkSize"), ConnectionResetError(), TimeoutError()):
            body = Body(Pieces(size, error=error).read, length, MIB)
            with pytest.raises(BadBody):
                relay(app, get(method="POST", body=body))

        assert whole(relay(app, get())) == b"bob's"
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("declared", "reached"),
    [pytest.param(300_000, 1, id="declared"), pytest.param(None, 2, id="found out on the way")],
)
def test_a_body_above_the_limit_is_refused(
    upstreams: Upstreams, declared: int | None, reached: int
) -> None:
    with Scripted() as upstream:
        app = upstreams(upstream, max_connections=1)
        with pytest.raises(BodyTooLarge):
            relay(app, post(b"x" * 300_000, declared=declared, limit=200_000))
        whole(relay(app, post(b"x" * 200_000, declared=None, limit=200_000)))

        assert upstream.connections == reached
        assert len(upstream.requests) == 1


def early(answer: bytes, *, closes: bool) -> Step:
    def step(talk: Talk) -> None:
        talk.read_head()
        talk.send(answer)
        if not closes:
            talk.wait_for_hang_up()

    return step


@pytest.mark.parametrize("declared", [-1, None], ids=["sized", "chunked"])
@pytest.mark.parametrize("closes", [True, False], ids=["and hangs up", "and waits"])
def test_an_early_answer_ends_the_upload(
    upstreams: Upstreams, declared: int | None, closes: bool
) -> None:
    answer = ok(b"too large", status="413 Content Too Large")
    with Scripted(scripts=[[early(answer, closes=closes)]], otherwise=ok(b"bob's")) as upstream:
        app = upstreams(upstream, max_connections=1)
        request = post(b"x" * 60 * MIB, declared=declared)
        found = relay(app, request)

        assert (found.status, whole(found)) == (413, b"too large")
        assert whole(relay(app, get())) == b"bob's"
        assert upstream.connections == 2


def test_an_upstream_that_hangs_up_during_an_upload_is_unreachable(upstreams: Upstreams) -> None:
    def hang_up(talk: Talk) -> None:
        talk.read_head()  # and closes, with most of the body unread: a reset

    with Scripted(scripts=[[hang_up]]) as upstream:
        app = upstreams(upstream, max_connections=1)
        with pytest.raises(UpstreamUnreachable):
            relay(app, post(b"x" * 20 * MIB))

        assert whole(relay(app, get())) == b"hello"


def test_an_interim_answer_does_not_end_the_upload(upstreams: Upstreams) -> None:
    def encourage(talk: Talk) -> None:
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        talk.read_request()
        talk.send(b"HTTP/1.1 102 Processing\r\n\r\n" + ok(b"got it"))

    with Scripted(scripts=[[encourage, ok(b"next")]]) as upstream:
        app = upstreams(upstream)

        assert whole(relay(app, post(b"x" * 20 * MIB))) == b"got it"
        assert whole(relay(app, get())) == b"next"
        assert len(upstream.requests[0].body) == 20 * MIB


@pytest.mark.parametrize("length", [200 * MIB, None], ids=["sized", "chunked"])
def test_200_mib_go_up_at_flat_memory(upstreams: Upstreams, length: int | None) -> None:
    def count(talk: Talk) -> None:
        talk.read_request(keep_body=False)
        talk.send(ok(b"done"))

    with Scripted(scripts=[[count]]) as upstream:
        body = Body(Pieces(200 * MIB, piece=BLOCK).read, length, 2**30)
        peak = peak_memory(lambda: whole(relay(upstreams(upstream), get(method="PUT", body=body))))

        assert upstream.requests[0].framed_bytes == 200 * MIB
        assert peak < 4 * MIB  # the upstream's own buffers are counted, too


@pytest.mark.parametrize("form", ["sized", "chunked", "closing"])
def test_200_mib_come_down_at_flat_memory(upstreams: Upstreams, form: str) -> None:
    block = b"x" * MIB
    head = {
        "sized": b"Content-Length: %d\r\n" % (200 * MIB),
        "chunked": b"Transfer-Encoding: chunked\r\n",
        "closing": b"",
    }[form]
    sent = b"%x\r\n%b\r\n" % (MIB, block) if form == "chunked" else block

    def pour(talk: Talk) -> None:
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        for _ in range(200):
            talk.send(sent)
        if form == "chunked":
            talk.send(b"0\r\n\r\n")

    def drain() -> None:
        received.append(sum(map(len, relay(upstreams(upstream), get()).body)))

    received: list[int] = []
    with Scripted(scripts=[[pour]]) as upstream:
        assert peak_memory(drain) < 4 * MIB
    assert received == [200 * MIB]


def peak_memory(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- The rest ---------------------------------------------------------------------------------


def test_a_unix_socket_is_an_upstream_like_any_other(upstreams: Upstreams, tmp_path: Path) -> None:
    with Scripted(unix_path=str(tmp_path / "app.sock")) as upstream:
        app = upstreams(upstream)

        assert [whole(relay(app, get())) for _ in range(3)] == [b"hello"] * 3
        assert upstream.connections == 1


def test_what_cannot_be_written_takes_no_connection(upstreams: Upstreams) -> None:
    with Scripted() as upstream:
        with pytest.raises(BadHeaders):
            relay(upstreams(upstream), Outgoing("GET", "/", ["A: b\r\nEvil: c"]))

        assert upstream.connections == 0


def test_every_refusal_gives_its_slot_back(upstreams: Upstreams) -> None:
    failures: list[Callable[[Upstream], object]] = [
        partial(relay, request=post(b"x", declared=2)),
        partial(relay, request=post(b"x" * 300_000, declared=300_001)),
        partial(relay, request=post(b"xx", limit=1)),
        partial(relay, request=get()),
    ]
    with Scripted(otherwise=b"nonsense\r\n\r\n") as upstream:
        app = upstreams(upstream, max_connections=1, queue_timeout=0.0)
        for failure in failures * 2:
            with pytest.raises(GateError) as refused:
                failure(app)
            assert not isinstance(refused.value, UpstreamBusy)
