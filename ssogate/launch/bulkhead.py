"""A hanging panel holds up nobody but who asked for it (Nygard, "Release It!": bulkheads).

Each call runs in a thread of its own, which no deadline can end; so it keeps its server's place
until it has ended by itself. Whoever waits for it gives up in time, and whoever would only wait for
a place is told so at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TypeVar

from ssogate.errors import PanelBusy, PanelSlow

T = TypeVar("T")
Places = dict[Hashable, int]
"""How many there may be of each kind."""


class Bulkheads:
    """Lets `each` calls run at once for a server, and `waiting` requests wait for any, in this
    process; half of either for one person, so that nobody takes all the places."""

    def __init__(self, *, each: int, waiting: int) -> None:
        self._each, self._most = each, waiting
        self._lock = Lock()
        self._taken: Counter[Hashable] = Counter()

    def run(
        self, server: Hashable, person: Hashable, call: Callable[[], T], *, seconds: float
    ) -> T:
        """Give what `call` gives. Raises what it raises, `PanelBusy` at once if there is no place,
        and `PanelSlow` after so many seconds."""
        running: Places = {
            ("runs", server): self._each,
            ("runs", server, person): (self._each + 1) // 2,
        }
        waiting: Places = {("waits",): self._most, ("waits", person): (self._most + 1) // 2}
        self._take(running | waiting)
        try:
            future = self._start(f"launch-{server}", call, running)
            try:
                return future.result(seconds)
            except TimeoutError:
                if future.done():  # the call's own
                    raise
                raise PanelSlow(f"server {server}: not done after {seconds:g} s") from None
        finally:
            self._give(waiting)

    def _take(self, places: Places) -> None:
        with self._lock:
            full = [place for place, most in places.items() if self._taken[place] >= most]
            if full:
                raise PanelBusy(f"no place left: {full[0]}")
            self._taken.update(places.keys())

    def _give(self, places: Iterable[Hashable]) -> None:
        with self._lock:
            self._taken.subtract(places)
            self._taken = +self._taken

    def _start(self, name: str, call: Callable[[], T], places: Places) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            try:
                found = call()
            except BaseException as error:  # whoever waits is told, whatever it is
                self._give(places)
                future.set_exception(error)
            else:
                self._give(places)
                future.set_result(found)

        try:
            Thread(target=work, name=name, daemon=True).start()
        except RuntimeError as error:  # the process has as many as it may have
            self._give(places)
            raise PanelBusy(str(error)) from error
        return future
