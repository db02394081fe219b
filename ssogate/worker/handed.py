"""A connection on its way through a thread: gunicorn's own, opened by what the loop has read."""

from __future__ import annotations

from socket import socket
from typing import Any

from gunicorn import http
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from ssogate.errors import GateError

PATIENCE = 60  # seconds that a thread waits for a visitor to send or to take something


class ReadAhead(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """Gives what was read already before it reads on, in pieces as a socket would: gunicorn's
    limits count what it has to wait for."""

    def __init__(self, sock: socket, data: bytes) -> None:
        super().__init__(sock)
        self.ahead = data

    def chunk(self, size_hint: int | None = None) -> bytes:
        if not self.ahead:
            return bytes(super().chunk(size_hint))
        piece, self.ahead = self.ahead[: self.mxchunk], self.ahead[self.mxchunk :]
        return piece

    def rest(self) -> bytes:
        """Take what nobody has used."""
        return bytes(self.take_buffered()) + self.ahead


class Handed(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection that a thread serves one request of. `ends` are the
    visitor's address and the server's; `failure` is what the lane could not do."""

    def __init__(
        self,
        cfg: Any,
        sock: socket,
        ends: tuple[object, object],
        data: bytes,
        failure: GateError | None,
    ) -> None:
        super().__init__(cfg, sock, *ends)
        self.failure = failure
        self.parser = http.get_parser(cfg, sock, self.client)
        self.parser.unreader = ReadAhead(sock, data)
        self.data_ready = True

    def init(self) -> None:
        """The socket is set up already; gunicorn has just made it wait for ever."""
        self.sock.settimeout(PATIENCE)
