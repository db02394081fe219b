"""`make bench`: the gate against what it stands between, in pairs, in one run.

Strategy: start the upstream (nginx), gunicorn's own hello-world and the gate, with the same worker
settings; then measure each next to the hello-world under the same load, round by round, so that a
machine that speeds up or slows down does so for both. What counts are the ratios within a pair;
the table has their medians. Nothing here asserts a time. Needs `wrk` and `nginx` (Debian's
packages) and Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chart import bars

from ssogate.http.cookies import session_key
from ssogate.model import Identity, SessionRecord, User
from ssogate.storage import SQLiteStore

HERE = Path(__file__).parent
PROJECT = HERE.parent
SESSIONS = 4000  # for the mixed run
RULES = (10, 10_000)
THREADS, CONNECTIONS = 8, 32


@dataclass(frozen=True)
class Work:
    """One thing that is measured: a URL, and the requests that wrk makes of it."""

    name: str
    url: str
    server: int
    """The process whose children's CPU time counts."""
    load: Sequence[str] = ()
    """wrk's options: headers, or a script."""


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
    """Something and the hello-world beside it, under the same load."""

    work: Work
    hello: Work
    rounds: list[tuple[Measured, Measured]] = field(default_factory=list)

    def ratios(self, of: Callable[[Measured], float]) -> list[float]:
        return [of(mine) / of(other) for mine, other in self.rounds]

    def median(self, of: Callable[[Measured], float]) -> float:
        return statistics.median(of(mine) for mine, _ in self.rounds)


def main() -> int:
    options = argparse.ArgumentParser(description="Measure the gate beside a bare gunicorn.")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=int, default=2, help="of each measurement")
    asked = options.parse_args()
    missing = [tool for tool in ("wrk", "nginx") if not shutil.which(tool)]
    if missing:
        print(f"bench: install {' and '.join(missing)} first (apt-get install wrk nginx-light)")
        return 2
    with ExitStack() as servers, tempfile.TemporaryDirectory() as folder:
        pairs = _start(servers, Path(folder))
        for number in range(asked.rounds + 1):  # the first round warms up and is not counted
            for pair in pairs:
                found = (_wrk(pair.work, asked.seconds), _wrk(pair.hello, asked.seconds))
                if number:
                    pair.rounds.append(found)
                place = f"round {number}/{asked.rounds}  {pair.work.name:<36}"
                print(f"{place} {found[0].rate:>8.0f}/s beside {found[1].rate:.0f}/s", flush=True)
    _write(pairs, asked.rounds, asked.seconds)
    return 0


# --- The servers ---------------------------------------------------------------------------------


def _start(servers: ExitStack, folder: Path) -> list[Pair]:
    upstream, behind = servers.enter_context(nginx(folder))
    hello, bare = servers.enter_context(gunicorn(folder, "hello:app", HERE))
    direct, hello_url = f"http://127.0.0.1:{upstream}/x", f"http://127.0.0.1:{hello}/x"
    constant = ["-H", "Cookie: ssogate=" + "x" * 43]
    pairs = [Pair(Work("the upstream itself", direct, behind), Work("", hello_url, bare, constant))]
    for rules in RULES:
        place = folder / f"gate{rules}"
        tokens = _gate(place, upstream, rules)
        port, gate = servers.enter_context(gunicorn(place, "ssogate.app:gateway()", place))
        url = f"http://127.0.0.1:{port}/members/page"
        mixed = place / "mixed.lua"
        mixed.write_text(_LUA.replace("TOKENS", ",".join(f'"{token}"' for token in tokens)))
        for name, load in (
            (f"the gate, {rules} rules", ["-H", f"Cookie: ssogate={tokens[0]}"]),
            (f"the gate, {rules} rules, mixed", ["-s", str(mixed)]),
        ):
            pairs.append(Pair(Work(name, url, gate, load), Work("", hello_url, bare, load)))
    return pairs


_LUA = """
local tokens = {TOKENS}
local n = 0
request = function()
  n = n + 1
  local headers = {
    ["Cookie"] = "theme=dark; ssogate=" .. tokens[math.random(#tokens)],
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) round/" .. (n % 97),
    ["Accept-Language"] = "en;q=0." .. (n % 9 + 1),
    ["X-Requested"] = tostring(n),
  }
  return wrk.format("GET", nil, headers)
end
"""


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
    with _process(["nginx", "-c", str(conf), "-e", "stderr"], port) as pid:
        yield port, pid


@contextmanager
def gunicorn(folder: Path, app: str, cwd: Path, *, workers: int = 1) -> Iterator[tuple[int, int]]:
    """Serve an app with the shipped settings; give its port and the arbiter's process."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:ssogate.worker.gunicorn_conf"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    command += ["--threads", str(THREADS), "--keep-alive", "75", "--error-logfile", "-"]
    command += ["--access-logfile", os.devnull, app]
    with _process(command, port, cwd=cwd, env={"PYTHONPATH": f"{PROJECT}:{HERE}"}) as pid:
        yield port, pid


@contextmanager
def _process(
    command: Sequence[str], port: int, *, cwd: Path = HERE, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not _answers(process, port):
                log.seek(0)
                raise SystemExit(f"{command[0]} did not start:\n{log.read().decode()}")
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(15)


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


def _gate(place: Path, upstream: int, rules: int) -> list[str]:
    """A gate's folder, with live sessions in its store; gives their tokens."""
    (place / "policies").mkdir(parents=True)
    secret = place / "secret"
    secret.touch(0o600)
    secret.write_text(secrets.token_urlsafe(32))
    (place / "gateway.yaml").write_text(
        "public_url: http://127.0.0.1:8000\n"
        "login:\n  - {kind: signed_link, name: bench, secrets: [{file: secret}]}\n"
        f"upstreams:\n  app: {{url: 'http://127.0.0.1:{upstream}'}}\n"
        "routes:\n  - {path: /, upstream: app}\n"
    )
    fillers = [
        {"name": f"rule {n}", "path": f"/area{n}/**", "allow": {"groups": [f"group{n}"]}}
        for n in range(rules - 1)
    ]
    last = {"name": "members", "path": "/members/**", "allow": {"groups": ["members"]}}
    (place / "policies" / "all.yaml").write_text(json.dumps({"rules": [*fillers, last]}))
    return _fill(SQLiteStore(place / "var" / "ssogate.sqlite", clock=time.time))


def _fill(store: SQLiteStore) -> list[str]:
    now = int(time.time())
    tokens = []
    with store.transaction():
        for number in range(SESSIONS):
            name, token = f"user{number}", secrets.token_urlsafe(32)
            who = Identity(name, name, name, "A Name", "a@example.com", frozenset({"members"}))
            store.users.add(User(who, True, "bench", now, now))
            record = SessionRecord(session_key(token), name, "bench", "", now, now, now + 36_000)
            store.sessions.put(record)
            tokens.append(token)
    store.close()
    return tokens


# --- Measuring ---------------------------------------------------------------------------------


def _wrk(work: Work, seconds: int) -> Measured:
    """Load a server for a while. Stops the program at any refused answer."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *work.load, work.url]
    before = _cpu(work.server)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = _cpu(work.server) - before
    count = re.search(r"(\d+) requests in ", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if "Non-2xx" in said or "Socket errors" in said or not (count and rate and tail):
        raise SystemExit(f"{work.name or 'hello-world'}: {said}")
    p99 = float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]]
    return Measured(float(rate[1]), p99, spent / int(count[1]) * 1e6)


def _cpu(pid: int) -> float:
    """Seconds of CPU time that the children of a process have used (proc_pid_stat(5))."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for child in children:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _write(pairs: Sequence[Pair], rounds: int, seconds: int) -> None:
    lines = [
        "# What the gate costs",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: one worker with {THREADS} threads, {CONNECTIONS} kept-alive "
        f"connections, answers of 1 KiB, {rounds} rounds of {seconds} s. Load, upstream and server "
        "share the cores. Each row was measured in turn with gunicorn's own hello-world under the "
        "same load; ratios are taken within each such pair, and medians shown. *Mixed*: "
        f"{SESSIONS} sessions, headers that change with every request.",
        "",
        "| | requests/s | × hello-world | min … max | CPU µs | × hello-world | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    shown = {}
    for pair in pairs:
        rates, cpu = pair.ratios(lambda it: it.rate), pair.ratios(lambda it: it.cpu)
        lines.append(
            f"| {pair.work.name} | {pair.median(lambda it: it.rate):.0f} "
            f"| {statistics.median(rates):.2f} | {min(rates):.2f} … {max(rates):.2f} "
            f"| {pair.median(lambda it: it.cpu):.0f} | {statistics.median(cpu):.2f} "
            f"| {pair.median(lambda it: it.p99):.1f} |"
        )
        shown[pair.work.name] = statistics.median(rates)
    hello = statistics.median(other.rate for pair in pairs for _, other in pair.rounds)
    lines += ["", f"The hello-world itself: {hello:.0f} requests/s (median of all)."]
    text = "\n".join(lines) + "\n"
    (HERE / "results.md").write_text(text)
    shown = {"gunicorn's hello-world": 1.0, **dict(list(shown.items())[1:])}
    title = "Throughput, × gunicorn's own hello-world (the gate proxies to nginx)"
    (HERE / "results.svg").write_text(bars(title, shown))
    print(f"\n{text}\nwritten to bench/results.md and bench/results.svg")


if __name__ == "__main__":
    sys.exit(main())
