"""Relay one request and its answer over a pooled connection, both streamed.

Strategy: have the first block of the request in hand before a connection is taken, and the first
block of the answer before the visitor is told anything; from then on only a cut can go wrong.
A request is sent once. It is sent a second time only when a connection that had idled turned
out dead before a byte of answer came, and repeating it is harmless (RFC 9110, section 9.2.2).
Until a server was reached nothing has been sent, so then another one is tried.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from ssogate.errors import (
    BadBody,
    BodyTooLarge,
    UpstreamDown,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from ssogate.http.log import log
from ssogate.upstream import wire
from ssogate.upstream.connection import BLOCK, Connection, OutOfTime, Silent
from ssogate.upstream.route import Server, Upstream
from ssogate.upstream.wire import Fields, Head

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
# What counts against a server, once it has the whole request: that it hangs up on an upload may
# well be the visitor's doing.
_FAILURES = (UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid)


class UpstreamCut(ConnectionResetError):
    """The answer ended before its end, when the visitor had some of it already.

    Servers drop the visitor's connection quietly at a connection reset; anything quieter would
    show a cut answer as a whole one.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, not yet read."""

    read: Callable[[int], bytes]
    """Like `wsgi.input`: up to so many bytes, and none at the end."""
    length: int | None
    """As declared; None for chunks, which `read` has taken apart already."""
    limit: int
    """Bytes that are accepted."""

    def blocks(self) -> Iterator[bytes]:
        """Give the body in full blocks and one last shorter one.

        Raises `BadBody` for a body that cannot be read or ends before its declared length, and
        `BodyTooLarge`.
        """
        total = 0
        while self.length is None or total < self.length:
            wanted = BLOCK if self.length is None else min(BLOCK, self.length - total)
            block = self._exactly(wanted)
            total += len(block)
            if total > self.limit:
                raise BodyTooLarge(f"more than {self.limit} bytes")
            if len(block) < wanted and self.length is not None:
                raise BadBody(f"{total} of {self.length} bytes came")
            if block:
                yield block
            if len(block) < wanted:
                return

    def _exactly(self, size: int) -> bytes:
        block = self._some(size)
        while block and len(block) < size and (more := self._some(size - len(block))):
            block += more
        return block

    def _some(self, size: int) -> bytes:
        try:
            return self.read(size)
        except Exception as error:  # whatever the server's reader raises, the visitor's part broke
            raise BadBody(f"unreadable: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, ready to be sent."""

    method: str
    path: str
    """With the query; sent byte for byte."""
    lines: Sequence[str]
    """`Name: value` of every header but those of framing."""
    body: Body | None = None
    request_id: str = ""
    """For the log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the upstream gave it. Who holds it iterates `body` and closes it (PEP 3333)."""

    status: int
    reason: str
    fields: Fields
    connection: str
    """The Connection header."""
    body: Iterable[bytes]


def relay(
    upstream: Upstream, request: Outgoing, clock: Callable[[], float] = time.monotonic
) -> Answer:
    """Send `request` to an upstream and give its answer.

    Raises a `GateError` while nothing has been passed on; the body's iterator raises
    `UpstreamCut`. Closing it early closes the connection to the upstream as well.
    """
    opening, rest = _opening(request)
    ends = clock() + upstream.limits.total
    server, connection = _connected(upstream, clock, ends)
    try:
        head = _converse(connection, request, opening, rest)
        # A sized body that is here already is the common case, and needs no generator to relay.
        here = head.length is not None and len(connection.buffer) >= head.length
        blocks = iter(()) if here else connection.body(head)
        first = connection.take(head.length or 0) if here else next(blocks, b"")
    except BaseException as error:
        # Of an upload, the visitor may have taken the time.
        slow = request.body is not None and isinstance(error, OutOfTime)
        if isinstance(error, _FAILURES) and connection.sent and not slow:
            server.health.failed(clock(), error.detail)
        server.pool.finish(connection, reusable=False)
        server.health.ended()
        raise
    if server.health.failures:  # spares everybody else the call
        server.health.succeeded()
    if here:
        server.pool.finish(connection, reusable=head.reusable)
        server.health.ended()
        body: Iterable[bytes] = (first,) if first else ()
    else:
        rest = chain((first,), blocks)
        body = stream = _stream(server, connection, rest, head.reusable, request.request_id)
        next(stream)
    return Answer(head.status, head.reason, head.fields, head.connection, body)


def _connected(
    upstream: Upstream, clock: Callable[[], float], ends: float, besides: Server | None = None
) -> tuple[Server, Connection]:
    """A server with a connection to it; where the first cannot be reached, another one."""
    server = upstream.choose(clock(), besides)
    try:
        return server, server.pool.acquire(ends)
    except BaseException as error:
        server.health.ended()
        if isinstance(error, UpstreamUnreachable):
            server.health.unreachable(clock(), error.detail)
            if clock() >= ends:
                raise OutOfTime from error
            if besides is None:
                with suppress(UpstreamDown):
                    return _connected(upstream, clock, ends, server)
        raise


def _opening(request: Outgoing) -> tuple[bytes, Iterator[bytes]]:
    """The head with the body's first block, and the rest of the body framed for the wire."""
    body = request.body
    if body is None:
        return wire.request_head(request.method, request.path, request.lines), iter(())
    if body.length is not None and body.length > body.limit:
        raise BodyTooLarge(f"{body.length} of at most {body.limit} bytes")
    blocks = body.blocks()
    first = next(blocks, b"")
    rest: Iterator[bytes] = iter(())
    if body.length is not None:
        framing, rest = f"Content-Length: {body.length}", blocks
    elif len(first) < BLOCK:  # the whole of it: its length is known after all
        framing = f"Content-Length: {len(first)}"
    else:
        framing, first, rest = "Transfer-Encoding: chunked", wire.chunk(first), _chunks(blocks)
    return wire.request_head(request.method, request.path, (*request.lines, framing)) + first, rest


def _chunks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield from map(wire.chunk, blocks)
    yield wire.LAST_CHUNK


def _converse(
    connection: Connection, request: Outgoing, opening: bytes, rest: Iterator[bytes]
) -> Head:
    try:
        return _exchange(connection, request.method, opening, rest)
    except Silent:
        repeatable = request.body is None and request.method in _REPEATABLE
        if not (connection.reused and repeatable):
            raise
    connection.reopen()
    return _exchange(connection, request.method, opening, rest)


def _exchange(connection: Connection, method: str, opening: bytes, rest: Iterator[bytes]) -> Head:
    try:
        connection.send(opening)
        for data in rest:
            early = connection.upload(data, method)
            if early is not None:
                return early
        connection.sent = True
    except OSError:
        # The upstream hung up on us; it may have said why before it did.
        connection.sent = False
    return connection.read_answer(method)


def _stream(
    server: Server, connection: Connection, blocks: Iterator[bytes], reusable: bool, request_id: str
) -> Iterator[bytes]:
    """The answer's body. Its caller takes one empty block before anything else: only a generator
    that has begun runs its `finally` when it is closed."""
    whole = False
    try:
        yield b""
        yield from blocks
        whole = True
    except (UpstreamInvalid, UpstreamTimeout) as error:
        log.warning("answer cut", code=error.code, detail=error.detail, request_id=request_id)
        raise UpstreamCut(error.detail) from error
    finally:
        server.pool.finish(connection, reusable=whole and reusable)
        server.health.ended()
