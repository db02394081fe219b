"""deploy/nginx.conf, as it stands there, in the real nginx before a real gate."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gate import RunningGate, link_path, site
from tests.servers import PROJECT, Answer, Gunicorn, Process, answers, request

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not shutil.which("nginx"), reason="there is no nginx here: see .ci/run"),
]

NAME = "app.example.com"
# All of 127.0.0.0/8 is this machine, so a visitor can come from any of these.
OFFICE, ELSEWHERE = "127.0.0.2", "127.0.0.3"

RULES = {
    "rules": [
        {"name": "public", "path": "/pub/**", "allow": "public"},
        {"name": "office", "path": "/office", "allow": "public", "networks": [OFFICE]},
        {"name": "members", "path": "/**", "allow": "signed_in"},
    ]
}

AROUND = """\
pid {folder}/nginx.pid;
error_log {folder}/main.log;
daemon off;
master_process off;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Files:
    """A copy of deploy/nginx.conf whose places are in `folder`, and whose ports are free."""

    folder: Path
    https: int
    http: int

    def command(self, *more: str) -> list[str]:
        nginx = shutil.which("nginx") or "nginx"
        return [nginx, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), *more]

    def logged(self) -> str:
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return copied(tmp_path_factory.mktemp("nginx"))


def copied(folder: Path) -> Files:
    """Make a certificate and the copy."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    make += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    https, http = _free_ports(2)
    text = (PROJECT / "deploy/nginx.conf").read_text("utf-8")
    for old, new in (
        ("/etc/ssl/app.example.com.pem", certificate),
        ("/etc/ssl/private/app.example.com.key", key),
        ("/var/log/nginx", folder),
        ("/run/ssogate/gate.sock", folder / "gate.sock"),
        ("listen 443", f"listen 127.0.0.1:{https}"),
        ("listen 80", f"listen 127.0.0.1:{http}"),
    ):
        assert old in text
        text = text.replace(old, str(new))
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    return Files(folder, https, http)


def _free_ports(number: int) -> list[int]:
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in with_ports]
    for each in with_ports:
        each.close()
    return ports


class Nginx(Process):
    """nginx in one process, which runs as whoever runs the tests."""

    def __init__(self, files: Files) -> None:
        self.files = files
        super().__init__(files.command(), cwd=files.folder)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.files.https), 1).close()
                return
            time.sleep(0.02)
        raise TimeoutError(self.log() + self.files.logged())

    def ask(self, target: str, *lines: str, comes_from: str = OFFICE) -> Answer:
        """One request over https, checked against the certificate."""
        tls = ssl.create_default_context(cafile=str(self.files.folder / "cert.pem"))
        address = ("127.0.0.1", self.files.https)
        with (
            socket.create_connection(address, 10, (comes_from, 0)) as plain,
            tls.wrap_socket(plain, server_hostname=NAME) as connection,
        ):
            connection.sendall(request(target, *lines, host=NAME))
            return _read(connection)

    def ask_plainly(self, target: str) -> Answer:
        with socket.create_connection(("127.0.0.1", self.files.http), 10) as connection:
            connection.sendall(request(target, host=NAME))
            return _read(connection)


def _read(connection: socket.socket) -> Answer:
    data = b""
    while block := connection.recv(65536):
        data += block
    (answer,) = answers(data)
    return answer


@pytest.fixture(scope="module")
def nginx(files: Files) -> Iterator[Nginx]:
    with Nginx(files) as running:
        yield running


class OnSocket(RunningGate):
    """A gate that listens on a socket as well as on its port."""

    def wait_until_ready(self) -> None:
        """Who connects before a worker runs is served as soon as one does."""
        self.port = int(self.until(r"Listening at: http://127\.0\.0\.1:(\d+),unix:")[1])


@pytest.fixture(scope="module")
def gate(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """The gate on the socket that nginx knows."""
    with Gunicorn("tests.echo:app") as echo:
        places = site(
            tmp_path_factory.mktemp("gate") / "site",
            echo.url(""),
            policy=RULES,
            public_url=f"https://{NAME}",
            trusted_proxies=["unix"],
        )
        with OnSocket(places, "--bind", f"unix:{files.folder}/gate.sock") as gate:
            yield gate


def test_nginx_finds_nothing_wrong_with_it(files: Files) -> None:
    checked = subprocess.run(files.command("-t"), capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


@pytest.mark.parametrize(
    ("comes_from", "lines", "status"),
    [
        pytest.param(OFFICE, (), 200, id="from the office"),
        pytest.param(ELSEWHERE, (), 403, id="from elsewhere"),
        pytest.param(ELSEWHERE, (f"X-Forwarded-For: {OFFICE}",), 403, id="claims the office"),
        pytest.param(OFFICE, (f"X-Forwarded-For: {ELSEWHERE}",), 200, id="denies the office"),
        pytest.param(ELSEWHERE, (f"X-Real-IP: {OFFICE}",), 403, id="by another header"),
    ],
)
def test_the_visitor_s_own_address_is_judged(
    nginx: Nginx, gate: RunningGate, comes_from: str, lines: tuple[str, ...], status: int
) -> None:
    assert nginx.ask("/office", *lines, comes_from=comes_from).status == status


def test_the_gate_s_log_names_the_visitor_and_not_nginx(nginx: Nginx, gate: RunningGate) -> None:
    nginx.ask("/pub/who-asks", comes_from="127.0.0.4")

    assert gate.until(r'"client":"127\.0\.0\.4".*"/pub/who-asks"')


def test_a_link_signs_in_and_its_cookie_is_for_https_alone(nginx: Nginx, gate: RunningGate) -> None:
    came = nginx.ask(link_path())

    cookie = came.header("Set-Cookie") or ""
    assert (came.status, cookie.partition("=")[0]) == (303, "__Host-ssogate")
    assert "; Secure" in cookie
    seen = nginx.ask("/members/?q=1", f"Cookie: {cookie.partition(';')[0]}")
    assert seen.status == 200
    assert '"HTTP_X_REMOTE_USER": "john"' in seen.text


@pytest.mark.parametrize("path", ["/pub/a%20b?q=%2Fx", "/pub/x;v=1/%25", "/pub/%C3%A5/?"])
def test_the_application_is_asked_for_the_same_as_without_nginx(
    nginx: Nginx, gate: RunningGate, path: str
) -> None:
    passed, direct = nginx.ask(path), gate.ask(path, host=NAME)

    assert passed.status == 200
    assert json.loads(passed.text)["uri"] == json.loads(direct.text)["uri"] == path.rstrip("?")


@pytest.mark.parametrize("path", ["/pub/../office", "/pub/%2e%2e/office", "/pub/..%2foffice"])
def test_nginx_straightens_no_crooked_path(nginx: Nginx, gate: RunningGate, path: str) -> None:
    answer = nginx.ask(path)

    assert answer.status == 400
    assert answer.header("X-SSOGate-Error") == "bad_target"


def test_plain_http_only_leads_to_https(nginx: Nginx) -> None:
    answer = nginx.ask_plainly("/pub/a%20b?q=1")

    assert (answer.status, answer.header("Location")) == (
        301,
        f"https://{NAME}/pub/a%20b?q=1",
    )


def test_no_log_holds_a_link(files: Files, nginx: Nginx, gate: RunningGate) -> None:
    link = link_path("sue")
    escaped = link.replace("?", "%3F")

    for target in (link, escaped, escaped.replace("F", "f")):
        nginx.ask(target)
        nginx.ask_plainly(target)
    nginx.ask(f"{link}/../%zz")  # nginx itself refuses this one or passes it on

    logged = files.logged()
    assert logged.count('"GET /sso.php"') >= 7
    assert "query=" not in logged
    assert "hash=" not in logged


def test_a_gate_that_is_down_is_a_502_and_no_log_holds_the_link(tmp_path: Path) -> None:
    with Nginx(copied(tmp_path)) as lonely:
        answer = lonely.ask(link_path())

    logged = lonely.files.logged()
    assert answer.status == 502
    assert '"GET /sso.php" 502' in logged
    assert "query=" not in logged
