"""What the server passes is held to one target, and read in one way."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from ssogate.errors import BadHost, BadMount, BadTarget
from ssogate.http import environ as env
from ssogate.http.target import parse_target


def environ(**fields: Any) -> dict[str, Any]:
    usual = {"REQUEST_METHOD": "GET", "HTTP_HOST": "app.example", "SCRIPT_NAME": ""}
    return {**usual, **fields}


@pytest.mark.parametrize(
    ("fields", "path", "query"),
    [
        pytest.param({"PATH_INFO": "/a", "RAW_URI": "/a?b"}, "/a", "b", id="gunicorn"),
        pytest.param({"PATH_INFO": "/a", "REQUEST_URI": "/a?b"}, "/a", "b", id="uWSGI"),
        pytest.param(
            {"PATH_INFO": "/a b", "RAW_URI": "/a%20b", "QUERY_STRING": "x"},
            "/a%20b",
            "",
            id="the raw target decides",
        ),
        pytest.param({"PATH_INFO": "/a b", "QUERY_STRING": "c"}, "/a%20b", "c", id="no raw target"),
        pytest.param({"PATH_INFO": ""}, "/", "", id="empty path"),
        pytest.param({}, "/", "", id="no path"),
        pytest.param({"PATH_INFO": "/caf\xc3\xa9"}, "/caf%C3%A9", "", id="UTF-8"),
        pytest.param({"PATH_INFO": "/50%"}, "/50%25", "", id="percent, decoded"),
        pytest.param({"PATH_INFO": "/a?b", "QUERY_STRING": ""}, "/a%3Fb", "", id="question mark"),
        pytest.param(
            {"PATH_INFO": "/", "RAW_URI": "http://app.example"}, "/", "", id="absolute form"
        ),
    ],
)
def test_the_target_is_read_from_what_the_server_passes(
    fields: dict[str, str], path: str, query: str
) -> None:
    found = env.read_target(environ(**fields))

    assert (found.path, found.query) == (path, query)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"PATH_INFO": "/pub", "RAW_URI": "/admin"}, BadTarget, id="another path"),
        pytest.param({"PATH_INFO": "/x", "RAW_URI": "/admin/x"}, BadTarget, id="a cut path"),
        pytest.param({"PATH_INFO": "", "RAW_URI": "/admin"}, BadTarget, id="no path"),
        pytest.param({"PATH_INFO": "/admin", "RAW_URI": "/"}, BadTarget, id="no raw path"),
        pytest.param({"PATH_INFO": "/a%20b", "RAW_URI": "/a%20b"}, BadTarget, id="not decoded"),
        pytest.param({"PATH_INFO": "/pub/../a"}, BadTarget, id="dots without a raw target"),
        pytest.param({"PATH_INFO": "/a\\b"}, BadTarget, id="backslash without a raw target"),
        pytest.param({"PATH_INFO": "/a%2fb"}, BadTarget, id="decoded once, encoded still"),
        pytest.param({"PATH_INFO": "admin"}, BadTarget, id="no slash"),
        pytest.param({"PATH_INFO": "http://app.example/a"}, BadTarget, id="a URL for a path"),
        pytest.param(
            {"PATH_INFO": "/x", "RAW_URI": "/admin/x", "SCRIPT_NAME": "/admin"},
            BadMount,
            id="SCRIPT_NAME by a header",
        ),
        pytest.param({"PATH_INFO": "/x", "SCRIPT_NAME": "/"}, BadMount, id="SCRIPT_NAME a slash"),
        pytest.param({"PATH_INFO": "/x", "HTTP_HOST": ""}, BadHost, id="no host"),
    ],
)
def test_a_server_that_contradicts_itself_is_refused(
    fields: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        env.target(environ(**fields))


def test_what_an_outer_layer_found_counts() -> None:
    found = parse_target("GET", "/judged", "app.example")

    assert env.target(environ(PATH_INFO="/other", **{env.TARGET: found})) is found


@pytest.mark.parametrize("path", ["/plain", "/caf%C3%A9", "/a%20b"])
def test_path_info_is_a_native_string(path: str) -> None:
    target = parse_target("GET", path, "app.example")

    assert env.path_info(target).encode("latin-1").decode() == target.path_info


def test_a_request_keeps_its_id() -> None:
    request = environ()

    assert env.request_id(request) == env.request_id(request)
    assert env.request_id(request) != env.request_id(environ())
    assert len(env.request_id(request)) == 16


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        pytest.param({"REMOTE_ADDR": "1.2.3.4"}, "1.2.3.4", id="peer"),
        pytest.param({"REMOTE_ADDR": "::ffff:1.2.3.4"}, "1.2.3.4", id="mapped"),
        pytest.param({"REMOTE_ADDR": "::1"}, "::1", id="IPv6"),
        pytest.param({"REMOTE_ADDR": "fe80::1%eth0"}, "fe80::1", id="IPv6 with a zone"),
        pytest.param({"REMOTE_ADDR": ""}, None, id="unix socket"),
        pytest.param({}, None, id="none"),
        pytest.param(
            {"REMOTE_ADDR": "10.0.0.1", env.CLIENT: ip_address("1.2.3.4")}, "1.2.3.4", id="found"
        ),
        pytest.param({"REMOTE_ADDR": "10.0.0.1", env.CLIENT: None}, None, id="found to be none"),
        pytest.param(
            {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6"},
            "10.0.0.1",
            id="a header is not believed",
        ),
    ],
)
def test_the_client_is_the_peer_unless_it_was_found(
    fields: dict[str, Any], client: str | None
) -> None:
    assert env.client(environ(**fields)) == (None if client is None else ip_address(client))


def test_the_scheme_is_the_servers_unless_it_was_set() -> None:
    assert env.scheme(environ()) == "http"
    assert env.scheme(environ(**{"wsgi.url_scheme": "https"})) == "https"
    assert env.scheme(environ(**{"wsgi.url_scheme": "http", env.SCHEME: "https"})) == "https"


def test_who_brings_no_session_has_none() -> None:
    assert env.session(environ()) is None
    assert env.origin_host(environ()) == "app.example"
