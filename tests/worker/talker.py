"""A WebSocket application in a process of its own, on the library `websockets`: what it does is the
last part of the path, what it notices it prints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.typing import Subprotocol

MIB = 2**20


async def echo(connection: ServerConnection) -> None:
    """Give back what is said."""
    async for message in connection:
        await connection.send(message)


async def told(connection: ServerConnection) -> None:
    """Give the headers of the handshake."""
    assert connection.request
    await connection.send(json.dumps(list(connection.request.headers.raw_items())))


async def hangs(connection: ServerConnection) -> None:
    """Close in the manner that is asked for."""
    code, _, reason = str(await connection.recv()).partition(" ")
    await connection.close(int(code), reason)


async def pings(connection: ServerConnection) -> None:
    """Ping, and tell of the pong."""
    waiter = await connection.ping(b"are you there")
    await waiter
    await connection.send("it is there")
    await connection.wait_closed()


async def pours(connection: ServerConnection) -> None:
    """Talk without end."""
    for number in range(1, 1_000_000):
        await connection.send(bytes(MIB))
        print(f"poured {number}", flush=True)


async def deaf(connection: ServerConnection) -> None:
    """Listen to nothing."""
    await asyncio.sleep(600)


TALKS: Mapping[str, Callable[[ServerConnection], Awaitable[None]]] = {
    talk.__name__: talk for talk in (echo, told, hangs, pings, pours, deaf)
}


async def converse(connection: ServerConnection) -> None:
    assert connection.request
    path = connection.request.path.partition("?")[0]
    with suppress(ConnectionClosed):
        await TALKS[path.rpartition("/")[2]](connection)
    await connection.wait_closed()
    print(f"closed {path} {connection.close_code} {connection.close_reason}", flush=True)


def note(connection: ServerConnection, request: Request) -> None:
    print(f"asked {request.path}", flush=True)


def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((name for name in offered if name.startswith("chat.")), None)


async def main() -> None:
    server = serve(
        converse, "127.0.0.1", 0, process_request=note, select_subprotocol=choose, max_size=None
    )
    async with server as listening:
        print(f"listening at {listening.sockets[0].getsockname()[1]}", flush=True)
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
