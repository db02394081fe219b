"""A real worker whose sessions are on PostgreSQL: who is signed in goes through its loop, and ends
when the session does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text

from tests.databases import PostgreSQL
from tests.gate import RunningGate
from tests.servers import PROJECT, RawClient
from tests.upstream.scripted import Talk, ok
from tests.worker.stage import (
    Page,
    Pages,
    asked,
    is_unharmed,
    standing,
    until,
    visitors,
    worker,
    workers,
)
from tests.worker.test_websockets import (
    HANDSHAKE,
    SOON,
    Talker,
    command,
    is_open,
    served,
    spoken_to,
    tunnels,
)

pytestmark = pytest.mark.server

CROWD = 64

_numbers = count()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


@pytest.fixture(scope="module")
def gate(
    postgresql: PostgreSQL, upstream: Pages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGate]:
    """One worker with two threads."""
    folder = tmp_path_factory.mktemp("elsewhere")
    about = {"max_connections": 2 * CROWD, "max_failures": 10_000, "read_timeout": "20s"}
    store = postgresql.store(folder)
    with standing(folder / "gate", upstream.url, about=about, store=store) as running:
        yield running


def write(upstream: Pages, answer: Page) -> str:
    path = f"/elsewhere{next(_numbers)}"
    upstream.at[path] = answer
    return path


def all_at_once(number: int) -> Page:
    """An answer that is given when so many have asked, and are still waiting."""
    together = Barrier(number, timeout=15)

    def answer(talk: Talk) -> None:
        talk.read_request()
        together.wait()
        talk.send(ok(b"all are here"))

    return answer


@contextmanager
def locked(server: PostgreSQL, name: str) -> Iterator[None]:
    """Nobody can read sessions as long as the context lasts."""
    engine = create_engine(server.url(name))
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE sessions"))
        yield
    engine.dispose()


def endless(talk: Talk) -> None:
    """No answer, until the other side is gone."""
    talk.read_request()
    with suppress(OSError):
        talk._more()
    raise EOFError


def test_slow_answers_hold_no_thread(gate: RunningGate, upstream: Pages) -> None:
    cookies = [gate.sign_in(f"guest{number}") for number in range(CROWD)]
    path = write(upstream, all_at_once(CROWD))
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(gate.port, timeout=20)) for _ in cookies]
        for client, cookie in zip(clients, cookies, strict=True):
            client.send(asked(path, cookie))

        assert [client.answer().body for client in clients] == [b"all are here"] * CROWD


def test_a_body_and_what_comes_behind_it_are_there_after_the_look_up(
    gate: RunningGate, upstream: Pages
) -> None:
    path, cookie = write(upstream, ok(b"taken")), gate.sign_in("writer")
    posted = asked(path, cookie, method="POST", body=b"x" * 100_000)
    with RawClient(gate.port, timeout=20) as client:
        client.send(posted + asked(path, cookie) + asked("/pub/last", cookie))
        answers = [client.answer() for _ in range(3)]

        assert [it.body for it in answers] == [b"taken", b"taken", b"/pub/last"]
        assert is_unharmed(client, cookie)
    assert [len(it.body) for it in upstream.seen(path)] == [100_000, 0]


def test_a_form_that_comes_in_pieces_is_judged_when_it_is_here(
    gate: RunningGate, upstream: Pages
) -> None:
    path, cookie = write(upstream, ok(b"taken")), gate.sign_in("slow")
    posted = asked(path, cookie, method="POST", body=b"y" * 50_000)
    with RawClient(gate.port, timeout=20) as client:
        for begin in range(0, len(posted), 10_000):
            client.send(posted[begin : begin + 10_000])
            time.sleep(0.05)
        assert client.answer().body == b"taken"
        assert is_unharmed(client, cookie)


def test_who_hangs_up_during_the_look_up_harms_nobody(gate: RunningGate, upstream: Pages) -> None:
    cookie = gate.sign_in("hasty")
    for _ in range(50):
        with RawClient(gate.port) as client:
            client.send(asked("/members/x", cookie))
    until(lambda: not visitors(worker(gate), gate.port))

    with RawClient(gate.port) as client:
        assert is_unharmed(client, cookie)


@pytest.mark.parametrize("how", ["forged", "signed out"])
def test_who_is_not_signed_in_is_told_so_by_the_layers(gate: RunningGate, how: str) -> None:
    cookie = gate.sign_in(f"leaver{next(_numbers)}")
    if how == "signed out":
        gate.ask("/sso.php?mode=logout", cookie)
    else:
        cookie = cookie[:-43] + "f" * 43
    with RawClient(gate.port) as client:
        for _ in range(3):
            assert client.send(asked("/members/x", cookie)).answer().status == 401


def test_a_long_answer_ends_with_the_session(gate: RunningGate, upstream: Pages) -> None:
    path, cookie = write(upstream, endless), gate.sign_in("reader")
    theirs = gate.sign_in("stayer")
    with RawClient(gate.port, timeout=20) as client, RawClient(gate.port, timeout=20) as other:
        client.send(asked(path, cookie))
        other.send(asked(path, theirs))
        until(lambda: len(upstream.seen(path)) == 2)
        command(gate, "user", "deactivate", "reader")

        assert client.rest() == b""
        time.sleep(1)
        other._socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            other.rest()


def test_a_stopping_worker_answers_whom_it_is_looking_up(
    postgresql: PostgreSQL, upstream: Pages, tmp_path: Path
) -> None:
    path = write(upstream, ok(b"after all"))
    store = postgresql.store(tmp_path)
    with standing(tmp_path / "gate", upstream.url, store=store) as running:
        cookie = running.sign_in()
        name = store["url"].rpartition("/")[2]
        with RawClient(running.port, timeout=20) as client:
            with locked(postgresql, name):
                client.send(asked(path, cookie))
                time.sleep(0.5)
                os.kill(running.pid, signal.SIGTERM)
                time.sleep(1)
            assert client.answer().body == b"after all"


# --- WebSockets -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def talker() -> Iterator[Talker]:
    with Talker([sys.executable, str(PROJECT / "tests/worker/talker.py")]) as running:
        yield running


@pytest.fixture(scope="module")
def tunnelled(
    postgresql: PostgreSQL,
    talker: Talker,
    upstream: Pages,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningGate]:
    folder = tmp_path_factory.mktemp("tunnelled")
    store = postgresql.store(folder)
    with served(folder / "gate", talker, upstream.url, "--workers", "2", store=store) as running:
        yield running


def test_a_websocket_is_opened(tunnelled: RunningGate) -> None:
    cookie = tunnelled.sign_in("talker", groups="staff")
    with spoken_to(tunnelled, "/admin/echo", cookie) as client:
        client.send("hello")
        assert client.recv() == "hello"


def test_nobody_else_opens_one(tunnelled: RunningGate) -> None:
    member = tunnelled.sign_in("member")

    assert tunnelled.ask("/admin/echo", member, *HANDSHAKE, close=False).status == 403
    assert tunnelled.ask("/admin/echo", *HANDSHAKE, close=False).status == 401


@pytest.mark.parametrize("how", ["logout", "deactivate", "groups"])
def test_websockets_end_with_the_session_and_others_go_on(tunnelled: RunningGate, how: str) -> None:
    def end(name: str, cookie: str) -> None:
        if how == "logout":
            tunnelled.ask("/sso.php?mode=logout", cookie)
        else:
            command(tunnelled, "user", how, name, *([""] if how == "groups" else []))

    async def go() -> None:
        name, other = (f"person{next(_numbers)}" for _ in range(2))
        mine, theirs = (tunnelled.sign_in(who, groups="staff") for who in (name, other))
        async with (
            tunnels(tunnelled, "/admin/echo", mine, 10) as ending,
            tunnels(tunnelled, "/admin/echo", theirs, 10) as lasting,
        ):
            ports = {client.local_address[1] for client in ending}
            pids = workers(tunnelled)
            assert all(len(ports & visitors(pid, tunnelled.port)) == 5 for pid in pids)

            await asyncio.to_thread(end, name, mine)
            async with asyncio.timeout(SOON):
                await asyncio.gather(*(client.wait_closed() for client in ending))

            assert all(await asyncio.gather(*map(is_open, lasting)))

    asyncio.run(go())
