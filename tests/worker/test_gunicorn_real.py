"""What gunicorn makes of hostile bytes with the safe settings, measured on a real process.

These rows are the ground that the gate stands on. Those that pass through (`200`) are the gate's
own to judge; if a new gunicorn reads one differently, it shows here first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Gunicorn, RawClient, answers, ask, raw, request

pytestmark = pytest.mark.server

APP = "tests.worker.echo:app"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module", params=["ours", "gthread", "sync"])
def server(request: pytest.FixtureRequest) -> Iterator[Gunicorn]:
    kinds = {"ours": (), "gthread": ("-k", "gthread"), "sync": ("-k", "sync", "--threads", "1")}
    with Gunicorn(APP, *kinds[request.param]) as running:
        yield running


def post(*lines: str, body: bytes) -> bytes:
    return request("/", *lines, method="POST", body=body)


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        pytest.param(
            request("/", "X.Forwarded.User: admin"),
            {"HTTP_X.FORWARDED.USER": "admin"},
            id="B2: a dot passes, so the gate scrubs by fold",
        ),
        pytest.param(request("/", "X~A!: b"), {"HTTP_X~A!": "b"}, id="B2: other signs pass too"),
        pytest.param(
            request("/", "Remote-User: admin"),
            {"HTTP_REMOTE_USER": "admin", "REMOTE_USER": None},
            id="B1: Remote-User is a header, not the user",
        ),
        pytest.param(
            request("/x/admin", "Script-Name: /x"),
            {"SCRIPT_NAME": "", "PATH_INFO": "/x/admin"},
            id="G3: Script-Name moves nothing",
        ),
        pytest.param(
            request("/", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"),
            {"wsgi.url_scheme": "http"},
            id="E1: X-Forwarded-Proto moves nothing",
        ),
        pytest.param(
            request("/public/../admin"),
            {"PATH_INFO": "/public/../admin", "RAW_URI": "/public/../admin"},
            id="A2: dot segments pass",
        ),
        pytest.param(
            request("/public%2F..%2Fadmin"),
            {"PATH_INFO": "/public/../admin", "RAW_URI": "/public%2F..%2Fadmin"},
            id="A2: only RAW_URI tells an encoded slash",
        ),
        pytest.param(
            request("/foo/secret#/bar"),
            {"PATH_INFO": "/foo/secret", "RAW_URI": "/foo/secret#/bar"},
            id="A4: only RAW_URI tells a fragment",
        ),
        pytest.param(
            request("http://other.example/admin"),
            {"HTTP_HOST": "app.example", "RAW_URI": "http://other.example/admin"},
            id="A6: an absolute form for another host passes",
        ),
        pytest.param(request("/", host="a@evil"), {"HTTP_HOST": "a@evil"}, id="A6: any Host"),
        pytest.param(request("/", host=None), {"HTTP_HOST": None}, id="A6: no Host at all"),
        pytest.param(request("/a%00.png"), {"PATH_INFO": "/a\0.png"}, id="A8: NUL passes"),
        pytest.param(request("/\\x"), {"PATH_INFO": "/\\x"}, id="A2: a backslash passes"),
        pytest.param(
            request("/", "Cookie: s=1", "Cookie: s=2"),
            {"HTTP_COOKIE": "s=1,s=2"},
            id="G5: two Cookie lines are joined by a comma",
        ),
        pytest.param(request("/", b"X-A: \xff"), {"HTTP_X_A": "\xff"}, id="latin-1 in a value"),
        pytest.param(request("*", method="OPTIONS"), {"RAW_URI": "*"}, id="asterisk form passes"),
        pytest.param(
            request("x:1", method="CONNECT"), {"REQUEST_METHOD": "CONNECT"}, id="CONNECT passes"
        ),
        pytest.param(
            post("Transfer-Encoding: gzip, chunked", body=b"1\r\na\r\n0\r\n\r\n"),
            {"HTTP_TRANSFER_ENCODING": "gzip, chunked", "body": "a"},
            id="G8: gzip below chunked passes",
        ),
        pytest.param(
            post(CHUNKED, body=b"1\r\na\r\n0\r\nX-Remote-User: admin\r\n\r\n"),
            {"HTTP_X_REMOTE_USER": None, "body": "a"},
            id="a trailer is no header",
        ),
        pytest.param(
            request("/", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
            {"SERVER_PROTOCOL": "HTTP/1.1"},
            id="no upgrade to HTTP/2",
        ),
    ],
)
def test_passes_to_the_gate(server: Gunicorn, data: bytes, seen: dict[str, Any]) -> None:
    answer = ask(server.port, data)

    assert answer.status == 200
    environ = json.loads(answer.text)
    assert {name: environ.get(name) for name in seen} == seen


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(request("/", "X_Forwarded_User: admin"), 400, id="B1: underscore"),
        pytest.param(request("/x/admin", "SCRIPT_NAME: /x"), 400, id="E4: SCRIPT_NAME"),
        pytest.param(request("/x/admin", "PATH_INFO: /x"), 400, id="E4: PATH_INFO"),
        pytest.param(request("/", "Host: b"), 400, id="A6: two Hosts"),
        pytest.param(
            post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400, id="A10: length and chunks"
        ),
        pytest.param(
            post(CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n"), 400, id="A10: chunks and length"
        ),
        pytest.param(
            post("Content-Length: 1", "Content-Length: 1", body=b"a"), 400, id="A10: two lengths"
        ),
        pytest.param(post("Content-Length: 1, 1", body=b"a"), 400, id="A10: a list of lengths"),
        pytest.param(post("Content-Length: +1", body=b"a"), 400, id="A10: a signed length"),
        pytest.param(post("Content-Length: 1_0", body=b"a" * 10), 400, id="A10: odd digits"),
        pytest.param(post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400, id="A10: chunked twice"),
        pytest.param(post("Transfer-Encoding: identity", body=b"a"), 400, id="A10: identity"),
        pytest.param(post("Transfer-Encoding: \vchunked", body=b"a"), 400, id="A10: VT"),
        pytest.param(post("Transfer-Encoding : chunked", body=b"a"), 400, id="A10: space, colon"),
        pytest.param(post("Transfer_Encoding: chunked", body=b"a"), 400, id="A10: by underscore"),
        pytest.param(post("Transfer-Encoding: xchunked", body=b"a"), 501, id="A10: xchunked"),
        pytest.param(post(CHUNKED, body=b"zz\r\na\r\n0\r\n\r\n"), 400, id="G6: no chunk size"),
        pytest.param(post(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n"), 400, id="G6: chunk too long"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", 400, id="A10: bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, id="A10: one bare LF"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, id="A10: bare CR"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400, id="G2: folded"),
        pytest.param(b"GET / HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n", 400, id="G2: folded first"),
        pytest.param(request("/", "X-A: \0"), 400, id="NUL in a value"),
        pytest.param(request(b"/\xff"), 400, id="raw byte in the path"),
        pytest.param(request("/", method="get"), 400, id="method in small letters"),
        pytest.param(b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 400, id="odd version"),
        pytest.param(b"GET /\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + request("/"), 400, id="E1: PROXY"),
        pytest.param(request("/" + "x" * 8200), 414, id="long request line"),
        pytest.param(request("/", *["X-A: b"] * 101), 431, id="many headers"),
        pytest.param(request("/", "X-A: " + "b" * 16400), 431, id="large header"),
        pytest.param(request("/", "Expect: x"), 417, id="odd expectation"),
        pytest.param(request("/", "Content-Type: a", "Content-Type: b"), 400, id="two types"),
    ],
)
def test_is_refused_and_nothing_after_it_is_answered(
    server: Gunicorn, data: bytes, status: int
) -> None:
    found = answers(raw(server.port, data.replace(b"Connection: close\r\n", b"") + request("/")))

    assert [answer.status for answer in found] == [status]


def test_a_long_link_is_not_too_long(server: Gunicorn) -> None:
    assert ask(server.port, request("/sso.php?query=" + "x" * 8000)).status == 200


def test_an_unread_body_is_not_taken_for_a_request(server: Gunicorn) -> None:
    inner = request("/admin")
    data = request("/unread", f"Content-Length: {len(inner)}", method="POST", close=False) + inner

    (answer,) = answers(raw(server.port, data))

    assert json.loads(answer.text)["PATH_INFO"] == "/unread"


def test_a_body_cut_short_is_a_short_read(server: Gunicorn) -> None:
    """G7: nothing but a comparison with Content-Length tells it."""
    with RawClient(server.port) as client:
        client.send(post("Content-Length: 10", body=b"abc")).finish()

        assert json.loads(client.answer().text)["body"] == "abc"


def test_a_failing_app_shows_nothing_but_that_it_failed(server: Gunicorn) -> None:
    answer = ask(server.port, request("/fail?token=hunter2"))

    assert answer.status == 500
    assert "Traceback" not in answer.text
    assert "hunter2" not in answer.text


def test_the_log_holds_no_secret_and_no_forged_line(server: Gunicorn) -> None:
    ask(server.port, request("/sso.php?query=hunter2", "Cookie: s=hunter2", "Referer: /?hunter2"))
    ask(server.port, request("/fail?token=hunter2"))
    ask(server.port, b"password=hunter2\r\n\r\n")
    ask(server.port, b"GET / HTTP/1.1\r\nCookie hunter2\r\n\r\n")
    ask(server.port, post(CHUNKED, body=b"hunter2\r\n"))
    server.until('"path":"/sso.php"')
    server.until("RuntimeError: at /fail")

    lines = server.log().splitlines()
    assert not [line for line in lines if "hunter2" in line]
    assert not [line for line in lines if line.startswith("[2026-01-02]")]
    access = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"/sso.php", "/fail"} <= {line["path"] for line in access}


def test_no_control_socket_is_opened(server: Gunicorn) -> None:
    assert "Control socket" not in server.log()
