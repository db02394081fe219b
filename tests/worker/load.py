"""Visitors who ask and ask again over kept-alive connections, repeat nothing, and take notes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from tests.servers import Gunicorn, RawClient
from tests.worker.stage import own_port, until, visitors, workers

LOST = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. `began` is in monotonic seconds, `status` is `LOST` where no whole answer came,
    `again` says whether the connection had served one before."""

    began: float
    status: int
    again: bool
    port: int


class Load:
    """Visitors under way as long as the context lasts."""

    def __init__(self, port: int, data: bytes, *, visitors: int = 6) -> None:
        self._port, self._data = port, data
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(visitors)]
        self.sent: list[Sent] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def go_on_for(self, count: int) -> None:
        """Wait until so many more requests are over."""
        goal = len(self.sent) + count
        until(lambda: len(self.sent) >= goal, f"{len(self.sent)} of {goal} requests")

    @property
    def lost(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.status == LOST]

    def _visit(self) -> None:
        while not self._stopped.is_set():
            try:
                client = RawClient(self._port, timeout=20)
            except OSError:  # nobody listens: nothing was sent
                time.sleep(0.01)
                continue
            with client:
                again = False
                while not self._stopped.is_set() and self._ask(client, again):
                    again = True

    def _ask(self, client: RawClient, again: bool) -> bool:
        """Send one request; give whether the connection goes on."""
        began, status, stays = time.monotonic(), LOST, False
        try:
            answer = client.send(self._data).answer()
        except (OSError, EOFError):
            pass
        else:
            status = answer.status if answer.complete else LOST
            stays = bool(status) and answer.header("Connection") != "close"
        self.sent.append(Sent(began, status, again, own_port(client)))
        return stays


@contextmanager
def everywhere(server: Gunicorn, data: bytes) -> Iterator[list[Load]]:
    """Load on every worker: who is free takes a whole burst of connections."""
    with ExitStack() as stack:
        loads: list[Load] = []
        while not (loads and all(visitors(pid, server.port) for pid in workers(server))):
            assert len(loads) < 100, "a worker takes nobody"
            loads.append(stack.enter_context(Load(server.port, data, visitors=2)))
            loads[-1].go_on_for(10)
        yield loads
