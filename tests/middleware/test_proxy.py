"""The reverse proxy as a WSGI app, alone: around it is only the WSGI validator."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from wsgiref.validate import validator

import pytest

from ssogate.http import environ as env
from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.middleware.proxy import ReverseProxy
from ssogate.model import Identity, Session, SessionRecord
from ssogate.upstream.forward import UpstreamCut
from ssogate.upstream.route import RouteTable, Upstream
from ssogate.upstream.settings import RouteSettings, UpstreamSettings, open_routes
from tests.upstream.scripted import Received, Scripted, Talk, chunked, ok

JOHN = Identity("u-1", "john", "john", "John Smith", "john@example.com", frozenset({"b", "a"}))
SUE = Identity("u-2", "sue", "sue", "Søe", "", frozenset())


def signed_in(identity: Identity) -> Session:
    record = SessionRecord("key", identity.subject, "members", "", 1, 1, 2)
    return Session(record, identity, "token")


@dataclass
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]

    @property
    def code(self) -> str | None:
        return next(iter(self.all("X-SSOGate-Error")), None)


class Gate:
    """A proxy for one test, asked without a server."""

    def __init__(self, table: RouteTable) -> None:
        self.proxy = ReverseProxy(table, managed=["X-Managed-Elsewhere"])

    def ask(
        self,
        target: str = "/",
        method: str = "GET",
        body: bytes | None = None,
        identity: Identity | None = None,
        **more: Any,
    ) -> Response:
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "gate",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": "App.Example:8000",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body or b""),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **({} if body is None else {"CONTENT_LENGTH": str(len(body))}),
            **({} if identity is None else {env.SESSION: signed_in(identity)}),
            **more,
        }
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started.append((status, headers))

        blocks = validator(self.proxy)(environ, start_response)
        try:
            content = b"".join(blocks)
        finally:
            blocks.close()  # type: ignore[attr-defined]
        ((status, headers),) = started
        return Response(int(status[:3]), headers, content)


Gates = Callable[..., Gate]


@pytest.fixture
def gates() -> Iterator[Gates]:
    tables: list[RouteTable] = []

    def open_gate(upstream: Scripted | str, *routes: dict[str, Any], **settings: Any) -> Gate:
        url = upstream if isinstance(upstream, str) else upstream.url
        quick = {"connect_timeout": 2.0, "read_timeout": 2.0, "write_timeout": 2.0, **settings}
        tables.append(
            open_routes(
                [RouteSettings.model_validate(route) for route in routes or [{"upstream": "app"}]],
                {"app": UpstreamSettings.model_validate({"url": url, **quick})},
                DEFAULT_HEADERS,
            )
        )
        return Gate(tables[-1])

    yield open_gate
    for route in (route for table in tables for route in table.routes):
        if isinstance(route.to, Upstream):
            route.to.close()


@pytest.fixture
def app() -> Iterator[Scripted]:
    with Scripted() as upstream:
        yield upstream


def heard(app: Scripted) -> Received:
    """The one request that reached the upstream."""
    (request,) = app.requests
    return request


# --- What the upstream is told ----------------------------------------------------------------


def test_a_request_is_relayed_with_what_the_gate_knows(gates: Gates, app: Scripted) -> None:
    response = gates(app).ask("/a/b?c=d%20e", identity=JOHN, HTTP_ACCEPT="text/html")

    assert (response.status, response.body) == (200, b"hello")
    assert heard(app).line == "GET /a/b?c=d%20e HTTP/1.1"
    for name, value in {
        "Host": "App.Example:8000",
        "Accept": "text/html",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "App.Example:8000",
        "X-Remote-User": "john",
        "X-Remote-Email": "john@example.com",
        "X-Remote-Name": "John Smith",
        "X-Remote-Groups": "a,b",
    }.items():
        assert heard(app).all(name) == [value]
    assert len(heard(app).all("X-Request-Id")) == 1
    assert heard(app).all("Content-Length") == heard(app).all("Connection") == []


@pytest.mark.parametrize(
    ("setting", "host"),
    [("preserve", "App.Example:8000"), ("upstream", None), ("Club.Internal", "club.internal")],
)
def test_the_host_is_the_visitors_the_upstreams_or_a_name(
    gates: Gates, app: Scripted, setting: str, host: str | None
) -> None:
    gates(app, host_header=setting).ask()

    assert heard(app).all("Host") == [host or f"127.0.0.1:{app.port}"]
    assert heard(app).all("X-Forwarded-Host") == ["App.Example:8000"]


FORGERIES = [
    *("HTTP_X_REMOTE_USER", "HTTP_REMOTE_USER", "HTTP_HTTP_REMOTE_USER", "HTTP_X_REMOTE_GROUPS"),
    *("HTTP_X.REMOTE.USER", "HTTP_X~REMOTE~USER", "HTTP_X!REMOTE USER", "HTTP_X_REMOTE+USER"),
    *("HTTP_X_FORWARDED_USER", "HTTP_X_AUTH_REQUEST_USER", "HTTP_X_MANAGED_ELSEWHERE"),
    *("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_ORIGINAL_URL", "HTTP_X_REAL_IP"),
    *("HTTP_PROXY", "HTTP_X_SSOGATE_ERROR", "HTTP_X_OTHER_ROUTE"),
]


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
@pytest.mark.parametrize("identity", [None, JOHN, SUE], ids=["nobody", "john", "sue"])
def test_nothing_that_a_visitor_forges_reaches_the_app(
    gates: Gates, app: Scripted, identity: Identity | None, method: str
) -> None:
    """B1 to B5, B7: by fold, for everybody, on every route, whoever's headers they are."""
    other = {"path": "/other", "upstream": "app", "identity": {"X-Other-Route": "username"}}
    gate = gates(app, {"upstream": "app"}, other)
    forged: dict[str, Any] = dict.fromkeys(FORGERIES, "forged")
    listed = "close, X-Remote-User, X-Forwarded-For, Host, X-Request-Id"
    gate.ask("/x", method, None, identity, HTTP_CONNECTION=listed, **forged)

    assert b"forged" not in heard(app).head
    given = [] if identity is None else [identity.username]
    assert heard(app).all("X-Remote-User") == given
    assert heard(app).all("X-Forwarded-For") == ["192.0.2.7"]
    assert heard(app).all("X-Other-Route") == []


def test_an_identity_is_sent_as_utf_8_and_an_empty_field_empty(gates: Gates, app: Scripted) -> None:
    gates(app).ask(identity=SUE)

    assert b"\r\nX-Remote-Name: S\xc3\xb8e\r\n" in heard(app).head + b"\r\n"
    assert heard(app).all("X-Remote-Groups") == heard(app).all("X-Remote-Email") == [""]


@pytest.mark.parametrize("name", ["a\r\nX-Remote-Groups: admins", "a\x00b", "x" * 100_000])
def test_an_identity_that_no_header_can_carry_is_refused(
    gates: Gates, app: Scripted, name: str
) -> None:
    response = gates(app).ask(identity=replace(JOHN, name=name))

    assert (response.status, response.code) == (403, "identity_unsendable")
    assert app.connections == 0


def test_the_gates_cookie_stays_at_the_gate(gates: Gates, app: Scripted) -> None:
    gates(app).ask(HTTP_COOKIE="a=1; __Host-ssogate=secret; b=2; x=1,ssogate=secret")

    assert heard(app).all("Cookie") == ["a=1; b=2"]


def test_the_client_and_target_of_outer_layers_are_believed(gates: Gates, app: Scripted) -> None:
    outer: dict[str, Any] = {
        env.CLIENT: env.parse_address("2001:db8::7"),
        env.SCHEME: "http",
        env.REQUEST_ID: "abc",
    }
    gates(app).ask(**outer)

    assert heard(app).all("X-Forwarded-For") == ["2001:db8::7"]
    assert heard(app).all("X-Forwarded-Proto") == ["http"]
    assert heard(app).all("X-Request-Id") == ["abc"]


def test_a_visitor_without_an_address_has_none_forwarded(gates: Gates, app: Scripted) -> None:
    nowhere: dict[str, Any] = {env.CLIENT: None}
    gates(app).ask(**nowhere)

    assert heard(app).all("X-Forwarded-For") == []


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/app", "/v1"),
        ("/app/x%2By?z=%2f", "/v1/x%2By?z=%2f"),
        ("/plain/x", "/plain/x"),
    ],
)
def test_prefixes_are_changed_as_the_route_says(
    gates: Gates, app: Scripted, asked: str, sent: str
) -> None:
    changing = {"path": "/app", "upstream": "app", "strip_prefix": True, "add_prefix": "/v1"}
    path = asked.partition("?")[0].replace("%2B", "+")
    gates(app, changing, {"upstream": "app"}).ask(asked, PATH_INFO=path, RAW_URI=asked)

    assert heard(app).line == f"GET {sent} HTTP/1.1"


# --- Bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 200_000])
def test_a_body_is_passed_on(gates: Gates, app: Scripted, size: int) -> None:
    response = gates(app).ask("/", "POST", b"x" * size, CONTENT_TYPE="text/x")

    assert response.status == 200
    assert heard(app).body == b"x" * size
    assert heard(app).all("Content-Length") == [str(size)]
    assert heard(app).all("Content-Type") == ["text/x"]


@pytest.mark.parametrize("size", [0, 5, 200_000])
def test_chunks_that_the_server_took_apart_are_passed_on(
    gates: Gates, app: Scripted, size: int
) -> None:
    more: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    more["wsgi.input"] = io.BytesIO(b"x" * size)
    response = gates(app).ask("/", "POST", **more)

    assert response.status == 200
    assert heard(app).body == b"x" * size


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        pytest.param({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, "coding_refused", id="gzip"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "identity"}, "coding_refused", id="identity"),
        pytest.param({"HTTP_TRANSFER_ENCODING": ""}, "coding_refused", id="empty coding"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked,chunked"}, "coding_refused", id="twice"),
        pytest.param(
            {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, "bad_headers", id="both"
        ),
        pytest.param(
            {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": False},
            "bad_headers",
            id="chunks that nobody takes apart",
        ),
        pytest.param({"CONTENT_LENGTH": "9" * 20}, "bad_headers", id="absurd length"),
        pytest.param({"CONTENT_LENGTH": "4"}, "bad_body", id="cut short"),
        pytest.param({"CONTENT_LENGTH": str(2**40)}, "body_too_large", id="too large"),
        pytest.param({"HTTP_UPGRADE": "websocket"}, "upgrade_refused", id="WebSocket"),
        pytest.param({"HTTP_UPGRADE": "WebSocket, h2c"}, "upgrade_refused", id="list"),
        pytest.param({"HTTP_UPGRADE": "TLS/1.0"}, "upgrade_refused", id="TLS"),
        pytest.param({"HTTP_UPGRADE": ""}, "upgrade_refused", id="empty upgrade"),
        pytest.param({"HTTP_HOST": "a b"}, "bad_host", id="host"),
        pytest.param({"RAW_URI": "/a/../b"}, "bad_target", id="target"),
        pytest.param({"HTTP_X_LF": "a\nEvil: b"}, "bad_headers", id="line feed in a header"),
    ],
)
def test_a_request_that_cannot_be_passed_on_safely_is_refused(
    gates: Gates, app: Scripted, environ: dict[str, Any], code: str
) -> None:
    body = io.BytesIO(b"abc")
    response = gates(app).ask(
        "/", "POST", **{"wsgi.input": body, "wsgi.input_terminated": True, **environ}
    )

    assert response.code == code
    assert response.all("Set-Cookie") == []
    assert app.connections == 0


def test_an_offer_of_h2c_is_not_passed_on(gates: Gates, app: Scripted) -> None:
    offer: dict[str, Any] = {"HTTP_UPGRADE": "h2c", "HTTP_CONNECTION": "Upgrade, HTTP2-Settings"}
    response = gates(app).ask(HTTP_HTTP2_SETTINGS="x", **offer)

    assert response.status == 200
    assert heard(app).all("Upgrade") == heard(app).all("HTTP2-Settings") == []


# --- What the visitor gets --------------------------------------------------------------------


def test_an_answer_is_passed_back_without_what_is_not_the_apps_to_say(gates: Gates) -> None:
    lines = [
        *("Set-Cookie: a=1; Path=/", "Set-Cookie: __Host-ssogate=evil; Path=/; Secure"),
        *("Set-Cookie: b=2", "Server: Apache", "Date: today", "X-Accel-Redirect: /secret"),
        *("X-SSOGate-Error: forged", "Connection: close, X-Hop", "X-Hop: x", "X-Kept: \xe9"),
        "Clear-Site-Data: *",
    ]
    with Scripted(scripts=[[ok(b"hi", *lines, status="201 Made")]]) as upstream:
        response = gates(upstream).ask()

    assert (response.status, response.body) == (201, b"hi")
    assert response.headers == [
        ("Content-Type", "text/plain"),
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2"),
        ("X-Kept", "\xe9"),
        ("Content-Length", "2"),
    ]


def test_only_a_signed_in_visitors_answer_is_kept_from_caches(gates: Gates, app: Scripted) -> None:
    gate = gates(app)
    anonymous, john = gate.ask(), gate.ask(identity=JOHN)

    assert anonymous.all("Cache-Control") == anonymous.all("Vary") == []
    assert (john.all("Cache-Control"), john.all("Vary")) == (["no-store"], ["Cookie"])


@pytest.mark.parametrize(
    ("method", "answer", "length"),
    [
        pytest.param(
            "HEAD",
            b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 99\r\n\r\n",
            ["99"],
            id="HEAD keeps its length",
        ),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", [], id="204"),
        pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", [], id="304"),
    ],
)
def test_answers_without_a_body_have_none(
    gates: Gates, method: str, answer: bytes, length: list[str]
) -> None:
    with Scripted(otherwise=answer) as upstream:
        gate = gates(upstream)
        first, second = gate.ask(method=method), gate.ask(method=method)

        assert first.body == second.body == b""
        assert first.all("Content-Length") == length
        assert upstream.connections == 1


LOCATIONS = [
    pytest.param("http://UPSTREAM/v1/x?y#z", "https://App.Example:8000/app/x?y#z", id="own"),
    pytest.param("http://UPSTREAM/v1", "https://App.Example:8000/app", id="own prefix alone"),
    pytest.param("http://UPSTREAM/v1//evil.example", "https://App.Example:8000/app//evil.example"),
    pytest.param("http://UPSTREAM/elsewhere", "http://UPSTREAM/elsewhere", id="not to be reached"),
    pytest.param("http://UPSTREAM", "http://UPSTREAM", id="outside of the added prefix"),
    pytest.param("http://UPSTREAM@evil.example/v1", "http://UPSTREAM@evil.example/v1", id="user"),
    pytest.param("/v1/x", "/v1/x", id="a path"),
    pytest.param("https://www.example/v1", "https://www.example/v1", id="another site"),
]


@pytest.mark.parametrize(("location", "told"), LOCATIONS)
def test_a_redirect_to_the_upstreams_own_address_leads_to_the_site(
    gates: Gates, location: str, told: str
) -> None:
    def redirect(talk: Talk) -> None:
        talk.read_request()
        talk.send(ok(b"", f"Location: {named(location)}", status="302 Found"))

    def named(text: str) -> str:
        return text.replace("UPSTREAM", f"127.0.0.1:{upstream.port}")

    with Scripted(scripts=[[redirect]]) as upstream:
        changing = {"path": "/app", "upstream": "app", "strip_prefix": True, "add_prefix": "/v1"}
        response = gates(upstream, changing).ask("/app/x")

        assert response.all("Location") == [named(told)]


def test_a_path_that_looks_like_a_host_is_not_a_redirect_off_the_site(gates: Gates) -> None:
    with Scripted() as upstream:
        upstream.otherwise = ok(b"", f"Location: {upstream.url}//evil.example/", status="302 Found")
        response = gates(upstream).ask()

        assert response.all("Location") == ["https://App.Example:8000//evil.example/"]


# --- When the upstream fails ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(b"", 502, "upstream_unreachable", id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\nX: y\n\nsecret", 502, "upstream_invalid", id="malformed"),
        pytest.param(ok(b"secret")[:-6], 502, "upstream_invalid", id="cut before the body"),
    ],
)
def test_a_failed_upstream_gives_a_page_of_the_gate(
    gates: Gates, answer: bytes, status: int, code: str
) -> None:
    with Scripted(scripts=[[answer]]) as upstream:
        gate = gates(upstream)
        failed = gate.ask("/ann")

        assert (failed.status, failed.code) == (status, code)
        assert b"secret" not in failed.body
        assert failed.all("Cache-Control") == ["no-store"]
        assert gate.ask("/bob").body == b"hello"


def test_a_cut_answer_drops_the_visitors_connection(gates: Gates) -> None:
    with Scripted(scripts=[[chunked(b"x" * 10, end=b"")]]) as upstream:
        gate = gates(upstream)
        with pytest.raises(UpstreamCut):
            gate.ask()

        assert gate.ask().body == b"hello"


def test_nobody_reads_anothers_answer(gates: Gates) -> None:
    """G12 and C4: hostile endings between two users who alternate on one connection's pool."""

    def echo(talk: Talk) -> None:
        endings = [b"", b"!", ok(b"of nobody"), b"\r\n", chunked(b"of nobody")]
        for number in range(1000):
            (user,) = talk.read_request().all("X-Remote-User")
            talk.send(ok(user.encode()) + endings[number % len(endings)])

    with Scripted(scripts=[[echo] for _ in range(100)]) as upstream:
        gate = gates(upstream, max_connections=2)
        answers = [gate.ask(identity=user).body for user in [JOHN, SUE] * 50]

    assert answers == [b"john", b"sue"] * 50


# --- Routes that do not relay -----------------------------------------------------------------


def test_where_there_is_no_route_there_is_nothing(gates: Gates, app: Scripted) -> None:
    response = gates(app, {"path": "/app", "upstream": "app"}).ask("/appx")

    assert (response.status, response.code) == (404, "no_route")
    assert app.connections == 0


@pytest.mark.parametrize(
    ("settings", "asked", "status", "location"),
    [
        pytest.param({}, "/a/b?c", 302, "https://new.example/base/a/b?c", id="path and query kept"),
        pytest.param({}, "/", 302, "https://new.example/base/", id="home"),
        pytest.param({"keep_path": False}, "/a?c", 302, "https://new.example/base/", id="not kept"),
        pytest.param({"status": 308}, "/a", 308, "https://new.example/base/a", id="status"),
        pytest.param(
            {"path": "/a", "strip_prefix": True},
            "/a/b",
            302,
            "https://new.example/base/b",
            id="cut",
        ),
        pytest.param({}, "/?x=\xe9", 302, "https://new.example/base/?x=%E9", id="escaped"),
    ],
)
def test_a_redirect_leads_where_the_configuration_says(
    gates: Gates, settings: dict[str, Any], asked: str, status: int, location: str
) -> None:
    route = {"redirect": "https://new.example/base/", **settings}
    response = gates("http://127.0.0.1:1", route).ask(
        asked, HTTP_X_FORWARDED_HOST="evil.example", HTTP_HOST="evil.example"
    )

    assert (response.status, response.all("Location")) == (status, [location])
