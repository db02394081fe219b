"""Real servers and raw bytes for tests that no HTTP library may clean up first.

`Gunicorn` runs a real server process on a free port and ends its whole process group at exit.
`RawClient`, `raw` and `ask` send bytes exactly as they are given and read answers leniently, so
that a test sees what was sent and not what a library made of it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

GONE = (ConnectionResetError, BrokenPipeError)
"""The server refused before it had read all: its answer may still be there."""

PROJECT = Path(__file__).resolve().parent.parent
CONF = "python:ssogate.worker.gunicorn_conf"

_LISTENING = re.compile(r"Listening at: \S*?:(\d+) \(\d+\)")
# What would change a server behind the test's back.
_NOT_INHERITED = ("GUNICORN_", "SSOGATE_", "FORWARDED_ALLOW_IPS", "WEB_CONCURRENCY", "PORT")


# --- Raw HTTP ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read leniently. `complete` is false when the server cut it short."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool

    def header(self, name: str) -> str | None:
        """The first header of this name, or None."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        """Every header of this name, in order."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def held(folder: Path) -> bytes:
    """What the files of a folder hold, read by another process.

    Never read a database of this process by `open`: closing the file drops the locks that SQLite
    has on it (POSIX), and another process may then take its WAL away.
    """
    files = [file for file in folder.iterdir() if file.is_file()]
    return subprocess.run(["cat", "--", *files], capture_output=True, check=True).stdout


def request(
    target: str | bytes = "/",
    *lines: str | bytes,
    method: str = "GET",
    host: str | None = "app.example",
    body: bytes = b"",
    close: bool = True,
) -> bytes:
    """The bytes of a request. `lines` are header lines without their line ends, sent as given.

    Text is sent as Latin-1. A body gets its Content-Length unless a line frames it already.
    """
    head = [method.encode() + b" " + _bytes(target) + b" HTTP/1.1"]
    head += [] if host is None else [b"Host: " + _bytes(host)]
    head += [_bytes(line) for line in lines]
    framed = any(line.lower().startswith((b"content-length", b"transfer-enc")) for line in head)
    head += [b"Content-Length: %d" % len(body)] if body and not framed else []
    head += [b"Connection: close"] if close else []
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def answers(data: bytes, *, to_head: bool = False) -> list[Answer]:
    """Every answer in `data`, one after the other; the last may be incomplete."""
    found = []
    while data:
        answer, data = _take(data, to_head=to_head)
        if answer.status >= 200:
            found.append(answer)
    return found


class RawClient:
    """One connection. Bytes go out as they are; `answer` reads one whole answer."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout: float = 5) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._read = b""
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> Self:
        self._socket.sendall(data)
        return self

    def finish(self) -> Self:
        """Say that nothing more will be sent (half close)."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer that is not interim. Raises TimeoutError, or EOFError if none comes."""
        while True:
            answer, rest = _take(self._read, to_head=to_head, more=not self._ended)
            if not answer.complete and self._more():
                continue
            if not self._read:
                raise EOFError("the server closed the connection without an answer")
            self._read = rest
            if answer.status >= 200:
                return answer

    def rest(self) -> bytes:
        """Everything up to the close. Raises TimeoutError when the server keeps it open."""
        while self._more():
            pass
        data, self._read = self._read, b""
        return data

    def is_closed(self, within: float = 1) -> bool:
        """Whether the server closes the connection, having sent nothing more, in time."""
        before = self._socket.gettimeout()
        self._socket.settimeout(within)
        try:
            return not self._read and not self._more()
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(before)

    def _more(self) -> bool:
        try:
            block = self._socket.recv(65536)
        except GONE:
            block = b""
        self._read += block
        self._ended = self._ended or not block
        return bool(block)


def raw(port: int, data: bytes, *, timeout: float = 5, quiet: float = 0.3) -> bytes:
    """Send `data`, and return all that comes back until the close or `quiet` seconds of silence."""
    with RawClient(port, timeout=timeout) as client:
        with suppress(*GONE):
            client.send(data)
        deadline = time.monotonic() + timeout
        client._socket.settimeout(timeout)
        with suppress(TimeoutError):
            while client._more() and time.monotonic() < deadline:
                client._socket.settimeout(quiet)
        return client._read


def ask(port: int, data: bytes, *, timeout: float = 5) -> Answer:
    """Send `data` on a new connection and return the first answer."""
    with RawClient(port, timeout=timeout) as client:
        with suppress(*GONE):
            client.send(data)
        return client.answer(to_head=data.startswith(b"HEAD "))


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _take(data: bytes, *, to_head: bool = False, more: bool = False) -> tuple[Answer, bytes]:
    """The first answer of `data` and what follows it. `more`: the connection is still open."""
    head, mark, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.[01] (\d{3})(?: (.*))?", first)
    pairs = [line.partition(":") for line in lines]
    headers = tuple((name, value.strip(" \t")) for name, _, value in pairs)
    if not mark or not found:
        return Answer(999, first, headers, rest, False), b""
    status, known = int(found[1]), {name.lower(): value for name, value in headers}
    if to_head or status < 200 or status in (204, 304):
        body, complete = b"", True
    elif known.get("transfer-encoding", "").lower() == "chunked":
        body, complete, rest = _dechunk(rest)
    elif known.get("content-length", "").isdigit():
        length = int(known["content-length"])
        body, complete, rest = rest[:length], len(rest) >= length, rest[length:]
    else:
        body, complete, rest = rest, not more, b""
    return Answer(status, found[2] or "", headers, body, complete), rest


def _dechunk(data: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while True:
        size_line, mark, data = data.partition(b"\r\n")
        try:
            size = int(size_line.partition(b";")[0], 16)
        except ValueError:
            return body, False, b""
        if not mark or len(data) < size + 2:
            return body + data[:size], False, b""
        if size == 0:
            _, mark, rest = (b"\r\n" + data).partition(b"\r\n\r\n")
            return body, bool(mark), rest
        body, data = body + data[:size], data[size + 2 :]


# --- Real processes ----------------------------------------------------------------------------


class ServerDied(Exception):
    """The server ended instead of serving: `status` is its exit status, `log` all that it said."""

    def __init__(self, status: int, log: str) -> None:
        super().__init__(f"the server ended with status {status}:\n{log}")
        self.status = status
        self.log = log


class Process:
    """A real process in a group of its own, its output in a file, ended whole at exit."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = PROJECT
    ) -> None:
        self.command = list(command)
        self._env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)},
            "PYTHONPATH": os.pathsep.join([str(PROJECT), str(cwd)]),
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        self._cwd = cwd
        self._kept: str | None = None
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._out = tempfile.NamedTemporaryFile(prefix="server-", suffix=".log", delete=False)
        self.log_file = Path(self._out.name)
        self._process = subprocess.Popen(
            self.command,
            env=self._env,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self.wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:  # pytest shows it beside the failure
            print(f"--- {' '.join(self.command)}\n{self.log()}")
        self._end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """All that the process and its children have written so far, both streams."""
        return self._kept or self.log_file.read_text("utf-8", "replace")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself (for gunicorn: the arbiter)."""
        self._process.send_signal(number)

    def wait(self, timeout: float = 10) -> int:
        """Wait for the end and return the exit status."""
        return self._process.wait(timeout)

    def until(self, pattern: str, timeout: float = 15) -> re.Match[str]:
        """Wait for a line in the log. Raises ServerDied, or TimeoutError with the log."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = self._process.poll()
            if found := re.search(pattern, self.log()):
                return found
            if ended is not None:
                raise ServerDied(ended, self.log())
            time.sleep(0.02)
        raise TimeoutError(f"no {pattern!r} in {timeout} s:\n{self.log()}")

    def wait_until_ready(self) -> None:
        """For subclasses: return when the process serves."""

    def _end(self) -> None:
        self._signal_group(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._signal_group(signal.SIGKILL)  # also children that outlived their parent
        self._process.wait(5)
        self._out.close()
        self._kept = self.log()
        self.log_file.unlink()

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Gunicorn(Process):
    """`python -m gunicorn` on a free port of 127.0.0.1: `with Gunicorn("pkg.mod:app") as server`.

    `app` may be None when the configuration names it. `conf` is what `-c` takes. The log must
    hold gunicorn's "Listening at" line, so let `errorlog` stay "-" and `loglevel` "info".
    """

    port: int

    def __init__(
        self,
        app: str | None = None,
        *args: str,
        conf: str | Path = CONF,
        env: Mapping[str, str] | None = None,
        cwd: Path = PROJECT,
        bind: str | None = "127.0.0.1:0",
    ) -> None:
        command = [sys.executable, "-m", "gunicorn", "-c", str(conf)]
        command += ["--bind", bind] if bind else []
        super().__init__([*command, *args, *([app] if app else [])], env=env, cwd=cwd)

    def wait_until_ready(self) -> None:
        """A worker runs when it closes a connection that we half closed: no app sees that."""
        self.port = int(self.until(_LISTENING.pattern)[1])
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                with RawClient(self.port, timeout=0.5) as probe:
                    probe.finish().rest()
                    return
            except (TimeoutError, ConnectionRefusedError):
                ended = self._process.poll()
                if ended is not None:
                    raise ServerDied(ended, self.log()) from None
        raise TimeoutError(f"no worker accepts:\n{self.log()}")

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"
