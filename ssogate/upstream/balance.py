"""Which of an upstream's servers has the next request: the one with the fewest under way.

Strategy: look at each once, beginning with another one every time, so that ties take turns. A
server that is due for its trial is given one at once: only requests bring it back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from threading import Lock
from typing import Generic, Protocol, TypeVar
from weakref import WeakMethod

from ssogate.errors import UpstreamDown
from ssogate.upstream.check import Check
from ssogate.upstream.health import Health


class Member(Protocol):
    """Whatever has a health."""

    @property
    def health(self) -> Health: ...


M = TypeVar("M", bound=Member)


class Balance(Generic[M]):
    """Chooses among `servers`; `checks` begin with the first request of each process."""

    def __init__(self, name: str, servers: Sequence[M], checks: Sequence[Check] = ()) -> None:
        self._name, self._servers, self._checks = name, servers, checks
        count = len(servers)
        for server in servers:
            server.health.spare = partial(self._has_another, server)
        # A step of `cycle` is one operation, which no other thread can come between.
        self._turns = cycle([(*servers[n:], *servers[:n]) for n in range(count)])
        self._begun = not checks
        self._lock = Lock()
        # A fork inherits numbers of requests that are not its own, locks that nobody will open,
        # and no thread. Weakly, since there is no way to unregister.
        forked = WeakMethod(self._forked)
        os.register_at_fork(after_in_child=lambda: (act := forked()) and act())

    def choose(self, now: float, besides: M | None = None) -> M:
        """Give a server, and count a request as under way there until its `health.ended()`.

        `now` is in monotonic seconds; `besides` is one that was tried in vain. Raises
        `UpstreamDown`.
        """
        if not self._begun:
            self._begin()
        best, fewest = None, sys.maxsize
        for server in next(self._turns):
            health = server.health
            if server is besides:
                continue
            if health.out:
                if health.admits(now):
                    best = server
                    break
            elif (load := len(health.under_way)) < fewest:
                best, fewest = server, load
        if best is None:
            raise UpstreamDown(f"no server of {self._name} is fit for use")
        best.health.under_way.append(None)
        return best

    def _has_another(self, server: M) -> bool:
        return any(not other.health.out for other in self._servers if other is not server)

    def close(self) -> None:
        """End the checks."""
        with self._lock:
            self._begun = True
        for check in self._checks:
            check.stop()

    def _begin(self) -> None:
        with self._lock:
            if not self._begun:
                for check in self._checks:
                    check.start()
                self._begun = True

    def _forked(self) -> None:
        self._lock = Lock()
        self._begun = not self._checks
        for server in self._servers:
            server.health.forked()
