"""Row A10, facts G6 to G9: two readers never disagree about where a request ends.

What cannot be framed beyond doubt is refused and the connection closed: nothing that follows on it
is answered, and no upstream is sent a request that looks whole.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import HOST, Stage, new_link
from tests.servers import GONE, Answer, RawClient, answers, ask, raw, request

pytestmark = pytest.mark.server

SMUGGLED = b"GET /admin/smuggled HTTP/1.1\r\nHost: app.example\r\n\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded"
PLACES = ["/forms/x", "/app/pub/x", "/go/x", "/members/x", "/sso.php?mode=logout", "/_sso/health"]


def post(target: str, *lines: bytes, body: bytes = b"", host: str = HOST) -> bytes:
    head = [f"POST {target} HTTP/1.1".encode(), f"Host: {host}".encode(), FORM, *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def assert_closed(port: int, data: bytes, statuses: tuple[int, ...] = (400, 501)) -> Answer:
    """One refusal comes back, and then the connection ends."""
    with RawClient(port) as client:
        with suppress(*GONE):
            client.send(data)
        found = answers(client.rest())
    assert [answer.status in statuses for answer in found] == [True], found
    assert found[0].header("Set-Cookie") is None
    return found[0]


CL, TE = b"Content-Length: ", b"Transfer-Encoding: "
UNFRAMED = [
    pytest.param((CL + b"5", TE + b"chunked"), b"0\r\n\r\n", id="A10 CL and TE"),
    pytest.param((TE + b"chunked", CL + b"5"), b"0\r\n\r\n", id="A10 TE and CL"),
    pytest.param((CL + b"0", TE + b"chunked"), b"0\r\n\r\n", id="A10 CL of zero and TE"),
    pytest.param((CL + b"3", CL + b"3"), b"abc", id="A10 two CLs that agree"),
    pytest.param((CL + b"3", CL + b"4"), b"abcd", id="A10 two CLs"),
    pytest.param((CL + b"3, 3",), b"abc", id="A10 a list of CLs"),
    pytest.param((CL + b"+3",), b"abc", id="A10 CL with a plus"),
    pytest.param((CL + b"-3",), b"abc", id="A10 CL with a minus"),
    pytest.param((CL + b"0x3",), b"abc", id="A10 CL in hex"),
    pytest.param((CL + b"3_0",), b"abc", id="A10 CL with an underscore"),
    pytest.param((CL + b"\xb2",), b"abc", id="A10 CL of a superscript"),
    pytest.param((CL + b"3 3",), b"abc", id="A10 CL with a space"),
    pytest.param((CL,), b"abc", id="A10 empty CL"),
    pytest.param((CL + b"9" * 5000,), b"abc", id="A10 CL of 5000 digits"),
    pytest.param((b"Content-Length : 3",), b"abc", id="A10 CL, space, colon"),
    pytest.param((b"Content_Length: 3",), b"abc", id="A10 CL with an underscore in its name"),
    pytest.param((TE + b"xchunked",), b"0\r\n\r\n", id="A10 TE of another coding"),
    pytest.param((TE + b"chunked, identity",), b"0\r\n\r\n", id="A10 TE chunked, identity"),
    pytest.param((TE + b"chunked, chunked",), b"0\r\n\r\n", id="A10 TE chunked twice in a list"),
    pytest.param((TE + b"chunked", TE + b"chunked"), b"0\r\n\r\n", id="A10 two TEs"),
    pytest.param((TE + b"chunked", TE + b"identity"), b"0\r\n\r\n", id="A10 two odd TEs"),
    pytest.param((TE + b"chunked;x=1",), b"0\r\n\r\n", id="A10 TE with a parameter"),
    pytest.param((TE + b'"chunked"',), b"0\r\n\r\n", id="A10 TE in quotes"),
    pytest.param((TE + b"\x0bchunked",), b"0\r\n\r\n", id="A10 TE after a vertical tab"),
    pytest.param((TE + b"chunked\x00",), b"0\r\n\r\n", id="A10 TE with NUL"),
    pytest.param((TE + b"chunked\n",), b"0\r\n\r\n", id="A10 TE with LF"),
    pytest.param(
        (b"X: y\nTransfer-Encoding: chunked",), b"0\r\n\r\n", id="A10 TE behind a bare LF"
    ),
    pytest.param(
        (b"X: y\rTransfer-Encoding: chunked",), b"0\r\n\r\n", id="A10 TE behind a bare CR"
    ),
    pytest.param((b"Transfer-Encoding:\r\n chunked",), b"0\r\n\r\n", id="A10 TE in a folded line"),
    pytest.param((b"Transfer-Encoding : chunked",), b"0\r\n\r\n", id="A10 TE, space, colon"),
    pytest.param((b"Transfer_Encoding: chunked",), b"0\r\n\r\n", id="A10 TE with an underscore"),
    pytest.param((b" Transfer-Encoding: chunked",), b"0\r\n\r\n", id="A10 TE after a space"),
    pytest.param((TE + b"gzip",), b"", id="G8 TE gzip"),
    pytest.param((TE,), b"", id="A10 empty TE"),
]


@pytest.mark.parametrize(("lines", "body"), UNFRAMED)
@pytest.mark.parametrize("target", ["/forms/x", "/sso.php?mode=logout"])
def test_what_cannot_be_framed_is_refused_and_ends_the_connection(
    any_stage: Stage, target: str, lines: tuple[bytes, ...], body: bytes
) -> None:
    assert_closed(any_stage.gate.port, post(target, *lines, body=body) + SMUGGLED)
    assert any_stage.seen() == []


def test_a_coding_that_the_server_leaves_on_is_not_passed_on(any_stage: Stage) -> None:
    data = post("/forms/x", TE + b"gzip, chunked", body=b"3\r\nabc\r\n0\r\n\r\n")

    answer = ask(any_stage.gate.port, data)

    assert (answer.status, answer.header("X-SSOGate-Error")) == (501, "coding_refused")
    assert any_stage.seen() == []


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /pub/x HTTP/1.1\nHost: app.example\n\n", id="bare LF"),
        pytest.param(b"GET /pub/x HTTP/1.1\r\nHost: app.example\n\r\n", id="one bare LF"),
        pytest.param(b"GET /pub/x\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET /pub/x HTTP/2.0\r\nHost: app.example\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"GET /pub/x HTTP/1.10\r\nHost: app.example\r\n\r\n", id="HTTP/1.10"),
        pytest.param(b"GET /pub/x HTTP/1.1x\r\nHost: app.example\r\n\r\n", id="HTTP/1.1x"),
        pytest.param(b"GET /pub/x http/1.1\r\nHost: app.example\r\n\r\n", id="http in lower case"),
        pytest.param(b"GET  /pub/x HTTP/1.1\r\nHost: app.example\r\n\r\n", id="two spaces"),
        pytest.param(b"GET\t/pub/x\tHTTP/1.1\r\nHost: app.example\r\n\r\n", id="tabs"),
        pytest.param(b"GET /pub/x HTTP/1.1 \r\nHost: app.example\r\n\r\n", id="space at the end"),
        pytest.param(b" GET /pub/x HTTP/1.1\r\nHost: app.example\r\n\r\n", id="space in front"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="the preface of HTTP/2"),
        pytest.param(b"PROXY TCP4 1.2.3.4 5.6.7.8 9 80\r\nGET / HTTP/1.1\r\n\r\n", id="PROXY line"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"\x00\x00\x00\x00\r\n\r\n", id="NULs"),
        pytest.param(b"GET /pub/x HTTP/1.1\r\n\x00\r\n\r\n", id="a NUL for a header"),
    ],
)
def test_a_malformed_head_is_refused_and_ends_the_connection(any_stage: Stage, head: bytes) -> None:
    assert_closed(any_stage.gate.port, head + SMUGGLED)
    assert any_stage.seen() == []


BROKEN_CHUNKS = [
    pytest.param(b"zz\r\nabc\r\n0\r\n\r\n", id="G6 a size that is no number"),
    pytest.param(b"\r\nabc\r\n0\r\n\r\n", id="G6 no size"),
    pytest.param(b"-3\r\nabc\r\n0\r\n\r\n", id="G6 a negative size"),
    pytest.param(b"0x3\r\nabc\r\n0\r\n\r\n", id="G6 a size with 0x"),
    pytest.param(b"3 \r\nabc\r\n0\r\n\r\n", id="G6 a size with a space"),
    pytest.param(b"3;a\nb\r\nabc\r\n0\r\n\r\n", id="G6 LF in an extension"),
    pytest.param(b"3;\x00\r\nabc\r\n0\r\n\r\n", id="G6 NUL in an extension"),
    pytest.param(b"3\nabc\n0\n\n" + b" " * 20000, id="G6 bare LF"),
    pytest.param(b"3\r\nabcd\r\n0\r\n\r\n", id="G6 a chunk that is too long"),
    pytest.param(b"3\r\nabcXX0\r\n\r\n", id="G6 a chunk without an end"),
    pytest.param(b"5\r\nabc\r\n0\r\n\r\n", id="G6 a chunk that is too short"),
    pytest.param(b"3\r\nabc\r\n0\r\nX y\r\n\r\n", id="G6 a malformed trailer"),
    pytest.param(b"3\r\nabc\r\n0\r\nHost: evil\r\n\r\n", id="G6 Host as a trailer"),
    pytest.param(b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n", id="G6 CL as a trailer"),
    pytest.param(b"3\r\nabc\r\n0\r\nX_Y: z\r\n\r\n", id="G6 underscore in a trailer"),
    pytest.param(b"3\r\nabc\r\n0\r\nX: " + b"a" * 20000 + b"\r\n\r\n", id="G6 a long trailer"),
    pytest.param(b"f" * 17000 + b"\r\n", id="G6 a size of 17 KB"),
    pytest.param(b"f" * 40 + b"\r\nabc", id="G6 a size beyond 64 bits"),
    pytest.param(b"3;" + b"a" * 60000 + b"\r\nabc\r\n0\r\n\r\n", id="G6 a long extension"),
]
CUT_CHUNKS = [
    pytest.param(b"", id="G6 nothing"),
    pytest.param(b"3", id="G6 cut in the size"),
    pytest.param(b"3\r\nab", id="G6 cut in a chunk"),
    pytest.param(b"3\r\nabc", id="G6 cut after a chunk"),
    pytest.param(b"3\r\nabc\r\n", id="G6 cut between chunks"),
    pytest.param(b"3\r\nabc\r\n0\r\n", id="G6 cut before the last line"),
    pytest.param(b"3\r\nabc\r\n0\r\nX: y\r\n", id="G6 cut in the trailers"),
]


def assert_bad_body(port: int, data: bytes) -> None:
    """Say that no more comes, and read the one refusal."""
    with RawClient(port) as client:
        with suppress(*GONE):
            client.send(data).finish()
        (found,) = answers(client.rest())
    assert (found.status, found.header("X-SSOGate-Error")) == (400, "bad_body")
    assert found.header("Set-Cookie") is None
    assert "Traceback" not in found.text


@pytest.mark.parametrize("body", BROKEN_CHUNKS + CUT_CHUNKS)
def test_a_chunked_body_that_cannot_be_read_is_a_400_on_the_way_to_an_upstream(
    any_stage: Stage, body: bytes
) -> None:
    assert_bad_body(any_stage.gate.port, post("/forms/x", TE + b"chunked", body=body))
    assert any_stage.seen() == []


@pytest.mark.parametrize("body", BROKEN_CHUNKS + CUT_CHUNKS)
def test_a_chunked_body_that_cannot_be_read_is_a_400_at_the_links_address(
    any_stage: Stage, body: bytes
) -> None:
    assert_bad_body(any_stage.gate.port, post("/sso.php?mode=logout", TE + b"chunked", body=body))


@pytest.mark.parametrize("body", BROKEN_CHUNKS + CUT_CHUNKS)
def test_a_wrapped_app_that_reads_a_broken_body_makes_no_500(wrap: Wrap, body: bytes) -> None:
    assert_bad_body(wrap.server.port, post("/forms/x", TE + b"chunked", body=body))
    assert wrap.seen() == []


@pytest.mark.parametrize(
    ("target", "length"),
    [
        *(("/forms/x", n) for n in (4, 65536, 70000, 262144, 10**9)),
        *(("/app/pub/x", n) for n in (4, 65536, 70000, 262144, 10**9)),
        *(("/sso.php?mode=logout", n) for n in (4, 65536)),
    ],
)
def test_a_body_that_ends_before_its_length_is_a_400(
    any_stage: Stage, target: str, length: int
) -> None:
    assert_bad_body(any_stage.gate.port, post(target, CL + b"%d" % length, body=b"abc"))
    assert any_stage.seen() == []


def test_a_body_that_ends_before_its_length_is_a_400_around_a_wrapped_app(wrap: Wrap) -> None:
    assert_bad_body(wrap.server.port, post("/forms/x", CL + b"5", body=b"abc"))
    assert wrap.seen() == []


def test_a_cut_upload_that_has_begun_never_looks_whole_to_the_upstream(stage: Stage) -> None:
    data = post("/pub/x", CL + b"300000", body=b"a" * 200_000, host="raw.example")
    with RawClient(stage.gate.port) as client:
        client.send(data).finish()
        found = answers(client.rest())

    assert [answer.status for answer in found] in ([400], [])
    assert stage.recorder.seen() == []


def test_a_chunked_upload_that_breaks_off_late_never_looks_whole(stage: Stage) -> None:
    body = b"20000\r\n" + b"a" * 0x20000 + b"\r\n10\r\nabc"
    with RawClient(stage.gate.port) as client:
        client.send(post("/pub/x", TE + b"chunked", body=body, host="raw.example")).finish()
        found = answers(client.rest())

    assert [answer.status for answer in found] in ([400], [])
    assert stage.recorder.seen() == []


@pytest.mark.parametrize("length", [str(2**30 + 1), str(2**63), str(2**64), "9" * 19])
def test_a_body_beyond_the_limit_is_refused_unread(stage: Stage, length: str) -> None:
    answer = ask(stage.gate.port, post("/forms/x", CL + length.encode(), body=b"abc"))

    assert answer.status in (400, 413)
    assert stage.seen() == []


@pytest.mark.parametrize("length", ["65537", "1000000000", str(2**64), "9" * 30])
def test_a_form_beyond_the_limit_is_refused_unread(any_stage: Stage, length: str) -> None:
    answer = ask(any_stage.gate.port, post("/sso.php", CL + length.encode(), body=b"abc"))

    assert (answer.status, answer.header("X-SSOGate-Error")) in (
        (413, "body_too_large"),
        (400, "bad_headers"),
    )


def test_a_form_in_chunks_beyond_the_limit_is_refused(any_stage: Stage) -> None:
    body = b"20000\r\n" + b"a" * 0x20000 + b"\r\n0\r\n\r\n"
    answer = ask(any_stage.gate.port, post("/sso.php", TE + b"chunked", body=body))

    assert (answer.status, answer.header("X-SSOGate-Error")) == (413, "body_too_large")


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("size", [5, 60_000, 200_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_that_nobody_reads_is_not_taken_for_a_request(
    any_stage: Stage, target: str, size: int, framing: str
) -> None:
    """G9: whatever the answer to the first request, the body hides no second one."""
    body = SMUGGLED * (size // len(SMUGGLED) + 1)
    if framing == "chunks":
        lines, body = (TE + b"chunked",), b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines = (CL + str(len(body)).encode(),)
    last = request("/pub/last", host=HOST)
    found = answers(raw(any_stage.gate.port, post(target, *lines, body=body) + last, quiet=1))

    assert 1 <= len(found) <= 2
    assert {answer.status for answer in found[1:]} <= {200}
    assert all("smuggled" not in str(reached) for reached in any_stage.seen())


def test_pipelined_requests_are_answered_in_order_and_each_for_its_own_visitor(
    stage: Stage,
) -> None:
    john, sue = stage.sign_in("john"), stage.sign_in("sue")
    data = b"".join(
        request(f"/members/{n}", *([who] if who else []), host=HOST, close=False)
        for n, who in enumerate([john, "", sue, "", john])
    )
    found = answers(raw(stage.gate.port, data + request("/pub/end", host=HOST), quiet=1))

    assert [answer.status for answer in found] == [200, 401, 200, 401, 200, 200]
    assert ["sue" in answer.text for answer in found] == [False, False, True, False, False, False]


@pytest.mark.parametrize("target", ["/pub/x", "/members/x", "/sso.php?mode=logout"])
def test_expect_100_continue_is_answered_and_not_passed_on(any_stage: Stage, target: str) -> None:
    with RawClient(any_stage.gate.port) as client:
        client.send(post(target, b"Expect: 100-continue", CL + b"3")).send(b"a=b")
        answer = client.answer()

    assert answer.status in (200, 401)
    assert "EXPECT" not in str(any_stage.seen())


def test_an_expectation_that_nobody_knows_is_refused(any_stage: Stage) -> None:
    answer = ask(any_stage.gate.port, post("/forms/x", b"Expect: 200-ok", CL + b"3", body=b"abc"))

    assert answer.status == 417
    assert any_stage.seen() == []


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        pytest.param([b"X-%d: a" % n for n in range(150)], (400, 431), id="150 headers"),
        pytest.param([b"X-A: " + b"a" * 20_000], (400, 431), id="a header of 20 KB"),
        pytest.param([b"X" * 20_000 + b": a"], (400, 431), id="a header name of 20 KB"),
        pytest.param([b"X: " + b"a" * 16_000] * 110, (400, 431), id="1.7 MB of headers"),
        pytest.param([b"Cookie: " + b"a=b; " * 13_000], (400, 431), id="C3 a cookie of 64 KiB"),
        pytest.param([b"Cookie: " + b"a=b; " * 3000], (200,), id="C3 a cookie of 15 KB"),
        pytest.param([b"X-%d: a" % n for n in range(90)], (200,), id="90 headers"),
    ],
)
def test_header_sections_are_bounded(
    any_stage: Stage, lines: list[bytes], statuses: tuple[int, ...]
) -> None:
    answer = any_stage.ask("/pub/x", *lines)

    assert answer.status in statuses
    assert len(any_stage.seen()) == statuses.count(200)
    assert any_stage.is_alive()


def test_a_head_that_never_ends_holds_no_worker_for_ever(stage: Stage) -> None:
    clients = [RawClient(stage.gate.port) for _ in range(8)]
    for client in clients:
        client.send(b"GET /pub/x HTTP/1.1\r\nHost: app.example\r\nX-Slow: ")
    time.sleep(0.1)
    alive = stage.is_alive()
    for client in clients:
        client.close()

    assert alive


def test_a_connection_that_is_reset_in_the_middle_harms_nobody(any_stage: Stage) -> None:
    for data in (b"GET /pub", post("/forms/x", CL + b"9", body=b"a"), request("/pub/x")):
        with socket.create_connection(("127.0.0.1", any_stage.gate.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.sendall(data)

    assert any_stage.is_alive()


def test_a_link_before_a_broken_request_signs_nobody_in_twice(any_stage: Stage) -> None:
    link = new_link()
    first = request(link, host=HOST, close=False)
    found = answers(raw(any_stage.gate.port, first + first + b"GET / HTTP/9\r\n\r\n", quiet=1))

    assert [bool(answer.header("Set-Cookie")) for answer in found].count(True) == 1
