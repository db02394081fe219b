"""Thousands of connections on one worker: streams that say something now and then, and visitors who
may come back. They cost little memory and nobody's time."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from select import EPOLLIN, epoll
from typing import Any, Self

import pytest

from tests.gate import HOST, RunningGate
from tests.servers import RawClient, request
from tests.worker.stage import Pages, memory, standing, until, visitors, worker

pytestmark = pytest.mark.server

STREAMS, IDLE = 2000, 3000
KIB = 1024
# The aims of the issue, with room for what a fresh process learns on the way.
A_STREAM, AN_IDLE_ONE = 40 * KIB, 4 * KIB

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n"
EVENT = b"data: something\n\n"


@pytest.fixture(autouse=True, scope="module")
def _files() -> Iterator[None]:
    """This process holds both ends of each stream."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * STREAMS + IDLE
    if soft < wanted:
        if hard < wanted:
            pytest.skip(f"only {hard} files may be open here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Streams:
    """An upstream whose every answer is a stream, in an event loop of its own."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._open: set[asyncio.StreamWriter] = set()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def under_way(self) -> int:
        return len(self._open)

    def tell(self) -> None:
        """Send an event on every stream."""

        async def tell() -> None:
            for writer in self._open:
                writer.write(EVENT)

        asyncio.run_coroutine_threadsafe(tell(), self._loop).result(20)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + EVENT)
        self._open.add(writer)
        try:
            await reader.read()  # up to the hang-up
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _end(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.close()
        while self._open:
            await asyncio.sleep(0.01)


@contextmanager
def connected(gate: RunningGate, count: int, data: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which this was sent."""
    with ExitStack() as stack:
        socks = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((HOST, gate.port), 20))
            sock.sendall(data)
            socks.append(sock)
        yield socks


def all_receive(socks: list[socket.socket], wanted: bytes) -> None:
    """Read all of them until each has had `wanted`; they are read as it comes."""
    waiting = {sock.fileno(): sock for sock in socks}
    read = dict.fromkeys(waiting, b"")
    with epoll() as events:
        for fileno in waiting:
            events.register(fileno, EPOLLIN)
        while waiting:
            ready = events.poll(20)
            assert ready, f"{len(waiting)} are still waiting"
            for fileno, _ in ready:
                block = waiting[fileno].recv(65_536)
                read[fileno] += block
                if wanted in read[fileno] if wanted else not block:
                    events.unregister(fileno)
                    del waiting[fileno]
                assert block or not wanted, f"cut: {read[fileno]!r}"


def all_end(socks: list[socket.socket]) -> None:
    """Read all of them up to their ends."""
    all_receive(socks, b"")


def test_streams_by_the_thousand(tmp_path_factory: pytest.TempPathFactory) -> None:
    routes = [
        {"path": "/", "upstream": "app"},
        {"path": "/streams", "upstream": "streams"},
    ]
    with Streams() as streams, Pages() as pages:
        many = {"url": streams.url, "max_connections": 10_000, "queue_timeout": "30s"}
        more: dict[str, Any] = {"upstreams": {"streams": many}, "routes": routes}
        folder = tmp_path_factory.mktemp("streams") / "gate"
        args = ("--graceful-timeout", "1")
        with standing(folder, pages.url, *args, **more) as gate:
            cookie = gate.sign_in()
            assert gate.ask("/warm", cookie).status == 200
            before = memory(worker(gate))
            data = request("/streams/x", cookie, host=HOST, close=False)
            with connected(gate, STREAMS, data) as socks:
                all_receive(socks, EVENT)
                assert streams.under_way == STREAMS
                assert (memory(worker(gate)) - before) / STREAMS < A_STREAM
                for _ in range(3):
                    streams.tell()
                    assert gate.ask("/meanwhile", cookie).body == b"/meanwhile"
                    assert gate.ask("/_sso/no-such-page", cookie).status == 404
                    all_receive(socks, EVENT)
                assert (memory(worker(gate)) - before) / STREAMS < A_STREAM

                gate.send_signal(signal.SIGTERM)
                all_end(socks)
            assert gate.wait(15) == 0


def test_who_leaves_a_stream_frees_its_place(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A visitor is not missed while nothing is sent; no later than that."""
    folder = tmp_path_factory.mktemp("leaving") / "gate"
    about = {"max_connections": 100}
    with Streams() as streams, standing(folder, streams.url, about=about) as gate:
        cookie = gate.sign_in()
        data = request("/streams/x", cookie, host=HOST, close=False)
        for _ in range(3):
            with connected(gate, 100, data) as socks:
                all_receive(socks, EVENT)

            def nobody_is_left() -> bool:
                streams.tell()
                return not streams.under_way

            until(nobody_is_left)
            assert not visitors(worker(gate), gate.port)


def test_idle_connections_by_the_thousand(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("idle") / "gate"
    with Pages() as pages, standing(folder, pages.url, "--keep-alive", "120") as gate:
        cookie = gate.sign_in()
        data = request("/warm", cookie, host=HOST, close=False)
        with RawClient(gate.port) as client:
            for _ in range(50):
                client.send(data).answer()
        before = memory(worker(gate))
        with connected(gate, IDLE, data) as socks:
            all_receive(socks, b"/warm")
            assert len(visitors(worker(gate), gate.port)) == IDLE
            assert (memory(worker(gate)) - before) / IDLE < AN_IDLE_ONE
            assert gate.ask("/meanwhile", cookie).body == b"/meanwhile"
            assert gate.ask("/_sso/no-such-page", cookie).status == 404
            for sock in socks[::10]:
                sock.sendall(data)
            all_receive(socks[::10], b"/warm")

            gate.send_signal(signal.SIGTERM)
            all_end(socks)
        assert gate.wait(15) == 0
