"""An upstream that takes its time: `python slow.py PORT`. A page after 100 ms, events every few
seconds without end, and a WebSocket that answers; for any number of connections."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
import sys

DELAY = 0.1  # seconds
EVERY = 5.0  # seconds between two events
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
EVENT = b"d\r\ndata: hello\n\n\r\n"
MESSAGE = b"\x81\x02ok"  # RFC 6455, section 5.2: a final text frame of two bytes
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._head, self._is_socket = transport, b"", False
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self._is_socket:
            self._transport.write(MESSAGE)
            return
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        head, self._head = self._head, b""
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/events"):
            self._transport.write(STREAM)
            self._loop.call_later(random.uniform(0, EVERY), self._tell)
        elif path.endswith(b"/socket"):
            self._is_socket = True
            self._transport.write(_accepted(head))
        else:
            self._loop.call_later(DELAY, self._write, PAGE)

    def _tell(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(EVENT)
            self._loop.call_later(EVERY, self._tell)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _accepted(head: bytes) -> bytes:
    """Give the answer that opens a WebSocket (RFC 6455, section 4.2.2)."""
    key = re.search(rb"(?i)\r\nsec-websocket-key: *(\S+)", head)
    digest = hashlib.sha1((key[1] if key else b"") + MAGIC).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
