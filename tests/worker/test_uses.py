"""A real worker writes down which sessions are used, and lets nobody wait for it."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.gate import RunningGate
from tests.servers import RawClient
from tests.worker.stage import Pages, asked, standing, until

pytestmark = pytest.mark.server

AGO = 90  # seconds


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


def store(gate: RunningGate) -> sqlite3.Connection:
    return sqlite3.connect(gate.site.folder / "var" / "ssogate.sqlite", isolation_level=None)


def age(gate: RunningGate) -> None:
    with closing(store(gate)) as opened:
        opened.execute("UPDATE sessions SET seen_at = seen_at - ?", (AGO,))


def unseen(gate: RunningGate) -> int:
    """Seconds since somebody was seen whose use was written down."""
    with closing(store(gate)) as opened:
        ((seen,),) = opened.execute("SELECT seen_at FROM sessions")
    return int(time.time()) - int(seen)


def test_who_comes_back_after_a_minute_does_not_wait_for_the_store(
    upstream: Pages, tmp_path: Path
) -> None:
    with standing(tmp_path / "gate", upstream.url) as gate:
        cookie = gate.sign_in()
        age(gate)
        with RawClient(gate.port) as client, closing(store(gate)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert client.send(asked("/members/x", cookie)).answer().status == 200
            other.execute("ROLLBACK")

            until(lambda: unseen(gate) < AGO)
            assert client.send(asked("/members/x", cookie)).answer().status == 200


def test_a_stopping_worker_writes_the_last_uses(upstream: Pages, tmp_path: Path) -> None:
    with standing(tmp_path / "gate", upstream.url) as gate:
        cookie = gate.sign_in()
        age(gate)
        with RawClient(gate.port) as client:
            assert client.send(asked("/members/x", cookie)).answer().status == 200
            os.kill(gate.pid, signal.SIGTERM)
            until(lambda: unseen(gate) < AGO)
