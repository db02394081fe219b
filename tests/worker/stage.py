"""The gate's worker as tests meet it: a real gate, an upstream with pages that a test writes, and
what the kernel tells of the processes: who they are, what they hold, who is connected to them."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count, repeat
from pathlib import Path
from typing import Any, Self

from tests.gate import HOST, RunningGate, site
from tests.servers import Gunicorn, RawClient, request
from tests.upstream.scripted import Received, Scripted, Talk, ok

MIB = 2**20
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what waits, and tells so

numbers = count()

Page = bytes | Callable[[Talk], None]
"""Bytes answer a request that was read whole; a function reads it by itself."""


class Pages:
    """An upstream that answers by path, and tells the path where no page is written."""

    def __init__(self) -> None:
        self.at: dict[str, Page] = {}
        self.server = Scripted(scripts=repeat(repeat(self._answer)))

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self.server.__exit__(*how)

    @property
    def url(self) -> str:
        return self.server.url

    def seen(self, path: str) -> list[Received]:
        """The whole requests for a path, or for what is below it, so far."""
        lines = [(it.line.split(" ")[1], it) for it in list(self.server.requests)]
        return [it for target, it in lines if target == path or target.startswith(f"{path}/")]

    def _answer(self, talk: Talk) -> None:
        head = talk.read_head()
        path = head.split(b" ")[1].decode("latin-1").partition("?")[0]
        talk._buffer = head + b"\r\n\r\n" + talk._buffer  # for the page to read once more
        page = self.at.get(path, ok(path.encode()))
        if isinstance(page, bytes):
            talk.read_request()
            talk.send(page)
        else:
            page(talk)


@contextmanager
def standing(
    folder: Path,
    upstream: str,
    *args: str,
    about: Mapping[str, Any] | None = None,
    upstreams: Mapping[str, Any] | None = None,
    **more: Any,
) -> Iterator[RunningGate]:
    """A gate of one worker with two threads, unless `args` say otherwise. `about` are settings of
    its upstream `app`, `upstreams` are others."""
    app = {"url": upstream, "read_timeout": "3s", **(about or {})}
    written = site(folder, upstream, upstreams={"app": app, **(upstreams or {})}, **more)
    usual = ("--workers", "1", "--threads", "2", "--keep-alive", "30", "--graceful-timeout", "10")
    with RunningGate(written, *usual, *args) as gate:
        yield gate
        assert not re.search("a bug in the lane|Traceback", gate.log()), gate.log()


# --- Requests ------------------------------------------------------------------------------------

Write = Callable[[Page], str]
"""Writes a page; gives its path."""


def asked(path: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request on a connection that goes on."""
    return request(path, *lines, method=method, host=HOST, body=body, close=False)


def is_unharmed(client: RawClient, cookie: str) -> bool:
    """Whether the next request on a connection gets an answer of its own."""
    path = f"/canary{next(numbers)}"
    found = client.send(asked(path, cookie)).answer()
    return (found.status, found.body) == (200, path.encode())


# --- Pages ---------------------------------------------------------------------------------------


def hanging_up(data: bytes) -> Page:
    """An answer that ends with the connection."""

    def answer(talk: Talk) -> None:
        talk.read_request()
        talk.send(data)
        raise EOFError

    return answer


def hanging(talk: Talk) -> None:
    """No answer at all, on a connection that stays."""
    talk.read_request()
    talk.wait_for_hang_up()
    raise EOFError


def resetting(data: bytes) -> Page:
    """Bytes, and then a reset."""

    def answer(talk: Talk) -> None:
        talk.read_request()
        talk.send(data)
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        raise EOFError

    return answer


# --- Processes -----------------------------------------------------------------------------------


def until(true: Callable[[], object], what: str = "it never came to be") -> None:
    """Wait for something that comes soon, if it comes at all."""
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def access_lines(server: Gunicorn) -> list[dict[str, Any]]:
    """The lines of the access log so far."""
    lines = [line for line in server.log().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if "us" in line]


def workers(server: Gunicorn) -> list[int]:
    """The ids of the worker processes."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def worker(server: Gunicorn) -> int:
    """The id of the only one."""
    (pid,) = workers(server)
    return pid


def memory(pid: int, kind: str = "VmRSS") -> int:
    """Bytes that a process holds now (VmRSS), or held at most (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{kind}:")]
    return int(line.split()[1]) * 1024


def visitors(pid: int, port: int) -> set[int]:
    """The ports from which visitors are connected to a worker that listens at `port`."""
    held = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held.add(os.readlink(file))
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, _, _, _, _, inode, *_ = line.split()
        if f"socket:[{inode}]" in held and int(local.partition(":")[2], 16) == port:
            found.add(int(remote.partition(":")[2], 16))
    found.discard(0)  # that which listens
    return found


def own_port(client: RawClient) -> int:
    """The port from which a client is connected."""
    return int(client._socket.getsockname()[1])


def patient(port: int, *, takes: int) -> socket.socket:
    """Connect with a receive buffer of so many bytes."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", port))
    return sock
