"""The grammar: what is an answer, what is none, and that chunks read the same however cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import BadHeaders, UpstreamInvalid
from ssogate.upstream import wire


def head(*lines: str, start: str = "HTTP/1.1 200 OK", method: str = "GET") -> wire.Head:
    return wire.parse_head("\r\n".join((start, *lines, "", "")).encode("latin-1"), method)


def test_a_head_is_read_in_order_and_without_the_white_space_around_values() -> None:
    found = head("Set-Cookie: a=1", "X-Empty:", "set-cookie: \t b=2 \t", "Content-Length: 5")

    assert (found.status, found.reason) == (200, "OK")
    assert found.fields == [
        ("Set-Cookie", "a=1"),
        ("X-Empty", ""),
        ("set-cookie", "b=2"),
        ("Content-Length", "5"),
    ]
    assert (found.length, found.chunked, found.reusable) == (5, False, True)


@pytest.mark.parametrize(
    ("lines", "method", "start", "framing"),
    [
        pytest.param(["Content-Length: 5"], "GET", "1.1 200 OK", (5, False, True), id="length"),
        pytest.param(["Content-Length: 0"], "GET", "1.1 200 OK", (0, False, True), id="empty"),
        pytest.param(
            ["Transfer-Encoding: Chunked"], "GET", "1.1 200 OK", (None, True, True), id="chunks"
        ),
        pytest.param([], "GET", "1.1 200 OK", (None, False, False), id="up to the close"),
        pytest.param(
            ["Content-Length: 5", "Connection: Close"],
            "GET",
            "1.1 200 OK",
            (5, False, False),
            id="close",
        ),
        pytest.param(
            ["Connection: x", "Content-Length: 5", "Connection: y , close"],
            "GET",
            "1.1 200 OK",
            (5, False, False),
            id="close in a second list",
        ),
        pytest.param(["Content-Length: 5"], "GET", "1.0 200 OK", (5, False, False), id="HTTP/1.0"),
        pytest.param(
            ["Content-Length: 5", "Connection: keep-alive"],
            "GET",
            "1.0 200 OK",
            (5, False, False),
            id="HTTP/1.0 that would stay",
        ),
        pytest.param(["Content-Length: 5"], "HEAD", "1.1 200 OK", (0, False, True), id="HEAD"),
        pytest.param([], "HEAD", "1.1 200 OK", (0, False, True), id="HEAD of unknown length"),
        pytest.param(
            ["Content-Length: 5"], "GET", "1.1 304 Not Modified", (0, False, True), id="304"
        ),
        pytest.param([], "GET", "1.1 204 No Content", (0, False, True), id="204"),
        pytest.param(
            ["Content-Length: 5"], "GET", "1.1 204 x", (0, False, False), id="204 with a length"
        ),
        pytest.param(
            ["Transfer-Encoding: chunked"], "GET", "1.1 204 x", (0, False, False), id="204 chunked"
        ),
        pytest.param([], "GET", "1.1 100 Continue", (0, False, True), id="interim"),
        pytest.param(["Content-Length: 1"], "GET", "1.1 599", (1, False, True), id="no reason"),
    ],
)
def test_a_body_is_delimited_as_the_rfc_says(
    lines: list[str], method: str, start: str, framing: tuple[int | None, bool, bool]
) -> None:
    found = head(*lines, start=f"HTTP/{start}", method=method)

    assert (found.length, found.chunked, found.reusable) == framing


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\nA: b\n\n", id="bare LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n", id="one bare LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 0\r\n\r\n", id="bare CR"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", id="folded line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", id="space before the first name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", id="space before the colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", id="no name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA\r\n\r\n", id="no colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA(b): c\r\n\r\n", id="name that is no token"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA\xe9: c\r\n\r\n", id="name beyond ASCII"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", id="NUL"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\x7f\r\n\r\n", id="DEL"),
        pytest.param(b"HTTP/1.1 200 OK\x0b\r\n\r\n", id="control character in the reason"),
        pytest.param(b"\r\nHTTP/1.1 200 OK\r\n\r\n", id="empty line first"),
        pytest.param(b"HTTP/1.1  200 OK\r\n\r\n", id="two spaces"),
        pytest.param(b"HTTP/1.1\t200 OK\r\n\r\n", id="tab"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="two digits"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="four digits"),
        pytest.param(b"HTTP/1.1 000 OK\r\n\r\n", id="status 000"),
        pytest.param(b"HTTP/1.1 999 OK\r\n\r\n", id="status 999"),
        pytest.param(b"HTTP/1.1 +20 OK\r\n\r\n", id="signed status"),
        pytest.param(b"HTTP/1.2 200 OK\r\n\r\n", id="HTTP/1.2"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="HTTP/2"),
        pytest.param(b"http/1.1 200 OK\r\n\r\n", id="lower-case version"),
        pytest.param(b"ICY 200 OK\r\n\r\n", id="another protocol"),
        pytest.param(b"<html>\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="101"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", id="length twice"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", id="length list"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", id="signed length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n", id="hex length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n", id="underscore"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n", id="superscript digit"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", id="empty length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n", id="huge length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="length and chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="chunked twice",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", id="gzip"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", id="xchunked"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", id="identity"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n", id="empty coding"),
        pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="1.0 chunked"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (wire.MAX_FIELDS + 1) + b"\r\n", id="too many"
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        wire.parse_head(data[: wire.find_head_end(data) or len(data) + 1], "GET")


def test_a_head_has_an_end_and_a_largest_size() -> None:
    start = b"HTTP/1.1 200 OK\r\nA: "
    largest = start + b"b" * (wire.MAX_HEAD - len(start) - 4)

    assert wire.find_head_end(largest) == 0
    assert wire.find_head_end(largest + b"\r\n\r\nbody") == wire.MAX_HEAD
    with pytest.raises(UpstreamInvalid, match="more than"):
        wire.find_head_end(largest + b"b\r\n\r\n")


@given(data=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(data: bytes) -> None:
    try:
        if wire.find_head_end(data + b"\r\n\r\n"):
            wire.parse_head(b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n", "GET")
    except UpstreamInvalid:
        pass


# --- Chunks -----------------------------------------------------------------------------------


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40)),
    cuts=st.lists(st.integers(min_value=0)),
    extension=st.sampled_from([b"", b";a", b' ; a="b"']),
    trailer=st.sampled_from([b"", b"X-Sum: 1\r\n", b"A: b\r\nC:\r\n"]),
    after=st.binary(max_size=5),
)
def test_chunks_read_the_same_however_they_are_cut(
    chunks: list[bytes], cuts: list[int], extension: bytes, trailer: bytes, after: bytes
) -> None:
    framed = b"".join(b"%X%b\r\n%b\r\n" % (len(c), extension, c) for c in chunks)
    data = framed + b"0" + extension + b"\r\n" + trailer + b"\r\n" + after
    reader, body, rest = wire.Chunks(), b"", b""

    for piece in pieces(data, cuts):
        if reader.ended:
            rest += piece
        else:
            body += reader.feed(piece)

    assert reader.ended
    assert body == b"".join(chunks)
    assert reader.rest + rest == after


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"5\nhello\r\n0\r\n\r\n", id="size line ends by LF"),
        pytest.param(b"5\r\nhello\n0\r\n\r\n\r\n", id="chunk ends by LF"),
        pytest.param(b"5\r\nhelloX\r\n0\r\n\r\n", id="chunk longer than its size"),
        pytest.param(b"+5\r\nhello\r\n0\r\n\r\n", id="signed"),
        pytest.param(b"-5\r\nhello\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"0x5\r\nhello\r\n0\r\n\r\n", id="0x"),
        pytest.param(b" 5\r\nhello\r\n0\r\n\r\n", id="space first"),
        pytest.param(b"5 \r\nhello\r\n0\r\n\r\n", id="space behind"),
        pytest.param(b"5_0\r\nhello\r\n0\r\n\r\n", id="underscore"),
        pytest.param(b"\r\nhello\r\n0\r\n\r\n", id="no size"),
        pytest.param(b";a\r\nhello\r\n0\r\n\r\n", id="extension alone"),
        pytest.param(b"5;a\x00\r\nhello\r\n0\r\n\r\n", id="NUL in an extension"),
        pytest.param(b"5;a\rb\r\nhello\r\n0\r\n\r\n", id="CR in an extension"),
        pytest.param(b"0" * 17 + b"5\r\nhello\r\n0\r\n\r\n", id="seventeen digits"),
        pytest.param(b"5;" + b"a" * wire.MAX_CHUNK_LINE + b"\r\nhello\r\n", id="long extension"),
        pytest.param(b"0\r\nno trailer\r\n\r\n", id="trailer without colon"),
        pytest.param(b"0\r\nA: b\r\n c\r\n\r\n", id="folded trailer"),
        pytest.param(b"0\r\nA: b\x00\r\n\r\n", id="NUL in a trailer"),
        pytest.param(b"0\r\n" + b"A: bcdef\r\n" * 2100 + b"\r\n", id="trailers without end"),
    ],
)
def test_malformed_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        wire.Chunks().feed(data)


@given(size=st.integers(1, 2**64 - 3))
def test_a_cut_body_never_ends(size: int) -> None:
    reader = wire.Chunks()

    assert reader.feed(b"%x\r\nab" % (size + 2)) == b"ab"
    assert not reader.ended


# --- Requests ---------------------------------------------------------------------------------


def test_a_request_head_is_written_as_it_is_given() -> None:
    assert wire.request_head("GET", "/a%20b?c=\xe9", ["Host: x", "A: \xe9\t"]) == (
        b"GET /a%20b?c=\xe9 HTTP/1.1\r\nHost: x\r\nA: \xe9\t\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        pytest.param("GET", "/", "A: b\r\nEvil: c", id="CRLF in a header"),
        pytest.param("GET", "/", "A: b\nEvil: c", id="LF in a header"),
        pytest.param("GET", "/", "A: b\x00", id="NUL in a header"),
        pytest.param("GET", "/", "A: \u0100", id="beyond latin-1"),
        pytest.param("GET", "/ HTTP/1.1\r\nEvil: c", "A: b", id="CRLF in the path"),
        pytest.param("GET", "/a b", "A: b", id="space in the path"),
        pytest.param("GET /x", "/", "A: b", id="space in the method"),
        pytest.param("GET", "/\u0100", "A: b", id="path beyond latin-1"),
    ],
)
def test_no_text_can_start_a_second_header_or_request(method: str, path: str, line: str) -> None:
    with pytest.raises(BadHeaders):
        wire.request_head(method, path, [line])


def test_of_many_chunks_some_are_read_at_a_time() -> None:
    body = b"".join(b"1\r\n%c\r\n" % (97 + number % 26) for number in range(5000)) + b"0\r\n\r\nx"
    at_once, chunks = wire.Chunks().feed(body), wire.Chunks(lines=512)
    pieces = [chunks.feed(body)]
    while chunks.more:
        pieces.append(chunks.feed(b""))

    assert max(map(len, pieces)) <= 512
    assert b"".join(pieces) == at_once
    assert (chunks.ended, chunks.rest) == (True, b"x")
