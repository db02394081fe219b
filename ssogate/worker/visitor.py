"""A visitor's connection: collects heads, takes the lane or hands over, and is seen off.

Strategy: a few states, each a method that takes what came. Nobody's thread waits for a visitor: a
head, and the first block of a body, are here before anything is done with them.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket
from typing import Protocol

from ssogate.errors import GateError
from ssogate.http.log import log
from ssogate.lane.answers import Answer
from ssogate.lane.bodies import Upload
from ssogate.lane.orders import Asked, Found, Order, Pass, Peer, Refused, Said, Unknown, peer_at
from ssogate.worker.exchange import Exchange, Means, now
from ssogate.worker.layers import Told
from ssogate.worker.loop import BLOCK, NEVER, Wire, keep_alive
from ssogate.worker.manners import CONTINUE, TOO_LARGE, manners, served
from ssogate.worker.unfinished import (
    MAX_FORM,
    Here,
    expects_continue,
    first_block,
    form,
    is_here,
    is_hopeless,
)

HEAD_SECONDS = 30  # for a whole head, from its first byte on
LOOK_UP_SECONDS = 30  # for finding out who somebody is; a database's longest answer takes less
BODY_SECONDS = 60  # for each next piece of a body
SLOWEST = 1024  # bytes a second, of a body as a whole
WRITE_SECONDS = 60  # in which a visitor must take what waits
LINGER_SECONDS = 2  # in which a visitor may take the answer and hang up (RFC 9112, section 9.6)
MAX_HEAD = 131_072  # bytes of an unfinished head; a finished one is the layers' to judge
_RESET = struct.pack("ii", 1, 0)  # what waits is thrown away, and the other side is told
MAX_DRAIN = 65_536  # bytes of an unwanted body that are read meanwhile, so that no reset is sent


class Judge(Protocol):
    """Who knows what becomes of a request (`lane.judge.Lane`)."""

    def order(
        self, data: bytes, peer: Peer, found: Found | None = None
    ) -> Order | Said | Asked | Refused | Unknown | None:
        """Judge a head."""


class Service(Means, Protocol):
    """What all visitors of a worker share."""

    alive: bool
    keepalive: float
    """Seconds that an unused connection is kept; 0 for none."""
    max_head: int
    """Bytes of a head that the lane may take."""

    @property
    def lane(self) -> Judge | None:
        """Nobody, where all requests are for the layers."""

    def hand_over(
        self, visitor: Visitor, data: bytes, failure: GateError | None, *, refused: bool
    ) -> None:
        """Have the layers answer, in a thread; then `visitor.back` is called, or it is closed.
        `refused`: they will not relay it."""

    def ask(
        self, visitor: Visitor, asked: Asked, body: bytes, then: Callable[[Told | None], object]
    ) -> None:
        """Have the layers answer what was read whole, in a thread. None: they could not be
        asked."""

    def look_up(self, token: str, then: Callable[[Found], object]) -> None:
        """Find out who somebody is, in a thread."""

    def count(self) -> None:
        """One more request has come."""

    def log_access(self, line: str) -> None:
        """Write a line of the access log: the members of its JSON object that follow the time."""

    def gone(self, visitor: Visitor) -> None:
        """The connection is closed."""


class Visitor:
    """One connection, from its accept to its end."""

    __slots__ = (
        "_asking",
        "_buffer",
        "_drained",
        "_exchange",
        "_head",
        "_leaving",
        "_looking",
        "_paused",
        "_peer",
        "_refused",
        "_searched",
        "_service",
        "_since",
        "address",
        "idle",
        "server",
        "wire",
    )

    def __init__(self, service: Service, sock: socket, address: object, server: object) -> None:
        self._service = service
        self._peer = peer_at(address[0] if isinstance(address, tuple) else "")
        self.address, self.server = address, server
        self._buffer = self._head = b""
        self._exchange: Exchange | None = None
        self._drained = self._searched = 0
        self._since = self._paused = 0.0
        self._asking = self._leaving = self._looking = self._refused = False
        self.idle = True
        """Whether it waits for a request of which nothing has come."""
        self.wire = Wire(service.loop, sock, self, self._collect)
        self.wire.deadline = service.loop.now + max(service.keepalive, LINGER_SECONDS)

    # --- What the wire tells -------------------------------------------------------------------

    def congested(self) -> None:
        self.wire.deadline = self._service.loop.now + WRITE_SECONDS
        if self._exchange is not None:
            self._exchange.stalled()
        elif not self._leaving:
            self.wire.listen(False)

    def drained(self) -> None:
        self.wire.deadline = NEVER
        if self._exchange is not None:
            self._exchange.taken()
        elif self._leaving:
            self._shut()
        else:
            self._next()

    def refused(self, error: OSError) -> None:
        self.close()

    def broken(self, error: Exception) -> None:
        self.close()

    def expired(self) -> None:
        self.close()

    def close(self) -> None:
        """End the connection at once. Twice is no harm."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()
            self._log_exchange(exchange)
        if not self.wire.off:
            self.wire.close()
            self._buffer = b""
            if not self._asking:  # it keeps its place as long as a thread is at work for it
                self._service.gone(self)

    @property
    def holds(self) -> int:
        """Bytes that are in memory for it."""
        held = len(self._buffer) + len(self._head) + len(self.wire.out)
        return held + self._exchange.holds if self._exchange else held

    # --- A request -----------------------------------------------------------------------------

    def _collect(self, data: bytes) -> None:
        if not data:
            self._end_of_request()
            return
        if self.idle:
            self.idle = False
            self.wire.deadline = self._service.loop.now + HEAD_SECONDS
        self._buffer = self._buffer + data if self._buffer else data
        self._proceed()

    def _proceed(self, found: Found | None = None) -> None:
        """Judge what is here, with what was `found` about it since it came."""
        wire = self.wire
        if wire.out:
            wire.flush()
        if wire.out or wire.off or self._looking or self._asking:
            return  # one answer after the other: it goes on when this one has been taken
        data = self._buffer
        # gunicorn takes one empty line before a request (RFC 9112, section 2.2).
        first = 2 if data[:2] == b"\r\n" else 0
        end = data.find(b"\r\n\r\n", max(first, self._searched - 3))
        if end < 0:
            self._look_at_unfinished(data, first)
            return
        self._searched = 0
        service = self._service
        order = None
        if service.lane is not None and end <= service.max_head:
            order = service.lane.order(data[:end], self._peer, found)
        if isinstance(order, Unknown):
            self._look_up(order.token)
        elif order is None or isinstance(order, Refused):
            self._refused = order is not None
            self._refer(end + 4)
        else:
            self._follow(order, end + 4)

    def _follow(self, order: Order | Said | Asked, body: int) -> None:
        if isinstance(order, Order):
            self._take_up(order, body)
        elif isinstance(order, Said):
            self._say(order, body)
        else:
            self._ask(order, body)

    def _look_up(self, token: str) -> None:
        """Ask who it is, and hear nothing more until then."""
        self.wire.listen(False)
        self.wire.deadline = self._service.loop.now + LOOK_UP_SECONDS
        self._looking = True
        self._service.look_up(token, self._looked_up)

    def _looked_up(self, found: Found) -> None:
        self._looking = False
        self.wire.received = self._collect
        self.wire.deadline = self._service.loop.now + HEAD_SECONDS
        self.wire.listen(True)
        self._proceed(found)

    def _take_up(self, order: Order, body: int) -> None:
        here = first_block(order, body) if order.length or order.chunked else None
        if here is None or here(self._buffer):
            self._begin(order, body)
        else:
            # No server waits for a slow visitor's form. Then it is judged anew: much may have
            # changed meanwhile.
            self._gather(body, here, self._proceed, expected=order.expects)

    def _say(self, said: Said, end: int) -> None:
        """An answer that is here already."""
        began, (start, lines, text) = now(), said.answer
        self._service.count()
        self._buffer = self._buffer[end:]
        self._log(said.granted, start[9:12].decode(), len(text), began, said.request_id)
        self._send(start, lines, text, close=said.close or self._closes)

    def _ask(self, asked: Asked, body: int) -> None:
        """Have the layers answer, once all is here; it stays in the buffer meanwhile."""
        service, end = self._service, body + asked.length
        if asked.length > MAX_FORM:
            self._refer(body)
        elif len(self._buffer) < end:
            self._gather(body, partial(is_here, end), self._proceed, expected=False)
        else:
            service.count()
            self._asking = True
            self.wire.deadline = NEVER
            self.wire.received = self._receive_meanwhile
            then = partial(self._tell, end, asked.close)
            service.ask(self, asked, self._buffer[body:end], then)

    def _tell(self, end: int, last: bool, told: Told | None) -> None:
        """What the layers say to the request that ends there; it may be the `last` one."""
        self._asking = False
        if told is not None:
            self._service.log_access(told.logged)
        if self.wire.off:
            self._service.gone(self)
        elif told is None:
            self.close()
        else:
            self._buffer = self._buffer[end:]
            self._send(told.start, told.lines, told.body, close=last or self._closes)

    def _send(self, start: bytes, lines: bytes, text: bytes, *, close: bool) -> None:
        """Send a whole answer."""
        added = manners(int(time.time()), close)
        self.wire.send(b"".join((start, added, lines, b"\r\n", text)))
        if close:
            self.see_off()
        else:
            self._next()

    def _gather(self, body: int, here: Here, then: Callable[[], None], *, expected: bool) -> None:
        """Do `then` as soon as what is waited for is `here`. The body begins at `body`; it may be
        that a word is `expected` before it is sent."""
        if expected:
            self.wire.send(CONTINUE)
        self._since = self._service.loop.now
        self.wire.deadline = self._until(0)
        self.wire.received = partial(self._gather_on, body, here, then)

    def _gather_on(self, body: int, here: Here, then: Callable[[], None], data: bytes) -> None:
        if not data:
            self._end_of_request()
            return
        self._buffer += data
        if here(self._buffer):
            then()
        else:
            self.wire.deadline = self._until(len(self._buffer) - body)

    def _until(self, came: int) -> float:
        """How long the next piece of a body may take: a while, and no more than a slow line would
        in all for what `came` and this while. Whoever sends holds one of the server's places, or of
        the upstream's."""
        slowest = self._since + BODY_SECONDS + came / SLOWEST
        return min(self._service.loop.now + BODY_SECONDS, slowest)

    def _end_of_request(self) -> None:
        """Nothing more comes. The layers have words for a body that was cut short."""
        if b"\r\n\r\n" in self._buffer:
            self._hand_over()
        else:
            self.close()

    def _look_at_unfinished(self, data: bytes, first: int) -> None:
        """Have the layers refuse at once what cannot become a head. A head that drips in is not
        read anew."""
        searched, self._searched = self._searched, len(data)
        if len(data) > MAX_HEAD:
            self._end(TOO_LARGE)
        elif is_hopeless(data, first, searched):
            self._hand_over()

    def _refer(self, body: int) -> None:
        """Hand over as soon as a form is here, too."""
        head = self._buffer[:body]
        here = form(head)
        if here(self._buffer):
            self._hand_over()
        else:
            self._gather(body, here, self._hand_over, expected=expects_continue(head))

    def _hand_over(self, failure: GateError | None = None) -> None:
        self.wire.flush()
        data = self._head + self._buffer
        self._buffer = self._head = b""
        self._searched = 0
        self.idle = False
        refused, self._refused = self._refused, False
        self._service.hand_over(self, data, failure, refused=refused)

    def _begin(self, order: Order, body: int) -> None:
        if self._exchange is not None:
            raise RuntimeError("two requests at once on one connection")
        service, data = self._service, self._buffer
        opening, upload = order.request, None
        if order.length or order.chunked:
            upload = Upload(order.length, order.place.route.max_body)
            try:
                opening, rest = upload.begin(order.request, data, body)
            except GateError:
                self._refer(body)  # nothing has been sent yet: the layers may read it, or refuse it
                return
        else:
            rest = data[body:]
        self._head, self._buffer = data[:body], rest
        service.count()
        self.wire.deadline, self._since, self._paused = NEVER, service.loop.now, 0.0
        self.wire.received = self._receive_meanwhile
        self._exchange = exchange = Exchange(self, order, service, opening, upload)
        exchange.begin()

    def _receive_meanwhile(self, data: bytes) -> None:
        """A request is under way: more of its body, or already the next one."""
        exchange = self._exchange
        if not data:
            self.wire.listen(False)  # it may still take the answer
            if exchange is not None and exchange.left:
                self.close()
            elif exchange is not None:
                exchange.hurry()
            return
        self._buffer += data
        if exchange is not None and exchange.left:
            self.feed(exchange)
        elif len(self._buffer) > BLOCK:
            self.wire.listen(False)

    def feed(self, exchange: Exchange) -> None:
        upload = exchange.upload
        if upload is None or not exchange.left or not self._is_in(exchange) or self._paused:
            return
        if self._buffer or upload.more:
            self._buffer = exchange.send_on(self._buffer)
        if not self._is_in(exchange):  # it has failed over that
            return
        waits = exchange.left and exchange.answer is None
        self.wire.deadline = self._until(upload.came) if waits else NEVER
        if upload.more and exchange.takes:
            self.wire.listen(False)  # first things first
            self._service.loop.soon(partial(self.feed, exchange))
        else:
            self.wire.listen(True)

    def _is_in(self, exchange: Exchange) -> bool:
        """Whether it is under way. Asked in line, the first answer would count for good: mypyc
        takes a check by `is` for a promise."""
        return self._exchange is exchange

    def pause(self) -> None:
        self._paused = self._service.loop.now
        self.wire.listen(False)
        if not self.wire.out:
            self.wire.deadline = NEVER

    def resume(self, exchange: Exchange) -> None:
        self._since += self._service.loop.now - self._paused  # it was not the visitor who was slow
        self._paused = 0.0
        self.wire.listen(True)
        self.feed(exchange)

    # --- The answer ----------------------------------------------------------------------------

    def head(self, answer: Answer, *, close: bool, chunked: bool) -> bytes:
        self._head = b""  # from here on nobody will ask for it again
        close = close or self._closes
        chunks = b"Transfer-Encoding: chunked\r\n" if chunked else b""
        added = manners(int(time.time()), close)
        return b"%b%b%b%b\r\n" % (answer.start, added, chunks, answer.lines)

    def opened(self, exchange: Exchange, answer: Answer) -> bytes:
        keep_alive(self.wire.sock)
        self.wire.received = exchange.said
        said, self._buffer, self._head = self._buffer, b"", b""
        self.wire.listen(True)
        if said:
            exchange.said(said)
        return b"".join((answer.start, served(int(time.time())), answer.lines, b"\r\n"))

    def verify(self, still: Callable[[Order], bool | Unknown]) -> str:
        """End an answer that goes on although its session does not. Give the token of one of which
        nobody can say without a wait."""
        exchange = self._exchange
        goes_on = exchange is None or still(exchange.order)
        if isinstance(goes_on, Unknown):
            return goes_on.token
        if exchange is not None and not goes_on:
            log.info("answer ended with the session", request_id=exchange.order.request_id)
            self.close()
        return ""

    @property
    def _closes(self) -> bool:
        return not self._service.alive or not self._service.keepalive

    def answered(self, exchange: Exchange, *, close: bool) -> None:
        self._exchange = None
        self._log_exchange(exchange)
        if close or self._closes:
            self.see_off()
        else:
            self._next()

    def failed(self, exchange: Exchange, error: GateError) -> None:
        self._exchange = None
        if exchange.upload is not None:
            self._buffer = b""  # a piece of the body, of which nobody knows where it ends
        self._hand_over(error)

    def cut(self, exchange: Exchange) -> None:
        if exchange.order.old:  # for all that it knows, an orderly end would be the answer's
            with suppress(OSError):
                self.wire.sock.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
        self.close()

    def _next(self) -> None:
        """Wait for the next request, or take it up if it is here."""
        wire, service = self.wire, self._service
        wire.received = self._collect
        self.idle = not self._buffer
        wire.deadline = service.loop.now + (service.keepalive if self.idle else HEAD_SECONDS)
        wire.listen(True)
        if self._buffer:
            wire.listen(False)  # first things first
            service.loop.soon(self._go_on)

    def _go_on(self) -> None:
        free = self._exchange is None and not self._asking
        if self._buffer and free and not self.wire.off:
            self.wire.listen(True)
            self._proceed()

    def back(self, sock: socket, rest: bytes, *, keep: bool) -> None:
        """The layers have answered; `rest` is what they read of the next request."""
        self.wire = Wire(self._service.loop, sock, self, self._collect)
        self._buffer = rest
        self.wire.catch_up()
        if keep:
            self._next()
        else:
            self.see_off()

    # --- The end -------------------------------------------------------------------------------

    def _end(self, answer: bytes) -> None:
        self.wire.send(answer)
        self.see_off()

    def see_off(self) -> None:
        """Let the visitor take the answer, and hang up first."""
        self.wire.received, self._leaving = self._linger, True
        self._buffer = b""
        self.wire.listen(True)
        self.wire.deadline = self._service.loop.now + LINGER_SECONDS
        self.wire.flush()
        if not self.wire.out:
            self._shut()

    def _shut(self) -> None:
        self.wire.deadline = self._service.loop.now + LINGER_SECONDS
        try:
            self.wire.sock.shutdown(SHUT_WR)
        except OSError:
            self.close()

    def _linger(self, data: bytes) -> None:
        self._drained += len(data)
        if not data or self._drained > MAX_DRAIN:
            self.close()

    def _log_exchange(self, exchange: Exchange) -> None:
        order, answer = exchange.order, exchange.answer
        status = str(answer.status) if answer else "null"
        self._log(order.granted, status, exchange.sent, exchange.began, order.request_id)

    def _log(self, granted: Pass, status: str, sent: int, began: float, request_id: str) -> None:
        self._service.log_access(
            f'"client":{granted.client},{granted.judged.logged},"status":{status},"bytes":{sent},'
            f'"us":{int((now() - began) * 1e6)},"user":{granted.user},'
            f'"request_id":"{request_id}"}}'
        )
