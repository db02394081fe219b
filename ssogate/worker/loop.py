"""An event loop over sockets that are registered once, and the sockets on it.

Strategy: epoll, level-triggered, and one dict from descriptor to handler. A socket that was taken
off is closed after the round: until then its number cannot come to mean another one. What is to be
sent is sent at the end of the round, all of it together: who sleeps at the other end is woken once,
which costs more than to send. There are no timers but a walk over all sockets, which have a
deadline each.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, POLLIN, epoll, poll
from typing import Protocol

from ssogate.http.log import log
from ssogate.worker.rota import Rota

# Bytes that are received at a time. From 128 KiB on, memory comes from the system each time, and
# goes back to it: that costs more than it saves.
BLOCK = 126_976
WALK_SECONDS = 0.5  # in which each deadline is looked at
NEVER = float("inf")
_BROKEN = EPOLLERR | EPOLLHUP
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Loop:
    """One thread's. `now` is the time of the current round, in monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._epoll, self._clock = epoll(), clock
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._wires: dict[int, Wire] = {}
        self._left: list[socket.socket] = []
        self._soon: list[Callable[[], object]] = []
        self.unsent: list[Wire] = []
        """Wires with something to send that has not been tried yet."""
        self.now = self._clock()
        self._rota = Rota(self._wires.values(), WALK_SECONDS, self.now)

    def add(self, fileno: int, handler: Callable[[int], None], mask: int = EPOLLIN) -> None:
        """Have `handler` called with the events of a descriptor."""
        self._handlers[fileno] = handler
        self._epoll.register(fileno, mask)

    def remove(self, fileno: int) -> None:
        """Forget a descriptor; others are not disturbed by one that is unknown."""
        if self._handlers.pop(fileno, None) is not None:
            with suppress(OSError, ValueError):
                self._epoll.unregister(fileno)

    def run_once(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for events, and have all of them handled."""
        events = self._epoll.poll(0 if self._soon else timeout, 512)
        self.now = self._clock()
        for fileno, mask in events:
            handler = self._handlers.get(fileno)
            if handler is not None:
                handler(mask)
        self._end_round()
        self._walk()

    def _end_round(self) -> None:
        if self._soon:
            acts, self._soon = self._soon, []
            for act in acts:
                guarded(act)
        if self.unsent:
            wires, self.unsent = self.unsent, []
            for wire in wires:
                wire.flush()
        if self._left:
            self._close_left()

    def soon(self, act: Callable[[], object]) -> None:
        """Do something at the end of this round, or of the next."""
        self._soon.append(act)

    def close(self) -> None:
        """Close the loop; not the sockets that are still on it."""
        self._close_left()
        self._epoll.close()

    def watch(self, wire: Wire) -> None:
        self._wires[wire.fileno] = wire
        self.add(wire.fileno, wire.on_events, wire.mask)

    def change(self, wire: Wire) -> None:
        self._epoll.modify(wire.fileno, wire.mask)

    def forget(self, wire: Wire) -> None:
        self._wires.pop(wire.fileno, None)
        self.remove(wire.fileno)

    def leave(self, sock: socket.socket) -> None:
        """Close a socket that was forgotten, once nothing of this round can mean it."""
        self._left.append(sock)

    def _close_left(self) -> None:
        for sock in self._left:
            with suppress(OSError):
                sock.close()
        self._left.clear()

    def _walk(self) -> None:
        for wire in self._rota.due(self.now):
            if wire.deadline < self.now and not wire.off:
                wire.do(wire.end.expired)
        if self._left:
            self._close_left()


def guarded(act: Callable[[], object]) -> bool:
    """Do something; whether it went without a mistake of ours, which is logged and harms nobody
    else."""
    try:
        act()
    except Exception:
        log.exception("a bug in the lane")
        return False
    return True


def keep_alive(sock: socket.socket) -> None:
    """Have the system notice when the other side of a silent connection is gone."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class End(Protocol):
    """What a wire belongs to."""

    def congested(self) -> None:
        """The other side takes no more for the moment; do not send it much more."""

    def drained(self) -> None:
        """The other side has taken everything after all."""

    def refused(self, error: OSError) -> None:
        """Nothing can be sent any more. What came before may still be received."""

    def broken(self, error: Exception) -> None:
        """Nothing comes or goes any more, unless the wire is paused: then something may have come
        before."""

    def expired(self) -> None:
        """The deadline has passed."""


class Wire:
    """A non-blocking socket on the loop, with what waits to be sent on it.

    `received` is called with what came, and with nothing at the orderly end. Who owns the wire puts
    another one there as it goes on.
    """

    __slots__ = (
        "_parked",
        "_tls",
        "deadline",
        "end",
        "failed",
        "fileno",
        "loop",
        "mask",
        "off",
        "out",
        "received",
        "sock",
    )

    def __init__(
        self, loop: Loop, sock: socket.socket, end: End, received: Callable[[bytes], None]
    ) -> None:
        sock.setblocking(False)
        self.loop, self.sock, self.end, self.received = loop, sock, end, received
        self.fileno, self.mask = sock.fileno(), EPOLLIN
        self._tls = isinstance(sock, ssl.SSLSocket)
        self.out = b""
        """What has not been sent yet."""
        self.deadline = NEVER
        """Monotonic seconds after which `end.expired` is called, a second late at most."""
        self.off = self._parked = self.failed = False
        loop.watch(self)

    def on_events(self, mask: int) -> None:
        """Handle what epoll tells."""
        try:
            # What was paused in this very round was fetched before: it comes again.
            if mask & self.mask & EPOLLIN:
                if self._tls:
                    self._decipher()
                else:
                    self.received(self.sock.recv(BLOCK))
            elif mask & _BROKEN:
                self.end.broken(ConnectionResetError("the connection is gone"))
                return
            if mask & EPOLLOUT and self.mask & EPOLLOUT:
                self._go_on()
        except _NOT_NOW:
            return
        except OSError as error:
            self.do(partial(self.end.broken, error))
        except Exception as error:
            log.exception("a bug in the lane")
            self.do(partial(self.end.broken, error))

    def do(self, act: Callable[[], object]) -> None:
        """Do something that must not end the loop, whatever becomes of this wire."""
        if not guarded(act):
            guarded(partial(self.end.broken, RuntimeError("a bug in the lane")))
            self.close()

    def _decipher(self) -> None:
        data = b" "
        while data and self.mask & EPOLLIN:
            data = self.sock.recv(BLOCK)
            self.received(data)
            # See `catch_up`.
            if self.off or not self._pending():
                return

    def _pending(self) -> int:
        return self.sock.pending() if self._tls else 0  # type: ignore[attr-defined]

    def send(self, data: bytes) -> None:
        """Send at the end of this round, or as soon as the other side takes it."""
        if self.out:
            self.out += data
        else:
            self.out = data
            self.loop.unsent.append(self)

    def flush(self) -> None:
        """Send now, as much as the other side takes."""
        if not self.out or self.mask & EPOLLOUT:
            return
        try:
            sent = self.sock.send(self.out)
        except _NOT_NOW:
            sent = 0
        except OSError as error:
            self._fail(error)
            return
        if sent == len(self.out):
            self.out = b""
        else:
            self.out = self.out[sent:]
            self.want(self.mask | EPOLLOUT)
            self.do(self.end.congested)

    def _fail(self, error: OSError) -> None:
        self.failed, self.out = True, b""
        self.want(self.mask & ~EPOLLOUT)
        self.do(partial(self.end.refused, error))

    def _go_on(self) -> None:
        try:
            self.out = self.out[self.sock.send(self.out) :]
        except _NOT_NOW:
            return
        except OSError as error:
            self._fail(error)
            return
        if not self.out:
            self.want(self.mask & ~EPOLLOUT)
            self.end.drained()

    def listen(self, wanted: bool) -> None:
        """Go on receiving, or stop: then whoever sends has to wait."""
        if self.off or wanted == self.listens:
            return
        self.want(self.mask ^ EPOLLIN)
        if wanted:
            self.catch_up()

    def catch_up(self) -> None:
        """Take what TLS had deciphered before: it makes no socket readable."""
        if self._pending():
            self.loop.soon(partial(self.on_events, EPOLLIN))

    def has_news(self) -> bool:
        """Whether something has come that nobody has received yet."""
        news = poll()
        news.register(self.fileno, POLLIN)
        return bool(news.poll(0))

    @property
    def listens(self) -> bool:
        return bool(self.mask & EPOLLIN)

    def want(self, mask: int) -> None:
        """Be told of these events, besides a broken connection, of which epoll always tells."""
        if mask == self.mask or self.off:
            return
        self.mask = mask
        if self._parked:
            self._parked = False
            self.loop.watch(self)
        else:
            self.loop.change(self)

    def park(self) -> None:
        """Hear nothing of a broken connection either, until something else is wanted."""
        self.loop.remove(self.fileno)
        self._parked = True

    def release(self) -> socket.socket:
        """Take the socket off the loop, and give it."""
        self.loop.forget(self)
        self.off, self.mask, self.out = True, 0, b""
        return self.sock

    def close(self) -> None:
        """Close the connection, having tried to send what was to be sent. Twice is no harm."""
        if not self.off:
            if self.out and not self.mask & EPOLLOUT:
                with suppress(OSError):
                    self.sock.send(self.out)
            self.loop.leave(self.release())
