"""A page with a clock and an echo that come by WebSockets, for whoever the gate lets in.

`python app.py 8002` serves it on 127.0.0.1. It believes the header by which the gate says who is
signed in, so nobody else may reach it.
"""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from pathlib import Path
from time import strftime

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PAGE = (Path(__file__).parent / "page.html").read_text("utf-8")


def page(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what is no WebSocket; None goes on with the handshake."""
    if request.path == "/live":
        return None
    if request.path != "/":
        return connection.respond(HTTPStatus.NOT_FOUND, "There is no such page.\n")
    response = connection.respond(HTTPStatus.OK, PAGE)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    return response


async def live(connection: ServerConnection) -> None:
    """Say who is here, then what the time is; give back what is said."""
    request = connection.request
    user = request.headers.get("X-Remote-User") if request else None
    await connection.send(f"hello {user or 'stranger'}")
    clock = asyncio.create_task(tick(connection))
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass  # without a word, as when somebody signs out
    finally:
        clock.cancel()


async def tick(connection: ServerConnection) -> None:
    while True:
        await connection.send(strftime("%H:%M:%S").encode())
        await asyncio.sleep(1)


async def main(port: int) -> None:
    async with serve(live, "127.0.0.1", port, process_request=page) as server:
        print(f"listening at {port or server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
