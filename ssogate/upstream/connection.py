"""One connection to an upstream: sends requests, reads answers, and knows whether it is clean.

Strategy: a blocking socket with a timeout and one bytes buffer. The first receive mostly brings a
whole small answer; a long body is received in blocks that never reach beyond its end, so what
an upstream sends on top of it stays in the socket, where the next check finds it.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from ssogate.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from ssogate.upstream import wire
from ssogate.upstream.wire import Head

BLOCK = 65536  # bytes; what a body is moved in, and all that one relay holds of it
MAX_INTERIM = 8  # 1xx answers before the real one; a few Early Hints are the most that is seen

_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Silent(UpstreamUnreachable):
    """The upstream hung up before it sent a single byte of an answer."""


class OutOfTime(UpstreamTimeout):
    """The request as a whole took too long, whoever was slow."""

    def __init__(self) -> None:
        super().__init__("the request takes longer than total_timeout")


class Connection:
    """A socket with what has been received and not yet used. One thread at a time uses it."""

    __slots__ = (
        "_dial",
        "_heard",
        "_interim",
        "_listener",
        "_sock",
        "buffer",
        "ends",
        "idle_since",
        "read_timeout",
        "sent",
        "write_timeout",
    )

    def __init__(
        self, dial: Callable[[], socket.socket], *, read_timeout: float, write_timeout: float
    ) -> None:
        self._dial = dial
        self.read_timeout, self.write_timeout = read_timeout, write_timeout
        self.ends = math.inf
        """Monotonic seconds after which the request is out of time."""
        self._open()

    def _open(self) -> None:
        self._sock = self._dial()
        self._listener = select.poll()
        self._listener.register(self._sock, _READABLE)
        self.buffer = b""
        self.sent = True
        """Whether the last request went out whole."""
        self.idle_since: float | None = None
        """When it was last put aside; None before its first answer."""
        self._heard = False  # whether any byte came since the last request began
        self._interim = 0  # answers of that kind since then

    def reopen(self) -> None:
        """Start afresh in place of a connection that turned out dead.

        Raises `UpstreamUnreachable`.
        """
        self.close()
        self._open()

    @property
    def reused(self) -> bool:
        return self.idle_since is not None

    @property
    def clean(self) -> bool:
        """Whether nothing of the last exchange is left on this side of the wire."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return False
        return self.sent and not self.buffer

    def quiet(self) -> bool:
        """Whether the wire is silent. On an idle connection any news is bad: a hang-up, or bytes
        that would be taken for the answer to the next visitor's request."""
        return not self._listener.poll(0)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()

    # --- Sending ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send a head, with a small body behind it.

        Raises `UpstreamTimeout` (`OutOfTime` from any function here), and `OSError` when the
        upstream hung up.
        """
        self.sent = self._heard = False
        self._interim = 0
        self._within(self.write_timeout)
        try:
            self._sock.sendall(data)
        except TimeoutError as error:
            raise self._late("the upstream does not take the request") from error

    def upload(self, data: bytes, method: str) -> Head | None:
        """Send a block of a long body, or give the head of the answer that comes too early.

        An upstream that refuses an upload often answers at once and reads no further, so before
        each send the wire is listened to. Raises like `send` and `read_head`.
        """
        both = select.poll()
        both.register(self._sock, _READABLE | select.POLLOUT)
        rest = memoryview(data)
        while rest:
            events = both.poll(self._bounded(self.write_timeout) * 1000)
            if not events:
                raise self._late("the upstream does not take the request's body")
            if events[0][1] & _READABLE and self._news():
                if head := self._early_answer(method):
                    return head
            elif events[0][1] & select.POLLOUT:
                rest = rest[self._send_some(rest) :]
        return None

    def _early_answer(self, method: str) -> Head | None:
        head = self.read_head(method)
        while head.status < 200 and self.buffer:
            head = self.read_head(method)
        return head if head.status >= 200 else None

    def _send_some(self, data: memoryview) -> int:
        # Without a timeout: a blocking send would wait for room for the whole block, deaf to an
        # answer that the upstream sends instead of reading.
        self._within(0)
        try:
            return self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def _news(self) -> bool:
        """Whether a readable wire brought bytes or a hang-up, and not just TLS's own messages."""
        self._within(0)
        try:
            data = self._sock.recv(BLOCK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self.buffer += data
        self._heard = self._heard or bool(data)
        return True

    # --- Receiving --------------------------------------------------------------------------

    def read_answer(self, method: str) -> Head:
        """Read the head of the answer to a request of `method`; interim answers are skipped.

        Raises `Silent`, `UpstreamInvalid` and `UpstreamTimeout`.
        """
        while (head := self.read_head(method)).status < 200:
            pass
        return head

    def read_head(self, method: str) -> Head:
        """Read one head, be it of an interim answer (RFC 9110, section 15.2). A head may take
        `read_timeout` in all."""
        data = self.buffer or self._first_bytes()
        end = wire.find_head_end(data)
        if not end:
            data, end = self._rest_of_head(data)
        self.buffer = data[end:]
        head = wire.parse_head(data[:end], method)
        if head.status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise UpstreamInvalid("the upstream sent interim answers without end")
        return head

    def _first_bytes(self) -> bytes:
        try:
            data = self._receive(BLOCK) or _cut("before it began")
        except UpstreamInvalid as error:
            if self._heard:
                raise
            raise Silent(error.detail) from error
        self._heard = True
        return data

    def _rest_of_head(self, data: bytes) -> tuple[bytes, int]:
        deadline = time.monotonic() + self.read_timeout
        end = 0
        while not end:
            searched = len(data)
            more = self._receive(BLOCK, deadline - time.monotonic())
            data += more or _cut("in the middle of a head")
            end = wire.find_head_end(data, searched)
        return data, end

    def take(self, size: int) -> bytes:
        """Give `size` bytes that have been received already."""
        data = self.buffer
        self.buffer = data[size:]
        return data[:size]

    def body(self, head: Head) -> Iterator[bytes]:
        """Give the blocks of an answer's body; it ends when, and only when, the body is whole.

        Raises `UpstreamInvalid` for malformed chunks and for a body that was cut short, and
        `UpstreamTimeout` when nothing comes for `read_timeout`.
        """
        if head.chunked:
            return self._chunked_body()
        return self._closing_body() if head.length is None else self._sized_body(head.length)

    def _sized_body(self, length: int) -> Iterator[bytes]:
        while length:
            if self.buffer:
                block = self.take(length)
            else:
                block = self._receive(min(BLOCK, length)) or _cut(f"{length} bytes too early")
            length -= len(block)
            yield block

    def _closing_body(self) -> Iterator[bytes]:
        # RFC 9112, section 6.3, rule 8: an orderly end is all that says that this was the whole.
        block, self.buffer = self.buffer, b""
        while block := block or self._receive(BLOCK):
            yield block
            block = b""

    def _chunked_body(self) -> Iterator[bytes]:
        chunks = wire.Chunks()
        block, self.buffer = self.buffer, b""
        while True:
            if data := chunks.feed(block):
                yield data
            if chunks.ended:
                self.buffer = chunks.rest
                return
            block = self._receive(BLOCK) or _cut("between two chunks")

    def _receive(self, size: int, timeout: float | None = None) -> bytes:
        self._within(self.read_timeout if timeout is None else max(timeout, 0.001))
        try:
            return self._sock.recv(size)
        except TimeoutError as error:
            raise self._late("the upstream does not answer") from error
        except OSError as error:
            raise UpstreamInvalid(f"the upstream broke the connection: {error}") from error

    def _bounded(self, timeout: float) -> float:
        """Give no more than the time that is left. Raises `OutOfTime`."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return min(timeout, left)

    def _late(self, what: str) -> UpstreamTimeout:
        return OutOfTime() if time.monotonic() >= self.ends else UpstreamTimeout(what)

    def _within(self, timeout: float) -> None:
        timeout = self._bounded(timeout)
        if self._sock.gettimeout() != timeout:
            self._sock.settimeout(timeout)


def _cut(where: str) -> NoReturn:
    raise UpstreamInvalid(f"the upstream's answer was cut short {where}")
