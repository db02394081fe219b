"""What all visitors together may have held for them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from ssogate.worker.hoards import hoarders
from ssogate.worker.visitor import Visitor
from tests.servers import RawClient
from tests.upstream.scripted import ok
from tests.worker.inside.conftest import InsideGate, inside
from tests.worker.stage import MIB, Pages, asked, patient, until

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Holding:
    holds: int


@pytest.mark.parametrize(
    ("held", "most", "gone"),
    [
        pytest.param([], 0, [], id="nobody"),
        pytest.param([5, 1, 4], 10, [], id="no more than there may be"),
        pytest.param([5, 1, 4], 9, [5], id="a little more"),
        pytest.param([5, 1, 4], 4, [5, 4], id="much more"),
        pytest.param([0, 3, 0], 0, [3], id="who holds nothing stays"),
    ],
)
def test_who_holds_most_goes_first(held: list[int], most: int, gone: list[int]) -> None:
    assert [it.holds for it in hoarders(map(Holding, held), most)] == gone


@pytest.fixture
def small(upstream: Pages, tmp_path: Path) -> Iterator[InsideGate]:
    """A gate whose visitors may keep 1 MiB waiting."""
    with inside(tmp_path / "gate", upstream.url, {}) as gate:
        gate.worker.most_held = MIB
        yield gate


def heads(gate: InsideGate) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", gate.port), 10)
    sock.sendall(asked("/pub/x")[:-2] + b"X: " + b"a" * 100_000)
    return sock


def forms(gate: InsideGate) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", gate.port), 10)
    sock.sendall(asked("/pub/x", "Content-Length: 60001", method="POST") + b"a" * 60_000)
    return sock


def answers(gate: InsideGate) -> socket.socket:
    sock = patient(gate.port, takes=4096)
    sock.sendall(asked("/pub/hoard"))
    return sock


@pytest.mark.parametrize("hoard", [heads, forms, answers])
def test_who_keeps_much_waiting_does_not_have_all_of_it_kept(
    small: InsideGate,
    upstream: Pages,
    monkeypatch: pytest.MonkeyPatch,
    hoard: Callable[[InsideGate], socket.socket],
) -> None:
    upstream.at["/pub/hoard"] = ok(b"x" * 16 * MIB)
    worker, gone = small.worker, list[Visitor]()
    discard = worker.gone

    def note(visitor: Visitor) -> None:
        gone.append(visitor)
        discard(visitor)

    monkeypatch.setattr(worker, "gone", note)
    with ExitStack() as stack:
        socks = [stack.enter_context(hoard(small)) for _ in range(60)]
        until(lambda: len(gone) > 30)  # 40, if each keeps no more than 50 KiB
        until(lambda: sum(it.holds for it in list(worker._visitors)) <= MIB)
        assert len(worker._visitors) > 2, "no more are seen off than must be"
        with RawClient(small.port) as client:
            assert client.send(asked("/pub/next")).answer().body == b"/pub/next"
        assert socks
