"""An answer's head becomes what the grammar and the rules for headers say of it, every time: what
was remembered of other heads, or of the same one, changes nothing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssogate.errors import UpstreamInvalid
from ssogate.lane.answers import Answer, Answers
from ssogate.upstream.headers import keep_private, response_headers
from ssogate.upstream.websocket import accept_of
from ssogate.upstream.wire import parse_head

TIMES = max(1, int(os.environ.get("SSOGATE_FUZZ", "2000")) // 2000)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
METHODS = ("GET", "HEAD", "POST")
SITE = "https://app.example"


def relocate(location: str) -> str:
    return location.replace("http://upstream.internal", SITE)


def told(head: bytes, method: str, private: bool) -> Answer | None:
    """What the rules say of a head, one after the other; None if it is no head."""
    try:
        found = parse_head(head, method)
    except UpstreamInvalid:
        return None
    kept = response_headers(found.fields, connection=found.connection, relocate=relocate)
    if private:
        keep_private(kept)
    if found.status == 204:
        kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in kept).encode("latin-1")
    start = f"HTTP/1.1 {found.status} {found.reason}\r\n".encode("latin-1")
    return Answer(found.status, start, lines, found.length, found.chunked, found.reusable)


def read(answers: Answers, head: bytes, method: str, private: bool) -> Answer | None:
    try:
        return answers.read(head, method, private, relocate)
    except UpstreamInvalid:
        return None


def whole(*lines: str | bytes, start: str = "HTTP/1.1 200 OK") -> bytes:
    texts = [start.encode("latin-1")]
    texts += [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    return b"\r\n".join(texts) + b"\r\n\r\n"


def assert_told(answers: Answers, head: bytes) -> None:
    """Read a head for everybody, twice, with what other readings leave behind in between."""
    for _ in range(2):
        for method in METHODS:
            for private in (True, False, True):
                assert read(answers, head, method, private) == told(head, method, private), (
                    method,
                    private,
                )


# --- What somebody has thought of ----------------------------------------------------------------

SIZE, TEXT = "Content-Length: 5", "Content-Type: text/html"
DATES = ("Date: Sun, 22 Nov 2026 09:00:00 GMT", "Date: Sun, 22 Nov 2026 09:00:01 GMT")
HEADS = [
    pytest.param(whole(SIZE, TEXT), id="a page"),
    pytest.param(whole(DATES[0], SIZE, "Server: x", TEXT), id="a page with a date"),
    pytest.param(whole(*DATES, SIZE), id="two dates"),
    pytest.param(whole(SIZE, DATES[0]), id="a date at the end"),
    pytest.param(whole("Transfer-Encoding: chunked", TEXT), id="chunks"),
    pytest.param(whole(TEXT), id="until close"),
    pytest.param(whole(), id="no lines"),
    pytest.param(whole(SIZE, start="HTTP/1.1 204 No Content"), id="204 with a length"),
    pytest.param(whole(start="HTTP/1.1 204 No Content"), id="204"),
    pytest.param(whole(SIZE, "ETag: x", start="HTTP/1.1 304 Not Modified"), id="304"),
    pytest.param(whole("Transfer-Encoding: chunked", start="HTTP/1.1 304 X"), id="304 in chunks"),
    pytest.param(whole(start="HTTP/1.1 100 Continue"), id="100"),
    pytest.param(whole("Link: x", SIZE, start="HTTP/1.1 103 Early Hints"), id="103"),
    pytest.param(whole("Upgrade: websocket", start="HTTP/1.1 101 Switching"), id="101"),
    pytest.param(whole(SIZE, start="HTTP/1.0 200 OK"), id="HTTP/1.0"),
    pytest.param(whole("Transfer-Encoding: chunked", start="HTTP/1.0 200 OK"), id="1.0, chunks"),
    pytest.param(whole(SIZE, start="HTTP/1.1 200"), id="no reason"),
    pytest.param(whole(SIZE, start="HTTP/1.1 200 "), id="an empty reason"),
    pytest.param(whole(SIZE, start="HTTP/1.1 200 Fine \xe9\t"), id="another reason"),
    pytest.param(whole(SIZE, start="HTTP/1.1 299 Odd"), id="another status"),
    pytest.param(whole(SIZE, start="HTTP/1.1 600 Odd"), id="no status"),
    pytest.param(whole(SIZE, start="HTTP/1.1  200 OK"), id="two spaces"),
    pytest.param(whole(SIZE, start="http/1.1 200 OK"), id="protocol in lower case"),
    pytest.param(whole(SIZE, start="HTTP/1.1 200 OK\nX-A: b"), id="a bare LF in the status line"),
    pytest.param(whole(SIZE, SIZE), id="the length twice"),
    pytest.param(whole(SIZE, "Content-Length: 6"), id="two lengths"),
    pytest.param(whole(SIZE, "Transfer-Encoding: chunked"), id="length and chunks"),
    pytest.param(whole("Content-Length: 5, 5"), id="a list of lengths"),
    pytest.param(whole("Content-Length: +5"), id="a length with a plus"),
    pytest.param(whole("Content-Length: 05"), id="a length with a zero in front"),
    pytest.param(whole("Content-Length:"), id="no length"),
    pytest.param(whole("Transfer-Encoding: gzip, chunked"), id="another coding"),
    pytest.param(whole("Transfer-Encoding: Chunked"), id="chunks in capitals"),
    pytest.param(whole(SIZE, "Connection: close"), id="close"),
    pytest.param(whole(SIZE, "Connection: Keep-Alive"), id="keep-alive"),
    pytest.param(whole(SIZE, "Connection: keep-alive, close"), id="keep-alive and close"),
    pytest.param(whole(SIZE, "Connection: X-A", "X-A: b"), id="a listed header"),
    pytest.param(whole(SIZE, "X-A: b", "Connection: x.a"), id="a listed header before"),
    pytest.param(whole(SIZE, "Connection: Content-Type", TEXT), id="the type is listed"),
    pytest.param(whole(SIZE, "Connection: X-A", "Connection: X-B", "X-B: c"), id="listed twice"),
    pytest.param(whole(SIZE, "Set-Cookie: a=b", "Set-Cookie: c=d"), id="cookies"),
    pytest.param(whole(SIZE, "Set-Cookie: __Host-ssogate=x", "Set-Cookie: a=b"), id="our cookie"),
    pytest.param(whole(SIZE, 'set-cookie: "SSOGATE-step"=x'), id="our other cookie, in quotes"),
    pytest.param(whole(SIZE, "Set-Cookie: =ssogate=x"), id="our cookie without a name"),
    pytest.param(whole(SIZE, "Http-Set-Cookie: ssogate=x"), id="our cookie as CGI calls it"),
    pytest.param(whole(SIZE, "Location: http://upstream.internal/x"), id="a redirect"),
    pytest.param(whole(SIZE, "Http-Location: http://upstream.internal/x"), id="CGI's redirect"),
    pytest.param(whole(SIZE, "LOCATION: /x"), id="a redirect in capitals"),
    pytest.param(whole(SIZE, "X-Accel-Redirect: /x", "X-Sendfile: /y"), id="orders"),
    pytest.param(whole(SIZE, "X-SSOGate-Error: x", "Clear-Site-Data: *"), id="more orders"),
    pytest.param(whole(SIZE, "Cache-Control: public, max-age=9", "Vary: Accept"), id="shared"),
    pytest.param(whole(SIZE, "Vary: Accept", "Cache-Control: public"), id="shared, turned round"),
    pytest.param(whole("Vary: *", SIZE, "vary: Cookie, A", "Expires: 0"), id="Vary twice"),
    pytest.param(whole("Expires: 0", "Cache-Control: a", "Cache-Control: b", SIZE), id="three"),
    pytest.param(whole(SIZE, "Surrogate-Control: x", "CDN-Cache-Control: y"), id="surrogates"),
    pytest.param(whole(SIZE, "My-Surrogate-Control: x", "Expires: "), id="another surrogate"),
    pytest.param(whole(SIZE, "Cache-Control:", "Vary:"), id="caching without a word"),
    pytest.param(whole(SIZE, "X-A: a\tb", "X-B:c", "X-C:   d  ", "X-D:"), id="white space"),
    pytest.param(whole(SIZE, "X-A: caf\xc3\xa9 \xff"), id="bytes beyond ASCII"),
    pytest.param(whole(SIZE, "X-A: a\nX-B: b"), id="a bare LF"),
    pytest.param(whole(SIZE, "X-A: a\rb"), id="a bare CR"),
    pytest.param(whole(SIZE, "X-A: \0"), id="NUL"),
    pytest.param(whole(SIZE, "X-A : b"), id="a space before the colon"),
    pytest.param(whole(SIZE, " X-A: b"), id="a folded line"),
    pytest.param(whole(SIZE, "X-A"), id="no colon"),
    pytest.param(whole(SIZE, ": b"), id="no name"),
    pytest.param(whole(SIZE, "X-\xe9: b"), id="a byte beyond ASCII in a name"),
    pytest.param(whole(SIZE, "TTP/1.1 200 OK"), id="a line like the status line"),
    pytest.param(whole(SIZE, "Trailer: X", "TE: x", "Proxy-Authenticate: x"), id="hop by hop"),
    pytest.param(whole(SIZE, *(f"X-{n}: a" for n in range(99))), id="100 fields"),
    pytest.param(whole(SIZE, *(f"X-{n}: a" for n in range(255))), id="256 fields"),
    pytest.param(whole(SIZE, *(f"X-{n}: a" for n in range(300))), id="301 fields"),
    pytest.param(whole(SIZE, f"X-A: {'a' * 600}"), id="a line of 600 bytes"),
    pytest.param(whole(SIZE, *(f"X-{n}: {'a' * 700}" for n in range(99))), id="70 KB"),
    pytest.param(whole(SIZE, f"Vary: {'a, ' * 300}"), id="a long Vary"),
]


@pytest.fixture(scope="module")
def answers() -> Answers:
    """It remembers what all tests before have read."""
    return Answers()


@pytest.mark.parametrize("head", HEADS)
def test_a_head_becomes_what_the_rules_say(answers: Answers, head: bytes) -> None:
    assert_told(Answers(), head)
    assert_told(answers, head)


@pytest.mark.parametrize("odd", HEADS)
@pytest.mark.parametrize("date", [*DATES, "Date:", "Date: \0", "Date: a\nContent-Length: 0"])
def test_a_head_is_read_after_others_as_if_it_were_the_first(
    answers: Answers, odd: bytes, date: str
) -> None:
    """Only the date differs; and a date may be no date."""
    start, _, rest = odd.partition(b"\r\n")
    dated = start + b"\r\n" + date.encode("latin-1") + b"\r\n" + rest
    for head in (odd, dated, whole(SIZE, DATES[0]), dated, odd):
        assert_told(answers, head)


# Each kind of malformed line, where a head that is remembered has a good one.
ODD_DATES = ["Date: a\nb", "Date: \0", "Date: a\rb", "Date:\x7f", "Date: a\n\nGET / HTTP/1.1"]


@pytest.mark.parametrize("line", ODD_DATES)
@pytest.mark.parametrize("private", [True, False])
def test_a_malformed_line_is_refused_each_time(line: str, private: bool) -> None:
    answers = Answers()
    good, bad = whole(DATES[0], SIZE), whole(line, SIZE)
    assert read(answers, good, "GET", private)
    assert read(answers, good, "GET", private)

    assert [read(answers, bad, "GET", private) for _ in range(3)] == [None, None, None]


def test_who_may_see_an_answer_is_never_mixed_up() -> None:
    answers = Answers()
    head = whole(SIZE, "Cache-Control: public", DATES[0])
    readings = [read(answers, head, "GET", private) for private in (False, True) * 3]
    lines = [reading.lines for reading in readings if reading]

    assert [b"public" in text for text in lines] == [True, False] * 3
    assert [b"private" in text for text in lines] == [False, True] * 3


def test_a_redirect_follows_the_route_of_each_request() -> None:
    answers = Answers()
    head = whole(SIZE, "Location: /x")
    for site in ("https://a.example", "https://b.example"):
        found = answers.read(head, "GET", False, lambda path, site=site: f"{site}{path}")  # type: ignore[misc]
        assert f"Location: {site}/x\r\n".encode() in found.lines


# --- What a grammar makes ------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        *(TEXT, *DATES, "Server: nginx", "ETag: x", "Link: </x>", "X-A: b", "x-a:c", "Allow: GET"),
        *("Cache-Control: max-age=60", "Cache-Control: no-store", "Vary: Accept", "Expires: 0"),
        *("Last-Modified: x", "Accept-Ranges: bytes", "Content-Encoding: gzip", "X-B:  d  "),
    ]
)
NAMES = st.sampled_from(
    [
        *("Set-Cookie", "set-cookie", "Location", "location", "Http-Location", "HTTP-Vary", "Vary"),
        *("Cache-Control", "CACHE-CONTROL", "Expires", "Date", "date", "Server", "Connection"),
        *("Content-Length", "content-length", "Transfer-Encoding", "Surrogate-Control", "Upgrade"),
        *("X-CDN-Cache-Control", "Keep-Alive", "X-A", "X.A", "X_A", "X-Accel-Redirect", "Trailer"),
    ]
)
VALUES = st.sampled_from(
    [
        *(
            "a=b",
            "__Host-ssogate=x",
            "=ssogate",
            "http://upstream.internal/x",
            "/x",
            "close",
            "x-a",
        ),
        *("keep-alive", "5", "0", "chunked", "identity", "public, max-age=1", "private", "Cookie"),
        *("*", "", "Accept, Cookie", "s-maxage=3, no-cache", "vary, x-b", "Set-Cookie", "x" * 600),
    ]
) | st.text(st.characters(max_codepoint=0xFF), max_size=6)
COLONS = st.sampled_from([": "] * 8 + [":", ":\t", " : ", "", ": \0", ":\n "])
MADE = st.builds("{}{}{}".format, NAMES, COLONS, VALUES)
DELIMITERS = st.sampled_from([(SIZE,), (SIZE,), ("Transfer-Encoding: chunked",), (), (SIZE, SIZE)])
STARTS = st.sampled_from(
    ["HTTP/1.1 200 OK"] * 6
    + ["HTTP/1.1 404 Not Found", "HTTP/1.1 302 Found", "HTTP/1.1 204 No Content", "HTTP/1.1 200"]
    + ["HTTP/1.1 304 Not Modified", "HTTP/1.0 200 OK", "HTTP/1.1 200 Fine", "HTTP/1.1 103 X", "X"]
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines: Sequence[str] = draw(st.lists(LINES, max_size=5))
    if draw(st.booleans()):
        lines = [*lines, *draw(st.lists(MADE, max_size=3))]
    lines = draw(st.permutations([*lines, *draw(DELIMITERS)]))
    return whole(*lines, start=draw(STARTS))


def test_whatever_an_upstream_sends_becomes_what_the_rules_say(answers: Answers) -> None:
    share: Counter[bool] = Counter()

    @settings(max_examples=1200 * TIMES, deadline=None, database=None)
    @given(head=heads(), other=heads())
    def becomes(head: bytes, other: bytes) -> None:
        assert_told(answers, head)
        assert_told(answers, other)
        assert_told(answers, head)
        share[told(head, "GET", False) is not None] += 1

    becomes()

    assert min(share[True], share[False]) > share.total() // 10, share


def test_whatever_bytes_come_become_what_the_rules_say(answers: Answers) -> None:
    """Good heads with a few bytes changed."""
    good = [head.values[0] for head in HEADS]

    @settings(max_examples=600 * TIMES, deadline=None, database=None)
    @given(
        head=st.sampled_from(good),
        at=st.integers(0, 400),
        drop=st.integers(0, 3),
        put=st.binary(max_size=3) | st.sampled_from([b"\n", b"\r", b"\0", b":", b"\r\n"]),
    )
    def becomes(head: object, at: int, drop: int, put: bytes) -> None:
        assert isinstance(head, bytes)
        at = min(at, len(head) - 4)
        changed = head[:at] + put + head[min(at + drop, len(head) - 4) :]
        if changed.count(b"\r\n\r\n") == 1:  # what is no head never comes
            assert_told(answers, changed)
            assert_told(answers, head)

    becomes()


# --- Of WebSockets -------------------------------------------------------------------------------

OPENED = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Accept: {accept_of(KEY)}",
)
SWITCHING = "HTTP/1.1 101 Switching Protocols"


def other(*instead: str, without: str = "") -> Iterable[str]:
    return [*(line for line in OPENED if not without or not line.startswith(without)), *instead]


@pytest.mark.parametrize(
    ("lines", "start"),
    [
        pytest.param(other(without="Upgrade"), SWITCHING, id="without Upgrade"),
        pytest.param(other("Upgrade: h2c", without="Upgrade"), SWITCHING, id="to h2c"),
        pytest.param(other("Upgrade: h2c"), SWITCHING, id="to two protocols"),
        pytest.param(other(without="Connection"), SWITCHING, id="without Connection"),
        pytest.param(other(without="Sec"), SWITCHING, id="without its answer to the key"),
        pytest.param(
            other(f"Sec-WebSocket-Accept: {KEY}", without="Sec"),
            SWITCHING,
            id="with another answer",
        ),
        pytest.param(other(OPENED[2]), SWITCHING, id="with two answers"),
        pytest.param(OPENED, "HTTP/1.1 200 OK", id="with another status"),
        pytest.param(other("X-A: a\nb"), SWITCHING, id="with a malformed line"),
    ],
)
def test_a_websocket_opens_only_as_it_was_asked_for(lines: Iterable[str], start: str) -> None:
    answers = Answers()
    assert answers.opened(whole(*OPENED, start=SWITCHING), KEY).status == 101
    with pytest.raises(UpstreamInvalid):
        answers.opened(whole(*lines, start=start), KEY)
    with pytest.raises(UpstreamInvalid):
        answers.opened(whole(*OPENED, start=SWITCHING), KEY.lower())


def test_an_opened_websocket_tells_the_visitor_what_belongs_there() -> None:
    head = whole(*OPENED, "Set-Cookie: ssogate=x", "Set-Cookie: a=b", "Date: x", start=SWITCHING)
    found = Answers().opened(head, KEY)

    assert found.lines == (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        + OPENED[2].encode()
        + b"\r\nSet-Cookie: a=b\r\n"
    )
    assert (found.length, found.chunked, found.reusable) == (0, False, False)
