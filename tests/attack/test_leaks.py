"""Row H: what is refused shows nothing, what is shown is escaped, and no log holds a secret."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.attack.conftest import Wrap
from tests.attack.stage import (
    COOKIE,
    GTHREAD,
    HOST,
    MARK,
    PAGE,
    SCRIPT,
    STRICT_SECRET,
    Stage,
    new_link,
)
from tests.gate import SECRET, RunningGate, site
from tests.servers import Answer, Gunicorn, RawClient, ask, held
from tests.upstream.scripted import ok

pytestmark = pytest.mark.server

UPLOAD = ("Content-Type: application/x-www-form-urlencoded",)


# --- H1: nothing of the upstream without a session --------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((), id="a script"),
        pytest.param(PAGE, id="a browser"),
        pytest.param(("X-Requested-With: XMLHttpRequest",), id="an old script"),
        pytest.param(
            ("If-None-Match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"), id="if"
        ),
        pytest.param(("Range: bytes=0-0", "If-Range: x"), id="a range"),
        pytest.param(("Authorization: Basic YWRtaW46YWRtaW4=",), id="a password"),
        pytest.param((f"Cookie: {COOKIE}={'A' * 43}",), id="an invented session"),
        pytest.param(
            ("Access-Control-Request-Method: GET", "Origin: https://evil"), id="preflight"
        ),
        pytest.param(("Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), id="an image"),
        pytest.param(("Service-Worker: script",), id="a service worker"),
    ],
)
def test_a_visitor_who_may_not_gets_not_one_byte_of_the_upstream(
    stage: Stage, method: str, lines: tuple[str, ...]
) -> None:
    for host in (HOST, "raw.example", "hostile.example"):
        stage.hostile.answer = ok(MARK.encode(), f"X-Upstream: {MARK}")
        answer = stage.ask("/closed/x", *lines, method=method, host=host)

        assert answer.status in (401, 403, 303)
        assert MARK not in answer.text + str(answer.headers)
    assert stage.seen() == []
    assert stage.recorder.seen() == stage.hostile.seen() == []


# --- H8, H10: how our own answers are kept -------------------------------------------------------


def own_answers(stage: Stage) -> Iterator[tuple[str, Answer]]:
    cookie = stage.sign_in("john")
    yield "challenge", stage.ask("/admin", *PAGE)
    yield "401", stage.ask("/admin")
    yield "403 as JSON", stage.ask("/admin", cookie)
    yield "403 as a page", stage.ask("/admin", cookie, *PAGE)
    yield "400", stage.ask("/pub/../x", *PAGE)
    yield "421", stage.ask("/", *PAGE, host="evil.example")
    yield "404", stage.ask("/_sso/nothing", *PAGE)
    yield "405", stage.ask("/pub", method="TRACE")
    yield "413", stage.ask("/sso.php", "Content-Length: 99999999", method="POST")
    yield "501", stage.ask("/pub", "Upgrade: websocket", *PAGE)
    yield "502", stage.ask("/pub/x", *PAGE, host="down.example")
    yield "504", stage.ask("/pub/x", *PAGE, host="slow.example")
    yield "route", stage.ask("/go/x")
    yield "sign-in page", stage.ask("/_sso/sign-in", *PAGE)
    yield "signed-out page", stage.ask("/_sso/signed-out", *PAGE)
    yield "health", stage.ask("/_sso/health")
    yield "link refused", stage.ask("/sso.php", *PAGE)
    yield "link", stage.ask(stage.link())
    yield "confirm page", stage.ask(stage.link("other"), cookie, *PAGE)
    yield "logout", stage.ask("/sso.php?mode=logout", cookie)
    yield "logout by POST", stage.ask("/sso.php?mode=logout", method="POST")


def test_every_answer_of_ours_is_kept_by_nobody_and_framed_nowhere(stage: Stage) -> None:
    for name, answer in own_answers(stage):
        assert answer.header("Cache-Control") == "no-store", name
        assert answer.header("X-Content-Type-Options") == "nosniff", name
        assert answer.header("Referrer-Policy") == "no-referrer", name
        assert answer.header("X-Frame-Options") == "DENY", name
        assert answer.status >= 400 or answer.header("X-SSOGate-Error") is None, name
        assert "Traceback" not in answer.text, name
        if "text/html" in (answer.header("Content-Type") or "") and answer.body:
            policy = answer.header("Content-Security-Policy") or ""
            assert "default-src 'none'" in policy, name
            assert "frame-ancestors 'none'" in policy, name
            assert "unsafe" not in policy, name
            assert "<script" not in answer.text, name


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_shared_cache_cannot_give_one_visitors_page_to_another(
    stage: Stage, wrap: Wrap, method: str
) -> None:
    cookie = stage.sign_in("john")
    stage.hostile.answer = ok(b"x", "Vary: Accept")
    for answer in (
        stage.ask("/pub/x", cookie, method=method),
        stage.ask("/members/x", cookie, method=method, host="hostile.example"),
    ):
        assert answer.header("Cache-Control") == "no-store"
        assert "Cookie" in ",".join(answer.all("Vary"))
    assert wrap.ask("/pub/x").header("Cache-Control") is None


# --- H4: what is reflected -----------------------------------------------------------------------


def test_no_text_of_a_visitor_becomes_markup(stage: Stage) -> None:
    marked = stage.sign_in("marked", name=SCRIPT, groups=SCRIPT)
    odd = stage.sign_in(SCRIPT)
    query = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    found = [
        stage.ask(f"/admin/{query}", *PAGE),
        stage.ask(f"/admin/{query}?{SCRIPT.replace(' ', '')}", *PAGE),
        stage.ask(f"/admin/{query}", marked, *PAGE),
        stage.ask("/admin", odd, *PAGE),
        stage.ask("/marked/x", odd, *PAGE, "Sec-Fetch-Dest: document", method="POST"),
        stage.ask("/marked/x", stage.sign_in("plain"), *PAGE),
        stage.ask("/marked/x", stage.sign_in("plain")),
        stage.ask("/", *PAGE, host=SCRIPT),
        stage.ask("/", *PAGE, host=f"{SCRIPT}.example"),
        stage.ask(f"/{SCRIPT}", *PAGE),
        stage.ask("/pub", *PAGE, f"Upgrade: {SCRIPT}"),
        stage.ask("/pub", *PAGE, method="SCRIPT"),
        stage.ask(f"/_sso/{query}", *PAGE),
        stage.ask(f"/_sso/sign-in?return_to=/{query}", *PAGE),
        stage.ask(f"/sso.php?mode={query}", *PAGE),
        stage.ask(new_link("other", redirect=f"/x?{SCRIPT}"), marked, *PAGE),
        stage.ask(new_link(SCRIPT + "2"), marked, *PAGE),
        stage.ask(new_link("other") + f"&redirecttype={query}&redirectid={query}", odd, *PAGE),
    ]

    for answer in found:
        assert "<script" not in answer.text.lower(), answer
        assert "<script" not in str(answer.headers).lower(), answer
    assert "&gt;&lt;script&gt;" in found[5].text, "a group that is told, told as text"
    assert "&gt;&lt;script&gt;" in found[16].text, "a name that is told, told as text"


# --- Upstreams that fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status", "code"),
    [
        pytest.param("down.example", 502, "upstream_unreachable", id="nobody listens"),
        pytest.param("slow.example", 504, "upstream_timeout", id="nobody answers"),
    ],
)
def test_an_upstream_that_fails_gives_a_page_that_helps(
    stage: Stage, host: str, status: int, code: str
) -> None:
    started = time.monotonic()
    page = stage.ask("/pub/x", *PAGE, host=host)
    script = stage.ask("/pub/x", host=host)

    assert (page.status, page.header("X-SSOGate-Error")) == (status, code)
    assert (script.status, json.loads(script.body)["code"]) == (status, code)
    assert "<h1>" in page.text
    assert "127.0.0.1" not in page.text + script.text, (
        "where the upstream stands is nobody's affair"
    )
    assert time.monotonic() - started < 5
    assert stage.is_alive()


# --- H2, H3 --------------------------------------------------------------------------------------


def test_the_gate_follows_no_redirect_of_an_upstream(stage: Stage) -> None:
    stage.hostile.answer = ok(b"", f"Location: {stage.recorder.url}/pub/x", status="302 Found")
    answer = stage.ask("/pub/x", host="hostile.example")

    assert (answer.status, answer.header("Location")) == (302, f"{stage.recorder.url}/pub/x")
    assert stage.recorder.seen() == []


def test_no_cookie_of_one_upstream_travels_to_another_visitor(stage: Stage) -> None:
    stage.hostile.answer = ok(b"x", "Set-Cookie: theirs=1; Path=/")
    stage.ask("/pub/x", host="hostile.example")
    stage.ask("/pub/y", host="hostile.example")

    assert [found.all("Cookie") for found in stage.hostile.seen()] == [[], []]


@pytest.fixture(scope="module")
def told(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """A gate whose log is read to the last line."""
    written = site(tmp_path_factory.mktemp("told"), echo.url(""))
    with RunningGate(written, *GTHREAD) as gate:
        yield gate


def test_a_whole_story_leaves_no_secret_in_the_log_or_on_a_page(told: RunningGate) -> None:
    pages: list[Answer] = []
    secrets = {SECRET, STRICT_SECRET, "whereto-9c1", "hunter2-9c1"}

    def ask_as(target: str | bytes, *lines: str | bytes, **how: object) -> Answer:
        pages.append(told.ask(target, *lines, **how))
        return pages[-1]

    def link(**fields: str) -> str:
        made = new_link(redirect="/members/whereto-9c1", **fields)
        secrets.update(v for k, v in parse_qsl(urlsplit(made).query) if k in ("query", "hash"))
        return made

    first = link()
    cookie = (
        ask_as(first, "Referer: http://members.example/?hunter2-9c1").header("Set-Cookie") or ""
    )
    line = f"Cookie: {cookie.partition(';')[0]}"
    token = line.partition("=")[2]
    secrets.add(token)
    ask_as("/members/x?password=hunter2-9c1", line)
    ask_as(first, line)
    ask_as(first)
    ask_as(first.replace("hash=", "hash=0"), *PAGE)
    ask_as(first.replace("mode=login", "mode=logon"), *PAGE)
    ask_as(first + "&query=x", *PAGE)
    ask_as(first + "&redirect=/whereto-9c1%ff")
    ask_as(first.replace("?", "#"), *PAGE)
    ask_as(first.replace("?", "%3F"), *PAGE)
    ask_as(first.replace("?", ";"), *PAGE)
    ask_as(f"http://evil.example{first}", *PAGE)
    ask_as(f"//x{first}", *PAGE)
    ask_as(first, host="evil.example")
    ask_as(first, method="HEAD")
    ask_as(first, method="DELETE")
    ask_as(first, "Sec-Purpose: prefetch", *PAGE)
    ask_as(link(username="other"), line, *PAGE)
    ask_as(link(t="1"), *PAGE)
    ask_as(link(username="a\nb"), *PAGE)
    ask_as(link(email="hunter2-9c1"), *PAGE)
    ask_as(link(groups="a\rb"), *PAGE)
    ask_as("/members/x?token=hunter2-9c1", *PAGE)
    ask_as("/admin?token=hunter2-9c1", line, *PAGE)
    ask_as("/pub/%00?token=hunter2-9c1", *PAGE)
    ask_as(f"/pub/x?{'hunter2-9c1' * 900}", *PAGE)
    ask_as("/pub/x", f"{line}; x=\x01", *PAGE)
    ask_as("/pub/x", f"{line}\r\n folded", *PAGE)
    ask_as("/pub/x", line.replace(":", " :"), *PAGE)
    ask_as("/pub/x", "Authorization: Bearer hunter2-9c1\x00", *PAGE)
    ask_as("/pub/x", "Transfer-Encoding: hunter2-9c1", *PAGE)
    ask_as("/pub/x", "Expect: hunter2-9c1", *PAGE)
    ask_as("/pub/x", "Content-Length: hunter2-9c1", *PAGE)
    ask_as("/pub/x hunter2-9c1", *PAGE)
    for target in ("/forms/x", "/sso.php?mode=logout", "/pub/x"):
        for broken in (
            b"hunter2-9c1\r\n",
            b"3;hunter2-9c1\x00\r\n",
            b"3\r\nabchunter2-9c1\r\n\r\n",
        ):
            chunked = "Transfer-Encoding: chunked"
            ask_as(target, chunked, *UPLOAD, *PAGE, line, method="POST", body=broken)
    ask_as("/sso.php?mode=logout", line, *UPLOAD, method="POST", body=b"mode=hunter2-9c1")
    ask_as("/sso.php", *UPLOAD, method="POST", body=first.partition("?")[2].encode())
    ask_as("/sso.php?mode=logout&token=hunter2-9c1", line)
    with RawClient(told.port) as client:
        client.send(f"GET {first} HTTP/9.9\r\n\r\n".encode()).finish().rest()
    time.sleep(0.2)

    log = told.log()
    assert log.count('"status":') > 40, "the log is on"
    for secret in secrets:
        assert secret not in log, [line for line in log.splitlines() if secret in line]
    shown = {secret for secret in secrets if secret not in (token, "whereto-9c1")}
    own = [page for page in pages if page.header("X-SSOGate-Error")]
    for page in own:
        assert all(secret not in page.text for secret in shown - {"hunter2-9c1"})
        assert token not in page.text
    assert not [page for page in pages if page.status == 500]
    assert "Traceback" not in log


def test_a_visitor_cannot_forge_a_line_of_the_log(told: RunningGate) -> None:
    before = len(told.log())
    for text in ('\\n{"forged":1}', "%0a%7B%22forged%22:1%7D", "\x1b[2Jforged", "%E2%80%A8forged"):
        told.ask(f"/admin/{text}", *PAGE)
        told.ask("/admin", f"X-Forwarded-For: {text}", *PAGE)
        told.ask("/admin", host=text)
        told.ask("/admin", method=text)
        told.ask(new_link(text), *PAGE)
    time.sleep(0.2)

    lines = told.log()[before:].splitlines()
    assert len(lines) > 20
    for line in lines:
        assert not re.match(r'\W*forged|{"forged"', line)
        assert line.isascii()
        assert line.isprintable()


def test_the_answer_to_a_link_takes_the_link_out_of_the_browsers_reach(stage: Stage) -> None:
    answer = stage.ask(new_link(redirect="/members/x"))

    assert answer.header("Location") == "/members/x"
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert answer.body == b""


def test_what_the_servers_own_refusals_say_is_plain(stage: Stage) -> None:
    """The server answers what is no HTTP before the gate sees it: no markup, no version."""
    for data in (b"GET /<script> HTTP/1.1 <script>\r\n\r\n", b"<script> / HTTP/1.1\r\n\r\n"):
        answer = ask(stage.gate.port, data)

        assert answer.status == 400
        assert "<script" not in answer.text
        assert "27." not in (answer.header("Server") or "")


def test_the_folder_of_the_store_is_for_its_user_alone(stage: Stage) -> None:
    folder = stage.gate.site.folder / "var"

    for path in [folder, *folder.iterdir()]:
        assert Path(path).stat().st_mode & 0o077 == 0, path
    assert SECRET.encode() not in held(folder)


def test_the_store_holds_no_token_that_opens_a_session(stage: Stage) -> None:
    token = stage.sign_in("john").partition("=")[2].encode()

    assert token not in held(stage.gate.site.folder / "var")
