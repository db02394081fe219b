"""What gunicorn's settings promise, kept by a worker that relays by itself."""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gate import HOST, link_path
from tests.servers import Answer, RawClient, answers, request
from tests.upstream.conftest import certificate
from tests.upstream.scripted import ok
from tests.worker.stage import Pages, access_lines, standing, visitors, worker

pytestmark = pytest.mark.server

__all__ = ["certificate"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        pages.at["/pub/large"] = ok(b"x" * 3_000_000)
        yield pages


def asked(path: str, *lines: str, **how: bool) -> bytes:
    return request(path, *lines, host=HOST, close=how.get("close", False))


# --- The access log ------------------------------------------------------------------------------


def test_each_request_has_a_line_that_tells_no_more_than_it_should(
    upstream: Pages, tmp_path: Path
) -> None:
    """Relayed or not: the same members in the same order."""
    upstream.at["/gone"] = ok(b"gone", status="410 Gone")
    with standing(tmp_path / "gate", upstream.url) as gate:
        cookie = gate.sign_in()
        with RawClient(gate.port) as client:
            for path in ("/x?token=hunter2", "/gone", "/admin/x?token=hunter2"):
                client.send(asked(path, cookie)).answer()
            client.send(asked("/pub/x", "Referer: /?hunter2", close=True)).answer()
        gate.until(r'"path":"/pub/x"')
        log, lines = gate.log(), access_lines(gate)[1:]

    assert "hunter2" not in log
    assert [(it["path"], it["status"], it["bytes"], it["user"]) for it in lines] == [
        ("/x", 200, 2, "john"),
        ("/gone", 410, 4, "john"),
        ("/admin/x", 403, lines[2]["bytes"], "john"),
        ("/pub/x", 200, 6, None),
    ]
    assert len({tuple(line) for line in lines}) == 1
    assert {line["client"] for line in lines} == {HOST}
    assert len({line["request_id"] for line in lines}) == 4
    assert upstream.seen("/pub/x")[-1].all("X-Request-Id") == [lines[-1]["request_id"]]


@pytest.mark.parametrize(
    ("arg", "head", "status"),
    [
        pytest.param("line", asked("/pub/" + "a" * 300), 414, id="a request line"),
        pytest.param("field_size", asked("/pub/a", "X: " + "a" * 300), 431, id="a field"),
    ],
)
def test_a_limit_of_the_servers_is_the_lanes(
    upstream: Pages, tmp_path: Path, arg: str, head: bytes, status: int
) -> None:
    limit = (f"--limit-request-{arg}", "200")
    with (
        standing(tmp_path / "gate", upstream.url, *limit) as gate,
        RawClient(gate.port) as client,
    ):
        assert client.send(asked("/pub/short")).answer().status == 200
        assert client.send(head).answer().status == status


# --- Connections ---------------------------------------------------------------------------------


def test_without_keep_alive_each_answer_is_the_last(upstream: Pages, tmp_path: Path) -> None:
    with standing(tmp_path / "gate", upstream.url, "--keep-alive", "0") as gate:
        cookie = gate.sign_in()
        for path in ("/x", "/pub/x", "/admin/x"):
            with RawClient(gate.port) as client:
                found = answers(client.send(asked(path, cookie) * 2).rest())
                assert [it.header("Connection") for it in found] == ["close"]


def test_an_idle_connection_is_closed_in_its_time(upstream: Pages, tmp_path: Path) -> None:
    with standing(tmp_path / "gate", upstream.url, "--keep-alive", "1") as gate:
        with RawClient(gate.port) as client:
            assert client.send(asked("/pub/x")).answer().header("Connection") == "keep-alive"
            assert client.is_closed(within=10)
        with RawClient(gate.port) as client:
            assert client.is_closed(within=10), "one that never asked for anything"


def test_more_visitors_than_there_are_places_wait_for_theirs(
    upstream: Pages, tmp_path: Path
) -> None:
    args = ("--worker-connections", "10")
    with standing(tmp_path / "gate", upstream.url, *args) as gate, ExitStack() as stack:
        clients = [stack.enter_context(RawClient(gate.port, timeout=15)) for _ in range(30)]
        for number, client in enumerate(clients):
            client.send(asked(f"/pub/{number}", close=number >= 10))
        for number, client in enumerate(clients):
            assert client.answer().body == f"/pub/{number}".encode()
            if number == 9:
                assert len(visitors(worker(gate), gate.port)) <= 10
                for earlier in clients[:10]:
                    earlier.close()
            elif number > 9:
                client.close()


def test_a_worker_may_have_as_many_files_as_the_machine_lets_it(
    upstream: Pages, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(open_now + 256, hard), hard))
    try:
        with standing(tmp_path / "gate", upstream.url) as gate:
            limits = Path(f"/proc/{worker(gate)}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (line,) = [it for it in limits.splitlines() if it.startswith("Max open files")]
    assert line.split()[3] == line.split()[4]


# --- Where it listens ----------------------------------------------------------------------------


def over_unix(path: Path, data: bytes) -> Answer:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(data)
        read = b""
        while block := sock.recv(65_536):
            read += block
    return answers(read)[0]


def test_it_listens_at_several_places_one_of_them_a_unix_socket(upstream: Pages) -> None:
    folder = Path(f"/tmp/ssogate-tests-{os.getpid()}")  # a socket's path must be short
    sock = folder / "s"
    try:
        binds = ("--bind", f"unix:{sock}", "--bind", "127.0.0.1:0")
        with standing(folder / "gate", upstream.url, *binds) as gate:
            cookie = gate.sign_in()
            other = int(gate.until(r"http://127\.0\.0\.1:(\d+),")[1])
            assert other != gate.port
            with RawClient(other) as client:
                assert client.send(asked("/x", cookie)).answer().body == b"/x"
            assert gate.ask("/x", cookie).body == b"/x"
            for path, status in (
                ("/x", 200),
                ("/pub/x", 200),
                ("/admin/x", 403),
                ("/_sso/health", 200),
            ):
                assert over_unix(sock, asked(path, cookie, close=True)).status == status
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- TLS -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secured:
    port: int
    trusts: ssl.SSLContext
    cookie: str


@pytest.fixture(scope="module")
def secured(
    upstream: Pages, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    certificate.chmod(0o600)
    args = ("--certfile", str(certificate), "--keyfile", str(certificate))
    folder = tmp_path_factory.mktemp("tls") / "gate"
    with (
        standing(folder, upstream.url, *args) as gate,
        socket.create_connection((HOST, gate.port), 10) as sock,
    ):
        trusts = ssl.create_default_context(cafile=str(certificate))
        with trusts.wrap_socket(sock, server_hostname=HOST) as wrapped:
            wrapped.sendall(asked(link_path("john"), close=True))
            data = b""
            while block := wrapped.recv(65_536):
                data += block
        cookie = (answers(data)[0].header("Set-Cookie") or "").partition(";")[0]
        yield Secured(gate.port, trusts, cookie)


def test_tls_is_spoken_both_ways_on_a_connection_that_goes_on(
    secured: Secured, upstream: Pages
) -> None:
    connection = http.client.HTTPSConnection(HOST, secured.port, context=secured.trusts, timeout=20)
    headers = {"Cookie": secured.cookie}
    for _ in range(3):
        connection.request("GET", "/x", headers=headers)
        assert connection.getresponse().read() == b"/x"
        connection.request("POST", "/posted", b"x" * 3_000_000, headers)
        assert connection.getresponse().read() == b"/posted"
        connection.request("GET", "/pub/large", headers=headers)
        assert connection.getresponse().read() == b"x" * 3_000_000
        connection.request("GET", "/_sso/no-such-page", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()
    assert [len(it.body) for it in upstream.seen("/posted")][-3:] == [3_000_000] * 3


class ByteByByte:
    """TLS whose records travel a byte at a time."""

    def __init__(self, secured: Secured) -> None:
        self.sock = socket.create_connection((HOST, secured.port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = secured.trusts.wrap_bio(self.inward, self.outward, server_hostname=HOST)

    def send_waiting(self) -> None:
        for at in self.outward.read():
            self.sock.send(bytes([at]))

    def fetch(self) -> None:
        block = self.sock.recv(65_536)
        assert block, "the server hung up"
        self.inward.write(block)

    def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.send_waiting()
                self.fetch()
            else:
                self.send_waiting()
                return

    def ask(self, data: bytes) -> bytes:
        self.tls.write(data)
        self.send_waiting()
        while True:
            try:
                return self.tls.read(65_536)
            except ssl.SSLWantReadError:
                self.fetch()


def test_a_handshake_byte_by_byte_is_one(secured: Secured) -> None:
    slow = ByteByByte(secured)
    with slow.sock:
        slow.shake_hands()
        for _ in range(3):
            assert slow.ask(asked("/x", f"Cookie: {secured.cookie}")).endswith(b"\r\n\r\n/x")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="silence"),
        pytest.param(b"\x16", id="a byte"),
        pytest.param(b"\x16\x03\x01\x02\x00" + b"\x00" * 40, id="half a greeting"),
        pytest.param(asked("/x"), id="plain HTTP"),
        pytest.param(b"\xff" * 1000, id="garbage"),
    ],
)
def test_nobody_waits_for_those_who_do_not_get_through_the_handshake(
    secured: Secured, data: bytes
) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(RawClient(secured.port)).send(data)
        test_a_handshake_byte_by_byte_is_one(secured)


def test_many_records_at_once_are_all_read(secured: Secured) -> None:
    """What TLS has deciphered already makes no socket readable."""
    with (
        socket.create_connection((HOST, secured.port), 10) as sock,
        secured.trusts.wrap_socket(sock, server_hostname=HOST) as wrapped,
    ):
        cookie = f"Cookie: {secured.cookie}"
        for number in range(20):
            wrapped.sendall(asked(f"/many/{number}", cookie, close=number == 19))
        data = b""
        while block := wrapped.recv(65_536):
            data += block

    assert [it.body for it in answers(data)] == [f"/many/{n}".encode() for n in range(20)]
