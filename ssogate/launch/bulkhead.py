"""A hanging panel holds up nobody but who asked for it (Nygard, "Release It!": bulkheads).

Each call runs in a thread of its own, which no deadline can end; so it keeps its server's place
until it has ended by itself. Whoever waits for it gives up in time, and whoever would only wait for
a place is told so at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TypeVar

from ssogate.errors import PanelBusy, PanelSlow

T = TypeVar("T")


class Bulkheads:
    """Lets `each` calls run at once for a server, and `waiting` requests wait for any, in this
    process."""

    def __init__(self, *, each: int, waiting: int) -> None:
        self._each, self._most = each, waiting
        self._lock = Lock()
        self._running: Counter[Hashable] = Counter()
        self._waiting = 0

    def run(self, server: Hashable, call: Callable[[], T], *, seconds: float) -> T:
        """Give what `call` gives. Raises what it raises, `PanelBusy` at once if there is no place,
        and `PanelSlow` after so many seconds."""
        self._enter(server)
        try:
            future = self._start(server, call)
            try:
                return future.result(seconds)
            except TimeoutError:
                if future.done():  # the call's own
                    raise
                raise PanelSlow(f"server {server}: not done after {seconds:g} s") from None
        finally:
            with self._lock:
                self._waiting -= 1

    def _enter(self, server: Hashable) -> None:
        with self._lock:
            running, waiting = self._running[server], self._waiting
            if running >= self._each or waiting >= self._most:
                raise PanelBusy(f"server {server}: {running} calls run, {waiting} requests wait")
            self._running[server] += 1
            self._waiting += 1

    def _start(self, server: Hashable, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            try:
                found = call()
            except BaseException as error:  # whoever waits is told, whatever it is
                self._leave(server)
                future.set_exception(error)
            else:
                self._leave(server)
                future.set_result(found)

        try:
            Thread(target=work, name=f"launch-{server}", daemon=True).start()
        except RuntimeError as error:  # the process has as many as it may have
            self._leave(server)
            raise PanelBusy(str(error)) from error
        return future

    def _leave(self, server: Hashable) -> None:
        with self._lock:
            self._running[server] -= 1
            if not self._running[server]:
                del self._running[server]
