"""Row B8, fact G12: what an upstream may not say, and what it says too much.

A scripted upstream answers byte for byte what a test puts into its mouth.
"""

from __future__ import annotations

import pytest

from tests.attack.stage import COOKIE, Stage
from tests.servers import RawClient, ask, request
from tests.upstream.scripted import ok

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"{COOKIE}=evil; Path=/; Secure", id="B8 the cookie of https"),
        pytest.param("ssogate=evil", id="B8 the cookie of http"),
        pytest.param(f"{COOKIE.upper()}=evil", id="B8 in capitals"),
        pytest.param(f" {COOKIE} =evil", id="B8 with spaces"),
        pytest.param(f"={COOKIE}=evil", id="B8 without a name"),
        pytest.param(f'"{COOKIE}"=evil', id="B8 in quotes"),
        pytest.param(f"a=1, {COOKIE}=evil", id="B8 behind a comma"),
        pytest.param(f"{COOKIE}=; Max-Age=0", id="B8 deletion"),
        pytest.param(f"{COOKIE}", id="B8 the name alone"),
    ],
)
def test_an_upstream_can_neither_set_nor_end_a_session(stage: Stage, value: str) -> None:
    stage.hostile.answer = ok(b"x", f"Set-Cookie: {value}", "Set-Cookie: theme=dark")
    answer = stage.ask("/pub/x", host="hostile.example")

    assert answer.all("Set-Cookie") == ["theme=dark"]


@pytest.mark.parametrize(
    "line",
    [
        "X-Accel-Redirect: /evil",
        "X-Accel-Expires: evil",
        "X.Accel.Redirect: /evil",
        "X-Sendfile: /evil",
        "X-Lighttpd-Send-File: /evil",
        "X-Reproxy-URL: /evil",
        'Clear-Site-Data: "evil"',
        "X-SSOGate-Error: evil",
        "Proxy-Authenticate: evil",
        "Connection: evil",
        "Upgrade: evil",
        "Trailer: evil",
        "Server: evil",
    ],
)
def test_an_upstream_gives_no_orders(stage: Stage, line: str) -> None:
    stage.hostile.answer = ok(b"x", line)
    answer = stage.ask("/pub/x", host="hostile.example")

    assert answer.status == 200
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ok(b"x", "Connection: X-Remote-User, Set-Cookie"), id="B3 Connection"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", id="two"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            id="both",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", id="odd coding"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", id="bare LF"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", id="folded"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\x00\r\nContent-Length: 0\r\n\r\n", id="NUL"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n", id="space and colon"
        ),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", id="a switch"),
        pytest.param(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", id="odd status"),
        pytest.param(b"HTTP/2 200\r\n\r\n", id="another protocol"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="no HTTP at all"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70000 + b"\r\n\r\n", id="a long head"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n", id="300 headers"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 20, id="interim answers without end"),
        pytest.param(b"", id="silence"),
    ],
)
def test_a_hostile_answer_is_a_502_or_clean(stage: Stage, answer: bytes) -> None:
    stage.hostile.answer, stage.hostile.hang_up = answer, True
    cookie = stage.sign_in("john")
    with RawClient(stage.gate.port) as client:
        client.send(request("/pub/x", cookie, host="hostile.example", close=False))
        found = client.answer()
        client.send(request("/pub/y", cookie, close=True))
        following = client.answer()
    stage.hostile.hang_up = False

    assert found.status in (200, 502)
    assert found.header("X-SSOGate-Error") in (None, "upstream_invalid", "upstream_unreachable")
    assert following.status == 200
    assert stage.seen()[-1]["uri"] == "/pub/y"


def test_what_an_upstream_sends_too_much_goes_to_nobody(stage: Stage) -> None:
    poison = ok(b"one") + ok(b"POISON")
    stage.hostile.answer = poison
    bodies = [stage.ask(f"/pub/{n}", host="hostile.example").body for n in range(6)]

    assert bodies == [b"one"] * 6


def test_an_answer_that_is_cut_is_never_shown_as_whole(stage: Stage) -> None:
    stage.hostile.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    stage.hostile.hang_up = True
    with RawClient(stage.gate.port) as client:
        client.send(request("/pub/x", host="hostile.example", close=False))
        found = client.answer()
    stage.hostile.hang_up = False

    assert found.status == 502 or not found.complete


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_body_where_none_may_be_desyncs_nobody(stage: Stage, status: str) -> None:
    stage.hostile.answer = ok(b"HTTP/1.1 200 OK\r\n\r\n", status=status)
    with RawClient(stage.gate.port) as client:
        client.send(request("/pub/x", host="hostile.example", close=False))
        first = client.answer()
        client.send(request("/pub/y"))
        second = client.answer()

    assert (first.status, second.status) == (int(status[:3]), 200)
    assert b'"uri": "/pub/y"' in second.body


def test_a_location_of_the_upstream_stays_at_the_site(stage: Stage) -> None:
    base = stage.hostile.url
    stage.hostile.answer = ok(b"", f"Location: {base}//evil.example/x", status="302 Found")
    answer = ask(stage.gate.port, request("/pub/x", host="hostile.example"))

    assert answer.header("Location") == "https://hostile.example//evil.example/x"
