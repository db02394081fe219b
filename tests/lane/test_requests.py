"""The lane takes a request of which every byte is known, and leaves every other to the layers."""

from __future__ import annotations

import pytest

from tests.attack.stage import HOST
from tests.lane.making import Gatehouse, cookie, head

JOHN = f"Cookie: {cookie('john')}"


def start_with(line: str, *lines: str) -> bytes:
    return "\r\n".join((line, f"Host: {HOST}", *lines)).encode("latin-1")


SOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
TAKEN = [
    pytest.param(head(), id="a page"),
    pytest.param(head("/"), id="the first page"),
    pytest.param(head("/pub/"), id="a slash at the end"),
    pytest.param(head("/pub/a.b/~u/A-Z_0/...!$&'()*+,=:@"), id="all signs of a plain path"),
    pytest.param(head("/pub/caf%C3%A9%20%25/%3F"), id="escapes in their canonical spelling"),
    pytest.param(head("/pub/x;y=z/[a]|b"), id="a parameter, and brackets"),
    pytest.param(head("/slashes//a%2Fb"), id="slashes where they are allowed"),
    pytest.param(head("/pub/x?"), id="an empty query"),
    pytest.param(head("/pub/x?a=%2e%2e/..//;?\"'[]{}|^`\\"), id="all signs of a query"),
    pytest.param(head("/members/x", JOHN), id="a page for somebody"),
    pytest.param(head("/pub/x", "accept:*/*", "X-A:", "X-B:   b  "), id="spaces around values"),
    pytest.param(head("/pub/x", "Connection: Keep-Alive"), id="keep-alive"),
    pytest.param(head("/pub/x", "Connection: close"), id="close"),
    pytest.param(head("/pub/x", "Content-Length: 3", method="POST"), id="a body"),
    pytest.param(head("/pub/x", "Content-Length: 0", method="DELETE"), id="a body of nothing"),
    pytest.param(head("/pub/x", "Expect: 100-Continue", method="PUT"), id="an expectation"),
    pytest.param(head("/pub/x", method="HEAD"), id="HEAD"),
    pytest.param(head("/pub/x", method="OPTIONS"), id="OPTIONS"),
    pytest.param(head("/pub/x", host="APP.Example.:443"), id="the host in another spelling"),
    pytest.param(head("/pub/x", *(f"X-{n}: a" for n in range(60))), id="60 headers"),
    pytest.param(head("/pub/x", f"X-A: {'a' * 8000}"), id="a header of 8 KB"),
    pytest.param(head(f"/pub/{'a' * 4000}"), id="a path of 4 KB"),
]
ODD_STARTS = [
    pytest.param("GET /pub/x HTTP/0.9", id="HTTP/0.9"),
    pytest.param("GET /pub/x HTTP/2.0", id="HTTP/2.0"),
    pytest.param("GET /pub/x http/1.1", id="protocol in lower case"),
    pytest.param("GET /pub/x HTTP/1.1 ", id="space at the end"),
    pytest.param("GET  /pub/x HTTP/1.1", id="two spaces"),
    pytest.param(" GET /pub/x HTTP/1.1", id="space in front"),
    pytest.param("\r\nGET /pub/x HTTP/1.1", id="an empty line in front"),
    pytest.param("GET\t/pub/x\tHTTP/1.1", id="tabs"),
    pytest.param("GET /pub/x", id="HTTP/0.9"),
    pytest.param("GET HTTP/1.1", id="no target"),
    pytest.param("GET  HTTP/1.1", id="an empty target"),
    pytest.param("", id="nothing"),
    pytest.param("get /pub/x HTTP/1.1", id="method in lower case"),
    pytest.param("TRACE /pub/x HTTP/1.1", id="TRACE"),
    pytest.param("CONNECT app.example:443 HTTP/1.1", id="CONNECT"),
    pytest.param("PROPFIND /pub/x HTTP/1.1", id="a method that few use"),
    pytest.param("GET http://app.example/pub/x HTTP/1.1", id="absolute form"),
    pytest.param("OPTIONS * HTTP/1.1", id="asterisk form"),
    pytest.param("GET pub/x HTTP/1.1", id="no slash"),
    pytest.param("GET /pub/../x HTTP/1.1", id="dots"),
    pytest.param("GET /pub/.. HTTP/1.1", id="dots at the end"),
    pytest.param("GET /pub/./x HTTP/1.1", id="one dot"),
    pytest.param("GET /pub/. HTTP/1.1", id="one dot at the end"),
    pytest.param("GET /pub/%2e%2e/x HTTP/1.1", id="dots in escapes"),
    pytest.param("GET /pub/%7Eu HTTP/1.1", id="any escape"),
    pytest.param("GET //pub/x HTTP/1.1", id="two slashes in front"),
    pytest.param("GET /pub//x HTTP/1.1", id="two slashes"),
    pytest.param("GET /pub// HTTP/1.1", id="two slashes at the end"),
    pytest.param("GET /admin;x HTTP/1.1", id="a parameter of what is closed"),
    pytest.param("GET /pub/..;/x HTTP/1.1", id="dots with a parameter"),
    pytest.param("GET /pub/caf%c3%a9 HTTP/1.1", id="an escape in lower case"),
    pytest.param("GET /pub/a%2Fb HTTP/1.1", id="an escaped slash"),
    pytest.param("GET /slashes/a%2fb HTTP/1.1", id="one in lower case where it is allowed"),
    pytest.param("GET /slashes//..//x HTTP/1.1", id="dots where slashes are allowed"),
    pytest.param("GET /pub/%25%32%65 HTTP/1.1", id="an escape of an escape"),
    pytest.param("GET /pub/%252e HTTP/1.1", id="a dot escaped twice"),
    pytest.param("GET /pub/%5C HTTP/1.1", id="an escaped backslash"),
    pytest.param("GET /pub/%00 HTTP/1.1", id="an escaped NUL"),
    pytest.param("GET /pub/%FF HTTP/1.1", id="an escape that is not UTF-8"),
    pytest.param("GET /pub/% HTTP/1.1", id="a percent sign alone"),
    pytest.param('GET /pub/"x" HTTP/1.1', id="quotes"),
    pytest.param("GET /_sso/%20 HTTP/1.1", id="an escape below our own"),
    pytest.param("GET /pub/;/x HTTP/1.1", id="an empty parameter"),
    pytest.param("GET /pub\\x HTTP/1.1", id="a backslash"),
    pytest.param("GET /pub/x#y HTTP/1.1", id="a fragment"),
    pytest.param("GET /pub/x?y#z HTTP/1.1", id="a fragment after a query"),
    pytest.param("GET /pub/caf\xc3\xa9 HTTP/1.1", id="UTF-8 in the path"),
    pytest.param("GET /pub/x?caf\xc3\xa9 HTTP/1.1", id="UTF-8 in the query"),
    pytest.param("GET /pub/x\0 HTTP/1.1", id="NUL"),
    pytest.param("GET /pub/x? HTTP/1.1 HTTP/1.1", id="a second protocol in the query"),
    pytest.param("GET /pub/x\nX-A: b HTTP/1.1", id="a bare LF"),
    pytest.param("GET /pub/x\rX-A: b HTTP/1.1", id="a bare CR"),
]
ODD_LINES = [
    pytest.param(["Upgrade: h2c", "Connection: Upgrade"], id="Upgrade to h2c"),
    pytest.param(["Upgrade: h2c"], id="Upgrade that Connection does not name"),
    pytest.param(["Upgrade: TLS/1.0", "Connection: Upgrade"], id="Upgrade to TLS"),
    pytest.param(["Upgrade:"], id="Upgrade to nothing"),
    pytest.param(["Connection: Upgrade"], id="Connection that names no upgrade"),
    pytest.param(["Upgrade: websocket", "Connection: Upgrade"], id="WebSocket without a key"),
    pytest.param([*SOCKET], id="WebSocket where the route has none"),
    pytest.param(["HTTP2-Settings: AAMAAABk"], id="settings of HTTP/2"),
    pytest.param(["Expect: 200-ok"], id="an odd expectation"),
    pytest.param(["Expect: 100-continue, 200-ok"], id="two expectations"),
    pytest.param(["Expect:"], id="an expectation of nothing"),
    pytest.param(["Transfer-Encoding: chunked"] * 2, id="chunks twice"),
    pytest.param(["Transfer-Encoding: chunked, chunked"], id="a list of chunks"),
    pytest.param(["Transfer-Encoding: gzip, chunked"], id="chunks of something"),
    pytest.param(["Transfer-Encoding: chunked", "Trailer: X-Sum"], id="trailers"),
    pytest.param(["Transfer-Encoding: identity"], id="Transfer-Encoding that says nothing"),
    pytest.param(["transfer-encoding:"], id="Transfer-Encoding that is empty"),
    pytest.param(["Content-Length: 3", "Transfer-Encoding: chunked"], id="both lengths"),
    pytest.param(["Content-Length: 3", "content-length: 3"], id="the length twice"),
    pytest.param(["Content-Length:"], id="no length"),
    pytest.param(["Content-Length: +3"], id="a length with a plus"),
    pytest.param(["Content-Length: 3, 3"], id="a list of lengths"),
    pytest.param(["Content-Length: 3 3"], id="a length with a space"),
    pytest.param(["Content-Length: \xb2"], id="a length of a superscript"),
    pytest.param(["Content-Length: 0x3"], id="a length in hex"),
    pytest.param([f"Content-Length: {'9' * 20}"], id="a length beyond 64 bits"),
    pytest.param(["X-A: b", "X-A: b"], id="a header twice"),
    pytest.param(["X-A: b", "x-a: c"], id="a header in two spellings"),
    pytest.param([f"Host: {HOST}"], id="the host twice"),
    pytest.param(["Cookie: a=b", JOHN], id="two Cookie lines"),
    pytest.param(["Connection: close", "Connection: keep-alive"], id="Connection twice"),
    pytest.param(["Connection: close, X-A"], id="Connection that lists"),
    pytest.param(["Connection: Cookie"], id="Connection that names a header"),
    pytest.param(["Connection:"], id="Connection that is empty"),
    pytest.param(["X_A: b"], id="an underscore"),
    pytest.param(["Content_Length: 3"], id="an underscore in the length's name"),
    pytest.param(["X.A: b"], id="a dot in a name"),
    pytest.param(["X-\xdf: b"], id="a byte beyond ASCII in a name"),
    pytest.param(["X A: b"], id="a space in a name"),
    pytest.param(["X-A : b"], id="a space before the colon"),
    pytest.param(["X-A\t: b"], id="a tab before the colon"),
    pytest.param(["X-A:\tb"], id="a tab after the colon"),
    pytest.param(["X-A: a\tb"], id="a tab in a value"),
    pytest.param(["X-A: b\t"], id="a tab after a value"),
    pytest.param(["X-A: caf\xc3\xa9"], id="UTF-8 in a value"),
    pytest.param(["X-A: \x85"], id="a C1 control character"),
    pytest.param(["X-A: \x7f"], id="DEL"),
    pytest.param(["X-A: \0"], id="NUL"),
    pytest.param(["X-A: a\nX-B: b"], id="a bare LF"),
    pytest.param(["X-A: a\rX-B: b"], id="a bare CR"),
    pytest.param(["X-A: a", " b"], id="a folded line"),
    pytest.param([" X-A: b"], id="a space in front"),
    pytest.param(["X-A"], id="no colon"),
    pytest.param([": b"], id="no name"),
    pytest.param(["X-A: b", "", "X-B: c"], id="an empty line"),
    pytest.param(["X-HTTP-Method-Override: DELETE"], id="a method override"),
    pytest.param(["X-Method-Override: DELETE"], id="another method override"),
    pytest.param(["x-http-method: DELETE"], id="Microsoft's method override"),
    pytest.param([f"X-{n}: a" for n in range(90)], id="90 headers"),
]
PLACES = ["/pub/x", "/override/x", "/slashes/x", "/app/pub/x"]


@pytest.mark.parametrize("data", TAKEN)
def test_an_ordinary_head_is_taken(shared: Gatehouse, data: bytes) -> None:
    for _ in range(2):
        order = shared.order(data)

        assert order is not None
        assert order.request.endswith(b"\r\n\r\n")
        assert order.request.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("start", ODD_STARTS)
def test_an_odd_start_is_for_the_layers(shared: Gatehouse, start: str) -> None:
    for _ in range(2):
        assert shared.order(start_with(start)) is None
        assert shared.order(start_with(start, JOHN)) is None


@pytest.mark.parametrize("target", PLACES)
@pytest.mark.parametrize("lines", ODD_LINES)
def test_an_odd_line_is_for_the_layers(shared: Gatehouse, lines: list[str], target: str) -> None:
    for method in ("GET", "POST"):
        assert shared.order(head(target, *lines, JOHN, method=method)) is None
        assert shared.order(head(target, JOHN, *lines, method=method)) is None
        assert shared.order(head(target, JOHN, method=method))


def test_without_a_host_nothing_is_taken(shared: Gatehouse) -> None:
    assert shared.order(b"GET /pub/x HTTP/1.1") is None
    assert shared.order(b"GET /pub/x HTTP/1.1\r\nX-Forwarded-Host: app.example") is None
    assert shared.order(b"GET /pub/x HTTP/1.1\r\nHost: ") is None


def without(*names: str) -> list[str]:
    """A WebSocket's handshake, but for some lines of it."""
    return [line for line in SOCKET if not line.startswith(names)]


@pytest.mark.parametrize(
    ("lines", "opens"),
    [
        pytest.param([*SOCKET], True, id="from a program"),
        pytest.param([*SOCKET, f"Origin: https://{HOST}"], True, id="from a page of this site"),
        pytest.param([*SOCKET, "Origin: https://evil.example"], False, id="from another site"),
        pytest.param([*SOCKET, f"Origin: http://{HOST}"], False, id="from the site's plain http"),
        pytest.param([*SOCKET, "Origin: https://raw.example"], False, id="from another host"),
        pytest.param([*SOCKET, "Origin: null"], False, id="from a page without an origin"),
        pytest.param([*SOCKET, "Origin:"], False, id="from nowhere"),
        pytest.param([*SOCKET, "Content-Length: 0"], False, id="with a body of nothing"),
        pytest.param([*SOCKET, "Content-Length: 3"], False, id="with a body"),
        pytest.param([*SOCKET, "Expect: 100-continue"], False, id="with an expectation"),
        pytest.param(without("Upgrade"), False, id="without Upgrade"),
        pytest.param(without("Connection"), False, id="without Connection"),
        pytest.param([*without("Connection"), "Connection: close"], False, id="with close"),
        pytest.param(
            [*without("Connection"), "Connection: keep-alive, Upgrade"], True, id="as Firefox asks"
        ),
        pytest.param(without("Sec-WebSocket-Key"), False, id="without a key"),
        pytest.param(
            [*without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: eA=="], False, id="with a short key"
        ),
        pytest.param(without("Sec-WebSocket-Version"), False, id="without a version"),
        pytest.param(
            [*without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"],
            False,
            id="of version 8",
        ),
    ],
)
def test_a_websocket_opens_by_its_handshake_alone(
    shared: Gatehouse, lines: list[str], opens: bool
) -> None:
    order = shared.order(head("/ws/x", JOHN, *lines))

    assert (order is not None and order.key != "") is opens
    assert shared.order(head("/ws/x", *lines)) is None, "nobody is signed in"
    assert shared.order(head("/ws/x", JOHN, *lines, method="POST")) is None
    assert shared.order(head("/pub/x", JOHN, *lines)) is None, "the route has none"


def places_with(sign: bytes) -> dict[str, bytes]:
    """A head with a sign somewhere in it, by the place."""
    whole = head("/pub/x?a=b", "X-A: b")
    return {
        "path": whole.replace(b"/pub/x", b"/pub/a" + sign + b"x"),
        "query": whole.replace(b"a=b", b"a" + sign + b"b"),
        "name": whole.replace(b"X-A", b"X" + sign + b"A"),
        "value": whole.replace(b"A: b", b"A: a" + sign + b"b"),
        "host": whole.replace(b"app", b"a" + sign + b"p"),
    }


def test_no_byte_but_the_known_ones_stands_in_a_head(shared: Gatehouse) -> None:
    marks = {"path": b"-._~!$&'()*+,=:@/?;[]|", "name": b"-:", "host": b""}
    printable = bytes(range(0x20, 0x7F))
    marks |= {"value": printable, "query": printable.replace(b" ", b"").replace(b"#", b"")}
    for sign in (bytes([byte]) for byte in range(256)):
        letter = sign.isalnum()
        for place, data in places_with(sign).items():
            known = sign in b"pP" if place == "host" else letter or sign in marks[place]
            assert (shared.order(data) is not None) is known, (place, sign)
