"""One reading of a request, or none: the spellings by which gateways have been walked around."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import BadHeaders, BadHost, BadTarget, GateError, MethodRefused
from ssogate.http import target as module
from ssogate.http.target import parse_host, parse_target
from ssogate.model import Target

HOST = "app.example"
LATIN_1 = st.text(st.characters(max_codepoint=0xFF), max_size=60)
# Text made of what paths are misread by: most of it is refused, and what is not must be sound.
# fmt: off
PARTS = [
    "/", "/", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", ";", ";x=1", "%3b", "%25", "%00",
    "a", "B", "~", "%7e", "%41", "%C3%A9", "%20", "%C2%A0", "|", "[", "'", "?", "q=1", "#",
    "%", "%23", "%3f", ":", "//", "%e3%80%80", "%EF", "\xc3\xa9", " ", "\x00", "\t", "\xe9",
]
# fmt: on
TRICKY = st.lists(
    st.sampled_from(PARTS),
    max_size=12,
).map(lambda parts: "/" + "".join(parts))
OPENINGS = st.fixed_dictionaries({"encoded_slash": st.booleans(), "double_slash": st.booleans()})


def parse(raw: str, **openings: bool) -> Target:
    return parse_target("GET", raw, HOST, **openings)


# --- What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("/pub/../admin", id="dot segment"),
        pytest.param("/pub/..", id="dot segment at the end"),
        pytest.param("/..", id="dot segment alone"),
        pytest.param("/admin/.", id="single dot"),
        pytest.param("/./admin", id="single dot in front"),
        pytest.param("/pub/%2e%2e/admin", id="encoded dots"),
        pytest.param("/pub/%2E./admin", id="one dot encoded"),
        pytest.param("/pub/.%2e/admin", id="the other dot encoded"),
        pytest.param("/pub/%252e%252e/admin", id="dots encoded twice"),
        pytest.param("/pub/%25%32%65/admin", id="twice, with encoded digits"),
        pytest.param("/pub%2f..%2fadmin", id="encoded slash"),
        pytest.param("/admin%2Fx", id="encoded slash in capitals"),
        pytest.param("/pub%252fadmin", id="slash encoded twice"),
        pytest.param("/pub/..%5cadmin", id="encoded backslash"),
        pytest.param("/pub%5Cadmin", id="encoded backslash in capitals"),
        pytest.param("/pub%255cadmin", id="backslash encoded twice"),
        pytest.param("/pub\\..\\admin", id="backslash"),
        pytest.param("/\\evil.example", id="backslash for the second slash"),
        pytest.param("/pub;/../admin", id="parameter before a dot segment"),
        pytest.param("/pub/.;/admin", id="dot with a parameter"),
        pytest.param("/pub/..;/admin", id="dots with a parameter"),
        pytest.param("/pub/..;x=1/admin", id="dots with a named parameter"),
        pytest.param("/pub/..%3b/admin", id="dots with an encoded semicolon"),
        pytest.param("/;/admin", id="a segment that is only a parameter"),
        pytest.param("/pub/..%3f", id="dots before an encoded question mark"),
        pytest.param("/pub/.%23x/admin", id="dot before an encoded hash"),
        pytest.param("/pub/%20../admin", id="dots behind a space"),
        pytest.param("/pub/..%20/admin", id="dots before a space"),
        pytest.param("/pub/..%C2%A0/admin", id="dots before a no-break space"),
        pytest.param("//admin", id="double slash in front"),
        pytest.param("/pub//admin", id="double slash inside"),
        pytest.param("/admin//", id="double slash at the end"),
        pytest.param("///evil.example", id="three slashes"),
        pytest.param("/pub/%c0%ae%c0%ae/admin", id="overlong dots"),
        pytest.param("/pub%c0%afadmin", id="overlong slash"),
        pytest.param("/%e0%80%ae/x", id="longer overlong dot"),
        pytest.param("/%ed%a0%80", id="a surrogate"),
        pytest.param("/%f4%90%80%80", id="beyond Unicode"),
        pytest.param("/\xff", id="raw byte that is not UTF-8"),
        pytest.param("/caf%E9", id="latin-1"),
        pytest.param("/%zz", id="no hex"),
        pytest.param("/%", id="lone percent"),
        pytest.param("/%4", id="half an escape"),
        pytest.param("/%%41", id="percent before an escape"),
        pytest.param("/admin%00.png", id="NUL"),
        pytest.param("/admin%2500.png", id="NUL encoded twice"),
        pytest.param("/a%0d%0aSet-Cookie:%20x", id="line break"),
        pytest.param("/a%09b", id="encoded tab"),
        pytest.param("/a\tb", id="tab"),
        pytest.param("/a b", id="space"),
        pytest.param("/a\x7fb", id="delete"),
        pytest.param("/a%C2%85b", id="C1 control"),
        pytest.param("/admin#/pub", id="fragment"),
        pytest.param("/admin?x#/pub", id="fragment behind the query"),
        pytest.param("/?a b", id="space in the query"),
        pytest.param("/?a\x00", id="NUL in the query"),
        pytest.param("/?a\r\nX: y", id="line break in the query"),
        pytest.param("", id="empty"),
        pytest.param("admin", id="no slash"),
        pytest.param("*", id="asterisk"),
        pytest.param("?x", id="query alone"),
        pytest.param("ftp://app.example/x", id="another scheme"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("://app.example/", id="no scheme"),
        pytest.param("/" + "a" * 8190, id="too long"),
    ],
)
def test_a_spelling_that_servers_read_differently_is_refused(raw: str) -> None:
    with pytest.raises(BadTarget):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        pytest.param("http://other.example/admin", BadHeaders, id="another host"),
        pytest.param("http://app.example.evil/", BadHeaders, id="a host that goes on"),
        pytest.param("https://app.example:8443@evil/", BadHost, id="user part"),
        pytest.param("http://a@app.example/", BadHost, id="user part before our host"),
        pytest.param("http:///admin", BadHost, id="no host"),
        pytest.param("http://app.example\\@evil/", BadHost, id="backslash in the host"),
        pytest.param("http://app.example#@evil/", BadHost, id="fragment in the host"),
        pytest.param("http://app.example/../admin", BadTarget, id="dots behind the host"),
        pytest.param("http://app.example//admin", BadTarget, id="double slash behind the host"),
    ],
)
def test_an_absolute_form_must_agree_with_host(raw: str, error: type[GateError]) -> None:
    with pytest.raises(error):
        parse(raw)


@pytest.mark.parametrize(
    "method",
    ["get", "GeT", "TRACE", "TRACK", "CONNECT", "DEBUG", "", "GET ", "G\rT", "GÉT", "A" * 33, "1"],
)
def test_a_method_that_no_app_needs_is_refused(method: str) -> None:
    with pytest.raises(MethodRefused):
        parse_target(method, "/", HOST)


# --- What is read, and as what -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "path", "segments", "query"),
    [
        pytest.param("/", "/", ("",), "", id="root"),
        pytest.param("/admin", "/admin", ("admin",), "", id="plain"),
        pytest.param("/admin/", "/admin/", ("admin", ""), "", id="slash at the end"),
        pytest.param("/ADMIN", "/ADMIN", ("ADMIN",), "", id="case is kept"),
        pytest.param("/%61dmin", "/admin", ("admin",), "", id="needless escape"),
        pytest.param("/%7ejoe", "/~joe", ("~joe",), "", id="tilde"),
        pytest.param("/a%2d%5Fb", "/a-_b", ("a-_b",), "", id="unreserved marks"),
        pytest.param("/caf%c3%a9", "/caf%C3%A9", ("café",), "", id="escapes in capitals"),
        pytest.param("/caf\xc3\xa9", "/caf%C3%A9", ("café",), "", id="raw UTF-8"),
        pytest.param("/a%20b", "/a%20b", ("a b",), "", id="space"),
        pytest.param("/admin%20", "/admin%20", ("admin ",), "", id="space at the end"),
        pytest.param("/50%25", "/50%25", ("50%",), "", id="percent"),
        pytest.param("/a'(b)*", "/a'(b)*", ("a'(b)*",), "", id="sub-delimiters"),
        pytest.param("/a%27", "/a%27", ("a'",), "", id="reserved escapes are kept"),
        pytest.param("/a[1]|b", "/a[1]|b", ("a[1]|b",), "", id="brackets and bar"),
        pytest.param('/a"<>', "/a%22%3C%3E", ('a"<>',), "", id="markup"),
        pytest.param("/...", "/...", ("...",), "", id="three dots"),
        pytest.param("/.git", "/.git", (".git",), "", id="dot in front"),
        pytest.param("/a..", "/a..", ("a..",), "", id="dots behind"),
        pytest.param("/admin/index.php/pub", "/admin/index.php/pub", None, "", id="path info"),
        pytest.param("/admin?x=/pub", "/admin", ("admin",), "x=/pub", id="path in the query"),
        pytest.param("/admin?/pub", "/admin", ("admin",), "/pub", id="query that is a path"),
        pytest.param("/a?", "/a", ("a",), "", id="empty query"),
        pytest.param("/a??b", "/a", ("a",), "?b", id="two question marks"),
        pytest.param("/a?%2e%2e/%00\\\xff", "/a", ("a",), "%2e%2e/%00\\\xff", id="query is raw"),
        pytest.param("http://app.example/a?b", "/a", ("a",), "b", id="absolute form"),
        pytest.param("HTTPS://APP.example.:443/a", "/a", ("a",), "", id="absolute form, odd case"),
        pytest.param("http://app.example", "/", ("",), "", id="absolute form without a path"),
        pytest.param("http://app.example?b=/", "/", ("",), "b=/", id="absolute, query only"),
    ],
)
def test_a_request_has_one_reading(
    raw: str, path: str, segments: tuple[str, ...] | None, query: str
) -> None:
    found = parse(raw)

    assert (found.path, found.query) == (path, query)
    assert found.readings == (segments or tuple(path[1:].split("/")),)


@pytest.mark.parametrize(
    ("raw", "readings"),
    [
        pytest.param("/admin;x", {("admin;x",), ("admin",)}, id="at the end"),
        pytest.param("/admin;x/y", {("admin;x", "y"), ("admin", "y")}, id="inside"),
        pytest.param("/admin%3Bx", {("admin;x",), ("admin",)}, id="encoded"),
        pytest.param("/a/;x", {("a", ";x"), ("a", "")}, id="a last segment of its own"),
        pytest.param("/admin%3f/pub", {("admin?", "pub"), ("admin",)}, id="question mark"),
        pytest.param("/admin%23/pub", {("admin#", "pub"), ("admin",)}, id="hash"),
        pytest.param("/a/%23", {("a", "#"), ("a", "")}, id="hash alone"),
        pytest.param(
            "/a%3bx%3fy",
            {("a;x?y",), ("a",), ("a;x",)},
            id="parameter and question mark",
        ),
    ],
)
def test_what_servers_cut_off_is_read_both_ways(raw: str, readings: set[tuple[str, ...]]) -> None:
    assert set(parse(raw).readings) == readings


@pytest.mark.parametrize(
    ("raw", "openings", "readings"),
    [
        pytest.param(
            "/w/a%2fb",
            {"encoded_slash": True},
            {("w", "a/b"), ("w", "a", "b")},
            id="encoded slash",
        ),
        pytest.param(
            "/w;p%2fb",
            {"encoded_slash": True},
            {("w;p/b",), ("w;p", "b"), ("w",), ("w", "b")},
            id="encoded slash and parameter",
        ),
        pytest.param(
            "/w//b", {"double_slash": True}, {("w", "", "b"), ("w", "b")}, id="double slash"
        ),
        pytest.param(
            "//w/b/", {"double_slash": True}, {("", "w", "b", ""), ("w", "b", "")}, id="in front"
        ),
        pytest.param(
            "/w%2f%2fb",
            {"encoded_slash": True, "double_slash": True},
            {("w//b",), ("w", "", "b"), ("w", "b")},
            id="both",
        ),
    ],
)
def test_an_opened_spelling_carries_every_reading(
    raw: str, openings: dict[str, bool], readings: set[tuple[str, ...]]
) -> None:
    assert set(parse(raw, **openings).readings) == readings


@pytest.mark.parametrize(
    ("raw", "openings"),
    [
        pytest.param("/w/a%2f..%2fb", {"encoded_slash": True}, id="dots between encoded slashes"),
        pytest.param("/w/%2e%2e%2fb", {"encoded_slash": True}, id="encoded dots"),
        pytest.param("/w%5cb", {"encoded_slash": True}, id="encoded backslash"),
        pytest.param("/w%252fb", {"encoded_slash": True}, id="slash encoded twice"),
        pytest.param("/w/%2fb", {"encoded_slash": True}, id="double slash in one reading"),
        pytest.param("/w//b", {"encoded_slash": True}, id="the other opening"),
        pytest.param("/w/a%2fb", {"double_slash": True}, id="the other opening still"),
        pytest.param("/w//../b", {"double_slash": True}, id="dots behind a double slash"),
    ],
)
def test_an_opening_opens_one_spelling_only(raw: str, openings: dict[str, bool]) -> None:
    with pytest.raises(BadTarget):
        parse(raw, **openings)


# --- Hosts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "host", "port"),
    [
        pytest.param("app.example", "app.example", "", id="plain"),
        pytest.param("APP.Example.", "app.example", "", id="case and dot"),
        pytest.param("app.example:443", "app.example", "443", id="port"),
        pytest.param("app.example.:65535", "app.example", "65535", id="dot and port"),
        pytest.param("localhost", "localhost", "", id="one label"),
        pytest.param("10.0.0.1:8000", "10.0.0.1", "8000", id="IPv4"),
        pytest.param("[::1]:8000", "[::1]", "8000", id="IPv6"),
        pytest.param("[2001:DB8:0:0::1]", "[2001:db8::1]", "", id="IPv6 in its short form"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", "", id="IDN"),
        pytest.param("a_b.example", "a_b.example", "", id="underscore"),
    ],
)
def test_a_host_has_one_form(header: str, host: str, port: str) -> None:
    assert parse_host(header) == (host, port)
    assert parse_target("GET", "/", header).host == host


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("a@app.example", id="user part"),
        pytest.param("app.example:x", id="port of letters"),
        pytest.param("app.example:", id="port missing"),
        pytest.param("app.example:0", id="port 0"),
        pytest.param("app.example:65536", id="port too high"),
        pytest.param("app.example:99999", id="port far too high"),
        pytest.param("app.example:443:443", id="two ports"),
        pytest.param("app.example:\u0664\u0664", id="port in other digits"),
        pytest.param("app.example,evil.example", id="two hosts joined"),
        pytest.param("app.example evil", id="space"),
        pytest.param(" app.example", id="space in front"),
        pytest.param("app.example\n", id="line break"),
        pytest.param("app.example/x", id="path"),
        pytest.param("app.example\\", id="backslash"),
        pytest.param("app..example", id="empty label"),
        pytest.param(".app.example", id="dot in front"),
        pytest.param("app.example..", id="two dots"),
        pytest.param("-app.example", id="hyphen in front"),
        pytest.param("app.example#", id="hash"),
        pytest.param("app%2eexample", id="escape"),
        pytest.param("bücher.example", id="not ASCII"),
        pytest.param("[::1", id="open bracket"),
        pytest.param("::1", id="no brackets"),
        pytest.param("[:::]", id="no IPv6 address"),
        pytest.param("[1.2.3.4]", id="IPv4 in brackets"),
        pytest.param("a" * 64 + ".example", id="label too long"),
        pytest.param("a." * 131 + "example", id="too long"),
    ],
)
def test_a_malformed_host_is_refused(header: str) -> None:
    with pytest.raises(BadHost):
        parse_target("GET", "/", header)


# --- What holds for every text ----------------------------------------------------------------


def sound(found: Target, **openings: bool) -> None:
    """What must hold of every target that is given back."""
    again = parse_target("GET", found.path, HOST, **openings)
    assert again.path == found.path, "the canonical path is a fixed point"
    assert again.readings == found.readings
    assert found.path.startswith("/")
    assert found.path.isascii()
    assert found.path.isprintable()
    assert not set(found.path) & set(' "<>\\^`{}#?')
    assert found.path_info == unquote(found.path, errors="strict")
    assert found.readings[0] == tuple(map(unquote, found.path[1:].split("/")))
    for reading in found.readings:
        assert reading, "there is always a segment to judge"
        assert not {segment.strip() for segment in reading} & {".", ".."}
        assert all("\\" not in segment and "\0" not in segment for segment in reading)
        if not openings.get("double_slash"):
            assert "" not in reading[:-1]
        if not openings.get("encoded_slash"):
            assert all("/" not in segment for segment in reading)
    assert len(set(found.readings)) == len(found.readings)


@given(raw=TRICKY | LATIN_1 | LATIN_1.map("/{}".format), openings=OPENINGS)
def test_every_text_is_refused_or_read_soundly(raw: str, openings: dict[str, bool]) -> None:
    with suppress(GateError):
        sound(parse(raw, **openings), **openings)


@given(method=LATIN_1, raw=LATIN_1, host=LATIN_1)
def test_no_text_is_more_than_refused(method: str, raw: str, host: str) -> None:
    with suppress(GateError):
        parse_target(method, raw, host)


@given(
    raw=st.from_regex(r"(/[A-Za-z0-9\-._~!$&'()*+,=:@]{0,4}){1,5}", fullmatch=True) | TRICKY,
    openings=OPENINGS,
)
def test_the_short_cut_for_plain_paths_agrees_with_the_long_way(
    raw: str, openings: dict[str, bool]
) -> None:
    if not module._PLAIN_PATH.fullmatch(raw):
        return
    path = module._canonical_path(raw)
    text = module._decoded(path)

    assert (path, text) == (raw, raw)
    assert module._readings(path, text, **openings) == parse(raw).readings


@given(st.integers(0, 255))
def test_an_escape_and_its_byte_are_one_path_or_refused(byte: int) -> None:
    """RFC 3986, section 6.2.2.2: only unreserved characters lose their escape."""
    try:
        found = parse(f"/a%{byte:02x}b")
    except BadTarget:
        return
    kept = chr(byte).isalnum() or chr(byte) in "-._~"
    assert found.path == (f"/a{chr(byte)}b" if kept else f"/a%{byte:02X}b")
