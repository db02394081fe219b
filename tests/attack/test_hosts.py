"""Row A6: a request is for one host, and that host's rules judge it."""

from __future__ import annotations

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import HOST, MARK, Stage
from tests.attack.test_targets import assert_refused
from tests.servers import ask

pytestmark = pytest.mark.server

HOSTS = [
    pytest.param("APP.Example", 401, "sign_in_required", id="A6 capitals"),
    pytest.param("app.example.", 401, "sign_in_required", id="A6 closing dot"),
    pytest.param("APP.Example.:443", 401, "sign_in_required", id="A6 all of it"),
    pytest.param("app.example:443", 401, "sign_in_required", id="A6 port"),
    pytest.param("app.example:x", 400, "bad_host", id="A6 port of letters"),
    pytest.param("app.example:0", 400, "bad_host", id="A6 port zero"),
    pytest.param("app.example:99999", 400, "bad_host", id="A6 port too high"),
    pytest.param("app.example:", 400, "bad_host", id="A6 empty port"),
    pytest.param("app.example:80:80", 400, "bad_host", id="A6 two ports"),
    pytest.param("a@app.example", 400, "bad_host", id="A6 user part"),
    pytest.param("app.example@evil", 400, "bad_host", id="A6 user part with our name"),
    pytest.param("app.example/x", 400, "bad_host", id="A6 path"),
    pytest.param("app.example#x", 400, "bad_host", id="A6 fragment"),
    pytest.param("app.example, raw.example", 400, "bad_host", id="A6 two by comma"),
    pytest.param("app.example raw.example", 400, "bad_host", id="A6 two by space"),
    pytest.param("app..example", 400, "bad_host", id="A6 empty label"),
    pytest.param("app.example..", 400, "bad_host", id="A6 two closing dots"),
    pytest.param(".app.example", 400, "bad_host", id="A6 dot in front"),
    pytest.param("app%2eexample", 400, "bad_host", id="A6 escaped dot"),
    pytest.param("app.ex\xe4mple", 400, "bad_host", id="A6 not ASCII"),
    pytest.param("[::1", 400, "bad_host", id="A6 open bracket"),
    pytest.param("[::g]", 400, "bad_host", id="A6 bad IPv6"),
    pytest.param("", 400, "bad_host", id="A6 empty"),
    pytest.param(None, 400, "bad_host", id="A6 none"),
    pytest.param("a" * 300, 400, "bad_host", id="A6 long"),
    pytest.param("evil.example", 421, "unknown_host", id="A6 another site"),
    pytest.param("app.example.evil.example", 421, "unknown_host", id="A6 our name in front"),
    pytest.param("xapp.example", 421, "unknown_host", id="A6 our name at the end"),
    pytest.param("x.app.example", 421, "unknown_host", id="A6 below our name"),
    pytest.param("127.0.0.1", 421, "unknown_host", id="A6 our address"),
]


@pytest.mark.parametrize(("host", "status", "code"), HOSTS)
def test_a_host_is_judged_in_one_spelling(
    stage: Stage, host: str | None, status: int, code: str
) -> None:
    answer = stage.ask("/admin", host=host)

    assert (answer.status, answer.header("X-SSOGate-Error")) == (status, code)
    assert stage.seen() == []


@pytest.mark.parametrize(("host", "status", "code"), [h for h in HOSTS if h.values[1] != 401])
def test_a_bad_host_opens_no_public_page_and_no_address_of_ours(
    stage: Stage, host: str | None, status: int, code: str
) -> None:
    for target in ("/pub/x", "/_sso/health", stage.link()):
        answer = stage.ask(target, host=host)

        assert_refused(answer, code, status)
    assert stage.seen() == []


@pytest.mark.parametrize(
    ("target", "lines", "host", "status"),
    [
        pytest.param("http://raw.example/pub/x", (), HOST, 400, id="A6 absolute, another host"),
        pytest.param("http://evil.example/pub/", (), HOST, 400, id="A6 absolute, foreign host"),
        pytest.param("http://a@app.example/pub/", (), HOST, 400, id="A6 absolute, user part"),
        pytest.param("http://app.example:x/pub/", (), HOST, 400, id="A6 absolute, odd port"),
        pytest.param("http://app.example/admin", (), HOST, 401, id="A6 absolute, closed"),
        pytest.param("http://app.example//admin", (), HOST, 400, id="A6 absolute, two slashes"),
        pytest.param("//raw.example/pub/x", (), HOST, 400, id="A6 network path"),
        pytest.param("/pub/x", ("Host: raw.example",), HOST, 400, id="A6 two hosts"),
        pytest.param("/pub/x", ("Host: app.example",), HOST, 400, id="A6 the same host twice"),
        pytest.param("/pub/x", ("Host : raw.example",), HOST, 400, id="A6 host, space, colon"),
        pytest.param("/pub/x", (" Host: raw.example",), HOST, 400, id="A6 host in a folded line"),
        pytest.param("/pub/x", ("HOST:raw.example",), None, 200, id="A6 header name in capitals"),
        pytest.param("/pub/x", ("X-Host: raw.example",), None, 400, id="A6 another header alone"),
        pytest.param("/pub/x", ("X-Forwarded-Host: app.example",), None, 400, id="A6 forwarded"),
    ],
)
def test_there_is_one_host(
    stage: Stage, target: str, lines: tuple[str, ...], host: str | None, status: int
) -> None:
    answer = stage.ask(target, *lines, host=host)

    assert answer.status == status
    assert stage.seen() == []
    assert len(stage.recorder.seen()) == (status == 200)


def test_a_request_of_http_1_0_without_a_host_opens_nothing(stage: Stage) -> None:
    answer = ask(stage.gate.port, b"GET /pub/x HTTP/1.0\r\n\r\n")

    assert (answer.status, answer.header("X-SSOGate-Error")) == (400, "bad_host")


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "get", "GE T", "G\x00T"])
def test_an_odd_method_reaches_nothing(stage: Stage, wrap: Wrap, method: str) -> None:
    for place in (stage, wrap):
        answer = place.ask("/pub/x", method=method)

        assert answer.status in (400, 405)
        assert MARK not in answer.text
        assert place.seen() == []


def test_a_session_of_one_host_is_judged_at_another_by_its_own_rules(stage: Stage) -> None:
    cookie = stage.sign_in("sue", groups="staff")
    answer = stage.ask("/admin", cookie, host="raw.example")

    assert (answer.status, stage.recorder.seen()) == (403, [])
