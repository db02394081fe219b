"""Thousands of connections that do next to nothing, held open at one worker of the gate.

Strategy: each round has a gate of its own, so that its memory grows from the same start. What is
held lives in processes of its own; at the end every connection must still answer.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

from gates import HOST
from measuring import Work, family, wrk

from peers.servers import EVENTS, PAGE, SLOW, SOCKET, Place, Running, gate
from peers.slow import EVERY

AT_ONCE = 100  # connections that are opened, or asked, together
PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    count: int
    request: str
    """Its path, with further header lines after it."""
    again: bytes | None = None
    """What is sent to see whether it lives; None for the request, once more."""
    aim: float | None = None
    """KiB of the worker's memory for each, at most."""


KINDS = (
    Kind("idle kept-alive connections", 10_000, PAGE, aim=4),
    Kind("Server-Sent-Event streams", 2000, EVENTS, again=b"", aim=40),
    Kind(
        "WebSockets",
        1000,
        f"{SOCKET}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://{HOST}\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        again=b"\x81\x82\0\0\0\0hi",
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    held: list[int]
    """How many of each kind answered at the end."""
    kib: list[float]
    """What each connection of a kind added to the worker's memory."""
    alone: float
    """The 99th percentile of ordinary traffic in milliseconds, before."""
    beside: float
    """The same, beside all of them."""


def open_files() -> int:
    """Allow this process, and all that it starts, as many open files as may be; give how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def hold(place: Place, seconds: int) -> Found:
    """Hold all kinds at one gate, together."""
    with ExitStack() as held:
        server = held.enter_context(gate(place, more=(SLOW, EVENTS, SOCKET)))
        load = ["-H", f"Cookie: {server.cookies[0]}"]
        work = Work("ordinary traffic", f"http://127.0.0.1:{server.port}{PAGE}", server.pid, load)
        seconds = max(seconds, round(EVERY))  # every stream has its event meanwhile
        wrk(work, seconds)  # it warms up
        alone, kib, asks = wrk(work, seconds).p99, [], []
        before = _memory(server.pid)
        for kind in KINDS:
            asks.append(held.enter_context(_held(server, kind)))
            time.sleep(0.5)
            now = _memory(server.pid)
            kib.append((now - before) / kind.count)
            before = now
        beside = wrk(work, seconds).p99
        return Found([ask() for ask in asks], kib, alone, beside)


def _memory(pid: int) -> int:
    """KiB of memory that a process and all below it have (proc_pid_status(5))."""
    texts = [Path(f"/proc/{each}/status").read_text() for each in family(pid)]
    return sum(int(text.partition("VmRSS:")[2].split()[0]) for text in texts)


@contextmanager
def _held(server: Running, kind: Kind) -> Iterator[Callable[[], int]]:
    """Open connections in a process of its own; give what counts those that live."""
    path, _, headers = kind.request.partition("\r\n")
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", f"Cookie: {server.cookies[0]}"]
    request = "\r\n".join([*lines, *([headers] if headers else []), "", ""]).encode()
    again = request if kind.again is None else kind.again
    mine, theirs = Pipe()
    process = Process(target=_hold, args=(server.port, kind.count, request, again, theirs))
    process.start()

    def ask() -> int:
        mine.send("count")
        return int(mine.recv())

    try:
        mine.recv()
        yield ask
    finally:
        process.terminate()
        process.join()


def _hold(port: int, count: int, request: bytes, again: bytes, told: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        visitors: list[_Visitor] = []
        while len(visitors) < count:
            some = [_Visitor() for _ in range(min(AT_ONCE, count - len(visitors)))]
            visitors += some
            with suppress(OSError):
                for visitor in some:
                    await loop.create_connection(lambda it=visitor: it, "127.0.0.1", port)  # type: ignore[misc]
            await _answered(some, request)
        told.send("open")
        while await loop.run_in_executor(None, told.recv):
            for visitor in visitors:
                visitor.answered = asyncio.Event()
            for start in range(0, count, AT_ONCE):
                await _answered(visitors[start : start + AT_ONCE], again)
            told.send(sum(it.is_open and it.answered.is_set() for it in visitors))

    asyncio.run(run())


async def _answered(visitors: list[_Visitor], request: bytes) -> None:
    for visitor in visitors:
        visitor.ask(request)
    waits = [visitor.answered.wait() for visitor in visitors if visitor.is_open]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*waits), PATIENCE + EVERY)


class _Visitor(asyncio.Protocol):
    """A connection that is open as long as all that it is told is what it wanted."""

    def __init__(self) -> None:
        self.is_open, self.answered, self._is_new = False, asyncio.Event(), True

    def ask(self, request: bytes) -> None:
        if self.is_open:
            self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.is_open = transport, True

    def data_received(self, data: bytes) -> None:
        if self._is_new and not data.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 101 ")):
            self._transport.abort()
        self._is_new = False
        self.answered.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self.answered.set()
