"""What all of `make bench` is measured by: servers in processes, load by wrk, pairs.

Strategy: each thing is measured next to what it is compared with under the same load, round by
round, so that a machine that speeds up or slows down does so for both. What counts are the ratios
within a pair, and their medians. Nothing here asserts a time. Needs `wrk` (a Debian package) and
Linux.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent
MIXED = HERE / "mixed.lua"
RULES = (10, 10_000)
THREADS, CONNECTIONS = 8, 32


@dataclass(frozen=True)
class Work:
    """One thing that is measured: a URL, and the requests that wrk makes of it."""

    name: str
    url: str
    server: int
    """The process whose CPU time counts, with all below it."""
    load: Sequence[str] = ()
    """wrk's options: headers, or a script."""
    arguments: Sequence[str] = ()
    """Of the script."""
    connections: int = CONNECTIONS
    times: int = 1
    """How much longer it is measured than others."""
    answer: int = 0
    """Bytes that each answer has at least: a redirect to a sign-in page is shorter."""
    before: Callable[[], None] = lambda: None
    """What makes the server ready for each measurement."""


@dataclass(frozen=True)
class Measured:
    rate: float
    """Requests a second."""
    p99: float
    """Milliseconds."""
    cpu: float
    """CPU time of the server for a request, in microseconds."""


@dataclass(frozen=True)
class Pair:
    """Something and what it is compared with, under the same load."""

    work: Work
    beside: Work
    rounds: list[tuple[Measured, Measured]] = field(default_factory=list)

    def ratios(self, of: Callable[[Measured], float]) -> list[float]:
        return [of(mine) / of(other) for mine, other in self.rounds]

    def median(self, of: Callable[[Measured], float]) -> float:
        return statistics.median(of(mine) for mine, _ in self.rounds)


# --- The servers ---------------------------------------------------------------------------------


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    body = "x" * 1024
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;"
        "events { worker_connections 1024; }"
        f"http {{ access_log off; keepalive_requests 10000000; keepalive_timeout 600;"
        f"client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};"
        f"uwsgi_temp_path {folder}; scgi_temp_path {folder};"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }} }}"
    )
    with process(["nginx", "-c", str(conf), "-e", "stderr"], port) as pid:
        yield port, pid


@contextmanager
def gunicorn(
    folder: Path,
    app: str,
    cwd: Path,
    *,
    workers: int = 1,
    threads: int = THREADS,
    log: str = os.devnull,
    python: Path | None = None,
) -> Iterator[tuple[int, int]]:
    """Serve an app with the shipped settings; give its port and the arbiter's process. Another
    `python` brings the gate along."""
    port = free_port()
    path = f"{HERE}" if python else f"{PROJECT}:{HERE}"
    command = [str(python or sys.executable), "-m", "gunicorn"]
    command += ["-c", "python:ssogate.worker.gunicorn_conf"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    command += ["--threads", str(threads), "--keep-alive", "75", "--error-logfile", "-"]
    command += ["--access-logfile", log, app]
    with process(command, port, cwd=cwd, env={"PYTHONPATH": path}) as pid:
        yield port, pid


@contextmanager
def process(
    command: Sequence[str], port: int, *, cwd: Path = HERE, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not _answers(running, port):
                log.seek(0)
                raise SystemExit(f"{command[0]} did not start:\n{log.read().decode()}")
            yield running.pid
        finally:
            with suppress(ProcessLookupError):  # it may have failed
                os.killpg(running.pid, signal.SIGTERM)
            running.wait(15)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    for _ in range(200):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- Measuring ---------------------------------------------------------------------------------


def measure(
    pairs: Sequence[Pair], rounds: int, seconds: int, after: Callable[[], None] = lambda: None
) -> None:
    """Fill in the rounds of each pair, in turn; `after` is done after each."""
    for number in range(rounds + 1):  # the first round warms up and is not counted
        for pair in pairs:
            found = (wrk(pair.work, seconds), wrk(pair.beside, seconds))
            after()
            if number:
                pair.rounds.append(found)
            place = f"round {number}/{rounds}  {pair.work.name:<44}"
            print(f"{place} {found[0].rate:>8.0f}/s beside {found[1].rate:.0f}/s", flush=True)


def wrk(work: Work, seconds: int) -> Measured:
    """Load a server for a while. Stops the program at any refused answer."""
    command = ["wrk", "-t1", f"-c{work.connections}", f"-d{seconds * work.times}s"]
    command += ["--latency", "--timeout", "10s"]  # what is slow is no failure
    work.before()
    before = _cpu(work.server)
    said = subprocess.run(
        [*command, *work.load, "--", work.url, *work.arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    spent = _cpu(work.server) - before
    count = re.search(r"(\d+) requests in .*?, ([\d.]+)(K|M|G)B read", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if "Non-2xx" in said or "Socket errors" in said or not (count and rate and tail):
        raise SystemExit(f"{work.name}: {said}")
    read = float(count[2]) * 1024 ** (" KMG".index(count[3]))
    if read * 1.01 < int(count[1]) * work.answer:  # wrk rounds
        raise SystemExit(f"{work.name}: answers are too short for what was asked: {said}")
    p99 = float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]]
    return Measured(float(rate[1]), p99, spent / int(count[1]) * 1e6)


def _cpu(pid: int) -> float:
    """Seconds of CPU time that a process and all below it have used, with those that it has waited
    for (proc_pid_stat(5))."""
    ticks = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """Give a process and all below it."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))
