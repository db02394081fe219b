"""No text of a visitor's leads off the site."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssogate.http.redirects import HOME, MAX_LOCATION, local_path, return_path, url_host, with_query
from ssogate.model import LocalPath

ANY_TEXT = st.text(max_size=60)
# fmt: off
PARTS = [
    "/", "/", "\\", ".", "%2f", "%5c", "%09", "%0d", "@", ":", "?", "#", "&",
    "evil.example", "a", "http:", "javascript:", "%", "%41", '"', "<", "[", "]", "|", "=",
    ";", "%e3%80%82", "\t", "\n", "\r", "\xe9", "\u2028", " ", "\uff0f", "\u2044", "\x00",
    "\u3002", "\ufe68",
]
# fmt: on
TRICKY = st.lists(
    st.sampled_from(PARTS),
    max_size=10,
).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("//evil.example", id="two slashes"),
        pytest.param("///evil.example", id="three slashes"),
        pytest.param("////evil.example", id="four slashes"),
        pytest.param("//evil.example/", id="two slashes, as a raw target"),
        pytest.param("/\\evil.example", id="slash and backslash"),
        pytest.param("\\/evil.example", id="backslash and slash"),
        pytest.param("\\\\evil.example", id="two backslashes"),
        pytest.param("/%5cevil.example", id="encoded backslash"),
        pytest.param("/%5C/evil.example", id="encoded backslash in capitals"),
        pytest.param("/%2fevil.example", id="encoded slash"),
        pytest.param("/%2F/evil.example", id="encoded slash in capitals"),
        pytest.param("/%252f/evil.example", id="slash encoded twice"),
        pytest.param("/%09/evil.example", id="encoded tab"),
        pytest.param("/\t/evil.example", id="tab"),
        pytest.param("/\n/evil.example", id="line feed"),
        pytest.param("/\r/evil.example", id="carriage return"),
        pytest.param("\t//evil.example", id="tab in front"),
        pytest.param(" //evil.example", id="space in front"),
        pytest.param(" /app", id="space before a path"),
        pytest.param("\x00/app", id="NUL before a path"),
        pytest.param("/ /evil.example", id="space between slashes"),
        pytest.param("https:evil.example", id="scheme without slashes"),
        pytest.param("https:/evil.example", id="scheme with one slash"),
        pytest.param("https://evil.example", id="URL"),
        pytest.param("http://ok.example@evil.example", id="user part"),
        pytest.param("https://ok%2eevil.example", id="encoded dot"),
        pytest.param("https://ok.example.evil.example", id="host that goes on"),
        pytest.param("https://[::ffff:1.2.3.4]/", id="IPv6"),
        pytest.param("https://ok.example\\@evil.example", id="backslash before the user part"),
        pytest.param("HTTPS://evil.example", id="scheme in capitals"),
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("JavaScript:alert(1)", id="script in capitals"),
        pytest.param("java\tscript:alert(1)", id="script with a tab"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("vbscript:x", id="old script"),
        pytest.param("evil.example", id="host"),
        pytest.param("@evil.example", id="at sign"),
        pytest.param(":80", id="port"),
        pytest.param("?x=1", id="query alone"),
        pytest.param("#x", id="fragment alone"),
        pytest.param("", id="nothing"),
        pytest.param("/a%0d%0aSet-Cookie:%20x=1", id="encoded line break"),
        pytest.param("/a\r\nSet-Cookie: x=1", id="line break"),
        pytest.param("/a?b=%0d%0aSet-Cookie:x", id="encoded line break in the query"),
        pytest.param("/a?b=\r\nX: y", id="line break in the query"),
        pytest.param("/a?b=%00", id="encoded NUL in the query"),
        pytest.param("/a?b=%7F", id="encoded delete in the query"),
        pytest.param("/a%00", id="encoded NUL"),
        pytest.param("/..//evil.example", id="dots and two slashes"),
        pytest.param("/../evil", id="dots"),
        pytest.param("/%2e%2e/evil", id="encoded dots"),
        pytest.param("/.//evil.example", id="dot and two slashes"),
        pytest.param("/;/evil.example", id="empty parameter"),
        pytest.param("/..;/evil", id="dots with a parameter"),
        pytest.param("/a?<script>", id="markup in the query"),
        pytest.param('/a?"onload=x', id="quote in the query"),
        pytest.param("/a?b\\c", id="backslash in the query"),
        pytest.param("/a?é", id="query that is not ASCII"),
        pytest.param("/é", id="path that is not ASCII"),
        pytest.param("/caf%E9", id="not UTF-8"),
        pytest.param("/\uff0fevil.example", id="full-width slash"),
        pytest.param("/\u2044evil.example", id="fraction slash"),
        pytest.param("/a%", id="half an escape"),
        pytest.param("/" + "a" * MAX_LOCATION, id="too long"),
        pytest.param("/" + '"' * 1000, id="too long once it is escaped"),
        pytest.param("/a?" + "b" * MAX_LOCATION, id="query too long"),
    ],
)
def test_what_is_no_path_of_this_site_is_none(text: str) -> None:
    assert local_path(text) is None
    assert return_path(text, "") == HOME or "?" in text


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/app/page", "/app/page", id="plain"),
        pytest.param("/app/?a=b&c=d/e?f", "/app/?a=b&c=d/e?f", id="query"),
        pytest.param("/a?next=//evil.example", "/a?next=//evil.example", id="slashes in the query"),
        pytest.param("/a?u=http://x@y/", "/a?u=http://x@y/", id="URL in the query"),
        pytest.param("/a?b=%2F%5C%20", "/a?b=%2F%5C%20", id="escapes in the query"),
        pytest.param("/a?b=%zz", "/a?b=%zz", id="odd query"),
        pytest.param("/a#/b", "/a", id="fragment"),
        pytest.param("/a?b#//evil.example", "/a?b", id="fragment behind a query"),
        pytest.param("/%7ejoe", "/~joe", id="canonical spelling"),
        pytest.param("/caf%c3%a9", "/caf%C3%A9", id="escapes in capitals"),
        pytest.param("/a@b:c", "/a@b:c", id="marks of an authority"),
        pytest.param("/a|b[1]", "/a|b[1]", id="brackets"),
        pytest.param('/a"', "/a%22", id="quote in the path"),
        pytest.param("/javascript:alert(1)", "/javascript:alert(1)", id="a path after all"),
    ],
)
def test_a_path_of_this_site_is_spelt_anew(text: str, path: str) -> None:
    assert local_path(text) == LocalPath(path)


@given(text=ANY_TEXT | ANY_TEXT.map("/{}".format) | TRICKY | TRICKY.map("/{}".format))
@example("/" + '"' * 700)
@example("/a?")
def test_whatever_is_given_back_stays_on_this_site(text: str) -> None:
    found = local_path(text)
    if found is None:
        return

    assert found.text[0] == "/"
    assert found.text[1:2] != "/"
    assert found.text.isascii()
    assert found.text.isprintable()
    assert not set(found.text) & set(' "<>\\^`{}#')
    assert len(found.text) <= MAX_LOCATION
    assert local_path(found.text) == found, "it is stable"


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        pytest.param("/a", "b=c", "/a?b=c", id="path and query"),
        pytest.param("/a", "", "/a", id="path"),
        pytest.param("/a", 'b="c"', "/a", id="a query that cannot be sent back"),
        pytest.param("/a", "b=\xff", "/a", id="a query that is not ASCII"),
        pytest.param("//evil.example/", "", "/", id="two slashes"),
        pytest.param("//evil.example/", "a=b", "/", id="two slashes and a query"),
        pytest.param("/a%2Fb", "", "/", id="an opened spelling"),
    ],
)
def test_the_way_back_is_a_path_of_this_site(path: str, query: str, expected: str) -> None:
    assert return_path(path, query) == LocalPath(expected)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        pytest.param("https://ok.example", "ok.example", id="host"),
        pytest.param("https://OK.Example./a", "ok.example", id="case and dot"),
        pytest.param("http://ok.example:8080/a?b#c", "ok.example", id="port and rest"),
        pytest.param("https://ok.example?x", "ok.example", id="query at once"),
        pytest.param("https://[::1]:80/", "[::1]", id="IPv6"),
        pytest.param("HTTPS://ok.example/", "ok.example", id="scheme in capitals"),
        pytest.param("https://evil-ok.example/", "evil-ok.example", id="another host"),
        pytest.param("https://ok.example.evil.example/", "ok.example.evil.example", id="longer"),
        pytest.param("https://evil.example/@ok.example", "evil.example", id="at sign in the path"),
    ],
)
def test_a_urls_host_is_read(url: str, host: str) -> None:
    assert url_host(url) == host


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="nothing"),
        pytest.param("ok.example", id="no scheme"),
        pytest.param("//ok.example/", id="scheme left out"),
        pytest.param("ftp://ok.example/", id="another scheme"),
        pytest.param("android-app://ok.example/", id="an app"),
        pytest.param("about:blank", id="blank"),
        pytest.param("https:///ok.example", id="no host"),
        pytest.param("https://ok.example@evil.example/", id="user part"),
        pytest.param("https://evil.example@ok.example/", id="user part before our host"),
        pytest.param("https://ok.example\\@evil.example/", id="backslash"),
        pytest.param("https://evil.example\\ok.example/", id="backslash for a slash"),
        pytest.param("https://ok.example:x/", id="port of letters"),
        pytest.param("https://ok.example:/", id="port missing"),
        pytest.param("https://ok.example:123456/", id="port too long"),
        pytest.param("https://ok.example evil/", id="space"),
        pytest.param("https://ok.example/\r\nx", id="line break"),
        pytest.param("https://ok%2eexample/", id="escape"),
        pytest.param("https://ok.example,https://evil.example", id="two joined"),
        pytest.param("https://-ok.example/", id="hyphen"),
        pytest.param("https://o\u212a.example/", id="a letter that folds to ASCII"),
        pytest.param("http\u017f://ok.example/", id="a scheme that folds to ASCII"),
        pytest.param("https://ok.example/\xff", id="path that is not ASCII"),
        pytest.param("https://" + "a" * 300, id="too long"),
        pytest.param("https://ok.example/" + "a" * 8200, id="far too long"),
    ],
)
def test_a_url_whose_host_is_in_doubt_has_none(url: str) -> None:
    assert url_host(url) is None


@pytest.mark.parametrize(
    ("url", "fields", "expected"),
    [
        pytest.param(
            "https://a/b", {"x": "/c?d=e&f"}, "https://a/b?x=%2Fc%3Fd%3De%26f", id="added"
        ),
        pytest.param("https://a/b?y", {"x": "1"}, "https://a/b?y&x=1", id="beside others"),
        pytest.param("https://a/b#c", {"x": "#é "}, "https://a/b?x=%23%C3%A9%20#c", id="fragment"),
        pytest.param("https://a/b?#", {}, "https://a/b?", id="nothing to add"),
    ],
)
def test_parameters_are_added_to_a_url(url: str, fields: dict[str, str], expected: str) -> None:
    assert with_query(url, fields) == expected
