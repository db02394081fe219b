"""gunicorn's worker for the gate: a loop for everybody's connections, threads for the layers.

Strategy: gunicorn's own threaded worker, of which the part is kept that serves one request in a
thread. Which connections there are, and who may take which, is the loop's to know: it collects
requests, relays the ordinary ones by itself (`lane`), and hands the others to a thread with what it
has read. Each worker keeps to one CPU, another one than its siblings as long as there are enough.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from select import EPOLLEXCLUSIVE, EPOLLIN
from socket import socket
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from gunicorn import sock as gunicorn_sock
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from ssogate.crypto.cpus import ALL, keep_to
from ssogate.errors import GateError
from ssogate.http.environ import FAILED
from ssogate.lane.answers import Answers
from ssogate.lane.judge import Lane
from ssogate.lane.orders import Asked, Found
from ssogate.lane.requests import MAX_FIELDS
from ssogate.upstream.route import Limits, Server
from ssogate.worker.handed import Handed
from ssogate.worker.hoards import MOST, hoarders
from ssogate.worker.layers import Told, ends, environ_for, told
from ssogate.worker.links import Links
from ssogate.worker.logger import GateLogger
from ssogate.worker.lookups import Lookups
from ssogate.worker.loop import Loop, guarded
from ssogate.worker.memory import keep_memory
from ssogate.worker.rota import Rota
from ssogate.worker.safe import problems
from ssogate.worker.visitor import Visitor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

VARIABLE = "SSOGATE_CPU"  # of the environment; `any` lets workers run on every CPU
MAX_LINE = 8190  # bytes; gunicorn's own ceiling of a request line
DRAIN_SECONDS = 0.1  # for the rest of a body that nobody wanted, if it is here already
TICK = 0.1  # seconds between two looks at what nobody tells of
VERIFY_SECONDS = 0.3  # between two looks at whether an answer may go on, and at what is held for it


def _least_used(siblings: Iterable[GateWorker]) -> int | None:
    """Give a CPU that as few siblings as possible keep to; None where CPUs cannot be chosen. Any of
    them: other programs may do as we do, and begin at the first."""
    used = Counter(sibling.cpu for sibling in siblings)
    fewest = min((used[cpu] for cpu in ALL), default=0)
    free = [cpu for cpu in ALL if used[cpu] == fewest]
    return secrets.choice(free) if free else None


class GateWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`worker_class = "ssogate.worker.GateWorker"`."""

    _siblings: ClassVar[WeakSet[GateWorker]] = WeakSet()
    """Of the arbiter, which makes each worker before it forks and forgets it when it has died."""
    alive: bool
    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cpu = _least_used(self._siblings)
        self._siblings.add(self)
        self.answers = Answers()
        self.lane: Lane | None = None
        self.most_held = MOST
        self.keepalive = float(self.cfg.keepalive)
        # Within the limit of a line and of a field, no head can be beyond either.
        limits = (self.cfg.limit_request_line, self.cfg.limit_request_field_size)
        self.max_head = min(limit for limit in (*limits, MAX_LINE) if limit > 0)
        self._lookups: Lookups | None = None
        self._links: dict[int, Links] = {}
        self._visitors: set[Visitor] = set()
        self._lines: list[str] = []
        self._thread = threading.local()
        self._context: SSLContext | None = None
        self._looked = self._timed = 0.0
        self._held = self._verified = 0
        self._unknown: list[Visitor] = []
        self._stamp = ""

    def init_process(self) -> None:
        """Make the loop, in the process that is to run it."""
        _raise_file_limit()
        keep_memory()
        self.loop = Loop()
        self._rota = Rota(self._visitors, VERIFY_SECONDS, self.loop.now)
        # Who sends slowly, or does not take what an application sends, holds up none of the gate's
        # own pages and refusals.
        self._relays = self.get_thread_pool()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the app. The gate brings its lane along; threads alone serve any other app."""
        super().load_wsgi()
        self._app, self.wsgi = self.wsgi, self._serve
        lane = getattr(self._app, "lane", None)
        self._environ = environ_for(self.cfg)
        if lane is not None and self._is_plain():
            self.lane = lane
            self._lookups = Lookups(lane, self._call)
        # What is here now stays: no collection has to look at it again.
        gc.collect()
        gc.freeze()
        if self.cfg.is_ssl:
            self._context = gunicorn_sock.ssl_context(self.cfg)

    def _is_plain(self) -> bool:
        """Whether nothing asks for what the lane does not do: hooks, other logs, other grammars."""
        cfg = self.cfg
        hooks = ("pre_request", "post_request")
        return (
            all(getattr(cfg, hook) is cfg.settings[hook].default for hook in hooks)
            and cfg.proxy_protocol == "off"
            and cfg.limit_request_fields >= MAX_FIELDS
            and isinstance(self.log, GateLogger)
            and all(problem.warning for problem in problems(cfg))
        )

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        failure = self._thread.failure
        if failure is not None:
            environ[FAILED] = failure
        return self._app(environ, start_response)  # type: ignore[no-any-return]

    # --- The loop ------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop. The threads that serve are started from here, and inherit the
        CPU."""
        if self.cpu is not None and os.environ.get(VARIABLE) != "any":
            keep_to(self.cpu)
        self.loop.add(self.method_queue.fileno(), self._run_callbacks)
        self._accept_from(self.sockets)
        while self.alive:
            self._round()
        self._stop_accepting()
        # The arbiter counts, too, and began a moment earlier.
        patience: float = self.cfg.graceful_timeout
        deadline = time.monotonic() + max(patience - 2, patience * 0.8)
        idle_until = time.monotonic() + STOP_KEEPALIVE_LINGER
        while self._visitors and time.monotonic() < deadline:
            if time.monotonic() > idle_until:
                self._close_visitors(idle=True)
            self._round()
        self._close_visitors(idle=False)
        self._close()

    def _round(self) -> None:
        self.loop.run_once(TICK)
        self._verify()
        if self.loop.now - self._looked >= TICK:
            self._looked = self.loop.now
            self._look()
        if self._lines:
            self.log.access_lines(self._lines)
            self._lines.clear()

    def _look(self) -> None:
        self.notify()
        self.alive = self.alive and self.is_parent_alive()
        for links in self._links.values():
            links.look()
        if self._lookups is not None:
            self._lookups.write_down()
        if self.alive:
            wanted = len(self._visitors) < self.worker_connections
            if wanted and not self._accepting:
                self._accept_from(self.sockets)
            elif self._accepting and not wanted:
                self._stop_accepting()

    def _verify(self) -> None:
        for visitor in self._rota.due(self.loop.now):
            if self.lane is not None and visitor.verify(self.lane.still):
                self._unknown.append(visitor)
            self._held += visitor.holds
            self._verified += 1
        if self._verified >= len(self._visitors):
            if self._lookups is not None:
                self._lookups.verify(self._unknown, self.loop.now)
            if self._held > self.most_held:
                self._see_off_hoarders()
            self._held = self._verified = 0
            self._unknown.clear()

    def _see_off_hoarders(self) -> None:
        for visitor in hoarders(self._visitors, self.most_held):
            self.log.warning("closed: visitors keep too much waiting, %s most", visitor.address)
            visitor.close()

    def _run_callbacks(self, mask: int) -> None:
        self.method_queue.run_callbacks(None, max_callbacks=512)

    def _accept_from(self, listeners: Iterable[Any]) -> None:
        self._accepting = True
        for listener in listeners:
            listener.setblocking(False)
            accept = partial(self._accept, listener, listener.getsockname())
            self.loop.add(listener.fileno(), accept, EPOLLIN | EPOLLEXCLUSIVE)

    def _stop_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            for listener in self.sockets:
                self.loop.remove(listener.fileno())

    def _accept(self, listener: Any, server: Any, mask: int) -> None:
        guarded(partial(self._let_in, listener, server))

    def _let_in(self, listener: Any, server: Any) -> None:
        """One at a time: other workers want some, too."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in _NOBODY:
                self.log.warning("nobody can be let in for the moment: %s", error)
                self._stop_accepting()  # until the next look
            return
        try:
            self._visitors.add(Visitor(self, self._secured(sock), address, server))
        except OSError:  # it has hung up already
            sock.close()
        if len(self._visitors) >= self.worker_connections:
            self._stop_accepting()

    def _secured(self, sock: socket) -> socket:
        """With TLS, whose handshake comes with the first bytes."""
        if self._context is None:
            return sock
        sock.setblocking(False)
        return self._context.wrap_socket(
            sock,
            server_side=True,
            suppress_ragged_eofs=self.cfg.suppress_ragged_eofs,
            do_handshake_on_connect=False,
        )

    def _close_visitors(self, *, idle: bool) -> None:
        for visitor in list(self._visitors):
            if not idle or (visitor.idle and not visitor.wire.has_news()):
                visitor.close()

    def _close(self) -> None:
        for links in self._links.values():
            links.close()
        self.tpool.shutdown(wait=False)
        self._relays.shutdown(wait=False)
        if self._lookups is not None:
            self._lookups.close()
        if self._lines:
            self.log.access_lines(self._lines)
        self.loop.close()
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    # --- What visitors ask for -----------------------------------------------------------------

    def links(self, server: Server, limits: Limits) -> Links:
        found = self._links.get(id(server))
        if found is None:
            found = Links(self.loop, self._call, server, limits)
            self._links[id(server)] = found
        return found

    def count(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def log_access(self, line: str) -> None:
        if self.log.access_log_enabled:
            self._lines.append(f'{{"time":"{self._time()}",{line}')

    def _time(self) -> str:
        """The same for all that is logged in one round."""
        if self._timed != self.loop.now:
            self._timed, self._stamp = self.loop.now, self.log.now()
        return self._stamp

    def gone(self, visitor: Visitor) -> None:
        self._visitors.discard(visitor)

    def hand_over(
        self, visitor: Visitor, data: bytes, failure: GateError | None, *, refused: bool
    ) -> None:
        ends = visitor.address, visitor.server
        conn = Handed(self.cfg, visitor.wire.release(), ends, data, failure)
        answers = refused or failure is not None or self.lane is None or self.lane.owns(data)
        served = (self.tpool if answers else self._relays).submit(self.handle, conn)
        served.add_done_callback(
            lambda done: self._call(partial(self._served, visitor, conn, done))
        )

    def ask(
        self, visitor: Visitor, asked: Asked, body: bytes, then: Callable[[Told | None], object]
    ) -> None:
        both = ends(visitor.address, visitor.server)
        environ = {**self._environ, **both, **asked.environ}
        try:
            answer = self.tpool.submit(told, self._app, environ, body)
        except RuntimeError:  # the process has as many threads as it may have
            self._call(partial(then, None))
        else:
            answer.add_done_callback(lambda done: self._call(partial(then, _result(done))))

    def look_up(self, token: str, then: Callable[[Found], object]) -> None:
        if self._lookups is not None:
            self._lookups.ask(token, then)

    def _call(self, act: Callable[[], object]) -> None:
        """Have the loop's thread do something that must not end it."""
        self.method_queue.defer(guarded, act)

    def _served(self, visitor: Visitor, conn: Handed, done: Future[object]) -> None:
        keep = not done.cancelled() and done.exception() is None and bool(done.result())
        rest = conn.parser.unreader.rest() if keep else b""
        try:
            visitor.back(conn.sock, rest, keep=keep)
        except (OSError, ValueError):  # it is closed already
            self._visitors.discard(visitor)
            with suppress(OSError):
                conn.sock.close()

    def _keepalive_after(self, conn: Handed, keepalive: bool) -> bool:
        """Whether another request may follow. A body that was not read is not waited for."""
        deadline = time.monotonic() + DRAIN_SECONDS
        return keepalive and bool(conn.parser.finish_body(deadline=deadline))

    def handle_request(self, req: Any, conn: Handed) -> bool:
        """Serve a request in a thread, as gunicorn does."""
        self._thread.failure = conn.failure
        if conn.failure is not None and getattr(req.body.reader, "length", None) != 0:
            req.force_close()  # its body went to the server that failed
        return bool(super().handle_request(req, conn))


def _result(done: Future[Told]) -> Told | None:
    return None if done.cancelled() or done.exception() else done.result()


def _raise_file_limit() -> None:
    """A connection is a file; the usual 1024 of them are for programs that use select(2)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


_NOBODY = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)
