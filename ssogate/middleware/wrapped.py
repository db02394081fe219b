"""The innermost layer around a wrapped app: to it what `ReverseProxy` is to an upstream."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ssogate.errors import BadBody
from ssogate.http import environ as env
from ssogate.http.cookies import other_cookies
from ssogate.http.framing import body_length
from ssogate.http.pages import refusal
from ssogate.upstream.headers import METHOD_OVERRIDE_KEYS, keep_private, response_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Wrapped:
    """Keep the gate's cookie from `app`, both ways, and its answers out of shared caches; keep
    from it a method that was not judged, and half of a body.

    The only layer that wraps `start_response`: a wrapped app's headers pass nowhere else.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        private = env.private(environ)
        _prepare(environ)

        def begin(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            kept = response_headers(headers, connection="", relocate=str)
            if private:
                keep_private(kept)
            return start_response(status, kept, exc_info)

        try:
            answer = self.app(environ, begin)
            if isinstance(answer, list | tuple) or body_length(environ) is None:
                return answer
            begun = _begun(answer)
            next(begun)
            return begun
        except UnreadableBody as error:

            def begin_anew(status: str, headers: list[tuple[str, str]]) -> Any:
                return start_response(status, headers, sys.exc_info())

            return refusal(error, environ)(environ, begin_anew)  # type: ignore[arg-type]


def _begun(answer: Iterable[bytes]) -> Iterator[bytes]:
    """The answer of an app that may read the body only when it is asked for the first block: the
    caller takes one empty block, and so learns before anybody else whether that could be read."""
    try:
        blocks = iter(answer)
        first = next(blocks, b"")
        yield b""
        yield first
        yield from blocks
    finally:
        if close := getattr(answer, "close", None):
            close()


def _prepare(environ: WSGIEnvironment) -> None:
    cookies = other_cookies(environ.get("HTTP_COOKIE", ""))
    if cookies:
        environ["HTTP_COOKIE"] = cookies
    else:
        environ.pop("HTTP_COOKIE", None)
    for key in METHOD_OVERRIDE_KEYS:
        environ.pop(key, None)
    environ["HTTP_X_REQUEST_ID"] = env.request_id(environ)
    length = environ.get("CONTENT_LENGTH") or None
    if length or environ.get("wsgi.input_terminated"):
        environ["wsgi.input"] = WholeBody(environ["wsgi.input"], int(length) if length else None)


class UnreadableBody(BadBody, OSError):
    """An `OSError` too: frameworks know it for a connection that broke, and answer 400."""


class WholeBody:
    """`wsgi.input` for an app that would take for whole whatever comes.

    A body that the server cannot read, or that ends before its Content-Length, raises
    `UnreadableBody` where the app reads.
    """

    def __init__(self, stream: Any, length: int | None) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int | None = -1) -> bytes:
        wanted = None if size is None or size < 0 else size
        if self._left is not None:
            wanted = self._left if wanted is None else min(wanted, self._left)
        blocks, got = [], 0
        while wanted is None or got < wanted:
            block = self._checked(self._stream.read, 65536 if wanted is None else wanted - got)
            blocks.append(block)
            got += len(block)
            if not block:
                break
        return b"".join(blocks)

    def readline(self, size: int | None = -1) -> bytes:
        if self._left == 0 or size == 0:
            return b""
        limits = [n for n in (size, self._left) if n is not None and n >= 0]
        return self._checked(self._stream.readline, *([min(limits)] if limits else []))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _checked(self, read: Callable[..., bytes], *size: int) -> bytes:
        try:
            block = read(*size)
        except Exception as error:  # a server reports a malformed body by any exception it likes
            raise UnreadableBody(type(error).__name__) from error
        if self._left is not None:
            self._left -= len(block)
            if not block and self._left:
                raise UnreadableBody(f"{self._left} bytes are missing")
        return block
