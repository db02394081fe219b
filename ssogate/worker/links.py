"""The loop's own kept-alive connections to the servers of upstreams.

Strategy: a place in the server's pool for each request that is under way, so that threads and loop
together keep to its limit; whoever finds none waits in line. Dialling (names, TLS) blocks, so a few
threads of the server's own do it: a server that cannot be reached holds up nobody else's.
"""

from __future__ import annotations

import select
import socket
from bisect import insort
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from queue import Empty
from typing import Protocol

from ssogate.errors import GateError, UpstreamBusy, UpstreamUnreachable
from ssogate.upstream.route import Limits, Server
from ssogate.worker.loop import Loop, Wire

DIALLERS = 4  # threads for each server; they end with the worker
_NEWS = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLRDHUP

Call = Callable[[Callable[[], object]], None]
"""Has the loop's thread call something; for other threads."""


class User(Protocol):
    """Whose request is under way."""

    waits: bool
    """Whether it still wants a connection."""
    ends: float
    """Monotonic seconds after which it wants none."""

    def linked(self, link: Link) -> None:
        """Here is the connection that was asked for; what is received on it is the user's."""

    def unlinked(self, error: GateError) -> None:
        """There will be none."""

    def congested(self) -> None:
        """The server takes no more for the moment."""

    def drained(self) -> None:
        """The server has taken everything."""

    def deserted(self, error: Exception) -> None:
        """The connection broke."""

    def late(self) -> None:
        """The server lets us wait too long."""


class Link:
    """A connection to a server. In use by one request, or idle."""

    __slots__ = ("_links", "_listener", "reused", "user", "wire")

    def __init__(self, links: Links, wire_to: socket.socket, loop: Loop) -> None:
        self._links = links
        self.user: User | None = None
        self.reused = False
        self._listener = select.poll()
        self._listener.register(wire_to, _NEWS)
        self.wire = Wire(loop, wire_to, self, self.news)

    def quiet(self) -> bool:
        """Whether the wire is silent. On an idle connection any news is bad: a hang-up, or bytes
        that would be taken for the answer to the next visitor's request."""
        return not self._listener.poll(0)

    def news(self, data: bytes) -> None:
        """Something came although nothing was asked for."""
        self._links.lost(self)

    def congested(self) -> None:
        if self.user is not None:
            self.user.congested()

    def drained(self) -> None:
        if self.user is not None:
            self.user.drained()

    def refused(self, error: OSError) -> None:
        """It may have said why, before it hung up: that is still to be read."""
        if self.user is None:
            self._links.lost(self)

    def broken(self, error: Exception) -> None:
        if not self.wire.listens:
            self.wire.park()  # what came before it broke is still to be fetched
        elif self.user is None:
            self._links.lost(self)
        else:
            self.user.deserted(error)

    def expired(self) -> None:
        if self.user is None:
            self._links.lost(self)
        else:
            self.user.late()


class Links:
    """Connections to one server. Each `take` that ends in `linked` is followed by one `finish`."""

    def __init__(self, loop: Loop, call: Call, server: Server, limits: Limits) -> None:
        self._loop, self._call = loop, call
        self._server, self._limits = server, limits
        self._places = server.pool.places()
        self._idle: list[Link] = []
        self._line: deque[tuple[float, User]] = deque()
        self._dialling: dict[User, float] = {}
        self._diallers = ThreadPoolExecutor(DIALLERS, thread_name_prefix="dial")

    def take(self, user: User) -> None:
        """Give `user` a connection, now or later."""
        if not self._line and self._reserve():
            self._serve(user)
        else:
            until = min(self._loop.now + self._limits.queue, user.ends)
            # At the end, but for who has been to another server before.
            insort(self._line, (until, user), key=itemgetter(0))

    def _reserve(self) -> bool:
        try:
            self._places.get_nowait()
        except Empty:
            return False
        return True

    def again(self, link: Link, user: User) -> None:
        """Give `user` a new connection in place of one that turned out dead."""
        link.user = None
        link.wire.close()
        self._dial(user)

    def finish(self, link: Link, *, reusable: bool) -> None:
        """Take a connection back; it is kept only if nothing of the last request is left on it."""
        link.user = None
        wire = link.wire
        wire.received = link.news
        if reusable and wire.listens and not (wire.out or wire.off or wire.failed):
            link.reused = True
            wire.deadline = self._loop.now + self._limits.idle
            self._idle.append(link)
        else:
            wire.close()
        self._free()

    def lost(self, link: Link) -> None:
        """An idle connection has ended, or has been idle for long enough."""
        self._idle.remove(link)
        link.wire.close()

    def look(self) -> None:
        """See to those who wait: call it now and then, since threads take and free places, too."""
        now = self._loop.now
        while self._line and (self._line[0][0] < now or not self._line[0][1].waits):
            _, user = self._line.popleft()
            if user.waits:
                user.unlinked(UpstreamBusy("no place came free"))
        while self._line and self._reserve():
            user = self._line.popleft()[1]
            if user.waits:
                self._serve(user)
            else:
                self._places.put(None)
        for user in [user for user, until in self._dialling.items() if until < now]:
            del self._dialling[user]  # the place comes free when its dialler comes back
            if user.waits:
                user.unlinked(UpstreamUnreachable("no connection was opened in time"))

    def close(self) -> None:
        """Close what is idle, and dial no more."""
        for link in self._idle:
            link.wire.close()
        self._idle.clear()
        self._diallers.shutdown(wait=False, cancel_futures=True)

    def _free(self) -> None:
        self._places.put(None)
        if self._line:
            self.look()

    def _serve(self, user: User) -> None:
        """At the end of the round, when it is sent: what comes on an idle connection until then
        must not be taken for an answer."""
        self._loop.soon(partial(self._find, user))

    def _find(self, user: User) -> None:
        if not user.waits:
            self._free()
            return
        while self._idle:
            link = self._idle.pop()
            if link.quiet():
                self._link(link, user)
                return
            link.wire.close()
        self._dial(user)

    def _dial(self, user: User) -> None:
        # There are fewer diallers than may wait for one.
        until = self._loop.now + self._limits.connect + self._limits.queue
        self._dialling[user] = min(until, user.ends)
        dialled = self._diallers.submit(self._server.dial)
        dialled.add_done_callback(lambda done: self._call(partial(self._dialled, done, user)))

    def _dialled(self, done: Future[socket.socket], user: User) -> None:
        # Who has waited for too long may be with another server by now.
        asked = self._dialling.pop(user, None) is not None and user.waits
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            self._free()
            if asked:
                user.unlinked(_as_ours(error))
            return
        link = Link(self, done.result(), self._loop)
        if asked:
            self._link(link, user)
        else:
            self.finish(link, reusable=True)

    @staticmethod
    def _link(link: Link, user: User) -> None:
        link.user = user
        user.linked(link)


def _as_ours(error: BaseException | None) -> GateError:
    return error if isinstance(error, GateError) else UpstreamUnreachable(f"not dialled: {error}")
