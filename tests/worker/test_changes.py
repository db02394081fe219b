"""No stale answers: a change that has returned holds for every worker, 100 ms later at the latest,
whatever load there is and whichever process has made it, on whichever machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from ssogate.gate import open_gate
from ssogate.settings import load
from ssogate.storage.store import SQLStore
from tests.databases import PostgreSQL
from tests.gate import HOST, RunningGate
from tests.servers import PROJECT, request
from tests.worker.load import Load, everywhere
from tests.worker.stage import Pages, standing, until, workers

pytestmark = pytest.mark.server

WITHIN = 0.1  # seconds; the promise

_numbers = count()


@pytest.fixture(scope="module")
def gate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGate]:
    """With so many workers, and where its store is. Links say who is staff."""
    number, where = request.param
    folder = tmp_path_factory.mktemp("changes")
    more: dict[str, Any] = {"sender": {"groups_allowed": ["staff"]}}
    if where == "PostgreSQL":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        more["store"] = server.store(folder)
    workers = ("--workers", str(number))
    with Pages() as pages, standing(folder / "gate", pages.url, *workers, **more) as running:
        yield running


def command(gate: RunningGate, *arguments: str) -> None:
    """Run `ssogate`, in a process of its own."""
    subprocess.run(
        [sys.executable, "-m", "ssogate", *arguments, "--config", str(gate.site.config)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )


def deactivate(gate: RunningGate, name: str, cookie: str) -> None:
    command(gate, "user", "deactivate", name)


def sign_out(gate: RunningGate, name: str, cookie: str) -> None:
    assert gate.ask("/sso.php?mode=logout", cookie).status < 400


def take_the_group_away(gate: RunningGate, name: str, cookie: str) -> None:
    store = open_gate(load(gate.site.config)).store
    assert isinstance(store, SQLStore)
    store.database.change(text(f"UPDATE users SET groups = '' WHERE username = '{name}'"))
    store.close()


Change = Callable[[RunningGate, str, str], None]


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ((2, "SQLite"), deactivate),
        ((3, "SQLite"), deactivate),
        ((3, "SQLite"), sign_out),
        ((3, "SQLite"), take_the_group_away),
        ((2, "PostgreSQL"), deactivate),
        ((2, "PostgreSQL"), sign_out),
        ((3, "PostgreSQL"), deactivate),
        ((3, "PostgreSQL"), sign_out),
        ((3, "PostgreSQL"), take_the_group_away),
    ],
    indirect=["gate"],
)
def test_a_change_holds_for_every_worker_at_once(gate: RunningGate, change: Change) -> None:
    name = f"user{next(_numbers)}"
    cookie = gate.sign_in(name, groups="staff")
    data = request("/admin/x", cookie, host=HOST, close=False)
    with everywhere(gate, data) as loads:
        change(gate, name, cookie)
        changed = time.monotonic()
        until(lambda: time.monotonic() > changed + WITHIN)
        for load in loads:
            load.go_on_for(20)

    sent = [sent for load in loads for sent in load.sent]
    before = {it.status for it in sent if it.began < changed}
    after = {it.status for it in sent if it.began > changed + WITHIN}
    assert 200 in before
    assert 200 not in after
    assert after <= {303, 401, 403}


@pytest.mark.parametrize("gate", [(2, "SQLite")], indirect=True)
def test_new_rules_hold_for_every_worker_that_answers_after_the_reload(gate: RunningGate) -> None:
    """Each worker answers by the rules that it was started with; none of before is left."""
    policies = gate.site.folder / "policies" / "all.yaml"
    rules, before = policies.read_text(), set(workers(gate))
    closed = {"rules": [{"name": "nothing", "path": "/**", "allow": "nobody"}]}
    data = request("/admin/x", gate.sign_in(groups="staff"), host=HOST, close=False)
    with Load(gate.port, data, visitors=6) as load:
        load.go_on_for(50)
        policies.write_text(json.dumps(closed))
        gate.send_signal(signal.SIGHUP)
        until(lambda: not before & set(workers(gate)))
        reloaded = time.monotonic()
        load.go_on_for(50)
    policies.write_text(rules)
    before = set(workers(gate))
    gate.send_signal(signal.SIGHUP)
    until(lambda: not before & set(workers(gate)))

    assert {it.status for it in load.sent if it.began > reloaded} == {403}
    assert load.lost == []
