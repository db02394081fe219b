"""Requests as a grammar makes them: ordinary ones, and such as are odd in one part or in all.

Each part has strategies of its own: what the lane should take, and what it should not.
"""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tests.attack.stage import COOKIE, HOST
from tests.attack.test_fuzz import KINDS
from tests.attack.test_properties import PIECES
from tests.lane.making import PEOPLE, cookie

# Of each part: what is ordinary, and what may be odd. A request has one odd part, as a rule.
ODD = ("method", "target", "host", "lines", "bytes")
SEGMENTS = st.sampled_from(
    [
        *("pub", "members", "admin", "app", "v1", "named", "small", "told", "override", "slashes"),
        *("go", "here", "listed", "lan", "forms", "posts", "x", "a.b", "~u", "a:b@c", "_sso"),
        *(
            "...",
            "A-Z_0",
            "!$&'()*+,=",
            ".",
            "..",
            "",
            "%7e",
            "%2e",
            "%2F",
            ";x",
            "a;b",
            "%20",
            "%3F",
            "caf\xc3\xa9",
        ),
    ]
)
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts))
PLACES_OF_OURS = st.sampled_from(
    [
        *("/", "/pub/x", "/members/x", "/admin/x", "/app/pub/", "/v1/pub", "/v1/pub/x", "/named/x"),
        *("/pub/caf%C3%A9%20", "/pub/a;b=c", "/slashes//a%2Fb", "/app/pub/[a]|b", "/admin;x"),
        *("/small", "/told/x", "/listed/x", "/here/x", "/lan/x", "/override/x", "/pub/posts/1"),
    ]
)
PAGES_OF_OURS = st.sampled_from(
    [
        *(
            "/_sso/health",
            "/_sso/sign-in",
            "/_sso/account",
            "/_sso/nothing",
            "/_sso/",
            "/_sso/auth",
        ),
        *(
            "/_sso/sign-out",
            "/_sso/second-factor",
            "/sso.php",
            "/sso.php",
            "/_sso/%68ealth",
            "/_sso",
        ),
        *("/SSO.php", "/sso.php/", "/_sso/sign-in;x", "/_sso//sign-in", "/_sso/../pub/x", "/pub/x"),
    ]
)
QUERIES = ["", "", "?", "?a=b&c=%ff", "?/../x", '?"', "??"]
ODD_QUERIES = [*QUERIES, "?#", "?\xe9", "? ", "#x", ";x"]
TARGETS = st.builds(str.__add__, PLACES_OF_OURS, st.sampled_from(QUERIES))
ODD_TARGETS = st.builds(
    str.__add__,
    PLACES_OF_OURS | PATHS | PATHS | st.lists(PIECES, max_size=6).map("".join),
    st.sampled_from(ODD_QUERIES),
)
METHODS = st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
ODD_METHODS = st.sampled_from(["PROPFIND", "TRACE", "CONNECT", "get", "X", "GE T", "", " GET"])
HOSTS_OF_OURS = [HOST, HOST, "raw.example", "a.b.wild.example", "APP.Example", "app.example.:8443"]
ODD_HOSTS = ["evil.example", "wild.example", "app.example, raw.example", "", "a b", "app.example:"]
VERSIONS = st.sampled_from(["HTTP/1.1"] * 9 + ["HTTP/1.0", "http/1.1", "HTTP/1.1 ", "HTTP/2.0"])

PARTS = st.sampled_from([*map(cookie, ("john", "sue", "zoe", "almost")), "theme=dark", 'q="x y"'])
ODD_PARTS = PARTS | st.sampled_from(
    [
        *(cookie(name) for name in PEOPLE),
        *("a=b", "novalue", "=x", "", f"{COOKIE}=", f"x{COOKIE}=1", f"{COOKIE}={'A' * 43}"),
        *(f"{COOKIE}=short", cookie("john").lower(), f"ssogate={'B' * 43}", f'{COOKIE}="x"'),
    ]
)
SEPARATORS = st.sampled_from(["; ", "; ", ";", " ;", ", ", "\t;"])
ADDRESSES = ["10.0.0.1", "203.0.113.5", "10.0.0.1, 198.51.100.2", "2001:db8::9", "10.0.0.1:99"]
ODD_ADDRESSES = [
    *("198.51.100.2, 10.0.0.1", "unknown", "", ",", "[2001:db8::1]:47", "::ffff:10.0.0.9"),
    *("fe80::1%eth0", "10.0.0.1 , 203.0.113.5", "010.0.0.1", "10.0.0.1," * 40, "a\xe9"),
]
ENDS = ["keep-alive", "close", "Keep-Alive", "CLOSE"]
ODD_ENDS = ["", "close, X-A", "keep-alive, close", "upgrade", "X-A", "close,", "Cookie", "Host"]
LENGTHS = ["0", "1", "10", "11", "007"]
ODD_LENGTHS = ["65536", "", "+3", "3, 3", "0x3", "\xb2", "1 ", "9" * 19, "9" * 20]
ODD_CODINGS = ["", "gzip", "gzip, chunked", "chunked, chunked", "chunked ", " chunked", "identity"]
NAMES = st.sampled_from(
    [
        *("Accept", "accept", "USER-AGENT", "Content-Type", "If-None-Match", "Referer", "Range"),
        *(
            "Authorization",
            "X-A",
            "x--b",
            "A",
            "X-1",
            "Http-X",
            "HTTP-Remote-User",
            "X-Remote-User",
        ),
        *("X-Who", "X-Mail", "Via", "Forwarded", "X-Real-IP", "Proxy", "Proxy-Connection", "Te"),
        *("Keep-Alive", "Trailer", "X-Request-Id", "X-Forwarded-Host", "Script-Name", "Cookie2"),
    ]
)
ODD_NAMES = NAMES | st.sampled_from(
    [
        *(
            "Upgrade",
            "Origin",
            "Expect",
            "Transfer-Encoding",
            "HTTP2-Settings",
            "X-HTTP-Method-Override",
        ),
        *("X_A", "X.A", "Content_Length", "Content-Length-", "-X", "X!", "", "Host", "X" * 140),
    ]
)
VALUES = st.sampled_from(["b", "text/html", "a, b", "", " ", "a  "]) | st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12
)
ODD_VALUES = (
    VALUES
    | st.sampled_from(["h2c", "100-continue", "chunked"])
    | st.text(st.characters(max_codepoint=0xFF), max_size=6)
)
COLONS = st.sampled_from([": ", ":", ":  "])
ODD_COLONS = COLONS | st.sampled_from([":\t", " : ", "", ": \x0b", ":\r\n "])
PLAIN_LINES = st.one_of(
    st.builds("{}{}{}".format, NAMES, COLONS, VALUES),
    st.lists(PARTS, max_size=2).map(lambda parts: f"Cookie: {'; '.join(parts)}"),
    st.sampled_from(ADDRESSES).map("X-Forwarded-For: {}".format),
    st.sampled_from(ENDS).map("Connection: {}".format),
    st.sampled_from(LENGTHS).map("Content-Length: {}".format),
    st.just("Expect: 100-continue"),
    st.sampled_from(["chunked", "Chunked"]).map("Transfer-Encoding: {}".format),
)
ODD_LINES = st.one_of(
    PLAIN_LINES,
    st.builds("{}{}{}".format, ODD_NAMES, ODD_COLONS, ODD_VALUES),
    st.builds(str.join, SEPARATORS, st.lists(ODD_PARTS, max_size=3)).map("Cookie: {}".format),
    st.sampled_from(ODD_ADDRESSES).map("X-Forwarded-For: {}".format),
    st.sampled_from(ODD_ENDS).map("Connection: {}".format),
    st.sampled_from(ODD_LENGTHS).map("Content-Length: {}".format),
    st.sampled_from(ODD_CODINGS).map("Transfer-Encoding: {}".format),
)

# Of each line of a WebSocket's handshake: as it should be, and otherwise.
HANDSHAKE = {
    "Upgrade": (["websocket", "WebSocket"], ["h2c", "websocket, h2c", ""]),
    "Connection": (["Upgrade", "upgrade", "keep-alive, Upgrade"], ["Upgrade, X-A", "close", ""]),
    "Sec-WebSocket-Key": (["dGhlIHNhbXBsZSBub25jZQ=="], ["", "x", "A" * 22 + "=="]),
    "Sec-WebSocket-Version": (["13"], ["8", "13, 8", ""]),
    "Origin": (["https://app.example"], ["null", "http://app.example", "https://evil.example", ""]),
    "Cookie": ([cookie("john"), cookie("sue")], ["a=b", cookie("off"), cookie("idle"), ""]),
}


def name_of(line: str) -> str:
    return line.partition(":")[0].lower()


@st.composite
def requests(draw: st.DrawFn, *oddities: tuple[str, ...], ours: bool = False) -> bytes:
    """Requests that are ordinary but for the parts that one of `oddities` names; `ours`: for pages
    of the gate's own."""
    odd = draw(st.sampled_from(oddities))
    method = draw(ODD_METHODS if "method" in odd else METHODS)
    target = draw(ODD_TARGETS if "target" in odd else TARGETS)
    if ours:
        target = draw(PAGES_OF_OURS) + draw(st.sampled_from(QUERIES))
    hosts = ODD_HOSTS if "host" in odd else HOSTS_OF_OURS
    version = draw(VERSIONS) if "host" in odd else draw(st.sampled_from(["HTTP/1.1", "HTTP/1.0"]))
    lines = draw(st.lists(PLAIN_LINES, max_size=5, unique_by=name_of))
    lines = [f"Host: {draw(st.sampled_from(hosts))}", *lines]
    if "lines" in odd:
        lines = draw(st.permutations(lines + draw(st.lists(ODD_LINES, min_size=1, max_size=4))))
    start = f"{method} {target} {version}"
    data = "\r\n".join([start, *lines]).encode("latin-1", "replace") + b"\r\n\r\n"
    if "bytes" in odd:
        kind = draw(st.sampled_from(KINDS))
        data = kind(random.Random(draw(st.integers(0, 2**32))), data)
    return data


@st.composite
def handshakes(draw: st.DrawFn) -> bytes:
    """Heads that ask for a WebSocket, most of them properly."""
    odd = draw(st.sampled_from(["", "", "method", "target", "host", "more", *HANDSHAKE]))
    method = draw(METHODS) if odd == "method" else "GET"
    target = draw(TARGETS) if odd == "target" else draw(st.sampled_from(["/ws/x", "/ws/open/x?y"]))
    host = draw(st.sampled_from(HOSTS_OF_OURS)) if odd == "host" else HOST
    said = {name: draw(st.sampled_from(values[name == odd])) for name, values in HANDSHAKE.items()}
    lines = [f"{name}: {value}" for name, value in said.items() if value]
    lines += draw(st.lists(ODD_LINES, min_size=1, max_size=3)) if odd == "more" else []
    lines = draw(st.permutations([f"Host: {host}", *lines]))
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines]).encode("latin-1", "replace")


@st.composite
def questions(draw: st.DrawFn) -> bytes:
    """Heads with what a proxy asks: whether it may serve this visitor that request."""
    odd = draw(st.sampled_from([(), (), ("method",), ("target",), ("host",), ("lines",)]))
    method = draw(ODD_METHODS if "method" in odd else METHODS)
    target = draw(ODD_TARGETS if "target" in odd else TARGETS)
    host = draw(st.sampled_from(ODD_HOSTS if "host" in odd else HOSTS_OF_OURS))
    lines = draw(st.lists(ODD_LINES if "lines" in odd else PLAIN_LINES, max_size=3))
    lines += [f"X-Original-URI: {target}", f"X-Original-Method: {method}", f"Host: {host}"]
    asks = draw(st.sampled_from(["GET"] * 8 + ["HEAD", "POST"]))
    path = draw(
        st.sampled_from(["/_sso/auth"] * 8 + ["/_sso/auth?x", "/_sso/auth/", "/_sso/%61uth"])
    )
    start = f"{asks} {path} HTTP/1.1"
    return "\r\n".join([start, *draw(st.permutations(lines))]).encode("latin-1", "replace")
