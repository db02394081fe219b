"""Around a wrapped app: it never sees the gate's cookie nor half of a body, and sets no session."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from ssogate.http import environ as env
from ssogate.middleware.wrapped import Wrapped
from ssogate.model import Session
from tests.middleware.recording import Recorder, Strict, code
from tests.storage.making import person, record, user

OWN = f"__Host-ssogate={'t' * 43}"
SIGNED_IN = {env.SESSION: Session(record(user()), person(), "t" * 43)}


class Answers:
    """An app that answers with these headers."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.headers = [("Content-Type", "text/plain"), *headers]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("200 OK", self.headers)
        return [b"the app"]


def answer(*headers: tuple[str, str], signed_in: bool = False) -> TestResponse:
    client = Strict(Wrapped(Answers(*headers)))
    return client.get("/", environ_overrides=SIGNED_IN if signed_in else {})


# --- What the app sees -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cookie", "seen"),
    [
        pytest.param(f"a=1; {OWN}; b=2", "a=1; b=2", id="among others"),
        pytest.param(OWN, None, id="alone"),
        pytest.param(f"ssogate={'t' * 43}", None, id="of plain http"),
        pytest.param(f"a=1; {OWN.upper()}", "a=1", id="in capitals"),
        pytest.param("a=1", "a=1", id="not there"),
        pytest.param(None, None, id="no cookie"),
    ],
)
def test_the_gates_own_cookie_is_kept_from_the_app(cookie: str | None, seen: str | None) -> None:
    app = Recorder()

    Strict(Wrapped(app)).get("/", headers={} if cookie is None else {"Cookie": cookie})

    assert app.only.get("HTTP_COOKIE") == seen


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_that_was_not_judged_is_kept_from_the_app(name: str) -> None:
    app = Recorder()

    Strict(Wrapped(app)).post("/", headers={name: "DELETE", "Accept": "x"})

    assert "DELETE" not in app.only.values()
    assert app.only["HTTP_ACCEPT"] == "x"


def test_the_app_is_told_the_gates_request_id() -> None:
    app = Recorder()

    Strict(Wrapped(app)).get("/", headers={"X-Request-Id": "forged"})

    assert app.only["HTTP_X_REQUEST_ID"] == env.request_id(app.only) != "forged"


# --- What the visitor gets ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(f"{OWN}; Path=/", id="the session's"),
        pytest.param(f"__HOST-SSOGATE={'t' * 43}", id="in capitals"),
        pytest.param("ssogate=; Max-Age=0", id="its end"),
        pytest.param(f"={OWN}", id="without a name"),
    ],
)
def test_no_app_sets_or_ends_a_session(cookie: str) -> None:
    response = answer(("Set-Cookie", cookie), ("Set-Cookie", "theme=dark; Path=/"))

    assert response.headers.getlist("Set-Cookie") == ["theme=dark; Path=/"]


@pytest.mark.parametrize(
    ("headers", "caching", "vary"),
    [
        pytest.param([], "no-store", "Cookie", id="nothing said"),
        pytest.param([("Cache-Control", "public")], "private", "Cookie", id="caching"),
        pytest.param([("Vary", "Accept")], "no-store", "Accept, Cookie", id="varies"),
        pytest.param([("Vary", "accept, COOKIE")], "no-store", "accept, COOKIE", id="by cookie"),
        pytest.param([("Vary", "*")], "no-store", "*", id="by everything"),
    ],
)
def test_what_a_signed_in_visitor_gets_is_for_no_shared_cache(
    headers: list[tuple[str, str]], caching: str, vary: str
) -> None:
    """H8."""
    response = answer(*headers, signed_in=True)

    assert response.headers.get("Cache-Control") == caching
    assert response.headers["Vary"] == vary


def test_an_anonymous_visitors_answer_is_the_apps() -> None:
    response = answer(("Location", "http://elsewhere.example/"), ("X-A", "b"))

    assert response.data == b"the app"
    assert dict(response.headers) == {
        "Content-Type": "text/plain",
        "Location": "http://elsewhere.example/",
        "X-A": "b",
    }


# --- The body ------------------------------------------------------------------------------------


class Reads:
    """An app that reads its body in one of the ways of PEP 3333."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.read: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        stream = environ["wsgi.input"]
        ways: dict[str, Callable[[], bytes]] = {
            "read": lambda: stream.read(-1),
            "read()": lambda: b"".join(iter(lambda: stream.read(5), b"")),
            "readline": lambda: b"".join(iter(lambda: stream.readline(4), b"")),
            "readlines": lambda: b"".join(stream.readlines(10)),
            "iterate": lambda: b"".join(stream),
        }
        self.read = ways[self.how]()
        return Answers()(environ, start_response)


WAYS = ["read", "read()", "readline", "readlines", "iterate"]
BODY = b"one line\nanother\n\nand the rest"


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("chunks", [True, False], ids=["chunks", "length"])
@pytest.mark.parametrize("body", [BODY, b"", BODY * 9000], ids=["body", "empty", "large"])
def test_a_whole_body_is_read_whole(how: str, chunks: bool, body: bytes) -> None:
    app = Reads(how)
    framing = {"wsgi.input_terminated": True} if chunks else {"CONTENT_LENGTH": str(len(body))}
    extra = b"" if chunks else b"the next request"

    called(app, body + extra, **framing)

    assert app.read == body


def called(app: Any, body: Any, **environ: Any) -> tuple[str, dict[str, str]]:
    """Call the layer as a server does, and give status and headers."""
    stream = BytesIO(body) if isinstance(body, bytes) else body
    begun: list[Any] = []
    made = {"REQUEST_METHOD": "POST", "wsgi.input": stream, "PATH_INFO": "/", **environ}

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        begun.append((status, dict(headers)))
        return lambda _: None

    b"".join(Wrapped(app)(made, start_response))
    found: tuple[str, dict[str, str]] = begun[-1]
    return found


class Broken:
    """A body that its server cannot read."""

    def read(self, size: int = -1) -> bytes:
        raise RuntimeError("chunk without an end")

    readline = read


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("body", "framing"),
    [
        pytest.param(BODY, {"CONTENT_LENGTH": str(len(BODY) + 1)}, id="cut short"),
        pytest.param(b"", {"CONTENT_LENGTH": "1"}, id="nothing came"),
        pytest.param(Broken(), {"CONTENT_LENGTH": "9"}, id="unreadable"),
        pytest.param(Broken(), {"wsgi.input_terminated": True}, id="bad chunks"),
    ],
)
def test_half_a_body_is_never_taken_for_whole(how: str, body: Any, framing: dict[str, Any]) -> None:
    """G6, G7."""
    app = Reads(how)

    status, headers = called(app, body, **framing)

    assert status == "400 BAD REQUEST"
    assert headers["X-SSOGate-Error"] == "bad_body"
    assert app.read is None


def test_an_app_that_began_its_answer_is_cut_off() -> None:
    class Begins:
        def __call__(self, environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [environ["wsgi.input"].read(9)]

    status, _ = called(Begins(), Broken(), CONTENT_LENGTH="9")

    assert status == "400 BAD REQUEST", "with exc_info, so that a server drops what it has begun"


def test_a_request_without_a_body_is_left_alone() -> None:
    app = Recorder()

    response = Strict(Wrapped(app)).get("/")

    assert response.data == b"the app"
    assert code(response) is None
