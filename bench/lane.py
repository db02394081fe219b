"""The gate beside its real peers: plain nginx, HAProxy, Apache's modules for signing in, Caddy.

Strategy: one process of each, with a log, in front of one upstream (nginx). Round by round each is
loaded next to what it is compared with, and the ratios are taken within such a pair. Before that,
every server has to let the signed-in visitor through and nobody else. Then thousands of connections
that stay (`peers.connections`). Nothing here asserts a time; the table says which aims were met.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from measuring import HERE, MIXED, Pair, Work, free_port, measure, process
from peers.connections import Found, hold, open_files
from peers.rows import ROWS, UPSTREAM, Job, Row
from peers.servers import LOG, PEERS, Place, Running, tool, upstream
from peers.table import picture, table

HELD = "thousands of connections"
FILES = 17_000  # open ones that this takes of the gate, which has another to the upstream for some
FEW = 3  # rounds of it, at most: each needs a gate of its own, and most of a minute


def main() -> int:
    """Write what was found to bench/lane.md and bench/lane.svg; some rows alone are only shown."""
    options = argparse.ArgumentParser(description="Measure the gate beside its peers.")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--seconds", type=int, default=2, help="of each measurement")
    options.add_argument(
        "--only", default="", metavar="NAME", help="the rows with this in the name"
    )
    asked = options.parse_args()
    if missing := [name for name in ("wrk", "nginx") if not Path(tool(name)).exists()]:
        print(f"bench: install {' and '.join(missing)} first (apt-get install wrk nginx-light)")
        return 2
    rows, notes = _rows(asked.only)
    few_files = open_files() < FILES
    if few_files:
        notes.append(f"{HELD}: left out, this machine allows fewer than {FILES} open files")
    print("".join(f"bench: {note}\n" for note in notes), end="", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)  # Apache's workers are not root, and read what is theirs
        place, late = _upstreams(stack, Path(folder))
        pairs = _pairs(stack, place, rows, {UPSTREAM: late})
        measure(pairs, asked.rounds, asked.seconds, after=lambda: _empty_logs(place.folder))
        held: list[Found] = []
        for number in range(min(asked.rounds, FEW) if asked.only in HELD and not few_files else 0):
            held.append(hold(_place(place, f"held{number}"), asked.seconds))
            print(f"{HELD}: {held[-1]}", flush=True)
    found = list(zip(rows, pairs, strict=True))
    text = table(found, held, notes, asked.rounds, asked.seconds)
    print(f"\n{text}")
    if not asked.only:
        (HERE / "lane.md").write_text(text)
        (HERE / "lane.svg").write_text(picture(found))
        print("written to bench/lane.md and bench/lane.svg")
    return 0


def _rows(only: str) -> tuple[list[Row], list[str]]:
    """Choose rows by name; say which of them cannot be measured here, and why."""
    chosen = [row for row in ROWS if only in row.name]
    names = dict.fromkeys(name for row in chosen for name in (row.server, row.beside))
    absent = {name: PEERS[name] for name in names if name != UPSTREAM and not PEERS[name].is_here}
    notes = [f"{name}: left out, {peer.remedy}" for name, peer in absent.items()]
    return [row for row in chosen if not {row.server, row.beside} & absent.keys()], notes


def _empty_logs(folder: Path) -> None:
    """So that no disk is busy with gigabytes of them while the next one is measured."""
    for log in folder.glob(f"*/{LOG}"):
        os.truncate(log, 0)


# --- The servers ---------------------------------------------------------------------------------


def _upstreams(stack: ExitStack, folder: Path) -> tuple[Place, Running]:
    """Start what everybody stands in front of; give a place beside it, and the slow one."""
    slow = free_port()
    command = [sys.executable, str(HERE / "peers/slow.py"), str(slow)]
    late = Running(slow, stack.enter_context(process(command, slow)), ("a=b",), guards=False)
    fast = stack.enter_context(upstream(_place(Place(folder, 0, slow), "upstream")))
    return Place(folder, fast.port, slow), late


def _place(beside: Place, name: str) -> Place:
    folder = beside.folder / name
    folder.mkdir()
    return Place(folder, beside.upstream, beside.slow)


def _pairs(
    stack: ExitStack, place: Place, rows: Sequence[Row], running: dict[str, Running]
) -> list[Pair]:
    """Start what the rows need, each server once, and see that it does what it should."""
    for name in dict.fromkeys(name for row in rows for name in (row.server, row.beside)):
        if name not in running:
            own = _place(place, f"server{len(running)}")
            running[name] = stack.enter_context(PEERS[name].start(own))
            print(f"started {name}", flush=True)
    pairs = []
    for row in rows:
        for name in (row.server, row.beside):
            _check(row.job, name, running[name])
        mine, other = (_work(row.job, it, running[it], place) for it in (row.server, row.beside))
        pairs.append(Pair(mine, other))
    return pairs


def _work(job: Job, name: str, server: Running, place: Place) -> Work:
    sent = place.folder / f"cookies{server.port}"
    sent.write_text("".join(f"{cookie}\n" for cookie in server.cookies))
    load = ["-H", f"Cookie: {server.cookies[0]}", *(["-s", str(job.script)] if job.script else [])]
    return Work(
        f"{name}, {job.name}",
        f"http://127.0.0.1:{server.port}{job.path}",
        server.pid,
        load,
        [str(sent)],
        connections=job.connections,
        times=job.times,
        answer=job.answer,
        before=server.before if job.script == MIXED else lambda: None,
    )


def _check(job: Job, name: str, server: Running) -> None:
    """Stop the program if somebody is refused who is signed in, or anybody else is not."""
    for cookie in (server.cookies[0], server.cookies[-1]):
        status, body = _get(server.port, job.path, cookie)
        if (status, body) != (200, b"x" * job.answer):
            raise SystemExit(f"{name} refuses who is signed in: {status} {body[:200]!r}")
    status, _ = _get(server.port, job.path, "theme=dark")
    if status not in ((302, 303, 307, 401, 403) if server.guards else (200,)):
        raise SystemExit(f"{name} answers a stranger: {status}")


def _get(port: int, path: str, cookie: str) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (HTTPException, OSError) as error:
            return 0, repr(error).encode()


if __name__ == "__main__":
    sys.exit(main())
