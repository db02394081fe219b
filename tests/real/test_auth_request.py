"""deploy/nginx-auth-request.conf, as it stands there, in the real nginx beside a real gate."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.attack.house import FORM
from tests.attack.stage import LENIENT, PAGE, Told
from tests.attack.test_targets import AMBIGUOUS
from tests.gate import RunningGate, link_path, site
from tests.real.test_deploy import (
    ELSEWHERE,
    NAME,
    OFFICE,
    Files,
    Nginx,
    OnSocket,
    copied,
)
from tests.servers import PROJECT, Answer, Gunicorn, answers, ask, request

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not shutil.which("nginx"), reason="there is no nginx here: see .ci/run"),
]

RULES = {
    "rules": [
        {"name": "public", "path": "/pub/**", "allow": "public"},
        {"name": "office", "path": "/office", "allow": "public", "networks": [OFFICE]},
        {"name": "staff", "path": "/staff/**", "allow": {"groups": ["staff"]}},
        {"name": "members", "path": "/**", "allow": "signed_in"},
    ]
}
YES = b"HTTP/1.1 204 No Content\r\nX-Remote-User: ann\r\nX-Remote-Groups: \r\n\r\n"
MIB = 2**20

_numbers = count()


class Before(Nginx):
    """nginx with an application behind it, and the gate beside it."""

    def ask(self, target: str, *lines: str, comes_from: str = OFFICE, **how: Any) -> Answer:
        """One request over https, checked against the certificate."""
        tls = ssl.create_default_context(cafile=str(self.files.folder / "cert.pem"))
        address = ("127.0.0.1", self.files.https)
        with (
            socket.create_connection(address, 10, (comes_from, 0)) as plain,
            tls.wrap_socket(plain, server_hostname=NAME) as connection,
        ):
            connection.sendall(request(target, *lines, host=how.pop("host", NAME), **how))
            data = b""
            while block := connection.recv(65536):
                data += block
        (answer,) = answers(data, to_head=how.get("method") == "HEAD")
        return answer

    def sign_in(self, username: str = "john", **fields: str) -> str:
        """Come by a new link; give the Cookie of the session."""
        came = self.ask(link_path(username, number=str(next(_numbers)), **fields))
        assert came.status == 303, came
        return (came.header("Set-Cookie") or "").partition(";")[0]


def files_for(folder: Path, app: int, gate: str = "") -> Files:
    """Copy the file; the application is at port `app`, the gate on its socket or at `gate`."""
    files = copied(folder)
    text = (PROJECT / "deploy/nginx-auth-request.conf").read_text("utf-8")
    for old, new in (
        ("/etc/ssl/app.example.com.pem", folder / "cert.pem"),
        ("/etc/ssl/private/app.example.com.key", folder / "key.pem"),
        ("/var/log/nginx", folder),
        ("unix:/run/ssogate/gate.sock", gate or f"unix:{folder}/gate.sock"),
        ("127.0.0.1:8080", f"127.0.0.1:{app}"),
        ("listen 443", f"listen 127.0.0.1:{files.https}"),
        ("listen 80", f"listen 127.0.0.1:{files.http}"),
    ):
        assert old in text
        text = text.replace(old, str(new))
    (folder / "site.conf").write_text(text)
    return files


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """An application that would believe anything."""
    conf = tmp_path_factory.mktemp("echo") / "lenient.py"
    conf.write_text(LENIENT)
    with Gunicorn("tests.echo:app", conf=conf) as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, echo: Gunicorn) -> Files:
    return files_for(tmp_path_factory.mktemp("nginx"), echo.port)


@pytest.fixture(scope="module")
def gate(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """The gate on the socket that nginx knows; by itself it reaches no application."""
    places = site(
        tmp_path_factory.mktemp("gate") / "site",
        "http://127.0.0.1:9",
        policy=RULES,
        sender={"groups_allowed": ["staff"]},
        password={},
        public_url=f"https://{NAME}",
        trusted_proxies=["unix"],
    )
    with OnSocket(places, "--bind", f"unix:{files.folder}/gate.sock") as running:
        yield running


@pytest.fixture(scope="module")
def running(files: Files, gate: RunningGate) -> Iterator[Before]:
    with Before(files) as server:
        yield server


@pytest.fixture
def nginx(running: Before, echo: Gunicorn) -> Before:
    """nginx before an application that has seen nothing yet."""
    seen(echo)
    return running


def seen(echo: Gunicorn) -> list[dict[str, Any]]:
    """What reached the application since the last time."""
    found: list[dict[str, Any]] = json.loads(ask(echo.port, request("/_seen")).body)
    return found


def test_nginx_finds_nothing_wrong_with_it(files: Files) -> None:
    checked = subprocess.run(files.command("-t"), capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


# --- Who may -------------------------------------------------------------------------------------


def test_a_stranger_signs_in_and_comes_back(nginx: Before, echo: Gunicorn) -> None:
    sent = nginx.ask("/members/x?q=%2F1", *PAGE)
    assert sent.status == 303
    to = sent.header("Location") or ""
    assert to.startswith("/_sso/sign-in?")
    page = nginx.ask(to, *PAGE)
    assert (page.status, "/members/x?q=%2F1" in page.text) == (200, True), page.text

    came = nginx.ask(link_path("ann", redirect="/members/x?q=%2F1"))
    cookie = (came.header("Set-Cookie") or "").partition(";")[0]
    assert came.status == 303
    assert seen(echo) == []

    back = nginx.ask("/members/x?q=%2F1", f"Cookie: {cookie}", *PAGE)
    assert back.status == 200
    (found,) = seen(echo)
    assert (found["uri"], found["headers"]["HTTP_X_REMOTE_USER"]) == ("/members/x?q=%2F1", "ann")


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        pytest.param("GET", (), id="says nothing"),
        pytest.param("GET", ("Accept: */*", "Sec-Fetch-Mode: cors"), id="a script"),
        pytest.param("GET", ("Accept: text/html", "Sec-Fetch-Mode: cors"), id="a script for HTML"),
        pytest.param("POST", PAGE, id="a form"),
    ],
)
def test_whom_no_redirect_helps_is_told_401(
    nginx: Before, echo: Gunicorn, method: str, lines: tuple[str, ...]
) -> None:
    told = nginx.ask("/members/x", *lines, method=method)

    assert (told.status, told.header("Location")) == (401, None)
    assert told.header("WWW-Authenticate") == 'Cookie realm="sign-in"'
    assert seen(echo) == []


def test_an_old_browser_is_sent_to_sign_in(nginx: Before) -> None:
    assert nginx.ask("/members/x", "Accept: text/html,*/*;q=0.8").status == 303


def test_everybody_may_open_what_is_public(nginx: Before, echo: Gunicorn) -> None:
    assert nginx.ask("/pub/x").status == 200

    (found,) = seen(echo)
    assert not [name for name in found["headers"] if "REMOTE" in name]


def test_who_may_not_is_told_so(nginx: Before, echo: Gunicorn) -> None:
    member, staff = nginx.sign_in("john"), nginx.sign_in("sue", groups="staff")

    assert nginx.ask("/staff/x", f"Cookie: {member}", *PAGE).status == 403
    assert seen(echo) == []
    assert nginx.ask("/staff/x", f"Cookie: {staff}", *PAGE).status == 200


@pytest.mark.parametrize(
    ("comes_from", "claims", "status"),
    [(OFFICE, ELSEWHERE, 200), (ELSEWHERE, OFFICE, 403), (ELSEWHERE, "", 403)],
)
def test_the_visitors_own_address_is_judged(
    nginx: Before, echo: Gunicorn, comes_from: str, claims: str, status: int
) -> None:
    lines = (f"X-Forwarded-For: {claims}", f"X-Real-IP: {claims}") if claims else ()

    assert nginx.ask("/office", *lines, comes_from=comes_from).status == status
    for found in seen(echo):
        assert found["headers"]["HTTP_X_FORWARDED_FOR"] == comes_from


def test_who_signs_out_is_out_at_once(nginx: Before, echo: Gunicorn) -> None:
    cookie = f"Cookie: {nginx.sign_in()}"
    assert nginx.ask("/members/x", cookie, *PAGE).status == 200
    seen(echo)

    lines = (cookie, *PAGE, FORM, f"Origin: https://{NAME}", "Sec-Fetch-Site: same-origin")
    out = nginx.ask("/_sso/sign-out", *lines, method="POST", body=b"x=y")
    assert out.status in (200, 303), out

    assert nginx.ask("/members/x", cookie, *PAGE).status == 303
    assert seen(echo) == []


# --- What the application is told ----------------------------------------------------------------

FORGED = (
    *("X-Remote-User: admin", "X-Remote-Groups: admins", "X-Remote-Name: Admin"),
    *("X-Remote-Email: admin@x", "x-remote-user: admin", "X_Remote_User: admin"),
    *("X.Remote.User: admin", "X-Remote_Groups: admins", "Remote-User: admin"),
    *("REMOTE_USER: admin", "X-Forwarded-User: admin", "X-Auth-Request-User: admin"),
    *("X-Forwarded-For: admin", "X-Forwarded-Host: admin", "X-Forwarded-Proto: admin"),
    *("Forwarded: for=admin", "X-Real-IP: admin", "Proxy: admin", "X-Original-URL: /admin"),
    *("X-Original-URI: /admin", "X-Original-Method: ADMIN", "X-HTTP-Method-Override: ADMIN"),
)


@pytest.mark.parametrize("username", ["john", None])
def test_a_visitor_can_claim_nothing(nginx: Before, echo: Gunicorn, username: str | None) -> None:
    lines = [f"Cookie: {nginx.sign_in(username)}"] if username else []
    for line in FORGED:
        assert nginx.ask("/pub/x", line, *lines).status == 200
    assert nginx.ask("/pub/x", *lines, *FORGED).status == 200

    found = seen(echo)
    assert len(found) == len(FORGED) + 1
    for each in found:
        assert "admin" not in json.dumps(each).lower()
        assert each["headers"].get("HTTP_X_REMOTE_USER") == username
        assert each["headers"]["HTTP_X_FORWARDED_HOST"] == NAME


@pytest.mark.parametrize(
    ("cookies", "left"),
    [
        pytest.param("{own}", None, id="alone"),
        pytest.param("a=1; {own}", "a=1", id="last"),
        pytest.param("{own}; a=1", "a=1", id="first"),
        pytest.param("a=1; {own}; b=2; c=3", "a=1; b=2; c=3", id="between"),
        pytest.param("a=1;{own};b=2", "a=1;b=2", id="without spaces"),
        pytest.param("__Host-ssogate-step=x; {own}; a=1; __Host-ssogate-device=y", "a=1", id="all"),
        pytest.param(
            "a=1; ssogate=x; SSOGATE-step=y; {own}; b=2", "a=1; b=2", id="other spellings"
        ),
        pytest.param("{own}; ssogate=1; ssogate=2; ssogate=3; a=1", None, id="too many"),
    ],
)
def test_no_application_sees_a_cookie_of_the_gates(
    nginx: Before, echo: Gunicorn, cookies: str, left: str | None
) -> None:
    sent = cookies.format(own=nginx.sign_in())

    assert nginx.ask("/members/x", f"Cookie: {sent}").status == 200
    (found,) = seen(echo)
    assert found["headers"].get("HTTP_COOKIE") == left


def test_a_body_is_the_applications(nginx: Before, echo: Gunicorn) -> None:
    cookie, body = f"Cookie: {nginx.sign_in()}", b"x" * MIB

    assert nginx.ask("/members/x", cookie, method="POST", body=body).status == 200
    chunked = b"5\r\nhello\r\n0\r\n\r\n"
    lines = (cookie, "Transfer-Encoding: chunked", "Expect: 100-continue")
    assert nginx.ask("/members/x", *lines, method="PUT", body=chunked).status == 200

    assert [(found["method"], found["size"]) for found in seen(echo)] == [("POST", MIB), ("PUT", 5)]


# --- What is judged is what is served ------------------------------------------------------------


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_spelling_reaches_no_application(
    nginx: Before, echo: Gunicorn, name: str
) -> None:
    staff = f"Cookie: {nginx.sign_in('sue', groups='staff')}"

    for place in ("/pub", "/_sso/health", "/sso.php"):
        for lines in ((), (staff,)):
            told = nginx.ask(f"{place}{AMBIGUOUS[name]}", *lines, *PAGE)
            assert told.status in (400, 403, 404), (place, told)
            assert told.header("Set-Cookie") is None
    assert seen(echo) == []


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/%73taff/x", 403, id="escaped letter"),
        pytest.param("/staff;/pub/x", 403, id="parameter"),
        pytest.param("/staff%3f/pub", 403, id="escaped question mark"),
        pytest.param("/staff?/../pub/x", 403, id="dots in the query"),
        pytest.param("/_sso/../staff/x", 403, id="by way of the gate"),
        pytest.param("/sso.php/../staff/x", 403, id="by way of the link's address"),
        pytest.param("/sso.php%2f..%2fstaff/x", 403, id="by way of it, encoded"),
        pytest.param(f"http://{NAME}/staff/x", 403, id="absolute form"),
        pytest.param("//_sso/account", 400, id="empty segment"),
    ],
)
def test_a_closed_path_stays_closed_however_it_is_spelled(
    nginx: Before, echo: Gunicorn, target: str, status: int
) -> None:
    assert nginx.ask(target, f"Cookie: {nginx.sign_in()}").status == status
    assert nginx.ask(target).status in (400, 401, 403)
    assert seen(echo) == []


@pytest.mark.parametrize(
    "target",
    ["/pub/a%20b?q=%2Fx", "/pub/x;v=1/%25", "/pub/%C3%A5/", "/pub/x?a=/../b&&=", "/p%75b/%7Ex?"],
)
def test_the_application_is_asked_for_what_was_judged(
    nginx: Before, echo: Gunicorn, target: str
) -> None:
    assert nginx.ask(target).status == 200

    (found,) = seen(echo)
    assert found["uri"] == target


@pytest.mark.parametrize(
    "target",
    ["/_sso/auth", "/_sso/auth?x", "/_sso/./auth", "/%5fsso/auth", "//_sso/auth", "/_sso/auth/",
     "/_sso/auth;x", "/_sso/%61uth"],
)  # fmt: skip
def test_no_visitor_asks_the_gate_as_nginx_does(nginx: Before, echo: Gunicorn, target: str) -> None:
    cookie = f"Cookie: {nginx.sign_in()}"

    told = nginx.ask(target, cookie, "X-Original-Method: GET", "X-Original-URI: /pub/x")

    assert told.status in (400, 404)
    assert told.header("X-Remote-User") is None
    assert seen(echo) == []


def test_the_gates_pages_are_the_gates(nginx: Before, echo: Gunicorn) -> None:
    cookie = f"Cookie: {nginx.sign_in()}"

    assert "john" in nginx.ask("/_sso/account", cookie, *PAGE).text.lower()
    assert nginx.ask("/_sso/nothing", cookie, *PAGE).header("X-SSOGate-Error") == "no_route"
    assert seen(echo) == []


def test_the_gate_answers_whoever_comes_by_its_socket(files: Files, nginx: Before) -> None:
    """One question after the other on a connection, as nginx asks them."""
    cookie = f"Cookie: {nginx.sign_in()}"
    uris = ("/members/x", "/pub/x", "/staff/x", "/members/../x", "/members/y")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{files.folder}/gate.sock")
        for uri in uris:
            lines = (cookie, "X-Original-Method: GET", f"X-Original-URI: {uri}")
            connection.sendall(request("/_sso/auth", *lines, host=NAME, close=uri is uris[-1]))
        data = b""
        while block := connection.recv(65536):
            data += block

    told = answers(data)
    assert [each.status for each in told] == [204, 204, 403, 403, 204]
    for each in told:
        assert each.header("Cache-Control") == "no-store"
        assert each.header("Set-Cookie") is None
        assert each.header("X-Remote-User") == ("john" if each.status == 204 else None)
        assert each.body == b""


def test_the_gate_tells_nobody_else(gate: RunningGate, nginx: Before) -> None:
    lines = (f"Cookie: {nginx.sign_in()}", "X-Original-Method: GET", "X-Original-URI: /pub/x")

    told = gate.ask("/_sso/auth", *lines, "X-Forwarded-For: 127.0.0.1", host=NAME)

    assert (told.status, told.header("X-SSOGate-Error")) == (404, "no_route")
    assert told.header("X-Remote-User") is None


# --- What nginx asks -----------------------------------------------------------------------------


def test_the_gate_is_asked_with_nothing_but_what_it_needs(tmp_path: Path, echo: Gunicorn) -> None:
    with Told(answer=YES) as gate:
        place = gate.url.removeprefix("http://")
        seen(echo)
        with Before(files_for(tmp_path, echo.port, place)) as nginx:
            lines = ("Cookie: a=1", "Cookie: b=2", "User-Agent: x", *FORGED)
            told = nginx.ask("/x/../%2f?y", *lines, method="POST", body=b"secret")

    (asked,) = gate.seen()
    assert asked.line == "GET /_sso/auth HTTP/1.1"
    assert sorted(asked.head.decode().split("\r\n")[1:]) == [
        "Cookie: a=1; b=2",
        f"Host: {NAME}",
        f"X-Forwarded-For: {OFFICE}",
        "X-Original-Method: POST",
        "X-Original-URI: /x/../%2f?y",
    ]
    assert asked.body == b""
    assert told.status == 200
    (found,) = seen(echo)
    assert (found["size"], found["headers"]["HTTP_X_REMOTE_USER"]) == (6, "ann")


@pytest.mark.parametrize(
    "status", ["200 OK", "403 Forbidden", "421 Misdirected", "503 No", "302 F"]
)
def test_only_a_yes_is_a_yes(tmp_path: Path, echo: Gunicorn, status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n".encode()
    seen(echo)
    with (
        Told(answer=answer) as gate,
        Before(files_for(tmp_path, echo.port, gate.url.removeprefix("http://"))) as nginx,
    ):
        told = nginx.ask("/pub/x", *PAGE)

    wanted = {"200 OK": 200, "403 Forbidden": 403}.get(status, 500)
    assert told.status == wanted
    assert len(seen(echo)) == (wanted == 200)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "500 Sorry"])
def test_what_the_application_refuses_is_its_own_affair(tmp_path: Path, status: str) -> None:
    lines = ("Content-Length: 4", 'WWW-Authenticate: Basic realm="x"', "Location: /x")
    answer = "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "mine")).encode()
    with Told(answer=YES) as gate, Told(answer=answer) as app:
        place, port = gate.url.removeprefix("http://"), int(app.url.rpartition(":")[2])
        with Before(files_for(tmp_path, port, place)) as nginx:
            told = nginx.ask("/pub/x", *PAGE)

    assert (f"{told.status} {told.reason}", told.text) == (status, "mine")
    assert told.all("WWW-Authenticate") == ['Basic realm="x"']


def test_a_gate_that_is_down_lets_nobody_through(tmp_path: Path, echo: Gunicorn) -> None:
    seen(echo)
    with Before(files_for(tmp_path, echo.port)) as lonely:
        assert lonely.ask("/pub/x", *PAGE).status == 500
        assert lonely.ask(link_path()).status == 502

    assert seen(echo) == []
    assert not re.search("query=|hash=", lonely.files.logged())


def test_no_log_holds_a_link(files: Files, nginx: Before) -> None:
    link = link_path("zoe")
    escaped = link.replace("?", "%3F")

    for target in (link, escaped, f"{link}/../%zz"):
        nginx.ask(target)
        nginx.ask_plainly(target)

    logged = files.logged()
    assert logged.count('"GET /sso.php"') >= 6
    assert not re.search("query=|hash=", logged)
