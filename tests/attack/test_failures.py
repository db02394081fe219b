"""What fails while the gate runs: workers that die, a store that is gone. Nobody is let in by it.

The gates are this module's own, because they are harmed.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attack.stage import GTHREAD, new_link
from tests.gate import RunningGate, site
from tests.servers import Answer, Gunicorn, RawClient, ask, request

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def workers(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """A gate of two worker processes."""
    written_site = site(tmp_path_factory.mktemp("workers"), echo.url(""))
    with RunningGate(written_site, "--workers", "2", *GTHREAD) as gate:
        yield gate


def signed_in(answer: Answer) -> str:
    cookie = answer.header("Set-Cookie")
    assert answer.status == 303, answer
    assert cookie
    return f"Cookie: {cookie.partition(';')[0]}"


def test_one_link_followed_by_fifty_at_once_opens_one_session(workers: RunningGate) -> None:
    for _ in range(5):
        data = request(new_link(), host="127.0.0.1", close=False)
        clients = [RawClient(workers.port, timeout=20) for _ in range(50)]
        for client in clients:
            client.send(data)
        found = [client.answer() for client in clients]
        for client in clients:
            client.close()

        assert [bool(answer.header("Set-Cookie")) for answer in found].count(True) == 1
        assert sorted({answer.status for answer in found}) == [303, 400]
        assert {a.header("X-SSOGate-Error") for a in found} == {None, "400E3"}


def test_visitors_who_do_not_hang_up_hold_up_nobody(echo: Gunicorn, tmp_path: Path) -> None:
    """Each of them keeps a worker from accepting and from its kept-alive connections for 2 s."""
    with RunningGate(site(tmp_path / "held", echo.url("")), *GTHREAD) as gate:
        clients = [RawClient(gate.port) for _ in range(4)]
        for client in clients:
            client.send(request("/pub/x", host="127.0.0.1")).answer()
        try:
            answer = ask(gate.port, request("/pub/y", host="127.0.0.1"), timeout=1.5)
        finally:
            for client in clients:
                client.close()

    assert answer.status == 200


def test_an_acknowledged_session_survives_the_death_of_its_worker(workers: RunningGate) -> None:
    cookies = []
    for _ in range(3):
        cookies.append(signed_in(workers.ask(new_link())))
        upload = request(
            "/members/x",
            cookies[-1],
            "Content-Length: 9",
            "Expect: 100-continue",
            method="POST",
            host="127.0.0.1",
        )
        with RawClient(workers.port) as client:
            client.send(upload)
            assert client._more(), "the worker says 100 Continue: it is in the middle of a request"
            for pid in _children(workers.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert b"HTTP/1.1 200" not in client.rest()
        _patiently(lambda: workers.ask("/pub/x").status == 200)

        assert [workers.ask("/members/x", cookie).status for cookie in cookies] == [200] * len(
            cookies
        )


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in tasks.split()]


def _patiently(is_true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError, EOFError):
            if is_true():
                return
        time.sleep(0.05)
    raise TimeoutError


def test_a_policy_that_is_edited_on_the_way_changes_nothing_until_a_reload(
    workers: RunningGate,
) -> None:
    policy = workers.site.folder / "policies" / "all.yaml"
    before = policy.read_text()
    for text in ('{"rules": [{"name": "all", "path": "/**", "allow": "public"}]}', "{{{", ""):
        policy.write_text(text)
        found = [workers.ask("/members/x").status for _ in range(8)]
        policy.write_text(before)

        assert found == [401] * 8


# --- The store fails: refused, never anonymous --------------------------------------------------


@pytest.fixture
def failing(echo: Gunicorn, tmp_path: Path) -> Iterator[RunningGate]:
    """A gate with threads that have used the store, whose store is about to fail."""
    with RunningGate(site(tmp_path / "failing", echo.url("")), *GTHREAD) as gate:
        yield gate


def _store(gate: RunningGate) -> Path:
    return gate.site.folder / "var" / "ssogate.sqlite"


def _remove(gate: RunningGate) -> None:
    for file in _store(gate).parent.iterdir():
        file.unlink()


def _overwrite(gate: RunningGate) -> None:
    """In place, as a full disk or a careless copy does."""
    for file in _store(gate).parent.iterdir():
        file.write_bytes(b"garbage" * 1000)


def _replace(gate: RunningGate) -> None:
    _remove(gate)
    _store(gate).write_bytes(b"garbage" * 1000)
    _store(gate).chmod(0o600)


def _forbid(gate: RunningGate) -> None:
    _remove(gate)
    _store(gate).mkdir()


HARMS = [
    pytest.param(_remove, id="removed"),
    pytest.param(_overwrite, id="overwritten"),
    pytest.param(_replace, id="replaced by garbage"),
    pytest.param(_forbid, id="replaced by a folder"),
]


@pytest.mark.parametrize("harm", HARMS)
def test_without_its_store_the_gate_lets_nobody_in_and_says_so(
    failing: RunningGate, harm: Callable[[RunningGate], None]
) -> None:
    cookie = signed_in(failing.ask(new_link()))
    for _ in range(20):  # so that every thread has met the store, by another session
        failing.ask("/members/x", signed_in(failing.ask(new_link())))
    harm(failing)

    for _ in range(20):
        member = failing.ask("/members/x", cookie)
        public = failing.ask("/pub/x", cookie)
        link = failing.ask(new_link())
        nobody = failing.ask("/members/x")

        for answer in (member, public):
            found = (answer.status, answer.header("X-SSOGate-Error"))
            assert found == (503, "sessions_unavailable")
        assert (link.status, link.header("X-SSOGate-Error")) == (500, "500E1")
        assert link.header("Set-Cookie") is None
        assert nobody.status == 401
        assert failing.ask("/_sso/health").status == 200
        assert "sqlite" not in (member.text + link.text).lower()


def test_a_store_that_is_locked_means_refusal_and_comes_back(failing: RunningGate) -> None:
    cookie = signed_in(failing.ask(new_link()))
    link = new_link()
    blocker = sqlite3.connect(_store(failing), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    answer = ask(failing.port, request(link, host="127.0.0.1"), timeout=20)
    reading = failing.ask("/members/x", cookie)
    blocker.execute("ROLLBACK")
    blocker.close()

    assert (answer.status, answer.header("X-SSOGate-Error")) == (500, "500E1")
    assert answer.header("Set-Cookie") is None
    assert reading.status == 200
    assert failing.ask(link).status == 303, "the failed try spent the link"
