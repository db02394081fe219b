"""A child process that may take so much time, memory and room, and is gone afterwards.

It has a session of its own, which is killed whole, whatever comes of it; the limits are set from
outside, before it reads its request, since a threaded server cannot safely run Python between fork
and exec. They hold what is broken or clumsy. They are no prison for a program that is written to
break out: the gate's own user must be one that may do little. Linux only.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from select import PIPE_BUF
from typing import IO, cast

from ssogate.crypto.cpus import on_any_cpu

MOST_ANSWERS = 2**20  # bytes; what is more is dropped, and so are these
MOST_OUTPUT = 2**16
MOST_WRITTEN = 2**20  # bytes of any file: enough for a client's jar of cookies
MOST_OPEN = 64
OWN_MEMORY = 2**29  # bytes of address space, for what a program maps before it does anything


@dataclass(frozen=True, slots=True)
class Heard:
    """What a child said, as far as it was read, and how it ended."""

    answers: bytes = field(repr=False)
    output: bytes = field(repr=False)
    errors: bytes = field(repr=False)
    ended: str
    """In words, for the log."""
    in_time: bool


def run(
    command: Sequence[str], request: bytes, *, folder: Path, seconds: float, memory: int
) -> Heard:
    """Run a command in `folder` with `request` as its standard input, and wait for its end, for
    `seconds` at most. It may take `memory` bytes besides what it needs to start. It answers on a
    pipe whose number is its last argument. Raises OSError if it cannot be started."""
    until = time.monotonic() + seconds
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as answers:
        try:
            child = _started([*command, str(writing)], writing, folder)
        finally:
            os.close(writing)
        with child:
            try:
                # Descriptors are counted by their numbers, and the pipe's may be a high one.
                _limit(child.pid, seconds, memory, files=writing + MOST_OPEN)
                said, in_time = _listened(child, answers, request, until)
            finally:
                _kill(child.pid)
    status = child.returncode
    ended = f"exit status {status}" if status >= 0 else f"killed by signal {-status}"
    return Heard(*said, ended=ended if in_time else "took too long", in_time=in_time)


def _started(command: Sequence[str], answers: int, folder: Path) -> subprocess.Popen[bytes]:
    with on_any_cpu():  # a child has the CPUs of who starts it
        return subprocess.Popen(  # noqa: S603 - no shell, and the command is the operator's
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            pass_fds=(answers,),
            start_new_session=True,
            umask=0o077,
        )


def _limit(pid: int, seconds: float, memory: int, *, files: int) -> None:
    """RLIMIT_NPROC is not among them: it does not bind root, it counts all processes of a user, and
    PHP's curl asks for names in a thread."""
    limits = {
        resource.RLIMIT_CPU: ceil(seconds) + 1,
        resource.RLIMIT_AS: OWN_MEMORY + memory,
        resource.RLIMIT_FSIZE: MOST_WRITTEN,
        resource.RLIMIT_NOFILE: files,
        resource.RLIMIT_CORE: 0,
    }
    with suppress(ProcessLookupError):  # it has ended already
        for what, most in limits.items():
            _, hard = resource.prlimit(pid, what)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, what, (allowed, allowed))


@dataclass(slots=True)
class _Ear:
    """Keeps what comes, up to `most` bytes."""

    most: int
    kept: bytes = b""

    def goes_on(self, fd: int) -> bool:
        """Read once; false at the end."""
        chunk = os.read(fd, MOST_OUTPUT)
        self.kept += chunk[: self.most - len(self.kept)]
        return bool(chunk)


@dataclass(slots=True)
class _Mouth:
    """Says `left`."""

    left: memoryview

    def goes_on(self, fd: int) -> bool:
        """Write as much as never blocks where there is room (POSIX); false at the end, or if nobody
        listens any more."""
        try:
            self.left = self.left[os.write(fd, self.left[:PIPE_BUF]) :]
        except BrokenPipeError:
            return False
        return bool(self.left)


def _listened(
    child: subprocess.Popen[bytes], answers: IO[bytes], request: bytes, until: float
) -> tuple[tuple[bytes, bytes, bytes], bool]:
    """Write the request and read until all pipes are closed; give what was read, and whether that
    was before `until`."""
    answer, output, errors = ears = (_Ear(MOST_ANSWERS), _Ear(MOST_OUTPUT), _Ear(MOST_OUTPUT))
    with selectors.DefaultSelector() as selector:
        for pipe, ear in zip((answers, child.stdout, child.stderr), ears, strict=True):
            selector.register(cast("IO[bytes]", pipe), selectors.EVENT_READ, ear)
        mouth = _Mouth(memoryview(request))
        selector.register(cast("IO[bytes]", child.stdin), selectors.EVENT_WRITE, mouth)
        while selector.get_map() and time.monotonic() < until:
            for key, _ in selector.select(max(0, until - time.monotonic())):
                if not key.data.goes_on(key.fd):
                    selector.unregister(key.fileobj)
                    cast("IO[bytes]", key.fileobj).close()
        in_time = not selector.get_map()
    return (answer.kept, output.kept, errors.kept), in_time


def _kill(leader: int) -> None:
    """Kill the session's processes. The leader is not waited for before, so its number is still
    its own."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
