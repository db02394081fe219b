"""What a WSGI app says to a request that was read whole, and that it is an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from gunicorn.config import Config

from ssogate.worker.layers import Told, ends, environ_for, told

PLAIN = [("Content-Type", "text/plain")]
START = b"HTTP/1.1 500 Internal Server Error\r\n"


def asked(app: Callable[..., Iterable[bytes]], body: bytes = b"", **environ: str) -> Told:
    given: dict[str, Any] = {"REQUEST_METHOD": "GET", "RAW_URI": "/x?secret", **environ}
    return told(app, given, body)


def saying(
    status: str = "200 OK", headers: Iterable[tuple[Any, Any]] = PLAIN, *pieces: bytes
) -> Callable[..., Iterable[bytes]]:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return pieces

    return app


def test_pieces_are_an_answer_with_its_length() -> None:
    found = asked(saying("200 OK", PLAIN, b"a", b"", b"bc"))

    assert found.start == b"HTTP/1.1 200 OK\r\n"
    assert found.lines == b"Content-Type: text/plain\r\nContent-Length: 3\r\n"
    assert found.body == b"abc"
    line = json.loads(f"{{{found.logged}")
    assert (line["path"], line["status"], line["bytes"], line["user"]) == ("/x", 200, 3, None)


def test_the_body_is_there_to_be_read() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(2), environ["wsgi.input"].read()]

    assert asked(app, b"a=b").body == b"a=b"


def test_what_is_written_comes_first() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])(b"first ")
        return [b"second"]

    assert asked(app).body == b"first second"


@pytest.mark.parametrize(
    ("method", "status", "length", "body"),
    [
        ("GET", "200 OK", b"Content-Length: 3\r\n", b"abc"),
        ("HEAD", "200 OK", b"Content-Length: 7\r\n", b""),
        ("GET", "204 No Content", b"", b""),
        ("GET", "304 Not Modified", b"", b""),
        ("HEAD", "304 Not Modified", b"", b""),
    ],
)
def test_an_answer_is_as_long_as_it_says(
    method: str, status: str, length: bytes, body: bytes
) -> None:
    """The app's own word counts where nothing comes that could be counted."""
    found = asked(saying(status, [("content-length", "7")], b"abc"), REQUEST_METHOD=method)

    assert (found.lines.title(), found.body) == (length, body)


def test_what_is_said_of_the_connection_is_the_servers_to_say() -> None:
    said = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "1"), *PLAIN]

    assert asked(saying("200 OK", said)).lines == (
        b"Content-Type: text/plain\r\nContent-Length: 0\r\n"
    )


def escaping(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    raise RuntimeError("a bug")


def leaving(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise SystemExit(1)


def silent(environ: Any, start_response: Any) -> Iterable[bytes]:
    return [b"abc"]


def twice(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    start_response("403 Forbidden", PLAIN)
    return [b"abc"]


def breaking(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield b"abc"
    raise RuntimeError("a bug")


@pytest.mark.parametrize(
    "app",
    [
        escaping,
        leaving,
        silent,
        twice,
        breaking,
        pytest.param(saying("200 OK", [("X-A", "b\r\nSet-Cookie: c")]), id="a line too many"),
        pytest.param(saying("200 OK", [("X-A\r\nX-B", "b")]), id="a name with a line's end"),
        pytest.param(saying("200 OK", [("X-A", "b\0")]), id="a NUL"),
        pytest.param(saying("200 OK", [("X-A", b"b")]), id="bytes"),
        pytest.param(saying("200 OK", [("X-A", "\u20ac")]), id="not Latin-1"),
        pytest.param(saying("200 OK\r\nX-A: b"), id="a status with a line's end"),
        pytest.param(saying("OK"), id="no status"),
    ],
)
def test_what_is_no_answer_is_a_plain_error(
    app: Callable[..., Iterable[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    found = asked(app)

    assert (found.start, found.body) == (START, b"")
    assert b"Content-Length: 0\r\n" in found.lines
    assert json.loads(f"{{{found.logged}")["status"] == 500
    assert "escaped" in caplog.text
    assert "Set-Cookie" not in caplog.text


def test_an_app_may_think_better_of_it() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("503 Service Unavailable", [], sys.exc_info())
        return [b"sorry"]

    found = asked(app)

    assert (found.start[9:12], found.lines, found.body) == (
        b"503",
        b"Content-Length: 5\r\n",
        b"sorry",
    )


@pytest.mark.parametrize("fails", [False, True])
def test_the_answer_is_closed(fails: bool) -> None:
    class Pieces:
        closed = False

        def __iter__(self) -> Any:
            if fails:
                raise RuntimeError("a bug")
            return iter([b"abc"])

        def close(self) -> None:
            self.closed = True

    pieces = Pieces()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return pieces

    assert asked(app).body == (b"" if fails else b"abc")
    assert pieces.closed


def test_a_unix_socket_has_no_ends() -> None:
    found = ends(b"", "/run/gate.sock")

    assert found == {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": ""}
    assert environ_for(Config())["wsgi.url_scheme"] == "http"
