"""`make bench`: the gate against what it stands between, in pairs, in one run.

Strategy: start the upstream (nginx), gunicorn's own hello-world and the gate, with the same worker
settings; then measure them in turn, round by round, so that a machine that speeds up or slows
down does so for all. What counts are the ratios within a round; the table has their medians.
Nothing here asserts a time. Needs `wrk` and `nginx` (Debian's packages).
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
from collections.abc import Iterator, Mapping, Sequence
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
    script: str = ""
    headers: tuple[str, ...] = ()
    rates: list[float] = field(default_factory=list)
    p99s: list[float] = field(default_factory=list)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=int, default=3, help="of each measurement")
    asked = options.parse_args()
    missing = [tool for tool in ("wrk", "nginx") if not shutil.which(tool)]
    if missing:
        print(f"bench: install {' and '.join(missing)} first (apt-get install wrk nginx-light)")
        return 2
    with ExitStack() as servers, tempfile.TemporaryDirectory() as folder:
        works = _start(servers, Path(folder))
        for number in range(asked.rounds + 1):  # the first round warms up and is not counted
            for work in works:
                rate, p99 = _wrk(work, asked.seconds)
                if number:
                    work.rates.append(rate)
                    work.p99s.append(p99)
                print(f"round {number}/{asked.rounds}  {work.name:<44} {rate:>8.0f}/s", flush=True)
    _write(works, asked.rounds, asked.seconds)
    return 0


# --- The servers ---------------------------------------------------------------------------------


def _start(servers: ExitStack, folder: Path) -> list[Work]:
    upstream = servers.enter_context(_nginx(folder))
    hello = servers.enter_context(_gunicorn(folder, "hello:app", HERE))
    works = [
        Work("the upstream itself (nginx)", f"http://127.0.0.1:{upstream}/x"),
        Work("gunicorn's hello-world", f"http://127.0.0.1:{hello}/x"),
    ]
    for rules in RULES:
        place = folder / f"gate{rules}"
        tokens = _gate(place, upstream, rules)
        port = servers.enter_context(_gunicorn(place, "ssogate.app:gateway()", place))
        base = f"http://127.0.0.1:{port}/members/page"
        mixed = place / "mixed.lua"
        mixed.write_text(_LUA.replace("TOKENS", ",".join(f'"{token}"' for token in tokens)))
        works.append(
            Work(f"the gate, {rules} rules", base, headers=(f"Cookie: ssogate={tokens[0]}",))
        )
        works.append(Work(f"the gate, {rules} rules, {SESSIONS} sessions", base, str(mixed)))
    return works


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
def _nginx(folder: Path) -> Iterator[int]:
    port = _free_port()
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
    with _process(["nginx", "-c", str(conf), "-e", "stderr"], port):
        yield port


@contextmanager
def _gunicorn(folder: Path, app: str, cwd: Path) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:ssogate.worker.gunicorn_conf"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(THREADS), "--keep-alive", "75", "--error-logfile", "-"]
    command += ["--access-logfile", os.devnull, app]
    with _process(command, port, cwd=cwd, env={"PYTHONPATH": f"{PROJECT}:{HERE}"}):
        yield port


@contextmanager
def _process(
    command: Sequence[str], port: int, *, cwd: Path = HERE, env: Mapping[str, str] | None = None
) -> Iterator[None]:
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
            yield
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


def _free_port() -> int:
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


def _wrk(work: Work, seconds: int) -> tuple[float, float]:
    """Requests a second and the 99th percentile in milliseconds. Stops at any refused answer."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command += [part for header in work.headers for part in ("-H", header)]
    command += ["-s", work.script] if work.script else []
    done = subprocess.run([*command, work.url], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"{work.name}: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    if not rate or not tail:
        raise SystemExit(f"cannot read wrk's answer: {done.stdout}")
    return float(rate[1]), float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]]


def _write(works: Sequence[Work], rounds: int, seconds: int) -> None:
    hello = works[1]
    lines = [
        "# What the gate costs",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: one worker with {THREADS} threads, "
        f"{CONNECTIONS} kept-alive connections, answers of 1 KiB, {rounds} rounds of {seconds} s, "
        "all in turn. Ratios are taken within each round; shown are medians.",
        "",
        "| | requests/s | × hello-world | min … max | p99 ms |",
        "|---|---|---|---|---|",
    ]
    ratios: dict[str, float] = {}
    for work in works:
        pairs = [rate / other for rate, other in zip(work.rates, hello.rates, strict=True)]
        ratios[work.name] = statistics.median(pairs)
        lines.append(
            f"| {work.name} | {statistics.median(work.rates):.0f} | {ratios[work.name]:.2f} "
            f"| {min(pairs):.2f} … {max(pairs):.2f} | {statistics.median(work.p99s):.1f} |"
        )
    text = "\n".join(lines) + "\n"
    (HERE / "results.md").write_text(text)
    shown = {name: ratio for name, ratio in ratios.items() if "upstream" not in name}
    (HERE / "results.svg").write_text(bars("Throughput, × gunicorn's hello-world", shown))
    print(f"\n{text}\nwritten to bench/results.md and bench/results.svg")


if __name__ == "__main__":
    sys.exit(main())
