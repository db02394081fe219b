"""Headers: nothing forged gets in, nothing of the hop gets through, the rest is untouched."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.http.scrub import Scrubber
from ssogate.upstream.headers import (
    RequestHeaders,
    keep_private,
    may_be_set,
    response_headers,
)


def sent(*, method_override: bool = False, **environ: Any) -> list[str]:
    headers = RequestHeaders(Scrubber(["X-Our-User"]))
    return headers.lines(environ, method_override=method_override)


def test_ordinary_headers_pass_with_their_values_untouched() -> None:
    lines = sent(
        HTTP_ACCEPT="a/b;q=0.1, */*",
        HTTP_IF_NONE_MATCH='"x"',
        CONTENT_TYPE="text/x;y=z",
        HTTP_AUTHORIZATION="Bearer x",
        HTTP_X_CUSTOM=" \xe9\t",
        HTTP_UPGRADE_INSECURE_REQUESTS="1",
        HTTP_CACHE_CONTROL="no-cache",
    )

    assert lines == [
        "Accept: a/b;q=0.1, */*",
        'If-None-Match: "x"',
        "Content-Type: text/x;y=z",
        "Authorization: Bearer x",
        "X-Custom:  \xe9\t",
        "Upgrade-Insecure-Requests: 1",
        "Cache-Control: no-cache",
    ]


@pytest.mark.parametrize(
    "key",
    [
        *("HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE", "HTTP_TRAILER", "HTTP_UPGRADE"),
        *("HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_HTTP2_SETTINGS"),
        *("HTTP_PROXY", "HTTP_PROXY_AUTHORIZATION", "HTTP_PROXY_CONNECTION"),
        *("HTTP_HOST", "HTTP_CONTENT_LENGTH", "CONTENT_LENGTH", "HTTP_CONTENT_TYPE"),
        *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"),
        *("HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_URI", "HTTP_FORWARDED", "HTTP_X_REAL_IP"),
        *("HTTP_X_ORIGINAL_URL", "HTTP_X_REWRITE_URL", "HTTP_X_REQUEST_ID"),
        *("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE"),
        *("HTTP_X_REMOTE_USER", "HTTP_REMOTE_USER", "HTTP_HTTP_REMOTE_USER", "HTTP_X_OUR_USER"),
        *("HTTP_X.OUR.USER", "HTTP_X~OUR_USER", "HTTP_X_OUR+USER", "HTTP_X.ANY", "HTTP_x_lower"),
        *("HTTP_", "HTTP__X", "HTTP_X_", "REMOTE_USER", "PATH_INFO", "SERVER_NAME"),
        *("wsgi.url_scheme", "ssogate.session", "gunicorn.socket", "RAW_URI"),
    ],
)
def test_what_is_ours_or_the_hops_or_no_header_at_all_is_dropped(key: str) -> None:
    environ: dict[str, Any] = {key: "x", "HTTP_ACCEPT": "y"}

    assert sent(**environ) == ["Accept: y"]


def test_an_override_of_the_method_passes_where_a_route_allows_it() -> None:
    assert sent(method_override=True, HTTP_X_HTTP_METHOD_OVERRIDE="PUT") == [
        "X-Http-Method-Override: PUT"
    ]


@pytest.mark.parametrize(
    ("connection", "left"),
    [
        pytest.param("keep-alive", ["Accept: x", "X-Hop: y"], id="ordinary"),
        pytest.param("Keep-Alive", ["Accept: x", "X-Hop: y"], id="capitals"),
        pytest.param("close, X-Hop", ["Accept: x"], id="listed"),
        pytest.param("x-hop", ["Accept: x"], id="in any case"),
        pytest.param("X-Hop,,Accept ,", [], id="all of them"),
        pytest.param("x.hop", ["Accept: x"], id="by fold"),
        pytest.param("cookie, content-type", ["Accept: x", "X-Hop: y"], id="others"),
    ],
)
def test_what_connection_lists_is_dropped(connection: str, left: list[str]) -> None:
    assert sent(HTTP_CONNECTION=connection, HTTP_ACCEPT="x", HTTP_X_HOP="y") == left


@pytest.mark.parametrize(
    ("cookie", "left"),
    [
        pytest.param("a=1; b=2", "a=1; b=2", id="none of ours"),
        pytest.param("a=1;b=2;  c", "a=1;b=2;  c", id="odd spacing is kept"),
        pytest.param('a[b]=1; "q"=\xe9; =x', 'a[b]=1; "q"=\xe9; =x', id="odd cookies are kept"),
        pytest.param("__Host-ssogate=t", None, id="only ours"),
        pytest.param("__Host-ssogate=t; a=1", "a=1", id="first"),
        pytest.param("a=1; __Host-ssogate=t; b=2", "a=1; b=2", id="between"),
        pytest.param("a=1; __Host-ssogate=t", "a=1", id="last"),
        pytest.param("a=1; ssogate=t; b=2", "a=1; b=2", id="the plain-http one"),
        pytest.param("a=1; __HOST-SSOGATE=t", "a=1", id="capitals"),
        pytest.param("a=1; __Host-ssogate=t; __Host-ssogate=u", "a=1", id="two of ours"),
        pytest.param("a=1,__Host-ssogate=t; b=2", "b=2", id="behind a comma"),
        pytest.param("a=1; =__Host-ssogate=t", "a=1", id="nameless"),
        pytest.param('a=1; "__Host-ssogate"=t', "a=1", id="quoted"),
        pytest.param("a=1; \t __Host-ssogate \t=t", "a=1", id="white space around"),
        pytest.param("a=1; __Host-ssogate", "a=1", id="without a value"),
        pytest.param("", "", id="empty"),
    ],
)
def test_our_cookies_never_reach_an_upstream_and_others_do(cookie: str, left: str | None) -> None:
    expected = [] if not left else [f"Cookie: {left}"]

    assert sent(HTTP_COOKIE=cookie) == expected


def test_names_that_visitors_make_up_are_not_remembered_without_bound() -> None:
    headers = RequestHeaders(Scrubber())
    for number in range(5000):
        headers.lines({f"HTTP_X_{number}": "y"})

    assert headers.name.cache_info().currsize <= 1024


@pytest.mark.parametrize(
    ("name", "may"),
    [
        *[(name, True) for name in ("X-Remote-User", "Remote-User", "X-User", "Authorization")],
        *[(name, False) for name in ("Host", "Cookie", "connection", "Content-Length", "TE")],
        *[(name, False) for name in ("X-Forwarded-For", "X_Request_Id", "Proxy", "Proxy-X")],
    ],
)
def test_an_operator_may_not_name_a_header_that_has_another_meaning(name: str, may: bool) -> None:
    assert may_be_set(name) is may


# --- The answer -------------------------------------------------------------------------------


def passed(*fields: tuple[str, str], connection: str = "") -> list[tuple[str, str]]:
    return response_headers(fields, connection=connection, relocate=lambda url: f"moved {url}")


def test_an_answers_headers_pass_in_order_and_untouched() -> None:
    fields = (
        ("Content-Type", "text/html"),
        ("set-cookie", "a=1; Path=/; HttpOnly"),
        ("X-Odd~Name", "\xe9"),
        ("Set-Cookie", "b=2, c=3"),
        ("Content-Length", "5"),
        ("Set-Cookie", "ssog=x; Path=/ssogate"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Link", "x"),
        ("Link", "y"),
    )

    assert passed(*fields) == list(fields)


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer", "TE"),
        *("Proxy-Authenticate", "Proxy-Connection", "Server", "Date", "SERVER"),
        *("X-Accel-Redirect", "X-Accel-Buffering", "X-Sendfile", "X-Lighttpd-Send-File"),
        *("Clear-Site-Data", "X-SSOGate-Error", "x-ssogate-anything", "X_SSOGate_Error"),
        *("X.SSOGate.Error", "X~ssogate-Error", "HTTP_X_SSOGATE_ERROR"),
    ],
)
def test_what_an_upstream_may_not_order_is_dropped(name: str) -> None:
    assert passed(("A", "b"), (name, "x")) == [("A", "b")]


def test_what_the_answers_connection_lists_is_dropped() -> None:
    assert passed(("X-Hop", "a"), ("X-Keep", "b"), connection="close, x-hop") == [("X-Keep", "b")]


@pytest.mark.parametrize(
    "cookie",
    [
        "__Host-ssogate=evil; Path=/; Secure",
        "ssogate=evil",
        "SSOGATE=evil",
        "__host-SSOgate=evil",
        " \t__Host-ssogate=evil",
        "=__Host-ssogate=evil",
        " = __Host-ssogate=evil",
        '"__Host-ssogate"=evil',
        "__Host-ssogate",
        "a=1,__Host-ssogate=evil",
        "__Host-ssogate=; Max-Age=0",
    ],
)
def test_an_upstream_cannot_set_our_cookie(cookie: str) -> None:
    fields = (("Set-Cookie", "a=1"), ("Set-Cookie", cookie), ("SET-COOKIE", "b=2"))

    assert passed(*fields) == [("Set-Cookie", "a=1"), ("SET-COOKIE", "b=2")]


def test_a_location_is_handed_to_who_knows_the_route() -> None:
    assert passed(("location", "/x"), ("Content-Location", "/x")) == [
        ("location", "moved /x"),
        ("Content-Location", "/x"),
    ]


@pytest.mark.parametrize(
    ("headers", "caching", "vary"),
    [
        pytest.param([], "no-store", "Cookie", id="no word"),
        pytest.param([("cache-control", "max-age=60")], "private, max-age=60", "Cookie", id="app"),
        pytest.param([("Cache-Control", "no-cache")], "private, no-cache", "Cookie", id="stricter"),
        pytest.param([("Cache-Control", "public")], "private", "Cookie", id="for everybody"),
        pytest.param(
            [("Cache-Control", "PUBLIC, s-maxage=9"), ("cache-control", "max-age=5")],
            *("private, max-age=5", "Cookie"),
            id="for shared caches, in two headers",
        ),
        pytest.param([("Cache-Control", "")], "private", "Cookie", id="an empty word"),
        pytest.param([("Cache-Control", 'private="x"')], "private", "Cookie", id="in part"),
        pytest.param([("Expires", "0")], "private", "Cookie", id="by Expires"),
        pytest.param([("vary", "Accept")], "no-store", "Accept, Cookie", id="merged"),
        pytest.param([("Vary", "a, COOKIE")], "no-store", "a, COOKIE", id="there already"),
        pytest.param([("Vary", "a"), ("Vary", "b")], "no-store", "a, b, Cookie", id="of several"),
        pytest.param([("Vary", "*")], "no-store", "*", id="by everything"),
        pytest.param([("Surrogate-Control", "max-age=9")], "no-store", "Cookie", id="surrogates"),
        pytest.param([("X-CDN-Cache-Control", "max-age=9")], "no-store", "Cookie", id="networks"),
    ],
)
def test_answers_to_somebody_stay_out_of_shared_caches(
    headers: list[tuple[str, str]], caching: str, vary: str
) -> None:
    rest = [(name, value) for name, value in headers if name == "Expires"]
    found = [("ETag", "x"), *headers]
    keep_private(found)

    assert found == [("ETag", "x"), *rest, ("Cache-Control", caching), ("Vary", vary)]
