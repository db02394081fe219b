"""WebSockets through a real worker's loop: what may be opened, what is said by them, and when they
end. A real application at one end, a real client at the other; raw bytes where those are too good.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection as Client
from websockets.sync.client import connect as connect_now
from websockets.typing import Origin, Subprotocol

from ssogate.cli import main
from ssogate.storage import SQLiteStore
from ssogate.upstream.websocket import accept_of
from tests.gate import HOST, RunningGate, link_path, site
from tests.launch.tls import authority
from tests.servers import GONE, PROJECT, Process, RawClient, request
from tests.upstream.scripted import Talk, ok
from tests.worker.stage import (
    MIB,
    Page,
    Pages,
    access_lines,
    hanging,
    memory,
    patient,
    until,
    visitors,
    worker,
    workers,
)

pytestmark = pytest.mark.server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HERE = f"http://{HOST}"
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what waits, and tells so
SOON = (
    8  # seconds in which a WebSocket ends after its session: much less, if the machine is not busy
)

_numbers = count()


class Talker(Process):
    """The application of `talker.py`."""

    port: int

    def wait_until_ready(self) -> None:
        self.port = int(self.until(r"listening at (\d+)")[1])

    def was_asked(self, path: str) -> bool:
        return f"asked {path}\n" in self.log()


@pytest.fixture(scope="module")
def talker() -> Iterator[Talker]:
    with Talker([sys.executable, str(PROJECT / "tests/worker/talker.py")]) as running:
        yield running


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


def served(folder: Path, talker: Talker, odd: str, *args: str, **more: Any) -> RunningGate:
    """A gate in front of `talker`, which may be reached by WebSockets except at /plain; at /odd it
    has another application."""
    upstreams = {
        "app": {"url": f"http://127.0.0.1:{talker.port}", "max_connections": 1000},
        # Failing servers are what many tests here are about; none may be left alone for it.
        "odd": {
            "url": odd,
            "read_timeout": "3s",
            "write_timeout": "2s",
            "max_failures": 10_000,
        },
    }
    routes = [
        {"path": "/", "upstream": "app", "websockets": "allow"},
        {"path": "/plain", "upstream": "app"},
        {"path": "/odd", "upstream": "odd", "websockets": "allow"},
    ]
    sender = {"groups_allowed": ["staff"]}
    written = site(folder, "", upstreams=upstreams, routes=routes, sender=sender, **more)
    return RunningGate(written, "--threads", "2", "--graceful-timeout", "1", *args)


@pytest.fixture(scope="module")
def gate(
    talker: Talker, upstream: Pages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGate]:
    folder = tmp_path_factory.mktemp("websockets") / "gate"
    with served(folder, talker, upstream.url, "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def cookie(gate: RunningGate) -> str:
    return gate.sign_in()


@pytest.fixture
def page(upstream: Pages) -> Callable[[Page], str]:
    """Write a page of the odd application; give its path."""

    def write(answer: Page) -> str:
        path = f"/odd/page{next(_numbers)}"
        upstream.at[path] = answer
        return path

    return write


Write = Callable[[Page], str]


def spoken_to(gate: RunningGate, path: str, cookie: str, **how: Any) -> Client:
    """A real client of the application, which must be let in."""
    client: Client = connect_now(
        f"ws://{HOST}:{gate.port}{path}",
        additional_headers=pairs(cookie),
        proxy=None,
        max_size=None,
        **how,
    )
    return client


def pairs(cookie: str) -> list[tuple[str, str]]:
    """A Cookie line as clients want it."""
    name, _, value = cookie.partition(": ")
    return [(name, value)] if cookie else []


def asked(path: str, cookie: str, *lines: str, **how: Any) -> bytes:
    """A handshake, with further lines; one that begins as another begins stands in its place."""
    names = {line.partition(":")[0].lower() for line in lines}
    usual = [line for line in HANDSHAKE if line.partition(":")[0].lower() not in names]
    return request(path, *filter(None, (cookie, *usual, *lines)), host=HOST, close=False, **how)


def head(client: RawClient) -> bytes:
    """Read up to the end of a head; what follows stays."""
    while b"\r\n\r\n" not in client._read:
        assert client._more()
    found, _, client._read = client._read.partition(b"\r\n\r\n")
    return found


def opening(talk: Talk) -> bytes:
    """Read a handshake; give the answer that opens what it asks for."""
    received = talk.read_request()
    (key,) = received.all("Sec-WebSocket-Key")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_of(key)}\r\n\r\n"
    ).encode()


def opened(talk: Talk, after: bytes = b"") -> None:
    """Open what is asked for, and say something right behind."""
    talk.send(opening(talk) + after)


def echo(talk: Talk) -> None:
    """Give every byte back, until there are no more."""
    opened(talk)
    while True:
        talk.send(talk._buffer)
        talk._buffer = b""
        talk._more()


# --- What is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="nothing"),
        pytest.param("Grüße 李", id="text"),
        pytest.param(bytes(range(256)), id="bytes"),
        pytest.param("x" * MIB, id="1 MiB of text"),
        pytest.param(bytes(range(256)) * 4096, id="1 MiB of bytes"),
    ],
)
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_what_is_said_is_heard(
    gate: RunningGate, cookie: str, message: str | bytes, compression: str | None
) -> None:
    with spoken_to(gate, "/echo", cookie, compression=compression) as client:
        for _ in range(3):
            client.send(message)
            assert client.recv() == message

        assert client.response
        extension = client.response.headers.get("Sec-WebSocket-Extensions", "")
        assert extension.partition(";")[0] == ("permessage-deflate" if compression else "")


def test_a_subprotocol_is_chosen_by_the_application(gate: RunningGate, cookie: str) -> None:
    offered = [Subprotocol("mqtt"), Subprotocol("chat.v1")]

    with spoken_to(gate, "/echo", cookie, subprotocols=offered) as client:
        assert client.subprotocol == "chat.v1"


def test_pings_go_both_ways(gate: RunningGate, cookie: str) -> None:
    with spoken_to(gate, "/pings", cookie) as client:
        assert client.ping(b"and you").wait(5)
        assert client.recv(5) == "it is there"


def test_the_applications_goodbye_reaches_the_visitor(gate: RunningGate, cookie: str) -> None:
    with spoken_to(gate, "/hangs", cookie) as client:
        client.send("4001 see you")
        with pytest.raises(ConnectionClosed):
            client.recv(5)

    assert (client.close_code, client.close_reason) == (4001, "see you")


def test_the_visitors_goodbye_reaches_the_application(
    gate: RunningGate, talker: Talker, cookie: str
) -> None:
    path = f"/{next(_numbers)}/echo"
    with spoken_to(gate, path, cookie) as client:
        client.close(4002, "bye")

    assert client.close_code == 4002
    talker.until(f"closed {path} 4002 bye\n")


def test_the_application_is_told_who_it_is_and_not_by_which_cookie(
    gate: RunningGate, cookie: str
) -> None:
    forged = [("X-Remote-User", "sue"), ("X-Mine", "kept")]
    lines = [("Cookie", f"{cookie.partition(': ')[2]}; theirs=1"), *forged]
    url = f"ws://{HOST}:{gate.port}/told"
    with connect_now(url, additional_headers=lines, proxy=None) as client:
        told = [(name.lower(), value) for name, value in json.loads(client.recv(5))]

    assert [value for name, value in told if name == "x-remote-user"] == ["john"]
    assert [value for name, value in told if name == "cookie"] == ["theirs=1"]
    assert [value for name, value in told if name == "x-mine"] == ["kept"]
    assert [value for name, value in told if name == "x-forwarded-for"] == ["127.0.0.1"]
    for once in ("connection", "upgrade", "sec-websocket-key", "sec-websocket-version"):
        assert [name for name, _ in told].count(once) == 1


def test_a_public_address_may_be_opened_by_anybody(gate: RunningGate) -> None:
    with spoken_to(gate, "/pub/told", "") as client:
        told = dict(json.loads(client.recv(5)))

    assert "X-Remote-User" not in told


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param("Connection: keep-alive, Upgrade", id="as Firefox says it"),
        pytest.param("connection: upgrade", id="in lower case"),
    ],
)
def test_browsers_spell_it_differently(gate: RunningGate, cookie: str, connection: str) -> None:
    with RawClient(gate.port) as client:
        client.send(asked("/echo", cookie, connection, "upgrade: WebSocket"))

        assert head(client).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


def test_what_is_said_right_behind_the_handshakes_arrives(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write
) -> None:
    heard = []

    def talk_at_once(talk: Talk) -> None:
        opened(talk, b"from the app")
        while len(talk._buffer) < 12:
            talk._more()
        heard.append(talk._buffer)
        raise EOFError

    path = page(talk_at_once)
    with RawClient(gate.port) as client:
        client.send(asked(path, cookie) + b"from ")
        client.send(b"visitor")
        answer = head(client)
        assert client.rest() == b"from the app"

    assert heard == [b"from visitor"]
    assert answer.lower().count(b"\r\nconnection:") == 1
    assert b"\r\nContent-Length:" not in answer
    assert b"\r\nTransfer-Encoding:" not in answer
    (received,) = upstream.seen(path)
    assert received.body == b""


def test_requests_that_are_said_by_a_websocket_are_none(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write
) -> None:
    canary = request("/odd/canary-in-a-websocket", cookie, host=HOST, close=False)
    with RawClient(gate.port) as client:
        client.send(asked(page(echo), cookie) + canary)
        head(client)
        client.send(canary)
        while len(client._read) < 2 * len(canary):
            assert client._more()

        assert client._read == canary * 2
    assert upstream.seen("/odd/canary-in-a-websocket") == []


def test_all_that_was_said_arrives_before_the_end(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    def last_words(talk: Talk) -> None:
        opened(talk, b"x" * 8 * MIB)
        raise EOFError

    with RawClient(gate.port) as client:
        client.send(asked(page(last_words), cookie))
        head(client)

        assert client.rest() == b"x" * 8 * MIB


def test_all_that_the_visitor_said_arrives_before_the_end(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    heard, ended = bytearray(), Event()

    def take(talk: Talk) -> None:
        opened(talk)
        try:
            while True:
                heard.extend(talk._buffer)
                talk._buffer = b""
                talk._more()
        finally:
            ended.set()

    with RawClient(gate.port) as client:
        client.send(asked(page(take), cookie))
        head(client)
        client.send(b"y" * 8 * MIB).finish()
        assert ended.wait(10)

    assert bytes(heard) == b"y" * 8 * MIB


@pytest.mark.parametrize("how", ["a hang-up", "a reset"])
def test_a_visitor_who_leaves_is_noticed(
    gate: RunningGate, cookie: str, page: Write, how: str
) -> None:
    left = Event()

    def wait(talk: Talk) -> None:
        opened(talk, b"hello")
        with suppress(EOFError, ConnectionResetError):
            talk._more()
        left.set()
        raise EOFError

    with RawClient(gate.port) as client:
        client.send(asked(page(wait), cookie))
        head(client)
        if how == "a reset":
            client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    assert left.wait(5)


# --- What is refused -----------------------------------------------------------------------------


def test_who_is_not_signed_in_is_sent_there(
    gate: RunningGate, upstream: Pages, page: Write
) -> None:
    path = page(echo)
    program = gate.ask(path, *HANDSHAKE, close=False)
    person = gate.ask(path, *HANDSHAKE, "Accept: text/html", close=False)

    assert (program.status, person.status) == (401, 303)
    assert upstream.seen(path) == []


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        pytest.param("/admin/refused/echo", (403, "forbidden"), id="whom the policies refuse"),
        pytest.param(
            "/plain/refused/echo", (501, "upgrade_refused"), id="where no route allows it"
        ),
    ],
)
def test_is_refused(
    gate: RunningGate, talker: Talker, cookie: str, path: str, refusal: tuple[int, str]
) -> None:
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie)).answer()

    assert (found.status, found.header("X-SSOGate-Error")) == refusal
    assert not talker.was_asked(path)


def test_the_gates_own_pages_are_pages(gate: RunningGate, cookie: str) -> None:
    with RawClient(gate.port) as client:
        assert client.send(asked("/_sso/account", cookie)).answer().status == 200


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("http://evil.example", id="another site"),
        pytest.param("null", id="null"),
        pytest.param("", id="nothing"),
        pytest.param(f"{HERE}:81", id="another port"),
        pytest.param(f"{HERE}:80", id="a port that browsers leave out"),
        pytest.param(f"https://{HOST}", id="another scheme"),
        pytest.param(f"ws://{HOST}", id="the scheme of WebSockets"),
        pytest.param(f"http://a.{HOST}", id="a sub-domain"),
        pytest.param(f"{HERE}.evil.example", id="the site as a prefix"),
        pytest.param(f"{HERE}@evil.example", id="the site as a user"),
        pytest.param(f"{HERE}/", id="a slash"),
        pytest.param(HERE.upper(), id="upper case"),
        pytest.param(HOST, id="no scheme"),
        pytest.param(f"{HERE} http://evil.example", id="two in a line"),
        pytest.param(f"{HERE}\r\nOrigin: {HERE}", id="two lines"),
        pytest.param(f"http://evil.example\r\nX-Forwarded-Host: {HOST}", id="with a forged host"),
    ],
)
def test_pages_of_other_sites_open_nothing(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, origin: str
) -> None:
    path = page(echo)
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie, f"Origin: {origin}")).answer()

    assert (found.status, found.header("X-SSOGate-Error")) == (403, "cross_site")
    assert upstream.seen(path) == []


@pytest.mark.parametrize("lines", [(), (f"Origin: {HERE}",)], ids=["a program", "its own pages"])
def test_pages_of_the_site_and_programs_open_it(
    gate: RunningGate, cookie: str, page: Write, lines: tuple[str, ...]
) -> None:
    with RawClient(gate.port) as client:
        client.send(asked(page(echo), cookie, *lines))

        assert head(client).startswith(b"HTTP/1.1 101 ")


NO_HANDSHAKE = [
    pytest.param({"method": "POST"}, id="POST"),
    pytest.param({"method": "HEAD"}, id="HEAD"),
    pytest.param({"body": b"x" * 9}, id="a body"),
    pytest.param({"lines": ["Content-Length: 0"]}, id="an empty body"),
    pytest.param({"lines": ["Sec-WebSocket-Version: 8"]}, id="another version"),
    pytest.param({"lines": ["Sec-WebSocket-Version: 13, 8"]}, id="two versions"),
    pytest.param({"lines": ["Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="]}, id="a short key"),
    pytest.param({"lines": [f"Sec-WebSocket-Key: A{KEY}"]}, id="a long key"),
    pytest.param({"lines": ["Sec-WebSocket-Key: "]}, id="an empty key"),
    pytest.param({"lines": [f"Sec-WebSocket-Key: {KEY}"] * 2}, id="two keys"),
    pytest.param({"lines": ["Upgrade: websocket"] * 2}, id="twice"),
    pytest.param({"lines": ["Upgrade: websocket, h2c"]}, id="two protocols"),
    pytest.param({"lines": ["Upgrade: TLS/1.3"]}, id="another protocol"),
    pytest.param({"lines": ["Connection: close, upgrade"]}, id="close, upgrade"),
    pytest.param({"lines": ["Connection: keep-alive"]}, id="no Connection"),
    pytest.param({"lines": ["Connection: Upgrade, Sec-WebSocket-Key"]}, id="a hop's key"),
    pytest.param({"lines": ["Expect: 100-continue"]}, id="an expectation"),
]


@pytest.mark.parametrize("how", NO_HANDSHAKE)
def test_what_is_no_handshake_reaches_nobody(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, how: dict[str, Any]
) -> None:
    path, how = page(echo), dict(how)
    data = asked(path, cookie, *how.pop("lines", []), **how)
    with RawClient(gate.port) as client:
        found = client.send(data).answer(to_head=data.startswith(b"HEAD"))

    assert (found.status, found.header("X-SSOGate-Error")) == (501, "upgrade_refused")
    assert upstream.seen(path) == []


def test_an_old_version_of_http_switches_to_nothing(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write
) -> None:
    path = page(echo)
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie).replace(b"HTTP/1.1", b"HTTP/1.0")).answer()

    assert found.status == 501
    assert upstream.seen(path) == []


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("Upgrade: h2c",), id="h2c"),
        pytest.param(("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), id="h2c and settings"),
    ],
)
def test_an_offer_of_http_2_is_not_passed_on(
    gate: RunningGate, upstream: Pages, cookie: str, page: Write, lines: tuple[str, ...]
) -> None:
    path = page(ok(b"in HTTP/1.1"))
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie, *lines)).answer()

    assert (found.status, found.body) == (200, b"in HTTP/1.1")
    (received,) = upstream.seen(path)
    assert received.all("Upgrade") == received.all("HTTP2-Settings") == []


# --- What applications do wrong ------------------------------------------------------------------

ACCEPTS = f"Sec-WebSocket-Accept: {accept_of(KEY)}"


def switching(*lines: str, start: str = "HTTP/1.1 101 Switching Protocols") -> bytes:
    return "\r\n".join((start, *lines, "", "")).encode()


WRONG = [
    pytest.param(switching(), id="nothing said"),
    pytest.param(switching("Upgrade: websocket", "Connection: Upgrade"), id="no accept"),
    pytest.param(
        switching(
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
        ),
        id="another key's accept",
    ),
    pytest.param(
        switching("Upgrade: websocket", "Connection: Upgrade", ACCEPTS, ACCEPTS), id="two accepts"
    ),
    pytest.param(switching("Connection: Upgrade", ACCEPTS), id="no Upgrade"),
    pytest.param(switching("Upgrade: websocket", ACCEPTS), id="no Connection"),
    pytest.param(switching("Upgrade: other", "Connection: Upgrade", ACCEPTS), id="something else"),
    pytest.param(
        switching("Upgrade: websocket", "Upgrade: websocket", "Connection: Upgrade", ACCEPTS),
        id="twice",
    ),
    pytest.param(
        switching(
            "Upgrade: websocket", "Connection: Upgrade", ACCEPTS, start="HTTP/1.0 101 Switching"
        ),
        id="HTTP/1.0",
    ),
    pytest.param(
        switching("Upgrade: websocket", "Connection: Upgrade", ACCEPTS, " folded"), id="a fold"
    ),
    pytest.param(
        switching("Upgrade: websocket", "Connection: Upgrade", ACCEPTS, start="HTTP/1.1 101OK"),
        id="an odd status line",
    ),
]


@pytest.mark.parametrize("answer", WRONG)
def test_what_was_not_asked_for_is_not_opened(
    gate: RunningGate, cookie: str, page: Write, answer: bytes
) -> None:
    path = page(answer + b"not for visitors")
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie)).answer()
        assert (found.status, found.header("X-SSOGate-Error")) == (502, "upstream_invalid")

        after = page(ok(b"unharmed"))
        client.send(request(after, cookie, host=HOST, close=False))
        assert client.answer().body == b"unharmed"


@pytest.mark.parametrize("lines", [(), HANDSHAKE[2:]], ids=["a page", "a key without an offer"])
def test_a_page_is_no_websocket_whatever_the_application_says(
    gate: RunningGate, cookie: str, page: Write, lines: tuple[str, ...]
) -> None:
    path = page(switching("Upgrade: websocket", "Connection: Upgrade", ACCEPTS) + b"not for you")
    with RawClient(gate.port) as client:
        found = client.send(request(path, cookie, *lines, host=HOST, close=False)).answer()

    assert (found.status, found.header("X-SSOGate-Error")) == (502, "upstream_invalid")
    assert b"not for you" not in found.body


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "426 Upgrade Required"])
def test_another_answer_is_an_answer_and_the_connection_goes_on(
    gate: RunningGate, cookie: str, page: Write, status: str
) -> None:
    path = page(ok(b"no", "Upgrade: websocket", status=status))
    with RawClient(gate.port) as client:
        found = client.send(asked(path, cookie)).answer()
        assert (found.status, found.body) == (int(status[:3]), b"no")

        client.send(asked(page(echo), cookie))
        assert head(client).startswith(b"HTTP/1.1 101 ")


def test_an_application_that_does_not_answer_a_handshake_is_told_of(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    with RawClient(gate.port, timeout=20) as client:
        found = client.send(asked(page(hanging), cookie)).answer()

    assert (found.status, found.header("X-SSOGate-Error")) == (504, "upstream_timeout")


# --- When they end -------------------------------------------------------------------------------


def connecting(gate: RunningGate, path: str, cookie: str) -> connect_async:
    return connect_async(
        f"ws://{HOST}:{gate.port}{path}",
        additional_headers=pairs(cookie),
        origin=Origin(f"http://{HOST}:{gate.port}"),
        proxy=None,
        ping_interval=None,
        open_timeout=30,
    )


@asynccontextmanager
async def tunnels(
    gate: RunningGate, path: str, cookie: str, number: int
) -> AsyncIterator[list[ClientConnection]]:
    """So many WebSockets, as many with each worker: the others are stopped meanwhile."""
    pids, clients = workers(gate), list[ClientConnection]()
    try:
        for mine in pids:
            others = [pid for pid in pids if pid != mine]
            with stopped(others):
                opening = (connecting(gate, path, cookie) for _ in range(number // len(pids)))
                clients += await asyncio.gather(*(it.__aenter__() for it in opening))
        yield clients
    finally:
        for client in clients:
            client.transport.abort()


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        until(partial(is_stopped, pid))
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def is_open(client: ClientConnection) -> bool:
    """Whether the application is still to be talked to."""
    word = f"word {next(_numbers)}"
    try:
        await client.send(word)
        return await client.recv() == word
    except ConnectionClosed:
        return False


def change(gate: RunningGate, statement: str) -> None:
    """Change the store, as another process of the gate's does."""
    file = gate.site.folder / "var" / "ssogate.sqlite"
    with closing(SQLiteStore(file, clock=time.time)) as store:
        store.database.change(text(statement))


def command(gate: RunningGate, *words: str) -> None:
    told = [*words, "--config", str(gate.site.config)]
    done = CliRunner().invoke(main, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output


HIS = "WHERE subject = (SELECT subject FROM users WHERE username = '{name}')"
Act = Callable[[RunningGate, str, str], object]

ENDS = [
    pytest.param(
        lambda gate, name, cookie: gate.ask("/sso.php?mode=logout", cookie), id="a logout"
    ),
    pytest.param(
        lambda gate, name, cookie: command(gate, "user", "deactivate", name), id="deactivated"
    ),
    pytest.param(
        lambda gate, name, cookie: command(gate, "user", "groups", name, ""), id="a group is gone"
    ),
    pytest.param(
        lambda gate, name, cookie: change(
            gate, f"UPDATE sessions SET expires_at = {int(time.time()) + 1} {HIS}".format(name=name)
        ),
        id="the end of its time",
    ),
    pytest.param(
        lambda gate, name, cookie: change(
            gate, f"UPDATE sessions SET seen_at = {int(time.time()) - 3599} {HIS}".format(name=name)
        ),
        id="unused for too long",
    ),
]


@pytest.mark.parametrize("act", ENDS)
def test_they_end_with_what_let_them_in_and_others_go_on(gate: RunningGate, act: Act) -> None:
    async def go() -> None:
        name, other = (f"person{next(_numbers)}" for _ in range(2))
        mine, theirs = (gate.sign_in(who, groups="staff") for who in (name, other))
        async with (
            tunnels(gate, "/admin/echo", mine, 10) as ending,
            tunnels(gate, "/admin/echo", theirs, 10) as lasting,
        ):
            ports = {client.local_address[1] for client in ending}
            assert all(len(ports & visitors(pid, gate.port)) == 5 for pid in workers(gate))
            assert all(await asyncio.gather(*map(is_open, [*ending, *lasting])))

            await asyncio.to_thread(act, gate, name, mine)
            async with asyncio.timeout(SOON):
                await asyncio.gather(*(client.wait_closed() for client in ending))

            assert all(await asyncio.gather(*map(is_open, lasting)))

    asyncio.run(go())


def test_what_the_application_opens_after_the_sign_out_stays_shut(
    gate: RunningGate, page: Write
) -> None:
    came, go_on = Event(), Event()

    def hesitate(talk: Talk) -> None:
        answer = opening(talk)
        came.set()
        assert go_on.wait(10)
        talk.send(answer + b"not for you")
        talk.wait_for_hang_up()
        raise EOFError

    cookie = gate.sign_in(f"person{next(_numbers)}")
    with RawClient(gate.port) as client:
        client.send(asked(page(hesitate), cookie))
        assert came.wait(5)
        assert gate.ask("/sso.php?mode=logout", cookie).status == 303
        assert client.is_closed(SOON - 1)
    go_on.set()


def test_a_session_whose_use_is_to_be_written_down_opens_one_at_once(gate: RunningGate) -> None:
    """As that of somebody has been who comes back to a page after a minute."""
    name = f"person{next(_numbers)}"
    cookie = gate.sign_in(name)
    change(gate, f"UPDATE sessions SET seen_at = seen_at - 90 {HIS}".format(name=name))

    with spoken_to(gate, "/echo", cookie) as client:
        client.send("hello")
        assert client.recv(5) == "hello"


def test_the_end_is_one_line_of_the_access_log(gate: RunningGate, cookie: str, page: Write) -> None:
    def talk(talk: Talk) -> None:
        opened(talk, b"x" * 1000)
        talk._more()
        raise EOFError

    path = page(talk)
    with RawClient(gate.port) as client:
        client.send(asked(f"{path}?secret=1", cookie))
        head(client)
        while len(client._read) < 1000:
            client._more()
        assert not [line for line in access_lines(gate) if line["path"] == path]

    until(lambda: [line for line in access_lines(gate) if line["path"] == path])
    (line,) = [line for line in access_lines(gate) if line["path"] == path]
    assert (line["status"], line["bytes"], line["user"]) == (101, 1000, "john")
    assert "secret" not in gate.log()


# --- Many, and slow ones -------------------------------------------------------------------------


def test_who_does_not_read_has_the_application_wait(
    gate: RunningGate, talker: Talker, cookie: str
) -> None:
    def poured() -> int:
        return talker.log().count("\npoured ")

    before = {pid: memory(pid) for pid in workers(gate)}
    begun = poured()
    with closing(patient(gate.port, takes=65_536)) as sock:
        sock.sendall(asked("/pours", cookie))
        so_far = -1
        while so_far != (so_far := poured()):
            time.sleep(0.3)
        assert so_far - begun < 24, "more than sockets hold"
        assert all(memory(pid) - before[pid] < 8 * MIB for pid in workers(gate))

        got = 0
        while got < 32 * MIB:
            got += len(sock.recv(MIB))


def test_an_application_that_does_not_read_has_the_visitor_wait(
    gate: RunningGate, cookie: str
) -> None:
    before = {pid: memory(pid) for pid in workers(gate)}
    frame = b"\x82\xff" + struct.pack("!Q", 4096) + bytes(4 + 4096)  # masked by zeros
    with RawClient(gate.port, timeout=1) as client:
        client.send(asked("/deaf", cookie))
        head(client)
        sent = 0
        with suppress(TimeoutError):
            while sent < 64 * MIB:
                sent += client._socket.send(frame * 16)

        assert sent < 24 * MIB, "more than sockets hold"
        assert all(memory(pid) - before[pid] < 8 * MIB for pid in workers(gate))
        assert gate.ask("/_sso/account", cookie).status == 200


def test_an_application_that_takes_nothing_for_its_write_timeout_is_given_up(
    gate: RunningGate, cookie: str, page: Write
) -> None:
    """Else whoever leaves meanwhile would hold a place, for as long as the session lasts."""
    go_on = Event()

    def ignore(talk: Talk) -> None:
        opened(talk)
        go_on.wait(20)
        raise EOFError

    with RawClient(gate.port, timeout=1) as client:
        client.send(asked(page(ignore), cookie))
        head(client)
        with suppress(TimeoutError, *GONE):
            while True:
                client._socket.send(b"x" * MIB)

        assert client.is_closed(within=6)
    go_on.set()


def test_two_hundred_at_once_hold_no_thread_and_end_with_the_server(
    talker: Talker, upstream: Pages, tmp_path: Path
) -> None:
    with served(tmp_path / "gate", talker, upstream.url, "--workers", "1") as gate:
        cookie = gate.sign_in()
        assert gate.ask("/odd/warm", cookie).status == 200

        async def go() -> None:
            before = memory(worker(gate))
            async with tunnels(gate, "/echo", cookie, 200) as clients:
                assert all(await asyncio.gather(*map(is_open, clients)))
                assert memory(worker(gate)) - before < 200 * 40 * 1024

                answers = [
                    await asyncio.to_thread(gate.ask, path, cookie)
                    for path in ("/_sso/account", "/odd/get")
                ]
                assert [answer.status for answer in answers] == [200, 200]

                gate.send_signal(signal.SIGTERM)
                async with asyncio.timeout(10):
                    await asyncio.gather(*(client.wait_closed() for client in clients))

        asyncio.run(go())
        assert gate.wait(10) == 0
        ended = [line for line in access_lines(gate) if line["status"] == 101]

    assert len(ended) == 200
    assert all(line["bytes"] > 0 for line in ended)


def test_they_go_over_tls(talker: Talker, upstream: Pages, tmp_path: Path) -> None:
    vouches = authority(tmp_path)
    vouches.context(HOST)
    (certified,) = tmp_path.glob("server-*.pem")
    certified.chmod(0o600)
    trusting = ssl.create_default_context(cafile=str(vouches.ca_file))
    args = ("--workers", "1", "--certfile", str(certified), "--keyfile", str(certified))
    public = f"https://{HOST}"
    with served(tmp_path / "gate", talker, upstream.url, *args, public_url=public) as gate:
        plain = http.client.HTTPSConnection(HOST, gate.port, timeout=10, context=trusting)
        with closing(plain):
            plain.request("GET", link_path(), headers={"Host": HOST})
            cookie = str(plain.getresponse().headers["Set-Cookie"]).partition(";")[0]
        with connect_now(
            f"wss://{HOST}:{gate.port}/echo",
            additional_headers=[("Cookie", cookie)],
            origin=Origin(f"https://{HOST}:{gate.port}"),
            ssl=trusting,
            proxy=None,
            max_size=None,
            compression=None,
        ) as client:
            for message in ("hello", b"x" * MIB, "y" * 3):
                client.send(message)
                assert client.recv(10) == message
