"""Who asks, where that cannot be told without a wait: threads look it up, and the loop goes on.
They also write down, a moment later, which sessions were used.

They have nothing else to do, so that neither slow applications nor slow pages keep anybody waiting
for this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from ssogate.errors import GateError
from ssogate.http.log import log
from ssogate.lane.judge import Lane
from ssogate.lane.orders import Found, Order, Unknown

THREADS = 4  # each waits for the database most of the time
SWEEP_SECONDS = 1.0  # for the sessions of long answers, at a time; a thousand are looked up in less
DOUBT_SECONDS = 10.0
"""For how long an answer goes on of whose session nobody can know: as long as the slowest answer of
a database may take, and most restarts of one. Nobody new is let in meanwhile."""

T = TypeVar("T")


class LongAnswer(Protocol):
    """A visitor, whose answer may outlive its session."""

    def verify(self, still: Callable[[Order], bool | Unknown]) -> str:
        """End it if `still` says so; give the token if that says that it is unknown."""

    def close(self) -> None: ...


class Lookups:
    """For a worker's visitors. `call` has its loop do something."""

    def __init__(self, lane: Lane, call: Callable[[Callable[[], object]], object]) -> None:
        self._lane, self._call = lane, call
        self._pool = ThreadPoolExecutor(THREADS, "lookup")
        self._sweeping = self._writing = False
        self._doubts: dict[str, float] = {}
        """Since when nobody can tell of a session."""

    def ask(self, token: str, then: Callable[[Found], object]) -> None:
        """Have somebody looked up; `then` is called by the loop."""
        self._submit(partial(self._lane.look_up, token), then, Found(token, None))

    def write_down(self) -> None:
        """Have the uses of sessions written down, if there are any."""
        if self._lane.has_uses and not self._writing:
            self._writing = True
            self._submit(self._lane.write_down, self._written, None)

    def _written(self, nothing: None) -> None:
        self._writing = False

    def verify(self, visitors: Iterable[LongAnswer], now: float) -> None:
        """End what goes on although its session does not. Who is not known without a wait is looked
        up; what that finds is judged as soon as it is here."""
        unknown: dict[str, list[LongAnswer]] = {}
        for visitor in visitors:
            token = visitor.verify(self._lane.still)
            if token:
                unknown.setdefault(token, []).append(visitor)
        self._doubts = {token: self._doubts.get(token, now) for token in unknown}
        for token, since in self._doubts.items():
            if now - since > DOUBT_SECONDS:
                log.warning("answers ended: nobody can tell of their session")
                for visitor in unknown[token]:
                    visitor.close()
        if unknown and not self._sweeping:
            self._sweeping = True
            tokens = sorted(unknown, key=self._doubts.__getitem__)
            nothing: list[Found] = []
            self._submit(partial(self._sweep, tokens), partial(self._swept, unknown), nothing)

    def _sweep(self, tokens: list[str]) -> list[Found]:
        """Look up as many as can be told of in time."""
        found: list[Found] = []
        until = time.monotonic() + SWEEP_SECONDS
        try:
            for token in tokens:
                found.append(self._lane.look(token))
                if time.monotonic() > until:
                    break
        except GateError:  # the others stay in doubt
            pass
        return found

    def _swept(self, unknown: dict[str, list[LongAnswer]], found: list[Found]) -> None:
        self._sweeping = False
        for one in found:
            self._doubts.pop(one.token, None)
            for visitor in unknown[one.token]:
                visitor.verify(partial(self._lane.still, found=one))

    def close(self) -> None:
        """End the threads; what was noted to the last is written down."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._lane.write_down()

    def _submit(self, act: Callable[[], T], then: Callable[[T], object], otherwise: T) -> None:
        def done(future: Future[T]) -> None:
            failed = future.cancelled() or future.exception() is not None
            self._call(partial(then, otherwise if failed else future.result()))

        self._pool.submit(act).add_done_callback(done)
