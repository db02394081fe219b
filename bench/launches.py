"""What launches to a slow panel cost everybody else, with the threads of the shipped configuration.

Strategy: round by round, ordinary traffic (signed in, proxied to nginx) alone, and while 200
launches at once go to a panel that takes two seconds, again as soon as all are answered. One
worker, since connections are dealt out to several by chance. What counts is the ratio of the 99th
percentiles within a round.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from multiprocessing import Process, Queue
from pathlib import Path

import measuring
from measuring import CONNECTIONS, HERE, free_port, gunicorn

from ssogate.http.cookies import session_key
from ssogate.model import (
    Account,
    AccountStatus,
    Identity,
    Membership,
    Permission,
    Server,
    Service,
    ServiceStatus,
    SessionRecord,
    User,
)
from ssogate.storage import SQLiteStore

ROUNDS, SECONDS, THREADS = 7, 4, 16
LAUNCHES, PEOPLE, PANEL_SECONDS = 200, 50, 2.0
TARGET = "/clientarea.php?action=productdetails&id=1&dosinglesignon=1"


def main() -> int:
    """Write the ratios to bench/launches.md."""
    rounds: list[tuple[float, float, float, float]] = []
    answers: Counter[int] = Counter()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream, _ = stack.enter_context(measuring.nginx(place))
        panel = stack.enter_context(_process(_panel, free_port()))
        tokens = _gate(place, upstream, panel)
        app = "ssogate.app:gateway()"
        port, _ = stack.enter_context(gunicorn(place, app, place, threads=THREADS))
        for number in range(ROUNDS + 1):  # the first round warms up and is not counted
            alone = _wrk(port, tokens[0])
            told: Queue[Counter[int]] = Queue()
            with _process(_launch, port, tokens, told):
                beside = _wrk(port, tokens[0])
                answers += told.get(timeout=30)
            rounds += [(*alone, *beside)][: min(number, 1)]
            print(
                f"round {number}/{ROUNDS}  p99 {alone[1]:.1f} ms, beside launches {beside[1]:.1f}",
                flush=True,
            )
    _write(rounds, answers)
    return 0


@contextmanager
def _process(target: object, *arguments: object) -> Iterator[int]:
    """Run a function in a process of its own; give its first argument, a port."""
    process = Process(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
    process.start()
    try:
        time.sleep(0.3)
        yield int(arguments[0])  # type: ignore[call-overload]
    finally:
        process.terminate()
        process.join()


def _panel(port: int) -> None:
    """A panel that thinks for two seconds, about any number of requests at once."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readline()).strip():
            while (await reader.readline()).strip():
                pass
            await reader.readexactly(len(b'{"user": "joe"}'))
            await asyncio.sleep(PANEL_SECONDS)
            body = b'{"url": "http://127.0.0.1/in"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()

    async def serve() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
            await server.serve_forever()

    asyncio.run(serve())


def _launch(port: int, tokens: Sequence[str], told: Queue[Counter[int]]) -> None:
    """Launch 200 times at once, again and again; tell how the first ones were answered."""

    async def one(number: int) -> int:
        token = tokens[number % len(tokens)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = (
            f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nCookie: ssogate={token}\r\n"
            "Sec-Fetch-Site: same-origin\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode())
        line = await reader.readline()
        await reader.read()
        writer.close()
        return int(line.split()[1])

    async def forever() -> None:
        while True:
            told.put(Counter(await asyncio.gather(*map(one, range(LAUNCHES)))))

    asyncio.run(forever())


def _gate(place: Path, upstream: int, panel: int) -> list[str]:
    """Make a gate's folder with a service on that panel; give sessions of those who may use it."""
    (place / "policies").mkdir()
    rule = {"name": "members", "path": "/**", "allow": "signed_in"}
    (place / "policies" / "all.yaml").write_text(json.dumps({"rules": [rule]}))
    service = {"path": "/api", "json": {"user": "{username}"}, "url_json": "url"}
    module = {"kind": "custom_http", "display_name": "Slow", "port": panel, "service": service}
    tree = {
        "public_url": "http://127.0.0.1:8000",
        "login": [{"kind": "password"}],
        "launch": {"modules": {"slow": module}},
        "upstreams": {"app": {"url": f"http://127.0.0.1:{upstream}"}},
        "routes": [{"path": "/", "upstream": "app"}],
    }
    (place / "gateway.yaml").write_text(json.dumps(tree))
    now, tokens = int(time.time()), [secrets.token_urlsafe(32) for _ in range(PEOPLE)]
    path = place / "var" / "ssogate.sqlite"
    with closing(SQLiteStore(path, clock=time.time)) as store, store.transaction():
        store.accounts.add(Account(0, "Acme", "", AccountStatus.ACTIVE, True, now, now))
        store.servers.add(Server(0, "slow", "slow", ("127.0.0.1",), secure=False))
        store.services.add(
            Service(0, 1, "Hosting", ServiceStatus.ACTIVE, "slow", server=1, username="joe")
        )
        for number, token in enumerate(tokens):
            name, key = f"user{number}", session_key(token)
            store.users.add(User(Identity(name, name, name), True, "", now, now))
            store.memberships.put(Membership(1, name, permissions=frozenset(Permission)))
            store.sessions.put(SessionRecord(key, name, "password", "", now, now, now + 36_000))
    return tokens


def _wrk(port: int, token: str) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    url = f"http://127.0.0.1:{port}/members/page"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    command += ["-H", f"Cookie: ssogate={token}", "-H", "Host: 127.0.0.1:8000", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    if "Non-2xx" in said or not (rate and tail):
        raise SystemExit(said)
    return float(rate[1]), float(tail[1]) * {"us": 0.001, "ms": 1, "s": 1000}[tail[2]]


def _write(rounds: Sequence[tuple[float, float, float, float]], answers: Counter[int]) -> None:
    def median(of: int) -> float:
        return statistics.median(each[of] for each in rounds)

    ratios = [each[3] / each[1] for each in rounds]
    shown = ", ".join(f"{number} × {status}" for status, number in sorted(answers.items()))
    lines = [
        "# What a slow panel costs everybody else",
        "",
        f"`make bench` on {platform.machine()} with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: one worker with {THREADS} threads, {CONNECTIONS} "
        f"kept-alive connections of ordinary traffic, {ROUNDS} rounds of {SECONDS} s; beside it, "
        f"{LAUNCHES} launches at once to a panel that takes {PANEL_SECONDS:g} s, again as soon as "
        f"all are answered ({shown}). Load, upstream, panel and gate share the cores.",
        "",
        "| | requests/s | p99 ms |",
        "|---|---|---|",
        f"| ordinary traffic alone | {median(0):.0f} | {median(1):.1f} |",
        f"| beside the launches | {median(2):.0f} | {median(3):.1f} |",
        "",
        f"p99 beside the launches: {statistics.median(ratios):.2f} times that alone "
        f"({min(ratios):.2f} … {max(ratios):.2f}).",
    ]
    text = "\n".join(lines) + "\n"
    (HERE / "launches.md").write_text(text)
    print(f"\n{text}\nwritten to bench/launches.md")


if __name__ == "__main__":
    sys.exit(main())
