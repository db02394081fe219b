"""One request of the lane and its answer: bytes in from one wire, out by the other.

Strategy: while nothing of an answer has been passed on, a failure is the layers' to tell; from then
on only a cut is left. Neither side is read faster than the other one takes it, so a stream of any
length is held in a block or two.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from ssogate.errors import GateError, UpstreamInvalid, UpstreamTimeout, UpstreamUnreachable
from ssogate.http.log import log
from ssogate.lane.answers import Answer, Answers
from ssogate.lane.bodies import Body, Upload
from ssogate.lane.orders import Order
from ssogate.upstream.connection import MAX_INTERIM, OutOfTime
from ssogate.upstream.route import Limits, Server
from ssogate.upstream.wire import find_head_end
from ssogate.worker.links import Link, Links
from ssogate.worker.loop import NEVER, Loop, Wire, keep_alive

_SERVERS_DOING = (UpstreamUnreachable, UpstreamInvalid, UpstreamTimeout)
LEAVING_SECONDS = 5.0  # that a server has for each next piece once the visitor has hung up
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
now = time.perf_counter  # the clock by which requests are measured


class Asker(Protocol):
    """The visitor's side."""

    wire: Wire

    def head(self, answer: Answer, *, close: bool, chunked: bool) -> bytes:
        """Give the head that the visitor gets."""

    def feed(self, exchange: Exchange) -> None:
        """There is somebody to take the body now: hand on what is here by `exchange.send_on`."""

    def pause(self) -> None:
        """Nobody takes more of the body for the moment."""

    def resume(self, exchange: Exchange) -> None:
        """Somebody does again."""

    def opened(self, exchange: Exchange, answer: Answer) -> bytes:
        """A WebSocket is open: say by `exchange.said` what the visitor says. Give the head that
        the visitor gets."""

    def answered(self, exchange: Exchange, *, close: bool) -> None:
        """The answer has been passed on, whole."""

    def failed(self, exchange: Exchange, error: GateError) -> None:
        """There is no answer, and nothing has been passed on."""

    def cut(self, exchange: Exchange) -> None:
        """The answer ended before its end."""


class Means(Protocol):
    """What exchanges share."""

    loop: Loop
    answers: Answers

    def links(self, server: Server, limits: Limits) -> Links:
        """Give the connections to a server."""


class Exchange:
    """`order`, under way to a server: `opening` is sent at first, then what comes of `upload`."""

    __slots__ = (
        "_asker",
        "_body",
        "_buffer",
        "_interim",
        "_limits",
        "_link",
        "_links",
        "_loop",
        "_means",
        "_opening",
        "_server",
        "_unreachable",
        "answer",
        "began",
        "ends",
        "left",
        "order",
        "sent",
        "upload",
        "waits",
    )

    def __init__(
        self, asker: Asker, order: Order, means: Means, opening: bytes, upload: Upload | None
    ) -> None:
        self._asker, self.order, self._means, self._loop = asker, order, means, means.loop
        self._limits = order.place.upstream.limits
        self._opening, self.upload = opening, upload
        self.left = upload is not None and not upload.ended
        """Whether some of the request's body is still to come."""
        self.began = now()
        self.ends = self._loop.now + self._limits.total
        self._server: Server | None = None
        self._link: Link | None = None
        self._unreachable: GateError | None = None  # of a server that was tried in vain
        self._buffer = b""
        self._interim = 0
        self.answer: Answer | None = None
        self._body: Body | None = None  # of an answer that is not here whole
        self.sent = 0
        """Bytes of the body that the visitor was sent."""
        self.waits = True

    @property
    def holds(self) -> int:
        """Bytes that are in memory for it."""
        waiting = len(self._link.wire.out) if self._link else len(self._opening)
        return waiting + len(self._buffer)

    def begin(self, besides: Server | None = None) -> None:
        """Ask for a connection, and go on from there."""
        if self.left:
            self._asker.wire.listen(False)  # until there is somebody to take it
        upstream = self.order.place.upstream
        try:
            self._server = server = upstream.choose(self._loop.now, besides)
        except GateError as error:
            self._fail(self._unreachable or error)
        else:
            self._links = links = self._means.links(server, self._limits)
            links.take(self)

    # --- The request ---------------------------------------------------------------------------

    def linked(self, link: Link) -> None:
        self._link, self.waits = link, False
        wire = link.wire
        wire.received = self._answered
        wire.deadline = self._within(self._limits.read)
        wire.send(self._opening)
        self._opening = self.order.request  # again, where it had no body
        if self.left:
            self._wait_for_visitor(wire)
            self._asker.feed(self)

    def unlinked(self, error: GateError) -> None:
        server, upstream = self._server, self.order.place.upstream
        others = len(upstream.servers) > 1 and self._unreachable is None
        if self._loop.now >= self.ends:
            self.late()
        elif others and isinstance(error, UpstreamUnreachable):
            # Nothing has been sent to it: another one may have any request instead.
            self._unreachable = error
            self._over(error)
            self.begin(server)
        else:
            self._fail(error)

    @property
    def takes(self) -> bool:
        """Whether the server is still to have what comes of the body."""
        link = self._link
        return link is not None and not link.wire.failed and self.answer is None

    def send_on(self, data: bytes) -> bytes:
        """Send some more of the body; give what came after it. Once there is an answer, the rest of
        it is nobody's."""
        link, upload = self._link, self.upload
        if link is None or upload is None or not self.takes:
            return b""
        try:
            data, rest = upload.take(data)
        except GateError as error:
            self._fail(error)
            return b""
        self.left = not upload.ended
        if data:
            link.wire.send(data)
        self._wait_for_visitor(link.wire)
        return rest

    def _wait_for_visitor(self, wire: Wire) -> None:
        """Whose body takes the time that it takes; then the server has its own."""
        wire.deadline = self.ends if self.left else self._within(self._limits.read)

    def _within(self, seconds: float) -> float:
        """Give when a wait is over: at the end of the whole request's time at the latest."""
        return min(self._loop.now + seconds, self.ends)

    def congested(self) -> None:
        self._asker.pause()
        if self._link is not None:
            self._link.wire.deadline = self._within(self._limits.write)

    def drained(self) -> None:
        if self._link is not None:
            self._wait_for_visitor(self._link.wire)
        self._asker.resume(self)

    # --- The answer ----------------------------------------------------------------------------

    def _answered(self, data: bytes) -> None:
        link = self._link
        if link is None:
            return
        if not self.left:
            link.wire.deadline = self._within(self._limits.read)
        try:
            if self._body is not None:
                self._pass_on(self._body, data)
            elif data:
                self._read_head(self._buffer + data if self._buffer else data)
            else:
                self.deserted(EOFError("it hung up"))
        except UpstreamInvalid as error:
            self._fail(error)

    def _read_head(self, data: bytes) -> None:
        granted = self.order.granted
        while end := find_head_end(data, len(self._buffer)):
            self._buffer = b""
            if self.order.key and data.startswith(b"HTTP/1.1 101"):
                self._open(data[:end], data[end:])
                return
            answer = self._means.answers.read(
                data[:end], self.order.place.method, granted.private, self._relocated
            )
            data = data[end:]
            if answer.status >= 200:
                self._begin_answer(answer, data)
                return
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise UpstreamInvalid("the upstream sent interim answers without end")
        self._buffer = data

    def _open(self, head: bytes, data: bytes) -> None:
        """From here on the two talk to one another, and nobody reads what they say."""
        answer = self._means.answers.opened(head, self.order.key)
        link = self._link
        if link is None:
            return
        self.answer, self._limits = answer, replace(self._limits, read=NEVER)
        self.ends = NEVER
        if self._server is not None:
            self._server.health.succeeded()
        link.wire.received, link.wire.deadline = self._heard, NEVER
        keep_alive(link.wire.sock)
        self.sent = len(data)
        self._send(self._asker.opened(self, answer) + data)

    def _heard(self, data: bytes) -> None:
        """What the server says by a WebSocket."""
        if data:
            self.sent += len(data)
            self._send(data)
        else:
            self._end(False)

    def said(self, data: bytes) -> None:
        """What the visitor says by a WebSocket."""
        if self._link is not None and data:
            self._link.wire.send(data)
        else:
            self._end(False)

    def _relocated(self, location: str) -> str:
        place = self.order.place
        return place.route.relocated(location, place.site)

    def _begin_answer(self, answer: Answer, data: bytes) -> None:
        whole = answer.length == len(data)  # as most of the time
        old = self.order.old
        body = None if whole else Body(answer, plain=old)
        # A first block that cannot be read is told as such: nothing has been passed on yet.
        first = body.take(data) if body else data
        self.answer, self._body = answer, body
        if self._server is not None:
            self._server.health.succeeded()
        chunked = answer.length is None and not old
        head = self._asker.head(answer, close=self._must_close, chunked=chunked)
        self._asker.wire.send(head + first)
        if body is None:
            self.sent = len(data)
            self._end(answer.reusable)
        else:
            self._passed(body)

    def _pass_on(self, body: Body, data: bytes) -> None:
        """Pass on what came of the body; nothing is the orderly end."""
        self._send(body.take(data) if data else body.close())
        self._passed(body)

    def _passed(self, body: Body) -> None:
        self.sent = body.length
        if body.ended:
            self._end(self.answer is not None and self.answer.reusable and not body.surplus)

    @property
    def _must_close(self) -> bool:
        """A visitor whose body nobody has read, or who speaks another protocol by now, cannot be
        understood any further; and without chunks, an answer of unknown length has no other end."""
        order, answer = self.order, self.answer
        if order.close or self.left or answer is None:
            return order.close or self.left
        return answer.status == 101 or (order.old and answer.length is None)

    def _send(self, data: bytes) -> None:
        if data and self._link is not None:
            self._asker.wire.send(data)

    def hurry(self) -> None:
        """The visitor says no more, and mostly that is because it has left."""
        self._limits = replace(self._limits, read=min(self._limits.read, LEAVING_SECONDS))
        if self._link is not None:
            soon = self._within(self._limits.read)
            self._link.wire.deadline = min(self._link.wire.deadline, soon)

    def stalled(self) -> None:
        """The visitor takes no more for the moment."""
        if self._link is not None:
            self._link.wire.listen(False)
            self._link.wire.deadline = self.ends

    def taken(self) -> None:
        """The visitor has taken everything that waited."""
        if self._link is not None:
            self._link.wire.deadline = self._within(self._limits.read)
            self._link.wire.listen(True)

    def _end(self, reusable: bool) -> None:
        link, self._link = self._link, None
        if link is None:  # the visitor is gone
            return
        self._over()
        # Who refuses a body has often not read it, and hangs up a moment later.
        refused = self.upload and self.answer is not None and self.answer.status >= 400
        self._links.finish(link, reusable=reusable and not self.left and not refused)
        self._asker.answered(self, close=self._must_close)

    # --- What goes wrong -----------------------------------------------------------------------

    def deserted(self, error: Exception) -> None:
        link, order = self._link, self.order
        if self.answer is not None or self._buffer or self._interim:
            self._fail(UpstreamInvalid(f"the upstream's answer was cut short: {error}"))
            return
        repeatable = (
            order.length is None and self.upload is None and order.place.method in _REPEATABLE
        )
        if link and link.reused and repeatable:
            # It had idled and was dead before a byte of answer came (RFC 9110, section 9.2.2).
            self._link, self.waits = None, True
            self._links.again(link, self)
        else:
            self._fail(UpstreamUnreachable(f"the upstream gave no answer: {error}"))

    def late(self) -> None:
        over = self._loop.now >= self.ends
        self._fail(OutOfTime() if over else UpstreamTimeout("the upstream does not answer"))

    def _fail(self, error: GateError) -> None:
        begun = self.answer is not None
        self._over(None if begun else error)
        self.abandon()
        if not begun:
            self._asker.failed(self, error)
            return
        log.warning(
            "answer cut", code=error.code, detail=error.detail, request_id=self.order.request_id
        )
        self._asker.cut(self)

    def _over(self, error: GateError | None = None) -> None:
        """Tell the server's health what came of this. While a body is sent, it may be the visitor's
        doing."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._link is None and isinstance(error, UpstreamUnreachable):
            server.health.unreachable(self._loop.now, error.detail)
        elif self._link and isinstance(error, _SERVERS_DOING) and not self._by_visitor(error):
            server.health.failed(self._loop.now, error.detail)
        server.health.ended()

    def _by_visitor(self, error: GateError) -> bool:
        """Whether it may be the visitor who was slow, or who was not heard to the end."""
        return self.left or (self.upload is not None and isinstance(error, OutOfTime))

    def abandon(self) -> None:
        """Give the server's connection up: whatever comes on it is nobody's."""
        self.waits = False
        self._over()
        link, self._link = self._link, None
        if link is not None:
            self._links.finish(link, reusable=False)
