"""Redirect URIs: to the letter, and nothing that a browser would run (SECURITY-TESTS, row F3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.http.redirects import MAX_LOCATION
from ssogate.oauth.redirect_uri import is_redirect_uri, redirect_uri_matches

CPANEL = "https://panel.example:2083/openid_connect_callback/ssogate?kind=user"
LOOPBACK = "http://127.0.0.1/callback"


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(CPANEL, id="cPanel"),
        pytest.param("https://app.example", id="host alone"),
        pytest.param("http://[::1]:4711/cb", id="loopback"),
        pytest.param("com.example.app:/oauth2redirect", id="a scheme of an app's own"),
        pytest.param("com.example.app://callback", id="such a scheme with a host"),
        pytest.param("https://app.example/a%2Fb", id="escaped"),
        pytest.param("https://app.example/".ljust(MAX_LOCATION, "a"), id="as long as the limit"),
    ],
)
def test_a_client_may_register(uri: str) -> None:
    assert is_redirect_uri(uri)
    assert redirect_uri_matches(uri, uri, native=False)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param("/callback", id="relative"),
        pytest.param("//app.example/cb", id="without a scheme"),
        pytest.param("https:app.example", id="https without slashes"),
        pytest.param("https:/app.example", id="https with one slash"),
        pytest.param("https://", id="no host"),
        pytest.param("https://app.example/cb#", id="empty fragment"),
        pytest.param("https://app.example/cb#x", id="fragment"),
        pytest.param("https://ok@app.example/cb", id="user part"),
        pytest.param("https://app.example\\@evil.example", id="backslash"),
        pytest.param("https://app.example/\tcb", id="tab"),
        pytest.param("https://app.example/cb\n", id="line end"),
        pytest.param(" https://app.example/cb", id="space"),
        pytest.param("https://app.example/%zz", id="broken escape"),
        pytest.param("https://app%2eexample/cb", id="escaped host"),
        pytest.param("https://äpp.example/cb", id="not ASCII"),
        pytest.param("https://app.example/" + "a" * MAX_LOCATION, id="too long"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("JavaScript://app.example/%0aalert(1)", id="javascript as a URL"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("vbscript:x", id="vbscript"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("blob:https://app.example/1", id="blob"),
        pytest.param("view-source:https://app.example", id="view-source"),
    ],
)
def test_nobody_is_sent_to(uri: str) -> None:
    assert not is_redirect_uri(uri)
    assert not redirect_uri_matches(uri, uri, native=True)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(CPANEL.upper(), id="case"),
        pytest.param(CPANEL.replace("panel.example", "Panel.example"), id="case of the host"),
        pytest.param(CPANEL.replace("https", "HTTPS"), id="case of the scheme"),
        pytest.param(CPANEL.replace("https", "http"), id="without TLS"),
        pytest.param(CPANEL.replace(":2083", ":2087"), id="another port"),
        pytest.param(CPANEL.replace(":2083", ""), id="no port"),
        pytest.param(CPANEL.replace(":2083", ":02083"), id="zero before the port"),
        pytest.param(CPANEL.replace(".example", ".example."), id="dot after the host"),
        pytest.param(CPANEL.replace(".example", ".example.evil"), id="longer host"),
        pytest.param(CPANEL.replace("panel.", "evil.panel."), id="host below it"),
        pytest.param(CPANEL.replace("panel.", "panel%2e"), id="escaped dot"),
        pytest.param(CPANEL.replace("//panel", "//panel@evil"), id="user part"),
        pytest.param(CPANEL.replace("//", "//evil.example@"), id="another user part"),
        pytest.param(CPANEL.replace("/ssogate", "/ssogate/"), id="slash added"),
        pytest.param(CPANEL.replace("/ssogate", "//ssogate"), id="slash doubled"),
        pytest.param(CPANEL.replace("/ssogate", "/x/../ssogate"), id="dot segment"),
        pytest.param(CPANEL.replace("/ssogate", "/%73sogate"), id="needless escape"),
        pytest.param(CPANEL.replace("/ssogate", "/ssogate%2f..%2fevil"), id="escaped slash"),
        pytest.param(CPANEL + "&more=1", id="query added"),
        pytest.param(CPANEL.replace("?kind=user", ""), id="query left out"),
        pytest.param(CPANEL.replace("?", "?more=1&"), id="query put before"),
        pytest.param(CPANEL + "#", id="fragment"),
        pytest.param(CPANEL + " ", id="space"),
        pytest.param(CPANEL + "%00", id="zero byte"),
        pytest.param("javascript:" + CPANEL, id="scheme put before"),
        pytest.param(LOOPBACK, id="a native app that it is not"),
    ],
)
def test_a_near_miss_is_another_address(asked: str, native: bool) -> None:
    assert not redirect_uri_matches(CPANEL, asked, native=native)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [
        pytest.param(LOOPBACK, "http://127.0.0.1:51004/callback", id="IPv4"),
        pytest.param("http://127.0.0.1:80/callback", LOOPBACK, id="port left out"),
        pytest.param("http://[::1]:1/cb?x=1", "http://[::1]:65535/cb?x=1", id="IPv6"),
        pytest.param("http://localhost:3000", "http://localhost:3001", id="localhost, no path"),
    ],
)
def test_a_native_app_listens_on_any_port(registered: str, asked: str) -> None:
    assert redirect_uri_matches(registered, asked, native=True)
    assert not redirect_uri_matches(registered, asked, native=False)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("http://localhost/callback", id="another name of it"),
        pytest.param("http://[::1]/callback", id="another address of it"),
        pytest.param("http://127.0.0.2/callback", id="another loopback address"),
        pytest.param("http://127.1/callback", id="another spelling"),
        pytest.param("https://127.0.0.1:5/callback", id="another scheme"),
        pytest.param("http://127.0.0.1:5/callback/", id="slash added"),
        pytest.param("http://127.0.0.1:5/other", id="another path"),
        pytest.param("http://127.0.0.1:5/callback?x=1", id="query added"),
        pytest.param("http://127.0.0.1:5", id="no path"),
        pytest.param("http://127.0.0.1:5@evil.example/callback", id="user part"),
        pytest.param("http://127.0.0.1:5.evil.example/callback", id="port with a host"),
        pytest.param("http://127.0.0.1.evil.example:5/callback", id="longer host"),
        pytest.param("http://127.0.0.1:/callback", id="empty port"),
        pytest.param("http://127.0.0.1:0/callback", id="port 0"),
        pytest.param("http://127.0.0.1:080/callback", id="zero before the port"),
        pytest.param("http://127.0.0.1:65536/callback", id="port too large"),
        pytest.param("http://127.0.0.1:5\\@evil/callback", id="backslash"),
    ],
)
def test_nothing_but_the_port_may_differ(asked: str) -> None:
    assert not redirect_uri_matches(LOOPBACK, asked, native=True)


@given(
    registered=st.sampled_from([CPANEL, "com.example.app:/cb", "https://127.0.0.1/callback"]),
    at=st.integers(0, 100),
    put=st.text(st.characters(max_codepoint=0x17F), min_size=1, max_size=4),
    cut=st.integers(0, 4),
)
def test_no_other_text_is_a_registered_uri(registered: str, at: int, put: str, cut: int) -> None:
    asked = registered[:at] + put + registered[at + cut :]

    assert redirect_uri_matches(registered, asked, native=True) == (asked == registered)


@given(
    at=st.integers(0, len(LOOPBACK)),
    put=st.text(":@/\\?#%.[]0159acelvi \t\n", min_size=1, max_size=6),
    cut=st.integers(0, 4),
)
def test_of_a_loopback_uri_nothing_but_a_port_is_added(at: int, put: str, cut: int) -> None:
    asked = LOOPBACK[:at] + put + LOOPBACK[at + cut :]

    if redirect_uri_matches(LOOPBACK, asked, native=True) and asked != LOOPBACK:
        before, colon, port = asked.removesuffix("/callback").rpartition(":")
        assert (before, colon) == ("http://127.0.0.1", ":")
        assert 1 <= int(port) <= 65535
        assert port == str(int(port))
