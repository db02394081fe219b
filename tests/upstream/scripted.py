"""An upstream that does exactly what a test tells it, byte for byte, and counts what comes."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

Step = bytes | Callable[["Talk"], None]
"""Bytes are the answer to one request; a function does as it likes with the connection."""


def ok(body: bytes = b"hello", *lines: str, status: str = "200 OK") -> bytes:
    """A proper answer."""
    head = [f"HTTP/1.1 {status}", "Content-Type: text/plain", *lines]
    head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A proper chunked answer, if `end` is."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + end


@dataclass
class Received:
    """A request as it came: its head, and its body as it was framed."""

    head: bytes
    body: bytes
    framed_bytes: int

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode("latin-1")

    def all(self, name: str) -> list[str]:
        """Every header of this very name, in any case."""
        pairs = [line.decode("latin-1").partition(": ") for line in self.head.split(b"\r\n")[1:]]
        return [value for known, _, value in pairs if known.lower() == name.lower()]


class Talk:
    """One connection, from the upstream's side."""

    def __init__(self, sock: socket.socket, seen: list[Received]) -> None:
        self.sock, self._seen = sock, seen
        self._buffer = b""

    def read_head(self) -> bytes:
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def read_request(self, *, keep_body: bool = True) -> Received:
        """Read one whole request. Raises EOFError."""
        found = Received(self.read_head(), b"", 0)
        pieces = self._chunks() if found.all("Transfer-Encoding") else self._sized(found)
        for piece in pieces:
            found.framed_bytes += len(piece)
            found.body += piece if keep_body else b""
        self._seen.append(found)
        return found

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def wait_for_hang_up(self) -> None:
        """Wait, reading nothing, until the other side is gone."""
        listener = select.poll()
        listener.register(self.sock, select.POLLRDHUP)
        assert listener.poll(5000)

    def _sized(self, found: Received) -> Iterator[bytes]:
        left = int((found.all("Content-Length") or ["0"])[0])
        while left:
            if not self._buffer:
                self._more()
            piece, self._buffer = self._buffer[:left], self._buffer[left:]
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line(), 16):
            while len(self._buffer) < size + 2:
                self._more()
            yield self._buffer[:size]
            self._buffer = self._buffer[size + 2 :]
        assert self._line() == b""

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _more(self) -> None:
        block = self.sock.recv(262144)
        if not block:
            raise EOFError
        self._buffer += block


@dataclass
class Scripted:
    """Listens on a free port. The first connections follow `scripts`, one each: a step for every
    request, then a hang-up. Later connections answer everything with `otherwise`."""

    scripts: Iterable[Iterable[Step]] = ()
    otherwise: bytes | None = field(default_factory=ok)
    unix_path: str = ""
    at: int = 0
    """A port of its own: where one was that has been ended."""
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        family = socket.AF_UNIX if self.unix_path else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self.unix_path or ("127.0.0.1", self.at))
        self._listener.listen(64)
        self._scripts = iter(self.scripts)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def script_next(self, steps: Iterable[Step]) -> None:
        """Give the next connection a script."""
        self._scripts = iter([steps])

    def wait_for_end_of(self, connection: int) -> None:
        """Wait until the script of a connection (from 0) is over and its socket closed."""
        self._threads[connection + 1].join(5)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        if self.unix_path:
            return f"http+unix:{self.unix_path}"
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                script = next(self._scripts, None)
                thread = threading.Thread(target=self._serve, args=(sock, script), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket, script: Iterable[Step] | None) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock:
                talk = Talk(sock, self.requests)
                for step in self._steps(script):
                    if isinstance(step, bytes):
                        talk.read_request()
                        talk.send(step)
                    else:
                        step(talk)

    def _steps(self, script: Iterable[Step] | None) -> Iterator[Step]:
        if script is not None:
            yield from script
            return
        while self.otherwise is not None:
            yield self.otherwise
