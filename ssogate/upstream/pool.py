"""Kept-alive connections to one upstream: newest first, bounded, and none shared by a fork.

Strategy: whoever relays holds a ticket, and there are as many tickets as connections may be open.
A connection is opened only by a ticket's holder who finds none idle, so that number is never
passed, and everything is a single operation on a queue or deque that needs no lock of ours.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from ssogate.errors import UpstreamBusy
from ssogate.upstream.connection import Connection, OutOfTime


class _Share:
    """What one process holds."""

    __slots__ = ("idle", "tickets")

    def __init__(self, limit: int) -> None:
        self.idle: deque[Connection] = deque()
        self.tickets: SimpleQueue[None] = SimpleQueue()
        for _ in range(limit):
            self.tickets.put(None)


class Pool:
    """Connections to one upstream. Each `acquire` is followed by one `finish`."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        limit: int,
        queue_timeout: float,
        idle_lifetime: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._limit, self._queue_timeout, self._idle_lifetime = limit, queue_timeout, idle_lifetime
        self._clock = clock
        # By process: two workers that wrote to one inherited connection would read each other's
        # answers, and a lock that was held while forking would never open.
        self._shares: dict[int, _Share] = {}

    def acquire(self, ends: float = math.inf) -> Connection:
        """Give a connection that nobody else uses, at most `limit` at once.

        Raises `UpstreamBusy` when none is free within `queue_timeout` seconds, `OutOfTime` when
        that is not before `ends` (by the clock), and `UpstreamUnreachable`.
        """
        share = self._share()
        left = max(ends - self._clock(), 0)
        try:
            share.tickets.get(timeout=min(self._queue_timeout, left))
        except Empty as error:
            if left < self._queue_timeout:
                raise OutOfTime from error
            raise UpstreamBusy(f"{self._limit} requests are under way") from error
        try:
            connection = self._idle_connection(share) or self._connect()
        except BaseException:
            share.tickets.put(None)
            raise
        connection.ends = ends
        return connection

    def finish(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back. It is kept only if it may be reused and is provably clean."""
        share = self._share()
        if reusable and connection.clean:
            connection.idle_since = self._clock()
            # The connection first, then the ticket: its next holder shall find it.
            share.idle.append(connection)
            self._drop_oldest(share)
        else:
            connection.close()
        share.tickets.put(None)

    def places(self) -> SimpleQueue[None]:
        """Give this process's tickets to who brings connections along: each of its requests takes
        one, and puts it back."""
        return self._share().tickets

    def close(self) -> None:
        """Close what is idle in this process."""
        _close_all(self._share())

    def _share(self) -> _Share:
        pid = os.getpid()
        share = self._shares.get(pid)
        if share is None:
            share = self._shares.setdefault(pid, _Share(self._limit))
            for other in list(self._shares):
                if other != pid and (inherited := self._shares.pop(other, None)):
                    _close_all(inherited)  # our copies only; the parent's stay open
        return share

    def _idle_connection(self, share: _Share) -> Connection | None:
        oldest_use = self._clock() - self._idle_lifetime
        with suppress(IndexError):  # none is left, maybe since another thread was quicker
            while True:
                connection = share.idle.pop()
                if (connection.idle_since or 0) >= oldest_use and connection.quiet():
                    return connection
                connection.close()
        return None

    def _drop_oldest(self, share: _Share) -> None:
        """Close one connection that has outlived its use, so that a quiet hour empties the pool."""
        try:
            oldest = share.idle[0]
            if (oldest.idle_since or 0) >= self._clock() - self._idle_lifetime:
                return
            share.idle.remove(oldest)
        except (IndexError, ValueError):  # another thread was quicker
            return
        oldest.close()


def _close_all(share: _Share) -> None:
    with suppress(IndexError):
        while True:
            share.idle.pop().close()
