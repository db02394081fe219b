"""A running gate and a changed configuration: what works goes on until better is there."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gate import POLICY, RunningGate, site
from tests.servers import Gunicorn

pytestmark = pytest.mark.server

CLOSED = {"rules": [{"name": "nothing", "path": "/**", "allow": "nobody"}]}
BROKEN: dict[str, Any] = {
    "rules": POLICY["rules"],
    "tests": [{"request": "GET /pub/x", "expect": "deny"}],
}


@pytest.fixture(scope="module")
def echo() -> Iterator[Gunicorn]:
    with Gunicorn("tests.echo:app") as server:
        yield server


@pytest.fixture
def running(echo: Gunicorn, tmp_path: Path) -> Iterator[RunningGate]:
    with RunningGate(site(tmp_path / "gate", echo.url("")), "--workers", "1") as gate:
        yield gate


def change(gate: RunningGate, policy: dict[str, Any]) -> None:
    (gate.site.folder / "policies" / "all.yaml").write_text(json.dumps(policy))


def worker_pids(gate: RunningGate) -> list[int]:
    children = Path(f"/proc/{gate.pid}/task/{gate.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def test_a_reload_brings_new_rules(running: RunningGate) -> None:
    change(running, CLOSED)
    running.send_signal(signal.SIGHUP)
    running.until("Worker exiting")

    assert running.ask("/pub/x").status == 403


def test_a_reload_of_broken_rules_changes_nothing_and_says_why(running: RunningGate) -> None:
    cookie = running.sign_in()
    change(running, BROKEN)
    running.send_signal(signal.SIGHUP)
    running.until("not reloaded: .*expected deny for GET /pub/x")

    assert running.ask("/pub/x").status == 200
    assert running.ask("/members/x", cookie).status == 200


def test_a_worker_that_starts_late_serves_what_was_checked(running: RunningGate) -> None:
    """What stands in the files by then may be broken, or half written."""
    (worker,) = worker_pids(running)
    change(running, BROKEN)
    os.kill(worker, signal.SIGKILL)
    running.until(r"Booting worker[\s\S]*Booting worker")

    assert running.ask("/pub/x").status == 200
    assert worker_pids(running) != [worker]


def test_reloads_under_load_lose_no_request(running: RunningGate) -> None:
    cookie = running.sign_in()
    found: list[int] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            found.append(running.ask("/members/x", cookie).status)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    for number in range(1, 6):
        running.send_signal(signal.SIGHUP)
        running.until(rf"(?:Worker exiting[\s\S]*){{{number}}}")
    stop.set()
    for visitor in visitors:
        visitor.join()

    assert len(found) > 20
    assert set(found) == {200}
