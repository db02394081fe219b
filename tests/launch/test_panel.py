"""The way out to a panel, over real sockets: where it goes, whom it trusts, when it ends."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from ssogate.launch.connections import MAX_ANSWER
from ssogate.launch.masking import ModuleCall
from ssogate.launch.module import Answer, Panel, PanelError
from ssogate.launch.panel import Connections, HttpPanel
from ssogate.model import Server
from ssogate.policy.networks import networks
from tests.launch.tls import Authority, Listener, Request, Script, authority

HOST, PASSWORD = "panel.example", "s3cret&word"
SERVER = Server(1, "web", "cpanel", (HOST,))
LOOPBACK = networks([ip_network("127.0.0.0/8")])


def ok(body: bytes = b"fine", *more: bytes) -> bytes:
    lines = b"".join(line + b"\r\n" for line in (b"Content-Length: %d" % len(body), *more))
    return b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + body


FINE = ok()


class Way:
    """The way to one server, and the log of who went there."""

    def __init__(self, connections: Connections, port: int, server: Server = SERVER) -> None:
        self.calls: list[ModuleCall] = []
        self.connections, self.port, self.server = connections, port, server

    def panel(self, seconds: float = 60) -> Panel:
        return HttpPanel(
            self.connections,
            self.server,
            module="cpanel",
            port=self.port,
            until=time.monotonic() + seconds,
            log=self.calls.append,
            secrets=(PASSWORD,),
        )

    def refused(self, seconds: float = 60) -> str:
        with pytest.raises(PanelError) as caught:
            self.panel(seconds).ask("POST", "/", form={"note": PASSWORD})
        (call,) = self.calls
        assert call.response == str(caught.value)
        assert PASSWORD not in str(caught.value) + repr(self.calls)
        return str(caught.value)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))


def connections(ca_file: Path | None = None, *addresses: str) -> Connections:
    return Connections(
        networks=LOOPBACK,
        ca_files={SERVER.name: ca_file} if ca_file else {},
        resolve=lambda _host, _port: addresses or ("127.0.0.1",),
    )


class Open:
    """Makes servers with a good certificate, and ways to them."""

    def __init__(self, trusted: Authority) -> None:
        self.context = trusted.context(HOST)
        self.trusted = trusted
        self.listeners: list[Listener] = []

    def __call__(self, answer: Script | bytes = FINE) -> Way:
        script = answer if callable(answer) else lambda _request: answer
        listener = Listener(script, self.context)
        self.listeners.append(listener.__enter__())
        return Way(connections(self.trusted.ca_file), listener.port)

    @property
    def requests(self) -> list[Request]:
        return self.listeners[-1].requests


@pytest.fixture
def serve(trusted: Authority) -> Iterator[Open]:
    found = Open(trusted)
    yield found
    for listener in found.listeners:
        listener.__exit__()


# --- What is sent, and what comes back ------------------------------------------------------------


def test_a_request_arrives_as_it_was_meant(serve: Open) -> None:
    named: list[str | None] = []
    serve.context.sni_callback = lambda _socket, name, _context: named.append(name)
    way = serve(ok(b'{"a": 1}', b"X-Two: 2"))

    answer = way.panel().ask(
        "POST",
        "/json-api/make?api.version=1",
        query={"user": "a b&c"},
        form={"app": "Ä b", "x": "&"},
        headers={"KEY": "abc", "User-Agent": "curl"},
        auth=("admin|joe", "pä:ss"),
    )

    assert (answer.status, answer.headers["x-two"], answer.json()) == (200, "2", {"a": 1})
    (request,) = serve.requests
    assert request.method == "POST"
    assert request.target == "/json-api/make?api.version=1&user=a%20b%26c"
    assert request.body == b"app=%C3%84+b&x=%26"
    assert request.headers == {
        "host": f"{HOST}:{way.port}",
        "user-agent": "curl",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "18",
        "key": "abc",
        "authorization": f"Basic {b64encode('admin|joe:pä:ss'.encode()).decode()}",
    }
    assert named == [HOST]


def test_a_body_is_sent_as_it_is(serve: Open) -> None:
    serve().panel().ask("POST", "/x", body=b"<a/>", headers={"Content-Type": "text/xml"})

    assert serve.requests[0].body == b"<a/>"
    assert serve.requests[0].headers["content-type"] == "text/xml"


@pytest.mark.parametrize("path", ["/a/../b", "//other.example/x", "/%2E%2F", "/a?b=c?d=/../e"])
def test_a_path_is_not_repaired(serve: Open, path: str) -> None:
    serve().panel().ask("GET", path)

    assert serve.requests[0].target == path


def test_a_server_without_tls_is_asked_without(trusted: Authority) -> None:
    with Listener(lambda _request: ok()) as listener:
        way = Way(connections(trusted.ca_file), listener.port, replace(SERVER, secure=False))

        assert way.panel().ask("GET", "/").body == b"fine"


def test_another_port_of_the_server_can_be_asked(serve: Open) -> None:
    way = serve()
    way.port = 9

    assert way.panel().ask("GET", "/", port=serve.listeners[0].port).text == "fine"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_like_others(serve: Open, status: int) -> None:
    to = b"Location: https://panel.example/other"
    way = serve(ok(b"moved", to).replace(b"200 OK", b"%d Away" % status))

    answer = way.panel().ask("GET", "/")

    assert (answer.status, answer.text, len(serve.requests)) == (status, "moved", 1)


@pytest.mark.parametrize("status", [403, 413, 429, 500, 503])
def test_a_failure_is_an_answer_and_not_tried_again(serve: Open, status: int) -> None:
    way = serve(ok(b"no", b"Retry-After: 0").replace(b"200 OK", b"%d No" % status))

    assert way.panel().ask("GET", "/").status == status
    assert len(serve.requests) == 1


def test_nothing_is_unpacked(serve: Open) -> None:
    bomb = gzip.compress(bytes(10 * MAX_ANSWER))

    assert serve(ok(bomb, b"Content-Encoding: gzip")).panel().ask("GET", "/").body == bomb


def test_the_environment_leads_nobody_astray(
    serve: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text(f"machine {HOST} login a password b\ndefault login a\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    serve().panel().ask("GET", "/")

    assert "authorization" not in serve.requests[0].headers


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"path": "x"}, id="relative path"),
        pytest.param({"path": ""}, id="no path"),
        pytest.param({"path": "https://other.example/"}, id="a whole address"),
        pytest.param({"path": "/a b"}, id="a space"),
        pytest.param({"path": "/a\r\nX: y"}, id="a line break"),
        pytest.param({"path": "/a\n"}, id="a line break at the end"),
        pytest.param({"path": "/ä"}, id="not ASCII"),
        pytest.param({"path": "/a#b"}, id="a fragment"),
        pytest.param({"path": "/a%zz"}, id="half escaped"),
        pytest.param({"method": "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"}, id="method"),
        pytest.param({"method": "get"}, id="small method"),
        pytest.param({"headers": {"X": "a\r\nY: b"}}, id="header with a line break"),
        pytest.param({"headers": {"X": "a\n"}}, id="header with a line break at the end"),
        pytest.param({"headers": {"X\r\nY": "b"}}, id="header name with a line break"),
        pytest.param({"headers": {"X:": "b"}}, id="header name with a colon"),
        pytest.param({"headers": {"": "b"}}, id="header without a name"),
        pytest.param({"headers": {"X": "ä"}}, id="header not ASCII"),
        pytest.param({"headers": {"hOST": "other.example"}}, id="Host"),
        pytest.param({"headers": {"Content-Length": "0"}}, id="Content-Length"),
        pytest.param({"headers": {"Transfer-Encoding": "chunked"}}, id="Transfer-Encoding"),
        pytest.param({"headers": {"Accept-Encoding": "gzip"}}, id="Accept-Encoding"),
        pytest.param({"auth": ("a:b", "c")}, id="a user name with a colon"),
    ],
)
def test_what_could_be_read_as_something_else_is_not_sent(
    serve: Open, asked: dict[str, object]
) -> None:
    way = serve()

    with pytest.raises(PanelError):
        way.panel().ask(**({"method": "GET", "path": "/"} | asked))  # type: ignore[arg-type]

    assert not serve.requests
    assert len(way.calls) == 1


# --- Whom it trusts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "days"),
    [
        pytest.param(("other.example",), 2, id="another name"),
        pytest.param(("127.0.0.1",), 2, id="the address alone"),
        pytest.param(("*.panel.example",), 2, id="a wildcard below"),
        pytest.param((HOST,), -1, id="expired"),
    ],
)
def test_a_wrong_certificate_is_not_talked_to(
    trusted: Authority, names: tuple[str, ...], days: int
) -> None:
    with Listener(lambda _request: ok(), trusted.context(*names, days=days)) as listener:
        way = Way(connections(trusted.ca_file), listener.port)

        assert way.refused().startswith(f"{HOST} is not trusted: ")
        assert not listener.requests


def test_a_strangers_certificate_is_not_talked_to(tmp_path: Path, trusted: Authority) -> None:
    stranger = authority(tmp_path).context(HOST)
    with Listener(lambda _request: ok(), stranger) as listener:
        assert "not trusted" in Way(connections(trusted.ca_file), listener.port).refused()


def test_a_ca_file_is_for_its_server_alone(trusted: Authority, serve: Open) -> None:
    way = serve()
    way.panel().ask("GET", "/")
    way.server = replace(SERVER, name="another")

    with pytest.raises(PanelError, match="not trusted"):
        way.panel().ask("GET", "/")


def test_a_panel_without_tls_where_some_is_due_gets_nothing(trusted: Authority) -> None:
    with Listener(lambda _request: ok()) as listener:
        way = Way(connections(trusted.ca_file), listener.port)

        way.refused()

        assert not listener.requests


# --- Where it goes --------------------------------------------------------------------------------


def judged(server: Server, *addresses: str) -> str:
    """Say why a server at these addresses was not reached. The time is up, so none is tried."""
    way = Way(connections(None, *addresses), 443, server)
    return way.refused(seconds=-1)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:a00:1::1",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%2",
        "fec0::1",
        "ff0e::1",
    ],
)
def test_no_name_leads_into_a_private_network(address: str) -> None:
    assert "a private address" in judged(SERVER, address)
    assert "a private address" in judged(SERVER, "8.8.8.8", address)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        pytest.param(SERVER, "8.8.8.8", id="public"),
        pytest.param(SERVER, "2606:4700::1", id="public, IPv6"),
        pytest.param(SERVER, "64:ff9b::8.8.8.8", id="public behind NAT64"),
        pytest.param(SERVER, "::ffff:8.8.8.8", id="public, mapped"),
        pytest.param(SERVER, "127.9.9.9", id="in a listed network"),
        pytest.param(SERVER, "::ffff:127.9.9.9", id="in a listed network, mapped"),
        pytest.param(replace(SERVER, hosts=(HOST, "10.0.0.5")), "10.0.0.5", id="written"),
    ],
)
def test_a_public_a_listed_or_a_written_address_may_be_asked(server: Server, address: str) -> None:
    assert judged(server, address) == f"{HOST} was not done in time"


def test_a_written_address_is_asked_by_the_address_in_its_certificate(trusted: Authority) -> None:
    with Listener(lambda _request: ok(), trusted.context("127.0.0.1")) as listener:
        server = replace(SERVER, hosts=("127.0.0.1",))
        found = Connections(networks=networks([]), ca_files={SERVER.name: trusted.ca_file})

        assert Way(found, listener.port, server).panel().ask("GET", "/").text == "fine"


def test_a_name_that_changes_its_mind_leads_nowhere_else(serve: Open) -> None:
    """It is resolved once for each call, and what was resolved is what is connected to."""
    said = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]]
    way = serve()
    way.connections = Connections(
        networks=LOOPBACK,
        ca_files={SERVER.name: serve.trusted.ca_file},
        resolve=lambda _host, _port: said.pop(0),
    )

    way.panel().ask("GET", "/")
    with pytest.raises(PanelError, match="private"):
        way.panel().ask("GET", "/")
    way.panel().ask("GET", "/")

    assert not said
    assert len(serve.requests) == 2


def test_the_next_address_is_tried_if_the_first_takes_no_connection(serve: Open) -> None:
    way = serve()
    way.connections = connections(serve.trusted.ca_file, "127.0.0.2", "127.0.0.1")

    assert way.panel().ask("GET", "/").text == "fine"


def test_a_server_that_nobody_is_at_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    way = Way(connections(), port)

    assert way.refused() == f"no connection to any address of {HOST}"


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(OSError("Name or service not known"), id="unknown"),
        pytest.param(UnicodeError("label too long"), id="no name"),
    ],
)
def test_a_name_without_an_address_is_an_error(found: Exception) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise found

    way = Way(Connections(networks=LOOPBACK, ca_files={}, resolve=resolve), 443)

    assert way.refused() == f"{HOST} has no address"


# --- When it ends ---------------------------------------------------------------------------------


def trickle(over: threading.Event, start: bytes, drop: bytes) -> Iterator[bytes]:
    yield start
    while not over.wait(0.02):
        yield drop


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"", b"", id="nothing at all"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x", id="body without a length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="chunks"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", id="header"),
        pytest.param(b"HTTP", b"/", id="first line"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim answers"),
    ],
)
def test_a_panel_that_trickles_is_cut_off(serve: Open, start: bytes, drop: bytes) -> None:
    over = threading.Event()
    way = serve(lambda _request: trickle(over, start, drop))

    said = way.refused(seconds=0.3)
    over.set()

    assert said == f"{HOST} was not done in time"


def test_a_panel_that_never_greets_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "not done in time" in Way(connections(), silent.getsockname()[1]).refused(0.2)


def test_a_panel_that_does_not_read_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = replace(SERVER, secure=False)
        panel = Way(connections(), silent.getsockname()[1], server).panel(0.3)

        with pytest.raises(PanelError, match="not done in time"):
            panel.ask("POST", "/", body=bytes(2**25))


def test_no_call_begins_after_the_end(serve: Open) -> None:
    way = serve()

    assert "not done in time" in way.refused(seconds=-1)
    assert not serve.listeners[0].connections


def chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def closed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


@pytest.mark.parametrize("framed", [ok, chunked, closed])
def test_an_answer_has_a_largest_size(serve: Open, framed: Callable[[bytes], bytes]) -> None:
    way = serve(lambda request: framed(bytes(MAX_ANSWER + (request.target == "/more"))))

    assert len(way.panel().ask("GET", "/").body) == MAX_ANSWER
    with pytest.raises(PanelError, match="more than 1048576 bytes"):
        way.panel().ask("GET", "/more")
    assert len(way.panel().ask("GET", "/").body) == MAX_ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"secret rubbish\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", id="half a body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", id="half a chunk"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", id="many headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", id="a long header"),
    ],
)
def test_a_broken_answer_is_an_error_and_sent_for_once(serve: Open, answer: bytes) -> None:
    way = serve(lambda _request: hang_up(serve, answer))

    said = way.refused()

    assert said.startswith(f"the exchange with {HOST} failed (")
    assert "rubbish" not in said
    assert len(serve.requests) == 1


def hang_up(serve: Open, answer: bytes) -> Iterator[bytes]:
    yield answer
    serve.listeners[-1].hang_up()


# --- Connections that stay open -------------------------------------------------------------------


def ask(way: Way) -> Answer:
    return way.panel().ask("POST", "/", form={"a": "b"})


def test_a_connection_serves_the_next_launch_too(serve: Open) -> None:
    way = serve()

    for _ in range(3):
        ask(way)

    assert [request.connection for request in serve.requests] == [1, 1, 1]


def test_a_connection_that_the_panel_ended_is_not_used_again(serve: Open) -> None:
    way = serve()
    ask(way)
    serve.listeners[0].hang_up()

    ask(way)

    assert [request.connection for request in serve.requests] == [1, 2]


def test_what_a_panel_says_unasked_is_nobodys_answer(serve: Open) -> None:
    forged = threading.Event()

    def answers(request: Request) -> Iterator[bytes]:
        yield ok(b"%d" % request.connection)
        if request.connection == 1:
            yield ok(b"forged")
            forged.set()

    way = serve(answers)

    assert ask(way).text == "1"
    assert forged.wait(10)
    assert ask(way).text == "2"


def test_no_cookie_is_kept(serve: Open) -> None:
    way = serve(ok(b"", b"Set-Cookie: session=abc; Path=/"))

    ask(way)
    ask(way)

    assert all("cookie" not in request.headers for request in serve.requests)


def test_each_thread_has_its_own_answer_and_deadline(serve: Open) -> None:
    over = threading.Event()

    def answers(request: Request) -> bytes | Iterator[bytes]:
        return trickle(over, b"H", b"") if request.target == "/slow" else ok(request.body)

    way = serve(answers)
    found: dict[str, str] = {}

    def run(name: str) -> None:
        try:
            slow = name == "slow"
            panel = way.panel(0.3 if slow else 60)
            found[name] = panel.ask("POST", f"/{name}", body=name.encode()).text
        except PanelError as error:
            found[name] = str(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("slow", "1", "2", "3", "4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()

    assert found == {"slow": f"{HOST} was not done in time"} | {name: name for name in "1234"}


# --- The browser's address, and the log -----------------------------------------------------------


@pytest.mark.parametrize(
    ("secure", "port", "url"),
    [
        (True, 2083, "https://panel.example:2083/a?b=c%20d%26&e="),
        (True, 443, "https://panel.example/a?b=c%20d%26&e="),
        (True, 80, "https://panel.example:80/a?b=c%20d%26&e="),
        (False, 80, "http://panel.example/a?b=c%20d%26&e="),
        (False, 443, "http://panel.example:443/a?b=c%20d%26&e="),
    ],
)
def test_an_address_for_the_browser(secure: bool, port: int, url: str) -> None:
    way = Way(connections(), 1, replace(SERVER, secure=secure, hosts=(HOST, "other.example")))

    assert way.panel().url("/a", {"b": "c d&", "e": ""}, port=port) == url


def test_an_address_for_the_browser_is_below_the_server() -> None:
    panel = Way(connections(), 2083).panel()

    assert panel.url("/") == "https://panel.example:2083/"
    for path in ("", "x", ".evil.example/", "@evil.example/", "/a\r\nb", "/a b"):
        with pytest.raises(PanelError):
            panel.url(path)


def test_every_call_stands_in_the_log_without_secrets(
    serve: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"data": {"url": "https://panel.example/cpsess123456/login/?session=abcdef"}}'
    way = serve(ok(body, b"Set-Cookie: a=bcdefg", b"broken header"))

    way.panel().ask(
        "POST",
        "/make?token=12345",
        query={"user": "joe", "passwd": "hunter2"},
        form={"note": f"it is {PASSWORD}"},
        headers={"KEY": "my-key", "X-Note": "ok"},
        auth=("root", "other word"),
    )

    (call,) = way.calls
    assert (call.module, call.action) == ("cpanel", "POST /make?token=***")
    assert call.request == (
        f'{{"host": "{HOST}:{way.port}", "query": {{"user": "joe", "passwd": "***"}}, "headers":'
        ' {"KEY": "***", "X-Note": "ok"}, "auth": "***", "body": {"note": "it is ***"}}'
    )
    assert call.response.startswith('{"status": 200, "headers": {"content-length": "77", "set-')
    assert "https://panel.example/***" in call.response
    for secret in ("12345", "hunter2", PASSWORD, "my-key", "other", "abcdef", "bcdefg"):
        assert secret not in repr(call)
    assert not caplog.records


def test_others_may_go_on_logging() -> None:
    """What the gate's calls would log is held back, and nothing else is."""
    logger = logging.getLogger("urllib3.connectionpool")

    assert logger.filter(logger.makeRecord("x", logging.DEBUG, "x", 1, "x", (), None))


def test_a_module_writes_lines_of_its_own() -> None:
    way = Way(connections(), 1)

    way.panel().log("Create", {"password": "abc"}, f"was {PASSWORD}\n", b"and more", ["more"])

    assert way.calls == [
        ModuleCall("cpanel", "Create", '{"password": "***"}', "was ***\\n", "and ***")
    ]


def test_where_nobody_takes_the_log_nothing_is_masked_for_it(
    serve: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masking is work, and a panel says how much of it."""
    way = serve()
    masked: list[object] = []
    monkeypatch.setattr("ssogate.launch.panel.mask", lambda *part: masked.append(part))
    panel = HttpPanel(
        way.connections,
        way.server,
        module="cpanel",
        port=way.port,
        until=time.monotonic() + 60,
        log=None,
        secrets=(PASSWORD,),
    )

    assert panel.ask("GET", "/x").status == 200
    assert masked == []
